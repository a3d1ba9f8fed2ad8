"""The open head as an artist's: its parts in Blender's frame, whose keys are known."""

from __future__ import annotations

import numpy as np

from expnet.model.array_types import FloatArray, IntArray
from expnet.model.face.face_model import triangles
from expnet.model.own_head.fit import TO_MODEL
from expnet.model.own_head.landmarks import open_points
from expnet.model.own_head.parts import HeadPart, Kind
from expnet.model.own_head.template import open_head

PARTS: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "head": ("skin", ("skin", "mouth_socket")),
    "ball_L": ("eye_L", ("eyeball_L",)),
    "ball_R": ("eye_R", ("eyeball_R",)),
    "row_one": ("teeth_upper", ("teeth_upper", "gums_upper")),
    "row_two": ("teeth_lower", ("teeth_lower", "gums_lower")),
    "in_between": ("tongue", ("tongue",)),
    "hairs": ("lashes", ("lashes_L", "lashes_R")),
}


def to_artist(points: FloatArray) -> FloatArray:
    """Turn points from the model's frame in mm to Blender's in metres: z up, the face looks along -y."""
    turned: FloatArray = np.asarray(points, float) @ TO_MODEL / 1000
    return turned


def to_model(offsets: FloatArray) -> FloatArray:
    turned: FloatArray = np.asarray(offsets, float) * 1000 @ TO_MODEL.T
    return turned


def members(part: str) -> IntArray:
    """Return the open head's vertices of a part."""
    found: IntArray = np.sort(np.concatenate([open_head().regions[r] for r in PARTS[part][1]]))
    return found


def open_parts(vertices: FloatArray | None = None, names: tuple[str, ...] = tuple(PARTS)) -> list[HeadPart]:
    """Return the open head, or another of its topology (V, 3) mm, as an artist's parts."""
    head = open_head()
    at = to_artist(head.mean if vertices is None else vertices)
    parts = []
    for name in names:
        these = members(name)
        number = np.full(len(at), -1)
        number[these] = np.arange(len(these))
        faces = number[triangles(head.faces)]
        parts.append(HeadPart(name, at[these], faces[(faces >= 0).all(axis=1)].astype(np.int64), PARTS[name][0]))
    return parts


def artist_points(vertices: FloatArray | None = None) -> dict[str, FloatArray]:
    return {name: to_artist(at) for name, at in open_points(vertices).items()}
