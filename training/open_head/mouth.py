"""The left half of what the mouth hides: teeth, gums, tongue."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import ict
from .embedding import Embedding, farthest_hits, join, nearest_on_polyline, nearest_on_triangles
from .quads import Half, Polygons, boundary_loops, crumpled, triangulated
from .remesh import quad_remeshes

CROWN = 0.4  # of a tooth, from the cutting edge on; the rest, forked in molars, is inside the gum
CROWN_RINGS = (1.0, 0.62, 0.36, 0.17)
COLUMNS = 8
WISDOM_TEETH_Z = 62.0  # they lie behind this and are left out: nobody sees them
THROAT_Z = 25.0  # gums and palate end here; the mouth socket goes on
TONGUE_AXIS = np.array([0.0, -39.0])
TONGUE_BOX = np.array([[0, -49.5, 33], [18.2, -28.5, 98.6]])
MIDDLE_MM = 1.5  # borders nearer to the plane x = 0 lie on it
QUADS = {"gums_upper": 150, "gums_lower": 150, "tongue": 110}


def left_teeth(source: ict.FaceX) -> list[Half]:
    """Upper and lower teeth of the left side, each a closed tube of quads with a crown on the source's tooth."""
    upper: list[tuple[Embedding, np.ndarray]] = []
    lower: list[tuple[Embedding, np.ndarray]] = []
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


def _left_teeth(source: ict.FaceX) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for faces in _pieces(source.faces[ict.TEETH]):
        vertices = np.unique([v for f in faces for v in f])
        centre = source.neutral[vertices].mean(axis=0)
        if centre[0] > 0 and centre[2] > WISDOM_TEETH_Z:
            yield vertices, triangulated(faces)


def _crown(p: np.ndarray, vertices: np.ndarray, triangles: np.ndarray, upper: bool) -> Embedding:
    """Rings round the tooth's axis from inside the gum to the edge, then the edge's middle."""
    height = p[vertices, 1] * (-1 if upper else 1)  # grows towards the cutting edge
    low, high = np.quantile(height, (0.15, 0.85))
    root, edge = p[vertices[height <= low]].mean(axis=0), p[vertices[height >= high]].mean(axis=0)
    axis = (edge - root) / np.linalg.norm(edge - root)
    along = (p[vertices] - edge) @ axis
    crown = axis * CROWN * np.ptp(along)
    inner = edge + axis * along.max() - 0.6 * crown
    tip = farthest_hits(inner[None], axis[None], p, triangles)(p)[0]  # a molar's middle lies deeper than its cusps
    outward = np.array([edge[0], 0, edge[2] - 72])
    outward -= axis * (outward @ axis)
    outward /= np.linalg.norm(outward)
    side = np.cross(axis, outward)
    angle = 2 * np.pi * np.arange(COLUMNS) / COLUMNS
    # a tooth is more of a box than of a tube: its directions crowd towards the corners of its cross-section
    ends = np.stack([outward, -outward, side, -side])
    widths = np.linalg.norm(farthest_hits(np.repeat(inner[None], 4, 0), ends, p, triangles)(p) - inner, axis=1)
    squared = np.stack([np.cos(angle), np.sin(angle)])
    squared = np.sign(squared) * np.abs(squared) ** 0.5
    radial = squared[0, :, None] * widths[:2].mean() * outward + squared[1, :, None] * widths[2:].mean() * side
    origins, directions = [], []
    for part in CROWN_RINGS:
        origins += [tip - crown * part] * COLUMNS
        directions += list(radial)
    below = 0.25 * crown
    origins += [tip - below] * (COLUMNS + 1)
    directions += [*(radial + 0.8 * below), axis]
    return farthest_hits(np.array(origins), np.array(directions), p, triangles)


def _crown_faces() -> np.ndarray:
    """Side strips, four quads round the edge's middle, three across the root."""
    k = np.arange(COLUMNS)
    nxt = (k + 1) % COLUMNS
    sides = [
        np.stack([r * COLUMNS + k, r * COLUMNS + nxt, (r + 1) * COLUMNS + nxt, (r + 1) * COLUMNS + k], 1)
        for r in range(len(CROWN_RINGS))
    ]
    top, middle = len(CROWN_RINGS) * COLUMNS, (len(CROWN_RINGS) + 1) * COLUMNS
    cap = [(middle, top + j, top + j + 1, top + (j + 2) % COLUMNS) for j in range(0, COLUMNS, 2)]
    root = [(3, 2, 1, 0), (7, 4, 3, 0), (7, 6, 5, 4)]
    return np.concatenate([*sides, np.array(cap), np.array(root)])


def _joined(part: str, pieces: list[tuple[Embedding, np.ndarray]]) -> Half:
    embedding = join(*(e for e, _ in pieces))
    starts = np.cumsum([0, *(len(e) for e, _ in pieces)])
    faces = np.concatenate([f + start for (_, f), start in zip(pieces, starts)])
    return Half(part, embedding, faces, np.zeros(len(embedding), bool))


def _is_tongue(corners: np.ndarray) -> bool:
    centre = corners.mean(axis=0)
    normal = np.cross(corners[2] - corners[0], corners[-1] - corners[1])
    from_axis = np.array([*(centre[:2] - TONGUE_AXIS), max(centre[2] - 90, 0)])
    return bool(((centre > TONGUE_BOX[0]) & (centre < TONGUE_BOX[1])).all() and normal @ from_axis > 0)


def _remeshed(part: str, p: np.ndarray, faces: Polygons) -> Half:
    """The least crumpled of a few remeshings."""
    p = np.where(np.abs(p) < (0.01, -1, -1), 0.0, p)
    triangles, line = triangulated(faces), _middle_line(faces, p)
    halves = []
    for found, quads in quad_remeshes(p, triangles, range(QUADS[part], QUADS[part] + 40, 5)):
        embedding = nearest_on_triangles(found, p, triangles)
        points = embedding(p)
        middle = np.array([v for loop in boundary_loops(quads) for v in loop if abs(points[v, 0]) < MIDDLE_MM])
        at, _ = nearest_on_polyline(points[middle], p[line])
        i = np.floor(at).astype(int).clip(0, len(line) - 2)
        corners, weights = embedding.corners.copy(), embedding.weights.copy()
        corners[middle] = np.stack([line[i], line[i + 1], line[i]], 1)
        weights[middle] = np.stack([1 - (at - i), at - i, 0 * at], 1)
        on_midline = np.zeros(len(found), bool)
        on_midline[middle] = True
        quads = quads[~on_midline[quads].all(axis=1)]  # flattened by the move to the middle
        used, quads = np.unique(quads, return_inverse=True)
        halves.append(Half(part, Embedding(corners, weights)[used], quads.reshape(-1, 4), on_midline[used]))
    return min(halves, key=lambda half: crumpled(half.embedding(p), half.faces))


def _middle_line(faces: Polygons, p: np.ndarray) -> np.ndarray:
    """The longest chain of the half's edges on the plane x = 0."""
    after = {a: b for f in faces for a, b in zip(f, (*f[1:], f[0])) if p[a, 0] == 0 and p[b, 0] == 0}
    chains = []
    for start in set(after) - set(after.values()):
        chain = [start]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        chains.append(chain)
    return np.array(max(chains, key=len))


def _pieces(faces: Polygons) -> list[list]:
    parent: dict[int, int] = {}

    def root(v: int) -> int:
        while parent.setdefault(v, v) != v:
            parent[v] = parent[parent[v]]
            v = parent[v]
        return v

    for f in faces:
        for v in f[1:]:
            parent[root(v)] = root(f[0])
    pieces: dict[int, list] = {}
    for f in faces:
        pieces.setdefault(root(f[0]), []).append(f)
    return list(pieces.values())


def _largest_piece(faces: Polygons) -> list:
    return max(_pieces(faces), key=len)
