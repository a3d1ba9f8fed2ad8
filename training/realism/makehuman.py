"""Reads MakeHuman's base head (hm08), the head parts of its skins, and its brows. All of it is CC0 1.0.

Here everything is millimetres, x to the subject's left, y up, z out of the face, as in the files (decimetres).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import cKDTree

from ...model.array_types import FloatArray, IntArray, UInt8Array
from ...model.errors import InputError

MM_PER_UNIT = 100.0
BODY = "body"  # the group of the skin; the others are helpers for clothes
NECK = 640.0  # mm: faces that reach below are left out
SKIN_SIDE, CROP_LEFT, CROP_TOP = 2048, 1296, 360  # texels: what the crops are cut from, and where

# iBUG landmarks on the base mesh: of the middle and of the subject's left; the right half mirrors the left.
MIDDLE = {27: 133, 28: 5063, 29: 291, 30: 297, 33: 317, 51: 466, 57: 492, 62: 474, 66: 493}
LEFT = {
    34: 7077, 35: 7119,
    42: 13360, 43: 6838, 44: 6784, 45: 11473, 46: 11478, 47: 11480,
    52: 7216, 53: 7207, 54: 7182, 55: 7130, 56: 11939, 63: 7226, 64: 7206, 65: 7236,
}  # fmt: skip
RIGHT_OF = {
    34: 32, 35: 31, 42: 39, 43: 38, 44: 37, 45: 36, 46: 41, 47: 40,
    52: 50, 53: 49, 54: 48, 55: 59, 56: 58, 63: 61, 64: 60, 65: 67,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Mesh:
    """points (V, 3) mm, faces (F, 3 or 4) vertices, uv (V, 2) 0..1, v up: a vertex on a seam has one of its two."""

    points: FloatArray
    faces: IntArray
    uv: FloatArray


def read_obj(path: Path, group: str | None = None) -> Mesh:
    """Quads of an OBJ, those of one group if it is named. Raises InputError."""
    points, texels, corners, current = [], [], [], None
    try:
        for line in path.read_text("utf-8").splitlines():
            kind, *rest = line.split() or [""]
            if kind == "v":
                points.append([float(x) for x in rest[:3]])
            elif kind == "vt":
                texels.append([float(x) for x in rest[:2]])
            elif kind == "g":
                current = rest[0]
            elif kind == "f" and group in (None, current):
                corners.append([[int(i) - 1 for i in corner.split("/")[:2]] for corner in rest])
        faces = np.array(corners, np.int32)
        uv = np.zeros((len(points), 2))
        uv[faces[..., 0]] = np.array(texels)[faces[..., 1]]
        return Mesh(np.array(points) * MM_PER_UNIT, faces[..., 0], uv)
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{path}: no OBJ of quads with texture coordinates: {error}") from error


def read_head(path: Path) -> Mesh:
    """Return the skin of the base mesh's head. Vertices keep their numbers."""
    body = read_obj(path, BODY)
    return Mesh(body.points, body.faces[body.points[body.faces, 1].min(1) > NECK - 80], body.uv)


def inner_landmarks(points: FloatArray) -> dict[int, int]:
    """iBUG's landmarks 27 to 67 as vertices of the base mesh (V, 3)."""
    if len(points) <= max(*MIDDLE.values(), *LEFT.values()):
        raise InputError("the base mesh has fewer vertices than MakeHuman's hm08: take mesh/base.obj as it comes")
    tree = cKDTree(points)
    mirrored = {RIGHT_OF[k]: int(tree.query(points[v] * [-1, 1, 1])[1]) for k, v in LEFT.items()}
    return MIDDLE | LEFT | mirrored


def read_skin(path: Path) -> UInt8Array:
    """Return a head crop, (H, W, 3) uint8 BGR."""
    picture: UInt8Array | None = cv2.imread(str(path))
    if picture is None:
        raise InputError(f"{path}: not a picture")
    return picture


def crop_texel(uv: FloatArray) -> FloatArray:
    """Texture coordinates (..., 2) as column and row of a head crop."""
    return np.stack([uv[..., 0] * SKIN_SIDE - CROP_LEFT - 0.5, (1 - uv[..., 1]) * SKIN_SIDE - CROP_TOP - 0.5], -1)
