"""The clips of a batch, and the names of their output files."""

from __future__ import annotations

import glob
import hashlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...model.errors import InputError, printable
from ...model.files import is_dir, is_file
from ...model.sight.sequences import is_image

MOVIES = {
    ".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mxf", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".wmv", ".flv",
    ".ogv", ".3gp",
}  # fmt: skip
MAX_NAME = 200  # bytes; outputs add suffixes, and file systems allow 255


@dataclass(frozen=True)
class Shot:
    """A clip and the name of its files.

    ``clip`` is the absolute path of a movie or a folder of images. ``name`` is relative to the batch's folder and may
    hold folders (``day1/take3``).
    """

    clip: str
    name: str


def find_shots(where: Sequence[str], out: Path, written: Collection[str] = ()) -> list[Shot]:
    """Find the clips in folders, by patterns (``*.mov``, ``**`` for any depth), and files as they are.

    In a folder: every movie by its suffix, and every folder of images (two or more) as one clip, at any depth.
    ``out`` is skipped, and so are the files that an earlier call has ``written`` (absolute paths). The result is sorted
    and has each clip once. Raises InputError if there is none.
    """
    found: dict[str, str] = {}
    for given in where:
        clips = {clip: name for clip, name in _clips_of(given, out).items() if clip not in written}
        if not clips:
            raise InputError(f"there are no clips in '{given}': give a folder of movies, or a pattern like '*.mp4'")
        found |= {clip: name for clip, name in clips.items() if clip not in found}
    shots = [Shot(clip, name) for clip, name in sorted(found.items(), key=lambda item: (item[1], item[0]))]
    return _with_distinct_names(_with_distinct_names([_writable(shot) for shot in shots], _with_suffix), _with_place)


def _writable(shot: Shot) -> Shot:
    """Give a shot a name that is valid on any file system, if its clip's name is too long or not UTF-8."""
    parts = [_writable_part(part, shot.clip) for part in shot.name.split("/")]
    return Shot(shot.clip, "/".join(parts))


def _writable_part(part: str, clip: str) -> str:
    plain = part.encode("utf-8", "replace").decode().replace("?", "_") if not _is_utf8(part) else part
    if plain == part and len(part.encode()) <= MAX_NAME:
        return part
    short = plain.encode()[: MAX_NAME - 7].decode("utf-8", "ignore")
    return f"{short}_{_digest(clip)}"


def check_name(clip: str) -> None:
    """Raise InputError for a path that is not UTF-8, because neither OpenCV nor Blender can open it."""
    if not _is_utf8(clip):
        raise InputError(f"{clip}: its name is not UTF-8: rename it")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _digest(clip: str) -> str:
    return hashlib.sha256(os.fsencode(clip)).hexdigest()[:6]


def _clips_of(given: str, out: Path) -> dict[str, str]:
    """Map each clip to its name without suffix."""
    path = Path(given).expanduser()
    if is_dir(path):
        own = _is_sequence(path) and not any(_is_movie(p) for p in _entries(path))
        inside = {} if own else {str(p.absolute()): _name(p, path) for p in _walk(path, out.absolute(), set())}
        return inside or ({str(path.absolute()): path.absolute().name} if _is_sequence(path) else {})
    if is_file(path):
        return {str(path.absolute()): path.stem}
    matches = [Path(m) for m in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - the pattern may be absolute
    return {str(p.absolute()): p.stem if is_file(p) else p.name for p in matches if is_file(p) or _is_sequence(p)}


def _walk(folder: Path, out: Path, walked: set[Path]) -> list[Path]:
    """Return the clips in a folder. Folders already ``walked`` are left out: links may lead in a circle."""
    clips: list[Path] = []
    if folder.resolve() in walked:
        return clips
    walked.add(folder.resolve())
    for entry in _entries(folder):
        if entry.name.startswith(".") or entry.absolute() == out:
            continue
        if is_dir(entry):
            new = entry.resolve() not in walked
            movies = _walk(entry, out, walked)
            clips += movies if movies or not (new and _is_sequence(entry)) else [entry]
        elif _is_movie(entry):
            clips.append(entry)
    return clips


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder; nothing, after a line on stderr, where it cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        print(f"left out {printable(str(folder))}: {error.strerror}", file=sys.stderr)
        return []


def _is_movie(path: Path) -> bool:
    return path.suffix.lower() in MOVIES and is_file(path)


def _is_sequence(folder: Path) -> bool:
    """Whether the folder has at least two images."""
    if not is_dir(folder):
        return False
    seen = 0
    with suppress(OSError):  # it cannot be read, which _entries has said
        for entry in folder.iterdir():
            seen += is_image(entry)
            if seen == 2:
                return True
    return False


def _name(path: Path, folder: Path) -> str:
    relative = path.relative_to(folder)
    return (relative.with_suffix("") if is_file(path) else relative).as_posix()


def _with_distinct_names(shots: list[Shot], another_name: Callable[[Shot], str]) -> list[Shot]:
    """Give shots that share a name another name."""
    count = Counter(shot.name for shot in shots)
    return [shot if count[shot.name] == 1 else Shot(shot.clip, another_name(shot)) for shot in shots]


def _with_suffix(shot: Shot) -> str:
    """Add the suffix to the name: take.mov and take.mp4 become take_mov and take_mp4."""
    return f"{shot.name}_{Path(shot.clip).suffix[1:].lower() or 'images'}"


def _with_place(shot: Shot) -> str:
    """Add a digest of the path to the name, for take.mp4 of two folders. It depends only on the path."""
    return f"{shot.name}_{_digest(shot.clip)}"
