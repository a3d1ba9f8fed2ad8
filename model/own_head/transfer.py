"""Deformation transfer (Sumner and Popovic 2004) from the open head to the fitted one; both have the same triangles.

A key turns each triangle of the open head by a gradient S, normal included. The offsets d of the fitted head are those
whose gradients are nearest to S - I in each triangle's plane, weighted by area: one sparse system for all keys.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ..array_types import FloatArray, IntArray
from ..bases.factorisation import factorised
from .template import Margin, Template

# Weight per vertex, relative to the diagonal, of the open head's own offset; it fixes what gradients leave open.
ANCHOR = 1e-7
HELD = 1.0  # the same at the back of the head and the end of the neck
SCREEN_MM = 4.0  # the correction of the lids fades over about this
LID_CLEARANCE_MM = 0.1  # closed lids stay this far outside the eyeball


class Gradients:
    """Areas (t,) and gradients (t, 3, 3) of the three hat functions of each triangle, by corner."""

    def __init__(self, points: FloatArray, faces: IntArray) -> None:
        a, b, c = (points[faces[:, k]] for k in range(3))
        normal = np.cross(b - a, c - a)
        double = np.linalg.norm(normal, axis=1)
        safe = np.maximum(double, 1e-9 * max(float(double.mean()), 1e-12))
        unit = normal / safe[:, None]
        self.area = double / 2
        edges = np.stack([c - b, a - c, b - a], axis=1)
        self.hats: FloatArray = np.cross(unit[:, None], edges) / safe[:, None, None]

    def stiffness(self, faces: IntArray, count: int) -> sparse.csc_matrix:
        """Return the matrix (n, n) of the squared gradients' integral."""
        blocks = np.einsum("tic,tjc->tij", self.hats, self.hats) * self.area[:, None, None]
        rows, columns = np.repeat(faces, 3, axis=1), np.tile(faces, (1, 3))
        matrix = sparse.coo_matrix((blocks.ravel(), (rows.ravel(), columns.ravel())), shape=(count, count))
        return matrix.tocsc()


def transfer(template: Template, fitted: FloatArray, offsets: FloatArray) -> FloatArray:
    """Return the offsets (K, n, 3) on the fitted skin (n, 3) of the template's offsets (K, n, 3); mm."""
    faces, count = template.triangles, len(fitted)
    there = Gradients(fitted, faces)
    matrix = there.stiffness(faces, count)
    scale = float(matrix.diagonal().mean())
    hold = np.full(count, ANCHOR * scale)
    z, y = template.rest[:, 2], template.rest[:, 1]
    hold[(z < -40) | (y < -185)] = HELD * scale
    solver = factorised(matrix + sparse.diags(hold))
    frames = _frames(template.rest, faces)
    inverse = np.linalg.inv(frames)
    sides = np.empty((count, len(offsets) * 3))
    for k, offset in enumerate(offsets):
        change = _frames(template.rest + offset, faces) @ inverse - np.eye(3)
        forces = np.einsum("tij,tcj->tci", change, there.hats) * there.area[:, None, None]
        side = hold[:, None] * offset
        for axis in range(3):
            side[:, axis] += np.bincount(faces.ravel(), forces[..., axis].ravel(), count)
        sides[:, 3 * k : 3 * k + 3] = side
    solved: FloatArray = solver.solve(sides).reshape(count, -1, 3).transpose(1, 0, 2)
    return solved


def close_lids(
    template: Template, fitted: FloatArray, lid: FloatArray, margin: Margin, centre: FloatArray, radius: float
) -> FloatArray:
    """Return the lid key's offsets (n, 3) changed so that the edges meet, outside the eyeball (centre, radius; mm)."""
    closed = fitted + lid
    meeting = (closed[margin.upper] + closed[margin.lower]) / 2
    away = meeting - centre
    distance = np.linalg.norm(away, axis=2, keepdims=True)
    floor = radius + LID_CLEARANCE_MM
    meeting = centre + away / np.maximum(distance, 1e-9) * np.maximum(distance, floor)
    members = np.concatenate([margin.upper.ravel(), margin.lower.ravel()])
    wanted = np.concatenate([meeting.reshape(-1, 3)] * 2) - closed[members]
    count = len(fitted)
    gradients = Gradients(fitted, template.triangles)
    matrix = gradients.stiffness(template.triangles, count)
    mass = np.bincount(template.triangles.ravel(), np.repeat(gradients.area / 3, 3), count)
    strong = 1e6 * float(matrix.diagonal().mean())
    held = np.bincount(members, np.full(len(members), strong), count)
    side = np.zeros((count, 3))
    side[members] = strong * wanted
    solver = factorised(matrix + sparse.diags(mass / SCREEN_MM**2 + held))
    changed: FloatArray = lid + solver.solve(side)
    return changed


def _frames(points: FloatArray, faces: IntArray) -> FloatArray:
    """Return (t, 3, 3) with two edges and the scaled normal of each triangle as columns."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    length = np.sqrt(np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12))
    fourth = np.where(np.linalg.norm(normal, axis=1, keepdims=True) > 1e-12, normal / length, [0.0, 0.0, 1e-6])
    return np.stack([b - a, c - a, fourth], axis=2)
