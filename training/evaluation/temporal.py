"""Temporal behaviour with known truth: jitter of a still face, and the effect of smoothing on blinks and speech."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from ...model.array_types import FloatArray, UInt8Array
from ...model.errors import InputError
from ...model.face.face_model import FaceModel
from ...model.face.semantics import OPEN_KEYS
from ...model.fitting.looks import look_again
from ...model.fitting.refine import refined
from ...model.networks.torch_engine.estimator import Estimator
from ...model.performance.smoothing import smooth
from ...model.sight.tracking import perform
from ...model.sight.video import open_clip
from ..synthetic.expressions import VISEMES
from ..synthetic.surface import build_surface
from .film import FACE, FPS, NOISE, Coding, Person, cast, film, write_clip
from .section import Cell, Score, Section, Table
from .subject import Subject

CODINGS = (
    Coding("H.264, 0.3 bits a pixel", bits=0.3),
    Coding("H.264, 0.1 bits a pixel", bits=0.1),
    Coding("H.264, 0.04 bits a pixel", bits=0.04),
    Coding("JPEG, quality 50", quality=50),
)
ACTED = CODINGS[1]
PEOPLE = 20
STILL, ACTING = 30, 60  # frames
BLINKS = ((9, 3), (24, 4), (41, 5))  # middle and length in frames
SOUND = 4  # frames from one mouth shape to the next: seven or eight a second, as people speak
LOUD = 0.7  # of the engine's strongest mouth shape of a sound
SEEN = 0.2  # how deep a blink must be in the raw curve, and
MOVES = 0.05  # smallest motion of a key (its standard deviation) for which the effect of smoothing is measured
REACH = 4  # frames: the longest lag searched
JITTER_BAR, DEPTH_BAR, LAG_BAR = 0.01, 0.9, 0.5
OVERSHOOT_BAR = 0.01
DEFAULT = float(inspect.signature(smooth).parameters["strength"].default)
STRENGTHS = (0, 0.25, DEFAULT, 1, 2)
FAST = ("lids", "mouth and jaw")  # keys with a measurable lag; brows move too slowly
KEYS = tuple(range(len(OPEN_KEYS)))
PARTS = {
    name: tuple(i for i, key in enumerate(OPEN_KEYS) if key.startswith(starts))
    for name, starts in (("lids", ("lid_",)), ("brows", ("brow",)), ("mouth and jaw", ("mouth", "jaw")))
}


@dataclass(frozen=True, eq=False)
class Shot:
    """A clip: ``movie`` is an .mp4's content; ``eta`` (F, 29) its true expressions; ``box`` surrounds the face."""

    coding: Coding
    eta: FloatArray
    box: tuple[float, float, float, float]
    movie: bytes


@dataclass(frozen=True, eq=False)
class Curves:
    """The true motion in a shot, (F, 29), and its readings by the strength of the smoothing (0: raw).

    ``fitted`` (F, 29) is the reading that Fit to Whole Clip refined, smoothed with the default strength; None if the
    shot was not fitted.
    """

    coding: Coding
    truth: FloatArray
    eta: Mapping[float, FloatArray]
    fitted: FloatArray | None = None


def measure(subject: Subject) -> Section:
    still, acted = shots(subject.model, PEOPLE)
    still_curves = list(watch(still, subject.estimator))
    curves = list(watch(acted, subject.estimator, subject.model if subject.estimator.person else None))
    if not still_curves or not curves:
        raise InputError(f"{subject.weights}: none of the synthetic people was seen: train longer first")
    kept = depths(curves, DEFAULT)
    scores = (
        Score("clips in which the face was lost", float(len(still + acted) - len(still_curves + curves)), "lower", 0),
        Score("still face: jitter, raw", jitter(still_curves, 0), "lower", JITTER_BAR),
        Score("still face: jitter, smoothed", jitter(still_curves, DEFAULT), "lower", JITTER_BAR),
        Score("blinks: depth that smoothing leaves, mean", _mean(kept), "higher", DEPTH_BAR),
        Score("blinks: depth that smoothing leaves, least", _least(kept), "higher"),
        Score("lids: lag, smoothed", abs(lag(curves, "lids", DEFAULT)), "lower", LAG_BAR, "frames"),
        Score("mouth and jaw: lag, smoothed", abs(lag(curves, "mouth and jaw", DEFAULT)), "lower", LAG_BAR, "frames"),
        Score("acting: brows, distance from the truth", distance(curves, "brows", DEFAULT), "lower"),
        Score("overshoot of smoothing", max(overshoot(c, DEFAULT) for c in curves), "lower", OVERSHOOT_BAR),
    )
    lengths = ", ".join(str(length) for _, length in BLINKS)
    return Section(
        "Behaviour over time",
        f"{PEOPLE} synthetic people with nothing before their faces, {FACE} pixels across the crop, {FPS} frames/s, "
        f"fresh noise of {NOISE:.0f} grey levels in every frame, coded as footage is, and read all the way from the "
        f"movie to curves, raw and smoothed as an artist gets them (strength {DEFAULT}). Still: {STILL} times the "
        "same picture; jitter is the standard deviation of the change from frame to frame, in units of the keys, mean "
        f"of all keys. Acting: {ACTING} frames of talk at {FPS / SOUND:.1f} sounds a second, brows that rise, and "
        f"blinks of {lengths} frames, in {ACTED.name}. Depth that smoothing leaves: of the blinks that the raw curve "
        f"shows, at least {SEEN} deep. Lag: where the correlation with the truth is largest. Overshoot: how far a "
        "smoothed curve leaves the range of the raw one nearby. Fitted: refined over the whole clip (--fit), then "
        "smoothed.",
        scores,
        (_still_table(still_curves), _acting_table(curves), _strength_table(still_curves, curves)),
    )


@cache
def shots(model: FaceModel, people: int) -> tuple[list[Shot], list[Shot]]:
    """Return the clips: still faces in every coding, and people who talk and blink."""
    surface, rng = build_surface(model), np.random.default_rng(0)
    still, acted = [], []
    for person in cast(surface, people):
        ahead = np.zeros((ACTING, 2), np.float32)
        rest = resting(rng)[None]
        pictures = film(person, surface, rest, ahead[:1]) * STILL
        still += [_shot(person, np.repeat(rest, STILL, 0), pictures, coding, rng) for coding in CODINGS]
        eta = script(rng)
        acted.append(_shot(person, eta, film(person, surface, eta, ahead), ACTED, rng))
    return still, acted


def _shot(
    person: Person, eta: FloatArray, pictures: Sequence[UInt8Array], coding: Coding, rng: np.random.Generator
) -> Shot:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shot.mp4"
        write_clip(path, pictures, coding, rng)
        movie = path.read_bytes()
    own = person.pose.own
    return Shot(coding, eta, (own.cx - own.side * 0.4, own.cy - own.side * 0.4, own.side * 0.8, own.side * 0.8), movie)


def resting(rng: np.random.Generator) -> FloatArray:
    """Return a face with a slight expression, (29,)."""
    eta = np.zeros(len(OPEN_KEYS), np.float32)
    for key, most in (("mouthSmile_L", 0.5), ("jawOpen", 0.3), ("browInnerUp", 0.4)):
        eta[OPEN_KEYS.index(key)] = rng.uniform(0, most)
    eta[OPEN_KEYS.index("mouthSmile_R")] = eta[OPEN_KEYS.index("mouthSmile_L")]
    return eta


def script(rng: np.random.Generator) -> FloatArray:
    """Talk, brows that rise and fall once, and blinks, (ACTING, 29)."""
    frame = np.arange(ACTING)
    shapes = np.array([_shape(r) for r in rng.permutation(np.resize(np.arange(len(VISEMES) + 1), ACTING // SOUND + 2))])
    before, way = np.divmod(frame / SOUND, 1)
    share = (0.5 - 0.5 * np.cos(np.pi * way))[:, None]
    eta = (1 - share) * shapes[before.astype(int)] + share * shapes[before.astype(int) + 1]
    brows = 0.8 * np.sin(np.pi * np.clip((frame - rng.integers(15)) / 40, 0, 1)) ** 2
    lids = np.zeros(ACTING)
    for middle, length in BLINKS:
        way = (frame - middle - rng.uniform(-0.5, 0.5)) / ((length + 1) / 2)
        lids = np.maximum(lids, np.where(np.abs(way) < 1, np.cos(0.5 * np.pi * way) ** 2, 0))
    for keys, curve in ((("browInnerUp", "browOuterUp_L", "browOuterUp_R"), brows), (("lid_L", "lid_R"), lids)):
        eta[:, [OPEN_KEYS.index(k) for k in keys]] = curve[:, None]
    return np.asarray(eta, np.float32)


def _shape(sound: int) -> FloatArray:
    """Return the mouth of a sound, (29,); the last is the resting one."""
    eta = np.zeros(len(OPEN_KEYS))
    for key, (_, most) in (VISEMES[sound] if sound < len(VISEMES) else {}).items():
        if key in OPEN_KEYS:
            eta[OPEN_KEYS.index(key)] = LOUD * most
    return eta


def watch(part: Sequence[Shot], estimator: Estimator, fitted_to: FaceModel | None = None) -> Iterator[Curves]:
    """Yield the curves of the shots in which no face was lost; with ``fitted_to``, fitted over each shot as well."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shot.mp4"
        for shot in part:
            path.write_bytes(shot.movie)
            with open_clip(path) as clip:
                raw = perform(clip, estimator, box=shot.box)
                pictures = clip.placement().pictures
            if not raw.seen.all():
                continue
            fitted = None
            if fitted_to is not None:
                with open_clip(path) as clip:
                    looks = look_again(clip, raw, pictures, estimator)
                fitted = smooth(refined(raw, looks, fitted_to), DEFAULT).eta
            yield Curves(shot.coding, shot.eta, {s: smooth(raw, s).eta for s in STRENGTHS}, fitted)


# --- figures --------------------------------------------------------------------------------------------------------


def jitter(still_curves: Sequence[Curves], strength: float, part: Sequence[int] = KEYS) -> float:
    """Compute the standard deviation of the change from frame to frame, mean over clips and the keys of a ``part``."""
    return _mean(np.diff(c.eta[strength][:, part], axis=0).std(0).mean() for c in still_curves)


def depths(curves: Sequence[Curves], strength: float) -> list[float]:
    """Return the share of its depth that each blink keeps, of those that the raw curve shows."""
    kept = []
    for c in curves:
        raw, eta = c.eta[0], c.eta[strength]
        for key in PARTS["lids"]:
            rest = np.median(raw[:, key])
            for middle, length in BLINKS:
                near = slice(middle - length, middle + length + 1)
                depth = raw[near, key].max() - rest
                if depth >= SEEN:
                    kept.append(float((eta[near, key].max() - rest) / depth))
    return kept


def lag(curves: Sequence[Curves], part: str, strength: float) -> float:
    """Return the delay of the curves against the truth in frames (+: late), mean over clips and the keys that move."""
    return _mean(_late(c.truth[:, k], c.eta[strength][:, k]) for c, k in _moving(curves, part))


def _late(truth: FloatArray, eta: FloatArray) -> float:
    """Return the lag of the largest cross-correlation, refined by the parabola through the best and its neighbours."""
    middle = slice(REACH, len(truth) - REACH)
    shifted = [eta[REACH + s : len(eta) - REACH + s] for s in range(-REACH, REACH + 1)]
    r = np.array([_r(truth[middle], part) for part in shifted])
    best = int(np.clip(r.argmax(), 1, len(r) - 2))
    left, top, right = r[best - 1 : best + 2]
    bend = left - 2 * top + right
    return best - REACH + (float(np.clip(0.5 * (left - right) / bend, -1, 1)) if bend < 0 else 0.0)


def overshoot(c: Curves, strength: float) -> float:
    """Return how far a smoothed curve leaves the range of the raw one within REACH frames."""
    raw, eta = c.eta[0], c.eta[strength]
    padded = np.pad(raw, ((REACH, REACH), (0, 0)), mode="edge")
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * REACH + 1, axis=0)
    return float(max((eta - near.max(2)).max(), (near.min(2) - eta).max(), 0))


def left(curves: Sequence[Curves], part: str, strength: float) -> float:
    """Return the kept share of motion: the slope of the smoothed curves on the raw ones, mean of keys that move."""
    slopes = []
    for c, k in _moving(curves, part):
        raw = c.eta[0][:, k] - c.eta[0][:, k].mean()
        slopes.append(float(raw @ c.eta[strength][:, k] / max(raw @ raw, 1e-9)))
    return _mean(slopes)


def agreement(curves: Sequence[Curves], part: str, strength: float) -> float:
    """Correlation with the truth, mean of the keys that move."""
    return _mean(_r(c.truth[:, k], c.eta[strength][:, k]) for c, k in _moving(curves, part))


def distance(curves: Sequence[Curves], part: str, strength: float) -> float:
    """Mean distance from the truth over all keys and frames."""
    keys = list(PARTS[part])
    return float(np.mean([np.abs(c.truth[:, keys] - c.eta[strength][:, keys]).mean() for c in curves]))


def _moving(curves: Sequence[Curves], part: str) -> Iterator[tuple[Curves, int]]:
    for c in curves:
        for k in PARTS[part]:
            if c.truth[:, k].std() > MOVES:
                yield c, k


def _r(a: FloatArray, b: FloatArray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / max(float(np.sqrt((a @ a) * (b @ b))), 1e-9))


def _mean(values: Iterable[float]) -> float:
    there = list(values)
    return float(np.mean(there)) if there else float("nan")


def _least(values: Sequence[float]) -> float:
    return min(values, default=float("nan"))


# --- tables ---------------------------------------------------------------------------------------------------------


def _still_table(still_curves: Sequence[Curves]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for coding in CODINGS:
        of = [c for c in still_curves if c.coding == coding]
        if of:
            cells = [f"{jitter(of, 0, p):.3f} → {jitter(of, DEFAULT, p):.3f}" for p in (KEYS, *PARTS.values())]
            each = np.mean([np.diff(c.eta[0], axis=0).std(0) for c in of], 0)
            rows.append((coding.name, *cells, f"{OPEN_KEYS[each.argmax()]} {each.max():.3f}"))
    columns = ("", "all keys", *PARTS, "worst key, raw")
    return Table(columns, tuple(rows), "Jitter of a still face, raw → smoothed")


def _acting_table(curves: Sequence[Curves]) -> Table:
    fits = [replace(c, eta={DEFAULT: c.fitted}) for c in curves if c.fitted is not None]
    rows: list[tuple[Cell, ...]] = []
    for part in PARTS:
        cells: list[Cell] = [agreement(curves, part, s) for s in (0, DEFAULT)]
        cells += [distance(curves, part, s) for s in (0, DEFAULT)]
        cells += [lag(curves, part, s) if part in FAST else "-" for s in (0, DEFAULT)]
        cells.append(left(curves, part, DEFAULT))
        cells += [f(fits, part, DEFAULT) if fits else "-" for f in (agreement, distance)]
        rows.append((part, *cells))
    columns = (
        "", "r with the truth, raw", "smoothed", "distance from it, raw", "smoothed", "lag in frames, raw", "smoothed",
        "of the raw movement left", "fitted, r", "fitted, distance",
    )  # fmt: skip
    return Table(columns, tuple(rows), "Acting")


def _strength_table(still_curves: Sequence[Curves], curves: Sequence[Curves]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for strength in STRENGTHS:
        kept = depths(curves, strength)
        speech = [f(curves, "mouth and jaw", strength) for f in (left, agreement)]
        rows.append((f"{strength:g}", jitter(still_curves, strength), _mean(kept), _least(kept), *speech))
    columns = ("strength", "jitter", "depth of a blink left", "least", "of speech left", "speech, r with the truth")
    return Table(columns, tuple(rows), "What smoothing gives and costs")
