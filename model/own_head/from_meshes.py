"""From the meshes of an artist's program to points and keys, and back: any axes, and pieces that share a mesh."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np

from ..array_types import BoolArray, FloatArray, IntArray, UInt8Array
from ..errors import InputError
from ..networks.estimate import SeesFaces
from .finding import find_points, onto_surface
from .head_file import Mesh
from .islands import split
from .landmarks import from_ibug68
from .parts import KINDS, MAX_VERTICES, HeadPart, Kind, guess_kinds
from .pictures import Scene
from .point_names import LABELS, REQUIRED

AUTO = "auto"
SKIN = (150, 170, 205)  # BGR
EYE_WHITE, IRIS, PUPIL, TEETH = (228, 230, 232), (62, 84, 110), (18, 18, 18), (205, 215, 222)  # BGR
IRIS_ANGLE, PUPIL_ANGLE = np.radians((27.0, 11.0))

Report = Callable[[int, int | None, str], None]


@dataclass(frozen=True, eq=False)
class NamedPoints:
    """``points`` that were found, by name, in the meshes' frame; the names of the ``missing``; the meshes' kinds."""

    points: dict[str, FloatArray]
    missing: tuple[str, ...]
    views: int
    kinds: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class MadeKeys:
    """``offsets`` (K, V, 3) float32 by the number of the mesh, in the meshes' frame; meshes that rest are left out."""

    names: tuple[str, ...]
    offsets: dict[int, FloatArray]
    kinds: tuple[str, ...]
    fit_mm: float
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Piece:
    """A part with the number of its mesh and the indices of its vertices there."""

    part: HeadPart
    mesh: int
    vertices: IntArray


def find_named_points(
    meshes: Sequence[Mesh], names: Sequence[str], kinds: Sequence[str], estimator: SeesFaces, report: Report
) -> NamedPoints:
    """Find the points of the face on the meshes. ``kinds`` may be ``auto``. Raises InputError."""
    _check(meshes, kinds)
    try:
        return _find(meshes, names, kinds, estimator, report)
    except InputError:
        plain = [replace(mesh, colours=np.full_like(mesh.colours, SKIN)) for mesh in meshes]
        return _find(plain, names, kinds, estimator, report)


def _find(
    meshes: Sequence[Mesh], names: Sequence[str], kinds: Sequence[str], estimator: SeesFaces, report: Report
) -> NamedPoints:
    scene = _scene(meshes)
    known: list[_Piece] = []

    def skin(frame: FloatArray) -> BoolArray:
        known[:] = _pieces(meshes, names, kinds, frame)
        mask = np.zeros(len(scene.vertices), bool)
        starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
        for piece in known:
            rows = starts[piece.mesh] + piece.vertices
            mask[rows] = piece.part.kind == "skin"
            _colour(scene.colours, rows, piece.part, meshes[piece.mesh].colours[piece.vertices])
        on_skin: BoolArray = mask[scene.triangles].all(1)
        return on_skin

    found = find_points(scene, skin, estimator, report)
    surface = scene.triangles[found.skin]
    named = from_ibug68(onto_surface(found.points, scene.vertices, surface))
    points = dict(zip(named, onto_surface(np.array(list(named.values())), scene.vertices, surface)))
    points = {name: at for name, at in points.items() if np.isfinite(at).all()}
    missing = tuple(name for name in LABELS if name not in points)
    return NamedPoints(points, missing, found.views, _kinds(known, len(meshes)))


def keys_of(
    meshes: Sequence[Mesh],
    names: Sequence[str],
    kinds: Sequence[str],
    points: Mapping[str, FloatArray],
    key_names: Literal["open", "arkit"],
    symmetric: bool,
    without_eyes: bool,
    report: Report,
) -> MadeKeys:
    """Make the keys of the meshes. Raises InputError, one line, for a head or points that cannot be used.

    ``without_eyes`` allows a head that has none.
    """
    _check(meshes, kinds)
    check_points(points)
    try:
        from .keys import make_keys
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "scipy":
            raise
        raise InputError("keys need SciPy, which the full engine has: Install Runtime in the preferences") from error
    frame = frame_of(points)
    pieces = _pieces(meshes, names, kinds, frame)
    if not without_eyes and not any(piece.part.kind in ("eye_L", "eye_R") for piece in pieces):
        raise InputError("the head has no eyes: select them with it, say which part is an eye, or tick Without Eyes")
    # Loose pieces of the skin are the solver's own business.
    parts = [_part(mesh, name, kind, frame) for mesh, name, kind in zip(meshes, names, _kinds(pieces, len(meshes)))]
    made = make_keys(
        parts,
        {name: frame @ at for name, at in points.items()},
        names=key_names,
        symmetric=symmetric,
        progress=lambda share, message: report(round(1000 * share), 1000, message),
    )
    back = frame.astype(np.float32)
    offsets = {
        number: made.offsets[name] @ back for number, name in enumerate(names) if np.any(made.offsets.get(name, 0))
    }
    if not all(np.isfinite(moves).all() for moves in offsets.values()):
        raise InputError("the keys of this head cannot be computed: look for a damaged mesh, or move the points")
    return MadeKeys(made.names, offsets, tuple(part.kind for part in parts), made.fit_mm, made.unmatched)


def _part(mesh: Mesh, name: str, kind: str, frame: FloatArray) -> HeadPart:
    return HeadPart(name, mesh.vertices @ frame.T, mesh.triangles, cast(Kind, kind))


def check_points(points: Mapping[str, FloatArray]) -> None:
    """Raise InputError for unknown, unusable or missing points."""
    unknown = [name for name in points if name not in LABELS]
    if unknown:
        raise InputError(f"there is no point '{unknown[0]}' on a face: find the points again, or click them")
    if not all(np.shape(at) == (3,) and np.isfinite(at).all() for at in points.values()):
        raise InputError("a point has no place of three numbers: find the points again")
    missing = [LABELS[name] for name in REQUIRED if name not in points]
    if missing:
        raise InputError(f"points are missing: {', '.join(missing)}: find the points, or click them")


def frame_of(points: Mapping[str, FloatArray]) -> FloatArray:
    """Return the rotation (3, 3) from the meshes' frame to the face's: z up, it looks along -y.

    If the axes of the meshes are close to those of the face, it is exactly the nearest rotation by right angles, so
    that a symmetric head stays symmetric.
    """
    eyes = [points["eye_outer_R"], points["eye_inner_R"], points["eye_inner_L"], points["eye_outer_L"]]
    across = points["eye_outer_L"] - points["eye_outer_R"]
    up = np.mean(eyes, axis=0) - (points["mouth_corner_R"] + points["mouth_corner_L"]) / 2
    if np.linalg.norm(np.cross(across, up)) < 1e-12 * max(1e-12, float(np.dot(across, across))):
        raise InputError("the eyes and the corners of the mouth lie on a line: move the points to their places")
    x = across / np.linalg.norm(across)
    z = up - x * (up @ x)
    z /= np.linalg.norm(z)
    exact: FloatArray = np.stack([x, np.cross(z, x), z])
    square = np.zeros((3, 3))
    best = np.abs(exact).argmax(1)
    if len(set(best)) == 3:
        square[[0, 1, 2], best] = np.sign(exact[[0, 1, 2], best])
        away = np.degrees(np.arccos(np.clip((np.trace(square @ exact.T) - 1) / 2, -1, 1)))
        if away < NEARLY_SQUARE:
            return square
    return exact


NEARLY_SQUARE = 20.0  # degrees; the line from mouth to eyes leans by several on every face


def _check(meshes: Sequence[Mesh], kinds: Sequence[str]) -> None:
    for kind in kinds:
        if kind != AUTO and kind not in KINDS:
            raise InputError(f"'{kind}' is no part of a head: use one of {AUTO}, {', '.join(KINDS)}")
    if not any(len(mesh.triangles) for mesh in meshes):
        raise InputError("the head has no faces: select its mesh")
    vertices = sum(len(mesh.vertices) for mesh in meshes)
    if vertices > MAX_VERTICES:
        raise InputError(
            f"the head has {vertices:,} vertices, more than {MAX_VERTICES:,}: make keys before you subdivide it"
        )


def _pieces(meshes: Sequence[Mesh], names: Sequence[str], kinds: Sequence[str], frame: FloatArray) -> list[_Piece]:
    """Return the pieces of all meshes in the face's frame, with their kinds."""
    pieces: list[_Piece] = []
    fixed: list[Kind | None] = []
    for number, (mesh, name, kind) in enumerate(zip(meshes, names, kinds)):
        whole = HeadPart(name, mesh.vertices @ frame.T, mesh.triangles, "other")
        for part, vertices in split(whole) if kind in (AUTO, "skin") else [(whole, np.arange(len(mesh.vertices)))]:
            pieces.append(_Piece(part, number, vertices))
            fixed.append(cast(Kind, kind) if kind != AUTO and part.name == name else None)
    guessed = guess_kinds([piece.part for piece in pieces])
    return [
        replace(piece, part=replace(part, kind=part.kind if kind is None else kind))
        for piece, part, kind in zip(pieces, guessed, fixed)
    ]


def _kinds(pieces: Sequence[_Piece], count: int) -> tuple[str, ...]:
    """Return what each mesh is: what its largest piece is."""
    first: dict[int, str] = {}
    for piece in pieces:
        first.setdefault(piece.mesh, piece.part.kind)
    return tuple(first.get(number, "other") for number in range(count))


def _scene(meshes: Sequence[Mesh]) -> Scene:
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return Scene(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.triangles + start for mesh, start in zip(meshes, starts)]),
        np.concatenate([mesh.colours for mesh in meshes]).astype(np.float64),
    )


def _colour(colours: FloatArray, rows: IntArray, part: HeadPart, own: UInt8Array) -> None:
    """Paint eyes and teeth that have one colour only, so that the network sees where they are."""
    if len(own) == 0 or np.ptp(own.astype(np.int64), axis=0).max() > 25:
        return
    if part.kind in ("teeth_upper", "teeth_lower"):
        colours[rows] = TEETH
    if part.kind in ("eye_L", "eye_R"):
        away = part.vertices - (part.vertices.min(0) + part.vertices.max(0)) / 2
        angle = np.arccos(np.clip(-away[:, 1] / np.maximum(np.linalg.norm(away, axis=1), 1e-12), -1, 1))
        colours[rows] = EYE_WHITE
        colours[rows[angle < IRIS_ANGLE]] = IRIS
        colours[rows[angle < PUPIL_ANGLE]] = PUPIL
