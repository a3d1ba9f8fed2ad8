"""Identity: distance of the head of alpha from the true head, from one view and pooled over several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...model.array_types import FloatArray, IntArray, UInt8Array
from ...model.builtin import OPEN
from ...model.camera import Camera, Crop
from ...model.face.alignment import similarity
from ...model.face.face_model import FaceModel, triangles
from ...model.formats import open_face_model
from ...model.networks.estimate import FaceEstimate
from ...model.sight.batches import identity_weight
from ..synthetic.brows import sample_brows
from ..synthetic.degrade import degrade, develop
from ..synthetic.expressions import sample_eta, sample_gaze
from ..synthetic.pose import sample_pose
from ..synthetic.sample import render
from ..synthetic.shape import blend, landmarks_of, sample_alpha, sample_ways, shape_head
from ..synthetic.surface import Surface, build_surface
from .section import Cell, Score, Section, Table
from .subject import Subject

SEED = 2  # 0 is training, 1 the held-out pictures
PEOPLE, VIEWS, SIZE = 20, 50, 128
POOLS = (1, 5, 50)
BARS = {("front", "1 view"): 1.6, ("front", "50 views"): 1.25}  # mm
YAWS = {"front": (0, 20), "side": (45, 75)}  # degrees
SEVEN_POINTS = [36, 39, 42, 45, 30, 48, 54]  # corners of the eyes, tip of the nose, corners of the mouth
REGIONS = ("nose", "mouth", "forehead", "cheek")


@dataclass(frozen=True, eq=False)
class Views:
    """One person: the true head at rest (V, 3) mm, the alpha in it, pictures (N, S, S, 3) uint8 by kind of view."""

    head: FloatArray
    alpha: FloatArray
    pictures: Mapping[str, UInt8Array]


def measure(subject: Subject, people: int = PEOPLE, views: int = VIEWS) -> Section:
    measured = SurfaceError(subject.model)
    errors: dict[tuple[str, str], list[FloatArray]] = {}
    for person in gallery(people, views, SIZE):
        for kind, pictures in person.pictures.items():
            seen = seen_identity(subject, pictures)
            answers = {"the mean head": np.zeros((1, seen.alpha.shape[1]))}
            if subject.model.average_alpha is not None:
                answers["people's mean"] = subject.model.average_alpha[None]
            for count in (n for n in POOLS if n <= views):
                answers[f"{count} view{'s' * (count > 1)}"] = heads_of(subject, seen, count)
            answers["its true alpha"] = person.alpha[None]
            for name, heads in answers.items():
                errors.setdefault((kind, name), []).append(measured(heads, person.head).mean(0))
    means = {key: np.mean(rows, 0) for key, rows in errors.items()}
    asked = [(kind, name) for kind, name in means if "view" in name]
    return Section(
        "Identity",
        f"{people} people that are in no other set, {views} pictures each from the front (yaw up to 20 degrees) and "
        "from the side (45 to 75). Each picture has another expression, gaze, camera and degradation; look and light "
        "are constant, as in a clip. alpha of 1, 5 and 50 pictures is read as in tracking: by the trained combined "
        "reading, or without it as the mean weighted by confidence and by how frontal the view is. The error is "
        "REALY's (Chai et al. 2022), with known correspondences: the estimated head at rest, S(alpha), is aligned "
        "with the true one by a similarity of seven landmarks (eye corners, nose tip, mouth corners), then each "
        "region separately by a rigid motion; the error is the mean distance of the region's points, by area. "
        "Forehead: from the eyes up to the hairline; nose and mouth: the surroundings of their landmarks; cheek: the "
        "rest of the face down to the jaw. True heads have proportions that alpha does not span: 'its true alpha' is "
        "the lower bound of the error. 'People's mean' is the alpha around which people are drawn.",
        tuple(Score(", ".join(of), float(means[of].mean()), "lower", BARS.get(of), "mm") for of in asked),
        tuple(_table(kind, means) for kind in YAWS),
    )


def _table(kind: str, means: dict[tuple[str, str], FloatArray]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (name, *map(float, error), float(error.mean())) for (of, name), error in means.items() if of == kind
    ]
    return Table(("", *REGIONS, "mean"), tuple(rows), f"Surface error in mm, seen from the {kind}")


# --- the pictures ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def gallery(people: int, views: int, size: int) -> tuple[Views, ...]:
    """Return the same people and pictures for all weights."""
    surface = build_surface(open_face_model(OPEN))
    return tuple(photographed(surface, person, views, size) for person in range(people))


def photographed(surface: Surface, person: int, views: int, size: int) -> Views:
    own = np.random.default_rng([SEED, person])
    alpha = sample_alpha(own, surface)
    ways = sample_ways(own)
    rest = np.zeros((1, len(surface.model.expression)), np.float32)
    heads, still = blend(surface, alpha[None], rest, np.zeros((1, 2), np.float32), ways[None])
    pictures = {}
    for which, (kind, span) in enumerate(YAWS.items()):
        pictures[kind] = np.stack(
            [_picture(surface, (person, which, view), alpha, ways, span, size) for view in range(views)]
        )
    head = shape_head(_shape_rng(person), surface, heads[0], still[0], rest[0], np.zeros(2, np.float32))
    return Views(head, alpha, pictures)


def _shape_rng(person: int) -> np.random.Generator:
    """Return a new generator of the same seed for every picture, for equal proportions and wrinkles."""
    return np.random.default_rng([SEED, person, 1])


def _picture(
    surface: Surface,
    which: tuple[int, int, int],
    alpha: FloatArray,
    ways: FloatArray,
    span: tuple[int, int],
    size: int,
) -> UInt8Array:
    person = which[0]
    rng = np.random.default_rng([SEED, *which, 2])
    yaw = np.radians(rng.uniform(*span)) * rng.choice([-1, 1])
    pitch, roll = (float(np.clip(rng.normal(0, s), -0.5, 0.5)) for s in (0.15, 0.1))
    eta, gaze = sample_eta(rng), sample_gaze(rng, yaw, pitch)
    pose = sample_pose(rng, yaw, pitch, roll, size, is_face=True)
    heads, moves = blend(surface, alpha[None], eta[None], gaze[None], ways[None])
    vertices = shape_head(_shape_rng(person), surface, heads[0], moves[0], eta, gaze)
    look = np.random.default_rng([SEED, person, 3])
    brows = sample_brows(look, surface, eta)
    marks = landmarks_of(surface, vertices, brows)
    distances = -(marks @ pose.rotation[2] + pose.translation[2])
    image, _ = render(look, surface, vertices, eta, brows, pose, size, pose.in_crop(marks), distances)
    return degrade(rng, develop(rng, image)).image


# --- the answers ----------------------------------------------------------------------------------------------------


def seen_identity(subject: Subject, pictures: UInt8Array) -> FaceEstimate:
    size = pictures.shape[1]
    crop, camera = Crop((size - 1) / 2, (size - 1) / 2, size), Camera.for_image(size, size)
    crops, cameras = [crop] * len(pictures), [camera] * len(pictures)
    seen = subject.estimator.finding.estimate(list(pictures), crops, cameras)
    return subject.estimator.read_with_mirror_images(cameras, seen)


def heads_of(subject: Subject, seen: FaceEstimate, count: int) -> FloatArray:
    """alpha of disjoint groups of ``count`` views, (N // count, 99), as tracking reads it."""
    person = subject.estimator.person
    if person is None:
        return pooled(seen.alpha, identity_weight(seen), count)
    assert seen.outputs is not None
    readings = person.readings(seen.outputs)
    groups = [slice(first, first + count) for first in range(0, len(readings) - count + 1, count)]
    return np.stack([person.alpha(readings[group], seen.confidence[group]) for group in groups])


def pooled(alpha: FloatArray, weight: FloatArray, count: int) -> FloatArray:
    """Weighted means over disjoint groups of ``count`` views, (N // count, 99)."""
    groups = len(alpha) // count
    a, w = alpha[: groups * count].reshape(groups, count, -1), weight[: groups * count].reshape(groups, count, 1)
    means: FloatArray = (a * w).sum(1) / w.sum(1)
    return means


class SurfaceError:
    """Called with alpha (B, 99) and a true head (V, 3): mean distances (B, 4) in mm by region."""

    def __init__(self, model: FaceModel) -> None:
        assert model.landmarks is not None
        self.model = model
        self.regions = face_regions(model)
        self.area = vertex_areas(model.neutral, triangles(model.faces))
        self.points = model.landmarks[SEVEN_POINTS]
        self.rows = np.unique(np.concatenate([self.points, *self.regions.values()]))
        self.basis = model.identity[:, self.rows].reshape(len(model.identity), -1)

    def __call__(self, alpha: FloatArray, truth: FloatArray) -> FloatArray:
        heads = self.model.neutral[self.rows] + (alpha @ self.basis).reshape(len(alpha), -1, 3)
        at = {name: np.searchsorted(self.rows, r) for name, r in self.regions.items()}
        seven = np.searchsorted(self.rows, self.points)
        return np.array([self._of_head(head, truth, at, seven) for head in heads])

    def _of_head(self, head: FloatArray, truth: FloatArray, at: Mapping[str, IntArray], seven: IntArray) -> list[float]:
        scale, rotation, shift = similarity(head[seven], truth[self.points])
        head = scale * head @ rotation.T + shift
        errors = []
        for name, rows in self.regions.items():
            mine, target, area = head[at[name]], truth[rows], self.area[rows]
            _, rotation, shift = similarity(mine, target, area, scaled=False)
            distance = np.linalg.norm(mine @ rotation.T + shift - target, axis=1)
            errors.append(float(np.average(distance, weights=area)))
        return errors


def face_regions(model: FaceModel) -> dict[str, IntArray]:
    """Return the vertex indices of REALY's four regions on the open head.

    The regions partition the face: the skin in front of the ears between hairline and jaw, without the inside of
    nostrils and eye sockets.
    """
    assert model.landmarks is not None
    at, marks = model.neutral, model.neutral[model.landmarks]
    x, y, z = at.T
    skin = np.zeros(len(at), bool)
    skin[model.regions["skin"]] = True
    for hidden in ("scalp", "nostrils", "eye_socket_L", "eye_socket_R"):
        skin[model.regions[hidden]] = False
    jaw = marks[:17]
    face = skin & (z > marks[0, 2]) & (y > np.interp(x, jaw[:, 0], jaw[:, 1])) & (np.abs(x) < jaw[-1, 0])
    bridge, base, mouth = marks[27], marks[33], marks[48:60]
    wing = np.interp(y, [base[1] - 5, bridge[1] + 6], [21, 11])  # half the nose's width, mm
    nose = face & (y > base[1] - 5) & (y < bridge[1] + 6) & (np.abs(x) < wing)
    lips = np.zeros(len(at), bool)
    lips[model.regions["lips"]] = True
    around = (y <= base[1] - 5) & (y > mouth[:, 1].min() - 8) & (np.abs(x) < mouth[:, 0].max() + 10)
    around = (around & face) | (lips & skin)
    forehead = face & ~nose & ~around & (y > marks[36:48, 1].min())
    cheek = face & ~nose & ~around & ~forehead
    return {name: np.flatnonzero(m) for name, m in zip(REGIONS, (nose, around, forehead, cheek), strict=True)}


def vertex_areas(points: FloatArray, corners: IntArray) -> FloatArray:
    """Return a third of the triangles around each vertex, (V,)."""
    a, b, c = points[corners].transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    return np.asarray(np.bincount(corners.ravel(), np.repeat(area, 3), len(points)), float)
