"""Records of a batch: the outcome of each clip.

A record is written last, when all files of its clip exist. So the next call knows which clips remain, even if the batch
was killed.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...model.errors import InputError
from ...model.files import is_dir, is_file, is_partial, write_whole
from ...model.reading import MAX_JSON, check_regular, reading
from .settings import ShotSettings
from .shots import Shot

FOLDER = "records"
REPORT = "report.html"
FORMAT = "expnet-batch-1"
POINTS = 200  # of the confidence curve in the report


@dataclass(frozen=True)
class Record:
    """One clip, done or failed.

    ``settings`` are those it was done with, ``clip_stamp`` is (bytes, mtime in ns) of the footage, ``outputs`` are
    relative to the batch's folder, ``error`` is empty or one line. Frames: their number, those with a face, and gaps as
    [first, last]. ``confidence`` over the clip has at most POINTS numbers. ``seconds`` is the time of the clip's
    estimation, ``total_seconds`` the whole time. ``unread`` images and the line ``damage`` are as in
    ``FacePerformance``: with ``damage`` the clip is only partly done. ``fitted``: the curves were refined
    over the clip.
    """

    clip: str
    name: str
    clip_stamp: list[int]
    settings: dict[str, Any]
    outputs: list[str] = field(default_factory=list)
    error: str = ""
    frames: int = 0
    seen: int = 0
    missing: list[list[int]] = field(default_factory=list)
    fps: float = 0.0
    confidence: list[float] = field(default_factory=list)
    seconds: float = 0.0
    total_seconds: float = 0.0
    unread: int = 0
    damage: str = ""
    fitted: bool = False


def record_path(out: Path, shot: Shot) -> Path:
    return out / FOLDER / f"{shot.name}.json"


def thumbnail_path(out: Path, shot: Shot) -> Path:
    return out / FOLDER / f"{shot.name}.jpg"


def stamp(clip: str) -> list[int]:
    """Return size in bytes and latest modification time (ns) of a movie, or of all images of a folder."""
    path = Path(clip)
    check_regular(path)
    entries = [p.stat() for p in sorted(path.iterdir()) if is_file(p)] if is_dir(path) else [path.stat()]
    return [sum(s.st_size for s in entries), max((s.st_mtime_ns for s in entries), default=0)]


def save_record(out: Path, shot: Shot, record: Record) -> None:
    path = record_path(out, shot)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({"format": FORMAT, **asdict(record)}, indent=1).encode())


def load_record(out: Path, shot: Shot) -> Record | None:
    """Load a shot's record; None if it does not exist, or was edited to an invalid one."""
    return _read_record(record_path(out, shot))


def rendered_videos(out: Path) -> set[str]:
    """Return the absolute paths of the files that earlier batches wrote into ``out``, which are not clips."""
    files = sorted((out / FOLDER).rglob("*.json")) if is_dir(out) else []
    records = filter(None, map(_read_record, files))
    return {os.path.abspath(out / name) for record in records for name in record.outputs}


def _read_record(path: Path) -> Record | None:
    try:
        with reading(path, "record", "remove it"):
            if path.stat().st_size > MAX_JSON:
                return None
            fields = json.loads(path.read_bytes())
            return Record(**fields) if fields.pop("format") == FORMAT and _is_whole(fields) else None
    except InputError:
        return None


def _is_whole(fields: dict[str, Any]) -> bool:
    """Whether every field has the right type, as the report requires."""

    def of(kind: type, *names: str) -> bool:
        return all(type(fields[name]) in ((int, float) if kind is float else (kind,)) for name in names)

    def whole(values: Any) -> bool:
        return isinstance(values, list) and all(type(n) is int and 0 <= n < 2**63 for n in values)

    numbers = ("fps", "seconds", "total_seconds")
    return (
        of(str, "clip", "name", "error") and of(int, "frames", "seen") and of(float, *numbers)
        and all(0 <= fields[n] < 1e12 for n in (*numbers, "frames", "seen"))
        and type(fields.get("fitted", False)) is bool  # records of earlier versions lack it
        and of(dict, "settings") and whole(fields["clip_stamp"])
        and of(list, "outputs", "missing", "confidence") and all(isinstance(n, str) for n in fields["outputs"])
        and all(whole(gap) and len(gap) == 2 for gap in fields["missing"])
        and len(fields["confidence"]) <= POINTS
        and all(type(c) in (int, float) and 0 <= c <= 1 for c in fields["confidence"])
    )  # fmt: skip


def done_record(out: Path, shot: Shot, settings: ShotSettings) -> Record | None:
    """Return the clip's record if its files exist, made from this footage with these settings; else None."""
    record = load_record(out, shot)
    if record is None or record.error or record.clip != shot.clip or record.settings != settings.recorded():
        return None
    try:
        whole = record.clip_stamp == stamp(shot.clip) and all(is_file(out / name) for name in record.outputs)
    except OSError:
        return None
    return record if whole else None


def remove_leftovers(out: Path, shots: list[Shot]) -> None:
    """Remove the partial files of a killed batch. Only safe while no other batch works in ``out``."""
    written = [path for shot in shots for path in (out / shot.name, record_path(out, shot))]
    for folder in {path.parent for path in (out / REPORT, *written)}:
        if is_dir(folder):
            for entry in folder.iterdir():
                if is_partial(entry):
                    entry.unlink(missing_ok=True)
