"""A new quad mesh on a surface, by QuadriFlow in a Blender process of its own (training/ itself never imports bpy)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...model.array_types import FloatArray, IntArray

SCRIPT = Path(__file__).with_name("remesh_in_blender.py")


def inverted(points: FloatArray, centre: FloatArray) -> FloatArray:
    """Apply a sphere inversion about ``centre``, mirrored back to the outside.

    Angles stay. The surface near the centre grows and the rest shrinks. QuadriFlow makes quads of one size, so after
    the inverse they are small near the centre and large elsewhere.
    """
    d = points - centre
    turned: FloatArray = 1e5 * d / (d * d).sum(axis=1, keepdims=True) * (1, 1, -1)
    return turned


def quad_remeshes(
    vertices: FloatArray, triangles: IntArray, wanted: Sequence[int]
) -> list[tuple[FloatArray, IntArray]]:
    """Return a quad mesh of the triangle mesh for each wanted number of quads.

    Each has vertices (n, 3) near the surface and faces (m, 4) with the input's winding. Failed meshes are left out. The
    same input gives the same meshes with the same bpy.
    """
    used, local = np.unique(triangles, return_inverse=True)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.npz"), Path(folder, "out.npz")
        np.savez(source, vertices=vertices[used], triangles=local.reshape(-1, 3), wanted=np.array(wanted))
        run = subprocess.run(
            [sys.executable, str(SCRIPT), str(source), str(target)], capture_output=True, text=True, check=False
        )
        if not target.exists():
            raise RuntimeError(f"QuadriFlow gave no mesh (is bpy installed in {sys.executable}?)\n{run.stderr[-2000:]}")
        with np.load(target) as data:  # QuadriFlow may crash half-way; the meshes made until then are used
            return [(data[f"vertices{k}"], data[f"quads{k}"]) for k in range(len(wanted)) if f"quads{k}" in data.files]
