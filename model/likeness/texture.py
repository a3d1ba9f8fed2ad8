"""A texture for the open head from views of a person.

Each view is projected onto the chart, where it is in sight and not seen at a slant, and roughly freed of its light. The
views are blended in bands of frequency. What no view shows comes from the mirrored side, and at last from one of the
built-in skins, in the person's colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..array_types import FloatArray, UInt8Array
from ..camera import project
from ..face.face_model import FaceModel, triangles
from ..face.meshes import vertex_normals
from ..networks.weights.open_pack import DATA
from ..opencv import cv2
from ..srgb import linear, srgb
from .chart import Chart, chart_of, region_mask
from .light import light_of, shading
from .views import View

SKINS = ("light", "medium", "dark")
IRISES = {"LIGHT": "blue", "MEDIUM": "hazel", "DARK": "brown"}
LARGEST_SIDE = 1100.0  # pixels of a face's crop: larger pictures are shrunk, against aliasing
DEPTH_CELLS, DEPTH_MM = 256, 5.0  # of the map of what is in sight, across the crop; what lies as far behind is hidden
SLANT = 0.25, 0.65  # cosines: a surface seen at less does not count, from the second on it counts in full
EYE_MM = 0.7, 1.8  # from the eyes' openings: where the picture begins to count, and counts in full
LIP_MM = 0.3, 1.0  # likewise from the parting of the lips
CHIN_MM, SIDE_MM = (-4.0, 5.0), (18.0, 36.0)  # height over the chin, and depth, from which pictures count
STIFFNESS = 30.0  # of the warp to the landmarks
FARTHEST = 0.12  # of a side: the greatest correction by the landmarks
BANDS = 5
DARK_HAIR = 0.5  # of the face's usual brightness: what is darker is no skin
EXPOSED = 0.5  # of the way to the usual brightness of such a skin
MIRRORED = 0.3  # weight of the mirrored side against what was seen
KNOWN = 0.05, 0.35  # weights: below the first a texel is the built-in skin's, above the second the pictures'
SAMPLE = 40_000  # texels from which the light is estimated
DARK_EYE = 0.045  # linear light; an eye under it is brown
PUPILS, LIDS = (68, 69), (5, 6)
IRIS_MM, IRIS_RING, IRIS_PIXELS = 5.9, (0.5, 0.85), 4.0


@dataclass(frozen=True, eq=False)
class Texture:
    """picture (SIZE, SIZE, 3) uint8 BGR, first row at v = 1; ``skin`` is the built-in one that fills it.

    ``iris`` is the name of the eyes' colour. ``seen`` is the share of the face that the pictures show.
    """

    picture: UInt8Array
    skin: str
    iris: str
    seen: float


def texture_of(views: Sequence[View], model: FaceModel, alpha: FloatArray) -> Texture:
    """Make the texture of the person in ``views``, whose face has the shape ``alpha``."""
    chart = chart_of(model)
    keep = _kept(model)
    layers = [_projected(view, model, alpha, chart, keep) for view in views]
    skin = _nearest_skin(layers[0], model, chart)
    base = linear(_skin_picture(skin).reshape(-1, 3)[chart.at].astype(np.float32) / 255)
    plain = chart.values(_plain(model).astype(np.float32))
    unlit = [_unlit(layer, base, plain) for layer in layers]
    unlit = [_exposed(unlit[0], base, plain), *unlit[1:]]
    unlit = [unlit[0], *(_matched(each, unlit[0]) for each in unlit[1:])]
    pictures = [chart.picture(layer.colours) for layer in unlit]
    weights = [chart.picture(layer.weights) for layer in unlit]
    seen, weight = _blended(pictures, weights)
    seen, weight = _blended([seen, seen[:, ::-1]], [weight, MIRRORED * weight[:, ::-1]])
    whole = _filled(seen, weight, chart.picture(base), chart.picture(_scalp(model, chart)))
    front = chart.values(_face_weight(model))
    share = float((front * np.clip(unlit_weight(unlit) / KNOWN[1], 0, 1)).sum() / front.sum())
    colours = (srgb(whole) * 255 + 0.5).astype(np.uint8)
    colours = _spread(colours, chart)
    return Texture(colours, skin.upper(), _iris(views, IRISES[skin.upper()]), round(share, 3))


@dataclass(frozen=True, eq=False)
class _Layer:
    """What a view shows at the drawn texels: linear colours (N, 3) BGR, normals (N, 3) and weights (N,)."""

    colours: FloatArray
    normals: FloatArray
    weights: FloatArray


def unlit_weight(layers: Sequence[_Layer]) -> FloatArray:
    """Return the greatest weight of each texel, (N,)."""
    weight: FloatArray = np.max([layer.weights for layer in layers], axis=0)
    return weight


def _projected(view: View, model: FaceModel, alpha: FloatArray, chart: Chart, keep: FloatArray) -> _Layer:
    seen = view.seen
    rotation, translation, crop = seen.rotation[0], seen.translation[0], seen.crop[0]
    eta = seen.eta[0] if len(seen.eta[0]) == len(model.expression) else None
    vertices = model.vertices(np.asarray(alpha, np.float32), eta).astype(np.float64) @ rotation.T + translation
    pixels = _warped(project(vertices, view.camera), view, model)
    scale = min(1.0, LARGEST_SIDE / crop.side)
    image = view.image
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    at = chart.values(((pixels + 0.5) * scale - 0.5).astype(np.float32))
    place = chart.picture(at)
    colours = cv2.remap(image, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    colours = linear(colours.reshape(-1, 3)[chart.at].astype(np.float32) / 255)
    normals = chart.values(vertex_normals(vertices, triangles(model.faces)))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    points = chart.values(vertices)
    towards = -points / np.linalg.norm(points, axis=1, keepdims=True)
    facing = (normals * towards).sum(1)
    cells = ((chart.values(pixels) - [crop.cx, crop.cy]) / (1.8 * crop.side) + 0.5) * DEPTH_CELLS
    height, width = image.shape[:2]
    inside = (at[:, 0] > 1) & (at[:, 1] > 1) & (at[:, 0] < width - 2) & (at[:, 1] < height - 2)
    weights = _smooth(facing, *SLANT) * inside * _in_sight(cells, -points[:, 2]) * chart.values(keep)
    return _Layer(colours, normals, (weights * float(seen.confidence[0])).astype(np.float32))


def _in_sight(cells: FloatArray, depth: FloatArray) -> FloatArray:
    """Return which points (N,) have nothing before them, by a map of depths. ``cells`` (N, 2) are its coordinates."""
    column, row = np.clip(cells.astype(int), 0, DEPTH_CELLS - 1).T
    index = row * DEPTH_CELLS + column
    nearest = np.full(DEPTH_CELLS * DEPTH_CELLS, np.inf)
    np.minimum.at(nearest, index, depth)
    in_sight: FloatArray = (depth < nearest[index] + DEPTH_MM).astype(np.float32)
    return in_sight


def _warped(pixels: FloatArray, view: View, model: FaceModel) -> FloatArray:
    """Move projected vertices (V, 2) so that the landmarks lie where the network sees them: eyes on eyes.

    A thin-plate spline with some stiffness, which leaves the back of the head alone.
    """
    if view.landmarks is None or model.landmarks is None:
        return pixels
    side = view.seen.crop[0].side
    at = pixels[model.landmarks] / side
    wanted = view.landmarks[:68] / side
    offset = np.clip(wanted - at, -FARTHEST, FARTHEST)
    count = len(at)
    kernel = _plate(np.linalg.norm(at[:, None] - at[None], axis=2)) + np.eye(count) / STIFFNESS / 10
    linear_part = np.column_stack([np.ones(count), at])
    system = np.block([[kernel, linear_part], [linear_part.T, np.zeros((3, 3))]])
    solved = np.linalg.solve(system, np.concatenate([offset, np.zeros((3, 2))]))
    points = pixels / side
    moved = _plate(np.linalg.norm(points[:, None] - at[None], axis=2)) @ solved[:count]
    moved += np.column_stack([np.ones(len(points)), points]) @ solved[count:]
    warped: FloatArray = pixels + side * np.clip(moved, -FARTHEST, FARTHEST)
    return warped


def _plate(distance: FloatArray) -> FloatArray:
    plate: FloatArray = distance**2 * np.log(np.maximum(distance, 1e-9))
    return plate


def _unlit(layer: _Layer, base: FloatArray, plain: FloatArray) -> _Layer:
    weights = layer.weights * plain
    some = np.flatnonzero(weights > 0.2)
    if len(some) < 1000:
        return layer
    some = some[:: max(1, len(some) // SAMPLE)]
    light = light_of(layer.colours[some], base[some], layer.normals[some], weights[some])
    bright = shading(light, layer.normals, weights)
    return _Layer(layer.colours / bright, layer.normals, layer.weights)


def _exposed(layer: _Layer, base: FloatArray, plain: FloatArray) -> _Layer:
    """Bring the brightness half the way to that of the built-in skin: a picture may be dark or overexposed."""
    some = np.flatnonzero(layer.weights * plain > 0.3)
    if len(some) == 0:
        return layer
    own, usual = (float(np.median(colours[some].mean(1))) for colours in (layer.colours, base))
    gain = np.clip((usual / max(own, 1e-4)) ** EXPOSED, 0.5, 2.0)
    return _Layer(layer.colours * np.float32(gain), layer.normals, layer.weights)


def _matched(layer: _Layer, first: _Layer) -> _Layer:
    """Give a view the colours of the first one, where both show the face."""
    both = np.flatnonzero(np.minimum(layer.weights, first.weights) > 0.2)
    if len(both) < 500:
        return layer
    gain = np.median(first.colours[both], axis=0) / np.maximum(np.median(layer.colours[both], axis=0), 1e-4)
    return _Layer(layer.colours * gain.astype(np.float32), layer.normals, layer.weights)


def _blended(pictures: Sequence[FloatArray], weights: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Blend pictures (S, S, 3) by weights (S, S) in bands: fine detail changes over at once, slow colours gradually.

    Returns the picture and the greatest weight.
    """
    best = np.argmax(weights, axis=0)
    greatest: FloatArray = np.max(weights, axis=0)
    total = np.zeros_like(pictures[0])
    norms: list[FloatArray] = []
    levels: list[FloatArray] = []
    for number, (picture, weight) in enumerate(zip(pictures, weights)):
        mask = ((best == number) & (weight > 0)).astype(np.float32)
        known = picture * (weight > 0)[..., None]
        share = (weight > 0).astype(np.float32)
        for band in range(BANDS):
            small = cv2.pyrDown(known), cv2.pyrDown(share), cv2.pyrDown(mask)
            size = known.shape[1::-1]
            slow = cv2.pyrUp(small[0] / np.maximum(small[1], 1e-4)[..., None], dstsize=size)
            detail = np.where(share[..., None] > 0.5, known / np.maximum(share, 1e-4)[..., None] - slow, 0)
            if number == 0:
                levels.append(detail * mask[..., None])
                norms.append(mask.copy())
            else:
                levels[band] += detail * mask[..., None]
                norms[band] += mask
            known, share, mask = small
        if number == 0:
            levels.append(known * mask[..., None])
            norms.append(share * mask)
        else:
            levels[BANDS] += known * mask[..., None]
            norms[BANDS] += share * mask
    total = levels[BANDS] / np.maximum(norms[BANDS], 1e-4)[..., None]
    for band in reversed(range(BANDS)):
        detail = levels[band] / np.maximum(norms[band], 1e-4)[..., None]
        total = cv2.pyrUp(total, dstsize=detail.shape[1::-1]) + detail
    return np.maximum(total, 0), greatest


def _filled(seen: FloatArray, weight: FloatArray, base: FloatArray, scalp: FloatArray) -> FloatArray:
    """Fill what is not seen with the skin ``base`` in the person's colours; scalp and skin each in their own."""
    known = _smooth(weight, *KNOWN)
    out = np.zeros_like(base)
    bright = seen.mean(2)
    usual = float(np.median(bright[(known > 0.5) & (scalp < 0.5)])) if ((known > 0.5) & (scalp < 0.5)).any() else 0.0
    for part, least in ((1 - scalp, DARK_HAIR * usual), (scalp, 0.0)):
        trusted = known * (part > 0.5) * (bright > least)  # hair over the temples does not darken the skin behind it
        ratio = np.log(np.maximum(seen, 2e-3)) - np.log(np.maximum(base, 2e-3))
        out += part[..., None] * (base * np.exp(np.clip(_diffused(ratio, trusted), -2.5, 1.5)))
    soft = cv2.GaussianBlur(known, (0, 0), 6.0) * known
    whole: FloatArray = out + soft[..., None] * (seen - out)
    return whole


def _diffused(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Extend values (S, S, 3) from where they are known, ever smoother with the distance."""
    small = 256
    shrunk = cv2.resize(weight, (small, small), interpolation=cv2.INTER_AREA)
    sums = cv2.resize(values * weight[..., None], (small, small), interpolation=cv2.INTER_AREA)
    if shrunk.max() <= 1e-4:
        return np.zeros_like(values)
    mean = sums.sum((0, 1)) / shrunk.sum()
    out, missing = np.zeros_like(sums), np.ones((small, small), np.float32)
    for sigma in (3.0, 8.0, 20.0, 60.0):
        near, far = cv2.GaussianBlur(shrunk, (0, 0), sigma), cv2.GaussianBlur(sums, (0, 0), sigma)
        share = missing * np.clip(near * 4 - 0.1, 0, 1)
        out += share[..., None] * far / np.maximum(near, 1e-4)[..., None]
        missing = missing - share
    out += missing[..., None] * mean
    filled: FloatArray = cv2.resize(out, values.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return filled


def _spread(picture: UInt8Array, chart: Chart) -> UInt8Array:
    """Colour the texels that no triangle covers like their neighbours, so that seams do not show."""
    drawn = np.zeros(chart.size * chart.size, np.uint8)
    drawn[chart.at] = 1
    drawn = drawn.reshape(chart.size, chart.size)
    out = picture.copy()
    for _ in range(4):
        grown = cv2.dilate(out * drawn[..., None], np.ones((3, 3), np.uint8))
        more = cv2.dilate(drawn, np.ones((3, 3), np.uint8))
        new = (more > 0) & (drawn == 0)
        out[new] = grown[new]
        drawn = more
    return out


@cache
def _skin_picture(name: str) -> UInt8Array:
    """Return a built-in skin, (SIZE, SIZE, 3) uint8 BGR, first row at v = 1."""
    coded = np.frombuffer((Path(DATA) / "skins" / f"{name}.jpg").read_bytes(), np.uint8)
    picture: UInt8Array = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return picture


def _nearest_skin(layer: _Layer, model: FaceModel, chart: Chart) -> str:
    """Return the skin whose brightness is nearest to that of the face in a view."""
    weights = layer.weights * chart.values(_plain(model).astype(np.float32))
    some = np.flatnonzero(weights > 0.3)
    if len(some) == 0:
        return SKINS[0]
    own = float(np.log(np.median(layer.colours[some].mean(1)) + 1e-3))

    def away(name: str) -> float:
        colours = linear(_skin_picture(name).reshape(-1, 3)[chart.at[some[::7]]].astype(np.float32) / 255)
        return abs(float(np.log(np.median(colours.mean(1)) + 1e-3)) - own)

    return min(SKINS, key=away)


def _smooth(value: FloatArray, low: float, high: float) -> FloatArray:
    t = np.clip((value - low) / (high - low), 0, 1)
    step: FloatArray = (t * t * (3 - 2 * t)).astype(np.float32)
    return step


def _kept(model: FaceModel) -> FloatArray:
    """Return the weight (V,) of a picture by the place on the face: none at the eyes' openings and between the lips."""
    assert model.landmarks is not None
    marks = model.neutral[model.landmarks].astype(np.float64)
    eyes = np.minimum(*(_from_line(model, marks[[*range(k, k + 6), k]]) for k in (36, 42)))
    parting = _from_line(model, marks[[48, 60, 61, 62, 63, 64, 54]])
    weight = _smooth(eyes, *EYE_MM) * _smooth(parting, *LIP_MM)
    y, z = model.neutral[:, 1], model.neutral[:, 2]
    weight = (
        weight * _smooth(y - marks[8, 1], *CHIN_MM) * _smooth(z, *SIDE_MM)
    )  # below are clothes, behind is the background
    return weight * ~region_mask(model, "nostrils")


def _from_line(model: FaceModel, line: FloatArray) -> FloatArray:
    """Return the distance (V,) of the vertices to a polyline (n, 3), mm."""
    steps = np.linspace(0, 1, 12, endpoint=False)[:, None]
    points = np.concatenate([a + steps * (b - a) for a, b in zip(line, line[1:])] + [line[-1:]])
    distance: FloatArray = np.linalg.norm(model.neutral[:, None] - points[None], axis=2).min(1)
    return distance


def _plain(model: FaceModel) -> FloatArray:
    """Return the weight (V,) of plain skin, whose colour is known well enough to tell the light from it."""
    other = region_mask(model, "lips", "brow_L", "brow_R", "lid_upper_L", "lid_upper_R", "nostrils", "scalp")
    _, y, z = model.neutral.T
    plain: FloatArray = (~other & (z > 20) & (y > -75)).astype(np.float32)
    return plain


def _face_weight(model: FaceModel) -> FloatArray:
    """Return 1 for the vertices (V,) of the front of the face, else 0."""
    _, y, z = model.neutral.T
    front: FloatArray = ((z > 10) & (y > -90) & ~region_mask(model, "scalp")).astype(np.float32)
    return front


def _scalp(model: FaceModel, chart: Chart) -> FloatArray:
    """Return the share (N,) of the scalp at the drawn texels."""
    return chart.values(region_mask(model, "scalp").astype(np.float32))


def _iris(views: Sequence[View], usual: str) -> str:
    """Return the name of the colour of the eyes: the median of the rings around the pupils, where they are in sight."""
    found = []
    for view in views:
        seen = view.seen
        radius = IRIS_MM * seen.crop[0].side / 200.0
        if view.landmarks is None or radius < IRIS_PIXELS or seen.rotation[0, 2, 2] < 0.85:
            continue
        for pupil, lid in zip(PUPILS, LIDS):
            if seen.eta.shape[1] > max(LIDS) and seen.eta[0, lid] > 0.35:
                continue
            cx, cy = view.landmarks[pupil]
            reach = int(radius) + 1
            x0, y0 = int(cx) - reach, int(cy) - reach
            part = view.image[max(y0, 0) : y0 + 2 * reach, max(x0, 0) : x0 + 2 * reach].astype(np.float32) / 255
            if part.shape[0] < 2 * reach or part.shape[1] < 2 * reach:
                continue
            y, x = np.mgrid[: 2 * reach, : 2 * reach]
            away = np.hypot(x + x0 - cx, y + y0 - cy) / radius
            ring = (away > IRIS_RING[0]) & (away < IRIS_RING[1]) & (y + y0 > cy - 0.3 * radius)
            found.append(np.median(linear(part[ring]), axis=0))
    if not found:
        return usual
    blue, green, red = np.median(found, axis=0)
    light = (red + green + blue) / 3
    if blue > 0.85 * red and light > DARK_EYE:
        return "blue"
    return "hazel" if light > DARK_EYE and red < 1.7 * blue else "brown"
