"""USC ICT's FaceXModel (ICT-FaceKit, MIT) as the source of the open head: float64, polygons, every shape.

``model/formats/ict_facekit.py`` describes the files and parses them. Here everything is millimetres.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from ...model.array_types import FloatArray, IntArray
from ...model.errors import InputError
from ...model.formats.ict_facekit import INDICES, MM, NEUTRAL, read_faces, read_vertices

# Polygon and vertex ranges of the geometries, from ICT-FaceKit's README.
SKIN = slice(0, 11144)
MOUTH_SOCKET = slice(11144, 13226)
EYE_SOCKET_L = slice(13226, 13630)
GUMS_AND_TONGUE = slice(14034, 17006)
TEETH = slice(17006, 21496)
TEETH_UPPER_VERTICES_END = 19247
SCLERA_L_VERTICES = slice(21451, 22221)

IDENTITIES = 100
MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class FaceX:
    """The source model.

    ``neutral`` is (N, 3) mm, ``faces`` are polygons, ``identity`` is (100, N, 3) offsets per sigma. ``shapes`` maps
    names to (N, 3) offsets. ``landmarks`` (68,) are vertex indices in iBUG order.
    """

    neutral: FloatArray
    faces: list[tuple[int, ...]]
    identity: FloatArray
    shapes: dict[str, FloatArray]
    landmarks: IntArray

    @cached_property
    def mirror(self) -> IntArray:
        """Return for each vertex its mirror image, (N,) (the source is symmetric to 0.3 mm)."""
        mirror: IntArray = cKDTree(self.neutral).query(self.neutral * MIRROR)[1]
        return mirror


def read_facex(path: str | Path) -> FaceX:
    """Read the unpacked FaceXModel folder or its ``.tar.xz``. Raises InputError when files are missing or broken."""
    path = Path(path)
    if path.is_dir():
        return _assemble(lambda name: (path / name).read_bytes(), [p.name for p in path.iterdir()], path)
    try:
        with tarfile.open(path) as archive:
            files = {Path(m.name).name: archive.extractfile(m) for m in archive if m.isfile()}
            content = {k: f.read() for k, f in files.items() if f is not None and k.endswith((".obj", ".json"))}
    except (OSError, tarfile.TarError) as error:
        raise InputError(f"{path}: not the FaceXModel folder or archive ({error}); give ICT-FaceKit's") from None
    return _assemble(content.__getitem__, list(content), path)


def _assemble(read: Callable[[str], bytes], names: list[str], path: Path) -> FaceX:
    needed = {NEUTRAL, INDICES, "identity099.obj", "jawOpen.obj"}
    if missing := needed - set(names):
        raise InputError(f"{path}: {sorted(missing)[0]} is missing; give ICT-FaceKit's whole FaceXModel folder")
    text = read(NEUTRAL)
    neutral = read_vertices(path / NEUTRAL, text, None) * MM
    corners, _ = read_faces(path / NEUTRAL, text, len(neutral))

    def offsets(name: str) -> FloatArray:
        return read_vertices(path / name, read(name), len(neutral)) * MM - neutral

    shapes = {
        name[:-4]: offsets(name)
        for name in sorted(names)
        if name.endswith(".obj") and not name.startswith(("identity", "generic"))
    }
    identity = np.stack([offsets(f"identity{i:03d}.obj") for i in range(IDENTITIES)])
    landmarks = np.array(json.loads(read(INDICES))["idx_to_landmark_verts"])
    faces = [tuple(face[face >= 0].tolist()) for face in corners]
    return FaceX(neutral, faces, identity, shapes, landmarks)
