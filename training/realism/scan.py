"""Reads the head scan "Infinite" of Lee Perry-Smith (CC BY 3.0): a Draco-compressed glTF and its colours."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import cKDTree

from ...model.array_types import FloatArray, UInt8Array
from ...model.errors import InputError
from .makehuman import Mesh

# iBUG landmarks 27 to 67 in texels of the 1024 x 1024 colours, column and row
LANDMARKS = {
    27: (513, 296), 28: (513, 330), 29: (513, 362), 30: (511, 397), 31: (484, 424), 32: (498, 428), 33: (512, 431),
    34: (526, 428), 35: (541, 424),
    36: (412, 304), 37: (426, 301), 38: (449, 301), 39: (467, 304), 40: (449, 308), 41: (427, 308),
    42: (558, 304), 43: (576, 301), 44: (597, 301), 45: (612, 304), 46: (597, 308), 47: (576, 308),
    48: (454, 478), 49: (476, 466), 50: (500, 461), 51: (512, 463), 52: (525, 461), 53: (549, 466), 54: (570, 478),
    55: (549, 490), 56: (530, 495), 57: (512, 496), 58: (494, 495), 59: (475, 490),
}  # fmt: skip
SIDE = 1024


def read_scan(folder: Path) -> tuple[Mesh, UInt8Array]:
    """Return the mesh and its colours (SIDE, SIDE, 3) uint8 BGR. Needs the package DracoPy. Raises InputError."""
    try:
        import DracoPy
    except ImportError as error:
        raise InputError(f"{folder}: compressed with Draco: pip install DracoPy") from error
    colors = cv2.imread(str(folder / "color.jpg"))
    try:
        found = DracoPy.decode(_draco_part((folder / "LeePerrySmith.glb").read_bytes()))
    except (OSError, ValueError, KeyError, IndexError, struct.error) as error:
        raise InputError(f"{folder}: LeePerrySmith.glb cannot be read: {error}") from error
    if colors is None or colors.shape != (SIDE, SIDE, 3):
        raise InputError(f"{folder}: color.jpg of {SIDE} x {SIDE} pixels is missing")
    uv = np.asarray(found.tex_coord, float)
    return Mesh(np.asarray(found.points, float), np.asarray(found.faces, np.int32), uv), colors


def _draco_part(content: bytes) -> bytes:
    """Return the compressed mesh in a binary glTF (Khronos, glTF 2.0 section 4.4; KHR_draco_mesh_compression)."""
    if content[:4] != b"glTF":
        raise ValueError("no binary glTF")
    length = struct.unpack_from("<I", content, 12)[0]
    head = json.loads(content[20 : 20 + length])
    compressed = head["meshes"][0]["primitives"][0]["extensions"]["KHR_draco_mesh_compression"]
    view = head["bufferViews"][compressed["bufferView"]]
    start = 28 + length + view.get("byteOffset", 0)
    return content[start : start + view["byteLength"]]


def texel(uv: FloatArray) -> FloatArray:
    """Texture coordinates (..., 2) as column and row of the colours. Unlike in glTF, v runs up."""
    at: FloatArray = np.stack([uv[..., 0], 1 - uv[..., 1]], -1) * SIDE - 0.5
    return at


def inner_landmarks(mesh: Mesh) -> dict[int, int]:
    tree = cKDTree(texel(mesh.uv))
    return {k: int(tree.query(at)[1]) for k, at in LANDMARKS.items()}
