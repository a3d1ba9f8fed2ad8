"""Non-rigid registration of two heads of different topology: point correspondences between their surfaces.

1. The 68 landmarks give a similarity transform.
2. The identity components of the first head are fitted to the other head.
3. The skin is deformed onto the other surface. Stiffness and landmark weights decrease with every round.

A vertex has no correspondence where no near point has a similar normal, or where the nearest point lies on the rim of
the other mesh. Needs SciPy: for the worker, not for Blender.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg
from scipy.spatial import cKDTree

from ..array_types import BoolArray, FloatArray, IntArray
from ..errors import InputError
from ..face.alignment import similarity
from ..face.face_model import FaceModel, triangles
from ..face.meshes import half_edges, nearest_in_triangles, vertex_normals
from .factorisation import factorised

Report = Callable[[int, int], None]

JAW = slice(0, 17)  # of the 68: the outline, whose position differs between authors
JAW_WEIGHT = 0.1
MAX_LANDMARK_ERROR = 15.0  # mm at a head's true size, root mean square; above it the landmarks do not match

# Rounds of the deformation: stiffness, weight of a landmark, and maximum distance of a correspondence (mm).
ROUNDS = tuple(
    (stiffness, pull, reach)
    for stiffness, pull, reach in zip(
        np.geomspace(3000, 0.3, 16), np.geomspace(100, 0.1, 16), np.geomspace(20, 3, 16), strict=True
    )
)
# The identity fit before the deformation: standard deviations of a correspondence and a landmark (mm), and the maximum
# distance of correspondences in each round. The deviation is large because errors of neighbours are correlated.
PERSON_POINT_MM, PERSON_LANDMARK_MM = 5.0, 2.0
PERSON_REACH = (20.0, 15.0, 10.0, 7.0, 5.0, 5.0)
SLIDE = 0.05  # weight along the surface relative to the weight across it
FACING = 0.5  # minimum cosine between corresponding normals
CG_STEPS = 30
REACH_MM = 2.0  # maximum distance of a final correspondence


@dataclass(frozen=True, eq=False)
class Registration:
    """Positions of vertices of one head (``source``) on another (``target``).

    vertices   (n,) int32, the source's vertices that have a correspondence
    corners    (n, 3) int32, vertices of the target's triangle;  shares (n, 3), barycentric coordinates in it
    rotation, translation, scale   the similarity: target = scale * rotation @ source + translation
    gap_mm     (n,) remaining distance, at the source's size
    """

    vertices: IntArray
    corners: IntArray
    shares: FloatArray
    rotation: FloatArray
    translation: FloatArray
    scale: float
    gap_mm: FloatArray

    def sampled(self, field: FloatArray) -> FloatArray:
        """Sample a field of the target's vertices (..., Vt, 3) at the correspondences, (..., n, 3), target's frame."""
        samples: FloatArray = np.einsum("...nkc,nk->...nc", field[..., self.corners, :], self.shares)
        return samples

    def carried(self, displacement: FloatArray) -> FloatArray:
        """Transfer displacements of the target's vertices (..., Vt, 3) to ``vertices``, in the source's frame."""
        return self.sampled(displacement) @ self.rotation / self.scale

    def carried_points(self, points: FloatArray) -> FloatArray:
        """Transfer points of the target (Vt, 3) to ``vertices``, (n, 3), in the source's frame."""
        return (self.sampled(points) - self.translation) @ self.rotation / self.scale


def register(source: FaceModel, target: FaceModel, report: Report | None = None) -> Registration:
    """Register the source's skin on the target. Both need their 68 landmarks, the source a region ``skin``.

    Raises InputError if they are missing, or if the landmarks do not form a face.
    """
    for model in (source, target):
        if model.landmarks is None:
            raise InputError(f"{model.source or model.name} has no 68 landmarks: heads without them cannot be compared")
    assert source.landmarks is not None and target.landmarks is not None
    here, there = np.asarray(source.mean, float), np.asarray(target.mean, float)
    weights = np.ones(68)
    weights[JAW] = JAW_WEIGHT
    scale, rotation, translation = similarity(here[source.landmarks], there[target.landmarks], weights)
    # Everything below is in the source's frame and scale, where lengths are millimetres.
    there = (there - translation) @ rotation / max(scale, 1e-12)
    off = np.linalg.norm(here[source.landmarks] - there[target.landmarks], axis=1)
    rms = float(np.sqrt(np.average(off**2, weights=weights)))
    if not rms < MAX_LANDMARK_ERROR:  # NaN too
        raise InputError(
            f"the landmarks of {target.source or target.name} lie {rms:.0f} mm off those of a face:"
            " its landmark indices and its mesh do not belong together"
        )

    skin = source.regions.get("skin", np.arange(source.vertex_count))
    sheet = Sheet(here, triangles(source.faces), skin)
    surface = _Surface(there, triangles(target.faces))
    number = np.full(source.vertex_count, -1)
    number[skin] = np.arange(len(skin))
    held = number[source.landmarks] >= 0
    pins, pin_targets = number[source.landmarks[held]], there[target.landmarks[held]]
    pin_weights = weights[held]

    sheet.rest = _as_person(source, skin, sheet, surface, pins, pin_targets, pin_weights)
    bent = sheet.bend(sheet.rest, np.zeros(len(skin)), sheet.rest, sheet.normals(sheet.rest), pins,
                      pin_targets, 100 * pin_weights, ROUNDS[0][0])  # fmt: skip
    for i, (stiffness, pull, reach) in enumerate(ROUNDS):
        if report:
            report(i, len(ROUNDS))
        partner = surface.nearest(bent)
        trusted = partner.trusted(sheet.normals(bent), reach)
        bent = sheet.bend(bent, trusted.astype(float), partner.points, partner.normals, pins, pin_targets,
                          pull * pin_weights, stiffness)  # fmt: skip
    partner = surface.nearest(bent)
    kept = partner.trusted(sheet.normals(bent), REACH_MM)
    if report:
        report(len(ROUNDS), len(ROUNDS))
    return Registration(
        vertices=np.asarray(skin[kept], np.int32),
        corners=partner.corners[kept].astype(np.int32),
        shares=partner.shares[kept],
        rotation=rotation,
        translation=translation,
        scale=scale,
        gap_mm=partner.distance[kept],
    )


def _as_person(
    source: FaceModel,
    skin: IntArray,
    sheet: Sheet,
    surface: _Surface,
    pins: IntArray,
    pin_targets: FloatArray,
    pin_weights: FloatArray,
) -> FloatArray:
    """Fit the source's identity components to the other head, and return the skin (n, 3).

    The statistical model places points on smooth areas such as cheeks, where the geometry alone does not.
    """
    rest = sheet.rest
    turns = np.cross(np.eye(3)[:, None], rest)
    moves = np.concatenate(
        [np.broadcast_to(np.eye(3)[:, None], (3, *rest.shape)), turns / 100, rest[None] / 100, source.identity[:, skin]]
    )
    prior = np.concatenate([np.full(7, 1e-6), np.ones(len(source.identity))])
    person = rest
    for reach in PERSON_REACH:
        partner = surface.nearest(person)
        trusted = partner.trusted(sheet.normals(person), reach)
        across = np.einsum("knc,nc->kn", moves[:, trusted], partner.normals[trusted])
        gap = np.einsum("nc,nc->n", partner.points[trusted] - rest[trusted], partner.normals[trusted])
        pinned = moves[:, pins].reshape(len(moves), -1)
        pull = np.repeat(pin_weights / PERSON_LANDMARK_MM**2, 3)
        normal = across @ across.T / PERSON_POINT_MM**2 + (pinned * pull) @ pinned.T + np.diag(prior)
        right = across @ gap / PERSON_POINT_MM**2 + (pinned * pull) @ (pin_targets - rest[pins]).ravel()
        person = rest + np.tensordot(np.linalg.solve(normal, right), moves, 1)
    return person


class Sheet:
    """The deformable skin: its rest vertices and the smoothness term of its displacements."""

    def __init__(self, points: FloatArray, faces: IntArray, chosen: IntArray) -> None:
        number = np.full(len(points), -1)
        number[chosen] = np.arange(len(chosen))
        faces = number[faces]
        self.rest = points[chosen]
        self._faces = faces[(faces >= 0).all(axis=1)]
        n = len(chosen)
        edges = half_edges(self._faces)
        ones = np.ones(2 * len(edges))
        graph = sparse.coo_matrix(
            (ones, (edges.ravel("F"), np.roll(edges, 1, axis=1).ravel("F"))), shape=(n, n)
        ).tocsr()
        graph.data[:] = 1
        degree = np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1)
        laplacian = sparse.identity(n) - sparse.diags(1 / degree) @ graph
        self._bending = (laplacian.T @ laplacian).tocsc()
        self._stretch = (sparse.diags(degree) - graph).tocsc() * 1e-4  # regularises vertices without data

    def normals(self, points: FloatArray) -> FloatArray:
        return vertex_normals(points, self._faces)

    def bend(
        self,
        points: FloatArray,
        trust: FloatArray,
        partners: FloatArray,
        partner_normals: FloatArray,
        pins: IntArray,
        pin_targets: FloatArray,
        pull: FloatArray,
        stiffness: float,
    ) -> FloatArray:
        """Return new points (n, 3): close to their targets along the normal, free to slide, and smoothly displaced."""
        n = len(points)
        pinned = np.bincount(pins, pull, n)
        goal = np.zeros((n, 3))
        np.add.at(goal, pins, pull[:, None] * (pin_targets - self.rest[pins]))
        across = trust * (1 - SLIDE)
        blocks = across[:, None, None] * partner_normals[:, :, None] * partner_normals[:, None, :]
        blocks[:, [0, 1, 2], [0, 1, 2]] += (trust * SLIDE + pinned)[:, None]
        towards = partners - self.rest
        goal += trust[:, None] * SLIDE * towards + across[:, None] * partner_normals * np.einsum(
            "ij,ij->i", partner_normals, towards
        )[:, None]  # fmt: skip
        smooth = (stiffness * (self._bending + self._stretch)).tocsr()

        def system(x: FloatArray) -> FloatArray:
            x = x.reshape(n, 3)
            forces: FloatArray = (np.einsum("nij,nj->ni", blocks, x) + smooth @ x).ravel()
            return forces

        # Without the coupling of x, y and z there is one small system for all three axes. It is the preconditioner.
        plain = smooth + sparse.diags(np.einsum("nii->n", blocks) / 3)
        solver = factorised(plain)
        found, _ = cg(
            LinearOperator((3 * n, 3 * n), matvec=system, dtype=float),
            goal.ravel(),
            x0=(points - self.rest).ravel(),
            M=LinearOperator((3 * n, 3 * n), matvec=lambda x: solver.solve(x.reshape(n, 3)).ravel(), dtype=float),
            maxiter=CG_STEPS,
        )
        bent: FloatArray = self.rest + found.reshape(n, 3)
        return bent


@dataclass(frozen=True, eq=False)
class _Partners:
    """The nearest points on a surface: (n, 3) points, normals, corners (vertices), shares; (n,) distance, rim."""

    points: FloatArray
    normals: FloatArray
    corners: IntArray
    shares: FloatArray
    distance: FloatArray
    rim: BoolArray

    def trusted(self, normals: FloatArray, reach: float) -> BoolArray:
        facing = np.einsum("ij,ij->i", self.normals, normals)
        trusted: BoolArray = (facing > FACING) & (self.distance < reach) & ~self.rim
        return trusted


class _Surface:
    """A triangle mesh with a search for nearest points."""

    def __init__(self, points: FloatArray, faces: IntArray) -> None:
        self._points, self._faces = points, faces
        self._normals = vertex_normals(points, faces)
        used = np.unique(faces)
        self._used, self._tree = used, cKDTree(points[used])
        order = np.argsort(faces.ravel(), kind="stable")
        counts = np.bincount(faces.ravel(), minlength=len(points))
        self._first = np.concatenate([[0], np.cumsum(counts)])
        self._around = order // 3
        edges = np.sort(half_edges(faces), axis=1)
        keys, times = np.unique(edges[:, 0].astype(np.int64) * len(points) + edges[:, 1], return_counts=True)
        self._rim = np.zeros(len(points), bool)
        rim = keys[times == 1]
        self._rim[rim // len(points)] = self._rim[rim % len(points)] = True

    def nearest(self, queries: FloatArray, candidates: int = 4) -> _Partners:
        """Find, for each query (n, 3), the nearest point on the triangles around its nearest vertices."""
        _, near = self._tree.query(queries, k=candidates)
        near = self._used[near]
        first, count = self._first[near], self._first[near + 1] - self._first[near]
        total = count.sum(axis=1)
        owner = np.repeat(np.arange(len(queries)), total)
        flat_first, flat_count = first.ravel(), count.ravel()
        starts = np.repeat(flat_first - np.concatenate([[0], np.cumsum(flat_count)[:-1]]), flat_count)
        face = self._around[starts + np.arange(flat_count.sum())]
        shares = nearest_in_triangles(queries[owner], self._points[self._faces[face]])
        squared = ((np.einsum("nk,nkc->nc", shares, self._points[self._faces[face]]) - queries[owner]) ** 2).sum(1)
        order = np.lexsort((squared, owner))
        best = order[np.concatenate([[0], np.cumsum(total)[:-1]])]
        corners, shares = self._faces[face[best]], shares[best]
        normals = np.einsum("nk,nkc->nc", shares, self._normals[corners])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        return _Partners(
            points=np.einsum("nk,nkc->nc", shares, self._points[corners]),
            normals=normals,
            corners=corners,
            shares=shares,
            distance=np.sqrt(squared[best]),
            # on the rim: on an edge or a corner whose vertices are all rim vertices
            rim=np.where(shares > 1e-9, self._rim[corners], True).all(axis=1),
        )
