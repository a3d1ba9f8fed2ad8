"""What a clip gives to fine-tune with: the network's features in each view, and labels from the whole clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..array_types import BoolArray, FloatArray, IntArray, UInt8Array
from ..camera import ANCHOR, Camera, Crop
from ..errors import InputError
from ..face.face_model import FaceModel
from ..face.semantics import mirror_open_eta
from ..fitting.looks import Looks
from ..fitting.refine import observed_by_network, refined
from ..fitting.whole_clip import Frames
from ..networks.cutting import cut
from ..networks.torch_engine.glimpse import GlimpseNet
from ..networks.two_looks import LooksTwice
from ..performance.face_performance import FacePerformance
from ..sight.tracking import perform
from ..sight.video import open_clip
from .comparison import AROUND, TILE, shown_rows
from .reprojection import Located
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
    alpha    (F, Ks) and rotation (F, 3, 3) of the heads that were fitted over the whole clip
    number   (F,) frame of the clip, from 1
    located  the points of each clip's ``test`` frames
    pictures of the first ``test`` frames, for the video: (TILE, TILE, 3) uint8 BGR;  fps of their clip
    """

    inputs: FloatArray
    before: FloatArray
    label: FloatArray
    block: IntArray
    train: BoolArray
    validation: BoolArray
    test: BoolArray
    alpha: FloatArray
    rotation: FloatArray
    number: IntArray
    located: tuple[Located, ...]
    pictures: tuple[UInt8Array, ...]
    fps: float


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
    block = (rows - rows[0]) // BLOCK
    kind = block % CYCLE
    shown = set(shown_rows(kind == TEST).tolist())
    tiles: dict[int, UInt8Array] = {}
    with open_clip(clip) as frames:
        for number, frame in enumerate(frames):
            if number in at:
                crop = Crop(*map(float, performance.crop[rows[at[number]]]))
                read.add(at[number], crop, views_of(frame.image, crop, estimator.size, rng))
                if at[number] in shown:
                    tiles[at[number]] = cut(frame.image, Crop(crop.cx, crop.cy, crop.side * AROUND), TILE)
                report(at[number], len(rows), "looking closer")
    fitted = _labels(performance, read, rows, estimator, model)
    kept = np.isfinite(read.looks.side)
    test = np.flatnonzero((kind == TEST) & kept)
    beside = np.zeros(len(rows), bool)
    for shift in range(-MARGIN, MARGIN + 1):
        beside |= np.isin((rows - rows[0] + shift) // BLOCK % CYCLE, (TEST, VALIDATION))
    return Material(
        read.inputs[kept],
        read.before[kept],
        fitted.eta[kept],
        block[kept],
        (~beside)[kept],
        (kind == VALIDATION)[kept],
        (kind == TEST)[kept],
        np.tile(fitted.alpha, (int(kept.sum()), 1)),
        fitted.rotation[kept],
        np.rint(performance.frames[rows][kept]).astype(np.int64) + 1,
        (_located(fitted, read.looks, test, model),) if len(test) else (),
        tuple(tiles[i] for i in test if i in tiles),
        performance.fps,
    )


def joined(parts: list[Material]) -> Material:
    """Join the material of several clips."""
    blocks, most = [], 0
    for part in parts:
        blocks.append(part.block + most)
        most = int(blocks[-1].max()) + CYCLE
    pictured = next((part for part in parts if part.pictures), parts[0])
    apart = ("block", "located", "pictures", "fps")
    names = [n for n in Material.__dataclass_fields__ if n not in apart]
    whole = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
    return Material(
        block=np.concatenate(blocks),
        located=sum((part.located for part in parts), ()),
        pictures=pictured.pictures,
        fps=pictured.fps,
        **whole,
    )


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
        network = self._network
        with torch.inference_mode():
            x = torch.from_numpy(views).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)
            seen = network.look(x)
            inputs = network.norm(torch.cat([seen.features, seen.closer], 1))
            correction = network.closer_head(torch.nn.functional.silu(network.hidden(inputs)))
            out = network.split(seen.raw)
            raw = torch.cat([out[name] for name in network.corrected], 1)
        self.inputs[row], self.raw[row] = inputs.numpy(), raw.numpy()
        self.before[row] = (raw - correction).numpy()
        unit = [out["landmarks"][0].reshape(-1, 2).numpy(), seen.points[0].numpy()]
        self.looks.points[row] = crop.to_image(np.concatenate(unit).astype(np.float64))
        self.looks.side[row] = crop.side
        self.looks.eta_deviation[row] = np.exp(0.5 * np.clip(out["eta_log_variance"][0].numpy(), -20, 10))


def _labels(
    performance: FacePerformance, read: _Read, rows: IntArray, estimator: LooksTwice, model: FaceModel
) -> FacePerformance:
    """Return the performance of the frames ``rows`` (F,), with eta of the plain view and its mirror image.

    Their mean is refined over the whole clip. The other views are read with less motion, as they show less.
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
    return refined(part, replace(looks, eta=mean), model)


def _located(fitted: FacePerformance, looks: Looks, rows: NDArray[np.int64], model: FaceModel) -> Located:
    """Return the points of some frames, and the heads that were fitted to the whole clip."""
    basis, observed = observed_by_network(model, looks, rows)
    rotation = fitted.rotation[rows]
    heads = Frames(
        fitted.alpha.astype(np.float64), fitted.eta[rows], rotation, rotation @ ANCHOR + fitted.translation[rows]
    )
    return Located(basis, observed, Camera.for_image(*fitted.image_size, fitted.lens_mm), heads, looks.side[rows])


def shown_eta(raw: FloatArray, estimator: LooksTwice) -> FloatArray:
    """Return the expression (F, VIEWS, Ke) that outputs ``raw`` show, as that of the face that is not mirrored."""
    shown = raw
    if estimator.responses is not None:
        shown = estimator.responses(raw.reshape(-1, raw.shape[-1])).reshape(raw.shape)
    views = [mirror_open_eta(shown[:, i]) if mirrored(i) else shown[:, i] for i in range(shown.shape[1])]
    return np.stack(views, 1)
