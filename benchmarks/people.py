"""People that the synthetic face engine never makes: sculpted heads with Blender's skin, eyes, hair and glasses.

A person is the open head deformed by hand-placed dents, so Eq. (1) still holds and the keys move it as any head.
Nothing here uses ``training/synthetic``. Test data must differ from training data and must not change with the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import bpy
import numpy as np

from ..expnet_addon import compat
from ..expnet_addon.scene import heads, rig
from ..expnet_addon.scene.coordinates import METRES, to_blender
from ..model.array_types import FloatArray
from ..model.face.face_model import FaceModel, gaze_pivot, triangles
from . import strands
from .shading import Shader, linear, transparent_gloss

Colour = tuple[float, float, float]
IDENTITY_LIMIT = 3.2  # sigma; training draws up to 2.8
EYE_RADIUS = 13.4  # of the open head's eyeballs behind the cornea, mm


@dataclass(frozen=True)
class Dent:
    """A smooth deformation: at ``centre`` by ``offset`` mm, fading out over ``reach`` mm; optionally on both sides."""

    centre: tuple[float, float, float]
    offset: tuple[float, float, float]
    reach: float
    both: bool = False


@dataclass(frozen=True)
class Person:
    """Looks of a person; colours are sRGB 0..1, lengths mm.

    spread     of the identity coefficients, sigma
    dents      the sculpt; ``waves`` mm of random low-frequency unevenness come on top (no head is symmetrical)
    flush      colour of cheeks and nose, mixed in by ``flushed``; ``blotches`` 0..1, ``freckles`` 0..1
    scalp      what grows there, or nothing; ``beard`` likewise
    make_up    (lids, lips, lashes' line) or nothing
    glasses    colour of the frame, or nothing
    """

    name: str
    seed: int
    skin: Colour
    flush: Colour
    lips: Colour
    iris: Colour
    hair: strands.Pigment
    spread: float = 1.4
    waves: float = 1.6
    dents: Sequence[Dent] = ()
    flushed: float = 0.3
    blotches: float = 0.3
    freckles: float = 0.0
    roughness: float = 0.45
    scalp: strands.Style | None = None
    beard: strands.Style | None = None
    brows: strands.Style = field(
        default_factory=lambda: strands.Style(count=420, length=8.0, thickness=0.20, spread=0.25)
    )
    make_up: tuple[Colour, Colour, Colour] | None = None
    glasses: Colour | None = None
    shirt: Colour = (0.2, 0.2, 0.25)


@dataclass(frozen=True, eq=False)
class Cast:
    """A person in the scene: ``head`` is the rig, ``moving`` the hair that goes with the skin."""

    head: bpy.types.Object
    moving: list[tuple[strands.Strands, bpy.types.Curves]]

    def show(self, eta: FloatArray, gaze: FloatArray, rotation: FloatArray, translation: FloatArray) -> None:
        """Apply an expression (29,), gaze (2,) and pose; brows, lashes and beard follow the skin."""
        rig.set_expression(self.head, eta, gaze)
        rig.set_pose(self.head, rotation, translation)
        skin = rig.evaluated_vertices(self.head)
        for hairs, curves in self.moving:
            strands.move(curves, hairs.posed(skin))


def cast(person: Person, model: FaceModel, scene: bpy.types.Scene) -> Cast:
    """Build ``person`` in ``scene``."""
    rng = np.random.default_rng(person.seed)
    own = sculpted(person, model, rng)
    head = rig.create_rig(own, name=person.name, collection=scene.collection, fine=False)
    masks = Masks(model)
    _dress(head, own, person, masks)
    for eye in rig.eyes_of(head).values():
        _dress_eye(eye, person)
        _add_cornea(eye)
    moving = []
    coat = strands.material(person.name, person.hair)
    skin = strands.Ground(own, masks.triangles)
    if person.scalp is not None:
        _plant(head, "scalp hair", strands.scalp(rng, skin, masks.scalp, person.scalp), person.scalp.thickness, coat)
    if person.beard is not None:
        beard = strands.beard(rng, skin, masks.beard, person.beard)
        moving.append((beard, _plant(head, "beard", beard, person.beard.thickness, coat)))
    for side in "LR":
        brow = strands.brow(rng, skin, side, person.brows)
        moving.append((brow, _plant(head, f"brow {side}", brow, person.brows.thickness, coat)))
        for upper in (True, False):
            lashes = strands.lashes(rng, skin, side, upper, long=person.make_up is not None)
            moving.append((lashes, _plant(head, f"lashes {side} {upper}", lashes, 0.16, coat)))
    if person.glasses is not None:
        _add_glasses(head, own, person.glasses)
    return Cast(head, moving)


def sculpted(person: Person, model: FaceModel, rng: np.random.Generator) -> FaceModel:
    """Build the model whose mean is this person: wider identity, dents, waves; eyes keep their shape and lids.

    The painted cards of the lashes are left out: lashes are hair here.
    """
    alpha = np.clip(rng.normal(0, person.spread, len(model.identity)), -IDENTITY_LIMIT, IDENTITY_LIMIT)
    shape = model.neutral + model.identity_offset(alpha)
    pull = _waves(rng, model.neutral) * person.waves
    for dent in person.dents:
        for sign in (1, -1) if dent.both else (1,):
            centre, offset = (np.array(v) * [sign, 1, 1] for v in (dent.centre, dent.offset))
            far = np.linalg.norm(model.neutral - centre, axis=1) / dent.reach
            pull += np.exp(-(far**2))[:, None] * offset
    for side in "LR":
        ball = model.regions[f"eyeball_{side}"]
        far = np.linalg.norm(model.neutral - gaze_pivot(model, model.neutral, side), axis=1)
        share = np.clip(1 - (far - 20) / 14, 0, 1)[:, None]
        pull += share * (pull[ball].mean(axis=0) - pull)
    lashes = np.isin(model.faces, np.concatenate([model.regions[f"lashes_{s}"] for s in "LR"])).any(axis=1)
    return replace(
        model, mean=(shape + pull - model.expression_offset).astype(np.float32), average_alpha=None,
        faces=model.faces[~lashes],
        uv=None if model.uv is None else model.uv[~lashes],
    )  # fmt: skip


def _waves(rng: np.random.Generator, points: FloatArray) -> FloatArray:
    """Return a smooth random offset (V, 3) of about one mm, with features of 6 to 14 cm."""
    out = np.zeros_like(points, dtype=float)
    for _ in range(6):
        direction = rng.normal(0, 1, 3)
        direction *= 2 * np.pi / rng.uniform(60, 140) / np.linalg.norm(direction)
        out += np.sin(points @ direction + rng.uniform(0, 2 * np.pi))[:, None] * rng.normal(0, 0.58, 3)
    return out


class Masks:
    """Masks of lips, cheeks, beard and hair on the open head, (V,) 0..1 each, from its landmarks and regions."""

    def __init__(self, model: FaceModel) -> None:
        place, marks = model.neutral.astype(float), model.neutral[model.landmarks].astype(float)
        x, y, z = place.T
        skin = self._region(model, "skin")
        self.triangles = triangles(model.faces)
        self.triangles = self.triangles[skin[self.triangles].all(axis=1)]
        self.lips = self._region(model, "lips")
        self.nostrils = self._region(model, "nostrils")
        self.lids = np.maximum(self._region(model, "lid_upper_L"), self._region(model, "lid_upper_R"))
        ahead = skin * (z > 30)

        def blob(bx: float, by: float, reach: float) -> FloatArray:
            density: FloatArray = ahead * np.exp(-((np.abs(x) - bx) ** 2 + (y - by) ** 2) / reach**2)
            return density

        self.cheeks = np.clip(blob(44, -6, 20) + 0.8 * blob(0, 2, 12), 0, 1)
        self.eye_shadow = skin * (z > 60) * np.exp(-((np.abs(x) - 33) ** 2 / 20**2 + (y - 43) ** 2 / 7**2))
        rim = np.min([_distance(place, marks[a:b], closed=True) for a, b in ((36, 42), (42, 48))], axis=0)
        self.eye_line = skin * np.exp(-((rim / 1.7) ** 2))
        cheek_line = marks[48, 1] + 26 * np.clip((np.abs(x) - 34) / 30, 0, 1)
        lower = np.clip((cheek_line - y) / 6, 0, 1) * np.clip((y + 112) / 25, 0, 1) * np.clip((z - 5) / 15, 0, 1)
        lip = np.exp(-(((y + 18) / 5.5) ** 2) - (x / 26) ** 4) * (z > 60)
        near_lips = np.exp(-((_distance(place, marks[48:60], closed=True) / 3.5) ** 2))
        self.beard = skin * np.clip(np.maximum(lower, lip) - near_lips - self.lips - self.nostrils, 0, 1)
        self.beard *= 1 - np.exp(-((x / 30) ** 2) - ((y + 33) / 9) ** 2)
        front = 104 - 0.007 * x**2
        line = np.interp(z, [-30, -4, 8, 30, 48, 62], [-42, -40, 0, 22, 52, 0]) + np.where(z > 61, front, 0)
        line = np.where((z > 48) & (z <= 62), 52 + (front - 52) * (z - 48) / 14, line)
        ear = (np.abs(place - [0, 6, -6]) < [np.inf, 32, 24]).all(axis=1) & (np.abs(x) > 70)
        self.scalp = np.where(ear, -50.0, y - line) * skin + -1e3 * (1 - skin)  # mm above the hairline
        self.shirt = skin * (y < -128 - 0.25 * np.clip(z, -60, 60))

    @staticmethod
    def _region(model: FaceModel, name: str) -> FloatArray:
        mask = np.zeros(model.vertex_count)
        mask[model.regions.get(name, [])] = 1.0
        return mask


def _distance(points: FloatArray, line: FloatArray, closed: bool = False) -> FloatArray:
    """Return (N,) mm from points (N, 3) to a polyline (K, 3)."""
    ends = np.roll(line, -1, axis=0) if closed else line[1:]
    best = np.full(len(points), 1e3)
    for a, b in zip(line[: len(ends)], ends):
        t = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        best = np.minimum(best, np.linalg.norm(points - a - t[:, None] * (b - a), axis=1))
    return best


def _dress(head: bpy.types.Object, model: FaceModel, person: Person, masks: Masks) -> None:
    """Skin from per-vertex pigment, blotches, freckles and pores; the wet parts in the person's colours."""
    pigment = np.tile(linear(person.skin), (model.vertex_count, 1))
    gloss = np.full(model.vertex_count, person.roughness)

    def blend(mask: FloatArray, colour: Sequence[float], share: float = 1.0) -> None:
        weight = np.clip(mask * share, 0, 1)[:, None]
        pigment[:] += weight * (linear(colour) - pigment)

    dark = tuple(0.35 * c for c in person.skin)
    blend(masks.cheeks, person.flush, person.flushed)
    blend(masks.nostrils, dark, 0.8)
    if person.beard is not None:
        blend(masks.beard, person.hair.stubble(person.skin), 0.55)
    if person.scalp is not None:
        blend(np.clip(masks.scalp / 6, 0, 1), person.hair.stubble(person.skin), 0.8)
    if person.make_up is None:
        blend(masks.lips, person.lips, 0.8)
        blend(masks.eye_line, dark, 0.25)
    else:
        shadow, lips, line = person.make_up
        blend(masks.eye_shadow, shadow, 0.75)
        blend(masks.lips, lips, 0.95)
        blend(masks.eye_line, line, 0.8)
        gloss -= 0.18 * masks.lips
    blend(masks.shirt, person.shirt)
    gloss += 0.45 * masks.shirt

    mesh = head.data
    index = np.empty(len(mesh.vertices), np.int32)
    mesh.attributes[heads.VERTEX_INDEX].data.foreach_get("value", index)
    rgba = np.ones((len(index), 4), np.float32)
    rgba[:, :3] = pigment[index]
    mesh.attributes.new("pigment", "FLOAT_COLOR", "POINT").data.foreach_set("color", rgba.ravel())
    rough = mesh.attributes.new("rough", "FLOAT", "POINT")
    rough.data.foreach_set("value", gloss[index].astype(np.float32))
    for slot in mesh.materials:
        part = slot.name.removeprefix("ExpNet ").split(".")[0]
        if part in ("skin", "nostrils"):
            _skin(slot, person)
        elif part == "eye socket":
            _wet(slot, linear(person.flush) * 0.6)
        elif part in ("mouth socket", "gums", "tongue"):
            _wet(slot, 0.55 * linear(person.flush) + 0.45 * linear((0.5, 0.2, 0.2)))


def _skin(material: bpy.types.Material, person: Person) -> None:
    s = Shader(material)
    where = s.node("ShaderNodeTexCoord").outputs["Object"]
    pigment = s.node("ShaderNodeAttribute", attribute_name="pigment").outputs["Color"]
    rough = s.node("ShaderNodeAttribute", attribute_name="rough").outputs["Fac"]
    blotches = s.noise(where, scale=45.0 + person.seed % 7, detail=4.0)
    shade = s.spread(blotches, 0.3, 0.7, 1 - 0.35 * person.blotches, 1 + 0.25 * person.blotches)
    colour = s.multiply(pigment, shade)
    if person.freckles:
        spots = s.spread(s.noise(where, scale=420.0, detail=1.0), 0.58, 0.68, 0.0, person.freckles)
        colour = s.mix(spots, colour, (*(linear(person.skin) * [0.55, 0.4, 0.3]), 1.0))
    pores = s.noise(where, scale=1100.0, detail=2.0)
    lines = s.noise(where, scale=240.0, detail=3.0)
    bump = s.node(
        "ShaderNodeBump",
        {"Strength": 0.35, "Distance": 0.0006, "Height": s.add(pores, lines)},
    )
    s.surface(
        s.node(
            "ShaderNodeBsdfPrincipled",
            {
                "Base Color": colour, "Roughness": rough, "Subsurface Weight": 0.4,
                "Subsurface Radius": (1.0, 0.34, 0.18), "Subsurface Scale": 0.0025,
                "Specular IOR Level": 0.42, "Normal": bump.outputs["Normal"],
            },
        ).outputs["BSDF"]
    )  # fmt: skip


def _wet(material: bpy.types.Material, colour: FloatArray) -> None:
    shader = next(n for n in compat.node_tree(material).nodes if n.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = 0.28


def _dress_eye(eye: bpy.types.Object, person: Person) -> None:
    """Make a flat iris behind the cornea, with fibres, a dark limbus and a pupil; the white reddens outwards."""
    mesh = eye.data
    place = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", place.ravel())
    out = place / np.linalg.norm(place, axis=1, keepdims=True)
    limbus = np.radians(29.0)
    inside = -out[:, 1] > np.cos(limbus)
    place[inside, 1] = -EYE_RADIUS * np.cos(limbus) * METRES
    mesh.vertices.foreach_set("co", place.ravel())
    mesh.update()
    material = bpy.data.materials.new(f"{person.name} eye")
    s = Shader(material)
    where = s.node("ShaderNodeTexCoord").outputs["Object"]
    x, _, z = s.split(where)
    radius = s.math("SQRT", s.math("ADD", s.math("MULTIPLY", x, x), s.math("MULTIPLY", z, z)))
    angle = s.math("ARCTAN2", x, z)
    fibres = s.noise(s.vector(s.math("MULTIPLY", angle, 7.0), s.math("MULTIPLY", radius, 160.0), 0.0), 1.0, 3.0)
    radius = s.math("DIVIDE", radius, EYE_RADIUS * METRES * float(np.sin(limbus)))  # 1 at the rim of the iris
    iris, white = linear(person.iris), linear((0.88, 0.85, 0.82))
    ramp = s.ramp(
        s.math("MULTIPLY", radius, 0.4),
        [
            (0.0, (0.004, 0.004, 0.004)), (0.138, (0.004, 0.004, 0.004)), (0.155, tuple(iris * 1.3)),
            (0.30, tuple(iris)), (0.375, tuple(iris * 0.25)), (0.42, tuple(white)),
            (1.0, tuple(white * [1, 0.8, 0.75])),
        ],
    )  # fmt: skip
    colour = s.multiply(ramp, s.spread(fibres, 0.25, 0.75, 0.75, 1.2))
    s.surface(s.node("ShaderNodeBsdfPrincipled", {"Base Color": colour, "Roughness": 0.35}).outputs["BSDF"])
    mesh.materials.clear()
    mesh.materials.append(material)


def _add_cornea(eye: bpy.types.Object) -> None:
    """Make a clear, glossy skin over the eye: bulging before the iris, tight round the white."""
    rows, columns = 14, 32
    polar = np.linspace(0.02, np.radians(75), rows)[:, None]
    round_ = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    bulge = 1.3 * np.exp(-((polar / np.radians(22)) ** 4))
    reach = (EYE_RADIUS + 0.06 + bulge) * METRES
    place = np.stack(
        [reach * np.sin(polar) * np.cos(round_), -reach * np.cos(polar) + 0 * round_,
         reach * np.sin(polar) * np.sin(round_)], -1
    ).reshape(-1, 3)  # fmt: skip
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    a, b = r * columns + c, r * columns + (c + 1) % columns
    mesh = bpy.data.meshes.new("cornea")
    mesh.from_pydata(place.tolist(), [], np.stack([a, a + columns, b + columns, b], -1).reshape(-1, 4).tolist())
    mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), bool))
    mesh.materials.append(transparent_gloss("cornea", ior=1.38))
    cornea = bpy.data.objects.new("cornea", mesh)
    cornea.parent = eye
    cornea.visible_shadow = False
    eye.users_collection[0].objects.link(cornea)


def _plant(
    head: bpy.types.Object, name: str, hairs: strands.Strands, thickness: float, coat: bpy.types.Material
) -> bpy.types.Curves:
    curves = strands.curves(f"{head.name} {name}", hairs.points, thickness)
    curves.materials.append(coat)
    obj = bpy.data.objects.new(curves.name, curves)
    obj.parent = head
    head.users_collection[0].objects.link(obj)
    return curves


def _add_glasses(head: bpy.types.Object, model: FaceModel, colour: Colour) -> None:
    """Round-cornered frames on the nose, temples to the ears, clear lenses that reflect."""
    marks = model.neutral[model.landmarks].astype(float)
    eyes = {s: model.neutral[model.regions[f"eyeball_{s}"]].mean(axis=0) for s in "LR"}
    depth = max(marks[27, 2] + 1.0, *(eye[2] + 25.0 for eye in eyes.values()))
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    rims = {}
    for side, eye in eyes.items():
        across, down = (np.sign(f) * np.abs(f) ** 0.6 for f in (np.cos(turn), np.sin(turn)))
        x, y = eye[0] + 24.5 * across, eye[1] - 2.0 + 19.0 * down
        rims[side] = np.stack([x, y, depth - 2.4 * across**2], 1)
    ears = {"L": marks[16], "R": marks[0]}
    lines = [(rim, True) for rim in rims.values()]
    inner = [rims["R"][rims["R"][:, 0].argmax()], rims["L"][rims["L"][:, 0].argmin()]]
    lines.append((np.array([inner[0], (inner[0] + inner[1]) / 2 + [0, 4, 1], inner[1]]), False))
    for side, sign in (("L", 1), ("R", -1)):
        hinge = rims[side][(sign * rims[side][:, 0]).argmax()] + [0, 6, 0]
        hook = np.array([ears[side][0] + 3.5 * sign, hinge[1] + 2, ears[side][2] - 40])
        lines.append((np.array([hinge, [hook[0], hinge[1] + 1, hinge[2] - 12], hook]), False))
    data = bpy.data.curves.new("glasses", "CURVE")
    data.dimensions, data.bevel_depth = "3D", 1.5 * METRES
    for line, closed in lines:
        spline = data.splines.new("POLY")
        spline.points.add(len(line) - 1)
        spline.points.foreach_set("co", np.column_stack([to_blender(line), np.ones(len(line))]).ravel())
        spline.use_cyclic_u = closed
    frame = bpy.data.materials.new("glasses")
    s = Shader(frame)
    look = {"Base Color": (*linear(colour), 1.0), "Roughness": 0.22}
    s.surface(s.node("ShaderNodeBsdfPrincipled", look).outputs["BSDF"])
    data.materials.append(frame)
    lenses = bpy.data.meshes.new("lenses")
    corners = np.concatenate(list(rims.values()))
    lenses.from_pydata(to_blender(corners).tolist(), [], [list(range(48)), list(range(48, 96))])
    lenses.materials.append(transparent_gloss("lens", ior=1.5))
    for part in (data, lenses):
        obj = bpy.data.objects.new(part.name, part)
        obj.parent = head
        obj.visible_shadow = part is data
        head.users_collection[0].objects.link(obj)
