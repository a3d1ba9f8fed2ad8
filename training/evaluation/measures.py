"""A network's readings of pictures, and their distance from the truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...model.array_types import BoolArray, FloatArray, IntArray
from ...model.camera import Crop
from ...model.face.face_model import FaceModel
from ...model.networks.architectures import LANDMARK_ROWS
from ...model.networks.cutting import cut
from ...model.networks.mirror_image import mean_of_both
from ...model.networks.torch_engine.by_name import Network, build_network
from ...model.networks.torch_engine.compact import rotation_matrix
from ...model.networks.torch_engine.glimpse import GlimpseNet
from ...model.networks.weights.weights_file import load_weights
from ...model.performance.accuracy import pearson
from ..dataset import Batch, as_input

LID_REGIONS = ("lid_upper_L", "lid_lower_L", "lid_upper_R", "lid_lower_R")
EYE_POINTS, MOUTH_POINTS = range(36, 48), range(48, 68)  # iBUG's


def load_network(path: Path) -> Network:
    header, tensors = load_weights(path)
    network = build_network(header.architecture, header.config)
    network.load_state_dict({k: torch.as_tensor(v) for k, v in tensors.items()})
    ready: Network = network.eval()
    return ready


def predict(network: Network, images: Tensor, size: int = 256) -> dict[str, Tensor]:
    """All outputs for (N, S, S, 3) uint8 pictures, in evaluation mode, float32 on the CPU; ``size`` at a time.

    Those of a GlimpseNet have its ``points``, too, (N, 2 POINTS).
    """
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        inputs = (as_input(fitted(part, network.config.size).to(device)) for part in images.split(size))
        parts = [_outputs(network, x) for x in inputs]
    network.train(was_training)
    return {name: torch.cat([part[name] for part in parts]).float().cpu() for name in parts[0]}


def predict_with_mirror_images(network: Network, images: Tensor, size: int = 256) -> dict[str, Tensor]:
    """Do the same as stills and footage are read: means of the outputs for the pictures and their mirror images."""
    own, mirrored = (
        {name: value.numpy() for name, value in predict(network, each, size).items()}
        for each in (images, images.flip(2))
    )
    return {name: torch.from_numpy(value) for name, value in mean_of_both(own, mirrored).items()}


def _outputs(network: Network, x: Tensor) -> dict[str, Tensor]:
    if isinstance(network, GlimpseNet):
        seen = network.look(x)
        return {**network.split(seen.raw), "points": seen.points.flatten(1)}
    return network.split(network(x))


def fitted(images: Tensor, size: int) -> Tensor:
    """Return (N, S, S, 3) uint8 pictures as the estimator would cut them for a network of ``size`` pixels."""
    given = images.shape[1]
    if given == size:
        return images
    whole = Crop((given - 1) / 2, (given - 1) / 2, given)
    return torch.from_numpy(np.stack([cut(image, whole, size) for image in images.numpy()]))


def correlations(predicted: Tensor, truth: Tensor) -> FloatArray:
    """Compute Pearson's r per column, (K,), of (N, K) tensors; 0 where nothing varies."""
    return pearson(predicted.numpy(), truth.numpy())


def summary(network: Network, held_out: Batch, factor: Tensor) -> dict[str, float]:
    """Return a row of numbers for the training log."""
    out = predict(network, held_out["image"])
    face = held_out["face"] > 0.5
    seen = {k: v[face] for k, v in out.items()}
    truth = {k: v[face] for k, v in held_out.items() if k != "image"}
    r = correlations(seen["eta"], truth["eta"])
    right = (out["face"][:, 0] > 0) == face
    return {
        "r": float(r.mean()),
        "r_worst": float(r.min()),
        "weighted_mm": float(((seen["eta"] - truth["eta"]) @ factor.cpu().T).norm(dim=1).mean()),
        "r_gaze": float(correlations(seen["gaze"], truth["gaze"]).mean()),
        "rotation_degrees": float(np.degrees(rotation_error(seen["rotation"], truth["rotation"])).mean()),
        "crop_shift": float((seen["crop"] - truth["crop"])[:, :2].norm(dim=1).mean()),
        "crop_scale": float((seen["crop"] - truth["crop"])[:, 2].abs().mean()),
        "face_accuracy": float(right.float().mean()),
    }


def rotation_error(predicted: Tensor, truth: Tensor) -> FloatArray:
    """Angle in radians between rotations given by six numbers each."""
    a, b = rotation_matrix(predicted.float()), rotation_matrix(truth.float())
    trace = (a * b).sum((1, 2))
    angles: FloatArray = torch.arccos(((trace - 1) / 2).clamp(-1, 1)).numpy()
    return angles


def gaze_error(predicted: Tensor, truth: Tensor) -> FloatArray:
    """Angle in radians between two ways of looking, (N, 2) yaw and pitch each."""

    def direction(gaze: Tensor) -> Tensor:
        yaw, pitch = gaze.double().T
        return torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], 1)

    angles: FloatArray = torch.arccos((direction(predicted) * direction(truth)).sum(1).clamp(-1, 1)).numpy()
    return angles


def area_under_curve(score: FloatArray, positive: BoolArray) -> float:
    """ROC-AUC: the probability that a positive scores higher than a negative; NaN without one of them."""
    values, place = np.unique(score, return_inverse=True)
    count = np.bincount(place, minlength=len(values))
    rank = (np.cumsum(count) - (count - 1) / 2)[place]  # from 1, ties share the mean of theirs
    n, m = int(positive.sum()), int((~positive).sum())
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * m)) if n and m else float("nan")


def region_error(model: FaceModel, regions: tuple[str, ...], error: FloatArray) -> float:
    """Mean distance in mm of the regions' vertices for errors of eta (N, 29)."""
    rows = np.unique(np.concatenate([model.regions[r] for r in regions]))
    return float(np.concatenate([d.mean(1) for d in _distances(model, rows, error)]).mean())


def seen_region_error(
    model: FaceModel, regions: tuple[str, ...], points: Sequence[int], error: FloatArray, visible: BoolArray
) -> float:
    """Do the same over the visible vertices: those whose nearest landmark among ``points`` is ``visible`` (N, 70)."""
    assert model.landmarks is not None
    rows = np.unique(np.concatenate([model.regions[r] for r in regions]))
    at = model.neutral[model.landmarks[[LANDMARK_ROWS[k] for k in points]]]
    nearest = np.asarray(points)[np.linalg.norm(model.neutral[rows, None] - at, axis=2).argmin(1)]
    seen = visible[:, nearest] > 0.5
    total = sum(
        float((d * seen[i : i + len(d)]).sum())
        for i, d in zip(range(0, len(error), PART), _distances(model, rows, error), strict=True)
    )
    return total / seen.sum() if seen.any() else float("nan")


PART = 256  # pictures at a time


def _distances(model: FaceModel, rows: IntArray, error: FloatArray) -> Iterator[FloatArray]:
    """(PART, rows) mm at a time."""
    basis = model.expression[:, rows].reshape(len(model.expression), -1)
    for i in range(0, len(error), PART):
        yield np.linalg.norm((error[i : i + PART] @ basis).reshape(-1, len(rows), 3), axis=2)
