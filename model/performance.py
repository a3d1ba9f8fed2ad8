"""A face over time: what was seen in a clip, saved without pickles. numpy only, so that Blender can use it."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .camera import ANCHOR
from .errors import InputError
from .semantics import OPEN_BASIS, open_bounds

FORMAT = "expnet-performance-1"
MAX_BYTES = 2**32  # unpacked; an hour at 60 frames/s is 0.1 GB


@dataclass(frozen=True, eq=False)
class FacePerformance:
    """One face through a clip of F frames.

    times        (F,) float64 seconds from the clip's first frame, strictly increasing
    eta          (F, Ke) expression coefficients, raw (not smoothed); NaN where no face was seen
    gaze         (F, 2) radians: yaw (+ to the subject's left), pitch (+ up), relative to the head; NaN likewise
    rotation     (F, 3, 3), translation (F, 3) mm: head pose in the frame of ``camera.py``; NaN likewise
    crop         (F, 4) centre x, centre y, side (pixels), angle (radians) of the face's crop; NaN likewise
    confidence   (F,) 0..1; 0 where no face was seen
    alpha        (Ks,) identity for the whole clip, pooled with the confidences
    expression_keys  Ke names;  basis  their basis (``semantics.OPEN_BASIS`` or a format's own)
    source       the clip's path as given;  fps  its true frame rate
    image_size   (width, height) pixels;  lens_mm  focal length on a 36 mm sensor that the pose assumes
    neutral      (Ke,) the actor's resting face, where ``calibrated`` took it out of ``eta``; None in a raw performance
    """

    times: np.ndarray
    eta: np.ndarray
    gaze: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    crop: np.ndarray
    confidence: np.ndarray
    alpha: np.ndarray
    expression_keys: tuple[str, ...]
    basis: str
    source: str
    fps: float
    image_size: tuple[int, int]
    lens_mm: float = 50.0
    neutral: np.ndarray | None = None

    @property
    def seen(self) -> np.ndarray:
        """(F,) bool: frames in which a face was found."""
        return self.confidence > 0


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """The stretches in which ``mask`` (F,) holds, as [first, last] frame indices, both included."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


# --- files ----------------------------------------------------------------------------------------------------------

_PER_FRAME: dict[str, tuple[int, ...]] = {
    "gaze": (2,),
    "rotation": (3, 3),
    "translation": (3,),
    "crop": (4,),
}


def save_performance(performance: FacePerformance, path: str | Path) -> None:
    """Write an .npz, or a table for others where the name ends in .csv or .json; it appears whole or not at all."""
    suffix = Path(path).suffix.lower()
    if suffix in (".csv", ".json"):
        return (export_csv if suffix == ".csv" else export_json)(performance, path)
    write_whole(path, packed(performance))


def packed(performance: FacePerformance) -> bytes:
    """What ``save_performance`` writes into an .npz, to be kept elsewhere: ``unpacked`` gives it back."""
    header = {
        "format": FORMAT,
        "expression_keys": list(performance.expression_keys),
        "basis": performance.basis,
        "source": performance.source,
        "fps": float(performance.fps),
        "image_size": [int(n) for n in performance.image_size],
        "lens_mm": float(performance.lens_mm),
        "neutral": None if performance.neutral is None else [float(v) for v in performance.neutral],
    }
    arrays = {k: np.asarray(getattr(performance, k), np.float64) for k in ("times", "rotation", "translation", "crop")}
    arrays |= {k: np.asarray(getattr(performance, k), np.float32) for k in ("eta", "gaze", "confidence", "alpha")}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    return buffer.getvalue()


def load_performance(path: str | Path) -> FacePerformance:
    """Read what ``save_performance`` wrote. Raises InputError when the file is missing, broken or of another kind."""
    return _loaded(Path(path), Path(path))


def unpacked(content: bytes, name: str) -> FacePerformance:
    """The performance in ``packed``'s bytes; errors as in ``load_performance``, where ``name`` stands for the path."""
    return _loaded(io.BytesIO(content), Path(name))


def _loaded(source: Path | io.BytesIO, path: Path) -> FacePerformance:
    try:
        with zipfile.ZipFile(source) as archive:
            if sum(info.file_size for info in archive.infolist()) > MAX_BYTES:
                raise InputError(f"{path}: unpacks to more than {MAX_BYTES >> 30} GB: not a performance")
        with np.load(source, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise InputError(f"{path}: cannot read the performance: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError) as error:
        raise InputError(f"{path}: not a performance, or broken: animate the clip again") from error
    header = _header(path, arrays.pop("header", None))
    _check_arrays(path, arrays, len(header["expression_keys"]))
    return FacePerformance(
        **{k: v.astype(np.float64) for k, v in arrays.items()},
        expression_keys=tuple(header["expression_keys"]),
        basis=header["basis"],
        source=header["source"],
        fps=float(header["fps"]),
        image_size=(int(header["image_size"][0]), int(header["image_size"][1])),
        lens_mm=float(header["lens_mm"]),
        neutral=None if header.get("neutral") is None else np.array(header["neutral"], np.float64),
    )


def _header(path: Path, raw: np.ndarray | None) -> dict[str, Any]:
    broken = InputError(f"{path}: not a performance of this project, or its header is broken: animate the clip again")
    if raw is None or raw.dtype != np.uint8 or raw.ndim != 1:
        raise broken
    try:
        header = json.loads(raw.tobytes())
    except ValueError:
        raise broken from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise broken

    def number(value: Any) -> bool:
        return isinstance(value, int | float) and np.isfinite(value) and value > 0

    keys, size, neutral = header.get("expression_keys"), header.get("image_size"), header.get("neutral")
    whole = (
        isinstance(keys, list) and all(isinstance(k, str) for k in keys)
        and isinstance(size, list) and len(size) == 2 and all(number(n) for n in size)
        and number(header.get("fps")) and number(header.get("lens_mm"))
        and isinstance(header.get("basis"), str) and isinstance(header.get("source"), str)
        and (neutral is None or isinstance(neutral, list) and len(neutral) == len(keys)
             and all(isinstance(n, int | float) and np.isfinite(n) for n in neutral))
    )  # fmt: skip
    if not whole:
        raise broken
    return header


def _check_arrays(path: Path, arrays: Mapping[str, np.ndarray], keys: int) -> None:
    def refuse(what: str) -> InputError:
        return InputError(f"{path}: {what}: animate the clip again")

    for name in ("times", "confidence", "alpha", "eta", *_PER_FRAME):
        if name not in arrays:
            raise refuse(f"{name} is missing")
        if arrays[name].dtype.kind not in "fiu":
            raise refuse(f"{name} holds no numbers")
    for name in arrays:
        if name not in ("times", "confidence", "alpha", "eta", *_PER_FRAME):
            raise refuse(f"{name} is unknown")
    frames = arrays["times"].size
    shapes = {"times": (frames,), "confidence": (frames,), "eta": (frames, keys), "alpha": (arrays["alpha"].size,)}
    shapes |= {name: (frames, *tail) for name, tail in _PER_FRAME.items()}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise refuse(f"{name} has shape {arrays[name].shape}, not {shape}")
    times, confidence = arrays["times"], arrays["confidence"]
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise refuse("times do not increase")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise refuse("confidence is not between 0 and 1")
    if not np.isfinite(arrays["alpha"]).all():
        raise refuse("alpha holds NaN")
    for name in ("eta", *_PER_FRAME):
        if not np.isfinite(arrays[name][confidence > 0]).all():
            raise refuse(f"{name} holds NaN in frames where a face was seen")


def export_csv(performance: FacePerformance, path: str | Path) -> None:
    """A table with one row per frame; cells are empty where no face was seen. Columns: ``table``."""
    names, columns = table(performance)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    formats = ["{:.0f}" if name == "frame" else "{:.6g}" if name != "time" else "{:.6f}" for name in names]
    for row in columns:
        writer.writerow("" if np.isnan(value) else form.format(value) for form, value in zip(formats, row))
    write_whole(path, text.getvalue().encode())


def export_json(performance: FacePerformance, path: str | Path) -> None:
    """The same table as JSON, under what holds for the whole clip; null where no face was seen."""
    names, columns = table(performance)
    document = {
        "format": FORMAT,
        "source": performance.source,
        "fps": performance.fps,
        "image_size": list(performance.image_size),
        "lens_mm": performance.lens_mm,
        "basis": performance.basis,
        "expression_keys": list(performance.expression_keys),
        "alpha": [round(float(a), 6) for a in performance.alpha],
        "neutral": None if performance.neutral is None else [round(float(n), 6) for n in performance.neutral],
        "columns": names,
        "frames": [[None if np.isnan(v) else round(float(v), 6) for v in row] for row in columns],
    }
    write_whole(path, json.dumps(document).encode())


def table(performance: FacePerformance) -> tuple[list[str], np.ndarray]:
    """Column names and (F, columns) numbers: frame (from 0), time (s), confidence, the keys, gaze (radians),
    head pose as degrees (``euler_degrees``) and millimetres, crop (pixels, radians)."""
    p = performance
    names = ["frame", "time", "confidence", *p.expression_keys, "gaze_yaw", "gaze_pitch"]
    names += ["head_yaw", "head_pitch", "head_roll", "head_x", "head_y", "head_z"]
    names += ["crop_x", "crop_y", "crop_side", "crop_angle"]
    frame = np.arange(len(p.times))
    pose = euler_degrees(p.rotation)
    return names, np.column_stack([frame, p.times, p.confidence, p.eta, p.gaze, pose, p.translation, p.crop])


def euler_degrees(rotation: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) as (..., 3) degrees: yaw (+ the head turns to its own left), pitch (+ it looks up),
    roll (+ it leans clockwise on screen, as ``camera.roll``): R = Rz(-roll) Rx(-pitch) Ry(yaw)."""
    pitch = np.arcsin(np.clip(-rotation[..., 2, 1], -1, 1))
    yaw = np.arctan2(-rotation[..., 2, 0], rotation[..., 2, 2])
    roll = np.arctan2(rotation[..., 0, 1], rotation[..., 1, 1])
    return np.degrees(np.stack([yaw, pitch, roll], -1))


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file that appears whole or not at all. Raises InputError where it cannot be written."""
    path = Path(path)
    try:
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    except OSError as error:
        raise InputError(f"{path}: cannot write there: {error.strerror}: choose another folder") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(partial, 0o644)  # mkstemp's 0600 would hide the file from the rest of a studio
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"{path}: cannot write there: {error.strerror}: choose another place") from error
    finally:
        Path(partial).unlink(missing_ok=True)


# --- smoothing ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Calm:
    """How a signal is smoothed: ``seconds`` of neighbourhood at strength 1, and the ``change`` that is no noise.

    A moment that differs by much more than ``change`` has no weight, so whatever moves that far stays sharp.
    """

    seconds: float
    change: float


# Lids and lips are fast and their contact matters (a blink lasts 0.1 to 0.3 s); brows and cheeks are slow. Chosen on
# synthetic clips whose truth is known: the calmest that cost no blink a tenth of its depth, where at the default
# strength speech agrees best with the truth; training/evaluation/temporal.py prints what several strengths cost.
LIDS = Calm(0.10, 0.08)
LIPS = Calm(0.08, 0.10)
BROWS = Calm(0.20, 0.15)
SIGMAS = Calm(0.10, 0.30)  # a basis in units of sigma, whose keys have no names to go by
GAZE = Calm(0.08, 0.08)  # radians; between saccades the eyes rest
TURN = Calm(0.15, 0.05)  # radians
PLACE = Calm(0.15, 0.05)  # of the head's own width on screen
DEPTH = Calm(0.30, 0.05)  # of the distance
HEAD_WIDTH_MM = 150.0

# The parts of a face that an artist treats apart, and which keys belong to each; keys without such names, of a basis in
# units of sigma, are of the region "expression".
REGION_PREFIXES = {
    "brows": ("brow",),
    "lids": ("lid_", "eye"),
    "cheeks": ("cheek", "nose"),
    "mouth": ("mouth",),
    "jaw": ("jaw",),
}
REGIONS = (*REGION_PREFIXES, "expression", "gaze", "head")


def region_of(key: str) -> str:
    """The region of ``REGIONS`` that an expression key belongs to."""
    return next((name for name, prefixes in REGION_PREFIXES.items() if key.startswith(prefixes)), "expression")


def smooth(performance: FacePerformance, strength: float | Mapping[str, float] = 0.5) -> FacePerformance:
    """A calmer performance without lag: 0 changes nothing, 1 is strong; the raw one is not touched. ``strength`` may
    differ by region (``REGIONS``; those that are not named get 0).

    Every value becomes a mean of its neighbours in time, weighted by nearness in time and by how alike the values are
    together with those of the frames right before and after (non-local means, Buades et al. 2005). It looks both ways,
    so nothing comes late; it takes a mean, so nothing leaves its bounds; a blink or closing lips differ too much from
    their neighbours to be mixed with them, as a Kalman smoother would. Frames in which no face was seen are neither
    changed nor smoothed across. Rotations are averaged on the rotation group.

    How sure the network is, of the face or of a key, is no weight: it is least sure where a face does most, in blinks
    above all, so curves would be pulled to rest.
    """
    strengths = dict(strength) if isinstance(strength, Mapping) else dict.fromkeys(REGIONS, strength)
    for value in strengths.values():
        if not 0 <= value <= 10:
            raise InputError(f"smoothing strength {value} is not between 0 and 10")
    if not any(strengths.values()):
        return performance
    p = performance
    eta, gaze = p.eta.copy(), p.gaze.copy()
    rotation, translation = p.rotation.copy(), p.translation.copy()
    anchor = p.rotation @ ANCHOR + p.translation  # the point that the crop pins to the picture
    columns: dict[tuple[Calm, float], list[int]] = {}
    for i, key in enumerate(p.expression_keys):
        columns.setdefault((_calm_of(key), strengths.get(region_of(key), 0.0)), []).append(i)
    for first, last in runs(p.seen):
        part = slice(first, last + 1)
        times = p.times[part]
        for (calm, value), chosen in columns.items():
            if value:
                eta[part, chosen] = _calmed(_Moments(times, value), p.eta[part, chosen], calm)
        if value := strengths.get("gaze", 0.0):
            gaze[part] = _calmed(_Moments(times, value), p.gaze[part], GAZE)
        if value := strengths.get("head", 0.0):
            moments = _Moments(times, value)
            rotation[part] = _calmed_rotations(moments, p.rotation[part])
            translation[part] = _calmed_places(moments, anchor[part]) - rotation[part] @ ANCHOR
    return replace(p, eta=eta, gaze=gaze, rotation=rotation, translation=translation)


@dataclass(frozen=True, eq=False)
class _Moments:
    """The frames of one stretch, ``times`` (T,), and how strongly to smooth."""

    times: np.ndarray
    strength: float


def _calm_of(key: str) -> Calm:
    if key.startswith(("lid_", "eye")):
        return LIDS
    if key.startswith(("mouth", "jaw")):
        return LIPS
    if key.startswith(("brow", "cheek", "nose")):
        return BROWS
    return SIGMAS


def _weighted_mean(
    moments: _Moments,
    values: np.ndarray,
    calm: Calm,
    squared_change: Callable[[np.ndarray, np.ndarray], np.ndarray],
    aligned: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda neighbour, centre: neighbour,
) -> np.ndarray:
    """Mean of (T, C) values with those near them and alike. ``squared_change`` gives (T, C) or (T, 1), in units of
    ``calm.change``; ``aligned`` may prepare a neighbour for being added to its centre."""
    times, sigma = moments.times, calm.seconds * moments.strength
    total, weights = values.copy(), np.ones_like(values)
    for step in range(1, len(times)):
        gap = (times[step:] - times[:-step])[:, None]
        if gap.min() > 3 * sigma:
            break
        change = _beside_too(squared_change(values[:-step], values[step:]))
        weight = np.exp(-0.5 * ((gap / sigma) ** 2 + change))
        early, late = slice(None, -step), slice(step, None)
        for centre, neighbour in ((early, late), (late, early)):
            total[centre] += weight * aligned(values[neighbour], values[centre])
            weights[centre] += weight
    return total / weights


def _beside_too(change: np.ndarray) -> np.ndarray:
    """(T, C) plus what is before and after in time: moments are alike where their neighbours are, too, so that the top
    of a blink is not mixed with its flanks."""
    padded = np.concatenate([change[:1], change, change[-1:]])
    return padded[:-2] + change + padded[2:]


def _calmed(moments: _Moments, values: np.ndarray, calm: Calm) -> np.ndarray:
    mean = _weighted_mean(moments, values, calm, lambda a, b: ((a - b) / calm.change) ** 2)
    # Rounding must not carry a value out of its bounds, nor move a constant.
    return np.clip(mean, values.min(0), values.max(0))


def _calmed_rotations(moments: _Moments, rotation: np.ndarray) -> np.ndarray:
    def squared_angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        cosine = np.clip(np.abs((a * b).sum(-1, keepdims=True)), 0, 1)
        return (2 * np.arccos(cosine) / TURN.change) ** 2

    def same_side(neighbour: np.ndarray, centre: np.ndarray) -> np.ndarray:
        return neighbour * np.where((neighbour * centre).sum(-1, keepdims=True) < 0, -1.0, 1.0)

    return rotations(_weighted_mean(moments, quaternions(rotation), TURN, squared_angle, same_side))


def _calmed_places(moments: _Moments, place: np.ndarray) -> np.ndarray:
    """Smooths where a point (T, 3) is seen and how far away it is; steps in depth are noisier than on screen."""
    depth = -place[:, 2:]
    screen = place[:, :2] / depth
    unit = HEAD_WIDTH_MM / np.median(depth)  # the head's width on screen

    def squared_step(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (((a - b) / (PLACE.change * unit)) ** 2).sum(-1, keepdims=True)

    screen = _weighted_mean(moments, screen, PLACE, squared_step)
    depth = np.exp(_calmed(moments, np.log(depth), DEPTH))
    return np.concatenate([screen * depth, -depth], 1)


def quaternions(rotation: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) as unit quaternions (..., 4), w x y z, w >= 0."""
    (a, b, c), (d, e, f), (g, h, i) = np.moveaxis(rotation, (-2, -1), (0, 1))
    # Four ways to the same quaternion up to sign and length; the longest is exact.
    ways = [
        [1 + a + e + i, h - f, c - g, d - b],
        [h - f, 1 + a - e - i, b + d, c + g],
        [c - g, b + d, 1 - a + e - i, f + h],
        [d - b, c + g, f + h, 1 - a - e + i],
    ]
    ways = np.stack([np.stack(way, -1) for way in ways], -2)
    norms = np.linalg.norm(ways, axis=-1, keepdims=True)
    best = np.argmax(norms[..., 0], axis=-1)[..., None, None]
    q = (np.take_along_axis(ways, best, -2) / np.take_along_axis(norms, best, -2))[..., 0, :]
    return q * np.where(q[..., :1] < 0, -1.0, 1.0)


def rotations(quaternion: np.ndarray) -> np.ndarray:
    """Quaternions (..., 4), w x y z, of any length, as rotations (..., 3, 3)."""
    w, x, y, z = np.moveaxis(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


# --- the actor's own neutral, bounds, another frame rate ------------------------------------------------------------


QUIET_SECONDS = 0.2  # over how long a face has to be still


def quietest_neutral(performance: FacePerformance) -> np.ndarray:
    """The actor's resting face, (Ke,): the median over the tenth of the seen frames (5 at least) in which the face
    moves the least, is nearest to its resting place, looks into the camera and is most surely a face.

    The resting place is zero in the open basis, whose zero is a face at rest; in another, whose zero may be no face at
    all (ExpNet's rests at -0.8 and -0.65 sigma in two components), it is what each key most often is. Raises InputError
    when no face was seen.
    """
    p = performance
    if not p.seen.any():
        raise InputError("no face was seen in this performance: there is no neutral to calibrate with")
    eta = p.eta[p.seen]
    usual = np.zeros(eta.shape[1]) if p.basis == OPEN_BASIS else np.array([_mode(column) for column in eta.T])
    # In units of what is no noise: the changes that smoothing keeps, a fifth of the confidence. Turned by 15 degrees a
    # face is read as well as from the front, by 40 it is not.
    unit = np.array([_calm_of(key).change for key in p.expression_keys])
    unrest = np.sqrt((((eta - usual) / unit) ** 2).mean(axis=1)) + _motion(p, unit)[p.seen]
    unrest += (np.degrees(np.arccos(np.clip(p.rotation[p.seen, 2, 2], -1, 1))) / 30) ** 2
    unrest += (1 - p.confidence[p.seen] / p.confidence.max()) / 0.2
    count = min(len(eta), max(5, len(eta) // 10))
    return np.median(eta[np.argsort(unrest, kind="stable")[:count]], axis=0)


def calibrated(
    performance: FacePerformance, neutral_eta: np.ndarray, bounds: np.ndarray, rest: np.ndarray | None = None
) -> FacePerformance:
    """The performance as seen from the actor's own neutral: ``neutral_eta`` becomes ``rest``. It keeps ``neutral``.

    neutral_eta (Ke,); bounds (Ke, 2), e.g. ``semantics.open_bounds()``; rest (Ke,) the head's own resting face
    (``FaceModel.rest``), zero where none is given.

    A key with a name of its own has ends that mean something (closed is closed): what lies between is stretched, so
    that the bounds stay where they are. Components in units of sigma are only moved: geometry is linear in them, and an
    actor's resting face is a place from where all others are equally far.
    """
    given = np.asarray(neutral_eta, np.float64)
    low, high = np.asarray(bounds, np.float64).T
    # A key that rests near its end has nothing left to stretch: half the range is the limit.
    neutral = np.clip(given, low / 2, high / 2)
    away = performance.eta - neutral
    reach = np.where(away > 0, high / np.maximum(high - neutral, 1e-6), 1.0)
    below = low < 0
    reach = np.where(below & (away < 0), low / np.minimum(low - neutral, -1e-6), reach)
    sigmas = np.array([region_of(key) == "expression" for key in performance.expression_keys])
    eta = np.where(sigmas, performance.eta - given, away * reach)
    return replace(performance, eta=eta if rest is None else eta + rest, neutral=given)


def usual_bounds(performance: FacePerformance) -> np.ndarray:
    """(Ke, 2): the open basis's own, or three sigmas either way, for where there is no head that says."""
    if performance.basis == OPEN_BASIS:
        return open_bounds()
    return np.tile([-3.0, 3.0], (performance.eta.shape[1], 1))


def _motion(p: FacePerformance, unit: np.ndarray) -> np.ndarray:
    """(F,) how far the expression travels in 0.1 s, in units, over the time around each frame; NaN without a face.
    A frame without neighbours says nothing: it moves as much as the most restless one."""
    out = np.full(len(p.times), np.nan)
    for first, last in runs(p.seen):
        times = p.times[first : last + 1]
        steps = np.sqrt(((np.diff(p.eta[first : last + 1], axis=0) / unit) ** 2).mean(axis=1))
        way = np.concatenate([[0.0], np.cumsum(steps)])
        before = np.interp(times - QUIET_SECONDS / 2, times, way)
        after = np.interp(times + QUIET_SECONDS / 2, times, way)
        inside = np.minimum(times + QUIET_SECONDS / 2, times[-1]) - np.maximum(times - QUIET_SECONDS / 2, times[0])
        if last > first:
            out[first : last + 1] = 0.1 * (after - before) / inside
    alone = p.seen & np.isnan(out)
    out[alone] = np.nanmax(out) if np.isfinite(out).any() else 0.0
    return out


def _mode(values: np.ndarray) -> float:
    """Where values are densest: the half-sample mode (Robertson and Cryer 1974)."""
    values = np.sort(values)
    while len(values) > 2:
        half = (len(values) + 1) // 2
        start = int(np.argmin(values[half - 1 :] - values[: len(values) - half + 1]))
        values = values[start : start + half]
    return float(values.mean())


def clamped(performance: FacePerformance, bounds: np.ndarray) -> FacePerformance:
    """The performance with every coefficient inside ``bounds`` (Ke, 2)."""
    bounds = np.asarray(bounds, np.float64)
    return replace(performance, eta=np.clip(performance.eta, bounds[:, 0], bounds[:, 1]))


def resampled(performance: FacePerformance, times: np.ndarray) -> FacePerformance:
    """The performance at other ``times`` (seconds, increasing): linear between frames, rotations on the group.

    A time between a frame with a face and one without, or outside the clip, has no face.
    """
    p = performance
    times = np.asarray(times, np.float64)
    after = np.clip(np.searchsorted(p.times, times, side="right"), 1, max(1, len(p.times) - 1))
    before = after - 1
    after = np.minimum(after, len(p.times) - 1)
    span = np.where(after > before, p.times[after] - p.times[before], 1.0)
    share = (times - p.times[before]) / span
    slack = 1e-6
    inside = (share >= -slack) & (share <= 1 + slack)
    share = np.clip(share, 0, 1)
    seen = inside & (p.seen[before] | (share >= 1 - slack)) & (p.seen[after] | (share <= slack))
    share = np.where(p.seen[before], np.where(p.seen[after], share, 0.0), 1.0)

    def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        weight = share.reshape(-1, *[1] * (a.ndim - 1))
        mixed = np.where(weight <= 0, a, np.where(weight >= 1, b, (1 - weight) * a + weight * b))
        return np.where(seen.reshape(weight.shape), mixed, np.nan)

    def of(name: str) -> np.ndarray:
        values = getattr(p, name)
        return between(values[before], values[after])

    qa, qb = quaternions(p.rotation[before]), quaternions(p.rotation[after])
    qb = qb * np.where((qa * qb).sum(-1, keepdims=True) < 0, -1.0, 1.0)
    return replace(
        p,
        times=times,
        eta=of("eta"),
        gaze=of("gaze"),
        rotation=rotations(between(qa, qb)),
        translation=of("translation"),
        crop=of("crop"),
        confidence=np.where(seen, np.nan_to_num(of("confidence")), 0.0),
    )
