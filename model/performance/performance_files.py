"""Files of a performance: an .npz without pickles, and CSV and JSON export. numpy only, so that Blender can use it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..array_types import FloatArray
from ..errors import InputError, printable
from ..files import write_whole
from ..npz_arrays import NpzArrays
from ..reading import MAX_JSON, json_object, memory_limit, parsing, reading
from ..rotations import euler_degrees
from .face_performance import FacePerformance

FORMAT = "expnet-performance-1"

# Columns of tables: gaze (radians), head pose as degrees (``euler_degrees``) and millimetres, crop (pixels, radians)
POSE_COLUMNS = (
    "gaze_yaw", "gaze_pitch", "head_yaw", "head_pitch", "head_roll", "head_x", "head_y", "head_z",
    "crop_x", "crop_y", "crop_side", "crop_angle",
)  # fmt: skip

HIDDEN = "mouth_hidden"  # an array that files of earlier versions and of other estimators lack
_PER_FRAME: dict[str, tuple[int, ...]] = {
    "gaze": (2,),
    "rotation": (3, 3),
    "translation": (3,),
    "crop": (4,),
}


def save_performance(performance: FacePerformance, path: str | Path) -> None:
    """Write an .npz, or a table if the name ends in .csv or .json, atomically."""
    suffix = Path(path).suffix.lower()
    if suffix == ".csv":
        export_csv(performance, path)
    elif suffix == ".json":
        export_json(performance, path)
    else:
        write_whole(path, packed(performance))


def packed(performance: FacePerformance) -> bytes:
    """Return the bytes of the .npz, for storage elsewhere; ``unpacked`` reads them."""
    header = {
        "format": FORMAT,
        "expression_keys": list(performance.expression_keys),
        "basis": performance.basis,
        "source": printable(performance.source),  # a path may not be UTF-8
        "fps": float(performance.fps),
        "image_size": [int(n) for n in performance.image_size],
        "lens_mm": float(performance.lens_mm),
        "neutral": None if performance.neutral is None else [float(v) for v in performance.neutral],
        "unread": int(performance.unread),
        "damage": performance.damage,
        "sound_start": float(performance.sound_start),
        "cuts": [round(float(seconds), 6) for seconds in performance.cuts],
        **({"fitted": True} if performance.fitted else {}),
    }
    arrays = {k: np.asarray(getattr(performance, k), np.float64) for k in ("times", "rotation", "translation", "crop")}
    arrays |= {k: np.asarray(getattr(performance, k), np.float32) for k in ("eta", "gaze", "confidence", "alpha")}
    if performance.mouth_hidden is not None:
        arrays[HIDDEN] = np.asarray(performance.mouth_hidden, np.float32)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    return buffer.getvalue()


def load_performance(path: str | Path) -> FacePerformance:
    """Read an .npz of ``save_performance``. Raises InputError if the file is missing, damaged or of another kind."""
    path = Path(path)
    with reading(path, *_KIND), path.open("rb") as file:
        return _loaded(file, path, path.stat().st_size)


def unpacked(content: bytes, name: str) -> FacePerformance:
    """Return the performance in ``packed``'s bytes; errors as in ``load_performance``, with ``name`` as the path."""
    with parsing(name, *_KIND):
        return _loaded(io.BytesIO(content), Path(name), len(content))


_KIND = "performance", "animate the clip again"


def _loaded(file: BinaryIO, path: Path, size: int) -> FacePerformance:
    with NpzArrays(file) as stored:
        header = _header(path, stored)
        shapes = _check_declared(path, stored, len(header["expression_keys"]))
        if stored.bytes + sum(8 * prod(shape) for shape in shapes.values()) > memory_limit(size):
            raise InputError(f"{path}: unpacks to {stored.bytes >> 20} MB, more than any performance")
        arrays = {name: stored.read(name).astype(np.float64) for name in shapes}
    _check_arrays(path, arrays)
    return FacePerformance(
        **arrays,
        expression_keys=tuple(header["expression_keys"]),
        basis=header["basis"],
        source=header["source"],
        fps=float(header["fps"]),
        image_size=(int(header["image_size"][0]), int(header["image_size"][1])),
        lens_mm=float(header["lens_mm"]),
        neutral=None if header.get("neutral") is None else np.array(header["neutral"], np.float64),
        unread=header.get("unread", 0),
        damage=header.get("damage", ""),
        sound_start=float(header.get("sound_start", 0.0)),
        cuts=tuple(float(seconds) for seconds in header.get("cuts", ())),
        fitted=header.get("fitted") is True,
    )


def _header(path: Path, stored: NpzArrays) -> dict[str, Any]:
    broken = InputError(f"{path}: not a performance of this project, or its header is broken: animate the clip again")
    declared = stored.declared.get("header")
    if declared is None or declared.dtype != np.uint8 or len(declared.shape) != 1 or declared.count > MAX_JSON:
        raise broken
    header = json_object(stored.read("header").tobytes())
    if header.get("format") != FORMAT:
        raise broken

    def number(value: Any) -> bool:
        return type(value) in (int, float) and abs(value) < 1e9

    keys, size, neutral = header.get("expression_keys"), header.get("image_size"), header.get("neutral")
    unread, sound = header.get("unread", 0), header.get("sound_start", 0.0)  # files of earlier versions lack them
    cuts = header.get("cuts", [])
    whole = (
        isinstance(keys, list) and all(isinstance(k, str) for k in keys)
        and isinstance(size, list) and len(size) == 2 and all(number(n) and n >= 1 for n in size)
        and all(number(header.get(k)) and header[k] > 0 for k in ("fps", "lens_mm"))
        and isinstance(header.get("basis"), str) and isinstance(header.get("source"), str)
        and (neutral is None or isinstance(neutral, list) and len(neutral) == len(keys)
             and all(number(n) for n in neutral))
        and type(unread) is int and 0 <= unread < 2**53 and isinstance(header.get("damage", ""), str)
        and number(sound)
        and isinstance(cuts, list) and all(number(seconds) for seconds in cuts)
    )  # fmt: skip
    if not whole:
        raise broken
    return header


def _check_declared(path: Path, stored: NpzArrays, keys: int) -> dict[str, tuple[int, ...]]:
    """Return the arrays' declared shapes, after checking them against each other and before reading an array."""
    declared = {name: d for name, d in stored.declared.items() if name != "header"}
    frames = declared["times"].count if "times" in declared else 0
    if not frames:
        raise InputError(f"{path}: no frames in it")
    alpha = declared["alpha"].count if "alpha" in declared else 0
    shapes = {"times": (frames,), "confidence": (frames,), "eta": (frames, keys), "alpha": (alpha,)}
    shapes |= {name: (frames, *tail) for name, tail in _PER_FRAME.items()}
    shapes |= {HIDDEN: (frames,)} if HIDDEN in declared else {}
    if set(declared) != set(shapes):
        raise InputError(f"{path}: its arrays are {', '.join(sorted(declared))}, not {', '.join(sorted(shapes))}")
    for name, shape in shapes.items():
        if declared[name].shape != shape:
            raise InputError(f"{path}: {name} has shape {declared[name].shape}, not {shape}")
        if declared[name].dtype not in (np.float32, np.float64):
            raise InputError(f"{path}: {name} is {declared[name].dtype}, not float32 or float64")
    return shapes


def _check_arrays(path: Path, arrays: Mapping[str, FloatArray]) -> None:
    def refuse(why: str) -> InputError:
        return InputError(f"{path}: {why}: animate the clip again")

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
    if HIDDEN in arrays and not ((arrays[HIDDEN] >= 0) & (arrays[HIDDEN] <= 1))[confidence > 0].all():
        raise refuse(f"{HIDDEN} is not between 0 and 1")


def export_csv(performance: FacePerformance, path: str | Path) -> None:
    """Write a CSV with one row per frame; cells are empty where no face was detected. Columns: ``table``."""
    names, columns = table(performance)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    formats = ["{:.0f}" if name == "frame" else "{:.6g}" if name != "time" else "{:.6f}" for name in names]
    for row in columns:
        writer.writerow("" if np.isnan(value) else form.format(value) for form, value in zip(formats, row))
    write_whole(path, text.getvalue().encode())


def export_json(performance: FacePerformance, path: str | Path) -> None:
    """Write the table as JSON, after the values for the whole clip; null where no face was detected."""
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
        "unread": performance.unread,
        "damage": performance.damage,
        "columns": names,
        "frames": [[None if np.isnan(v) else round(float(v), 6) for v in row] for row in columns],
    }
    write_whole(path, json.dumps(document).encode())


def table(performance: FacePerformance) -> tuple[list[str], FloatArray]:
    """Return column names and (F, columns) numbers.

    The columns are the clip's frame (from 0), time (s), confidence, keys and POSE_COLUMNS.
    """
    p = performance
    names = ["frame", "time", "confidence", *p.expression_keys, *POSE_COLUMNS]
    frame = np.rint(p.frames)
    pose = euler_degrees(p.rotation)
    return names, np.column_stack([frame, p.times, p.confidence, p.eta, p.gaze, pose, p.translation, p.crop])
