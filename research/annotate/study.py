"""How well clips are annotated, and how much ``animate --fit`` gains: synthetic clips with known truth.

``expnet research annotate-study --out FOLDER``. The people are others than those that the settings were tuned on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ...model.builtin import OPEN
from ...model.camera import ANCHOR
from ...model.face.alignment import similarity
from ...model.face.face_model import FaceModel
from ...model.face.semantics import OPEN_KEYS
from ...model.files import atomic_path, make_folder, write_whole
from ...model.fitting.refine import refined
from ...model.formats import open_face_model
from ...model.networks import engines
from ...model.networks.estimate import SeesFaces
from ...model.performance.accuracy import pearson
from ...model.performance.smoothing import smooth
from ...training.evaluation.identity import SurfaceError
from ...training.synthetic.surface import build_surface
from ..synthetic_clips import LENS_MM, ClipTruth, Floats, acted_clip, people, write_movie
from .detections import Detections, by_network
from .fit_track import fit_track
from .structure_from_motion import aligned, factorised
from .tracks import tracks_of

TURNS = {"turning head": 12.0, "still head": 1.5}  # degrees of yaw, standard deviation
NOISE = 1.0  # pixels of the landmarks
TUNED_ON = 6  # people
MOVES = 0.03  # least deviation of a key for which r is measured
SHOWN = ("jawOpen", "browInnerUp", "lid_L")


@dataclass(frozen=True)
class Errors:
    """A method's errors on one clip. NaN where the method has no such result.

    mse of eta, mean r of the keys that move, share of the motion, jitter (second difference relative to the truth's),
    degrees of the rotation, millimetres of the face's surface at rest, and of the 68 landmarks after a similarity.
    """

    mse: float = np.nan
    r: float = np.nan
    motion: float = np.nan
    jitter: float = np.nan
    degrees: float = np.nan
    surface_mm: float = np.nan
    points_mm: float = np.nan


HEADER = ("eta, MSE × 1000", "mean r", "motion", "jitter", "rotation, degrees", "identity, mm", "68 points, mm")


class Judge:
    """Compares with the truth of clips."""

    def __init__(self, model: FaceModel) -> None:
        self.model = model
        self._surface = SurfaceError(model)

    def __call__(self, truth: ClipTruth, eta: Floats, rotation: Floats, alpha: Floats) -> Errors:
        r = pearson(eta, truth.eta)[(truth.eta.std(0) > MOVES) & (eta.std(0) > 0)]
        assert self.model.landmarks is not None
        rest = self.model.vertices(alpha)[self.model.landmarks].astype(np.float64)
        return Errors(
            1e3 * float(np.square(eta - truth.eta).mean()),
            float(np.mean(r)),
            motion(eta, truth.eta),
            float(np.diff(eta, 2, axis=0).std() / np.diff(truth.eta, 2, axis=0).std()),
            degrees(rotation, truth.rotation),
            float(self._surface(alpha[None], truth.head).mean()),
            points_mm(rest, truth.head[self.model.landmarks]),
        )


def motion(eta: Floats, truth: Floats) -> float:
    """Return the slope of eta (F, Ke) on the truth: 1 where all of the motion is there."""
    moved, true = eta - eta.mean(0), truth - truth.mean(0)
    return float((moved * true).sum() / max((true * true).sum(), 1e-12))


def degrees(rotation: Floats, truth: Floats) -> float:
    """Return the mean angle between rotations (F, 3, 3)."""
    cosine = (np.trace(rotation @ truth.transpose(0, 2, 1), axis1=1, axis2=2) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())


def points_mm(points: Floats, truth: Floats) -> float:
    """Return the mean distance of points (P, 3) after the best similarity."""
    scale, rotation, shift = similarity(points, truth)
    return float(np.linalg.norm(scale * points @ rotation.T + shift - truth, axis=1).mean())


def study(out: Path, count: int, frames: int, seed: int) -> str:
    """Write the clips, study.md and curves.png into ``out`` and return the tables."""
    model = open_face_model(OPEN)
    surface = build_surface(model)
    estimator = engines.start(OPEN, "cpu").estimator
    judge = Judge(model)
    make_folder(out)
    lines = [f"{count} people, {frames} frames each, 256 pixels, seed {seed}."]
    speeds: list[float] = []
    for name, turn in TURNS.items():
        rows: dict[str, list[Errors]] = {}
        for i, person in enumerate(tqdm(people(surface, count, TUNED_ON), desc=name)):
            path = out / f"{name.split()[0]}_{i}.mp4"
            pictures, truth = acted_clip(surface, person, frames, turn, seed)
            if not path.is_file():
                write_movie(path, pictures, seed)
            for method, errors in _measured(
                path, truth, model, estimator, judge, speeds, out if not i else None
            ).items():
                rows.setdefault(method, []).append(errors)
        lines += ["", f"{name.capitalize()} (yaw ± {turn:g} degrees):", "", *table(rows)]
    lines += ["", f"{np.median(speeds):.0f} frames fitted a second, one thread."]
    text = "\n".join(lines)
    write_whole(out / "study.md", f"{text}\n".encode())
    return text


def table(rows: Mapping[str, Sequence[Errors]]) -> list[str]:
    """Return a Markdown table of the mean errors of each method."""
    lines = ["| method | " + " | ".join(HEADER) + " |", "| --- " + "| ---: " * len(HEADER) + "|"]
    for method, errors in rows.items():
        means = [float(np.mean([getattr(e, n) for e in errors])) for n in Errors.__dataclass_fields__]
        lines.append(f"| {method} | " + " | ".join("–" if np.isnan(v) else f"{v:.2f}" for v in means) + " |")
    return lines


def _measured(
    path: Path,
    truth: ClipTruth,
    model: FaceModel,
    estimator: SeesFaces,
    judge: Judge,
    speeds: list[float],
    plot: Path | None,
) -> dict[str, Errors]:
    nothing: Callable[[int], None] = lambda done: None  # noqa: E731
    found = by_network(path, estimator, LENS_MM, nothing)
    assert found.performance is not None
    assert found.looks is not None
    raw = found.performance
    began = time.process_time()
    better = refined(raw, found.looks, model)
    speeds.append(len(raw.times) / (time.process_time() - began))
    performances = {
        "network, frame by frame": raw,
        "network, smoothed": smooth(raw),
        "animate --fit": better,
        "animate --fit, smoothed": smooth(better),
    }
    errors = {name: judge(truth, p.eta, p.rotation, p.alpha) for name, p in performances.items()}
    track = fit_track(found, max(tracks_of(found.frame, found.box), key=len), model, truth.camera)
    at = track.frame
    seen = ClipTruth(truth.eta[at], truth.alpha, truth.rotation[at], truth.translation[at], truth.head, truth.camera)
    errors["annotate, network's points"] = judge(seen, track.eta, track.rotation, track.alpha)
    marks = _landmarks(truth, model)
    for name, orthographic in (("perspective", False), ("scaled orthographic", True)):
        fitted = fit_track(marks, np.arange(len(marks.frame)), model, truth.camera, orthographic)
        errors[f"annotate, 68 landmarks, {name}"] = judge(truth, fitted.eta, fitted.rotation, fitted.alpha)
    shape, rotation = factorised(marks.points)
    assert model.landmarks is not None
    shape, rotation = aligned(shape, rotation, truth.head[model.landmarks])
    errors["structure from motion, 68 landmarks"] = Errors(
        degrees=degrees(rotation, truth.rotation), points_mm=points_mm(shape, truth.head[model.landmarks])
    )
    if plot:
        _plot(plot / "curves.png", truth, {"network": raw.eta, "animate --fit": better.eta})
    return errors


def _landmarks(truth: ClipTruth, model: FaceModel) -> Detections:
    """Return the 68 landmarks of the true head with noise, as a detector gives them."""
    assert model.landmarks is not None
    moved = np.einsum("fk,kpc->fpc", truth.eta, model.expression[:, model.landmarks].astype(np.float64))
    placed = (truth.head[model.landmarks] + moved - ANCHOR) @ truth.rotation.transpose(0, 2, 1)
    placed += (truth.rotation @ ANCHOR + truth.translation)[:, None]
    scaled = truth.camera.focal * placed[..., :2] / -placed[..., 2:]
    points = np.stack([truth.camera.cx + scaled[..., 0], truth.camera.cy - scaled[..., 1]], -1)
    points += np.random.default_rng(0).normal(0, NOISE, points.shape)
    low, high = points.min(1), points.max(1)
    box = np.column_stack([(low + high) / 2, (high - low).max(1)])
    return Detections(np.arange(len(points)), box, points, (round(2 * truth.camera.cx) + 1,) * 2)


def _plot(path: Path, truth: ClipTruth, curves: Mapping[str, Floats]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    for axis, key in zip(figure.subplots(len(SHOWN), 1, sharex=True), SHOWN):
        at = OPEN_KEYS.index(key)
        axis.plot(truth.eta[:, at], color="black", linewidth=2, alpha=0.4, label="truth")
        for name, eta in curves.items():
            axis.plot(eta[:, at], linewidth=1, label=name)
        axis.set_ylabel(key)
        axis.grid(alpha=0.3)
    axis.set_xlabel("frame")
    figure.axes[0].legend(fontsize=7, loc="upper right")
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=100)
