"""Paint textures of skin and eyes from a face model's landmarks, regions and positions. Needs numpy only.

Every renderer shows textures, Workbench included. Painted textures fit any model with UVs. Colours are sRGB in 0..1.
Textures are (size, size, 3) with the first row at v = 0, as in Blender.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...model.array_types import FloatArray, IntArray
from ...model.face.face_model import FaceModel

PARTS = ("skin", "eyeball", "nostrils", "eye_socket", "mouth_socket", "teeth", "gums", "tongue", "lashes")

SKIN = (0.88, 0.70, 0.61)
CHEEK = (0.87, 0.58, 0.51)
LIPS = (0.74, 0.42, 0.40)
BROWS = (0.26, 0.18, 0.14)
HAIR = (0.33, 0.26, 0.22)
LID_RIM = (0.36, 0.22, 0.19)
LIDS = (0.80, 0.57, 0.50)

SCLERA = (0.86, 0.84, 0.82)
VEINS = (0.85, 0.70, 0.66)
LIMBUS = (0.13, 0.17, 0.19)
IRIS_OUTER = (0.24, 0.36, 0.42)
IRIS_INNER = (0.52, 0.50, 0.36)
IRISES = {"blue": (IRIS_OUTER, IRIS_INNER), "hazel": ((0.30, 0.27, 0.16), (0.45, 0.31, 0.14)),
          "brown": ((0.20, 0.11, 0.06), (0.32, 0.17, 0.08))}  # fmt: skip
PUPIL = (0.02, 0.02, 0.02)

IRIS_EDGE = 0.25  # radius of the iris in ``eye_uv``, as a share of the eye texture's side


@lru_cache(maxsize=1)
def skin_picture(model: FaceModel, size: int = 1024) -> FloatArray:
    """Paint the skin of the mean face in the model's UVs, (size, size, 3)."""
    assert model.uv is not None
    corners = corners_of(model)
    chosen = np.flatnonzero(part_of_faces(model) == PARTS.index("skin"))
    # The unwrapped skin overlaps itself at the nostrils and behind the ears: the outer layer is drawn last.
    outward = np.hypot(model.neutral[:, 0], model.neutral[:, 2])[corners[chosen]].mean(axis=1)
    chosen = chosen[np.argsort(outward)]
    marks = _marks(model)
    fields = np.concatenate([model.neutral, *(mark[:, None] for mark in marks.values())], axis=1)
    uv = np.where(model.faces[:, -1:, None] < 0, model.uv[:, [0, 1, 2, 2][: model.uv.shape[1]]], model.uv)[chosen]
    drawn, values = _rasterised(uv, fields[corners[chosen]].astype(np.float32), size)
    where, mark = values[:, :3], dict(zip(marks, values[:, 3:].T))

    colour = np.tile(np.array(SKIN, np.float32), (len(where), 1))
    colour *= mark["blotches"][:, None]
    _blend(colour, CHEEK, 0.45 * mark["cheeks"])
    _blend(colour, HAIR, 0.80 * _hair(where, mark["scalp"]))
    _blend(colour, LIDS, 0.5 * mark["lids"])
    _blend(colour, LIPS, 0.85 * (_lips(where, model) if model.landmarks is not None else mark["lips"]))
    _blend(colour, LID_RIM, 0.75 * _step(mark["lid rims"], 0.15, 0.70))
    for line in _brow_lines(model):
        _blend(colour, BROWS, _brow(where, line))

    picture = np.tile(np.array(SKIN, np.float32), (size * size, 1))
    picture[drawn] = np.clip(colour, 0, 1)
    return picture.reshape(size, size, 3)


def part_of_faces(model: FaceModel) -> IntArray:
    """Return the index (F,) into ``PARTS`` of each face's part; skin for faces in no other region."""
    faces = corners_of(model)
    out = np.zeros(len(faces), np.int32)
    for i, part in enumerate(PARTS[1:], 1):
        inside = np.zeros(model.vertex_count, bool)
        for region, members in model.regions.items():
            if region == part or region.startswith(part + "_"):
                inside[members] = True
        # The nostrils are a region of the skin. The other parts are separate surfaces: any corner decides.
        out[inside[faces].all(axis=1) if part == "nostrils" else inside[faces].any(axis=1)] = i
    return out


def corners_of(model: FaceModel) -> IntArray:
    """Return the faces (F, k); a triangle among quads repeats its third corner."""
    return np.where(model.faces < 0, model.faces[:, 2:3], model.faces)


@lru_cache(maxsize=3)
def eye_picture(iris_colour: str = "blue", size: int = 256) -> FloatArray:
    """Paint sclera, limbus, iris and pupil around the centre of the texture (``eye_uv``), (size, size, 3).

    ``iris_colour`` is one of ``IRISES``.
    """
    outer, inner = IRISES[iris_colour]
    y, x = (np.mgrid[:size, :size] + 0.5) / size - 0.5
    radius, angle = np.hypot(x, y) / IRIS_EDGE, np.arctan2(y, x)  # radius 1 is the edge of the iris
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1).reshape(-1, 3)
    fibres = _noise(ring * 9.0 + [0, 0, 3], 4).reshape(size, size) + 0.5 * _noise(ring * 24.0, 5).reshape(size, size)
    colour = np.tile(np.array(SCLERA, np.float32), (size, size, 1))
    _blend(colour, VEINS, 0.35 * _step(radius, 1.3, 2.0))
    iris = np.tile(np.array(outer, np.float32), (size, size, 1))
    _blend(iris, inner, 0.75 * (1 - _step(radius + 0.12 * (fibres - 0.75), 0.42, 0.72)))
    iris *= 0.80 + 0.28 * fibres[..., None]
    _blend(iris, LIMBUS, _step(radius, 0.80, 1.0))
    _blend(iris, PUPIL, 1 - _step(radius, 0.34, 0.39))
    inside = (1 - _step(radius, 0.98, 1.06))[..., None]
    return np.clip(colour + inside * (iris - colour), 0, 1).astype(np.float32)


def eye_uv(directions: FloatArray, iris_angle: float) -> FloatArray:
    """Return the UVs (..., 2) in ``eye_picture`` of directions (..., 3) from the pivot, in model axes.

    The distance from the centre grows with the angle from the optical axis (+z).
    """
    unit = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    angle = np.arccos(np.clip(unit[..., 2], -1, 1))
    across = np.hypot(unit[..., 0], unit[..., 1])
    radius = np.minimum(IRIS_EDGE * angle / iris_angle, 0.49) / np.maximum(across, 1e-6)
    uv: FloatArray = 0.5 + radius[..., None] * unit[..., :2]
    return uv


def _marks(model: FaceModel) -> dict[str, FloatArray]:
    """Return soft masks (V,) of the coloured areas, from the regions; zeros for a region that the model lacks."""
    edges = edges_of(model)

    def mark(softness: int, *names: str) -> FloatArray:
        values = np.zeros(model.vertex_count)
        for name in names:
            values[model.regions.get(name, [])] = 1.0
        return _smoothed(values, edges, softness)

    lids = mark(0, "lid_upper_L", "lid_upper_R", "lid_lower_L", "lid_lower_R")
    sockets = mark(0, "eye_socket_L", "eye_socket_R") * (1 - lids)
    upper = mark(0, "lid_upper_L", "lid_upper_R")
    # The lid margin is where a lid meets the eye socket. The upper margin is darker, for the lashes.
    rims = (0.55 + 0.45 * upper) * lids * (np.bincount(edges[:, 0], sockets[edges[:, 1]], len(lids)) > 0)
    cheeks = np.zeros(model.vertex_count)
    if "skin" in model.regions and model.landmarks is not None:
        corners = model.neutral[model.landmarks[[48, 54]]] + np.array([[-17, 18, 0], [17, 18, 0]])
        far = np.linalg.norm((model.neutral[:, None, :2] - corners[None, :, :2]) / [20.0, 15.0], axis=-1).min(axis=1)
        cheeks = np.exp(-(far**2)) * (model.neutral[:, 2] > corners[:, 2].mean() - 40)
    return {
        "scalp": mark(3, "scalp"),
        "lips": mark(0, "lips"),
        "lids": _smoothed(lids, edges, 2),
        "lid rims": rims,
        "cheeks": cheeks,
        "blotches": 0.97 + 0.06 * _noise(model.neutral / 22.0, 1),
    }


def _hair(where: FloatArray, scalp: FloatArray) -> FloatArray:
    """Return the coverage (N,) of short hair at points (N, 3): the scalp behind a round hairline."""
    ragged = 0.10 * (_noise(where / 2.5, 3) - 0.5)
    face = np.hypot(where[:, 0] / 76.0, (where[:, 1] - 20.0) / 92.0) + ragged
    ears = (np.abs(where - [0, 6, -8]) < [np.inf, 34, 24]).all(axis=1) & (np.abs(where[:, 0]) > 68)
    behind = _step(-where[:, 2], -30.0, -15.0)
    share: FloatArray = _step(scalp, 0.1, 0.6) * np.maximum(_step(face, 0.95, 1.09), behind) * ~ears
    return share


def _lips(where: FloatArray, model: FaceModel) -> FloatArray:
    """Return the coverage (N,) of the lips at points (N, 3): inside the landmarks' outline, with a soft edge."""
    assert model.landmarks is not None
    outline = _rounded(model.neutral[model.landmarks[48:60]].astype(float))
    low, high = outline.min(axis=0) - 3, outline.max(axis=0) + 3
    near = np.flatnonzero((where[:, 2] > low[2] - 8) & ((where > low) & (where < high))[:, :2].all(axis=1))
    points = where[near, :2]
    distance = np.full(len(near), 1e3)
    inside = np.zeros(len(near), bool)
    for (ax, ay), (bx, by) in zip(outline[:, :2], np.roll(outline[:, :2], -1, axis=0)):
        x, y = points[:, 0] - ax, points[:, 1] - ay
        dx, dy = bx - ax, by - ay
        t = ((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-9)).clip(0, 1)
        distance = np.minimum(distance, np.hypot(x - t * dx, y - t * dy))
        inside ^= ((ay > points[:, 1]) != (by > points[:, 1])) & (x * dy < dx * y if dy > 0 else x * dy > dx * y)
    out = np.zeros(len(where), np.float32)
    out[near] = _step(np.where(inside, distance, -distance), -0.6, 1.2)
    return out


def _rounded(corners: FloatArray, steps: int = 4) -> FloatArray:
    """Return a closed Catmull-Rom curve (n * steps, d) through ``corners`` (n, d)."""
    a, b, c, d = (np.roll(corners, shift, axis=0)[:, None] for shift in (1, 0, -1, -2))
    t = (np.arange(steps) / steps)[None, :, None]
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    rounded: FloatArray = curve.reshape(-1, corners.shape[1])
    return rounded


def from_brows(where: FloatArray, model: FaceModel) -> FloatArray:
    """Return the distance (N,) mm of points (N, 3) of the mean face from the nearest brow's line; inf without brows."""
    out = np.full(len(where), np.inf)
    for line in _brow_lines(model):
        for a, b in zip(line, line[1:]):
            t = ((where - a) @ (b - a) / ((b - a) @ (b - a))).clip(0, 1)
            out = np.minimum(out, np.linalg.norm(where - a - t[:, None] * (b - a), axis=1))
    return out


def _brow_lines(model: FaceModel) -> list[FloatArray]:
    """Return each brow as a line (5, 3) from its inner to its outer end, from the landmarks."""
    if model.landmarks is None or not len(model.regions.get("brow_L", [])):
        return []
    right, left = model.neutral[model.landmarks[17:22]], model.neutral[model.landmarks[22:27]]
    return [right[::-1], left]


def _brow(where: FloatArray, line: FloatArray) -> FloatArray:
    """Return the coverage (N,) of a brow at points (N, 3): hairs along a line, dense inside, thin at the outer end."""
    out = np.zeros(len(where), np.float32)
    near = np.flatnonzero(
        (np.abs(where[:, :2] - line[:, :2].mean(axis=0)) < [40, 25]).all(axis=1) & (where[:, 2] > line[:, 2].min() - 15)
    )
    points = where[near, :2]
    lengths = np.linalg.norm(np.diff(line[:, :2], axis=0), axis=1)
    offset = np.full(len(near), 1e3)
    along = np.zeros(len(near))
    for i, (a, b) in enumerate(zip(line[:-1, :2], line[1:, :2])):
        step = b - a
        t = ((points - a) @ step / (step @ step)).clip(0, 1)
        across = points - (a + t[:, None] * step)
        distance = np.linalg.norm(across, axis=1) * np.where(across[:, 1] < 0, -1, 1)
        closer = np.abs(distance) < np.abs(offset)
        offset[closer] = distance[closer]
        along[closer] = (lengths[:i].sum() + t[closer] * lengths[i]) / lengths.sum()
    thick = np.interp(along, [0.0, 0.12, 0.55, 1.0], [2.6, 3.6, 3.1, 0.9])  # half height, mm
    slope = np.sign(line[-1, 0] - line[0, 0])
    hairs = _noise(np.stack([points[:, 0] * 1.1 - slope * points[:, 1] * 0.75, offset * 0.22, 0 * along], -1), 6)
    body = 1 - _step(np.abs(offset) / thick + 0.9 * (0.55 - hairs), 0.45, 1.15)
    fade = np.interp(along, [0.0, 0.10, 0.8, 1.0], [0.55, 0.95, 0.95, 0.6])
    out[near] = 0.92 * body * fade
    return out


def _blend(colours: FloatArray, colour: tuple[float, float, float], share: FloatArray) -> None:
    colours += np.asarray(share, np.float32)[..., None] * (np.array(colour, np.float32) - colours)


def _step(values: FloatArray, low: float, high: float) -> FloatArray:
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _noise(points: FloatArray, seed: int) -> FloatArray:
    """Return smooth noise (N,) in 0..1 at points (N, 3), with features of size 1."""
    lattice = np.random.default_rng(seed).random(32**3, np.float32)
    points = np.asarray(points, np.float32)
    cell = np.floor(points)
    f = points - cell
    f = f * f * (3 - 2 * f)
    i, j, k = (cell.astype(np.int32).T[:, None] + np.array([[0], [1]])) & 31
    out = np.zeros(len(points), np.float32)
    for a, b, c in np.ndindex(2, 2, 2):
        share = [f[:, axis] if far else 1 - f[:, axis] for axis, far in enumerate((a, b, c))]
        out += share[0] * share[1] * share[2] * lattice[(i[a] * 32 + j[b]) * 32 + k[c]]
    return out


def _rasterised(uv: FloatArray, values: FloatArray, size: int) -> tuple[IntArray, FloatArray]:
    """Rasterise corner ``values`` (F, k, C) at ``uv`` (F, k, 2). Returns flat pixel indices (N,) and values (N, C)."""
    if uv.shape[1] == 3:  # a triangle becomes a quad that repeats a corner
        uv, values = (np.concatenate([a, a[:, 2:]], axis=1) for a in (uv, values))
    pixels = uv.astype(np.float32) * size
    sides = [pixels - np.roll(pixels, 1, axis=1), pixels[:, :2] - pixels[:, 2:]]
    reach = 1.5 * np.linalg.norm(np.concatenate(sides, axis=1), axis=-1).max(axis=1)
    face = np.full(size * size, -1, np.int32)
    spot = np.empty((size * size, 2), np.float32)
    smaller = 0.0
    for steps in (
        4,
        6,
        8,
        12,
        16,
        24,
        32,
        48,
        64,
        96,
        128,
        256,
        512,
    ):  # samples per side, by the face's size in pixels
        group = np.flatnonzero((reach < steps) & (reach >= smaller))
        smaller = steps
        t = np.linspace(0, 1, steps, dtype=np.float32)
        grid = np.stack(np.meshgrid(t, t), -1).reshape(-1, 2)
        column, row = np.clip((_bilinear(grid) @ pixels[group]).reshape(-1, 2).astype(np.int32), 0, size - 1).T
        flat = row * size + column
        face[flat] = np.repeat(group, len(grid))
        spot[flat] = np.tile(grid, (len(group), 1))
    drawn = np.flatnonzero(face >= 0)
    weights, corners = _bilinear(spot[drawn]), values[face[drawn]]
    return drawn, (weights[:, None] @ corners)[:, 0]


def _bilinear(grid: FloatArray) -> FloatArray:
    """Return the weights (N, 4) of a quad's corners at points (N, 2) in the unit square."""
    a, b = grid.T
    return np.stack([(1 - a) * (1 - b), a * (1 - b), a * b, (1 - a) * b], 1)


def edges_of(model: FaceModel) -> IntArray:
    """Return the edges (E, 2) of the model's faces, in both directions."""
    faces = corners_of(model)
    pairs = np.stack([faces, np.roll(faces, -1, axis=1)], -1).reshape(-1, 2)
    edges: IntArray = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    return edges


def _smoothed(values: FloatArray, edges: IntArray, rounds: int) -> FloatArray:
    count = np.maximum(np.bincount(edges[:, 0], minlength=len(values)), 1)
    for _ in range(rounds):
        values = 0.5 * values + 0.5 * np.bincount(edges[:, 0], values[edges[:, 1]], len(values)) / count
    return values
