"""Hair as Blender's hair curves, grown on the skin of a face model and moved with the skin.

Model frame (millimetres, y up, z out of the face) until ``curves`` passes it to Blender.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import bpy
import numpy as np

from ..expnet_addon.scene.coordinates import METRES, to_blender
from ..model.array_types import FloatArray, IntArray
from ..model.face.face_model import FaceModel
from .shading import Shader, linear

SKULL = np.array([0.0, 32.0, -2.0])  # about the middle of the open head


@dataclass(frozen=True)
class Pigment:
    """Colour of hair: melanin 0 (white) .. 1 (black), redness 0..1, and the share of grey hairs."""

    melanin: float
    redness: float = 0.4
    grey: float = 0.0

    def stubble(self, skin: Sequence[float]) -> tuple[float, ...]:
        """sRGB of skin under dense short hair."""
        shade = 0.75 - 0.55 * self.melanin * (1 - self.grey)
        return tuple(shade * c + 0.05 * self.grey for c in skin)


@dataclass(frozen=True)
class Style:
    """Parameters of hair growth; lengths mm.

    count, thickness, length, spread   hairs, their width, their length and its relative variation
    points      of a hair
    lift        how much it stands off the skin where it grows, 0 flat .. 1 upright
    droop       how soon it hangs down
    curl        radius of its curls;  turns per hair
    forward     combed to the face (1), to the sides from the parting at ``parting`` mm (0), or back (-1)
    hairline    raised by so many mm
    """

    count: int
    length: float
    thickness: float = 0.12
    spread: float = 0.2
    points: int = 5
    lift: float = 0.4
    droop: float = 0.2
    curl: float = 0.0
    turns: float = 3.0
    forward: float = 0.0
    parting: float = 12.0
    hairline: float = 0.0


@dataclass(frozen=True, eq=False)
class Ground:
    """The skin at rest that hair grows on."""

    model: FaceModel
    triangles: IntArray

    @cached_property
    def places(self) -> FloatArray:
        return self.model.neutral.astype(float)

    def pick(self, rng: np.random.Generator, density: FloatArray, count: int) -> tuple[IntArray, FloatArray]:
        """Sample roots with density ``density`` (V,): the triangle (N,) and place (N, 3) of each."""
        a, b, c = (self.places[self.triangles[:, i]] for i in range(3))
        share = np.linalg.norm(np.cross(b - a, c - a), axis=1) * np.clip(density, 0, None)[self.triangles].mean(axis=1)
        chosen = rng.choice(len(share), count, p=share / share.sum())
        u, v = rng.random((2, count, 1))
        u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
        return chosen, a[chosen] + u * (b - a)[chosen] + v * (c - a)[chosen]

    def nearest(self, places: FloatArray, among: IntArray) -> IntArray:
        """Return the triangle (N,) closest to each place, of the triangles whose numbers are ``among``."""
        middles = self.places[self.triangles[among]].mean(axis=1)
        nearest: IntArray = among[np.linalg.norm(places[:, None] - middles[None], axis=2).argmin(axis=1)]
        return nearest

    def frames(self, vertices: FloatArray, chosen: IntArray) -> tuple[FloatArray, FloatArray]:
        """Middle (N, 3) and axes (N, 3, 3; rows: along an edge, across, normal) of triangles of posed skin."""
        a, b, c = (vertices[self.triangles[chosen, i]] for i in range(3))
        along = _unit(b - a)
        normal = _unit(np.cross(b - a, c - a))
        return (a + b + c) / 3, np.stack([along, np.cross(normal, along), normal], 1)


@dataclass(frozen=True, eq=False)
class Strands:
    """Hairs at rest, points (N, P, 3), and the triangle (N,) of the ground that each is rooted in."""

    points: FloatArray
    ground: Ground
    root: IntArray

    @cached_property
    def _local(self) -> FloatArray:
        middle, axes = self.ground.frames(self.ground.places, self.root)
        local: FloatArray = np.einsum("nij,npj->npi", axes, self.points - middle[:, None])
        return local

    def posed(self, vertices: FloatArray) -> FloatArray:
        """Move the hairs (N, P, 3) to skin whose vertices are at (V, 3): each turns with its triangle."""
        middle, axes = self.ground.frames(vertices, self.root)
        posed: FloatArray = middle[:, None] + np.einsum("nij,npi->npj", axes, self._local)
        return posed


def scalp(rng: np.random.Generator, ground: Ground, above_hairline: FloatArray, style: Style) -> Strands:
    """Hair of the head. ``above_hairline`` (V,) mm."""
    root, place = ground.pick(rng, np.clip((above_hairline - style.hairline) / 5, 0, 1), style.count)
    normal = ground.frames(ground.places, root)[1][:, 2]
    aside = np.sign(place[:, 0] - style.parting + rng.normal(0, 2, len(place)))
    front = np.clip((place[:, 2] + 10) / 60, 0, 1)  # only hair in front is combed forward
    comb = np.stack(
        [aside * (1 - abs(style.forward)), np.full(len(place), 0.1), -0.5 + (0.5 + style.forward) * front], 1
    )
    start = _unit(style.lift * normal + (1 - style.lift) * _flat(comb, normal) + rng.normal(0, 0.12, place.shape))
    return Strands(_hang(rng, ground, place, start, style, face=style.forward <= 0), ground, root)


def beard(rng: np.random.Generator, ground: Ground, density: FloatArray, style: Style) -> Strands:
    root, place = ground.pick(rng, density, style.count)
    normal = ground.frames(ground.places, root)[1][:, 2]
    lip = (place[:, 1] > -27) & (np.abs(place[:, 0]) < 32)
    comb = np.where(lip[:, None], np.stack([np.sign(place[:, 0]) * 1.6, 0 * lip - 0.5, 0 * lip], 1), [0.0, -1.0, 0.2])
    start = _unit(style.lift * normal + (1 - style.lift) * _flat(comb, normal) + rng.normal(0, 0.2, place.shape))
    length = style.length * np.where(lip, np.minimum(1, 7.0 / style.length), 1) * _varied(rng, len(place), style.spread)
    t = np.linspace(0, 1, style.points)[None, :, None]
    reach = length[:, None, None] * t
    points = place[:, None] + reach * start[:, None] + reach * t * style.droop * np.array([0.0, -1.0, 0.0])
    return Strands(points + _curls(rng, len(place), style), ground, root)


def brow(rng: np.random.Generator, ground: Ground, side: str, style: Style) -> Strands:
    """One brow, from its inner to its outer end: upright inside, lying down outwards."""
    assert ground.model.landmarks is not None
    marks = ground.places[ground.model.landmarks]
    own = _smooth(marks[22:27] if side == "L" else marks[17:22][::-1])
    along = rng.random(style.count) ** 0.9
    spot = _on_line(own, along)
    ahead = _unit(_on_line(own, np.minimum(along + 0.08, 1)) - _on_line(own, np.maximum(along - 0.08, 0)))
    half = np.interp(along, [0, 0.15, 0.6, 1], [3.6, 4.2, 3.2, 0.9])
    place = spot + np.array([0.0, 1.0, 0.0]) * (rng.uniform(-1, 1, style.count) * half - 1.5)[:, None]
    skin = np.flatnonzero((ground.places[ground.triangles][..., 2] > 55).all(axis=1))
    root = ground.nearest(place, skin)
    middle, axes = ground.frames(ground.places, root)
    normal = axes[:, 2]
    place = place + (0.4 - ((place - middle) * normal).sum(axis=1, keepdims=True)) * normal
    up = np.interp(along, [0, 0.25, 1], [0.9, 0.35, -0.15])[:, None] * np.array([0.0, 1.0, 0.0])
    start = _unit(_flat(ahead + up, normal) + 0.22 * normal + rng.normal(0, 0.13, place.shape))
    tapered = style.length * np.interp(along, [0, 0.2, 0.7, 1], [0.8, 1, 1, 0.7])
    length = tapered * _varied(rng, style.count, style.spread)
    t = np.linspace(0, 1, 4)[None, :, None]
    reach = length[:, None, None] * t
    return Strands(place[:, None] + reach * start[:, None] - 0.06 * reach * t * normal[:, None], ground, root)


def lashes(rng: np.random.Generator, ground: Ground, side: str, upper: bool, long: bool = False) -> Strands:
    """Return the lashes of one lid's rim: out of the face, fanned, bent away from the eye."""
    model = ground.model
    assert model.landmarks is not None
    first = 42 if side == "L" else 36
    rim = [first, first + 1, first + 2, first + 3] if upper else [first, first + 5, first + 4, first + 3]
    line = ground.places[model.landmarks[rim]]
    count = (90 if long else 60) if upper else 34
    along = np.clip(np.linspace(0.03, 0.97, count) + rng.normal(0, 0.01, count), 0, 1)
    place = _on_line(_smooth(line), along)
    lid = np.zeros(len(ground.places), bool)
    lid[model.regions[f"lid_{'upper' if upper else 'lower'}_{side}"]] = True
    root = ground.nearest(place, np.flatnonzero(lid[ground.triangles].all(axis=1)))
    centre = ground.places[model.regions[f"eyeball_{side}"]].mean(axis=0)
    out = _unit(place - centre)
    bend = np.array([0.0, 1.0 if upper else -1.0, 0.0])
    start = _unit(out + [0, 0, 0.5] + (0.1 if upper else 0.3) * bend + rng.normal(0, 0.06, place.shape))
    length = (9.5 if long else 7.5) if upper else 4.0
    t = np.linspace(0, 1, 5)[None, :, None]
    reach = length * _varied(rng, count, 0.15)[:, None, None] * t
    return Strands(place[:, None] + reach * start[:, None] + 0.5 * reach * t * bend, ground, root)


def curves(name: str, points: FloatArray, thickness: float) -> bpy.types.Curves:
    """Hair curves through points (N, P, 3), tapered, ``thickness`` mm wide at the root."""
    data = bpy.data.hair_curves.new(name)
    data.add_curves([points.shape[1]] * len(points))
    taper = np.linspace(1, 0.35, points.shape[1]) * thickness / 2 * METRES
    radius = data.attributes.get("radius") or data.attributes.new("radius", "FLOAT", "POINT")
    radius.data.foreach_set("value", np.tile(taper, len(points)).astype(np.float32))
    move(data, points)
    return data


def move(data: bpy.types.Curves, points: FloatArray) -> None:
    data.attributes["position"].data.foreach_set("vector", to_blender(points).ravel())
    data.update_tag()


def material(name: str, pigment: Pigment) -> bpy.types.Material:
    """Blender's principled hair, with grey hairs among the others."""
    block = bpy.data.materials.new(f"{name} hair")
    s = Shader(block)
    chance = s.node("ShaderNodeHairInfo").outputs["Random"]
    melanin = s.spread(chance, pigment.grey, pigment.grey + 0.01, 0.06, pigment.melanin)
    s.surface(
        s.node(
            "ShaderNodeBsdfHairPrincipled",
            {
                "Melanin": melanin if pigment.grey else pigment.melanin, "Melanin Redness": pigment.redness,
                "Roughness": 0.32, "Radial Roughness": 0.4, "Random Color": 0.3,
            },
            parametrization="MELANIN",
        ).outputs[0]
    )  # fmt: skip
    block.diffuse_color = (*(linear((0.7, 0.6, 0.5)) * (1 - pigment.melanin)), 1.0)
    return block


def _hang(
    rng: np.random.Generator, ground: Ground, place: FloatArray, direction: FloatArray, style: Style, face: bool
) -> FloatArray:
    """Hairs (N, P, 3) that grow on in ``direction``, sink, lie on the head and leave the face free."""
    length = style.length * _varied(rng, len(place), style.spread)[:, None]
    step = length / (style.points - 1)
    skull = _Skull(ground)
    points = [place]
    for _ in range(style.points - 1):
        direction = _unit(direction + style.droop * np.array([0.0, -1.0, 0.0]) + rng.normal(0, 0.05, place.shape))
        thick = 1.5 + 0.08 * style.length * rng.random((len(place), 1)) ** 2  # hair lies on hair
        following = skull.outside(points[-1] + step * direction, thick)
        if face:
            following = _beside_face(following)
        direction = _unit(following - points[-1] + 1e-9)
        points.append(following)
    return np.stack(points, 1) + _curls(rng, len(place), style)


def _beside_face(points: FloatArray) -> FloatArray:
    """Push points in front of the face out to its sides."""
    flat = (points[:, :2] - [0, -8]) / [68, 98]
    far = np.linalg.norm(flat, axis=1, keepdims=True)
    inside = (points[:, 2:] > 15) & (far < 1)
    out = points.copy()
    out[:, :2] = np.where(inside, [0, -8] + flat / np.maximum(far, 0.05) * [68, 98], points[:, :2])
    return out


class _Skull:
    """Return the distance of the head's surface from its middle, by direction."""

    def __init__(self, ground: Ground, rows: int = 36, columns: int = 72) -> None:
        self._shape = np.array([rows, columns])
        self._reach = np.zeros((rows, columns))
        used = np.unique(ground.triangles)
        places = np.concatenate([ground.places[used], ground.places[ground.triangles].mean(axis=1)]) - SKULL
        np.maximum.at(self._reach, self._cell(places), np.linalg.norm(places, axis=1))
        for _ in range(rows):
            around = np.pad(self._reach, ((1, 1), (0, 0)), mode="edge")
            neighbours = np.maximum(np.roll(self._reach, 1, 1), np.roll(self._reach, -1, 1))
            spread = np.maximum(np.maximum(around[:-2], around[2:]), neighbours)
            self._reach = np.where(self._reach > 0, self._reach, spread)  # cells without a point of their own

    def _cell(self, offset: FloatArray) -> tuple[IntArray, IntArray]:
        up = np.arccos(np.clip(offset[:, 1] / np.linalg.norm(offset, axis=1), -1, 1)) / np.pi
        round_ = np.arctan2(offset[:, 0], offset[:, 2]) / (2 * np.pi) % 1
        row, column = (np.stack([up, round_], 1) * self._shape).astype(int).T
        return np.minimum(row, self._shape[0] - 1), column % self._shape[1]

    def outside(self, points: FloatArray, clearance: FloatArray) -> FloatArray:
        offset = points - SKULL
        far = np.linalg.norm(offset, axis=1, keepdims=True)
        least = self._reach[self._cell(offset)][:, None] + clearance
        moved: FloatArray = SKULL + offset * np.maximum(1, least / far)
        return moved


def _curls(rng: np.random.Generator, count: int, style: Style) -> FloatArray:
    """Offsets (N, P, 3) of a helix that widens from the root."""
    t = np.linspace(0, 1, style.points)[None, :, None]
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 1)) + 2 * np.pi * style.turns * t
    a, b = _unit(rng.normal(0, 1, (2, count, 1, 3)))
    curls: FloatArray = style.curl * np.minimum(1, 4 * t) * (np.cos(phase) * a + np.sin(phase) * b)
    return curls


def _smooth(line: FloatArray, steps: int = 6) -> FloatArray:
    """Return a Catmull-Rom curve through an open polyline (K, 3)."""
    ends = np.concatenate([2 * line[:1] - line[1:2], line, 2 * line[-1:] - line[-2:-1]])
    a, b, c, d = (ends[i : len(ends) - 3 + i, None] for i in range(4))
    t = (np.arange(steps) / steps)[None, :, None]
    middle = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.concatenate([middle.reshape(-1, 3), line[-1:]])


def _on_line(line: FloatArray, along: FloatArray) -> FloatArray:
    """Points (N, 3) at the shares ``along`` (N,) of a polyline's length."""
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    return np.stack([np.interp(along * lengths[-1], lengths, axis) for axis in line.T], 1)


def _flat(direction: FloatArray, normal: FloatArray) -> FloatArray:
    """Return ``direction`` without its component along ``normal``, of length one."""
    return _unit(direction - (direction * normal).sum(axis=-1, keepdims=True) * normal)


def _unit(vectors: FloatArray) -> FloatArray:
    unit: FloatArray = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return unit


def _varied(rng: np.random.Generator, count: int, spread: float) -> FloatArray:
    return np.clip(rng.normal(1, spread, count), 0.3, 2.0)
