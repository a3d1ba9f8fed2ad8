"""Synthetic clips of one person each, with the truth of every frame and real video coding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...model.array_types import BoolArray, FloatArray, UInt8Array
from ...model.camera import ANCHOR, SIDE_MM, Camera, Crop, crop_of_pose
from ...model.rotations import rotation_of_euler
from ..synthetic.brows import sample_brows
from ..synthetic.degrade import develop
from ..synthetic.pose import Pose
from ..synthetic.sample import render
from ..synthetic.shape import blend, landmarks_of, sample_alpha, sample_ways, shape_head
from ..synthetic.surface import Surface

FPS = 30
SIZE, FACE = 256, 150  # pixels of a picture, and across the face's crop
DISTANCE = 900.0  # mm
TURN = (0.25, 0.12, 0.1)  # radians: one standard deviation of yaw, pitch and roll
NOISE = 3.0  # grey levels, fresh in every frame
HIDDEN = 0.1  # the share of a person's landmarks that may be occluded


@dataclass(frozen=True)
class Coding:
    """H.264 at ``bits`` a pixel, or every frame a JPEG of ``quality``."""

    name: str
    bits: float = 0.0
    quality: int = 0


@dataclass(frozen=True, eq=False)
class Person:
    """A person before the camera; ``seed`` fixes their looks, light and surroundings for all frames."""

    seed: int
    pose: Pose
    alpha: FloatArray
    ways: FloatArray


def cast(surface: Surface, count: int, first: int = 0) -> Iterator[Person]:
    """Yield ``count`` people whose faces are not occluded, from the seed ``first`` on."""
    seed, rest = first, np.zeros(len(surface.model.expression), np.float32)
    while count:
        rng = np.random.default_rng(seed)
        alpha = sample_alpha(rng, surface, limit=2.5)
        person = Person(seed, _pose(rng), alpha, sample_ways(rng))
        _, visible = next(_frames(person, surface, rest[None], np.zeros((1, 2), np.float32)))
        if visible.mean() >= 1 - HIDDEN:
            count -= 1
            yield person
        seed += 1


def film(person: Person, surface: Surface, eta: FloatArray, gaze: FloatArray) -> list[UInt8Array]:
    """Return the person doing ``eta`` (F, 29) and ``gaze`` (F, 2): F pictures (SIZE, SIZE, 3) uint8, without noise."""
    return [picture for picture, _ in _frames(person, surface, eta, gaze)]


def _pose(rng: np.random.Generator) -> Pose:
    return posed(rotation_of_euler(*(rng.normal(0, 1, 3) * TURN)))


def posed(rotation: FloatArray) -> Pose:
    """Return the pose of a head, turned by ``rotation`` (3, 3), in the middle of a film's picture."""
    translation = np.array([0, 0, -DISTANCE]) - rotation @ ANCHOR
    middle = (SIZE - 1) / 2
    camera = Camera(FACE * DISTANCE / SIDE_MM, middle, middle)
    return Pose(rotation, translation, camera, crop_of_pose(rotation, translation, camera), Crop(middle, middle, SIZE))


def _frames(
    person: Person, surface: Surface, eta: FloatArray, gaze: FloatArray
) -> Iterator[tuple[UInt8Array, BoolArray]]:
    count, pose = len(eta), person.pose
    heads = blend(surface, np.tile(person.alpha, (count, 1)), eta, gaze, np.tile(person.ways, (count, 1)))
    for own, move, e, g in zip(*heads, eta, gaze, strict=True):
        rng = np.random.default_rng([person.seed, 1])
        vertices = shape_head(rng, surface, own, move, e, g)
        brows = sample_brows(rng, surface, e)
        marks = landmarks_of(surface, vertices, brows)
        distances = -(marks @ pose.rotation[2] + pose.translation[2])
        image, visible = render(rng, surface, vertices, e, brows, pose, SIZE, pose.in_crop(marks), distances)
        yield (develop(rng, image) * 255 + 0.5).astype(np.uint8), visible


def write_clip(path: Path, pictures: Sequence[UInt8Array], coding: Coding, rng: np.random.Generator) -> None:
    """Write the pictures, each with its own noise, as an .mp4 movie."""
    import av  # only this function needs it, and OpenCV's wheels have no H.264 encoder

    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as movie:
        stream = movie.add_stream("libx264" if coding.bits else "mjpeg", rate=FPS)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv420p" if coding.bits else "yuvj420p"
        stream.bit_rate = int(coding.bits * width * height * FPS) or 20_000_000
        for picture in pictures:
            noisy = np.clip(picture + rng.normal(0, NOISE, picture.shape), 0, 255).astype(np.uint8)
            if coding.quality:
                code = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, coding.quality])[1]
                noisy = cv2.imdecode(code, cv2.IMREAD_COLOR)
            movie.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, "bgr24")))
        movie.mux(stream.encode(None))
