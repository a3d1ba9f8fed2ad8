"""Held-out synthetic faces: new identities, the engine's whole range of difficulty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ...model.array_types import BoolArray, FloatArray
from ...model.camera import SIDE_MM
from ...model.face.semantics import OPEN_KEYS
from ..dataset import Batch, ShardFolder
from .lips import shut_lips
from .measures import (
    EYE_POINTS,
    LID_REGIONS,
    MOUTH_POINTS,
    area_under_curve,
    correlations,
    gaze_error,
    rotation_error,
    seen_region_error,
)
from .section import Cell, Plot, Score, Section, Table
from .subject import NATURAL_DETAIL, Subject

R_BAR, LIPS_BAR, LIDS_BAR = 0.85, 1.2, 0.8
NATURAL_R_BAR, NATURAL_LIPS_BAR, HARD_R_BAR = 0.83, 1.9, 0.66
TRAINING_PICTURES = 3000
FEWEST = 30  # faces below which a correlation is not meaningful


def measure(subject: Subject, training: Path | None = None) -> Section:
    """Measure the network on held-out faces.

    ``training`` is a folder of shards of seed 0. With it the section compares held-out faces with training faces.
    """
    every = np.ones(len(subject.truth["eta"]), bool)
    clear = subject.conditions.clear
    face = subject.face.numpy()
    logit = subject.everything["face"][:, 0].numpy()
    crop = (subject.seen["crop"] - subject.truth["crop"]).abs()
    whole, easy = figures(subject, every), figures(subject, clear)
    natural = subject.conditions.natural
    everyday, hard = figures(subject, natural), figures(subject, ~natural)
    trained = (trained_r(subject, training),) if training else ()
    scores = (
        Score("correlation, mean of the keys", whole["r"], "higher", R_BAR),
        Score("correlation, worst key", float(_r(subject, every).min()), "higher"),
        Score("visible lips", whole["lips"], "lower", LIPS_BAR, "mm"),
        Score("visible lids", whole["lids"], "lower", LIDS_BAR, "mm"),
        Score("gaze", whole["gaze"], "lower", None, "degrees"),
        Score("head rotation", whole["rotation"], "lower", None, "degrees"),
        Score("visible landmarks", whole["points"], "lower", None, "mm"),
        Score("crop, shift", float(crop[:, :2].norm(dim=1).mean()), "lower", None, "sides"),
        Score("crop, log scale", float(crop[:, 2].mean()), "lower"),
        Score("face or not, area under the ROC curve", area_under_curve(logit, face), "higher"),
        Score("face or not, accuracy", float(((logit > 0) == face).mean()), "higher"),
        Score("natural pictures: correlation, mean of the keys", everyday["r"], "higher", NATURAL_R_BAR),
        Score("natural pictures: lips", everyday["lips"], "lower", NATURAL_LIPS_BAR, "mm"),
        Score("hard pictures: correlation, mean of the keys", hard["r"], "higher", HARD_R_BAR),
        Score("hard pictures: lips", hard["lips"], "lower", None, "mm"),
        *(Score("training pictures: correlation above that on new ones", r - whole["r"], "lower") for r in trained),
        Score("clear faces: correlation, mean of the keys", easy["r"], "higher"),
        Score("clear faces: lips", easy["lips"], "lower", None, "mm"),
        Score("clear faces: lids", easy["lids"], "lower", None, "mm"),
        Score("clear faces: gaze", easy["gaze"], "lower", None, "degrees"),
        Score("clear faces: head rotation", easy["rotation"], "lower", None, "degrees"),
        Score("clear faces: landmarks", easy["points"], "lower", None, "mm"),
    )
    r, r_clear = _r(subject, every), _r(subject, clear)
    return Section(
        "Held-out synthetic faces",
        f"{every.sum()} faces and {(~face).sum()} other pictures of seed 1, with people, looks and scenes that are "
        "not in the training pictures (seed 0). r is Pearson's correlation over all faces, per key, then averaged "
        "over the keys. All is read as in stills and footage: from the mean of the outputs for a picture and its "
        "mirror image, with the responses. Millimetres are the mean distance of a region's vertices between estimated "
        "and true expression on the same head, over the vertices whose nearest landmark is visible. Clear faces: yaw "
        "below 30 degrees, at least 64 real pixels across the crop, 90 % of the landmarks visible. Natural pictures "
        "look like those of a webcam, a phone or a film camera; the shards label them. Without that label: yaw below "
        f"30 degrees, at least {NATURAL_DETAIL} real pixels, 90 % visible. All others are hard.",
        scores,
        (
            *(_seen_and_new(r, whole["r"]) for r in trained),
            _where_lost(subject),
            *shut_lips(subject),
            _per_key(subject, r, r_clear, clear),
        ),
        (Plot("held_out_keys", "Correlation per key: all held-out faces, and the clear ones", _bars(r, r_clear)),),
    )


def groups(subject: Subject) -> dict[str, BoolArray]:
    """Named subsets of the held-out faces, (N,) bool each."""
    c = subject.conditions
    return {
        "all": np.ones(len(c.yaw), bool),
        "clear": c.clear,
        "natural": c.natural,
        "hard": ~c.natural,
        "yaw below 20 degrees": c.yaw < 20,
        "yaw of 20 to 45 degrees": (c.yaw >= 20) & (c.yaw < 45),
        "yaw of 45 degrees and more": c.yaw >= 45,
        "less than 32 pixels across": c.detail < 32,
        "32 to 64 pixels across": (c.detail >= 32) & (c.detail < 64),
        "64 pixels across and more": c.detail >= 64,
        "at least 90 % of the landmarks visible": c.share >= 0.9,
        "60 to 90 % of them visible": (c.share >= 0.6) & (c.share < 0.9),
        "less than 60 % of them visible": c.share < 0.6,
    }


def trained_r(subject: Subject, folder: Path) -> float:
    """Mean r on a sample of the training pictures, as the network sees them in training: half of them mirrored."""
    size = subject.held_out["image"].shape[1]
    batch = ShardFolder(folder, seed=0).random_batch(np.random.default_rng(0), TRAINING_PICTURES, size)
    face = batch["face"] > 0.5
    return float(correlations(subject.read(batch["image"][face])["eta"], batch["eta"][face]).mean())


def _seen_and_new(trained: float, new: float) -> Table:
    rows = ((f"{TRAINING_PICTURES} training pictures", trained), ("new pictures", new))
    return Table(("", "mean r"), rows, "Training pictures and new pictures")


def _r(subject: Subject, rows: BoolArray) -> FloatArray:
    if rows.sum() < FEWEST:
        return np.full(len(OPEN_KEYS), np.nan)
    return correlations(subject.seen["eta"][rows], subject.truth["eta"][rows])


def figures(subject: Subject, rows: BoolArray) -> dict[str, float]:
    """Mean r, lips and lids (mm in sight), gaze and rotation (degrees) over some of the held-out faces."""
    seen, truth = ({k: v[rows] for k, v in part.items()} for part in (subject.seen, subject.truth))
    if not rows.any():
        return dict.fromkeys(("r", "lips", "lids", "gaze", "rotation", "points"), float("nan"))
    return {
        "r": float(_r(subject, rows).mean()),
        **_millimetres(subject, (seen["eta"] - truth["eta"]).numpy(), rows),
        "gaze": float(np.degrees(gaze_error(seen["gaze"], truth["gaze"])).mean()),
        "rotation": float(np.degrees(rotation_error(seen["rotation"], truth["rotation"])).mean()),
        "points": _off(seen, truth, subject.conditions.visible[rows]),
    }


def _off(seen: Batch, truth: Batch, visible: BoolArray) -> float:
    """Distance of visible landmarks from the truth, mm in the picture's plane: the face's own crop is 200 mm wide."""
    unit = SIDE_MM / truth["crop"][:, 2:].exp().numpy()  # mm to the given crop's side
    points = seen["landmarks"].view(truth["landmarks"].shape) - truth["landmarks"]
    return float(np.average(points.norm(dim=2).numpy() * unit, weights=visible + 1e-9))


def _millimetres(subject: Subject, error: FloatArray, rows: BoolArray) -> dict[str, float]:
    visible = subject.conditions.visible[rows]
    return {
        "lips": seen_region_error(subject.model, ("lips",), MOUTH_POINTS, error, visible),
        "lids": seen_region_error(subject.model, LID_REGIONS, EYE_POINTS, error, visible),
    }


def _where_lost(subject: Subject) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, members in groups(subject).items():
        f = figures(subject, members)
        rows.append((name, int(members.sum()), f["r"], f["lips"], f["lids"], f["gaze"], f["rotation"], f["points"]))
    every = np.ones(len(subject.truth["eta"]), bool)
    mm = _millimetres(subject, subject.truth["eta"].numpy(), every)
    rows.append(("all, if every face were read as resting", len(every), "-", mm["lips"], mm["lids"], "-", "-", "-"))
    columns = ("", "faces", "mean r", "lips mm", "lids mm", "gaze °", "rotation °", "landmarks mm")
    return Table(columns, tuple(rows), "By kind of picture")


def _per_key(subject: Subject, r: FloatArray, r_clear: FloatArray, clear: BoolArray) -> Table:
    error = (subject.seen["eta"] - subject.truth["eta"]).abs().numpy()
    travel = subject.truth["eta"].numpy().std(0)
    easy = error[clear].mean(0) if clear.any() else np.full(len(r), np.nan)
    rows = zip(OPEN_KEYS, *(a.astype(float).tolist() for a in (r, error.mean(0), travel, r_clear, easy)))
    columns = ("key", "r", "mean abs error", "SD of the truth", "r, clear", "mean abs error, clear")
    return Table(columns, tuple(rows), "Per key")


def _bars(r: FloatArray, r_clear: FloatArray) -> Callable[[Figure], None]:
    def draw(figure: Figure) -> None:
        axis = figure.add_subplot()
        order = np.argsort(-r)
        at = np.arange(len(order))
        axis.bar(at - 0.2, r[order], 0.4, label=f"all faces, mean {r.mean():.2f}")
        axis.bar(at + 0.2, np.nan_to_num(r_clear[order]), 0.4, label=f"clear faces, mean {r_clear.mean():.2f}")
        axis.axhline(R_BAR, color="k", linewidth=0.8, linestyle="--", label=f"target of the mean, {R_BAR}")
        axis.set_xticks(at, [OPEN_KEYS[i] for i in order], rotation=70, ha="right", fontsize=7)
        axis.set_ylim(0, 1)
        axis.set_ylabel("r")
        axis.legend(fontsize=8)

    return draw
