"""Image sequences: the files of a folder or a pattern (``shot_####.png``, ``shot_%04d.png``) and their frames.

The worker, Blender, the command line and the batch all use this module. Standard library only. A file's number is its
frame, so gaps in the numbers remain gaps in the frames. Hidden files and thumbnails are not frames.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from math import gcd
from pathlib import Path

from ..errors import InputError
from ..files import by_number, exists, is_dir, is_file
from ..reading import check_regular
from .image_header import image_header

COUNTER = r"#+|%0?\d*d"
IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".exr", ".hdr", ".jp2", ".ppm", ".pgm",
)  # fmt: skip
# Image formats that this package does not decode. They are listed, so that the message names them.
UNREAD_SUFFIXES = (".heic", ".heif", ".avif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".psd")
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"heim": "HEIC", b"heis": "HEIC", b"mif1": "HEIF",
           b"msf1": "HEIF", b"avif": "AVIF", b"avis": "AVIF"}  # fmt: skip
_THUMBNAIL = re.compile(r"(^|[^a-z])(thumb|thumbs|thumbnail|thumbnails)([^a-z]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class ImageSequence:
    """Image files by their numbers.

    files  (number, path), by increasing number
    step   the increment of all numbers: 2 where every second number is there; 1 where it varies
    """

    files: tuple[tuple[int, Path], ...]
    step: int = 1

    @property
    def first(self) -> int:
        """Return the first file's number: it is frame 0."""
        return self.files[0][0]

    @property
    def length(self) -> int:
        """Return the number of frames from the first number to the last, holes included."""
        return self.files[-1][0] - self.first + 1

    def file_at(self, frame: int) -> Path:
        """Return the file that shows at a frame, from 0; in a hole, and after the end, the one before it."""
        shown = [path for number, path in self.files if number - self.first <= frame]
        return shown[-1] if shown else self.files[0][1]


def sequence_of(path: str | Path) -> ImageSequence:
    """Find the images of a folder or of a pattern. Raises InputError where there are none or several sequences."""
    path = Path(path)
    return _sequence_in(path) if is_dir(path) else _sequence_like(path)


def is_pattern(path: str | Path) -> bool:
    """Return whether the path names files by a counter, and is no file itself."""
    return re.search(COUNTER, Path(path).name) is not None and not exists(path)


def check_there(path: str, what: str) -> None:
    """Raise InputError unless ``path`` exists, and for a pipe or a device; the worker checks a pattern."""
    if not path:
        raise InputError(f"No {what} is given: choose one")
    if not exists(path) and not re.search(COUNTER, Path(path).name):
        raise InputError(f"There is no {what} at '{path}'")
    if exists(path):
        check_regular(path)


def shown_file(clip: str) -> str:
    """Return the file that Blender opens to show a clip: of a folder or a pattern the first picture."""
    return clip if is_file(clip) else str(sequence_of(clip).files[0][1])


def images_in(folder: Path) -> list[Path]:
    """List the images of a folder, in the order of the numbers in their names.

    Images of formats that are not read are included. Raises InputError where there is none.
    """
    try:
        images = sorted((p for p in folder.iterdir() if is_image(p)), key=by_number)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from error
    if not images:
        raise InputError(f"{folder}: holds no images: give a movie, an image or a folder of images")
    return images


def is_image(path: Path) -> bool:
    """Return whether a file is an image: by its suffix, or by its first bytes where it has none."""
    if path.name.startswith(".") or _THUMBNAIL.search(path.stem) or not is_file(path):
        return False
    suffix = path.suffix.lower()
    if not suffix or suffix[1:].isdigit():  # also shot.0001
        try:
            with path.open("rb") as stream:
                return image_header(stream.read(65536)) is not None
        except OSError:
            return False
    return suffix in IMAGE_SUFFIXES or suffix in UNREAD_SUFFIXES


def unread_format(path: Path) -> str | None:
    """Return the name of an image format that is not read (HEIC, AVIF, raw photos); None for other files."""
    try:
        with path.open("rb") as stream:
            start = stream.read(12)
    except OSError:
        return None
    if start[4:8] == b"ftyp" and start[8:12] in _BRANDS:
        return _BRANDS[start[8:12]]
    suffix = path.suffix.lower()
    is_raw_or_layered = suffix in UNREAD_SUFFIXES and suffix not in (".heic", ".heif", ".avif")
    return suffix[1:].upper() if is_raw_or_layered else None


def sequence_pattern(path: str) -> tuple[str, int]:
    """Split ``/a/shot_0012.png`` into (``/a/shot_####.png``, 12). Raises InputError when the name has no number."""
    folder, name = os.path.split(path)
    match = re.fullmatch(r"(.*?)(\d+)(\D*)", name)
    if match is None:
        raise InputError(f"{path} has no frame number in its name: it is not part of an image sequence")
    head, digits, tail = match.groups()
    return _joined(folder, head + "#" * len(digits) + tail), int(digits)


def numbered(pattern: str, number: int) -> str:
    """Return the file of a pattern with this number: the inverse of ``sequence_pattern``."""
    folder, name = os.path.split(pattern)
    hashes = re.findall("#+", name)[-1]
    head, _, tail = name.rpartition(hashes)
    return _joined(folder, head + str(number).zfill(len(hashes)) + tail)


def _joined(folder: str, name: str) -> str:
    """Return the file ``name`` in ``folder``, which keeps its spelling."""
    return os.path.join(folder, name)  # noqa: PTH118 - a Path drops "./" and turns slashes round on Windows


def _sequence_like(path: Path) -> ImageSequence:
    """Find the files of ``name_####.png`` by number: as many digits as there are #, or more."""
    spot = re.search(r"#+|%(?:0?(\d*))d", path.name)
    if spot is None:
        raise InputError(f"There is no clip at '{path}'")
    digits = len(spot[0]) if spot[0][0] == "#" else int(spot[1] or 1)
    before, after = re.escape(path.name[: spot.start()]), re.escape(path.name[spot.end() :])
    name = re.compile(f"{before}(\\d{{{digits},}}){after}", re.ASCII)
    folder = path.parent
    if not is_dir(folder):
        raise InputError(f"{path}: there is no folder {folder}")
    found = [(int(hit[1]), entry) for entry in folder.iterdir() if (hit := name.fullmatch(entry.name))]
    if not found:
        raise InputError(f"{path}: no file in {folder} has such a name")
    return _ordered(found)


def _sequence_in(folder: Path) -> ImageSequence:
    images = images_in(folder)
    sequences, singles = _sequences_of(images)
    if not sequences:
        _refuse_twins(folder, images)
        return ImageSequence(tuple(enumerate(images)))  # names without a counter: in order of the names
    strays = [stray for stray in singles if re.search(r"\d", stray.stem)]  # a lone cover.jpg is no frame
    others = [files[0][1] for files in sequences[1:]] + strays
    if others:
        raise _two_sequences(folder, sequences[0][0][1], others[0])
    return _ordered(sequences[0])


def _sequences_of(images: Iterable[Path]) -> tuple[list[list[tuple[int, Path]]], list[Path]]:
    """Group files whose names differ in one number only, as (number, path); return the others separately."""
    alike: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for image in images:
        alike[_words(image)].append(image)
    sequences: list[list[tuple[int, Path]]] = []
    singles: list[Path] = []
    for files in alike.values():
        numbers = [_numbers(file) for file in files]
        varying = [i for i in range(len(numbers[0])) if len({int(n[i]) for n in numbers}) > 1]
        if not varying:
            singles += files
            continue
        shots: dict[tuple[str, ...], list[tuple[int, Path]]] = defaultdict(list)
        for file, found in zip(files, numbers):
            counter = varying[-1]
            shots[(*found[:counter], *found[counter + 1 :])].append((int(found[counter]), file))
        for shot in shots.values():
            if len(shot) > 1:
                sequences.append(sorted(shot))
            else:
                singles.append(shot[0][1])
    return sorted(sequences, key=lambda files: by_number(files[0][1])), singles


def _words(image: Path) -> tuple[str, ...]:
    """Return the text between the numbers of a name, and its suffix in lower case."""
    return (*re.split(r"[0-9]+", image.stem), _suffix(image))


def _numbers(image: Path) -> list[str]:
    return re.findall(r"[0-9]+", image.name if _suffix(image) == "" else image.stem)


def _suffix(image: Path) -> str:
    """Return the format's suffix; empty for ``shot.0001``, where it is the number."""
    suffix = image.suffix.lower()
    return "" if suffix[1:].isdigit() else suffix


def _ordered(files: list[tuple[int, Path]]) -> ImageSequence:
    files = sorted(files)
    for (number, path), (following, other) in zip(files, files[1:]):
        if number == following:
            raise InputError(
                f"'{path.name}' and '{other.name}' in {path.parent} are both frame {number}: remove one of them"
            )
    step = reduce(gcd, (b[0] - a[0] for a, b in zip(files, files[1:])), 0)
    return ImageSequence(tuple(files), step if len(files) > 2 and step > 1 else 1)


def _refuse_twins(folder: Path, images: list[Path]) -> None:
    """Refuse one name with two suffixes: one frame in two formats."""
    seen: dict[str, Path] = {}
    for image in images:
        other = seen.setdefault(image.stem, image)
        if other is not image:
            raise _two_sequences(folder, other, image)


def _two_sequences(folder: Path, one: Path, other: Path) -> InputError:
    return InputError(
        f"{folder}: holds more than one image sequence, such as '{one.name}' and '{other.name}': "
        f"give one as a pattern, such as '{_pattern_of(one)}'"
    )


def _pattern_of(path: Path) -> str:
    try:
        return str(path.with_name(Path(sequence_pattern(path.name)[0]).name))
    except InputError:
        return str(path)
