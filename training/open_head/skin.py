"""The left half of the outer head, with the linings of the eye and the mouth: our own quads on the source's surface.

Rings of quads run round the eye and the mouth, from a cut outside them to the lid margin and the lips and on into the
sockets; QuadriFlow fills the rest. The cuts are edge loops of the source, so both sides meet exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve

from ...model.array_types import FloatArray, IntArray
from ...model.face.meshes import vertex_normals
from . import ict
from .embedding import Embedding, join, nearest_on_polyline, nearest_on_triangles, on_segments
from .quads import Half, Polygons, boundary_loops, directed_boundary, grown, rings, triangulated
from .remesh import inverted, quad_remeshes

# Rings are counted from the edge where the source's skin meets a socket; positive outwards.
EYE_CUT, EYE_MARGIN = 8, 2
EYE_INNER = (1, 0, -1, -3, -5)
EYE_STEPS = (0.2, 0.39, 0.56, 0.71, 0.84, 0.93)  # of the way from the cut to the lid margin
MOUTH_CUT, MOUTH_BORDER = 18, 12
MOUTH_CONTACT = 7
MOUTH_INNER = (11, 10, 9, 8, 7, 5, 3, 0)
MOUTH_SOCKET = (-3, -7, -11, -16)
MOUTH_STEPS = (0.25, 0.48, 0.68, 0.85)
THROAT_DEPTH = 45.0
RELAXATIONS = 8
TRIALS = 16

# Where QuadriFlow puts more quads: towards a point before the face, and in some spots swollen before the inversion
# (centre, strength, reach in mm, stretch of the axes).
INVERSION_CENTRE = np.array([0.0, -5.0, 330.0])
SWELLINGS: tuple[tuple[Callable[[FloatArray], FloatArray], float, float, tuple[float, float, float]], ...] = (
    (lambda p: p[30] * (0, 1, 1) + (8.5, -7, -14), 0.7, 16, (1, 1, 1)),  # the nostril
    (lambda p: p[42:48].mean(0), 0.7, 30, (1.25, 1, 1)),  # the eye
    (lambda p: np.array([80.0, 14, -5]), 1.5, 50, (1, 1, 1)),  # the ear
)


def left_skin(source: ict.FaceX, quads: int) -> Half:
    """Return the half with about ``quads`` quads outside the rings.

    Marks: ``eye_rings`` (r, M) from the cut inwards, ``eye_margin`` the number of the margin's row, ``mouth_rings`` (r,
    K) from below the middle to above it.
    """
    sheet = _Sheet(source)
    return min((_half(sheet, rest) for rest in _remeshings(sheet, quads)), key=lambda h: _shading_error(h, source))


def _shading_error(half: Half, source: ict.FaceX) -> float:
    """Return the mean angle between the normals of smooth shading on our quads and on the source, radians."""
    faces = np.array(source.faces[ict.SKIN])
    wanted = half.embedding(vertex_normals(source.neutral, faces))
    points = half.embedding(source.neutral)
    ours = vertex_normals(points, half.faces)
    seen = ~half.on_midline & (points[:, 2] > 40) & (np.linalg.norm(wanted, axis=1) > 0.5)
    cosine = (ours * wanted).sum(axis=1) / np.maximum(np.linalg.norm(wanted, axis=1), 1e-12)
    return float(np.arccos(cosine[seen].clip(-1, 1)).mean())


def _half(sheet: _Sheet, rest: _Rest) -> Half:
    eye = _eye_rings(sheet, rest)
    lips, socket = _mouth_rings(sheet, rest)
    builder = _Builder(rest.embedding, rest.faces)
    eye_grid = builder.add_rings(rest.eye, eye, closed=True)
    lip_grid = builder.add_rings(rest.mouth, lips, closed=False)
    socket_start = len(builder)
    socket_grid = builder.add_rings(lip_grid[-1], socket, closed=False)
    builder.zip_throat(socket_grid[-1], sheet)
    embedding, faces = builder.result()
    midline = np.zeros(len(embedding), bool)
    midline[rest.midline] = True
    midline[lip_grid[:, [0, -1]].ravel()] = True
    midline[socket_grid[:, [0, -1]].ravel()] = True
    midline[builder.throat[:, 0]] = True
    marks = {
        "eye_rings": eye_grid,
        "lip_rings": lip_grid,
        "mouth_socket": np.arange(socket_start, len(embedding)),
        "eye_margin": np.array([1 + len(EYE_STEPS)]),
    }
    return Half("skin", embedding, faces, midline, marks)


class _Sheet:
    """The source's outer surface, its loops and cuts."""

    def __init__(self, source: ict.FaceX) -> None:
        self.vertices = source.neutral
        p = source.neutral
        skin, mouth = source.faces[ict.SKIN], source.faces[ict.MOUTH_SOCKET]
        eye = source.faces[ict.EYE_SOCKET_L]
        self.landmarks = p[source.landmarks]

        eye_edge = _ordered_eye_loop(next(iter(boundary_loops(eye))), p)
        outward = rings(skin, eye_edge, EYE_MARGIN)
        corner = (int(np.argmax(p[outward[-1], 0])) + len(eye_edge) // 2) % len(eye_edge)  # opposite the outer one

        def shift(ring: list[int]) -> list[int]:
            return ring[corner:] + ring[:corner]

        self.eye = {0: shift(eye_edge)}
        self.eye |= {k + 1: shift(r) for k, r in enumerate(outward)}
        self.eye |= {-k - 1: shift(r) for k, r in enumerate(rings(eye, eye_edge, -min(EYE_INNER)))}

        mouth_edge = max(boundary_loops(mouth), key=len)
        around = {0: mouth_edge}
        around |= {k + 1: r for k, r in enumerate(rings(skin, mouth_edge, MOUTH_BORDER))}
        around |= {-k - 1: r for k, r in enumerate(rings(mouth, mouth_edge, -min(MOUTH_SOCKET)))}
        self.mouth = {k: _half_ring(r, p) for k, r in _same_columns(around, p).items()}
        self.mouth_socket = triangulated(mouth)

        self.eye_patch = grown(skin, eye_edge, EYE_CUT)
        self.mouth_patch = grown(skin, mouth_edge, MOUTH_CUT)
        self.eye_cut = _ordered_eye_loop(max(boundary_loops(self.eye_patch), key=lambda r: np.ptp(p[r, 0])), p)
        self.mouth_cut = max(boundary_loops(self.mouth_patch), key=lambda r: np.ptp(p[r, 0]))
        cut = _counter_clockwise(self.mouth_cut, p)
        below = _from_below(cut, p)
        self.half_cut = _half_ring(cut[below:] + cut[:below], p)
        gone = {tuple(f) for f in (*self.eye_patch, *self.mouth_patch)}
        self.rest = [f for f in skin if tuple(f) not in gone and p[list(f), 0].min() > -0.01]


@dataclass(frozen=True)
class _Rest:
    embedding: Embedding
    faces: IntArray
    eye: list[int]  # boundary vertices counter-clockwise seen from the front, from the inner corner
    mouth: list[int]  # from below to above
    midline: IntArray


def _remeshings(sheet: _Sheet, quads: int) -> list[_Rest]:
    """Return the usable ones of a few remeshings, each with slightly more quads.

    A usable one has the right openings and an even number of columns round each. QuadriFlow's results differ at random
    between them.
    """
    p = sheet.vertices.copy()
    p[np.abs(p[:, 0]) < 0.01, 0] = 0
    triangles = triangulated(sheet.rest)
    swollen = _swollen(p, sheet.landmarks)
    found, reasons = [], []
    for vertices, faces in quad_remeshes(swollen, triangles, range(quads, quads + TRIALS * 8, 8)):
        try:
            rest = _rest(sheet, p, swollen, triangles, vertices, faces)
        except _Unsuitable as error:
            reasons.append(str(error))
            continue
        if len(rest.eye) % 2 == 0 and len(rest.mouth) % 2 == 0:
            found.append(rest)
        else:
            reasons.append("odd openings")
    if not found:
        raise RuntimeError(f"QuadriFlow gave no usable mesh ({'; '.join(reasons)}); change the number of quads")
    return found


class _Unsuitable(Exception):
    pass


def _rest(
    sheet: _Sheet, p: FloatArray, swollen: FloatArray, triangles: IntArray, vertices: FloatArray, faces: IntArray
) -> _Rest:
    """Map QuadriFlow's mesh from the ``swollen`` surface back to the surface ``p``.

    The mesh is ``vertices`` and ``faces``. Its borders are mapped to the borders of ``p``.
    """
    embedding = nearest_on_triangles(vertices, swollen, triangles)
    points = embedding(p)
    loops = sorted(boundary_loops(faces), key=len)
    if len(loops) != 2:
        raise _Unsuitable(f"{len(loops)} openings instead of 2")
    eye = _ordered_eye_loop(loops[0], points)
    outer = loops[1]

    corners, weights = embedding.corners.copy(), embedding.weights.copy()

    def ride(members: Sequence[int], line: Sequence[int], at: FloatArray) -> None:
        on = _along(line, at)
        corners[list(members)], weights[list(members)] = on.corners, on.weights

    around = [*sheet.eye_cut, sheet.eye_cut[0]]
    ride(eye, around, nearest_on_polyline(points[eye], p[around])[0])
    start = outer.index(_closest(points, outer, p[sheet.half_cut[0]]))
    outer = outer[start:] + outer[:start]
    following = directed_boundary(sheet.rest)
    middle = [a for a, b in following.items() if p[a, 0] == 0 and p[b, 0] == 0]
    chains = _outer_lines(following, sheet.half_cut[0], p)
    marks = [outer.index(_closest(points, outer, p[line[0]])) for line in chains] + [len(outer)]
    if marks != sorted(marks):
        raise _Unsuitable("a border that does not follow the source's")
    midline: list[int] = []
    mouth: list[int] = []
    for line, begin, end in zip(chains, marks, marks[1:]):
        members = [outer[i % len(outer)] for i in range(begin, end + 1)]
        # by length, not by the nearest point: QuadriFlow rounds off the corners between the lines
        ride(members, line, np.interp(_lengths(points[members]), _lengths(p[line]), np.arange(len(line))))
        if p[line, 0].max() == 0:
            midline += members
        elif set(line) >= set(sheet.half_cut[1:-1]):
            mouth = members
    assert middle and mouth
    if p[corners[mouth[0], 0], 1] > p[corners[mouth[-1], 0], 1]:
        mouth.reverse()
    embedding = _relaxed(Embedding(corners, weights), faces, [*eye, *outer], swollen, triangles)
    return _Rest(embedding, faces, eye, mouth, np.unique(midline))


def _relaxed(
    embedding: Embedding, faces: IntArray, fixed: Sequence[int], surface: FloatArray, triangles: IntArray
) -> Embedding:
    """Evens the quads out on the surface (Laplacian smoothing), the border stays."""
    n = len(embedding)
    i, j = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    neighbours = coo_matrix((np.ones(2 * len(i)), (np.r_[i, j], np.r_[j, i])), (n, n)).tocsr()
    degree = np.asarray(neighbours.sum(axis=1))
    free = np.setdiff1d(np.arange(n), fixed)
    corners, weights = embedding.corners.copy(), embedding.weights.copy()
    points = embedding(surface)
    for _ in range(RELAXATIONS):
        points[free] = 0.5 * (points + neighbours @ points / degree)[free]
        on = nearest_on_triangles(points[free], surface, triangles)
        points[free] = on(surface)
        corners[free], weights[free] = on.corners, on.weights
    return Embedding(corners, weights)


def _lengths(points: FloatArray) -> FloatArray:
    """Return the relative arc length of each point of a polyline, 0 to 1."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    lengths: FloatArray = np.r_[0, np.cumsum(steps)] / steps.sum()
    return lengths


def _eye_rings(sheet: _Sheet, rest: _Rest) -> list[Embedding]:
    count = len(rest.eye)
    at = np.linspace(0, len(sheet.eye[0]), count, endpoint=False)
    margin = _along([*sheet.eye[EYE_MARGIN], sheet.eye[EYE_MARGIN][0]], at)
    outer = rest.embedding[np.array(rest.eye)]
    patch = _Flat(sheet.vertices, sheet.eye_patch, sheet.eye_cut, sheet.eye[EYE_MARGIN])
    between = patch.between(outer, margin, EYE_STEPS)
    return [*between, margin, *(_along([*sheet.eye[k], sheet.eye[k][0]], at) for k in EYE_INNER)]


def _mouth_rings(sheet: _Sheet, rest: _Rest) -> tuple[list[Embedding], list[Embedding]]:
    outer = rest.embedding[np.array(rest.mouth)]
    patch = _Flat(sheet.vertices, sheet.mouth_patch, sheet.mouth_cut, _loop_of_half(sheet, MOUTH_BORDER))
    # the lips' corner gets a column of its own: the one that leaves the cut in its direction
    border = sheet.mouth[MOUTH_BORDER]
    corner = int(np.argmax(sheet.vertices[sheet.mouth[MOUTH_CONTACT], 0]))

    def angle(xy: FloatArray) -> FloatArray:
        return np.arctan2(xy[:, 1], xy[:, 0])

    directions = angle(patch(outer))
    column = int(np.abs(directions - angle(patch(_along(border, np.array([float(corner)]))))).argmin())
    last = len(rest.mouth) - 1
    at = np.concatenate(
        [np.linspace(0, corner, column, endpoint=False), np.linspace(corner, len(border) - 1, last - column + 1)]
    )
    inner = _along(border, at)
    lips = [*patch.between(outer, inner, MOUTH_STEPS), inner, *(_along(sheet.mouth[k], at) for k in MOUTH_INNER)]
    return lips, [_along(sheet.mouth[k], at) for k in MOUTH_SOCKET]


def _loop_of_half(sheet: _Sheet, level: int) -> list[int]:
    """Return the vertices of a whole mouth ring, in any order."""
    half = set(sheet.mouth[level])
    patch = {v for f in sheet.mouth_patch for v in f}
    p = sheet.vertices
    index = np.array(sorted(patch))
    mirror = {int(index[np.abs(p[index] - p[v] * ict.MIRROR).sum(1).argmin()]) for v in half}
    return sorted(half | mirror)


class _Flat:
    """A patch flattened to the unit disc (Tutte's embedding), its hole closed by a fan."""

    def __init__(self, vertices: FloatArray, patch: Polygons, rim: list[int], hole: Sequence[int]) -> None:
        self.vertices = vertices
        inside = _between_loops(patch, rim, set(hole))
        self.triangles = triangulated(inside)
        used = np.unique(self.triangles)
        local = {int(v): i for i, v in enumerate(used)}
        hub = len(used)
        edges = {tuple(sorted((local[a], local[b]))) for f in inside for a, b in zip(f, (*f[1:], f[0]))}
        edges |= {(local[v], hub) for v in hole}
        i, j = np.array(sorted(edges)).T
        w = coo_matrix((np.ones(len(i)), (i, j)), (hub + 1, hub + 1))
        w = (w + w.T).tocsr()
        rim = _counter_clockwise(rim, vertices)
        steps = np.linalg.norm(vertices[np.roll(rim, -1)] - vertices[rim], axis=1)
        angle = 2 * np.pi * np.r_[0, np.cumsum(steps)[:-1]] / steps.sum()
        start = vertices[rim[0]] - vertices[rim].mean(0)
        angle += np.arctan2(start[1], start[0])
        flat = np.zeros((hub + 1, 2))
        fixed = [local[v] for v in rim]
        flat[fixed] = np.stack([np.cos(angle), np.sin(angle)], 1)
        free = np.setdiff1d(np.arange(hub + 1), fixed)
        laplace = w[free]
        degree = np.asarray(laplace.sum(axis=1)).ravel()
        matrix = coo_matrix((degree, (np.arange(len(free)), np.arange(len(free))))).tocsr() - laplace[:, free]
        flat[free] = spsolve(matrix.tocsc(), laplace[:, fixed] @ flat[fixed])
        self.flat = np.zeros((len(vertices), 3))
        self.flat[used, :2] = flat[:hub]

    def __call__(self, embedding: Embedding) -> FloatArray:
        return embedding(self.flat)[:, :2]

    def between(self, outer: Embedding, inner: Embedding, steps: Sequence[float]) -> list[Embedding]:
        """Rings that part the columns outer -> inner at ``steps`` of their length on the surface."""
        t = np.linspace(0, 1, 41)[:, None, None]
        a, b = outer(self.flat), inner(self.flat)
        lines = a + t * (b - a)
        flat = lines.reshape(-1, 3)
        points = nearest_on_triangles(flat, self.flat, self.triangles)(self.vertices).reshape(lines.shape)
        length = np.cumsum(np.linalg.norm(np.diff(points, axis=0, prepend=points[:1]), axis=2), axis=0)
        out = []
        for step in steps:
            at = [np.interp(step * line[-1], line, t.ravel()) for line in length.T]
            out.append(nearest_on_triangles(a + np.array(at)[:, None] * (b - a), self.flat, self.triangles))
        return out


class _Builder:
    def __init__(self, embedding: Embedding, faces: IntArray) -> None:
        self.parts, self.faces, self.count = [embedding], [faces], len(embedding)
        self.throat = np.zeros((0, 0), int)

    def __len__(self) -> int:
        return self.count

    def add(self, embedding: Embedding) -> IntArray:
        self.parts.append(embedding)
        self.count += len(embedding)
        return np.arange(self.count - len(embedding), self.count)

    def add_rings(self, start: Sequence[int], embeddings: list[Embedding], closed: bool) -> IntArray:
        """Quads from the vertices ``start`` over each ring; returns the grid of vertices, ``start`` first."""
        grid = np.array([start, *(self.add(e) for e in embeddings)])
        self.faces.append(strip(grid, closed))
        return grid

    def zip_throat(self, ring: IntArray, sheet: _Sheet) -> None:
        """Close the mouth's back with bars from the lower half of the open ring to the upper, two points on each."""
        p = sheet.vertices
        ends = join(*self.parts)[ring](p)
        bars = len(ring) // 2
        low, high = ends[:bars], ends[::-1][:bars]
        back = np.array([0, 0, -THROAT_DEPTH]) * np.cos(np.linspace(0, np.pi / 2, bars))[:, None]
        between = [
            self.add(nearest_on_triangles(low + part * (high - low) + back, p, sheet.mouth_socket))
            for part in (1 / 3, 2 / 3)
        ]
        rows = [ring[:bars], *between, ring[::-1][:bars]]
        grid = np.array(rows)
        self.throat = grid[1:3]
        self.faces += [strip(grid, False), grid[::-1, -1][None]]

    def result(self) -> tuple[Embedding, IntArray]:
        return join(*self.parts), np.concatenate(self.faces)


def strip(grid: IntArray, closed: bool) -> IntArray:
    """Return the quads of a grid of vertices (rows, columns).

    They face outwards where columns run counter-clockwise and rows inwards.
    """
    if closed:
        grid = np.concatenate([grid, grid[:, :1]], axis=1)
    quads: IntArray = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], -1).reshape(-1, 4)
    return quads


def _swollen(p: FloatArray, landmarks: FloatArray) -> FloatArray:
    q = p
    for centre_of, strength, reach, stretch in SWELLINGS:
        centre, axes = centre_of(landmarks), np.array(stretch)
        d = (q - centre) / axes
        r = np.linalg.norm(d, axis=1, keepdims=True)
        q = centre + axes * d * (1 + strength * np.exp(-((r / reach) ** 2)))
    return inverted(q, INVERSION_CENTRE)


def _along(line: Sequence[int], at: FloatArray) -> Embedding:
    """Points of a polyline of source vertices, ``at`` counted in segments from its start."""
    vertices = np.asarray(line)
    i = np.floor(at).astype(int).clip(0, len(vertices) - 2)
    return on_segments(vertices[i], vertices[i + 1], at - i)


def _counter_clockwise(loop: list[int], p: FloatArray) -> list[int]:
    """Return the loop in counter-clockwise order as seen from the front."""
    x, y = p[loop, 0], p[loop, 1]
    area = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum()
    return loop if area > 0 else loop[::-1]


def _ordered_eye_loop(loop: list[int], p: FloatArray) -> list[int]:
    """Counter-clockwise from the inner corner."""
    loop = _counter_clockwise(loop, p)
    start = int(np.argmin(p[loop, 0]))
    return loop[start:] + loop[:start]


def _same_columns(around: dict[int, list[int]], p: FloatArray) -> dict[int, list[int]]:
    """All rings from the lower middle, counter-clockwise."""
    base = around[0]
    flip = _counter_clockwise(base, p) is not base
    ordered = {k: r[::-1] if flip else r for k, r in around.items()}
    start = _from_below(ordered[0], p)
    return {k: r[start:] + r[:start] for k, r in ordered.items()}


def _from_below(ring: list[int], p: FloatArray) -> int:
    """Return where a ring crosses the middle below."""
    middle = [k for k, v in enumerate(ring) if abs(p[v, 0]) < 0.05]
    return min(middle, key=lambda k: p[ring[k], 1])


def _half_ring(ring: list[int], p: FloatArray) -> list[int]:
    """Return the left half of a counter-clockwise ring that starts at the lower middle, up to the upper middle."""
    end = [k for k, v in enumerate(ring) if abs(p[v, 0]) < 0.05]
    if len(end) != 2 or end[0] != 0:
        raise ValueError(f"the ring crosses the middle {len(end)} times")
    return ring[: end[1] + 1]


def _between_loops(patch: Polygons, rim: list[int], hole: set[int]) -> list[Sequence[int]]:
    """Return the faces of the patch outside the loop ``hole``: those reached from the rim without crossing it."""
    reached = set(rim)
    remaining = list(patch)
    out: list[Sequence[int]] = []
    while True:
        near = [f for f in remaining if any(v in reached and v not in hole for v in f)]
        if not near:
            return out
        remaining = [f for f in remaining if f not in near]
        reached.update(v for f in near for v in f)
        out += near


def _closest(points: FloatArray, among: Sequence[int], target: FloatArray) -> int:
    return among[int(np.linalg.norm(points[list(among)] - target, axis=1).argmin())]


def _outer_lines(following: dict[int, int], start: int, p: FloatArray) -> list[list[int]]:
    """Return the source's outer border from ``start``, cut into lines where it meets or leaves the middle."""
    loop = [start]
    while (b := following[loop[-1]]) != start:
        loop.append(b)
    loop.append(start)
    lines, line = [], [loop[0]]
    for a, b, c in zip(loop, loop[1:], [*loop[2:], loop[1]]):
        line.append(b)
        inner = p[a, 0] == 0 and p[b, 0] == 0
        if inner != (p[b, 0] == 0 and p[c, 0] == 0):
            lines.append(line)
            line = [b]
    return lines
