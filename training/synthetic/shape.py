"""The head's shape: Eq. (1) and what a linear model lacks."""

from __future__ import annotations

import numba as nb
import numpy as np

from ...model.face_model import gaze_pivot
from .noise import wavy
from .pose import rotation_of
from .skin import wrinkle_depth
from .surface import Surface

GAZE_UNIT = np.radians(30)  # of FaceModel.gaze_lids


def blend(
    surface: Surface, alpha: np.ndarray, eta: np.ndarray, gaze: np.ndarray, gains: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Eq. (1) of B heads at once, because one head at a time waits for memory: persons at rest (B, V, 3) and how each
    moves (B, V, 3), lids that follow ``gaze`` (B, 2) included. ``gains`` (B, 29) multiply eta (B, 29)."""
    model = surface.model
    persons = model.vertices(alpha)
    weights = eta * gains
    if model.gaze_lids is not None:
        left, up = (gaze / GAZE_UNIT).T
        shut = 1 - np.clip(eta[:, 5:7].mean(1), 0, 1)
        lids = np.maximum([up, -up, left, -left], 0) * shut
        weights = np.concatenate([weights, lids.T], 1)
    moves = weights.astype(np.float32) @ surface.gestures
    return persons, moves.reshape(persons.shape)


def shape_head(
    rng: np.random.Generator,
    surface: Surface,
    person: np.ndarray,
    move: np.ndarray,
    eta: np.ndarray,
    gaze: np.ndarray,
) -> np.ndarray:
    """Vertices (V, 3): one head of ``blend`` with other people's proportions, other people's way of making the same
    expression, and wrinkles; eyes turned."""
    mean = surface.model.neutral
    fields = [wavy(rng, mean, rng.uniform(50, 140)) for _ in range(3)]
    way = wavy(rng, mean, 80)
    vertices = np.empty_like(person)
    _deform(person, move, *fields, way, surface.loose, np.float32(rng.uniform(0, 1.6)), vertices)
    depth = wrinkle_depth(rng, surface, eta) * rng.uniform(0.5, 1.6)
    furrows = np.minimum(depth.astype(np.float32) @ surface.wrinkles, 1.5)
    vertices[surface.furrowed] -= surface.normals[surface.furrowed] * furrows[:, None]
    turn = rotation_of(float(gaze[0]), float(gaze[1]), 0).astype(np.float32)
    for side in "LR":
        ball = surface.model.regions[f"eyeball_{side}"]
        pivot = gaze_pivot(surface.model, person, side)
        vertices[ball] = (person[ball] - pivot) @ turn.T + pivot
    return vertices


@nb.njit(fastmath=True, cache=True)
def _deform(person, move, field_x, field_y, field_z, way, loose, amount, out):
    own, least, most, one = np.float32(0.18), np.float32(-0.35), np.float32(0.35), np.float32(1)
    for i in range(len(out)):
        gain = one + min(max(own * way[i], least), most) * loose[i]
        strength = amount * loose[i]
        out[i, 0] = person[i, 0] + gain * move[i, 0] + strength * field_x[i]
        out[i, 1] = person[i, 1] + gain * move[i, 1] + strength * field_y[i]
        out[i, 2] = person[i, 2] + gain * move[i, 2] + strength * field_z[i]


def sample_gains(rng: np.random.Generator, count: int) -> np.ndarray:
    """How strongly somebody makes each of ``count`` expressions; lids shut for all alike."""
    gains = np.exp(rng.normal(0, 0.1, count))
    gains[5:7] = 1
    return gains


def landmarks_of(surface: Surface, vertices: np.ndarray, gaze: np.ndarray) -> np.ndarray:
    """The 68 points and the two pupils (right, left), (70, 3)."""
    ahead = rotation_of(float(gaze[0]), float(gaze[1]), 0) @ np.array([0, 0, 12.5])
    pupils = [gaze_pivot(surface.model, vertices, side) + ahead for side in "RL"]
    return np.concatenate([vertices[surface.model.landmarks], pupils])
