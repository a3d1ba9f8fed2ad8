"""Keys on heads whose keys are known: the ICT head itself, decimated, meshed anew, and stylised with big eyes.

    python -m expnet.benchmarks.own_head FACEXMODEL [--people 3] [--only decimated] [--off-mm 2]

FACEXMODEL is ICT-FaceKit's unpacked folder or its .tar.xz. Its 29 keys are combined from its own shapes as the open
head's are, the brow keys at people's height. Another mesh takes the keys of the nearest point of the original. The
stylised head is the mean face under a smooth change of space, and so are its keys: lids that meet still meet.

Each line has the mean error of the keys (mm, over the visible face, at human size), the worst key, the mean of the
keys' own motion, the widest visible part of an eye at a full blink, the mean distance of the fit, and seconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import bpy
import numpy as np

from ..model.array_types import BoolArray, FloatArray, IntArray
from ..model.face.semantics import OPEN_KEYS, mirror_open_eta
from ..model.own_head.fit import TO_MODEL
from ..model.own_head.keys import OwnHeadKeys, make_keys
from ..model.own_head.landmarks import open_points
from ..model.own_head.parts import HeadPart, Kind, sphere_of
from ..model.own_head.surface import Surface
from ..training.open_head import brows, ict
from ..training.open_head.expressions import open_source_key

SEED = 5
# Vertices of the source's parts, first and behind the last. The skin has its sockets.
SKIN = ((0, 14062), (15823, 16318), (16566, 16611))
OTHERS: dict[str, tuple[Kind, tuple[tuple[int, int], ...]]] = {
    "eye_L": ("eye_L", ((21451, 23021),)),
    "eye_R": ("eye_R", ((23021, 24591),)),
    "upper": ("teeth_upper", ((14062, 14630), (15226, 15515), (17039, 19247))),
    "lower": ("teeth_lower", ((14630, 15226), (15515, 15823), (19247, 21451))),
    "tongue": ("tongue", ((16318, 16566), (16611, 17039))),
}
LID_PIXEL_MM = 0.05
TITLES = "{:22} {:>8} {:>4} {:>6} {:>6} {:16} {:>6} {:>7} {:>5} {:>5} {:>5}"
LINE = "{:22} {:8} {:4.1f} {:6.3f} {:6.2f} {:16} {:6.2f} {:7.2f} {:5.2f} {:5.2f} {:5.1f}"


@dataclass(frozen=True, eq=False)
class Known:
    """A head at rest (V, 3) mm in the model's frame, its keys (29, V, 3), and which vertices are the visible face."""

    name: str
    vertices: FloatArray
    triangles: IntArray
    keys: FloatArray
    face: BoolArray
    others: dict[str, tuple[Kind, FloatArray, IntArray]]
    points: dict[str, FloatArray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("facexmodel", type=Path)
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--only", help="measure heads whose name has this in it")
    parser.add_argument("--off-mm", type=float, nargs="*", default=[0.0, 2.0], help="errors of the points, mm")
    parser.add_argument("--save", type=Path, help="write the errors of each key here, CSV")
    options = parser.parse_args()
    lines = [f"head,points off (mm),{','.join(OPEN_KEYS)}"]
    print(TITLES.format("head", "vertices", "off", "mean", "worst", "key", "motion", "lid gap", "true", "fit", "s"))
    for head in heads(ict.read_facex(options.facexmodel), options.people, options.only or ""):
        true_gap = lid_gap(head, None)
        for off in options.off_mm:
            start = time.process_time()
            made = make_keys(parts_of(head), points_of(head, off), names="open")
            seconds = time.process_time() - start
            errors, motion = measured(head, made)
            worst = int(errors.argmax())
            name, gap = OPEN_KEYS[worst], lid_gap(head, made)
            means = errors.mean(), errors[worst], name, motion.mean(), gap, true_gap, made.fit_mm, seconds
            print(LINE.format(head.name, len(head.vertices), off, *means), *made.unmatched, flush=True)
            lines.append(f"{head.name},{off},{','.join(f'{e:.3f}' for e in errors)}")
    if options.save:
        options.save.write_text("\n".join(lines) + "\n")


def measured(head: Known, made: OwnHeadKeys) -> tuple[FloatArray, FloatArray]:
    """Return the mean error and the mean motion of each key over the visible face, (29,) mm each."""
    offsets = made.offsets["head"].astype(float) @ TO_MODEL.T * 1000
    error = np.linalg.norm(offsets - head.keys, axis=2)[:, head.face].mean(axis=1)
    return error, np.linalg.norm(head.keys, axis=2)[:, head.face].mean(axis=1)


def heads(source: ict.FaceX, people: int, only: str) -> Iterator[Known]:
    """Yield the heads whose names have ``only`` in them."""
    mean = ict_head(source, np.zeros(ict.IDENTITIES), "ICT, mean")
    z = np.random.default_rng(SEED).standard_normal((people, ict.IDENTITIES))
    makers: dict[str, Callable[[], Known]] = {"ICT, mean": lambda: mean}
    for i in range(people):
        makers[f"ICT, person {i + 1}"] = partial(ict_head, source, z[i], f"ICT, person {i + 1}")
    first = ict_head(source, z[0], "") if people else mean
    makers["decimated to 30 %"] = lambda: meshed_anew(first, "decimated to 30 %", 0, 0.3)
    makers["decimated to 10 %"] = lambda: meshed_anew(first, "decimated to 10 %", 0, 0.1)
    makers["remeshed"] = lambda: meshed_anew(first, "remeshed", 1, 0.5)
    makers["remeshed, dense"] = lambda: meshed_anew(first, "remeshed, dense", 1, 1.0)
    makers["stylised, big eyes"] = lambda: stylised(mean)
    for name, make in makers.items():
        if only in name:
            yield make()


def ict_head(source: ict.FaceX, z: FloatArray, name: str) -> Known:
    """Return the source's head of one identity (100,)."""
    whole = source.neutral + np.tensordot(z, source.identity, 1)
    triangles = np.array([(p[0], p[k], p[k + 1]) for p in source.faces for k in range(1, len(p) - 1)])
    keys = np.stack([open_source_key(source.shapes, key) for key in OPEN_KEYS])

    def flip(field: FloatArray) -> FloatArray:
        flipped: FloatArray = field[source.mirror] * ict.MIRROR
        return flipped

    swap = mirror_open_eta(np.eye(len(OPEN_KEYS)))
    keys = (keys + np.einsum("kj,jvx->kvx", swap, np.stack([flip(key) for key in keys]))) / 2
    outer = np.arange(ict_outside(source))
    brows.at_peoples_height(keys, source.neutral, outer, brows.eye_line(source.neutral[source.landmarks]), flip)
    skin = np.concatenate([np.arange(*r) for r in SKIN])
    number = np.full(len(whole), -1)
    number[skin] = np.arange(len(skin))
    faces = number[triangles]
    faces = faces[(faces >= 0).all(axis=1)]
    others = {}
    for part, (kind, ranges) in OTHERS.items():
        members = np.concatenate([np.arange(*r) for r in ranges])
        own = np.full(len(whole), -1)
        own[members] = np.arange(len(members))
        own_faces = own[triangles]
        others[part] = (kind, whole[members], own_faces[(own_faces >= 0).all(axis=1)])
    rest = source.neutral[skin]
    surface = Surface(rest, faces, 3.0)
    names = list(open_points())
    found = surface.nearest(np.array([open_points()[n] for n in names]))
    places = found.sampled(whole[skin])
    face = (skin < len(outer)) & (rest[:, 2] > 20) & (rest[:, 1] > -85)
    return Known(name, whole[skin], faces, keys[:, skin], face, others, dict(zip(names, places)))


def ict_outside(source: ict.FaceX) -> int:
    """Return how many of the first vertices are the face's outside."""
    return 1 + max(max(face) for face in source.faces[ict.SKIN])


def meshed_anew(head: Known, name: str, subdivide: int, ratio: float) -> Known:
    """Return the head with other vertices: subdivided and shaken along the surface, then decimated by Blender."""
    mesh = bpy.data.meshes.new("head")
    mesh.from_pydata(head.vertices.tolist(), [], head.triangles.tolist())
    obj = bpy.data.objects.new("head", mesh)
    bpy.context.scene.collection.objects.link(obj)
    if subdivide:
        finer = obj.modifiers.new("finer", "SUBSURF")
        finer.levels, finer.subdivision_type = subdivide, "SIMPLE"
        vertices, triangles = _evaluated(obj)
        obj.modifiers.clear()
        vertices = _shaken(head, vertices, triangles)
        mesh.clear_geometry()
        mesh.from_pydata(vertices.tolist(), [], triangles.tolist())
    fewer = obj.modifiers.new("fewer", "DECIMATE")
    fewer.ratio = ratio / 4**subdivide
    vertices, triangles = _evaluated(obj)
    bpy.data.objects.remove(obj)
    bpy.data.meshes.remove(mesh)
    normals = Surface(vertices, triangles, 3.0).normals
    found = Surface(head.vertices, head.triangles, 3.0).nearest(vertices, normals)
    keys = np.stack([found.sampled(key) for key in head.keys])
    face = found.sampled(head.face[:, None].astype(float))[:, 0] > 0.5
    return replace(head, name=name, vertices=vertices, triangles=triangles, keys=keys, face=face)


def _shaken(head: Known, vertices: FloatArray, triangles: IntArray) -> FloatArray:
    """Move vertices along the surface by up to a fifth of the distance of their neighbours."""
    surface = Surface(head.vertices, head.triangles, 3.0)
    normals = Surface(vertices, triangles, 3.0).normals
    edge = np.linalg.norm(vertices[triangles[:, 0]] - vertices[triangles[:, 1]], axis=1)
    size = np.full(len(vertices), np.inf)
    np.minimum.at(size, triangles[:, 0], edge)
    np.minimum.at(size, triangles[:, 1], edge)
    step = np.random.default_rng(SEED).uniform(-1, 1, vertices.shape) * np.minimum(size, 3)[:, None] * 0.2
    step -= normals * np.einsum("ij,ij->i", step, normals)[:, None]
    used = np.unique(triangles)
    out = vertices.copy()
    out[used] = surface.nearest(vertices[used] + step[used], normals[used]).points
    return out


def _evaluated(obj: bpy.types.Object) -> tuple[FloatArray, IntArray]:
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    mesh.calc_loop_triangles()
    vertices, corners = np.empty(3 * len(mesh.vertices)), np.empty(3 * len(mesh.loop_triangles), np.int32)
    mesh.vertices.foreach_get("co", vertices)
    mesh.loop_triangles.foreach_get("vertices", corners)
    evaluated.to_mesh_clear()
    return vertices.reshape(-1, 3), corners.reshape(-1, 3).astype(np.int64)


def stylised(head: Known) -> Known:
    """Return the head with eyes 1.6 times as large, a smaller nose and chin, and a rounder skull; its keys follow."""
    balls = [sphere_of(head.others[f"eye_{side}"][1]) for side in "LR"]

    def changed(points: FloatArray) -> FloatArray:
        out = np.array(points)
        for centre, radius, _ in balls:
            away = points - centre
            distance = np.linalg.norm(away * [1, 1, 0.8], axis=-1, keepdims=True)
            out += 0.6 * away * np.exp(-((distance / (2.2 * radius)) ** 4))
        mouth, nose = head.points["lip_upper"], head.points["nose_tip"]
        away = points - nose
        out -= 0.35 * away * np.exp(-((np.linalg.norm(away, axis=-1, keepdims=True) / 22) ** 2))
        low = 1 / (1 + np.exp((points[..., 1:2] - mouth[1] + 5) / 12))
        out[..., :1] *= 1 - 0.2 * low
        out[..., 0] *= 1.1
        return out

    moved = changed(head.vertices)
    keys = np.stack([changed(head.vertices + key) - moved for key in head.keys])
    others = {part: (kind, changed(at), faces) for part, (kind, at, faces) in head.others.items()}
    points = {name: changed(at) for name, at in head.points.items()}
    return replace(head, name="stylised, big eyes", vertices=moved, keys=keys, others=others, points=points)


def parts_of(head: Known) -> list[HeadPart]:
    """Return the head as an artist's parts in Blender's frame, metres."""
    parts = [HeadPart("head", head.vertices @ TO_MODEL / 1000, head.triangles, "skin")]
    parts += [HeadPart(n, at @ TO_MODEL / 1000, faces, kind) for n, (kind, at, faces) in head.others.items()]
    return parts


def points_of(head: Known, off: float) -> dict[str, FloatArray]:
    """Return the named points in Blender's frame, each moved by ``off`` mm in a random direction on the skin."""
    rng = np.random.default_rng(SEED)
    at = np.array(list(head.points.values()))
    step = rng.normal(size=at.shape)
    moved = at + off * step / np.linalg.norm(step, axis=1, keepdims=True)
    on_skin = Surface(head.vertices, head.triangles, 3.0).nearest(moved).points if off else moved
    return dict(zip(head.points, on_skin @ TO_MODEL / 1000))


def lid_gap(head: Known, made: OwnHeadKeys | None) -> float:
    """Return the greatest height of an eyeball that is seen at a full blink, mm; without ``made`` of the true keys."""
    offsets = head.keys if made is None else made.offsets["head"].astype(float) @ TO_MODEL.T * 1000
    shut = head.vertices + offsets[OPEN_KEYS.index("lid_L")] + offsets[OPEN_KEYS.index("lid_R")]
    return max(_seen_height(shut, head.triangles, head.others[f"eye_{side}"], head.vertices) for side in "LR")


def _seen_height(
    skin: FloatArray, triangles: IntArray, eye: tuple[Kind, FloatArray, IntArray], open_skin: FloatArray
) -> float:
    """Draw the depth of eye and skin from the front, and return the greatest height of eye that is nearer."""
    low, high = eye[1].min(axis=0)[:2], eye[1].max(axis=0)[:2]
    shape = tuple(np.ceil((high - low) / LID_PIXEL_MM).astype(int)[::-1])
    ball = _depth(eye[1], eye[2], low, shape)
    at_rest, shut = _depth(open_skin, triangles, low, shape), _depth(skin, triangles, low, shape)
    visible = (ball > at_rest) & (ball > shut + 0.02)
    return float(visible.sum(axis=0).max() * LID_PIXEL_MM)


def _depth(points: FloatArray, triangles: IntArray, low: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    depth = np.full(shape, -np.inf)
    at = (points[:, :2] - low) / LID_PIXEL_MM - 0.5
    near = ((at[triangles].max(axis=1) > 0) & (at[triangles].min(axis=1) < shape[::-1])).all(axis=1)
    for corners in triangles[near & (points[triangles, 2].max(axis=1) > 40)]:
        (a, b, c), z = at[corners], points[corners, 2]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-9:
            continue
        start = np.maximum(np.ceil(np.minimum(np.minimum(a, b), c)).astype(int), 0)
        end = np.minimum(np.floor(np.maximum(np.maximum(a, b), c)).astype(int) + 1, shape[::-1])
        if (start >= end).any():
            continue
        x, y = np.meshgrid(np.arange(start[0], end[0]), np.arange(start[1], end[1]))
        u = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / area
        v = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / area
        inside = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9)
        value = np.where(inside, u * z[0] + v * z[1] + (1 - u - v) * z[2], -np.inf)
        part = depth[start[1] : end[1], start[0] : end[0]]
        np.maximum(part, value, out=part)
    return depth


if __name__ == "__main__":
    main()
