"""Recall and false alarms of the finder, on composed scenes and on real pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...model.array_types import BoolArray, FloatArray, UInt8Array
from ...model.camera import Crop
from ...model.errors import InputError
from ...model.networks.estimate import FindsFaces, SeesFaces
from ...model.sight.finder import FoundFace, find_faces
from ...model.sight.images import read_image
from ...model.sight.sequences import IMAGE_SUFFIXES
from ...model.sight.tracking import perform
from ...model.sight.video import open_clip
from ..synthetic.cutouts import Cutouts
from ..synthetic.scenes import Scene, SceneKind, sample_scene
from .section import Cell, Score, Section, Table
from .subject import Subject

FACE_WIDTH = 0.72  # of a crop's side: cheek to cheek
SIZES = (16, 24, 40, 80, 160, 400)  # pixels of a face's width
ROLLS, YAWS = (0, 15, 30, 48), (0, 25, 50, 90)  # degrees
SCENES, EMPTY_SCENES = 200, 100
KIND = SceneKind((640, 360), (SIZES[0] / FACE_WIDTH, 280 / FACE_WIDTH), 6, 5)
SHIFT, SCALE = 0.3, 0.5  # sides, log: a larger distance counts as another face
EVERY = 24  # frames of a clip
CANVAS = (640, 360)

Find = Callable[[UInt8Array, FindsFaces, bool], list[FoundFace]]


@dataclass(frozen=True)
class Example:
    """A real picture and the crop of its only face, or None."""

    image: UInt8Array
    crop: Crop | None


def measure(subject: Subject, cutouts: Path, pictures: Path, footage: Path, find: Find = find_faces) -> Section:
    """Measure the finder on composed pictures, real pictures and clips.

    ``cutouts`` is a stock of seed 1. ``pictures`` are real pictures with one face each. ``footage`` are clips with one
    face or none. False alarms are also counted in the parts of the clips that show nobody.
    """
    stock, rng = Cutouts(cutouts, seed=1), np.random.default_rng(1)
    scenes = [sample_scene(rng, stock, KIND) for _ in range(SCENES)]
    empty = [sample_scene(rng, stock, KIND, faces=False) for _ in range(EMPTY_SCENES)]
    found = Found.of(scenes, subject.estimator, find)
    nothing = Found.of(empty, subject.estimator, find)
    examples = list(_examples(pictures, footage, subject.estimator))
    real, milliseconds = _real(examples, subject.estimator, find)
    faceless = [e.image for e in examples if e.crop is None]
    alarms = [sum(len(find(image, subject.estimator, way)) for image in faceless) for way in (True, False)]
    recall = [float(row[1]) for row in real]
    scores = (
        Score("recall, faces of 24 pixels and more in scenes", found.recall(found.widths >= 24), "higher"),
        Score("recall, faces of 16-24 pixels in scenes", found.recall(found.widths < 24), "higher"),
        Score("false alarms per scene", found.alarms / SCENES, "lower"),
        Score("false alarms per scene without a face", nothing.alarms / EMPTY_SCENES, "lower"),
        Score("recall, real pictures, mean of the rows", float(np.mean(recall)), "higher"),
        Score(f"false alarms in {len(faceless)} real pictures without a face", float(alarms[0]), "lower"),
    )
    return Section(
        "The finder",
        f"{SCENES} composed scenes of {KIND.size[0]} x {KIND.size[1]} pixels with {len(found.widths)} faces, "
        f"{EMPTY_SCENES} with backs of heads, hands, heads without features, spotted blobs and letters only; then "
        f"{len(examples)} real pictures, with and without one face, disturbed in ways whose effect is known. A face "
        f"is found when a crop lies within {SHIFT} sides of its own and within a factor of {np.exp(SCALE):.2f} of its "
        f"size. On real pictures the search takes {milliseconds[True]:.0f} ms (thorough) and {milliseconds[False]:.0f} "
        "ms (quick, as in footage).",
        scores,
        (
            _recall_table("Size, pixels across the face", SIZES, found.widths, found),
            _recall_table("Lean, degrees", ROLLS, found.rolls, found),
            _recall_table("Turn (yaw), degrees", YAWS, found.yaws, found),
            Table(
                ("real pictures", "thorough", "quick", "places too many"),
                tuple(real),
                "Recall on real faces, by what was done to the picture",
            ),
        ),
    )


@dataclass(frozen=True, eq=False)
class Found:
    """Results for N labelled faces.

    Holds the width in pixels, |roll| and |yaw| in degrees, whether each face is found, and the number of false alarms.
    """

    widths: FloatArray
    rolls: FloatArray
    yaws: FloatArray
    hit: BoolArray
    alarms: int

    @staticmethod
    def of(scenes: Sequence[Scene], estimator: SeesFaces, find: Find) -> Found:
        rows, hits, alarms = [np.zeros((0, 6))], [np.zeros(0, bool)], 0
        for scene in scenes:
            crops = [f.crop for f in find(scene.image, estimator, True)]
            truth = [Crop(*face[:4]) for face in scene.faces]
            rows.append(scene.faces)
            hits.append(np.array([any(same_place(t, c) for c in crops) for t in truth], bool))
            unclear = [Crop(*place) for place in scene.unclear]
            alarms += sum(
                not any(same_place(t, c) for t in truth) and not any(_near(u, c) for u in unclear) for c in crops
            )
        faces = np.concatenate(rows)
        return Found(
            FACE_WIDTH * faces[:, 2],
            np.degrees(np.abs(faces[:, 3])),
            np.degrees(np.abs(faces[:, 4])),
            np.concatenate(hits),
            alarms,
        )

    def recall(self, chosen: BoolArray) -> float:
        return float(self.hit[chosen].mean()) if chosen.any() else float("nan")


def same_place(truth: Crop, crop: Crop) -> bool:
    dx, dy, log_scale, _ = truth.offset_to(crop)
    return bool(np.hypot(dx, dy) < SHIFT and abs(log_scale) < SCALE)


def _near(truth: Crop, crop: Crop) -> bool:
    return bool(np.hypot(truth.cx - crop.cx, truth.cy - crop.cy) < 0.6 * max(truth.side, crop.side))


def _recall_table(title: str, edges: Sequence[int], values: FloatArray, found: Found) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (values >= low) & (values < high)
        rows.append((f"{low}-{high}", int(inside.sum()), found.recall(inside)))
    return Table((title, "faces", "recall"), tuple(rows))


def _examples(pictures: Path, footage: Path, estimator: SeesFaces) -> Iterator[Example]:
    """Return pictures with one face, and every 24th frame of the clips.

    In clips the position comes from tracking, which processes every frame and uses the previous position.
    """
    for path in sorted(p for p in pictures.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES):
        image = read_image(path)
        faces = find_faces(image, estimator)
        if faces:
            yield Example(image, faces[0].crop)
    for path in sorted(p for p in footage.iterdir() if p.is_file() and not p.name.startswith(".")):
        with suppress(InputError):
            with open_clip(path) as clip:
                tracked = perform(clip, estimator)
            with open_clip(path) as clip:
                for frame in clip:
                    if frame.index % EVERY == 0:
                        seen = tracked.confidence[frame.index] > 0.5
                        yield Example(frame.image, Crop(*tracked.crop[frame.index]) if seen else None)


def _real(
    examples: Sequence[Example], estimator: SeesFaces, find: Find
) -> tuple[list[tuple[Cell, ...]], dict[bool, float]]:
    """Rows of (what was done, recall thorough, recall quick, places found that are no face); milliseconds a search."""
    faces = [(e.image, e.crop) for e in examples if e.crop is not None]
    if not faces:
        raise InputError("no real face was found in the pictures and clips: name folders that hold some")
    rng = np.random.default_rng(2)
    rows: list[tuple[Cell, ...]] = []
    took: dict[bool, list[float]] = {True: [], False: []}
    for name, change in CHANGES.items():
        changed = [change(image, crop, rng) for image, crop in faces]
        hits, extra = {True: 0, False: 0}, 0
        for image, truth in changed:
            for way in hits:
                start = time.perf_counter()
                crops = [f.crop for f in find(image, estimator, way)]
                took[way].append(time.perf_counter() - start)
                hits[way] += any(same_place(truth, c) for c in crops)
                extra += sum(not same_place(truth, c) for c in crops)
        rows.append((name, hits[True] / len(faces), hits[False] / len(faces), extra))
    return rows, {way: 1e3 * float(np.median(times)) for way, times in took.items()}


Change = Callable[[UInt8Array, Crop, np.random.Generator], tuple[UInt8Array, Crop]]


def _placed(side: float, turn: float = 0.0, at: tuple[float, float] = (0.5, 0.5)) -> Change:
    """Place the face in a picture of 640 x 360, ``side`` pixels large.

    The face is rotated by ``turn`` degrees and centred ``at`` a position in shares of the picture. The border is
    repeated where the picture has no content.
    """

    def change(image: UInt8Array, crop: Crop, rng: np.random.Generator) -> tuple[UInt8Array, Crop]:
        scale = side / crop.side
        if scale < 0.7:
            small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            sx, sy = small.shape[1] / image.shape[1], small.shape[0] / image.shape[0]
            crop = Crop((crop.cx + 0.5) * sx - 0.5, (crop.cy + 0.5) * sy - 0.5, crop.side * sx, crop.angle)
            image, scale = small, side / crop.side
        angle = np.radians(turn)
        c, s = scale * np.cos(angle), scale * np.sin(angle)
        x, y = at[0] * CANVAS[0], at[1] * CANVAS[1]
        matrix = np.array([[c, -s, x - c * crop.cx + s * crop.cy], [s, c, y - s * crop.cx - c * crop.cy]])
        out = cv2.warpAffine(image, matrix, CANVAS, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return out, Crop(x, y, side, crop.angle + angle)

    return change


def _then(first: Change, pixels: Callable[[FloatArray, np.random.Generator], FloatArray]) -> Change:
    def change(image: UInt8Array, crop: Crop, rng: np.random.Generator) -> tuple[UInt8Array, Crop]:
        image, crop = first(image, crop, rng)
        return np.clip(pixels(image.astype(np.float32), rng), 0, 255).astype(np.uint8), crop

    return change


def _as_it_is(image: UInt8Array, crop: Crop, rng: np.random.Generator) -> tuple[UInt8Array, Crop]:
    return image, crop


def _blurred(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    blurred: FloatArray = cv2.GaussianBlur(image, (0, 0), 5)
    return blurred


CHANGES: dict[str, Change] = {
    "as it is": _as_it_is,
    "leaning by 20 degrees": _placed(150, 20),
    "leaning by -20 degrees": _placed(150, -20),
    "leaning by 40 degrees": _placed(150, 40),
    "leaning by -40 degrees": _placed(150, -40),
    "40 pixels across the face": _placed(40 / FACE_WIDTH, 0, (0.3, 0.6)),
    "24 pixels": _placed(24 / FACE_WIDTH, 0, (0.3, 0.6)),
    "20 pixels": _placed(20 / FACE_WIDTH, 0, (0.7, 0.4)),
    "16 pixels": _placed(16 / FACE_WIDTH, 0, (0.7, 0.4)),
    "24 pixels, leaning by 30 degrees": _placed(24 / FACE_WIDTH, 30, (0.4, 0.6)),
    "dark (a fifth of the light)": _then(_placed(120), lambda image, rng: image * 0.2),
    "very dark, noisy": _then(_placed(120), lambda image, rng: image * 0.12 + rng.normal(0, 4, image.shape)),
    "blurred (sigma 5 of 120 pixels)": _then(_placed(120), _blurred),
    "grey, noisy": _then(
        _placed(90),
        lambda image, rng: image.mean(2, keepdims=True) + rng.normal(0, 20, image.shape[:2] + (1,)) + 0 * image,
    ),
    "cut by the border at the nose": _placed(160, 0, (0.5, 0.02)),
    "cut at the side": _placed(160, 0, (0.04, 0.5)),
    "larger than the picture": _placed(420),
}
