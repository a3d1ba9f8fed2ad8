"""USC ICT's FaceKit, the folder ``FaceXModel``: one OBJ file per shape, all of one topology, centimetres.

    generic_neutral_mesh.obj      26,719 vertices, quads and a few triangles, UVs
    identity000.obj ...           the neutral moved by one sigma of each of 100 identity modes
    browDown_L.obj ...            the neutral moved by each expression, with ARKit's names and _L and _R
    vertex_indices.json           the list of expressions and the 68 landmarks

The frame is the head model's (x to the subject's left, y up, z out of the face); units are multiplied by ten. All
vertices are kept, in their order. The faces of the transparent shells around the eyes (tear film, occlusion) are not
kept: they need a game engine's shaders, and would hide the eyes.
"""

from __future__ import annotations

import re
import warnings
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..array_types import AnyArray, FloatArray, IntArray
from ..errors import InputError
from ..face.face_model import FaceModel
from ..face.semantics import ICT_BASIS
from ..files import is_file
from ..reading import json_object, reading
from .arrays import as_indices

NAME = "ict-facekit"
NEUTRAL = "generic_neutral_mesh.obj"
INDICES = "vertex_indices.json"
LICENSE = "MIT (ICT-FaceKit, Copyright (c) 2020 USC Institute for Creative Technologies)"
MM = 10.0  # the files are in centimetres

_MAX_FILE = 64 * 2**20
_MAX_VERTICES = 250_000  # ten times those of the release
_MAX_SHAPES = 1000
_REMEDY = "download FaceXModel again"

# First and last vertex of each part, as the release's README lists them. Gums, tongue and throat are separated by
# their UV islands.
_PARTS: dict[str, tuple[tuple[int, int], ...]] = {
    "skin": ((0, 11247),),
    "mouth_socket": ((11248, 13293), (15823, 16317), (16566, 16610)),
    "eye_socket_L": ((13294, 13677),),
    "eye_socket_R": ((13678, 14061),),
    "gums_upper": ((14062, 14629), (15226, 15514)),
    "gums_lower": ((14630, 15225), (15515, 15822)),
    "tongue": ((16318, 16565), (16611, 17038)),
    "teeth_upper": ((17039, 19246),),
    "teeth_lower": ((19247, 21450),),
    "eyeball_L": ((21451, 23020),),
    "eyeball_R": ((23021, 24590),),
    "iris_L": ((22221, 23020),),
    "iris_R": ((23791, 24590),),
    "lashes_L": ((25351, 26034),),
    "lashes_R": ((26035, 26718),),
    "eye_shells": ((24591, 25350),),
}
_RELEASED_VERTICES = 26719

# The lid shapes of a full gaze up, down, to the subject's left and right.
_GAZE = (
    ("eyeLookUp_L", "eyeLookUp_R"),
    ("eyeLookDown_L", "eyeLookDown_R"),
    ("eyeLookOut_L", "eyeLookIn_R"),
    ("eyeLookIn_L", "eyeLookOut_R"),
)


def matches(folder: Path) -> bool:
    """Return whether this is the folder FaceXModel."""
    return is_file(folder / NEUTRAL)


def read(folder: Path, identity_components: int | None) -> FaceModel:
    """Read the model in mm. Raises InputError when a file is missing or broken."""
    neutral_path = folder / NEUTRAL
    text = _text(neutral_path)
    mean = read_vertices(neutral_path, text, None)
    faces, uv = read_faces(neutral_path, text, len(mean))
    info = _info(folder / INDICES)

    def offsets(names: list[str]) -> FloatArray:
        out = np.empty((len(names), len(mean), 3), np.float32)
        for i, name in enumerate(names):
            path = folder / f"{name}.obj"
            out[i] = (read_vertices(path, _text(path), len(mean)) - mean) * MM
        return out

    identities = sorted(p.stem for p in folder.glob("identity[0-9][0-9][0-9].obj"))[:identity_components]
    if not identities:
        raise InputError(f"{folder}: identity000.obj or the files like it are missing; download FaceXModel again")
    expressions: list[str] = info["expressions"]
    expression = offsets(expressions)
    keys = {name: i for i, name in enumerate(expressions)}
    gaze_lids = None
    if all(name in keys for pair in _GAZE for name in pair):
        gaze_lids = np.stack([expression[keys[a]] + expression[keys[b]] for a, b in _GAZE])
    landmarks = None
    if info.get("idx_to_landmark_verts"):
        with reading(folder / INDICES, "JSON", _REMEDY):
            values = np.array(info["idx_to_landmark_verts"], np.int64).reshape(-1)
        landmarks = as_indices(folder / INDICES, "idx_to_landmark_verts", values, len(mean), first=0)
    regions = _regions(len(mean))
    seen = ~np.isin(faces, regions.get("eye_shells", [])).any(axis=1)
    return FaceModel(
        name=NAME,
        mean=(mean * MM).astype(np.float32),
        identity=offsets(identities),
        expression=expression,
        expression_offset=np.zeros((len(mean), 3), np.float32),
        faces=faces[seen],
        expression_keys=tuple(expressions),
        expression_bounds=np.tile(np.array([0, 1], np.float32), (len(expressions), 1)),
        basis=ICT_BASIS,
        identity_sigma=np.ones(len(identities), np.float32),
        uv=uv[seen],
        landmarks=landmarks,
        regions=regions,
        gaze_lids=gaze_lids,
        license=LICENSE,
        source=f"ICT-FaceKit {folder.name}",
    )


def _regions(vertices: int) -> dict[str, IntArray]:
    if vertices != _RELEASED_VERTICES:
        return {}
    return {
        name: np.concatenate([np.arange(first, last + 1, dtype=np.int32) for first, last in ranges])
        for name, ranges in _PARTS.items()
    }


def _info(path: Path) -> dict[str, Any]:
    text = _text(path)
    with reading(path, "JSON", _REMEDY):
        info = json_object(text)
    names = info.get("expressions")
    # The names become file names, so only plain ones are accepted.
    plain = isinstance(names, list) and all(isinstance(n, str) and re.fullmatch(r"\w{1,100}", n) for n in names)
    if not isinstance(names, list) or not plain or not 0 < len(names) == len(set(names)) <= _MAX_SHAPES:
        raise InputError(f"{path}: no list of expressions in it; download FaceXModel again")
    return info


def _text(path: Path) -> bytes:
    with reading(path, "file of FaceXModel", _REMEDY):
        if path.stat().st_size > _MAX_FILE:
            raise InputError(f"{path}: too large for a file of FaceXModel; download it again")
        return path.read_bytes()


def read_vertices(path: Path, text: bytes, expected: int | None) -> FloatArray:
    """Read the ``v`` lines of an OBJ file, (V, 3) float64 in its own unit."""
    lines = _lines(path, text, b"v ", _MAX_VERTICES)
    if len(lines) != (expected or len(lines)) or not lines:
        want = f"{expected}" if expected else "some"
        raise InputError(f"{path}: {len(lines)} vertices, not {want}; download FaceXModel again")
    values = _numbers(path, b" ".join(lines), np.float64)
    if values.size != 3 * len(lines) or not np.isfinite(values).all():
        raise InputError(f"{path}: its vertices are not three numbers each; download FaceXModel again")
    return values.reshape(-1, 3)


def read_faces(path: Path, text: bytes, vertices: int) -> tuple[IntArray, FloatArray]:
    """Read faces (F, 4), -1 as the fourth corner of a triangle, and their UVs (F, 4, 2)."""
    uvs = _numbers(path, b" ".join(_lines(path, text, b"vt ", 4 * _MAX_VERTICES)), np.float64)
    lines = _lines(path, text, b"f ", 2 * _MAX_VERTICES)
    corners = np.array([line.count(b"/") for line in lines])
    if not lines or not np.isin(corners, (3, 4)).all() or uvs.size % 2:
        raise InputError(f"{path}: its faces are not triangles and quads with UVs; download FaceXModel again")
    joined = b" ".join(lines).replace(b"/", b" ")
    pairs = _numbers(path, joined, np.int64)
    if pairs.size != 2 * corners.sum():
        raise InputError(f"{path}: its faces are broken; download FaceXModel again")
    filled = np.arange(4) < corners[:, None]
    faces = np.full((len(lines), 4), -1, np.int32)
    faces[filled] = as_indices(path, "faces", pairs[0::2], vertices, first=1)
    uv = np.zeros((len(lines), 4, 2), np.float32)
    uv[filled] = uvs.reshape(-1, 2)[as_indices(path, "UVs", pairs[1::2], uvs.size // 2, first=1)]
    return faces, uv


def _lines(path: Path, text: bytes, start: bytes, most: int) -> list[bytes]:
    """Return the rest of each line that begins with ``start``."""
    pattern = re.compile(rb"^" + start + rb"([^\r\n]*)", re.MULTILINE)
    lines = [found[1] for found in islice(pattern.finditer(text), most + 1)]
    if len(lines) > most:
        raise InputError(f"{path}: more than {most} lines '{start.decode()}'; {_REMEDY}")
    return lines


def _numbers(path: Path, text: bytes, dtype: type) -> AnyArray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a word among the numbers is a DeprecationWarning
        try:
            return np.fromstring(text, dtype, sep=" ") if text else np.zeros(0, dtype)
        except (ValueError, DeprecationWarning):
            raise InputError(f"{path}: text where numbers belong; download FaceXModel again") from None
