"""The named points by which an artist's head is registered, on the open head and on a face of 68 landmarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..array_types import FloatArray
from .template import lid_margin, open_head


@dataclass(frozen=True)
class Point:
    """A named point: the landmarks (iBUG's 68) whose middle it is near, and its weight in the fit.

    Points whose place along the surface is vague (the jaw, the ears, the brows) have a small weight.
    """

    landmarks: tuple[int, ...]
    weight: float = 1.0


# R and L are the subject's.
POINTS: Mapping[str, Point] = {
    "brow_outer_R": Point((17,), 0.2), "brow_middle_R": Point((19,), 0.2), "brow_inner_R": Point((21,), 0.2),
    "brow_inner_L": Point((22,), 0.2), "brow_middle_L": Point((24,), 0.2), "brow_outer_L": Point((26,), 0.2),
    "eye_outer_R": Point((36,)), "lid_upper_R": Point((37, 38)), "eye_inner_R": Point((39,)),
    "lid_lower_R": Point((40, 41)),
    "eye_inner_L": Point((42,)), "lid_upper_L": Point((43, 44)), "eye_outer_L": Point((45,)),
    "lid_lower_L": Point((46, 47)),
    "nose_bridge": Point((27,), 0.3), "nose_tip": Point((30,)), "nose_wing_R": Point((31,), 0.7),
    "nose_base": Point((33,), 0.7), "nose_wing_L": Point((35,), 0.7),
    "mouth_corner_R": Point((48,)), "lip_upper": Point((51,)), "mouth_corner_L": Point((54,)),
    "lip_lower": Point((57,)),
    "chin": Point((8,), 0.5), "jaw_R": Point((4,), 0.1), "jaw_L": Point((12,), 0.1),
    "ear_R": Point((0,), 0.1), "ear_L": Point((16,), 0.1),
}  # fmt: skip


@cache
def point_vertices() -> dict[str, int]:
    """Return the open head's vertex for each of ``POINTS``: its landmark, or the lid's edge nearest to the middle."""
    head = open_head()
    assert head.landmarks is not None
    found = {}
    for name, point in POINTS.items():
        found[name] = int(head.landmarks[point.landmarks[0]])
        if len(point.landmarks) > 1:
            # The lid's edge bulges between the two landmarks, along their mean direction from the eye's centre.
            centre = head.mean[head.regions[f"eyeball_{name[-1]}"]].mean(axis=0)
            lids = lid_margin(name[-1])
            margin = (lids.upper if "upper" in name else lids.lower)[0]
            pair = head.mean[head.landmarks[list(point.landmarks)]]
            ray = (pair.mean(axis=0) - centre) / np.linalg.norm(pair.mean(axis=0) - centre)
            away = head.mean[margin] - centre
            beside = np.linalg.norm(away - (away @ ray)[:, None] * ray, axis=1)
            found[name] = int(margin[beside.argmin()])
    return found


def open_points(vertices: FloatArray | None = None) -> dict[str, FloatArray]:
    """Return the points (3,) on the open head, or on ``vertices`` (V, 3) of its topology; mm, y up."""
    at = open_head().mean if vertices is None else vertices
    return {name: np.asarray(at[v], float) for name, v in point_vertices().items()}


def from_ibug68(vertices_3d: FloatArray) -> dict[str, FloatArray]:
    """Return ``POINTS`` of a face of which iBUG's 68 landmarks (68, 3) are known, in the same frame and units.

    The middle of a lid is not one of the 68. It lies off the middle of its two landmarks as on the open head.
    """
    at = np.asarray(vertices_3d, float)
    head = open_head()
    assert head.landmarks is not None
    reference = np.asarray(head.mean[head.landmarks], float)
    vertices = point_vertices()
    found: dict[str, FloatArray] = {}
    for name, point in POINTS.items():
        middle = at[list(point.landmarks)].mean(axis=0)
        if len(point.landmarks) > 1:
            corners = [36, 39] if name.endswith("_R") else [42, 45]
            bulge = head.mean[vertices[name]] - reference[list(point.landmarks)].mean(axis=0)
            frame, size = _eye_frame(reference, point, corners)
            there, there_size = _eye_frame(at, point, corners)
            middle = middle + there.T @ (frame @ bulge) * (there_size / size)
        found[name] = middle
    return found


def _eye_frame(points: FloatArray, point: Point, corners: list[int]) -> tuple[FloatArray, float]:
    """Return axes (3, 3) along the eye, across it and out of it, and the eye's width."""
    along = points[corners[1]] - points[corners[0]]
    size = max(float(np.linalg.norm(along)), 1e-12)
    along = along / size
    out = np.cross(along, points[list(point.landmarks)].mean(axis=0) - points[corners].mean(axis=0))
    out = out / max(float(np.linalg.norm(out)), 1e-12)
    return np.stack([along, np.cross(out, along), out]), size
