"""A performance onto the character of a .blend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy

from ...model.errors import InputError
from ...model.performance.face_performance import FacePerformance
from ...model.retargeting.name_schemes import AUTO
from ...model.retargeting.row import Row
from ...model.retargeting.table import load_preset
from ..scene import animation
from ..scene.heads import has_shape_keys
from .character import Character, character_of
from .keys import apply_keys
from .motion import performance_motion
from .name_matching import matched_rows


def onto_character(
    performance: FacePerformance,
    blend: Path,
    names: Sequence[str] = (),
    scheme: str = AUTO,
    preset: Path | None = None,
    keep_fps: bool = False,
) -> tuple[str, list[bpy.types.Object], list[Row]]:
    """The opened .blend with its character keyed; what to tell the user, the character's objects, and the table.

    names   of the character's objects; none: the mesh whose shape keys say most to us, and what belongs to it
    preset  a table from a file, instead of one by the names of shape keys and bones

    Scripts in the .blend do not run. Raises InputError when it cannot be opened, or has no such character.
    """
    rows = list(load_preset(preset)) if preset else None
    try:
        bpy.ops.wm.open_mainfile(filepath=str(blend.absolute()), load_ui=False, use_scripts=False)
    except RuntimeError as error:
        raise InputError(f"'{blend}' is no scene that this Blender can open") from error
    scene = bpy.context.scene
    character = _named(scene, blend, names) if names else _found(scene, blend, scheme, rows)
    if rows is None:
        found, rows = matched_rows(character, scheme)
        said = f"names: {found}"
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
    objects = [*character.meshes, *([character.armature] if character.armature else [])]
    lines = [f"{report} of {', '.join(o.name for o in objects)} keyed, {said}"]
    lines += [f"not: {left}" for left in report.left]
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
    """The mesh with the most to drive, with those of its armature or parent; or the only armature."""
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
    main = character_of(best)
    if main.armature is not None:
        return character_of(main.armature, main.meshes)
    return character_of(best, [m for m in meshes if best.parent is not None and m.parent == best.parent])


def _list(names) -> str:
    names = sorted(names)
    return ", ".join(names[:8]) + (" …" if len(names) > 8 else "") or "none"
