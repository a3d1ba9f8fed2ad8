"""Writing of PLY meshes as in the ExpNet release: text, millimetres with four decimals, optional colours.

The Polygon File Format is Greg Turk's (Stanford, 1994).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..array_types import FloatArray, IntArray, UInt8Array
from ..files import write_whole


def save_ply(path: str | Path, vertices: FloatArray, faces: IntArray, colours: UInt8Array | None = None) -> None:
    """Write a mesh atomically.

    vertices  (V, 3) mm;  faces  (F, 3) or (F, 4), 0-based, -1 for the fourth corner of a triangle
    colours   (V, 3) uint8 RGB, or None

    Raises InputError where it cannot be written.
    """
    header = ["ply", "format ascii 1.0", f"element vertex {len(vertices)}"]
    header += [f"property float {axis}" for axis in "xyz"]
    if colours is not None:
        header += [f"property uchar {colour}" for colour in ("red", "green", "blue")]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    write_whole(path, ("\n".join(header) + _points(vertices, colours) + _polygons(faces)).encode("ascii"))


def _points(vertices: FloatArray, colours: UInt8Array | None) -> str:
    line = "%.4f %.4f %.4f\n" if colours is None else "%.4f %.4f %.4f %d %d %d\n"
    numbers = np.asarray(vertices, np.float64)
    if colours is not None:
        numbers = np.hstack([numbers, colours])
    return line * len(numbers) % tuple(numbers.ravel().tolist())


def _polygons(faces: IntArray) -> str:
    if faces.shape[1] == 4 and (faces[:, 3] < 0).any():  # few models mix them: line by line
        return "".join(f"{(face >= 0).sum()} {' '.join(map(str, face[face >= 0]))}\n" for face in faces)
    corners = faces.shape[1]
    return (f"{corners}" + " %d" * corners + "\n") * len(faces) % tuple(faces.ravel().tolist())
