"""The tensor for each of the authors' TensorFlow variables, with its shape and its transposition.

Their convolutions are (height, width, in, out), ours (out, in, height, width); their linear layers (in, out), ours
(out, in). Where FacePoseNet flattens its maps (fc6), its 9216 inputs stay in their order: height, width, channel.
"baises" is the release's spelling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

from ..array_types import AnyArray
from ..networks.torch_engine.resnet101 import FEATURES, OWN_BLOCKS, Trunk, tensor_names

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Variable:
    """One of the authors' variables: its name, its shape there, the axes in our order."""

    name: str
    shape: Shape
    axes: tuple[int, ...]

    def turned(self, array: AnyArray) -> AnyArray:
        """Return the array in our order of axes, a view."""
        return array.transpose(self.axes)

    @property
    def turned_shape(self) -> Shape:
        """Return its shape in our order of axes."""
        return tuple(self.shape[axis] for axis in self.axes)


Layout = dict[str, Variable]  # our name -> theirs


@dataclass(frozen=True)
class Network:
    """One network of the releases.

    name      in our file and code;  title  in messages
    layout    all its tensors;  scope  prefix of the names of a ResNet's trunk, empty for AlexNet
    mark      the variable that identifies its checkpoint
    """

    name: str
    title: str
    layout: Callable[[], Layout]
    mark: str
    scope: str = ""


def shared_trunk() -> tuple[str, ...]:
    """Return our names of the trunk's tensors (``trunk.…``) that two of the authors' networks can have in common."""
    own = tuple(f"blocks.{block}." for block in OWN_BLOCKS)
    return tuple(f"trunk.{name}" for name in tensor_names() if not name.startswith(own))


def _convolution(name: str, height: int, width: int, inputs: int, outputs: int) -> Variable:
    return Variable(name, (height, width, inputs, outputs), (3, 2, 0, 1))


def _linear(name: str, inputs: int, outputs: int) -> Variable:
    return Variable(name, (inputs, outputs), (1, 0))


def _vector(name: str, size: int) -> Variable:
    return Variable(name, (size,), (0,))


@lru_cache(maxsize=1)
def _trunk_shapes() -> dict[str, Shape]:
    import torch

    with torch.device("meta"):  # shapes only, without initialisation
        return {name: tuple(tensor.shape) for name, tensor in Trunk().state_dict().items()}


def _trunk(scope: str) -> Layout:
    layout = {}
    for ours, theirs in tensor_names().items():
        shape = _trunk_shapes()[ours]
        name = f"{scope}/{theirs}"
        if len(shape) == 4:
            outputs, inputs, height, width = shape
            layout[f"trunk.{ours}"] = _convolution(name, height, width, inputs, outputs)
        else:
            layout[f"trunk.{ours}"] = _vector(name, *shape)
    return layout


def _resnet(scope: str, outputs: int) -> Layout:
    """Return the layout of a trunk and one linear head: 522 tensors."""
    head = f"{scope}/{scope}_fc1"
    layout = {
        "head.weight": _linear(f"{head}/weights", FEATURES, outputs),
        "head.bias": _vector(f"{head}/biases", outputs),
    }
    return _trunk(scope) | layout


def _alexnet() -> Layout:
    """Return the layout of FacePoseNet of 2017: 16 tensors."""
    scope = "Spatial_Transformer/ST2"
    layout: Layout = {}
    for layer, *shape in (
        ("conv1", 11, 11, 3, 96),
        ("conv2", 5, 5, 48, 256),  # in two groups: half of the inputs
        ("conv3", 3, 3, 256, 384),
        ("conv4", 3, 3, 192, 384),
        ("conv5", 3, 3, 192, 256),
        ("fc6", 9216, 4096),
        ("fc7", 4096, 4096),
        ("fc8", 4096, 6),
    ):
        turn: Callable[..., Variable] = _convolution if len(shape) == 4 else _linear
        layout[f"{layer}.weight"] = turn(f"{scope}/{layer}/W", *shape)
        layout[f"{layer}.bias"] = _vector(f"{scope}/{layer}/baises", shape[-1])
    return layout


def _pose_resnet() -> Layout:
    """Return the layout of FacePoseNet of December 2018: the shape net's trunk, three linear layers, 526 tensors."""
    layout = _trunk("shapeCNN")
    widths = (FEATURES, 2048, 4096, 6)
    for i in (1, 2, 3):
        layout[f"fc{i}.weight"] = _linear(f"Pose/fc{i}/W", widths[i - 1], widths[i])
        layout[f"fc{i}.bias"] = _vector(f"Pose/fc{i}/baises", widths[i])
    return layout


EXPRESSION = Network("expression", "ExpNet", partial(_resnet, "exprCNN", 29), "exprCNN/exprCNN_fc1/weights", "exprCNN")
SHAPE = Network(
    "shape", "the shape net", partial(_resnet, "shapeCNN", 198), "shapeCNN/shapeCNN_fc1/weights", "shapeCNN"
)
POSE = Network("pose", "FacePoseNet", _alexnet, "Spatial_Transformer/ST2/fc8/W")
POSE_RESNET = Network("pose_resnet", "the newer FacePoseNet", _pose_resnet, "Pose/fc3/W", "shapeCNN")
NETWORKS = (EXPRESSION, SHAPE, POSE, POSE_RESNET)
