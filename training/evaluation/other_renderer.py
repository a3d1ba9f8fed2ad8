"""Another renderer: heads and looks that the engine never makes, rendered by Cycles, one key moving at a time.

The pictures are made by ``python -m expnet.benchmarks.other_renderer FOLDER``, which needs Blender; a part of them will
do. ``python -m expnet.training.evaluation.other_renderer FOLDER SHEET.jpg`` lays them out on a sheet to look at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from ...model.array_types import AnyArray, FloatArray, IntArray, UInt8Array
from ...model.camera import Camera, crop_of_pose
from ...model.errors import InputError
from ...model.face.semantics import OPEN_KEYS, SIGNED_KEYS
from ...model.networks.estimate import FaceEstimate, together
from ...model.networks.person import Acquaintance, PersonReader
from ...model.networks.torch_engine.estimator import Estimator
from ...model.sight.batches import move_eta
from ...model.sight.images import read_image
from .section import Cell, Plot, Score, Section, Table
from .subject import Subject

R_BAR, LEAK_BAR = 0.94, 0.15
GAIN_BAR, LEAST_GAIN_BAR = 0.75, 0.4
SLACK = 0.02  # a response may fall by that much on its way up and still count as monotone
WEAK, STRONG, BIASED = 0.5, 1.5, 0.15  # where a key's gain or resting value is listed
BATCH = 64
ROWS = {"eta": (len(OPEN_KEYS),), "gaze": (2,), "rotation": (3, 3), "translation": (3,), "camera": (3,)}
SHEET = ("", "lid_L", "browInnerUp", "browDown_L", "mouthSmile_L", "noseSneer", "mouthPucker", "jawOpen", "cheekPuff")


@dataclass(frozen=True, eq=False)
class Head:
    """N pictures of one head, (S, S, 3) uint8 BGR, and their content.

    ``kind`` is neutral, key, gaze or combined. ``key`` (N,) is the key or the axis of gaze that is swept.
    """

    name: str
    pictures: list[UInt8Array]
    kind: AnyArray
    key: IntArray
    eta: FloatArray
    gaze: FloatArray
    rotation: FloatArray
    translation: FloatArray
    camera: FloatArray

    def rows(self, kind: str, key: int) -> IntArray:
        """Return a sweep: the rows of the neutral face and of those in which ``key`` moves, from low to high."""
        rows = np.flatnonzero(((self.kind == kind) & (self.key == key)) | (self.kind == "neutral"))
        return rows[np.argsort((self.eta if kind == "key" else self.gaze)[rows, key], kind="stable")]


@dataclass(frozen=True, eq=False)
class Responses:
    """Results of H heads' sweeps of 29 keys. NaN where only the neutral picture is there, or (monotone, r) one more.

    monotone   (H, 29) 1 or 0;  r, gain (H, 29) correlation with the truth and slope
    pooled     (29,) correlation over all heads' pictures together, so that heads that rest differently cost
    leak       (H, 29, 29) by how much another key (last axis) changes while one goes from rest to its end; itself 0
    rest       (H, 29) what the neutral face is read as
    """

    monotone: FloatArray
    r: FloatArray
    gain: FloatArray
    pooled: FloatArray
    leak: FloatArray
    rest: FloatArray


def read(folder: Path) -> list[Head]:
    """Return the heads of ``folder``, with those of their pictures that are there. Raises InputError."""
    make = f"make them: python -m expnet.benchmarks.other_renderer {folder}"
    heads = [head for path in sorted(folder.glob("*/truth.npz")) if (head := _read_head(path)) is not None]
    if not heads:
        raise InputError(f"{folder}: holds no heads with a neutral picture; {make}")
    return heads


def _read_head(path: Path) -> Head | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in (*ROWS, "kind", "key", "expression_keys")}
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: is no truth of such pictures ({error}); render them again") from error
    count = len(arrays["kind"])
    fits = all(arrays[name].shape == (count, *shape) for name, shape in ROWS.items()) and len(arrays["key"]) == count
    if not fits or tuple(arrays.pop("expression_keys")) != OPEN_KEYS:
        raise InputError(f"{path}: its arrays do not fit together or are of other keys; render them again")
    files = [path.with_name(f"{i:04d}.png") for i in range(count)]
    there = np.array([file.is_file() for file in files])
    if not (there & (arrays["kind"] == "neutral")).any():
        return None
    pictures = [read_image(file) for file in files if file.is_file()]
    return Head(path.parent.name, pictures, **{name: values[there] for name, values in arrays.items()})


def look(estimator: Estimator, head: Head) -> FaceEstimate:
    """Return the estimates of a head's pictures, each read as a still image, from the crop that its face really has."""
    cameras = [Camera(*map(float, row)) for row in head.camera]
    crops = [crop_of_pose(*pose) for pose in zip(head.rotation, head.translation, cameras)]
    rows = [slice(i, i + BATCH) for i in range(0, len(crops), BATCH)]
    looks = [estimator.finding.estimate(head.pictures[part], crops[part], cameras[part]) for part in rows]
    parts = [estimator.read_with_mirror_images(cameras[part], seen) for part, seen in zip(rows, looks, strict=True)]
    return together(parts)


def as_one_clip(estimate: FaceEstimate, reader: PersonReader) -> FloatArray:
    """Return eta (N, 29) of a head's pictures, read as frames of one clip: with the offset that all of them tell."""
    assert estimate.outputs is not None
    known = Acquaintance(reader)
    known.add(estimate.outputs, estimate.confidence)
    eta = estimate.eta.copy()
    move_eta(eta, np.arange(len(eta)), known)
    return eta


def respond(heads: list[Head], seen: list[FloatArray]) -> Responses:
    """Measure the estimates. ``seen`` is the estimated eta (N, 29) of each head's pictures."""
    count = len(OPEN_KEYS)
    monotone, r, gain = (np.full((len(heads), count), np.nan) for _ in range(3))
    leak = np.full((len(heads), count, count), np.nan)
    pooled: list[list[FloatArray]] = [[] for _ in OPEN_KEYS]
    rest = np.stack([eta[head.kind == "neutral"].mean(0) for head, eta in zip(heads, seen)])
    for h, (head, eta) in enumerate(zip(heads, seen)):
        for key, name in enumerate(OPEN_KEYS):
            rows = head.rows("key", key)
            truth, response = head.eta[rows, key], eta[rows, key]
            if len(rows) < 2:
                continue
            pooled[key].append(np.stack([truth, response]))
            if len(rows) > 2:  # any two points lie on a line
                monotone[h, key] = np.diff(response).min() >= -SLACK
                r[h, key] = _r(truth, response)
            gain[h, key] = np.polyfit(truth, response, 1)[0]
            ends = rows[[-1, 0]] if name in SIGNED_KEYS else rows[-1:]
            leak[h, key] = np.abs(eta[ends] - rest[h]).max(0)
            leak[h, key, key] = 0
    points = [np.concatenate(parts, axis=1) if parts else np.empty((2, 0)) for parts in pooled]
    together = [_r(*both) if both.shape[1] > 2 else np.nan for both in points]
    return Responses(monotone, r, gain, np.array(together), leak, rest)


def _r(truth: FloatArray, response: FloatArray) -> float:
    t, p = truth - truth.mean(), response - response.mean()
    return float((t * p).sum() / max(np.sqrt((t * t).sum() * (p * p).sum()), 1e-12))


def _mean(values: FloatArray) -> float:
    """Return the mean of the values that are not NaN; NaN without any."""
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else float("nan")


def measure(subject: Subject, folder: Path) -> Section:
    """Measure the readings of ``folder``, the output of ``benchmarks/other_renderer.py``."""
    heads = read(folder)
    estimates = [look(subject.estimator, head) for head in heads]
    found = respond(heads, [e.eta for e in estimates])
    unseen = np.isnan(found.gain).all(0)
    if unseen.any():
        lacking = ", ".join(k for k, none in zip(OPEN_KEYS, unseen) if none)
        raise InputError(f"{folder}: no head has a sweep of {lacking}: render more of the pictures")
    gaze_r, gaze_degrees = _gaze(heads, estimates)
    combined_r = _combined(heads, [e.eta for e in estimates])
    reader = subject.estimator.person
    typical, gains = np.nanmean(found.leak, 0), np.nanmean(found.gain, 0)  # over heads
    pictures = sum(len(head.pictures) for head in heads)
    return Section(
        "Another renderer",
        f"{pictures} pictures of {len(heads)} heads by Blender's Cycles (accuracy/other_renderer.jpg): other "
        "proportions than the engine's heads have, sculpted and asymmetric; subsurface skin, hair made of hairs, wet "
        "eyes behind corneas, glasses, make-up, beards; sun, sky, coloured lamps, rooms out of focus; lenses of 35 to "
        "135 mm, turned by up to 25 degrees; cut by the true pose and read as `expnet estimate` reads a still "
        "image. Each key goes from its lower to its upper bound, "
        f"all else at rest. Monotone: on that head the key never falls by more than {SLACK} from one step to the next. "
        "r of a sweep, averaged over heads; pooled r is over all heads' sweeps of a key together. Cross-talk: the "
        "change of another key from rest to this key's end, averaged over heads. Combined: random expressions of many "
        "keys at other angles, r per key over all heads.",
        (
            Score("sweeps that are monotone", _mean(found.monotone), "higher", 1.0),
            Score("mean r of a sweep", _mean(found.r), "higher", R_BAR),
            Score("mean pooled r", _mean(found.pooled), "higher"),
            Score("gain, mean of the keys", float(gains.mean()), "higher", GAIN_BAR),
            Score("gain, least key", float(gains.min()), "higher", LEAST_GAIN_BAR),
            Score("mean distance of a key's gain from 1", _mean(np.abs(found.gain - 1)), "lower"),
            Score("cross-talk of the worst pair of keys", float(typical.max()), "lower", LEAK_BAR),
            Score("cross-talk, mean over keys of the worst other", float(typical.max(1).mean()), "lower"),
            Score("resting face, mean distance from 0", float(np.abs(found.rest).mean()), "lower"),
            Score("mean r of combined expressions", _mean(combined_r), "higher"),
            Score("r of gaze, mean of yaw and pitch", _mean(gaze_r), "higher"),
            Score("gaze in its sweeps", gaze_degrees, "lower", unit="degrees"),
        ),
        (
            _per_key(heads, found, combined_r),
            _per_head(heads, estimates, found),
            *([_clip_table(heads, estimates, reader)] if reader else []),
        ),
        (Plot("other_renderer", "Response of each key to its truth, a line for each head", _panels(heads, estimates),
              (13, 11)),),
    )  # fmt: skip


def _gaze(heads: list[Head], estimates: list[FaceEstimate]) -> tuple[FloatArray, float]:
    """r (H, 2) of yaw and pitch in their own sweeps; mean error of the swept angle in degrees."""
    r, errors = np.full((len(heads), 2), np.nan), []
    for h, (head, estimate) in enumerate(zip(heads, estimates)):
        for axis in range(2):
            rows = head.rows("gaze", axis)
            if len(rows) > 2:
                r[h, axis] = _r(head.gaze[rows, axis], estimate.gaze[rows, axis])
                errors.append(np.abs(head.gaze - estimate.gaze)[rows, axis].mean())
    return r, float(np.degrees(np.mean(errors))) if errors else float("nan")


def _combined(heads: list[Head], etas: list[FloatArray]) -> FloatArray:
    """r (29,) over the combined expressions of all heads; NaN for a key that does not move in them."""
    chosen = [head.kind == "combined" for head in heads]
    truth = np.concatenate([head.eta[rows] for head, rows in zip(heads, chosen)])
    seen = np.concatenate([eta[rows] for eta, rows in zip(etas, chosen)])
    if len(truth) < 3:
        return np.full(len(OPEN_KEYS), np.nan)
    return np.array([_r(t, p) if t.std() > 0.02 else np.nan for t, p in zip(truth.T, seen.T)])


def _per_key(heads: list[Head], found: Responses, combined_r: FloatArray) -> Table:
    typical = np.nanmean(found.leak, 0)
    rows: list[tuple[Cell, ...]] = []
    for k, key in enumerate(OPEN_KEYS):
        swept = ~np.isnan(found.monotone[:, k])
        other = int(typical[k].argmax())
        rows.append(
            (key, f"{int(np.nansum(found.monotone[:, k]))}/{int(swept.sum())}", _mean(found.r[:, k]),
             float(found.pooled[k]), _mean(found.gain[:, k]),
             float(typical[k].sum() / (len(OPEN_KEYS) - 1)), f"{typical[k, other]:.2f} {OPEN_KEYS[other]}",
             float(found.rest[:, k].mean()), float(found.rest[:, k].std()), float(combined_r[k]),
             _in_words(heads, found, k))
        )  # fmt: skip
    columns = ("key", "monotone", "r", "pooled r", "gain", "cross-talk, mean", "worst", "at rest", "its spread",
               "combined r", "what goes wrong")  # fmt: skip
    return Table(columns, tuple(rows), "Per key")


def _in_words(heads: list[Head], found: Responses, k: int) -> str:
    words = []
    broken = [head.name for head, fine in zip(heads, found.monotone[:, k]) if fine == 0]
    if broken:
        words.append("falls back on " + " ".join(broken))
    gain = _mean(found.gain[:, k])
    if not WEAK <= gain <= STRONG:
        words.append("hardly answers" if gain < 0.15 else "too weak" if gain < WEAK else "too strong")
    typical = np.nanmean(found.leak[:, k], 0)
    taken = [OPEN_KEYS[j] for j in np.argsort(-typical) if typical[j] > LEAK_BAR]
    if taken:
        words.append("is taken for " + " ".join(taken[:3]) + (f" and {len(taken) - 3} more" if len(taken) > 3 else ""))
    rest = found.rest[:, k]
    if abs(rest.mean()) > BIASED:
        words.append("seen at rest" if rest.mean() > 0 else "below rest at rest")
    if rest.std() > BIASED:
        words.append("rests differently on every head")
    return "; ".join(words)


def _per_head(heads: list[Head], estimates: list[FaceEstimate], found: Responses) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for h, (head, estimate) in enumerate(zip(heads, estimates)):
        turned = np.einsum("nij,nij->n", estimate.rotation, head.rotation)
        degrees = np.degrees(np.arccos(np.clip((turned - 1) / 2, -1, 1)))
        mixed = head.kind == "combined"
        error = np.abs(estimate.eta - head.eta)[mixed].mean() if mixed.any() else np.nan
        worst = int(np.abs(found.rest[h]).argmax())
        gaze_r, gaze_degrees = _gaze([head], [estimate])
        rows.append(
            (head.name, len(head.pictures), _mean(found.monotone[h]), _mean(found.r[h]),
             _mean(found.gain[h]), float(np.nanmean(np.nanmax(_filled(found.leak[h]), 1))),
             float(np.abs(found.rest[h]).mean()), f"{found.rest[h, worst]:+.2f} {OPEN_KEYS[worst]}", float(error),
             _mean(gaze_r), gaze_degrees,
             float(degrees.mean()), float(estimate.confidence.min()))
        )  # fmt: skip
    columns = ("head", "pictures", "monotone", "r", "gain", "cross-talk, worst other", "rest, mean abs", "rest, worst",
               "combined, mean abs error", "gaze r", "gaze °", "rotation °", "least confidence")  # fmt: skip
    return Table(columns, tuple(rows), "Per head")


def _clip_table(heads: list[Head], estimates: list[FaceEstimate], reader: PersonReader) -> Table:
    """Tabulate what knowing the person changes. A sweep's offset is that of all pictures of its head."""
    brows = [k for k, key in enumerate(OPEN_KEYS) if key.startswith("brow")]
    rows: list[tuple[Cell, ...]] = []
    for name, etas in (
        ("read alone", [e.eta for e in estimates]),
        ("as a clip", [as_one_clip(e, reader) for e in estimates]),
    ):
        found = respond(heads, etas)
        gains, typical = np.nanmean(found.gain, 0), np.nanmean(found.leak, 0)
        away = np.concatenate([np.abs(eta - head.eta)[head.kind == "combined"] for eta, head in zip(etas, heads)])
        rows.append(
            (name, float(gains.mean()), float(gains[brows].mean()), float(gains.min()), _mean(found.r),
             _mean(found.pooled), float(found.pooled[brows].mean()), float(typical.max()),
             float(np.abs(found.rest).mean()), float(np.abs(found.rest[:, brows]).mean()),
             _mean(_combined(heads, etas)), float(away.mean()), float(away[:, brows].mean()))
        )  # fmt: skip
    columns = ("pictures", "gain", "gain, brows", "least gain", "r of a sweep", "pooled r", "pooled r, brows",
               "worst cross-talk", "rest, mean abs", "rest, brows", "combined r", "combined, mean abs error",
               "the same, brows")  # fmt: skip
    return Table(columns, tuple(rows), "Each head's pictures, read alone and as frames of one clip")


def _filled(leak: FloatArray) -> FloatArray:
    """Return the rows of keys that were swept."""
    filled: FloatArray = leak[~np.isnan(leak).all(axis=1)]
    return filled


def _panels(heads: list[Head], estimates: list[FaceEstimate]) -> Callable[[Figure], None]:
    def draw(figure: Figure) -> None:
        axes = figure.subplots(5, 6)
        for key, (axis, name) in enumerate(zip(axes.flat, OPEN_KEYS)):
            for head, estimate in zip(heads, estimates):
                rows = head.rows("key", key)
                truth, seen = head.eta[rows, key], estimate.eta[rows, key]
                axis.plot(truth, seen, linewidth=0.9, label=head.name)
            low = min(head.eta[:, key].min() for head in heads)
            axis.plot([low, 1], [low, 1], "k:", linewidth=0.7)
            axis.set_title(name, fontsize=8)
            axis.set_xticks([0, 1], [])  # few markers keep the file small
            axis.set_yticks([0, 1], ["0", "1"] if key % 6 == 0 else [], fontsize=7)
            axis.tick_params(length=0)
            axis.grid(alpha=0.3)
            axis.spines[:].set_visible(False)
            axis.set_ylim(low - 0.4, 1.4)
        handles, labels = axes.flat[0].get_legend_handles_labels()
        axes.flat[-1].axis("off")
        axes.flat[-1].legend(handles, labels, fontsize=8, loc="center")

    return draw


def sheet(heads: list[Head]) -> UInt8Array:
    """Draw a row per head: at rest, and single keys at their upper bounds; grey where a picture is missing."""
    rows = []
    for head in heads:
        size = head.pictures[0].shape[0]
        row = []
        for name in SHEET:
            chosen = head.rows("key", OPEN_KEYS.index(name))[-1:] if name else np.flatnonzero(head.kind == "neutral")
            there = len(chosen) and (not name or head.kind[chosen[0]] == "key")
            row.append(head.pictures[chosen[0]] if there else np.full((size, size, 3), 90, np.uint8))
        mixed = np.flatnonzero(head.kind == "combined")[:3]
        row += [head.pictures[i] for i in mixed] + [np.full((size, size, 3), 90, np.uint8)] * (3 - len(mixed))
        rows.append(np.hstack(row))
    return np.vstack(rows)


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        picture = sheet(read(Path(sys.argv[1])))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    cv2.imwrite(sys.argv[2], picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return 0


if __name__ == "__main__":
    sys.exit(main())
