"""What a clip gives to fine-tune with: the network's features in each view, and labels from the whole clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..array_types import BoolArray, FloatArray, IntArray, UInt8Array
from ..camera import Crop
from ..errors import InputError
from ..face.face_model import FaceModel
from ..face.semantics import mirror_open_eta
from ..fitting.looks import Looks
from ..fitting.refine import refined
from ..networks.torch_engine.glimpse import GlimpseNet
from ..networks.two_looks import LooksTwice
from ..performance.face_performance import FacePerformance
from ..sight.tracking import perform
from ..sight.video import open_clip
from .views import VIEWS, mirrored, views_of

BLOCK, CYCLE = 20, 5  # frames that stay together, and blocks of which one is held out and one chooses the step
TEST, VALIDATION = 4, 2  # of the cycle
MARGIN = 2  # frames beside a held-out block that are not trained on: they show nearly the same

Report = Callable[[int, int | None, str], None]


@dataclass(frozen=True, eq=False)
class Material:
    """F frames with a face.

    inputs   (F, VIEWS, N) float32 of the network's ``hidden`` layer
    before   (F, VIEWS, C) float32 outputs that ``closer_head`` corrects, without the correction
    label    (F, Ke) eta from the whole clip
    block    (F,) frames of one block follow each other
    train, validation, test  (F,) bool
    """

    inputs: FloatArray
    before: FloatArray
    label: FloatArray
    block: IntArray
    train: BoolArray
    validation: BoolArray
    test: BoolArray


def material_of(
    clip: Path,
    estimator: LooksTwice,
    network: GlimpseNet,
    model: FaceModel,
    most: int,
    lens_mm: float,
    seed: int,
    report: Report,
) -> Material:
    """Read a clip's first ``most`` frames with a face. Raises InputError for a clip without one."""
    with open_clip(clip) as frames:
        performance = perform(
            frames, estimator, lens_mm=lens_mm, on_frame=lambda done: report(done, frames.expected_frames, "watching")
        )
        pictures = frames.placement().pictures
    rows = np.flatnonzero(performance.seen)[:most]
    if not len(rows):
        raise InputError(f"{clip}: no face was found: leave this clip out")
    at = {int(pictures[row]): i for i, row in reversed(list(enumerate(rows)))}
    read = _Read(network, len(rows))
    rng = np.random.default_rng(seed)
    with open_clip(clip) as frames:
        for number, frame in enumerate(frames):
            if number in at:
                crop = Crop(*map(float, performance.crop[rows[at[number]]]))
                read.add(at[number], crop, views_of(frame.image, crop, estimator.size, rng))
                report(at[number], len(rows), "looking closer")
    there = rows[np.isfinite(read.looks.side)]
    label = _labels(performance, read, rows, estimator, model)
    kept = np.isin(rows, there)
    block = (rows - rows[0]) // BLOCK
    kind = block % CYCLE
    beside = np.zeros(len(rows), bool)
    for shift in range(-MARGIN, MARGIN + 1):
        beside |= np.isin((rows - rows[0] + shift) // BLOCK % CYCLE, (TEST, VALIDATION))
    return Material(
        read.inputs[kept],
        read.before[kept],
        label[kept],
        block[kept],
        (~beside)[kept],
        (kind == VALIDATION)[kept],
        (kind == TEST)[kept],
    )


def joined(parts: list[Material]) -> Material:
    """Join the material of several clips."""
    blocks, most = [], 0
    for part in parts:
        blocks.append(part.block + most)
        most = int(blocks[-1].max()) + CYCLE
    whole = {n: np.concatenate([getattr(p, n) for p in parts]) for n in Material.__dataclass_fields__ if n != "block"}
    return Material(block=np.concatenate(blocks), **whole)


class _Read:
    """The network's features of all views, filled in frame by frame."""

    def __init__(self, network: GlimpseNet, frames: int) -> None:
        self._network = network
        keys = network.config.expression
        wide = network.hidden.in_features
        corrected = network.closer_head.out_features
        self.inputs = np.full((frames, VIEWS, wide), np.nan, np.float32)
        self.before = np.full((frames, VIEWS, corrected), np.nan, np.float32)
        self.raw = np.full((frames, VIEWS, corrected), np.nan, np.float32)
        points = network.config.landmarks + network.eye_map.out_channels * 2 + network.mouth_map.out_channels
        self.looks = Looks(
            np.full((frames, points, 2), np.nan),
            np.full(frames, np.nan),
            np.full((frames, keys), np.nan),
            np.full((frames, keys), np.nan),
        )

    def add(self, row: int, crop: Crop, views: UInt8Array) -> None:
        network, keys = self._network, self._network.config.expression
        with torch.inference_mode():
            x = torch.from_numpy(views).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)
            seen = network.look(x)
            inputs = network.norm(torch.cat([seen.features, seen.closer], 1))
            correction = network.closer_head(torch.nn.functional.silu(network.hidden(inputs)))
            out = network.split(seen.raw)
            raw = torch.cat([out["eta"], out["gaze"], out["eta_log_variance"]], 1)
        self.inputs[row], self.raw[row] = inputs.numpy(), raw.numpy()
        self.before[row] = (raw - correction).numpy()
        unit = [out["landmarks"][0].reshape(-1, 2).numpy(), seen.points[0].numpy()]
        self.looks.points[row] = crop.to_image(np.concatenate(unit).astype(np.float64))
        self.looks.side[row] = crop.side
        self.looks.eta_deviation[row] = np.exp(0.5 * np.clip(raw[0, keys + 2 :].numpy(), -20, 10))


def _labels(
    performance: FacePerformance, read: _Read, rows: IntArray, estimator: LooksTwice, model: FaceModel
) -> FloatArray:
    """Return eta (F, Ke) from the mean of the plain view and its mirror image, refined over the whole clip.

    The other views are read with less motion, as they show less.
    """
    keys = len(estimator.expression_keys)
    shown = shown_eta(read.raw[..., :keys].astype(np.float64), estimator)
    mean = shown[:, :2].mean(1)
    looks = read.looks
    if estimator.responses is not None:
        slopes = estimator.responses.slopes(read.raw[:, 0, :keys].astype(np.float64))
        looks.eta_deviation[:] *= np.maximum(slopes, 1e-3)
    part = replace(
        performance,
        times=performance.times[rows],
        eta=mean,
        gaze=performance.gaze[rows],
        rotation=performance.rotation[rows],
        translation=performance.translation[rows],
        crop=performance.crop[rows],
        confidence=performance.confidence[rows],
    )
    label: FloatArray = refined(part, replace(looks, eta=mean), model).eta
    return label


def shown_eta(raw: FloatArray, estimator: LooksTwice) -> FloatArray:
    """Return the expression (F, VIEWS, Ke) that outputs ``raw`` show, as that of the face that is not mirrored."""
    shown = raw
    if estimator.responses is not None:
        shown = estimator.responses(raw.reshape(-1, raw.shape[-1])).reshape(raw.shape)
    views = [mirror_open_eta(shown[:, i]) if mirrored(i) else shown[:, i] for i in range(shown.shape[1])]
    return np.stack(views, 1)
