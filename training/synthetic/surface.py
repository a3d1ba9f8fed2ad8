"""Maps of the head's surface: where lips, brows, beard, hair and wrinkles lie, vertex by vertex.

Computed once from the mean head; the files that use it sample everything random later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...model.array_types import AnyArray, BoolArray, FloatArray, IntArray
from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.face.dense_points import dense_points
from ...model.face.face_model import FaceModel, triangles
from ...model.face.semantics import OPEN_KEYS
from ..open_head.identity import PEOPLE
from .furrows import Furrow, furrows_of
from .ingredients import EVERYTHING, Ingredients
from .rasterizer import BARE, SKIN, vertex_normals
from .realism import Realism, fits


@dataclass(frozen=True, eq=False)
class Surface:
    """Per-vertex data of a head with V vertices and T triangles (quads split; lashes twice, for both their sides).

    ``triangles`` (T, 3), ``quads`` (F, 4: the same faces before the split, a triangle repeats its first corner),
    those from ``inner`` on the inside of the mouth, which is only seen within ``mouth_rim`` (vertices). ``casters``
    (C, 3) are the triangles that throw shadows. ``axes`` (3, V) are the mean
    head's vertices, ``normals`` (V, 3) theirs. ``kind`` (V,) is how
    the rasteriser colours a vertex: SKIN, BARE, or on an eyeball its angle from the eye's axis. ``loose`` (V,) says
    how far a vertex may leave the linear model: not at the eyes. ``gestures`` (K, 3V) are the keys and after them
    ``gaze_lids``, for one product of matrices.
    Masks are (V,) float32 0..1. ``wrinkles`` (W, N) are furrow profiles of the vertices ``furrowed`` (N,),
    ``wrinkle_drivers`` (W, 29) say which keys fold them; ``wrinkle_age`` (W,) how much of each an old face shows at
    rest, ``wrinkle_kind`` (W,) its ``Furrow.kind``, ``furrow_lines`` where it runs in ``coords`` and how wide it is,
    mm. ``dense`` (192,) are the vertices of ``Sample.points``, ``pupils`` (2,) the middles of the right and left pupil.
    ``average_alpha`` (A,) is the model's ``new_alpha``, ``mouth_width`` (A,) the direction of length 1 in which the
    open head's mouth gets wider most quickly, 0 for any other head.
    ``realism``: photographs of skin, brows, light.
    ``radius`` (A, H): distance of the skin from the vertical axis by angle and height, for hair and clothes.
    """

    model: FaceModel
    triangles: IntArray
    quads: IntArray
    inner: int
    mouth_rim: IntArray
    casters: IntArray
    axes: FloatArray
    normals: FloatArray
    coords: FloatArray
    kind: FloatArray
    loose: FloatArray
    gestures: FloatArray
    skin: FloatArray
    lips: FloatArray
    beard: FloatArray
    moustache: FloatArray
    cheeks: FloatArray
    nose: FloatArray
    eye_shadow: FloatArray
    eye_line: FloatArray
    t_zone: FloatArray
    nostrils: FloatArray
    scalp_height: FloatArray
    occlusion: FloatArray
    furrowed: IntArray
    wrinkles: FloatArray
    wrinkle_drivers: FloatArray
    wrinkle_age: FloatArray
    wrinkle_kind: IntArray
    furrow_lines: list[tuple[AnyArray, float]]
    radius: FloatArray
    radius_heights: FloatArray
    dense: IntArray
    pupils: IntArray
    average_alpha: FloatArray
    mouth_width: FloatArray
    ingredients: Ingredients
    realism: Realism | None

    def region(self, name: str) -> IntArray:
        return self.model.regions.get(name, np.empty(0, np.int32))


def build_surface(model: FaceModel, ingredients: Ingredients = EVERYTHING, realism: Realism | None = None) -> Surface:
    """Build the surface of a head. Raises InputError where the photographs are made for another head."""
    mean = model.neutral.astype(np.float64)
    landmarks = mean[model.landmarks]
    corners = triangles(model.faces)
    skin = np.zeros(len(mean), bool)
    skin[model.regions["skin"]] = True
    quads = np.column_stack([model.faces, model.faces[:, 0]])[:, :4]
    quads = np.ascontiguousarray(np.where(quads < 0, quads[:, :1], quads), np.int32)
    normals = vertex_normals(model.neutral, quads)
    lashes = corners[np.isin(corners, [*model.regions.get("lashes_L", []), *model.regions.get("lashes_R", [])]).all(1)]
    kind = np.where(skin, SKIN, BARE).astype(np.float32)
    coords = _chart(mean)
    if realism is not None and not fits(realism, coords[model.landmarks]):
        raise InputError("photographs for another head: make them again: python -m expnet.training.realism.skins")
    from_eye = np.full(len(mean), 1e3)
    for side in "LR":
        ball = model.regions[f"eyeball_{side}"]
        out = mean - mean[ball].mean(0)
        reach = np.linalg.norm(out, axis=1)
        kind[ball] = np.arccos(out[ball, 2] / reach[ball])
        from_eye = np.minimum(from_eye, reach)
    gestures = model.expression if model.gaze_lids is None else np.concatenate([model.expression, model.gaze_lids])
    x, y, z = mean.T
    distance = _Distance(mean, skin)
    mouth, chin, nose_base = landmarks[48:60].mean(0), landmarks[8], landmarks[33]
    lip_mask = _mask(model, "lips")
    inside = np.zeros(len(mean), bool)
    for name in ("mouth_socket", "teeth_upper", "teeth_lower", "gums_upper", "gums_lower", "tongue"):
        inside[model.regions.get(name, [])] = True
    inner = inside[corners].all(1)
    rim = np.flatnonzero(distance.to(landmarks[60:68], closed=True) < 4)
    occlusion = np.ones(len(mean), np.float32)
    lip_depth = landmarks[60:68, 2].mean()
    occlusion[inside] = np.clip(0.75 - (lip_depth - z[inside]) / 35.0, 0.06, 0.75)
    tongue = model.regions.get("tongue", np.empty(0, np.int32))
    occlusion[tongue] = np.maximum(occlusion[tongue], 0.34)  # it receives the light that enters the mouth
    occlusion[model.regions.get("nostrils", [])] = 0.35
    for side in "LR":
        socket = model.regions.get(f"eye_socket_{side}", np.empty(0, np.int32))
        occlusion[np.setdiff1d(socket, np.flatnonzero(skin))] = 0.3
        ball = model.regions[f"eyeball_{side}"]
        centre = mean[ball].mean(0)
        edge = np.hypot(x[ball] - centre[0], y[ball] - centre[1]) / 12.0
        occlusion[ball] = np.clip(1.05 - 0.6 * edge**2, 0.35, 1)
    front = z > landmarks[2, 2] - 15
    below_nose = np.clip((nose_base[1] - 4 - y) / 6, 0, 1) * np.clip((y - (chin[1] - 22)) / 8, 0, 1)
    cheek_line = landmarks[48, 1] + 22 * np.clip((np.abs(x) - 40) / 25, 0, 1)
    beard = skin * front * np.clip((cheek_line + 6 - y) / 12, 0, 1) * below_nose
    moustache = (
        skin * np.exp(-(((y - (nose_base[1] + mouth[1]) / 2 - 2) / 7) ** 2) - (x / 22) ** 4) * (z > mouth[2] - 25)
    )

    def blob(cx: float, cy: float, s: float) -> FloatArray:
        mask: FloatArray = np.exp(-((np.abs(x) - cx) ** 2 + (y - cy) ** 2) / s**2) * (z > 40) * skin
        return mask

    eye_y = landmarks[36:48, 1].mean()
    furrows = furrows_of(landmarks)
    wrinkles = _profiles(distance, furrows)
    furrowed = np.flatnonzero(wrinkles.max(0) > 0.01)
    heights = np.linspace(y[skin].min(), y[skin].max(), 40)
    lids = np.minimum(distance.to(landmarks[36:42], closed=True), distance.to(landmarks[42:48], closed=True))
    return Surface(
        model=model,
        triangles=np.concatenate([corners[~inner], lashes[:, ::-1], corners[inner]]).astype(np.int32),
        quads=quads,
        inner=int((~inner).sum()) + len(lashes),
        mouth_rim=rim,
        casters=np.ascontiguousarray(corners[skin[corners].all(1)]),
        axes=np.ascontiguousarray(model.neutral.T),
        normals=normals,
        coords=coords,
        kind=kind,
        loose=(1 - np.exp(-((from_eye / 26) ** 2))).astype(np.float32),
        gestures=np.ascontiguousarray(gestures, np.float32).reshape(len(gestures), -1),
        skin=skin.astype(np.float32),
        lips=lip_mask,
        beard=(beard * (1 - lip_mask)).astype(np.float32),
        moustache=(moustache * (1 - lip_mask)).astype(np.float32),
        cheeks=blob(42, nose_base[1] + 2, 22).astype(np.float32),
        nose=(blob(0, nose_base[1] + 8, 14) * (z > landmarks[31, 2])).astype(np.float32),
        eye_shadow=(np.exp(-((lids / 7) ** 2)) * (y > eye_y - 4) * skin).astype(np.float32),
        eye_line=(np.exp(-((lids / 1.8) ** 2)) * skin).astype(np.float32),
        t_zone=np.clip(
            blob(0, landmarks[27, 1] + 40, 28) + blob(0, landmarks[30, 1], 15) + 0.5 * blob(35, nose_base[1] + 15, 14),
            0,
            1,
        ).astype(np.float32),
        nostrils=_mask(model, "nostrils"),
        scalp_height=_scalp_height(mean, landmarks, skin),
        occlusion=occlusion,
        furrowed=furrowed,
        wrinkles=np.ascontiguousarray(wrinkles[:, furrowed]),
        wrinkle_drivers=ingredients.wrinkles * _drivers(furrows),
        wrinkle_age=ingredients.wrinkles * np.array([f.age for f in furrows], np.float32),
        wrinkle_kind=np.array([f.kind for f in furrows]),
        furrow_lines=[(_chart(distance.on_skin(f.line)), f.width) for f in furrows],
        radius=_radius(mean[skin], heights),
        radius_heights=heights,
        dense=dense_points(model, normals),
        average_alpha=model.new_alpha,
        mouth_width=_mouth_width(model),
        pupils=np.array([_front(model, f"eyeball_{side}") for side in "RL"]),
        ingredients=ingredients,
        realism=realism,
    )


def _mouth_width(model: FaceModel) -> FloatArray:
    if model.name != OPEN:
        return np.zeros(len(model.identity), np.float32)
    with np.load(PEOPLE, allow_pickle=False) as people:
        direction: FloatArray = people["mouth_width"]
    return direction


def _front(model: FaceModel, region: str) -> int:
    """Return the foremost vertex of a region."""
    vertices = model.regions[region]
    return int(vertices[model.neutral[vertices, 2].argmax()])


def _mask(model: FaceModel, region: str) -> FloatArray:
    mask = np.zeros(model.vertex_count, np.float32)
    mask[model.regions.get(region, [])] = 1
    return mask


class _Distance:
    """Distance in mm from every skin vertex to a polyline (far away for everything else)."""

    def __init__(self, vertices: FloatArray, skin: BoolArray) -> None:
        self.vertices, self.skin = vertices, skin

    def to(self, line: FloatArray, closed: bool = False) -> FloatArray:
        if closed:
            line = np.concatenate([line, line[:1]])
        best = np.full(len(self.vertices), 1e3)
        for a, b in zip(line[:-1], line[1:], strict=True):
            ab = b - a
            t = np.clip((self.vertices - a) @ ab / (ab @ ab), 0, 1)
            best = np.minimum(best, np.linalg.norm(self.vertices - (a + t[:, None] * ab), axis=1))
        return np.where(self.skin, best, 1e3)

    def on_skin(self, xy: FloatArray) -> FloatArray:
        """Points (N, 2) seen from the front to points (N, 3) on the skin."""
        flat = self.vertices[:, :2]
        usable = self.skin & (self.vertices[:, 2] > 30)
        out = []
        for p in xy:
            d = np.where(usable, np.linalg.norm(flat - p, axis=1), 1e9)
            near = np.argsort(d)[:4]
            out.append([*p, np.average(self.vertices[near, 2], weights=1 / (d[near] + 0.5))])
        return np.array(out)


def _profiles(distance: _Distance, furrows: list[Furrow]) -> FloatArray:
    profiles = [np.exp(-((distance.to(distance.on_skin(f.line)) / f.width) ** 2)) for f in furrows]
    found: FloatArray = np.stack(profiles).astype(np.float32)
    return found


def _drivers(furrows: list[Furrow]) -> FloatArray:
    drivers = np.zeros((len(furrows), len(OPEN_KEYS)), np.float32)
    for row, furrow in zip(drivers, furrows, strict=True):
        for key, gain in furrow.keys.items():
            row[OPEN_KEYS.index(key)] = gain
    return drivers


def _chart(points: FloatArray) -> FloatArray:
    """Map points (N, 3) of the mean head to the skin's cylinder, (N, 2), 0..1 over the face."""
    u, v = np.arctan2(points[:, 0], points[:, 2] + 10) * 0.35 + 0.5, points[:, 1] / 256 + 0.5
    chart: FloatArray = np.stack([u, v], 1).astype(np.float32)
    return chart


def _scalp_height(mean: FloatArray, lm: FloatArray, skin: FloatArray) -> FloatArray:
    """Return the distance inside an average hairline, mm (negative: bare skin). Hair styles shift this line."""
    x, y, z = mean.T
    forehead = lm[17:27, 1].max() + 51
    ear = lm[0]
    line = np.interp(
        z, [ear[2] - 5, ear[2] + 18, ear[2] + 45, ear[2] + 60], [ear[1] - 55, ear[1] - 5, ear[1] + 30, forehead]
    )
    line = np.where(z > ear[2] + 45, forehead - 0.006 * x**2, line)
    return np.where(skin, y - line, -1e3).astype(np.float32)


def _radius(skin: FloatArray, heights: FloatArray, angles: int = 48) -> FloatArray:
    """Largest distance from the axis x = 0, z = 0 by angle (0 in front, to the subject's left) and height."""
    angle = ((np.arctan2(skin[:, 0], skin[:, 2]) / (2 * np.pi)) % 1 * angles).astype(int) % angles
    row = np.clip(np.searchsorted(heights, skin[:, 1]), 0, len(heights) - 1)
    table = np.zeros((angles, len(heights)))
    np.maximum.at(table, (angle, row), np.hypot(skin[:, 0], skin[:, 2]))
    for _ in range(len(heights)):  # fill what no vertex fell into from the neighbours
        around = np.maximum.reduce(
            [
                np.roll(table, 1, 0),
                np.roll(table, -1, 0),
                np.pad(table, ((0, 0), (1, 0)))[:, :-1],
                np.pad(table, ((0, 0), (0, 1)))[:, 1:],
            ]
        )
        table = np.where(table > 0, table, around)
    return table
