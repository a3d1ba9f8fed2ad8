"""Everyone in real clips: of one person each, of two side by side, and of two in alternating shots.

The comparison of people depends on the reader of people (``model/networks/person.py``), which is trained anew with
every network. ``crossings.py`` measures the rest on rendered clips with known truth.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ...model.array_types import IntArray, UInt8Array
from ...model.sight.people import Person
from ...model.sight.video import open_clip
from .crossings import split_screen, watched
from .film import Coding, write_clip
from .section import Cell, Score, Section, Table
from .subject import Subject

OF_ONE = ("performance_360p.mp4", "smile_360p.mp4", "face_then_none.mov")  # clips of one person each
SHOT = 20  # frames of a shot
CODING = Coding("H.264, 0.3 bits a pixel", bits=0.3)


def measure(subject: Subject, footage: Path) -> Section:
    """Measure the clips ``OF_ONE`` in ``footage``."""
    clips = [(name, 1, footage / name) for name in OF_ONE]
    with tempfile.TemporaryDirectory() as folder:
        beside, turns = Path(folder) / "beside.mp4", Path(folder) / "turns.mp4"
        pictures, whose = in_turn(footage / OF_ONE[0], footage / OF_ONE[1])
        write_clip(turns, pictures, CODING, np.random.default_rng(0))
        write_clip(beside, split_screen(footage / OF_ONE[0], footage / OF_ONE[1]), CODING, np.random.default_rng(0))
        clips += [("the first two side by side", 2, beside), ("the first two in alternating shots", 2, turns)]
        found = [watched(path, subject.estimator)[0] for _, _, path in clips]
    rows: list[tuple[Cell, ...]] = [
        (name, true, len(people), _seen(people)) for (name, true, _), people in zip(clips, found, strict=True)
    ]
    return Section(
        "Everyone",
        f"Real clips of one person each, who smile, cry, turn and cover their mouths, then clips made of the first "
        f"two: side by side, and in shots of {SHOT} frames. Each is read as *Find People* and `--everyone` do. Seen: "
        "the share of the frames of all people in which the person has a face.",
        (
            Score("clips with more or fewer people than there are", sum(r[1] != r[2] for r in rows), "lower", 0),
            Score("alternating shots: frames given to the right person", rightly(found[-1], whose), "higher"),
        ),
        (Table(("clip", "people", "found", "seen"), tuple(rows), "People found"),),
    )


def in_turn(first: Path, second: Path) -> tuple[list[UInt8Array], IntArray]:
    """Return shots of two clips by turns until one of them ends, and which clip each picture is from, (F,)."""
    with open_clip(first) as a, open_clip(second) as b:
        clips = [[frame.image for frame in clip] for clip in (a, b)]
    height, width = clips[0][0].shape[:2]
    pictures: list[UInt8Array] = []
    whose: list[int] = []
    for start in range(0, min(map(len, clips)) - SHOT + 1, SHOT):
        for which, clip in enumerate(clips):
            pictures += [cv2.resize(image, (width, height)) for image in clip[start : start + SHOT]]
            whose += [which] * SHOT
    return pictures, np.array(whose)


def rightly(people: Sequence[Person], whose: IntArray) -> float:
    """Return the share of the frames whose person is followed as one who is mostly seen in that person's frames."""
    right = np.zeros(len(whose), bool)
    for person in people:
        seen = person.performance.seen
        right |= seen & (whose == np.bincount(whose[seen], minlength=2).argmax())
    return float(right.mean())


def _seen(people: Sequence[Person]) -> float:
    return float(np.mean([person.performance.seen.mean() for person in people]))
