"""Rotations and locations of pose bones from rows of the retarget table, in each bone's own frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import bpy
import numpy as np
from mathutils import Matrix

from ...model.array_types import FloatArray
from ...model.retargeting.row import OWN, ROTATIONS, Row
from ...model.retargeting.table import expression, row_values
from ...model.rotations import quaternions, rodrigues
from ..scene.coordinates import continuous
from .axes import Axes

UNLIMITED = 3.14  # radians: a range from -pi to pi is none
ALIGNED = np.cos(np.radians(8.0))  # one driver turns about one axis of the bone, which has to be so near
EXACT = np.cos(np.radians(0.5))  # farther from it, four drivers turn about the axis itself where they can


def local_axis(bone: bpy.types.PoseBone, row: Row, axes: Axes) -> FloatArray:
    """Return the row's axis (3,) in the frame in which the bone's rotation or location is given.

    A unit vector for a rotation. For a location it is as long as one metre of the world.
    """
    turns = row.component in ROTATIONS
    length = 1.0 if turns else 1.0 / axes.metres
    index = "XYZ".index(row.component[-1])
    if row.axes == OWN:
        along: FloatArray = length * np.eye(3)[index]
        return along
    direction = length * axes.directions[:, index]
    if not turns and not bone.bone.use_local_location:
        return direction
    axis: FloatArray = np.array(bone.bone.matrix_local.to_3x3()).T @ direction
    return axis


def bone_curves(bone: bpy.types.PoseBone, rows: Sequence[Row], values: FloatArray, axes: Axes) -> dict[str, FloatArray]:
    """Return the values (F, components) of each property of the bone, from signals (F, S) without gaps.

    Rotations are applied in the order of the rows and written in the bone's own rotation mode.
    """
    curves: dict[str, FloatArray] = {}
    turns = [row for row in rows if row.component in ROTATIONS]
    moves = [row for row in rows if row.component not in ROTATIONS]
    if turns:
        total = np.tile(np.eye(3), (len(values), 1, 1))
        for row in turns:
            total = rodrigues(np.outer(row_values(row, values), local_axis(bone, row, axes))) @ total
        name, numbers = _in_mode(total, bone.rotation_mode)
        curves[name] = numbers
    if moves:
        curves["location"] = np.sum(
            [np.outer(row_values(row, values), local_axis(bone, row, axes)) for row in moves], axis=0
        )
    return curves


def _in_mode(rotation: FloatArray, mode: str) -> tuple[str, FloatArray]:
    """Return the property of a rotation mode, and rotations (F, 3, 3) as its values, without jumps."""
    if mode == "QUATERNION":
        return "rotation_quaternion", continuous(quaternions(rotation))
    if mode == "AXIS_ANGLE":
        q = continuous(quaternions(rotation))
        length = np.linalg.norm(q[:, 1:], axis=1, keepdims=True)
        axis = np.where(length > 1e-9, q[:, 1:] / np.maximum(length, 1e-9), [0.0, 1.0, 0.0])
        return "rotation_axis_angle", np.concatenate([2 * np.arctan2(length, q[:, :1]), axis], axis=1)
    angles = np.empty((len(rotation), 3))
    before = None
    for i, matrix in enumerate(rotation):
        euler = Matrix(matrix).to_euler(mode, before) if before else Matrix(matrix).to_euler(mode)
        angles[i] = before = euler
    return "rotation_euler", angles


# Drivers ------------------------------------------------------------------------------------------------------------


def is_askew(bone: bpy.types.PoseBone, row: Row, axes: Axes, near: float = ALIGNED) -> bool:
    """Return whether the row turns the bone about an axis that is not near one of the bone's own."""
    return row.component in ROTATIONS and float(np.abs(local_axis(bone, row, axes)).max()) < near


def driven_components(
    bone: bpy.types.PoseBone, rows: Sequence[Row], axes: Axes
) -> dict[tuple[str, int], list[tuple[Row, float]]]:
    """Return, for each (property, index), the rows that drive it and their factors.

    One driver turns a bone about one of the bone's own axes, so no row may be ``is_askew``.
    """
    out: dict[tuple[str, int], list[tuple[Row, float]]] = {}
    for row in rows:
        axis = local_axis(bone, row, axes)
        index = int(np.argmax(np.abs(axis)))
        if row.component in ROTATIONS:
            out.setdefault(("rotation_euler", index), []).append((row, float(np.sign(axis[index]))))
            continue
        for i in range(3):
            if abs(axis[i]) > 1e-4:
                out.setdefault(("location", i), []).append((row, float(axis[i])))
    return out


# Variables of the expressions below: the quaternion of the head that is followed, and its gaze in radians.
HEAD_QUATERNION = ("qw", "qx", "qy", "qz")
GAZE = {"gazePitch": "gp", "gazeYaw": "gy"}
_WHOLE_HEAD = {"headYaw": ("ROTATION_Z", 1.0), "headPitch": ("ROTATION_X", -1.0), "headRoll": ("ROTATION_Y", 1.0)}
_WHOLE_GAZE = {"gazePitch": ("ROTATION_X", -1.0), "gazeYaw": ("ROTATION_Z", 1.0)}


def quaternion_expressions(
    bone: bpy.types.PoseBone, rows: Sequence[Row], axes: Axes, names: Mapping[str, str]
) -> list[str] | None:
    """Return w, x, y and z of a bone with these rows of rotation, however the bone lies.

    ``names`` are the variables of the signals. None for more than two rows, except those of a whole head with its own
    gains and no narrower range: the expressions would be longer than Blender allows.
    """
    into_bone = np.array(bone.bone.matrix_local.to_3x3()).T @ axes.directions
    if _are(rows, _WHOLE_HEAD):
        w, *vector = HEAD_QUATERNION
        return [w, *(_linear(line, vector) for line in into_bone)]
    if _are(rows, _WHOLE_GAZE):  # about x by -pitch, then about z by yaw
        pitch, yaw = f"{GAZE['gazePitch']}/2", f"{GAZE['gazeYaw']}/2"
        parts = [f"-cos({yaw})*sin({pitch})", f"-sin({yaw})*sin({pitch})", f"sin({yaw})*cos({pitch})"]
        return [f"cos({yaw})*cos({pitch})", *(_linear(line, [f"({part})" for part in parts]) for line in into_bone)]
    return _two_turns(bone, rows, axes, names) if len(rows) <= 2 else None


def _two_turns(bone: bpy.types.PoseBone, rows: Sequence[Row], axes: Axes, names: Mapping[str, str]) -> list[str]:
    """Return the quaternion of one or two turns, each about an axis of its own, by the half angles A and B.

    With unit axes u and v the product has w = cos A cos B - u.v sin A sin B and the vector
    u sin A cos B + v cos A sin B + (v x u) sin A sin B. Each is a sum of one wave of A + B and one of A - B, which
    holds every angle twice only: Blender's expressions have at most 255 characters.
    """
    halves = [
        expression(replace(row, gain=row.gain / 2, offset=row.offset / 2, low=row.low / 2, high=row.high / 2), names)
        for row in rows
    ]
    u, *rest = (local_axis(bone, row, axes) for row in rows)
    if not rest:
        return [f"cos({halves[0]})", *(f"{factor:.6f}*sin({halves[0]})" for factor in u)]
    (v,) = rest
    a, b = halves
    w = _waves(a, b, 0.0, 0.0, 1.0, -float(u @ v))
    return [w, *(_waves(a, b, *map(float, parts)) for parts in zip(u, v, np.zeros(3), np.cross(v, u), strict=True))]


def _waves(a: str, b: str, sin_cos: float, cos_sin: float, cos_cos: float, sin_sin: float) -> str:
    """Return sin_cos sin A cos B + cos_sin cos A sin B + cos_cos cos A cos B + sin_sin sin A sin B."""
    terms = []
    for sign, sine, cosine in (
        ("+", sin_cos + cos_sin, cos_cos - sin_sin),
        ("-", sin_cos - cos_sin, cos_cos + sin_sin),
    ):
        size, phase = np.hypot(sine, cosine) / 2, np.arctan2(cosine, sine)
        terms.append(f"{size:.6f}*sin({phase:.6f}+{a}{sign}{b})")
    return "+".join(terms)


def _are(rows: Sequence[Row], wanted: Mapping[str, tuple[str, float]]) -> bool:
    """Return whether rows are those of ``wanted``, channel -> (component, gain), in its order and without limits."""
    return [row.channel for row in rows] == list(wanted) and all(
        (row.component, row.gain) == wanted[row.channel]
        and row.axes != OWN
        and not row.invert
        and row.offset == 0
        and row.low < -UNLIMITED
        and row.high > UNLIMITED
        for row in rows
    )


def _linear(factors: FloatArray, terms: Sequence[str]) -> str:
    return "+".join(f"{factor:.6f}*{term}" for factor, term in zip(factors, terms))


def driven_mode(components: Sequence[tuple[str, int]]) -> str | None:
    """Return the Euler order that applies the rotations in the order of the rows, or None where nothing rotates."""
    axes = [index for name, index in components if name == "rotation_euler"]
    if not axes:
        return None
    order = list(dict.fromkeys(axes))
    return "".join("XYZ"[i] for i in order + [i for i in range(3) if i not in order])
