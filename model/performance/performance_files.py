"""A performance on disk: an .npz without pickles, and tables for others. numpy only, so that Blender can use it."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import write_whole
from ..rotations import euler_degrees
from .face_performance import FacePerformance

FORMAT = "expnet-performance-1"
MAX_BYTES = 2**32  # unpacked; an hour at 60 frames/s is 0.1 GB

# In tables: gaze (radians), head pose as degrees (``euler_degrees``) and millimetres, crop (pixels, radians)
POSE_COLUMNS = (
    "gaze_yaw", "gaze_pitch", "head_yaw", "head_pitch", "head_roll", "head_x", "head_y", "head_z",
    "crop_x", "crop_y", "crop_side", "crop_angle",
)  # fmt: skip

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
        "unread": int(performance.unread),
        "damage": performance.damage,
        "sound_start": float(performance.sound_start),
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
        unread=header.get("unread", 0),
        damage=header.get("damage", ""),
        sound_start=float(header.get("sound_start", 0.0)),
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
    unread, sound = header.get("unread", 0), header.get("sound_start", 0.0)  # files of earlier versions lack them
    whole = (
        isinstance(keys, list) and all(isinstance(k, str) for k in keys)
        and isinstance(size, list) and len(size) == 2 and all(number(n) for n in size)
        and number(header.get("fps")) and number(header.get("lens_mm"))
        and isinstance(header.get("basis"), str) and isinstance(header.get("source"), str)
        and (neutral is None or isinstance(neutral, list) and len(neutral) == len(keys)
             and all(isinstance(n, int | float) and np.isfinite(n) for n in neutral))
        and isinstance(unread, int) and 0 <= unread < 2**53 and isinstance(header.get("damage", ""), str)
        and isinstance(sound, int | float) and abs(sound) < 1e9
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
        "unread": performance.unread,
        "damage": performance.damage,
        "columns": names,
        "frames": [[None if np.isnan(v) else round(float(v), 6) for v in row] for row in columns],
    }
    write_whole(path, json.dumps(document).encode())


def table(performance: FacePerformance) -> tuple[list[str], np.ndarray]:
    """Column names and (F, columns) numbers: the clip's frame (from 0), time (s), confidence, keys, POSE_COLUMNS."""
    p = performance
    names = ["frame", "time", "confidence", *p.expression_keys, *POSE_COLUMNS]
    frame = np.rint(p.frames)
    pose = euler_degrees(p.rotation)
    return names, np.column_stack([frame, p.times, p.confidence, p.eta, p.gaze, pose, p.translation, p.crop])
