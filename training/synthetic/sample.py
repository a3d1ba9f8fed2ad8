"""One synthetic picture with its labels: the ingredients put together."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...model.camera import Camera, Crop, crop_of_pose, project, rotation_in_crop
from ...model.face_model import gaze_pivot
from . import rasterizer
from .background import sample_background
from .covers import Patch, clothe, sample_glasses, sample_hair, sample_hand, sample_headwear
from .degrade import degrade, develop
from .expressions import sample_eta, sample_gaze
from .light import sample_light, shadow_map
from .noise import wavy
from .skin import sample_look, wrinkle_depth
from .surface import Surface

OVERSAMPLING = 1.5
NO_FACE_SHARE = 0.12
GAZE_UNIT = np.radians(30)  # of FaceModel.gaze_lids


@dataclass(frozen=True, eq=False)
class Sample:
    """image (size, size, 3) uint8 BGR; labels as in ``networks.compact.output_widths``; face 1 or 0 (labels unused)."""

    image: np.ndarray
    eta: np.ndarray
    gaze: np.ndarray
    rotation: np.ndarray
    crop: np.ndarray
    alpha: np.ndarray
    landmarks: np.ndarray
    face: float


@dataclass(frozen=True, eq=False)
class Pose:
    rotation: np.ndarray
    translation: np.ndarray
    camera: Camera
    own: Crop
    given: Crop


def sample(rng: np.random.Generator, surface: Surface, size: int = 96) -> Sample:
    """Draw everything from ``rng`` and render it as a crop of ``size`` pixels."""
    model = surface.model
    eta = sample_eta(rng)
    alpha = np.clip(rng.standard_normal(len(model.identity)) * rng.uniform(0.7, 1.25), -2.8, 2.8).astype(np.float32)
    is_face = rng.random() > NO_FACE_SHARE
    yaw, pitch, roll = sample_angles(rng, is_face)
    gaze = sample_gaze(rng, yaw, pitch)
    pose = sample_pose(rng, yaw, pitch, roll, size, is_face)
    vertices = shape_head(rng, surface, alpha, eta, gaze)
    landmarks = pose.given.from_image(
        project(_landmarks(surface, vertices, gaze) @ pose.rotation.T + pose.translation, pose.camera)
    )
    image = render(rng, surface, vertices, eta, gaze, pose, size, head=is_face or rng.random() < 0.25)
    return Sample(
        image,
        eta,
        gaze,
        rotation_in_crop(pose.rotation, pose.camera, pose.given, pose.own)[:, :2].T.reshape(6).astype(np.float32),
        pose.given.offset_to(pose.own)[:3].astype(np.float32),
        alpha,
        landmarks.astype(np.float32),
        float(is_face),
    )


def sample_angles(rng: np.random.Generator, is_face: bool) -> tuple[float, float, float]:
    """Yaw (+ to the subject's left), pitch (+ up), roll (+ leaning right on screen), radians."""
    if not is_face and rng.random() < 0.5:
        return rng.uniform(2.0, 4.2), rng.normal(0, 0.2), rng.normal(0, 0.2)  # the back of a head is no face
    yaw = rng.choice([rng.normal(0, 0.22), rng.normal(0, 0.55), rng.uniform(-1.35, 1.35)], p=[0.5, 0.3, 0.2])
    return (
        float(np.clip(yaw, -1.4, 1.4)),
        float(np.clip(rng.normal(0, 0.2), -0.65, 0.65)),
        float(np.clip(rng.normal(0, 0.16), -0.7, 0.7)),
    )


def rotation_of(yaw: float, pitch: float, roll: float) -> np.ndarray:
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])  # + lifts the nose
    lean = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    return lean @ nod @ turn


def sample_pose(rng: np.random.Generator, yaw: float, pitch: float, roll: float, size: int, is_face: bool) -> Pose:
    """The head before a camera of 12-200 mm, and the crop that a finder or the last frame might have given."""
    rotation = rotation_of(yaw, pitch, roll)
    distance = float(np.exp(rng.uniform(np.log(320), np.log(4000))))
    focal = size * distance / 200.0  # the head fills the crop's own size; the picture around it has no other use
    off = rng.uniform(-0.25, 0.25, 2) * distance
    translation = np.array([off[0], off[1], -distance]) - rotation @ np.array([0, 0, 60.0])
    camera = Camera(focal, (size - 1) / 2, (size - 1) / 2)
    own = crop_of_pose(rotation, translation, camera)
    wide = rng.random() < 0.3
    shift = rng.normal(0, 0.11 if wide else 0.035, 2)
    zoom, turn = rng.normal(0, 0.22 if wide else 0.07), rng.normal(0, 0.16 if wide else 0.05)
    if not is_face:  # not a face either: one that is far off the crop, or far too large or small
        way = rng.integers(3)
        if way == 0:
            angle = rng.uniform(0, 2 * np.pi)
            shift = rng.uniform(0.8, 1.3) * np.array([np.cos(angle), np.sin(angle)])
        elif way == 1:
            zoom = rng.choice([rng.uniform(1.1, 1.8), rng.uniform(-2.0, -1.2)])
    c, s = np.cos(own.angle + turn), np.sin(own.angle + turn)
    side = own.side * np.exp(zoom)
    given = Crop(
        own.cx + side * (c * shift[0] - s * shift[1]),
        own.cy + side * (s * shift[0] + c * shift[1]),
        side,
        own.angle + turn,
    )
    return Pose(rotation, translation, camera, own, given)


def shape_head(
    rng: np.random.Generator, surface: Surface, alpha: np.ndarray, eta: np.ndarray, gaze: np.ndarray
) -> np.ndarray:
    """Vertices (V, 3): Eq. (1), and what a linear model lacks: other people's proportions, other people's way of
    making the same expression, wrinkles; eyes turned, lids following them."""
    model = surface.model
    mean = model.neutral
    person = model.vertices(alpha)
    field = np.stack([wavy(rng, mean, rng.uniform(50, 140)) for _ in range(3)], 1) * rng.uniform(0, 1.6)
    balls = np.concatenate([model.regions["eyeball_L"], model.regions["eyeball_R"]])
    eyes_region = np.exp(
        -(
            (
                np.minimum(*(np.linalg.norm(mean - mean[model.regions[f"eyeball_{s}"]].mean(0), axis=1) for s in "LR"))
                / 26
            )
            ** 2
        )
    )
    field *= (1 - eyes_region)[:, None]  # lids must keep fitting the eyes
    own_way = 1 + np.clip(0.18 * wavy(rng, mean, 80), -0.35, 0.35) * (1 - eyes_region)
    gains = np.exp(rng.normal(0, 0.1, len(eta)))
    gains[5:7] = 1
    vertices = person + field + model.expression_displacement(eta * gains) * own_way[:, None]
    if model.gaze_lids is not None:
        up, left = gaze[1] / GAZE_UNIT, gaze[0] / GAZE_UNIT
        shut = 1 - np.clip(eta[5:7].mean(), 0, 1)
        for weight, lids in zip((max(up, 0), max(-up, 0), max(left, 0), max(-left, 0)), model.gaze_lids, strict=True):
            if weight:
                vertices = vertices + (weight * shut) * lids
    vertices = vertices.astype(np.float32)
    vertices[balls] = person[balls]
    vertices += _wrinkled(rng, surface, vertices, eta)
    turn = rotation_of(float(gaze[0]), float(gaze[1]), 0).astype(np.float32)
    for side in "LR":
        ball = model.regions[f"eyeball_{side}"]
        pivot = gaze_pivot(model, vertices, side)
        vertices[ball] = (vertices[ball] - pivot) @ turn.T + pivot
    return vertices


def _wrinkled(rng: np.random.Generator, surface: Surface, vertices: np.ndarray, eta: np.ndarray) -> np.ndarray:
    depth = wrinkle_depth(rng, surface, eta) * rng.uniform(0.5, 1.6)
    normals = rasterizer.vertex_normals(vertices, surface.triangles)
    return normals * -np.minimum(depth @ surface.wrinkles, 1.5)[:, None].astype(np.float32)


def _landmarks(surface: Surface, vertices: np.ndarray, gaze: np.ndarray) -> np.ndarray:
    """The 68 points and the two pupils (right, left), (70, 3)."""
    ahead = rotation_of(float(gaze[0]), float(gaze[1]), 0) @ np.array([0, 0, 12.5])
    pupils = [gaze_pivot(surface.model, vertices, side) + ahead for side in "RL"]
    return np.concatenate([vertices[surface.model.landmarks], pupils])


def render(
    rng: np.random.Generator,
    surface: Surface,
    vertices: np.ndarray,
    eta: np.ndarray,
    gaze: np.ndarray,
    pose: Pose,
    size: int,
    head: bool = True,
) -> np.ndarray:
    """The picture, (size, size, 3) uint8 BGR. Without ``head`` only what might stand around one."""
    model = surface.model
    big = int(size * OVERSAMPLING)
    image = sample_background(rng, big)
    look, light = sample_look(rng, surface), sample_light(rng)
    normals = rasterizer.vertex_normals(vertices, surface.triangles)
    albedo = look.albedo.copy()
    clothe(rng, surface, albedo)
    patches: list[Patch] = []
    lenses: list[np.ndarray] = []
    if head:
        patches += sample_hair(rng, surface, vertices, normals, look.hair_color)
        patches += sample_headwear(rng, surface)
        frames, lenses = sample_glasses(rng, vertices, surface)
        patches += frames
    patches += sample_hand(rng, surface, look.skin_color)
    base = (Patch(vertices, surface.triangles, albedo),) if head else ()
    parts = [*base, *patches]
    if not parts:
        return degrade(rng, develop(rng, image), size)
    starts = np.cumsum([0] + [len(p.points) for p in parts])
    points = np.concatenate([p.points for p in parts]).astype(np.float32)
    triangles = np.concatenate([p.triangles + s for p, s in zip(parts, starts, strict=False)]).astype(np.int32)
    kind = np.zeros(len(triangles), np.int8)
    gloss = np.concatenate([np.full(len(p.points), p.gloss, np.float32) for p in parts])
    occlusion = np.ones(len(points), np.float32)
    coords = (points[:, [0, 1]] / 256 + 0.5).astype(np.float32)
    eye_angle = np.zeros(len(points), np.float32)
    covers = [rasterizer.vertex_normals(p.points.astype(np.float32), p.triangles) for p in patches]
    all_normals = np.concatenate([normals, *covers] if head else covers)
    if head:
        count = len(vertices)
        kind[: len(surface.triangles)] = surface.kind
        gloss[:count], coords[:count] = look.gloss, surface.coords
        occlusion[:count] = _occlusion(surface, eta)
        axis = rotation_of(float(gaze[0]), float(gaze[1]), 0)[:, 2]
        for side in "LR":
            ball = model.regions[f"eyeball_{side}"]
            out = vertices[ball] - gaze_pivot(model, vertices, side)
            eye_angle[ball] = np.arccos(np.clip(out @ axis / np.linalg.norm(out, axis=1), -1, 1))
    rotation = pose.rotation.astype(np.float32)
    seen = points @ rotation.T + pose.translation.astype(np.float32)
    all_normals = (all_normals @ rotation.T).astype(np.float32)
    pixels = (pose.given.from_image(project(seen, pose.camera)) * big - 0.5).astype(np.float32)
    screen = np.concatenate([pixels, -seen[:, 2:]], 1).astype(np.float32)
    triangles_near = triangles
    if screen[:, 2].min() < 20:  # long hair or a hand behind the lens
        near = screen[:, 2] < 20
        keep = ~(near[triangles[:, 0]] | near[triangles[:, 1]] | near[triangles[:, 2]])
        triangles_near, kind = triangles[keep], kind[keep]
    triangle_of = np.empty((big, big), np.int32)
    bary = np.empty((big, big, 2), np.float32)
    rasterizer.rasterize(screen, triangles_near, big, triangle_of, bary, np.empty((big, big), np.float32))
    if light.shadow:
        depth, axes, scale = shadow_map(seen, triangles_near, light.lights[0], rotation @ [0, 0, 20] + pose.translation)
    else:
        depth, axes, scale = np.zeros((1, 1), np.float32), np.eye(3, dtype=np.float32), np.zeros(3, np.float32)
    rasterizer.shade(
        triangle_of,
        bary,
        triangles_near,
        kind,
        seen,
        all_normals,
        np.concatenate([p.albedo for p in parts]).astype(np.float32),
        gloss,
        occlusion,
        coords,
        eye_angle,
        look.texture,
        look.bump,
        look.paint,
        light.ambient,
        light.lights,
        light.colors,
        light.wrap,
        light.specular,
        look.eyes,
        depth,
        axes,
        scale,
        np.float32(7.0),
        image,
        np.float32(rng.choice([0, rng.uniform(0, 0.25)], p=[0.8, 0.2])),
    )
    image *= _exposure(rng, image[triangle_of >= 0])
    dark = rng.choice([rng.uniform(0, 0.2), rng.uniform(0.3, 0.97)], p=[0.82, 0.18])
    for lens in lenses:
        _tint_lens(rng, image, pose, lens, dark)
    if rng.random() < 0.06:
        _patch_over(rng, image)
    return degrade(rng, develop(rng, image), size)


def _exposure(rng: np.random.Generator, foreground: np.ndarray) -> np.float32:
    """A camera that mostly exposes for what stands in front of it."""
    if not len(foreground):
        return np.float32(1)
    return np.float32((rng.uniform(0.2, 0.65) / max(float(foreground.mean()), 0.02)) ** rng.uniform(0.4, 0.8))


def _occlusion(surface: Surface, eta: np.ndarray) -> np.ndarray:
    """An open mouth lets light in."""
    opened = np.clip(eta[25] + 0.4 * eta[18] + 0.3 * eta[11], 0, 1)
    return np.where(surface.occlusion < 0.999, surface.occlusion * (0.75 + 0.45 * opened), 1).astype(np.float32)


def _tint_lens(rng: np.random.Generator, image: np.ndarray, pose: Pose, lens: np.ndarray, dark: float) -> None:
    outline = pose.given.from_image(project(lens @ pose.rotation.T + pose.translation, pose.camera)) * len(image)
    mask = np.zeros(image.shape[:2], np.float32)
    cv2.fillPoly(mask, [outline.round().astype(np.int32)], 1.0, cv2.LINE_AA)
    image *= 1 - mask[..., None] * dark
    if rng.random() < 0.45:  # a reflection
        x, y = outline.mean(0) + rng.normal(0, 6, 2)
        spot = np.zeros_like(mask)
        cv2.ellipse(
            spot,
            (int(x), int(y)),
            (int(rng.integers(2, 14)), int(rng.integers(1, 7))),
            float(rng.uniform(0, 180)),
            0,
            360,
            1.0,
            -1,
        )
        image += (cv2.GaussianBlur(spot, (0, 0), 1.5) * mask * rng.uniform(0.1, 0.8))[..., None]


def _patch_over(rng: np.random.Generator, image: np.ndarray) -> None:
    """Something in front: a flat blob with an edge."""
    size = len(image)
    mask = np.zeros((size, size), np.float32)
    centre = tuple(int(v) for v in rng.integers(0, size, 2))
    axes = tuple(int(v) for v in rng.integers(size // 16, size // 3, 2))
    if rng.random() < 0.5:
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1, cv2.LINE_AA)
    else:
        cv2.rectangle(mask, centre, (centre[0] + axes[0], centre[1] + axes[1]), 1.0, -1)
    image += mask[..., None] * (rng.uniform(0, 1, 3) - image)
