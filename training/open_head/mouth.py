"""The left half of the inner mouth: teeth, gums, tongue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.spatial import cKDTree

from ...model.array_types import FloatArray, IntArray
from . import ict
from .embedding import Embedding, join, nearest_on_polyline, nearest_on_triangles
from .quads import Half, Polygons, boundary_loops, crumpled, triangulated, without_collapsed
from .remesh import inverted, quad_remeshes

CROWN = 0.4  # of a tooth, from the cutting edge on; the rest, forked in molars, is inside the gum
CROWN_RINGS = (1.0, 0.7, 0.45, 0.24, 0.06)
# Round a tooth, (along the arch, outward) in half widths, seen from the tip counter-clockwise; and along its edge.
PERIMETER = np.array(
    [(-1, 1), (-0.5, 1), (0, 1), (0.5, 1), (1, 1), (1, 0), (1, -1), (0.5, -1), (0, -1), (-0.5, -1), (-1, -1), (-1, 0)]
)
CAP = np.array([-0.5, 0.0, 0.5])
ARCH_CENTRE_Z = 72.0
WISDOM_TEETH_Z = 62.0  # teeth behind this are left out, because they are not visible
THROAT_Z = 25.0  # gums and palate end here; the mouth socket goes on
TONGUE_AXIS = np.array([0.0, -39.0])
TONGUE_BOX = np.array([[0, -49.5, 33], [18.2, -28.5, 98.6]])
MIDDLE_MM = 1.5  # borders nearer to the plane x = 0 lie on it
QUADS = {"gums_upper": 300, "gums_lower": 270, "tongue": 110}
INVERSION_CENTRE = np.array([0.0, -32.0, 150.0])  # gums are finer in front


def left_teeth(source: ict.FaceX) -> list[Half]:
    """Upper and lower teeth of the left side, each a closed tube of quads with a crown on the source's tooth."""
    upper: list[tuple[Embedding, IntArray]] = []
    lower: list[tuple[Embedding, IntArray]] = []
    for vertices, triangles in _left_teeth(source):
        is_upper = vertices.min() < ict.TEETH_UPPER_VERTICES_END
        (upper if is_upper else lower).append((_crown(source.neutral, vertices, triangles, is_upper), _crown_faces()))
    return [_joined("teeth_upper", upper), _joined("teeth_lower", lower)]


def left_gums_and_tongue(source: ict.FaceX) -> list[Half]:
    p = source.neutral
    jaw = np.linalg.norm(source.shapes["jawOpen"], axis=1)
    parts: dict[str, list[tuple[int, ...]]] = {name: [] for name in QUADS}
    for face in source.faces[ict.GUMS_AND_TONGUE]:
        corners = list(face)
        if p[corners, 0].min() < -0.01 or p[corners, 2].mean() < THROAT_Z:
            continue
        if _is_tongue(p[corners]):
            parts["tongue"].append(face)
        else:
            parts["gums_lower" if jaw[corners].mean() > 12 else "gums_upper"].append(face)
    return [_remeshed(name, p, _largest_piece(faces)) for name, faces in parts.items()]


def _left_teeth(source: ict.FaceX) -> Iterator[tuple[FloatArray, IntArray]]:
    for faces in _pieces(source.faces[ict.TEETH]):
        vertices = np.unique([v for f in faces for v in f])
        centre = source.neutral[vertices].mean(axis=0)
        if centre[0] > 0 and centre[2] > WISDOM_TEETH_Z:
            yield vertices, triangulated(faces)


def _crown(p: FloatArray, vertices: FloatArray, triangles: IntArray, upper: bool) -> Embedding:
    """Build a tooth's crown from a box.

    The box is as wide and deep as the tooth at each height and is projected onto it. The points of ``PERIMETER`` form
    rings from inside the gum to the edge; ``CAP`` closes the edge.
    """
    height = p[vertices, 1] * (-1 if upper else 1)  # grows towards the cutting edge
    from_edge = (height.max() - height) / np.ptp(height)
    edge, neck = (_box_centre(p[vertices[(from_edge >= a) & (from_edge <= b)]]) for a, b in ((0, 0.12), (0.3, 0.5)))
    axis = (edge - neck) / np.linalg.norm(edge - neck)
    outward = np.array([neck[0], 0, 1.4 * (neck[2] - ARCH_CENTRE_Z)])  # the arch is longer than wide
    outward -= axis * (outward @ axis)
    outward /= np.linalg.norm(outward)
    frame = np.stack([np.cross(axis, outward), outward, axis])
    corner = p[triangles]
    dense = np.concatenate([corner.reshape(-1, 3), corner.mean(axis=1), *(corner + np.roll(corner, 1, axis=1)) / 2])
    local = (dense - edge) @ frame.T
    top, crown = local[:, 2].max(), CROWN * np.ptp(local[:, 2])
    wanted = []
    for part, places in [*((part, PERIMETER) for part in CROWN_RINGS), (0.0, np.stack([CAP, 0 * CAP], 1))]:
        slab = local[np.abs(local[:, 2] - top + part * crown) < 0.1 * crown, :2]
        low, high = slab.min(axis=0), slab.max(axis=0)
        across = (low + high) / 2 + places * (high - low) / 2
        wanted.append(np.c_[across, np.full(len(across), top - part * crown)])
    return nearest_on_triangles(np.concatenate(wanted) @ frame + edge, p, triangles)


def _box_centre(points: FloatArray) -> FloatArray:
    centre: FloatArray = (points.min(axis=0) + points.max(axis=0)) / 2
    return centre


def _crown_faces() -> IntArray:
    """Side strips, eight quads on the edge, five across the root."""
    n = len(PERIMETER)
    k = np.arange(n)
    nxt = (k + 1) % n
    sides = [
        np.stack([r * n + k, r * n + nxt, (r + 1) * n + nxt, (r + 1) * n + k], 1) for r in range(len(CROWN_RINGS) - 1)
    ]
    # PERIMETER: 0..4 the front from one end to the other, 5 the far side, 6..10 the back, 11 the near side
    top = (len(CROWN_RINGS) - 1) * n + k
    middle = np.r_[top[11], len(CROWN_RINGS) * n + np.arange(len(CAP)), top[5]]
    front, back = top[0:5], top[[10, 9, 8, 7, 6]]
    cap = [(middle[j], front[j], front[j + 1], middle[j + 1]) for j in range(4)]
    cap += [(back[j], middle[j], middle[j + 1], back[j + 1]) for j in range(4)]
    root = [(1, 0, 11, 10), (2, 1, 10, 9), (3, 2, 9, 8), (4, 3, 8, 7), (5, 4, 7, 6)]
    return np.concatenate([*sides, np.array(cap), np.array(root)])


def _joined(part: str, pieces: list[tuple[Embedding, IntArray]]) -> Half:
    embedding = join(*(e for e, _ in pieces))
    starts = np.cumsum([0, *(len(e) for e, _ in pieces)])
    faces = np.concatenate([f + start for (_, f), start in zip(pieces, starts)])
    return Half(part, embedding, faces, np.zeros(len(embedding), bool))


def _is_tongue(corners: FloatArray) -> bool:
    centre = corners.mean(axis=0)
    normal = np.cross(corners[2] - corners[0], corners[-1] - corners[1])
    from_axis = np.array([*(centre[:2] - TONGUE_AXIS), max(centre[2] - 90, 0)])
    return bool(((centre > TONGUE_BOX[0]) & (centre < TONGUE_BOX[1])).all() and normal @ from_axis > 0)


def _remeshed(part: str, p: FloatArray, faces: Polygons) -> Half:
    """Return the least crumpled of a few remeshings."""
    p = np.where(np.abs(p) < (0.01, -1, -1), 0.0, p)
    triangles, line = triangulated(faces), _middle_line(faces, p)
    surface = p if part == "tongue" else inverted(p, INVERSION_CENTRE)
    halves = []
    for found, quads in quad_remeshes(surface, triangles, range(QUADS[part], QUADS[part] + 40, 5)):
        embedding = nearest_on_triangles(found, surface, triangles)
        points = embedding(p)
        middle = np.array([v for loop in boundary_loops(quads) for v in loop if abs(points[v, 0]) < MIDDLE_MM])
        at, _ = nearest_on_polyline(points[middle], p[line])
        i = np.floor(at).astype(int).clip(0, len(line) - 2)
        corners, weights = embedding.corners.copy(), embedding.weights.copy()
        corners[middle] = np.stack([line[i], line[i + 1], line[i]], 1)
        weights[middle] = np.stack([1 - (at - i), at - i, 0 * at], 1)
        on_midline = np.zeros(len(found), bool)
        on_midline[middle] = True
        quads = without_collapsed(Embedding(corners, weights)(p), quads)
        quads = quads[~on_midline[quads].all(axis=1)]  # flattened by the move to the middle
        used, quads = np.unique(quads, return_inverse=True)
        if len(boundary_loops(quads.reshape(-1, 4))) == 1:  # QuadriFlow may leave holes
            halves.append(Half(part, Embedding(corners, weights)[used], quads.reshape(-1, 4), on_midline[used]))
    return min(halves, key=lambda half: _flaws(half.embedding(p), half.faces))


def _flaws(points: FloatArray, faces: IntArray) -> float:
    return crumpled(points, faces) + 10 * len(cKDTree(points).query_pairs(0.05))


def _middle_line(faces: Polygons, p: FloatArray) -> IntArray:
    """Return the longest chain of the half's edges on the plane x = 0."""
    after = {a: b for f in faces for a, b in zip(f, (*f[1:], f[0])) if p[a, 0] == 0 and p[b, 0] == 0}
    chains = []
    for start in set(after) - set(after.values()):
        chain = [start]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        chains.append(chain)
    return np.array(max(chains, key=len))


def _pieces(faces: Polygons) -> list[list[Sequence[int]]]:
    parent: dict[int, int] = {}

    def root(v: int) -> int:
        while parent.setdefault(v, v) != v:
            parent[v] = parent[parent[v]]
            v = parent[v]
        return v

    for f in faces:
        for v in f[1:]:
            parent[root(v)] = root(f[0])
    pieces: dict[int, list[Sequence[int]]] = {}
    for f in faces:
        pieces.setdefault(root(f[0]), []).append(f)
    return list(pieces.values())


def _largest_piece(faces: Polygons) -> list[Sequence[int]]:
    return max(_pieces(faces), key=len)
