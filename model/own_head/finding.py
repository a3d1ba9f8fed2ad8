"""The points of a face on meshes: drawn from several sides, found by the network, put back onto the surface.

The meshes stand upright or lie as other programs export them (y up), and the face may look to any of the four sides.
Everything is in the unit of the meshes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..array_types import BoolArray, FloatArray, IntArray
from ..camera import Camera, Crop
from ..errors import InputError
from ..face.meshes import nearest_in_triangles
from ..networks.architectures import ibug_landmarks
from ..networks.estimate import FaceEstimate, SeesFaces
from ..sight.finder import find_faces, refined
from .pictures import Picture, Pinhole, Scene, draw

FIRST_SIZE, SIZE = 640, 512  # pixels of the picture of everything, and of the face
AROUND = 1.5  # width of a face's picture, in sides of its crop
YAWS, PITCHES = (0.0, -15.0, 15.0, -30.0, 30.0), (0.0, 12.0, -12.0)  # degrees; pitches of the view from the front only
UPRIGHT = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # right, up, back of a camera before a face that looks to -y
LYING = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])  # before a face that looks to +z, with y up
FRONTAL = 0.9  # cosine of the angle to the front at which a face is looked at
REACH = 8  # pixels from a landmark to the nearest skin
SPREAD = 0.045  # of the crop's side: landmarks farther from the middle of all views do not count
FEWEST = 3  # views that agree on a point
# Least weight of one of these views: its line of sight is within 70 degrees of the normal. Views from the front share
# one silhouette, so they agree on a point there even if it is wrong.
PLAIN = 0.12
PUPILS = 2  # the network's landmarks after the 68


@dataclass(frozen=True, eq=False)
class FoundPoints:
    """``points`` (68, 3) in iBUG order, NaN where not found;  ``views`` that saw the face;  ``skin`` (T,) as given."""

    points: FloatArray
    views: int
    skin: BoolArray


def find_points(
    scene: Scene,
    skin_of: Callable[[FloatArray], BoolArray],
    estimator: SeesFaces,
    report: Callable[[int, int | None, str], None] = lambda done, total, message: None,
) -> FoundPoints:
    """Find the 68 landmarks of the face in a scene.

    ``skin_of`` gets the rotation (3, 3) to the face's frame (z up, it looks along -y), and returns which triangles (T,)
    have the landmarks on them. It may change the scene's colours. Raises InputError if no face is seen from any side,
    or if the network gives no landmarks.
    """
    if estimator.person is None or "landmarks" not in estimator.person.widths:
        raise InputError("this network gives no landmarks: use the open network, or click the points by hand")
    total = 1 + len(YAWS) + len(PITCHES) - 1
    report(0, total, "drawing")
    centre, side, axes = _facing(scene, estimator)
    skin = skin_of(np.stack([axes[0], -axes[2], axes[1]]))
    views = [(yaw, 0.0) for yaw in YAWS] + [(0.0, pitch) for pitch in PITCHES if pitch]
    seen: list[tuple[FloatArray, FloatArray]] = []
    for number, (yaw, pitch) in enumerate(views, 1):
        report(number, total, "drawing")
        camera = Pinhole.around(centre, _turned(axes, yaw, pitch), AROUND * side, SIZE)
        looked = _look(draw(scene, camera), scene, skin, estimator)
        if looked is not None:
            seen.append(looked)
    if len(seen) < FEWEST:
        raise InputError("no face was found in the pictures of the head: click the points by hand")
    at, weight = np.array([each[0] for each in seen]), np.array([each[1] for each in seen])
    return FoundPoints(middle_of_views(at, weight, SPREAD * side), len(seen), skin)


def _facing(scene: Scene, estimator: SeesFaces) -> tuple[FloatArray, float, FloatArray]:
    """Return where the face is, the side of its crop in the scene, and the axes of a camera in front of it.

    A face is also found where it is seen from the side, so the most frontal of the views counts, and the camera then
    moves in front of the face.
    """
    low, high = scene.vertices.min(0), scene.vertices.max(0)
    centre, width = (low + high) / 2, 1.2 * float((high - low).max())
    for start in (UPRIGHT, LYING):
        found = []
        for yaw in (0, 180, 90, -90):
            camera = Pinhole.around(centre, _turned(start, yaw, 0), width, FIRST_SIZE)
            found += _faces(draw(scene, camera), estimator)
            if found and max(each[0] for each in found) > FRONTAL:
                break
        if found:
            _, middle, side, axes = max(found, key=lambda each: each[0])
            again = _faces(draw(scene, Pinhole.around(middle, axes, 2 * AROUND * side, SIZE)), estimator)
            return max(again, key=lambda each: each[0])[1:] if again else (middle, side, axes)
    raise InputError("no face was found in the pictures of the head, from any side: click the points by hand")


def _faces(picture: Picture, estimator: SeesFaces) -> list[tuple[float, FloatArray, float, FloatArray]]:
    """Return for each face of a picture how frontal it is (1 in front), its middle, its side, and a camera's axes."""
    faces = find_faces(picture.image, estimator.finding)
    out = []
    for face in faces:
        inside = _around(picture, face.crop.cx, face.crop.cy, face.crop.side / 4)
        if not len(inside):
            continue
        middle: FloatArray = np.median(inside, 0)
        depth = float(picture.camera.screen(middle[None])[0, 2])
        rotation = _read(picture, face.crop, estimator).rotation[0]
        # The rows of the head's own axes: R turns them into the camera's frame.
        axes = rotation.T @ picture.camera.axes
        out.append((float(rotation[2, 2]), middle, face.crop.side * depth / picture.camera.focal, axes))
    return out


def _read(picture: Picture, crop: Crop, estimator: SeesFaces) -> FaceEstimate:
    camera = Camera.for_image(picture.camera.size, picture.camera.size)
    located = estimator.finding.estimate([picture.image], [crop], [camera])
    return estimator.read([picture.image], [camera], located)


def _around(picture: Picture, x: float, y: float, reach: float) -> FloatArray:
    """Return the surface (N, 3) in a square of the picture."""
    size = picture.camera.size
    rows = slice(max(0, round(y - reach)), min(size, round(y + reach) + 1))
    columns = slice(max(0, round(x - reach)), min(size, round(x + reach) + 1))
    square = picture.at[rows, columns].reshape(-1, 3)
    inside: FloatArray = square[np.isfinite(square[:, 0])]
    return inside


def _turned(axes: FloatArray, yaw: float, pitch: float) -> FloatArray:
    """Return a camera's axes, turned about its own up and right; degrees."""
    a, b = np.radians((yaw, pitch))
    about_up = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_right = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    turned: FloatArray = about_right @ about_up @ axes
    return turned


def _look(
    picture: Picture, scene: Scene, skin: BoolArray, estimator: SeesFaces
) -> tuple[FloatArray, FloatArray] | None:
    """Return the landmarks (68, 3) on the surface and their weights (68,); None without a face."""
    image = picture.image
    faces = find_faces(image, estimator.finding)
    if not faces:
        return None
    crop = refined(image, [faces[0].crop], estimator.finding)[0].crop
    seen = _read(picture, crop, estimator)
    assert estimator.person is not None and seen.outputs is not None
    unit = ibug_landmarks(seen.outputs[0], estimator.person.widths)[:-PUPILS]
    pixels = crop.to_image(unit.astype(np.float64))
    points, weights = _on_skin(picture, scene, skin, pixels)
    return points, weights * float(seen.confidence[0])


def _on_skin(picture: Picture, scene: Scene, skin: BoolArray, pixels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the skin (N, 3) at the pixels (N, 2) or close to them, and how much its slope lets it count, (N,)."""
    size = picture.camera.size
    mask = (picture.triangle >= 0) & skin[picture.triangle]
    steps = np.arange(-REACH, REACH + 1)
    columns, rows = (grid.ravel() for grid in np.meshgrid(steps, steps))
    x = np.round(pixels[:, :1]).astype(np.int64) + columns
    y = np.round(pixels[:, 1:]).astype(np.int64) + rows
    inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
    x, y = x.clip(0, size - 1), y.clip(0, size - 1)
    away = np.where(inside & mask[y, x], np.hypot(x - pixels[:, :1], y - pixels[:, 1:]), np.inf)
    best = away.argmin(1)
    each = np.arange(len(pixels))
    there = np.isfinite(away[each, best]) & (away[each, best] <= REACH)
    x, y = x[each, best], y[each, best]
    points = np.where(there[:, None], picture.at[y, x], np.nan)
    corners = scene.vertices[scene.triangles[picture.triangle[y, x]]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    towards = picture.camera.eye - np.nan_to_num(points)
    length = np.linalg.norm(normal, axis=1) * np.linalg.norm(towards, axis=1)
    slope = np.abs((normal * towards).sum(1)) / np.maximum(length, 1e-30)
    return points, np.where(there, np.maximum(slope, 0.05) ** 2, 0.0)


def middle_of_views(at: FloatArray, weight: FloatArray, reach: float) -> FloatArray:
    """Return the middle (N, 3) of points (views, N, 3) that agree within ``reach``.

    It is NaN where too few agree, or where none of these sees the surface plainly (``PLAIN``). ``weight`` (views, N) is
    0 for a view that does not see the point.
    """
    values, weight = np.nan_to_num(at), weight.copy()
    middle = np.zeros(values.shape[1:])
    for _ in range(30):  # Weiszfeld: the geometric median bears views that are wrong
        away = np.linalg.norm(values - middle, axis=2) if middle.any() else np.ones(weight.shape)
        share = weight / np.maximum(away, 1e-3 * reach)
        middle = np.einsum("vn,vnk->nk", share, values) / np.maximum(share.sum(0), 1e-30)[:, None]
    agree = (weight > 0) & (np.linalg.norm(values - middle, axis=2) <= reach)
    share = weight * agree
    middle = np.einsum("vn,vnk->nk", share, values) / np.maximum(share.sum(0), 1e-30)[:, None]
    found = (agree.sum(0) >= FEWEST) & (share.max(0) >= PLAIN)
    return np.where(found[:, None], middle, np.nan)


def onto_surface(points: FloatArray, vertices: FloatArray, triangles: IntArray) -> FloatArray:
    """Return the nearest points (N, 3) of a surface, by the triangles at the nearest vertices. NaN stays NaN."""
    out = points.copy()
    used = np.unique(triangles)
    for i, point in enumerate(points):
        if not np.isfinite(point).all():
            continue
        away = ((vertices[used] - point) ** 2).sum(1)
        nearest = used[np.argpartition(away, min(7, len(used) - 1))[:8]]
        near = triangles[np.isin(triangles, nearest).any(1)]
        corners = vertices[near]
        shares = nearest_in_triangles(np.broadcast_to(point, (len(near), 3)), corners)
        on = np.einsum("tk,tkc->tc", shares, corners)
        out[i] = on[((on - point) ** 2).sum(1).argmin()]
    return out
