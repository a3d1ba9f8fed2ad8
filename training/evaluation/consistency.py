"""Stability of the network on real pictures without ground truth, under changes that must not matter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from ...model.array_types import FloatArray, UInt8Array
from ...model.camera import Camera, Crop
from ...model.errors import InputError
from ...model.face.semantics import OPEN_KEYS, mirror_open_eta, open_bounds
from ...model.networks.cutting import cut
from ...model.networks.torch_engine.estimator import Estimator
from ...model.sight.finder import find_faces
from ...model.sight.images import read_image
from ...model.sight.sequences import IMAGE_SUFFIXES
from ...model.sight.video import open_clip
from .section import Cell, Score, Section, Table
from .subject import Subject

BAR = 0.05  # of a key's range
EVERY = 12  # frames of a clip
FACE, ROOM = 128, 2  # every face is first brought to so many pixels, in a picture so many times as large
CENTRE = (FACE * ROOM - 1) / 2
TINY = 26  # pixels across the crop: the paper's scale of 0.2
JITTER = np.array([0.03, 0.03, 0.06, 0.05])  # sides, sides, log scale, radians, at most: about what tracking leaves
MOVES = 8  # random crops per face
BLUR, NOISE, QUALITY = 1.5, 6.0, 30  # pixels, grey levels, JPEG's own scale


def measure(subject: Subject, pictures: Path, footage: Path) -> Section:
    """Measure the stability of the readings.

    ``pictures`` and ``footage`` are folders of real pictures and clips with faces; every twelfth frame is used.
    """
    faces = [face for folder in (pictures, footage) for face in _faces(folder, subject.estimator)]
    if not faces:
        raise InputError(f"{pictures}, {footage}: no faces were found there: give folders with pictures of faces")
    rng = np.random.default_rng(0)
    rests, rows = zip(*(changes(face, subject.estimator, rng) for face in faces))
    low, high = open_bounds().T
    share = {name: np.mean([row[name] for row in rows], 0) / (high - low) for name in rows[0]}
    others = np.mean([np.abs(a - b) for a, b in combinations(rests, 2)] or [np.full(len(low), np.nan)], 0)
    return Section(
        "Real pictures under small changes",
        f"{len(faces)} faces of real pictures and of every {EVERY}th frame of clips, each scaled to {FACE} pixels. "
        "The table has the mean change of the keys, in shares of their ranges, under changes that do not alter the "
        f"expression: the picture mirrored; the crop moved by up to {JITTER[0]:.0%} of its side, {JITTER[2]:.0%} in "
        f"size and {np.degrees(JITTER[3]):.0f} degrees; blurred by {BLUR} pixels; {TINY} pixels across instead of "
        f"{FACE}; noise of {NOISE:.0f} grey levels; JPEG of quality {QUALITY}. A network with constant output would "
        "reach 0; the last row shows how much the keys of two different faces differ.",
        tuple(Score(f"change, {name}", float(v.mean()), "lower", BAR) for name, v in share.items()),
        (_table(share | {"another face": others / (high - low)}),),
    )


def _table(share: dict[str, FloatArray]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, keys in share.items():
        order = np.argsort(-keys)[:3]
        rows.append((name, float(keys.mean()), ", ".join(f"{OPEN_KEYS[i]} {keys[i]:.2f}" for i in order)))
    return Table(("", "mean", "the keys that change most"), tuple(rows), "Change in shares of a key's range")


def _faces(folder: Path, estimator: Estimator) -> Iterator[UInt8Array]:
    """Cut the largest face of each picture and of every twelfth frame, (256, 256, 3), the crop in the middle."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder: name one that holds pictures or clips of faces")
    for path in sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")):
        with suppress(InputError):  # skip files that are neither pictures nor clips
            for image in _images(path):
                faces = find_faces(image, estimator)
                if faces:
                    crop = faces[0].crop
                    yield cut(image, Crop(crop.cx, crop.cy, crop.side * ROOM, crop.angle), FACE * ROOM)


def _images(path: Path) -> Iterator[UInt8Array]:
    if path.suffix.lower() in IMAGE_SUFFIXES:
        yield read_image(path)
        return
    with open_clip(path) as clip:
        for frame in clip:
            if frame.index % EVERY == 0:
                yield frame.image


def changes(
    face: UInt8Array, estimator: Estimator, rng: np.random.Generator
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """eta (29,) of a face in the middle of (256, 256, 3), and by name its mean absolute change (29,)."""
    camera = Camera.for_image(*face.shape[1::-1])
    crop = Crop(CENTRE, CENTRE, FACE)

    def eta(pictures: list[UInt8Array], crops: list[Crop]) -> FloatArray:
        return estimator.estimate(pictures, crops, [camera] * len(crops)).eta

    noisy = np.clip(face + rng.normal(0, NOISE, face.shape), 0, 255).astype(np.uint8)
    coded = cv2.imdecode(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1], cv2.IMREAD_COLOR)
    pictures = [face, face[:, ::-1].copy(), cv2.GaussianBlur(face, (0, 0), BLUR), noisy, coded]
    rest, mirrored, blurred, noised, jpeg = eta(pictures, [crop] * len(pictures))
    moved = eta([face] * MOVES, [crop.moved(*(rng.uniform(-1, 1, 4) * JITTER)) for _ in range(MOVES)])
    tiny = cv2.resize(face, (TINY * ROOM, TINY * ROOM), interpolation=cv2.INTER_AREA)
    small = eta([tiny], [Crop((TINY * ROOM - 1) / 2, (TINY * ROOM - 1) / 2, TINY)])
    disturbed = {
        "mirrored": mirror_open_eta(mirrored)[None],
        "the crop moves": moved,
        "blurred": blurred[None],
        f"{TINY} pixels across": small,
        "noisy": noised[None],
        "coded as JPEG": jpeg[None],
    }
    return rest, {name: np.abs(tries - rest).mean(0) for name, tries in disturbed.items()}
