"""The one door from pixels to coefficients: ``Estimator.load(...).estimate(images, crops, cameras)``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .camera import Camera, Crop, pose_of_crop, roll, roll_matrix
from .checkpoints.weights import WeightsHeader, load_weights
from .errors import InputError
from .networks import CONFIGS, Network, build_network
from .networks.compact import rotation_matrix
from .networks.loading import loaded
from .opencv import cv2
from .semantics import OPEN_BASIS, OPEN_KEYS

OPEN_WEIGHTS = Path(__file__).parent / "data" / "open_weights.safetensors"
DEVICES = ("auto", "cpu", "cuda", "mps")

# The farthest a face's own crop may lie from the given one: beyond it the network was never trained.
MAX_OFFSET = np.array([0.75, 0.75, 1.0])
IDENTITY_LIMIT = 3.0  # sigma

Box = Sequence[float]  # x, y, width, height in pixels


@dataclass(frozen=True, eq=False)
class FaceEstimate:
    """What was seen in B crops.

    eta          (B, Ke) expression;  alpha (B, Ks) identity, sigma
    gaze         (B, 2) radians: yaw (+ to the subject's left), pitch (+ up)
    rotation     (B, 3, 3), translation (B, 3) mm, in the frame of ``camera.py``
    crop         B crops as the faces themselves define them: the place to look in the next frame
    confidence   (B,) 0..1 that there is a face
    eta_deviation  (B, Ke) the standard deviation that the network expects of its eta (large where the face is hidden);
                 NaN from one that says nothing of it
    basis, expression_keys  what eta means
    texture      (B, Kt) sigma, from a network that reads it
    """

    eta: np.ndarray
    alpha: np.ndarray
    gaze: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    crop: list[Crop]
    confidence: np.ndarray
    eta_deviation: np.ndarray
    basis: str
    expression_keys: tuple[str, ...]
    texture: np.ndarray | None = None

    def only(self, i: int) -> FaceEstimate:
        """What was seen in the i-th crop, as a batch of one."""
        rows = {name: value[i : i + 1] for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        return replace(self, crop=self.crop[i : i + 1], **rows)


def together(estimates: Sequence[FaceEstimate]) -> FaceEstimate:
    """The batches of one estimator as one batch."""
    first = estimates[0]
    rows = {
        name: np.concatenate([getattr(estimate, name) for estimate in estimates])
        for name, value in vars(first).items()
        if isinstance(value, np.ndarray)
    }
    return replace(first, crop=[crop for estimate in estimates for crop in estimate.crop], **rows)


class FindsFaces(Protocol):
    """What searching for a face and following it needs: a look at one crop of each image. It is asked some twenty
    times for each face that is found, so it is quick."""

    def estimate(
        self, images: Sequence[np.ndarray], crops: Sequence[Crop], cameras: Sequence[Camera]
    ) -> FaceEstimate: ...


class SeesFaces(FindsFaces, Protocol):
    """What the tracking needs of an estimator, whichever it is.

    ``finding`` looks for the face, as often as need be; ``read`` then says once what the face that was found shows,
    and ``estimate`` is both at once. ``at_once``: how many faces are best read together. ``boxes``: where a face is
    known to be in its image, which an estimator may hold to exactly.
    """

    @property
    def basis(self) -> str: ...

    @property
    def expression_keys(self) -> tuple[str, ...]: ...

    @property
    def finding(self) -> FindsFaces: ...

    @property
    def at_once(self) -> int: ...

    def read(
        self,
        images: Sequence[np.ndarray],
        cameras: Sequence[Camera],
        seen: FaceEstimate,
        boxes: Sequence[Box | None] | None = None,
    ) -> FaceEstimate: ...


class SeesAtAGlance:
    """For an estimator whose every look says all that it has to say: it finds faces itself, and nothing is left to
    read."""

    at_once = 1

    @property
    def finding(self) -> Self:
        return self

    def read(
        self,
        images: Sequence[np.ndarray],
        cameras: Sequence[Camera],
        seen: FaceEstimate,
        boxes: Sequence[Box | None] | None = None,
    ) -> FaceEstimate:
        return seen


class Estimator(SeesAtAGlance):
    """A trained network ready to look at faces. Holds no state between calls."""

    basis = OPEN_BASIS
    expression_keys = OPEN_KEYS

    def __init__(self, network: Network, header: WeightsHeader, device: torch.device) -> None:
        self.header = header
        self.device = device
        self.size = header.input_size
        self._split = network.split
        self._precision = fast_precision(device)
        self._network = convolving_in(self._precision, ready_to_run(network, device))

    @staticmethod
    def load(source: str | Path = "open", device: str = "auto") -> Estimator:
        """The estimator in the box (``open``), in a folder, or in a safetensors file.

        ``device``: auto (cuda, mps or cpu, whichever there is), cpu, cuda, mps. Raises InputError.
        """
        path = _weights_path(source)
        header, tensors = load_weights(path)
        if header.architecture not in CONFIGS:
            raise InputError(f"{path}: architecture {header.architecture!r} is unknown; read are {', '.join(CONFIGS)}")
        if header.basis != OPEN_BASIS:
            raise InputError(f"{path}: expression basis {header.basis!r} is unknown; {OPEN_BASIS!r} is read")
        config = {**header.config, "size": header.input_size}
        network = loaded(path, header, tensors, lambda: build_network(header.architecture, config))
        return Estimator(network, header, torch_device(device))

    def estimate(self, images: Sequence[np.ndarray], crops: Sequence[Crop], cameras: Sequence[Camera]) -> FaceEstimate:
        """Look at one crop of each image, (H, W, 3) uint8 BGR; all crops are computed in one batch."""
        batch = np.stack([cut(image, crop, self.size) for image, crop in zip(images, crops, strict=True)])
        raw = self._run(batch)
        offset = np.clip(raw["crop"], -MAX_OFFSET, MAX_OFFSET)
        own, rotation, translation = [], np.empty((len(crops), 3, 3)), np.empty((len(crops), 3))
        for i, (crop, camera, local) in enumerate(zip(crops, cameras, raw["rotation"], strict=True)):
            lean = roll(local)
            dx, dy, log_scale = offset[i]
            own.append(crop.moved(dx, dy, log_scale, lean))
            rotation[i], translation[i] = pose_of_crop(roll_matrix(-lean) @ local, camera, own[i])
        return FaceEstimate(
            eta=raw["eta"],
            alpha=np.clip(raw["alpha"], -IDENTITY_LIMIT, IDENTITY_LIMIT),
            gaze=raw["gaze"],
            rotation=rotation,
            translation=translation,
            crop=own,
            confidence=1.0 / (1.0 + np.exp(-np.clip(raw["face"][:, 0], -30, 30))),
            eta_deviation=np.exp(0.5 * np.clip(raw["eta_log_variance"], -20, 10)),
            basis=self.basis,
            expression_keys=self.expression_keys,
        )

    def _run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """(B, size, size, 3) uint8 BGR to the network's outputs by name, float64; rotation as (B, 3, 3)."""
        with torch.inference_mode():
            pixels = torch.from_numpy(batch).to(self.device).permute(0, 3, 1, 2)  # channels last already
            raw = self._network(pixels.float().div_(127.5).sub_(1.0).to(self._precision))
            out = self._split(raw.cpu().double())
            out["rotation"] = rotation_matrix(out["rotation"])
            return {name: value.numpy() for name, value in out.items()}


def cut(image: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    """The crop as (size, size, 3) uint8, black outside the image, free of aliasing.

    A face larger than twice the crop's resolution is first shrunk by averaging whole blocks of pixels.
    """
    matrix = crop.matrix(size)
    shrink = int(crop.side / size)
    if shrink >= 2:
        image, matrix = _shrunk(image, crop, matrix, shrink)
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def _shrunk(image: np.ndarray, crop: Crop, matrix: np.ndarray, shrink: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of the image that the crop needs at 1/shrink, and the crop's matrix into it."""
    reach = crop.side * 0.5 * (abs(np.cos(crop.angle)) + abs(np.sin(crop.angle))) + shrink
    height, width = image.shape[:2]
    x0, y0 = (max(0, int(c - reach)) for c in (crop.cx, crop.cy))
    x1, y1 = min(width, int(crop.cx + reach) + 1), min(height, int(crop.cy + reach) + 1)
    across, down = (x1 - x0) // shrink, (y1 - y0) // shrink
    if across < 1 or down < 1:
        return image, matrix  # nothing, or next to nothing, of the crop lies in the image
    part = image[y0 : y0 + down * shrink, x0 : x0 + across * shrink]
    part = cv2.resize(part, (across, down), interpolation=cv2.INTER_AREA)
    # Centre of block b in whole pixels: (b + 0.5) * shrink - 0.5 from the part's corner.
    corner = np.array([x0, y0]) + (shrink - 1) / 2
    return part, np.column_stack([matrix[:, :2], matrix[:, 2] - corner]) / shrink


def ready_to_run(network: nn.Module, device: torch.device) -> nn.Module:
    network.eval().requires_grad_(False)
    _fold_batch_norms(network)
    return network.to(device=device, memory_format=torch.channels_last)


def fast_precision(device: torch.device) -> torch.dtype:
    """In which numbers to convolve: 16 bits where the device multiplies them faster than 32. The eta of our
    networks changes by 0.0005 on average then, by 0.03 at the most."""
    if device.type == "cuda":
        return torch.float16
    if device.type == "cpu" and _multiplies_bfloat16():
        return torch.bfloat16
    return torch.float32


def _multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for it; without them bfloat16 is slower than float32."""
    if hasattr(torch.cpu, "get_capabilities"):  # newer than what we ask for
        there = torch.cpu.get_capabilities()
        return bool(there.get("avx512_bf16") or there.get("amx_bf16"))
    ask = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(ask and ask())


def convolving_in(precision: torch.dtype, network: nn.Module) -> nn.Module:
    """The folded network with its convolutions in that precision, for input of the same. What lies between
    and after them our networks compute in float32."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(precision)
    return network


def _fold_batch_norms(module: nn.Module) -> None:
    """Put each batch norm into the convolution before it: in our networks it is registered right after it."""
    before = ""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, before, fuse_conv_bn_eval(getattr(module, before), child))
            setattr(module, name, nn.Identity())
        else:
            _fold_batch_norms(child)
        before = name


def torch_device(name: str) -> torch.device:
    """What ``name``, one of DEVICES, means here. Raises InputError for others and for what is not there."""
    if name not in DEVICES:
        raise InputError(f"device {name!r} is unknown: use one of {', '.join(DEVICES)}")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(k for k, found in there.items() if found)
    if not there[name]:
        raise InputError(f"device {name!r} is not there: use auto or cpu")
    return torch.device(name)


def _weights_path(source: str | Path) -> Path:
    if source == "open":
        if not OPEN_WEIGHTS.is_file():
            raise InputError(f"{OPEN_WEIGHTS}: the open weights are missing: install the extension again")
        return OPEN_WEIGHTS
    path = Path(source).expanduser()
    if path.is_dir():
        found = sorted(path.glob("*.safetensors"))
        if len(found) != 1:
            raise InputError(f"{path}: holds {len(found)} safetensors files; an estimator's folder holds one")
        return found[0]
    return path
