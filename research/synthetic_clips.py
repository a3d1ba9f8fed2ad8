"""Synthetic clips of one acting person each, with the truth of every frame.

The people and the renderer are those of training/evaluation/film.py; here the head turns while the face acts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..model.camera import ANCHOR, SIDE_MM, Camera, Crop, crop_of_pose
from ..model.face.semantics import OPEN_KEYS
from ..model.rotations import rotation_of_euler
from ..training.evaluation.film import DISTANCE, FACE, SIZE, Coding, Person, cast, film, write_clip
from ..training.synthetic.expressions import sample_eta
from ..training.synthetic.pose import Pose
from ..training.synthetic.shape import blend, shape_head
from ..training.synthetic.surface import Surface

CODING = Coding("H.264, 0.3 bits a pixel", bits=0.3)
HOLD, MOVE = (2, 12), (4, 12)  # frames that an expression is held and takes to change
BLINK_EVERY, BLINK = 60, (4, 8)  # frames
SWAY = 70.0  # frames: a typical turn of the head to one side and back
LENS_MM = FACE * DISTANCE / SIDE_MM / SIZE * 36.0  # of the clips' camera, for a 36 mm sensor

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClipTruth:
    """The truth of F frames.

    eta (F, 29);  alpha (99,);  rotation (F, 3, 3), translation (F, 3) mm;  head (V, 3) mm, the true head at rest, with
    proportions that no alpha has;  camera
    """

    eta: Floats
    alpha: Floats
    rotation: Floats
    translation: Floats
    head: Floats
    camera: Camera


def acting(rng: np.random.Generator, frames: int) -> Floats:
    """Return expressions (F, 29) that change into one another, are held, and are interrupted by blinks."""
    eta = np.zeros((frames, len(OPEN_KEYS)))
    at, before = 0, np.zeros(len(OPEN_KEYS))
    while at < frames:
        move, hold = int(rng.integers(*MOVE)), int(rng.integers(*HOLD))
        after = sample_eta(rng).astype(np.float64)
        share = 0.5 - 0.5 * np.cos(np.pi * (np.arange(move) + 1) / move)
        part = before + share[:, None] * (after - before)
        part = np.concatenate([part, np.repeat(after[None], hold, 0)])[: frames - at]
        eta[at : at + len(part)] = part
        at, before = at + len(part), after
    lids = [OPEN_KEYS.index("lid_L"), OPEN_KEYS.index("lid_R")]
    for first in range(int(rng.integers(5, BLINK_EVERY)), frames, BLINK_EVERY):
        way = (np.arange(frames) - first) / (rng.integers(*BLINK) / 2)
        shut = np.where(np.abs(way) < 1, np.cos(0.5 * np.pi * way) ** 2, 0)
        eta[:, lids] = np.maximum(eta[:, lids], shut[:, None])
    return eta


def turning(rng: np.random.Generator, frames: int, degrees: float) -> Floats:
    """Return a head's yaw, pitch and roll (F, 3), radians, smooth, with ``degrees`` of yaw as standard deviation."""
    time = 2 * np.pi * np.arange(frames)[:, None] / SWAY
    spread = np.radians(degrees) * np.array([1.0, 0.5, 0.3])
    waves = [np.sin(time * rng.uniform(0.5, 1.5, 3) + rng.uniform(0, 2 * np.pi, 3)) for _ in range(3)]
    turned: Floats = np.sqrt(2 / 3) * spread * np.sum(waves, 0)
    return turned


def acted_clip(surface: Surface, person: Person, frames: int, degrees: float, seed: int) -> tuple[Film, ClipTruth]:
    """Return the pictures and the truth of one person's clip. ``degrees``: the head's rotation."""
    rng = np.random.default_rng([seed, person.seed])
    eta = acting(rng, frames).astype(np.float32)
    middle = (SIZE - 1) / 2
    camera = Camera(FACE * DISTANCE / SIDE_MM, middle, middle)
    angles = turning(rng, frames, degrees) + rng.normal(0, 1, 3) * np.radians([6.0, 4.0, 2.0])
    rotation = np.array([rotation_of_euler(*row) for row in angles])
    sway = 12.0 * np.sin(
        2 * np.pi * np.arange(frames)[:, None] / SWAY * rng.uniform(0.5, 1.5, 3) + rng.uniform(0, 6, 3)
    )
    translation = np.array([0.0, 0.0, -DISTANCE]) + sway - rotation @ ANCHOR
    gaze = np.clip(-angles[:, :2], -0.5, 0.5).astype(np.float32)  # at the camera
    rest = np.zeros((1, len(OPEN_KEYS)), np.float32)
    heads, moves = blend(surface, person.alpha[None], rest, np.zeros((1, 2), np.float32), person.ways[None])
    still = np.random.default_rng([person.seed, 1])  # as film draws it
    head = shape_head(still, surface, heads[0], moves[0], rest[0], np.zeros(2, np.float32))
    truth = ClipTruth(
        eta.astype(np.float64), person.alpha.astype(np.float64), rotation, translation, head.astype(np.float64), camera
    )
    given = Crop(middle, middle, SIZE)

    def pictures() -> Film:
        for i in range(frames):
            pose = Pose(rotation[i], translation[i], camera, crop_of_pose(rotation[i], translation[i], camera), given)
            yield film(replace(person, pose=pose), surface, eta[i : i + 1], gaze[i : i + 1])[0]

    return pictures(), truth


Film = Iterator[NDArray[np.uint8]]


def people(surface: Surface, count: int, first: int = 0) -> list[Person]:
    """Return ``count`` people whose faces nothing hides, without the ``first`` ones."""
    return list(cast(surface, first + count))[first:]


def write_movie(path: Path, pictures: Film, seed: int) -> None:
    """Write pictures as a coded movie with noise."""
    write_clip(path, list(pictures), CODING, np.random.default_rng(seed))
