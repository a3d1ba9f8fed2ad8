"""The authors' graphs in TensorFlow, written down from their description, and what every stage of them gives.

``write_stages`` reads a release's checkpoints with TensorFlow, runs them on pictures, and keeps pictures and stages:
``FOLDER/stages/NETWORK.npz``, for the test that holds our networks against them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from variables import FILES

Stages = dict[str, np.ndarray]  # NHWC
Read = Callable[[str], np.ndarray]


def write_stages(folder: Path) -> None:
    """For each network of the release in ``folder``."""
    out = folder / "stages"
    out.mkdir(exist_ok=True)
    faces, heads = pictures(224, 60.0, seed=1), pictures(224, 60.0, seed=2)
    np.savez(out / "expression.npz", input=faces, **expnet(_reader(folder, "expression"), "exprCNN", faces))
    np.savez(out / "shape.npz", input=faces, **expnet(_reader(folder, "shape"), "shapeCNN", faces, ("5b", "5c")))
    # Louder than pictures in 0..1, so that it matters by how much the local response is divided.
    loud = pictures(227, 100.0, seed=3)
    np.savez(out / "pose.npz", input=loud, **face_pose_net(_reader(folder, "pose"), loud))
    np.savez(out / "pose_resnet.npz", input=heads, **newer_face_pose_net(_reader(folder, "pose_resnet"), heads))


def pictures(size: int, scale: float, seed: int) -> np.ndarray:
    """(2, size, size, 3) float32 around 0: large soft patches, edges and noise."""
    random = np.random.default_rng(seed)
    soft = random.normal(size=(2, size // 16 + 2, size // 16 + 2, 3)).repeat(16, 1).repeat(16, 2)[:, :size, :size]
    return (scale * (soft + 0.3 * random.normal(size=soft.shape))).astype(np.float32)


def _reader(folder: Path, network: str) -> Read:
    """Return a variable by its name, from the first of the network's checkpoints that has it."""
    checkpoints = [tf.train.load_checkpoint(str(folder / file)) for file in FILES[network]]
    return lambda name: next(c for c in checkpoints if c.has_tensor(name)).get_tensor(name)


# ----------------------------------------------------------------------------------------------------------- ResNet-101


def expnet(read: Read, scope: str, pixels: np.ndarray, kept: tuple[str, ...] = ()) -> Stages:
    """ExpNet and the shape net; of ``kept`` blocks only what is within, if they are named."""
    stages = resnet101(read, scope, pixels)
    head = f"{scope}/{scope}_fc1"
    stages["fc1"] = (tf.constant(stages["pool5"]) @ read(f"{head}/weights") + read(f"{head}/biases")).numpy()
    return {name: x for name, x in stages.items() if not kept or name in ("pool5", "fc1") or name[2:4] in kept}


def newer_face_pose_net(read: Read, pixels: np.ndarray) -> Stages:
    """Return the one of December 2018. Of its ResNet only what the blocks give."""
    stages = {name: x for name, x in resnet101(read, "shapeCNN", pixels).items() if "branch" not in name}
    x = tf.constant(stages["pool5"])
    for layer in ("fc1", "fc2", "fc3"):
        x = x @ read(f"Pose/{layer}/W") + read(f"Pose/{layer}/baises")
        stages[layer] = x.numpy()
        x = tf.nn.relu(x)
    return stages


def resnet101(read: Read, scope: str, pixels: np.ndarray) -> Stages:
    """Every batch norm's output (bn…, before ReLU), every block's (res…), and the pools'."""
    stages: Stages = {}

    def convolved(x: tf.Tensor, layer: str, norm: str, stride: int = 1) -> tf.Tensor:
        x = tf.nn.conv2d(x, read(f"{scope}/{layer}/weights"), stride, "SAME")
        scale, offset, mean, variance = (read(f"{scope}/{norm}/{p}") for p in ("scale", "offset", "mean", "variance"))
        x = tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-5)
        stages[norm] = x.numpy()
        return x

    x = tf.nn.relu(convolved(tf.constant(pixels), "conv1", "bn_conv1", 2))
    x = tf.nn.max_pool2d(x, 3, 2, "SAME")
    stages["pool1"] = x.numpy()
    for stage, count in ((2, 3), (3, 4), (4, 23), (5, 3)):
        for i in range(count):
            block = f"{stage}{'abc'[i]}" if stage in (2, 5) else f"{stage}{f'b{i}' if i else 'a'}"
            stride = 2 if i == 0 and stage > 2 else 1
            shortcut = convolved(x, f"res{block}_branch1", f"bn{block}_branch1", stride) if i == 0 else x
            y = tf.nn.relu(convolved(x, f"res{block}_branch2a", f"bn{block}_branch2a", stride))
            y = tf.nn.relu(convolved(y, f"res{block}_branch2b", f"bn{block}_branch2b"))
            x = tf.nn.relu(shortcut + convolved(y, f"res{block}_branch2c", f"bn{block}_branch2c"))
            stages[f"res{block}"] = x.numpy()
    stages["pool5"] = tf.nn.avg_pool2d(x, 7, 1, "VALID").numpy().reshape(len(pixels), -1)
    return stages


# -------------------------------------------------------------------------------------------------------------- AlexNet


def face_pose_net(read: Read, pixels: np.ndarray) -> Stages:
    """Return the first one. Layers before ReLU, pools, and local response norms."""
    stages: Stages = {}

    def variables(layer: str) -> tuple[np.ndarray, np.ndarray]:
        return read(f"Spatial_Transformer/ST2/{layer}/W"), read(f"Spatial_Transformer/ST2/{layer}/baises")

    def convolved(x: tf.Tensor, layer: str, stride: int = 1, groups: int = 1) -> tf.Tensor:
        weights, biases = variables(layer)
        parts = zip(tf.split(x, groups, axis=3), tf.split(weights, groups, axis=3), strict=True)
        x = tf.concat([tf.nn.conv2d(part, w, stride, "SAME") for part, w in parts], axis=3) + biases
        stages[layer] = x.numpy()
        return tf.nn.relu(x)

    def pooled(x: tf.Tensor, layer: str) -> tf.Tensor:
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")
        stages[layer] = x.numpy()
        return x

    def normed(x: tf.Tensor, layer: str) -> tf.Tensor:
        x = tf.nn.local_response_normalization(x, depth_radius=2, alpha=2e-5, beta=0.75, bias=1.0)
        stages[layer] = x.numpy()
        return x

    x = normed(pooled(convolved(tf.constant(pixels), "conv1", stride=4), "pool1"), "norm1")
    x = normed(pooled(convolved(x, "conv2", groups=2), "pool2"), "norm2")
    x = convolved(convolved(x, "conv3"), "conv4", groups=2)
    x = tf.reshape(pooled(convolved(x, "conv5", groups=2), "pool5"), (len(pixels), 9216))
    for layer in ("fc6", "fc7", "fc8"):
        weights, biases = variables(layer)
        x = x @ weights + biases
        stages[layer] = x.numpy()
        x = tf.nn.relu(x)
    return stages
