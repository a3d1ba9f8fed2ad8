"""The parts of an artist's head, and what each of them is: skin, eyes, teeth, tongue, lashes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from ..array_types import FloatArray, IntArray

Kind = Literal["skin", "eye_L", "eye_R", "teeth_upper", "teeth_lower", "tongue", "lashes", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_VERTICES = 2_000_000  # of all parts together

# A sphere: deviation of the vertices' distances from their centre, relative to the radius. An eyeball's cornea bulges.
SPHERE_DEVIATION = 0.12
# The radius of an eye relative to the height of the skin; stylised heads have large eyes.
EYE_RADIUS = (0.015, 0.25)
TONGUE_WIDTH = 0.75  # a tongue is narrower than this, relative to the rows of teeth around it

_WORDS: tuple[tuple[Kind, str], ...] = (
    ("lashes", r"lash"),
    ("other", r"brow|hair|beard|moustache|mustache|glass|hat|helmet|cloth|shirt|tear|occlusion|shell"),
    ("tongue", r"tongue"),
    ("teeth_upper", r"(teeth|tooth|gum|dent|jaw|mouth).*(up|top|max)|(up|top|max).*(teeth|tooth|gum|dent|jaw)"),
    ("teeth_lower", r"(teeth|tooth|gum|dent|jaw|mouth).*(lo|bot|man)|(lo|bot|man).*(teeth|tooth|gum|dent|jaw)"),
    ("skin", r"skin|head|face"),
)
_MOUTH = ("teeth_upper", "teeth_lower", "tongue")
_EYE = re.compile(r"eye|iris|pupil|cornea|sclera")


@dataclass(frozen=True, eq=False)
class HeadPart:
    """A mesh of the artist's head.

    ``vertices`` (V, 3) float64 and ``triangles`` (T, 3) int64, counter-clockwise from outside. All parts share one
    right-handed frame in the artist's units: z up, the face looks along -y, x to the subject's left.
    """

    name: str
    vertices: FloatArray
    triangles: IntArray
    kind: Kind


def guess_kinds(parts: Sequence[HeadPart]) -> list[HeadPart]:
    """Return the parts with the kinds that their names, shapes and places suggest.

    The skin is the part that is named so, or else the largest. Eyes are nearly spheres beside the middle; what lies
    inside the skin below the eyes is teeth, or a tongue where it is narrower. The rest is ``other``.
    """
    if not parts:
        return []
    size = [float(_extent(p).prod()) for p in parts]
    named = [_named(p.name) for p in parts]
    skins = [i for i, kind in enumerate(named) if kind == "skin" and size[i] > 0.1 * max(size)]
    unnamed = [i for i, kind in enumerate(named) if kind in (None, "skin")] or list(range(len(parts)))
    skin = max(skins or unnamed, key=lambda i: size[i])
    face = parts[skin]
    kinds: list[Kind] = [
        "skin" if i == skin or i in skins else _kind(part, named[i], face) for i, part in enumerate(parts)
    ]
    eyes = [p.vertices[:, 2].min() for p, kind in zip(parts, kinds) if kind in ("eye_L", "eye_R")]
    rows = []
    for i, part in enumerate(parts):
        if kinds[i] in _MOUTH and named[i] is None:
            if eyes and part.vertices[:, 2].mean() > min(eyes):
                kinds[i] = "other"
            else:
                rows.append(i)
    widest = max((_extent(parts[i])[0] for i in rows), default=0.0)
    for i in [i for i in rows if _extent(parts[i])[0] < TONGUE_WIDTH * widest]:
        kinds[i] = "tongue"
        rows.remove(i)
    if len(rows) > 1:  # the upper row is the higher one
        middle = [(parts[i].vertices[:, 2].min() + parts[i].vertices[:, 2].max()) / 2 for i in rows]
        for i, z in zip(rows, middle):
            kinds[i] = "teeth_upper" if z > (min(middle) + max(middle)) / 2 else "teeth_lower"
    return [replace(p, kind=kind) for p, kind in zip(parts, kinds)]


def sphere_of(points: FloatArray) -> tuple[FloatArray, float, float]:
    """Return centre (3,), radius and relative deviation of the least-squares sphere of ``points`` (n, 3)."""
    middle = points.mean(axis=0)
    away = points - middle
    design = np.column_stack([2 * away, np.ones(len(away))])
    solution = np.linalg.lstsq(design, (away**2).sum(axis=1), rcond=None)[0]
    radius = float(np.sqrt(max(solution[3] + (solution[:3] ** 2).sum(), 0.0)))
    off = np.linalg.norm(away - solution[:3], axis=1) - radius
    return middle + solution[:3], radius, float(np.sqrt((off**2).mean()) / max(radius, 1e-12))


def _named(name: str) -> Kind | None:
    low = name.lower()
    for kind, pattern in _WORDS[:2]:
        if re.search(pattern, low):
            return kind
    if _EYE.search(low):
        return "eye_L"  # the side is decided by the place
    for kind, pattern in _WORDS[2:]:
        if re.search(pattern, low):
            return kind
    return None


def _kind(part: HeadPart, named: Kind | None, skin: HeadPart) -> Kind:
    if len(part.vertices) < 4:
        return named or "other"
    low, high = skin.vertices.min(axis=0), skin.vertices.max(axis=0)
    middle = part.vertices.mean(axis=0)
    centre_x = (low[0] + high[0]) / 2
    if named in ("eye_L", "eye_R") or (named is None and _is_eye(part, skin)):
        return "eye_L" if middle[0] > centre_x else "eye_R"
    if named is not None:
        return "other" if named == "skin" else named
    extent, whole = _extent(part), high - low
    inside = (part.vertices.min(axis=0) > low).all() and (part.vertices.max(axis=0) < high).all()
    central = abs(middle[0] - centre_x) < 0.08 * whole[0]
    if inside and central and extent[0] < 0.6 * whole[0] and extent[2] < 0.3 * whole[2]:
        return "teeth_upper" if _opens_down(part) else "teeth_lower"
    return "other"


def _is_eye(part: HeadPart, skin: HeadPart) -> bool:
    height = _extent(skin)[2]
    extent = _extent(part)
    if not (2 * EYE_RADIUS[0] * height < extent.max() < 2 * EYE_RADIUS[1] * height):
        return False
    _, radius, deviation = sphere_of(part.vertices)
    beside = abs(part.vertices[:, 0].mean() - skin.vertices[:, 0].mean()) > 0.5 * radius
    return deviation < SPHERE_DEVIATION and beside


def _opens_down(part: HeadPart) -> bool:
    """Whether the free edges of a row of teeth point down: gums are wider and have more area near the roots."""
    z = part.vertices[:, 2]
    return bool(z.mean() > (z.min() + z.max()) / 2)


def _extent(part: HeadPart) -> FloatArray:
    extent: FloatArray = np.ptp(part.vertices, axis=0) if len(part.vertices) else np.zeros(3)
    return extent
