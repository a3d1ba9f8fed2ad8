"""A performance onto the character of a .blend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import bpy

from ...model.errors import InputError, first_of
from ...model.performance.face_performance import FacePerformance
from ...model.retargeting.name_schemes import AUTO
from ...model.retargeting.row import Row
from ...model.retargeting.table import load_preset
from ..scene import animation
from ..scene.heads import has_shape_keys, is_rig, rigs_in
from .character import Character, character_of, parts_without_shape_keys
from .keys import apply_keys
from .motion import performance_motion
from .name_matching import matched_rows, unmatched_names


def head_in(scene: bpy.types.Scene, blend: Path, names: Sequence[str] = ()) -> bpy.types.Object | None:
    """Return the ExpNet head that is meant: the one of ``names``, or the only one of a scene without characters.

    None: a character is meant. Raises InputError if a scene without characters has several heads.
    """
    if names:
        named = scene.objects.get(names[0])
        return named if len(names) == 1 and is_rig(named) else None
    if any(obj.type == "ARMATURE" or has_shape_keys(obj) for obj in scene.objects):
        return None
    heads = rigs_in(scene)
    if len(heads) > 1:
        raise InputError(f"'{blend}' holds {len(heads)} heads, {_list(o.name for o in heads)}: give one as --object")
    return heads[0] if heads else None


def onto_character(
    performance: FacePerformance,
    scene: bpy.types.Scene,
    blend: Path,
    names: Sequence[str] = (),
    scheme: str = AUTO,
    preset: Path | None = None,
    keep_fps: bool = False,
) -> tuple[str, list[bpy.types.Object], list[Row]]:
    """Key the character in ``scene`` of ``blend``; return a report, the character's objects, and the table.

    names   of the character's objects; none: the mesh with the most known shape keys, and the rest of its head
    preset  a table from a file, instead of one from the names of shape keys and bones

    Raises InputError if there is no such character.
    """
    rows = list(load_preset(preset)) if preset else None
    unknown: list[str] = []
    character = _named(scene, blend, names) if names else _found(scene, blend, scheme, rows)
    if rows is None:
        found, rows = matched_rows(character, scheme)
        said = f"names: {found}"
        unknown = unmatched_names(character, rows)
        if not rows:
            raise InputError(f"none of the shape keys and bones in '{blend}' has a name that is known: give --preset")
    else:
        said = f"names: {preset}"
    if not keep_fps:
        animation.set_scene_fps(scene, performance.fps)
    motion = performance_motion(scene, performance)
    report = apply_keys(character, rows, motion)
    if not keep_fps:
        scene.frame_end = max(scene.frame_start, round(float(motion.frames[-1])))
    scene.frame_set(scene.frame_start)
    keyed = [*character.meshes, *([character.armature] if character.armature else [])]
    objects = [*keyed, *parts_without_shape_keys(character)]
    elsewhere = [obj.name for obj in objects if scene.objects.get(obj.name) != obj]
    objects = [obj for obj in objects if obj.name not in elsewhere]
    lines = [f"{report} of {', '.join(o.name for o in keyed)} keyed, {said}"]
    lines += [f"not: {left}" for left in report.left]
    lines += [f"off: {', '.join(off)} (other rows move the same)"] if (off := _switched_off(rows)) else []
    if elsewhere:
        lines.append(f"not in the scene, so not in a .glb: {_list(elsewhere)}")
    if unknown:
        lines.append(f"not matched: {_list(unknown)} (add rows for them in a table, and give it as --preset)")
    return "\n".join(lines), objects, rows


def _named(scene: bpy.types.Scene, blend: Path, names: Sequence[str]) -> Character:
    objects = []
    for name in names:
        obj = scene.objects.get(name)
        if obj is None:
            raise InputError(
                f"'{blend}' has no object '{name}' in its scene; it has {_list(o.name for o in scene.objects)}"
            )
        if obj.type != "ARMATURE" and not has_shape_keys(obj):
            raise InputError(f"'{name}' in '{blend}' is no mesh with shape keys and no armature")
        objects.append(obj)
    return character_of(objects[0], objects[1:])


def _found(scene: bpy.types.Scene, blend: Path, scheme: str, rows: Sequence[Row] | None) -> Character:
    """Return the mesh with the most rows and the rest of its head, or the only armature."""
    meshes = [obj for obj in scene.objects if has_shape_keys(obj)]
    armatures = [obj for obj in scene.objects if obj.type == "ARMATURE"]

    def worth(mesh: bpy.types.Object) -> int:
        blocks = mesh.data.shape_keys.key_blocks
        if rows is not None:
            return sum(row.target in blocks for row in rows)
        return len(matched_rows(Character((mesh,)), scheme)[1])

    best = max(meshes, key=worth, default=None)
    if best is None or worth(best) == 0:
        if len(armatures) == 1:
            return character_of(armatures[0])
        raise InputError(
            f"'{blend}' holds no mesh whose shape keys are known by their names: give --object and --preset"
        )
    return character_of(best)


def _switched_off(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.target for row in rows if not row.enabled))


def _list(names: Iterable[str]) -> str:
    return first_of(sorted(names), 8) or "none"
