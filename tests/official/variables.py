"""The variables that the tests' checkpoints hold: names, shapes and contents, for writer and reader alike. Only numpy.

``resnet101`` and ``face_pose_net`` list the official release's, written down from its description on their own, so that
the tables of ``model/official`` can be held against them.
"""

from __future__ import annotations

import zlib
from math import prod, sqrt

import numpy as np

Shapes = dict[str, tuple[int, ...]]


def content(name: str, shape: tuple[int, ...], dtype: type = np.float32, salt: str = "") -> np.ndarray:
    """Numbers that look random, are the same everywhere, and scaled so that a network of them stays within bounds.

    Variances, by name, are positive. ExpNet and the shape net have the same trunk up to block 5a; ``salt`` makes
    others of what they have not in common.
    """
    scope, _, layer = name.partition("/")
    alike = scope in ("exprCNN", "shapeCNN") and not any(own in layer for own in ("5b", "5c", "fc1"))
    seed = zlib.crc32((layer if alike else salt + name).encode())
    mixed = (np.arange(prod(shape), dtype=np.uint64) + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):  # SplitMix64
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    high = (mixed >> np.uint64(40)).astype(np.int64)  # 24 bits: exact in float32
    if np.dtype(dtype).kind == "f":
        unit = (high - (1 << 23)) / (1 << 23)
        if name.endswith("variance"):
            unit = np.abs(unit) + 0.5
        elif len(shape) > 1:
            unit *= sqrt(6 / max(prod(shape[:-1]), 1))
        return unit.astype(dtype).reshape(shape)
    if dtype is np.bool_:
        return (high % 2 == 1).reshape(shape)
    return (high - (0 if np.dtype(dtype).kind == "u" else 1 << 23)).astype(dtype).reshape(shape)


SMALL: Shapes = {
    "exprCNN/conv1/weights": (7, 7, 3, 4),
    "exprCNN/bn_conv1/scale": (4,),
    "exprCNN/bn_conv1/offset": (4,),
    "exprCNN/bn_conv1/mean": (4,),
    "exprCNN/bn_conv1/variance": (4,),
    "exprCNN/res2a_branch2a/weights": (1, 1, 4, 5),
    "exprCNN/res4b22_branch2b/weights": (3, 3, 2, 2),
    "exprCNN/exprCNN_fc1/weights": (20, 29),
    "exprCNN/exprCNN_fc1/biases": (29,),
    "shapeCNN/shapeCNN_fc1/biases": (198,),
    "Spatial_Transformer/ST2/conv1/W": (3, 3, 3, 2),
    "Spatial_Transformer/ST2/conv1/baises": (2,),
    "Spatial_Transformer/ST2/fc8/baises": (6,),
}
KINDS: Shapes = {
    "global_step": (),
    "double": (3,),
    "half": (5,),
    "small": (2, 3),
    "tiny": (4,),
    "octets": (7,),
    "short": (3,),
    "flags": (9,),
    "empty": (0, 4),
}
PARTS: Shapes = {"a/weights": (7, 3), "b": (3,)}  # each saved in three parts
KIND_DTYPES: dict[str, type] = {
    "global_step": np.int64,
    "double": np.float64,
    "half": np.float16,
    "small": np.int32,
    "tiny": np.int8,
    "octets": np.uint8,
    "short": np.int16,
    "flags": np.bool_,
}


def resnet101(scope: str, outputs: int) -> Shapes:
    """Return the 522 variables of one of the two networks."""
    layers: dict[str, tuple[int, ...]] = {"conv1": (7, 7, 3, 64)}
    norms = {"conv1": "bn_conv1"}
    inputs = 64
    for stage, blocks in ((2, 3), (3, 4), (4, 23), (5, 3)):
        width = 32 << (stage - 1)
        names = ["a", "b", "c"] if stage in (2, 5) else ["a", *(f"b{i}" for i in range(1, blocks))]
        for name in names:
            block = f"{stage}{name}"
            if name == "a":
                layers[f"res{block}_branch1"] = (1, 1, inputs, 4 * width)
            layers[f"res{block}_branch2a"] = (1, 1, inputs, width)
            layers[f"res{block}_branch2b"] = (3, 3, width, width)
            layers[f"res{block}_branch2c"] = (1, 1, width, 4 * width)
            inputs = 4 * width
    variables: Shapes = {}
    for layer, shape in layers.items():
        norm = norms.get(layer, "bn" + layer[3:])
        variables[f"{scope}/{layer}/weights"] = shape
        for part in ("scale", "offset", "mean", "variance"):
            variables[f"{scope}/{norm}/{part}"] = shape[-1:]
    variables[f"{scope}/{scope}_fc1/weights"] = (2048, outputs)
    variables[f"{scope}/{scope}_fc1/biases"] = (outputs,)
    return variables


def face_pose_net() -> Shapes:
    """FacePoseNet on AlexNet: 16 variables, of which "baises" is the release's spelling."""
    weights = {
        "conv1": (11, 11, 3, 96),
        "conv2": (5, 5, 48, 256),
        "conv3": (3, 3, 256, 384),
        "conv4": (3, 3, 192, 384),
        "conv5": (3, 3, 192, 256),
        "fc6": (9216, 4096),
        "fc7": (4096, 4096),
        "fc8": (4096, 6),
    }
    scope = "Spatial_Transformer/ST2"
    variables = {f"{scope}/{layer}/W": shape for layer, shape in weights.items()}
    return variables | {f"{scope}/{layer}/baises": shape[-1:] for layer, shape in weights.items()}


def newer_face_pose_net() -> tuple[Shapes, Shapes]:
    """FacePoseNet of December 2018: the ResNet that its training began with, and the checkpoint of what was trained."""
    trunk = {name: shape for name, shape in resnet101("shapeCNN", 198).items() if "fc1" not in name}
    trained = {name: shape for name, shape in trunk.items() if any(own in name for own in ("5b_", "5c_"))}
    for layer, inputs, outputs in (("fc1", 2048, 2048), ("fc2", 2048, 4096), ("fc3", 4096, 6)):
        trained |= {f"Pose/{layer}/W": (inputs, outputs), f"Pose/{layer}/baises": (outputs,)}
    return trunk, trained


# Each network's checkpoints in the release's folders: what is in an earlier one counts.
FILES = {
    "expression": ("Expression_Model/ini_exprNet_model.ckpt",),
    "shape": ("Shape_Model/ini_ShapeTextureNet_model.ckpt",),
    "pose": ("fpn_new_model/model_0_1.0_1.0_1e-07_1_16000.ckpt",),
    "pose_resnet": (
        "Face-Pose-Net/models/model_0.0001_1_18_0.0_2048_4096.ckpt",
        "Face-Pose-Net/models/ini_shapeNet_model_L7L_trainable.ckpt",
    ),
}
# What lies beside the checkpoints: float64, as the release has it.
STATISTICS = {
    f"{folder}/3DMM_{kind}_mean.npy": 127.5 + 60 * content(kind, (3, 224, 224), np.float64)
    for folder, kind in (("Shape_Model", "shape"), ("Expression_Model", "expr"))
} | {
    "Face-Pose-Net/train_stats/train_label_mean_300WLP.npy": np.array([8e-4, -0.153, -0.003, 0.002, 110.9, 114.0, 7.0]),
    "Face-Pose-Net/train_stats/train_label_std_300WLP.npy": np.array([2e-4, 0.2, 0.5, 0.1, 20.0, 21.0, 3.0]),
}
STATISTICS_IN_NPZ = {
    "fpn_new_model/perturb_Oxford_train_imgs_mean.npz": {"train_mean_vec": np.array([0.33, 0.38, 0.47])},
    "fpn_new_model/perturb_Oxford_train_labels_mean_std.npz": {
        "mean_labels": np.array([0.1, 0.2, -0.1, 10.0, -20.0, 1500.0]),
        "std_labels": np.array([0.3, 0.5, 0.2, 30.0, 40.0, 300.0]),
    },
}
