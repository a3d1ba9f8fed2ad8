"""One synthetic picture with its labels, composed of the ingredients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...model.array_types import BoolArray, FloatArray, IntArray, UInt8Array
from ...model.camera import rotation_in_crop
from . import rasterizer, visibility
from .background import sample_background
from .brows import sample_brows
from .degrade import degrade, develop, undegraded
from .expressions import sample_eta, sample_gaze
from .hair import comb_lashes, sample_beard, sample_hair
from .held import sample_held
from .light import sample_light, shadow_map
from .paint import Brows
from .patches import Patch
from .photographs import sample_environment
from .pose import Pose, sample_angles, sample_pose
from .shape import blend, landmarks_of, sample_alpha, sample_ways, shape_head
from .skin import Look, sample_look
from .surface import Surface
from .worn import clothe, sample_glasses, sample_headwear

OVERSAMPLING = 1.5  # as ``rasterizer.compose`` has it
NO_FACE_SHARE = 0.12
NATURAL_SHARE = 0.75  # of the faces: as seen by a webcam, a telephone or a film camera that the person faces
HAND_SHARE = 0.08  # of these, drawn with a hand or a thing in plain sight; they count as hard
HEAD_WITHOUT_FACE = 0.25  # share of the pictures without a face that show a head: its back, or far off the crop
SHADOW_BIAS = np.float32(7.0)  # mm
OPEN, PLAIN = np.ones(1, np.float32), np.full(1, rasterizer.BARE, np.float32)
DARK_LENS = 0.6  # hides the eyes


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture and its labels.

    image      (size, size, 3) uint8 BGR
    eta, gaze, rotation, crop, alpha    as in ``networks.compact.output_widths``, float32
    landmarks  (70, 2) float32 in the unit crop: iBUG's 68 and the pupils
    points     (192, 2) float16 in the unit crop: ``Surface.dense``
    visible    (70,) uint8: 1 where a landmark is in the picture and nothing hides it
    detail     how many real pixels the picture holds across the crop, at most its size
    face       1, or 0: the labels mean nothing
    natural    1 for a face that is turned by less than 30 degrees, in white light, with nothing held or worn before it
               and at least 80 real pixels across the crop; 0 for every other picture
    """

    image: UInt8Array
    eta: FloatArray
    gaze: FloatArray
    rotation: FloatArray
    crop: FloatArray
    alpha: FloatArray
    landmarks: FloatArray
    points: FloatArray
    visible: BoolArray
    detail: np.float32
    face: np.float32
    natural: np.float32


@dataclass(frozen=True, eq=False)
class _Draw:
    """The random values drawn before shapes are blended."""

    eta: FloatArray
    alpha: FloatArray
    gaze: FloatArray
    ways: FloatArray
    pose: Pose
    is_face: bool
    natural: bool  # but for the hand
    hand: bool


def sample(rng: np.random.Generator, surface: Surface, size: int = 128) -> Sample:
    """Draw everything from ``rng`` and render it as a crop of ``size`` pixels (even)."""
    return sample_batch([rng], surface, size)[0]


def sample_batch(rngs: Sequence[np.random.Generator], surface: Surface, size: int = 128) -> list[Sample]:
    """One sample per generator. Together they are faster: their shapes are blended in one product of matrices."""
    draws = [_draw(rng, surface, size) for rng in rngs]
    persons, moves = blend(
        surface, *(np.stack([getattr(d, k) for d in draws]) for k in ("alpha", "eta", "gaze", "ways"))
    )
    return [
        _finish(rng, surface, draw, person, move, size)
        for rng, draw, person, move in zip(rngs, draws, persons, moves, strict=True)
    ]


def _draw(rng: np.random.Generator, surface: Surface, size: int) -> _Draw:
    eta = sample_eta(rng)
    alpha = sample_alpha(rng, surface, rng.uniform(0.7, 1.25))
    is_face = bool(rng.random() > NO_FACE_SHARE)
    natural = is_face and rng.random() < NATURAL_SHARE
    yaw, pitch, roll = sample_angles(rng, is_face, natural)
    gaze = sample_gaze(rng, yaw, pitch)
    pose = sample_pose(rng, yaw, pitch, roll, size, is_face)
    hand = natural and rng.random() < HAND_SHARE
    return _Draw(eta, alpha, gaze, sample_ways(rng), pose, is_face, natural, hand)


def _finish(
    rng: np.random.Generator, surface: Surface, draw: _Draw, person: FloatArray, move: FloatArray, size: int
) -> Sample:
    pose = draw.pose
    vertices = shape_head(rng, surface, person, move, draw.eta, draw.gaze)
    brows = sample_brows(rng, surface, draw.eta)
    marks = landmarks_of(surface, vertices, brows)
    landmarks = pose.in_crop(marks)
    distances = -(marks @ pose.rotation[2] + pose.translation[2])
    head = draw.is_face or rng.random() < HEAD_WITHOUT_FACE
    image, visible = render(
        rng, surface, vertices, draw.eta, brows, pose, size, landmarks, distances, head,
        natural=draw.natural, hand=draw.hand,
    )  # fmt: skip
    image = develop(rng, image, draw.natural)
    degraded = degrade(rng, image, draw.natural) if surface.ingredients.degradations else undegraded(image)
    top, bottom, left, right = np.array(degraded.covered) / size
    visible &= visibility.inside(landmarks)
    visible &= ((landmarks >= [left, top]) & (landmarks <= [1 - right, 1 - bottom])).all(1)
    return Sample(
        degraded.image,
        draw.eta,
        draw.gaze,
        rotation_in_crop(pose.rotation, pose.camera, pose.given, pose.own)[:, :2].T.reshape(6).astype(np.float32),
        pose.given.offset_to(pose.own)[:3].astype(np.float32),
        draw.alpha,
        landmarks.astype(np.float32),
        pose.in_crop(vertices[surface.dense]).astype(np.float16),
        visible.astype(np.uint8),
        np.float32(degraded.detail),
        np.float32(draw.is_face),
        np.float32(draw.natural and not draw.hand),
    )


def render(
    rng: np.random.Generator,
    surface: Surface,
    vertices: FloatArray,
    eta: FloatArray,
    brows: Brows,
    pose: Pose,
    size: int,
    landmarks: FloatArray,
    distances: FloatArray,
    head: bool = True,
    backdrop: FloatArray | None = None,
    natural: bool = False,
    hand: bool = False,
) -> tuple[FloatArray, BoolArray]:
    """Render the picture (size, size, 3) float32 BGR and the visibility of the landmarks.

    ``landmarks`` (70, 2) are in the unit crop and ``distances`` (70,) in mm from the camera. Without a ``head`` the
    picture has only the background and objects that may lie before a face. ``backdrop`` (size, size, 3) float32 is
    painted over; without it one is drawn. A ``natural`` picture has plain light and only clear glasses before the face,
    and a ``hand`` or a thing that is held if asked for; other pictures have one sometimes.
    """
    use = surface.ingredients
    image = sample_background(rng, size) if backdrop is None else backdrop
    look, light = sample_look(rng, surface, eta, brows), sample_light(rng, natural)
    if surface.realism:
        light = sample_environment(rng.spawn(1)[0], surface, light, natural)
    comb_lashes(surface, vertices, *look.lashes)
    normals = rasterizer.vertex_normals(vertices, surface.quads)
    patches: list[Patch] = []
    lenses: list[FloatArray] = []
    if head:
        clothe(rng, surface, look.albedo)
        worn, pressing = sample_headwear(rng, surface, vertices) if not natural else ([], False)
        hair = sample_hair(rng, surface, vertices, normals, look.hair_color, pressing and use.covers)
        beard = sample_beard(rng, surface, vertices, normals, look.hair_color, look.beard)
        frames, lenses = sample_glasses(rng, vertices, surface)
        patches += [*(worn if use.covers else []), *([*hair, *beard] if use.hair else [])]
        patches += frames if use.covers else []
    mouth = vertices[surface.model.landmarks][48:60].mean(0)
    held = sample_held(rng, look.skin_color, mouth, hand) if hand or not natural else []
    patches += held if use.covers else []
    visible = np.ones(len(landmarks), bool)
    if head or patches:
        big = int(size * OVERSAMPLING)
        attributes, screen, triangles, one_sided = _scene(
            surface, vertices if head else None, normals, look, eta, patches, pose, big
        )
        triangle_of = np.empty((big, big), np.int32)
        bary, depth = np.empty((big, big, 2), np.float32), np.empty((big, big), np.float32)
        inner, window = (surface.inner, _bounds(screen[surface.mouth_rim])) if head else (0, np.zeros(4, np.float32))
        rasterizer.rasterize(screen, triangles, one_sided, inner, window, rasterizer.NEAR, triangle_of, bary, depth)
        if light.shadow:
            casters, first = (triangles[one_sided:], 0)
            if head:
                casters, first = np.concatenate([surface.casters, casters]), len(surface.casters)
            middle = pose.rotation @ [0, 0, 20] + pose.translation
            shadow = shadow_map(attributes, casters, first, light.lights[0], middle)
        else:
            shadow = np.zeros((1, 1), np.float32), np.eye(3, dtype=np.float32), np.zeros(3, np.float32)
        fog = np.float32(0 if natural or rng.random() < 0.8 else rng.uniform(0, 0.25))
        layer, photo = np.empty((big, big, 4), np.float32), look.photograph
        brightness, lit = rasterizer.shade(
            triangle_of, bary, triangles, attributes, look.texture, look.bump, photo.detail,
            np.float32(photo.strength), photo.mirrored, look.paint, light.ambient,
            light.lights, light.colors, np.float32(light.wrap), np.float32(light.specular), np.float32(light.polish),
            np.float32(light.sheen), look.eyes, *shadow, SHADOW_BIAS, fog,
            np.array(cv2.mean(image)[:3], np.float32), layer,
        )  # fmt: skip
        rasterizer.compose(layer, image, _exposure(rng, brightness / max(lit, 1)), image)
        visible = visibility.unhidden(landmarks, distances, depth, triangle_of, triangles, attributes)
    dark = rng.uniform(0, 0.2) if natural or rng.random() < 0.82 else rng.uniform(0.3, 0.97)
    for lens in lenses if use.covers else []:
        shade = _tint_lens(rng, image, pose, lens, dark)
        if dark > DARK_LENS:
            visible[visibility.EYES] &= ~visibility.under(shade, landmarks[visibility.EYES])
    if not natural and rng.random() < 0.06 and use.covers:
        visible &= ~visibility.under(_patch_over(rng, image), landmarks)
    return image, visible


def _scene(
    surface: Surface,
    vertices: FloatArray | None,
    normals: FloatArray,
    look: Look,
    eta: FloatArray,
    patches: list[Patch],
    pose: Pose,
    big: int,
) -> tuple[FloatArray, FloatArray, IntArray, int]:
    """Return the head (``vertices``, if any) and the patches before the camera.

    Returns attributes (N, 16), screen (N, 3), triangles (T, 3), and how many of these are seen from one side only.
    """
    count = 0 if vertices is None else len(vertices)
    total = count + sum(len(p.points) for p in patches)
    attributes, screen = np.empty((total, rasterizer.ATTRIBUTES), np.float32), np.empty((total, 3), np.float32)
    view = pose.rotation.astype(np.float32), pose.translation.astype(np.float32), pose.lens(), big
    triangles = []
    if vertices is not None:
        look_of = look.albedo, look.gloss, _open_sky(surface, eta), surface.coords, surface.kind
        rasterizer.place(vertices, normals, *look_of, *view, attributes[:count], screen[:count])
        triangles.append(surface.triangles)
    start = count
    for patch in patches:
        points, albedo = (np.ascontiguousarray(a, np.float32) for a in (patch.points, patch.albedo))
        rows = slice(start, start + len(points))
        patch_normals = rasterizer.vertex_normals(points, patch.triangles)
        coords = points[:, :2] / 256 + np.float32(0.5)
        look_of = albedo, np.array([patch.gloss], np.float32), OPEN, coords, PLAIN
        rasterizer.place(points, patch_normals, *look_of, *view, attributes[rows], screen[rows])
        triangles.append(patch.triangles + np.int32(start))
        start += len(points)
    joined = np.concatenate(triangles) if len(triangles) > 1 else triangles[0]
    return attributes, screen, joined, len(surface.triangles) if count else 0


def _bounds(screen: FloatArray) -> FloatArray:
    """Left, top, right, bottom of points (N, 3) in pixels."""
    x, y = np.ascontiguousarray(screen[:, :2].T)
    return np.array([x.min(), y.min(), x.max(), y.max()], np.float32)


def _exposure(rng: np.random.Generator, brightness: float) -> np.float32:
    """Return the exposure of a camera that mostly meters the foreground."""
    return np.float32((rng.uniform(0.2, 0.65) / max(brightness, 0.02)) ** rng.uniform(0.4, 0.8))


def _open_sky(surface: Surface, eta: FloatArray) -> FloatArray:
    """Return the share of open sky; an open mouth lets light in."""
    opened = np.float32(0.75 + 0.45 * np.clip(eta[25] + 0.4 * eta[18] + 0.3 * eta[11], 0, 1))
    return np.where(surface.occlusion < 0.999, surface.occlusion * opened, np.float32(1))


def _tint_lens(rng: np.random.Generator, image: FloatArray, pose: Pose, lens: FloatArray, dark: float) -> FloatArray:
    """Tint the glasses' lens and return where it lies, (size, size) 0..1."""
    size = len(image)
    outline = pose.in_crop(lens) * size
    mask = np.zeros(image.shape[:2], np.float32)
    cv2.fillPoly(mask, [outline.round().astype(np.int32)], 1.0, cv2.LINE_AA)
    image *= 1 - mask[..., None] * np.float32(dark)
    if rng.random() < 0.5:  # the upper rim's soft shadow
        top, depth = outline[:, 1].min(), max(np.ptp(outline[:, 1]) * rng.uniform(0.15, 0.5), 1.0)
        fading = np.clip(1 - (np.arange(size, dtype=np.float32) - top) / np.float32(depth), 0, 1)[:, None]
        image *= 1 - (mask * fading)[..., None] * np.float32(rng.uniform(0.1, 0.5))
    if rng.random() < 0.45:  # a reflection
        x, y = outline.mean(0) + rng.normal(0, size / 24, 2)
        axes = int(rng.uniform(0.01, 0.1) * size) + 1, int(rng.uniform(0.005, 0.05) * size) + 1
        spot = np.zeros_like(mask)
        cv2.ellipse(spot, (int(x), int(y)), axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
        image += (cv2.GaussianBlur(spot, (0, 0), size / 96) * mask * np.float32(rng.uniform(0.1, 0.8)))[..., None]
    return mask


def _patch_over(rng: np.random.Generator, image: FloatArray) -> FloatArray:
    """Something in front: a flat blob with an edge. Returns where it lies, (size, size) 0..1."""
    size = len(image)
    mask = np.zeros((size, size), np.float32)
    centre = tuple(int(v) for v in rng.integers(0, size, 2))
    axes = tuple(int(v) for v in rng.integers(size // 16, size // 3, 2))
    if rng.random() < 0.5:
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1, cv2.LINE_AA)
    else:
        cv2.rectangle(mask, centre, (centre[0] + axes[0], centre[1] + axes[1]), 1.0, -1)
    image += mask[..., None] * (rng.uniform(0, 1, 3).astype(np.float32) - image)
    return mask
