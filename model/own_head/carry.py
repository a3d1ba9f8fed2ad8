"""Offsets carried from the fitted open head to the artist's vertices.

A vertex near the fitted skin, on the same side of the mouth and the eyes, takes what its nearest point has. The others
(neck, hair, the inside of mouth and nose) continue their neighbours smoothly. Loose pieces follow the nearest skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from ..array_types import BoolArray, FloatArray, IntArray
from ..bases.factorisation import factorised
from ..face.meshes import vertex_normals
from .fit import SPACING_MM, Fit, Target
from .surface import Surface
from .template import OPENINGS, Template, pieces_of

FACING = 0.2  # smallest cosine between a vertex's normal and that of its place on the fitted skin
REACH_MM = 3.5
FADE_MM = 25.0  # vertices far from the fitted skin come to rest over about this distance
DIRECT = 60_000  # vertices whose continuation is solved at once; more are solved on clusters of vertices
FOLLOWED = 6  # points of the skin that a loose vertex follows


@dataclass(frozen=True, eq=False)
class Carrier:
    """``weights`` (V, n) from the template's skin to the target's vertices; ``piece`` (V,) connected pieces.

    ``trusted`` (V,) have a correspondence; ``loose`` (V,) belong to pieces that have almost none.
    """

    weights: sparse.csr_matrix
    trusted: BoolArray
    loose: BoolArray
    piece: IntArray
    target: Target
    fade: FloatArray

    def __call__(self, offsets: FloatArray) -> FloatArray:
        """Carry (K, n, 3) offsets of the template's skin to (K, V, 3); zero on loose pieces."""
        count = len(offsets)
        flat = np.ascontiguousarray(offsets.transpose(1, 0, 2).reshape(offsets.shape[1], -1))
        out = self.weights @ flat
        out[self.loose] = 0
        _continue(self, out)
        carried: FloatArray = out.reshape(len(out), count, 3).transpose(1, 0, 2)
        return carried


def carrier(template: Template, target: Target, fitted: Fit, blended: IntArray) -> Carrier:
    """Find the place of each of the target's vertices on the fitted skin. ``blended`` ones join their neighbours."""
    points = target.points
    normals = vertex_normals(points, target.faces)
    surface = Surface(fitted.skin, template.triangles, SPACING_MM)
    found = surface.nearest(points, normals)
    for opening in OPENINGS:
        for sign in (1, -1):
            members = np.flatnonzero(fitted.side[opening] == sign) if opening in fitted.side else np.zeros(0, int)
            if len(members):
                own = surface.without(template.side[opening] == -sign, points[members], 20.0)
                found.replace(members, own.nearest(points[members], normals[members]))
    used = np.zeros(len(points), bool)
    used[target.faces] = True
    facing = np.einsum("ij,ij->i", found.normals, normals)
    trusted = (facing > FACING) & (found.distance < REACH_MM) & used
    trusted[blended] = False
    rows = np.repeat(np.arange(len(points)), 3)
    weights = sparse.csr_matrix(
        (found.shares.ravel(), (rows, found.corners.ravel())), shape=(len(points), len(fitted.skin))
    )
    piece = pieces_of(target.edges, len(points))
    # The face is the piece, or the pieces, that hold the fitted skin.
    held = np.bincount(piece, trusted, piece.max() + 1)
    loose = (held < 0.2 * held.max())[piece]
    fade = np.exp(-0.5 * (np.maximum(found.distance - REACH_MM, 0) / FADE_MM) ** 2)
    return Carrier(weights, trusted & ~loose, loose, piece, target, fade)


def follow(points: FloatArray, skin: FloatArray, offsets: FloatArray) -> FloatArray:
    """Return offsets (K, m, 3) of loose ``points`` (m, 3) that follow the nearest of the skin's vertices (V, 3)."""
    count = min(FOLLOWED, len(skin))
    distance, near = cKDTree(skin).query(points, k=count)
    distance, near = distance.reshape(len(points), count), near.reshape(len(points), count)
    share = 1 / (distance + 0.5)
    share /= share.sum(axis=1, keepdims=True)
    still = np.exp(-0.5 * (np.maximum(distance[:, :1] - 15, 0) / FADE_MM) ** 2)
    followed: FloatArray = np.einsum("kmjc,mj->kmc", offsets[:, near], share * still)
    return followed


def _continue(carrier: Carrier, out: FloatArray) -> None:
    """Change the rows of ``out`` (V, c) that have no correspondence, in place: smooth between the others."""
    free = np.flatnonzero(~carrier.trusted & ~carrier.loose)
    if not len(free):
        return
    points, edges = carrier.target.points, carrier.target.edges
    guess = out[free] * carrier.fade[free, None]
    number = np.full(len(points), -1)
    number[free] = np.arange(len(free))
    near = edges[(number[edges] >= 0).any(axis=1)]
    length = np.linalg.norm(points[near[:, 0]] - points[near[:, 1]], axis=1)
    weight = 1 / np.maximum(length, 1e-3)
    owner: IntArray = np.arange(len(free))
    if len(free) > DIRECT:
        owner = _clusters(points[free], carrier.piece[free], DIRECT // 2)
    count = int(owner.max()) + 1
    diagonal = np.zeros(count)
    side = np.zeros((count, out.shape[1]))
    rows, columns, values = [], [], []
    for a, b in ((near[:, 0], near[:, 1]), (near[:, 1], near[:, 0])):
        inner = number[a] >= 0
        row = owner[number[a[inner]]]
        diagonal += np.bincount(row, weight[inner], count)
        fixed = number[b[inner]] < 0
        known = sparse.csr_matrix((weight[inner][fixed], (row[fixed], b[inner][fixed])), shape=(count, len(points)))
        side += known @ out
        rows.append(row[~fixed])
        columns.append(owner[number[b[inner][~fixed]]])
        values.append(-weight[inner][~fixed])
    typical = np.bincount(owner, minlength=count) / np.maximum(np.median(weight) / 2, 1e-9)
    screen = typical / FADE_MM**2 / 2
    side += np.stack([np.bincount(owner, g, count) for g in guess.T], axis=1) * (
        screen / np.bincount(owner, minlength=count)
    )[:, None]  # fmt: skip
    matrix = sparse.coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(count, count)
    ).tocsc() + sparse.diags(diagonal + screen)
    solver = factorised(matrix)
    out[free] = solver.solve(side)[owner]


def _clusters(points: FloatArray, piece: IntArray, most: int) -> IntArray:
    """Return (m,) numbers of at most about ``most`` cells of space, apart for each connected piece."""
    cell = float(np.ptp(points, axis=0).max()) / 40
    while True:
        cells = np.column_stack([piece, np.floor(points / cell)]).astype(np.int64)
        _, owner = np.unique(cells, axis=0, return_inverse=True)
        owner = owner.ravel()
        if owner.max() < most:
            finer = np.column_stack([piece, np.floor(points / (cell / 1.6))]).astype(np.int64)
            _, next_owner = np.unique(finer, axis=0, return_inverse=True)
            if next_owner.max() >= most or cell < 0.3:
                return owner
            cell /= 1.6
        else:
            return owner
