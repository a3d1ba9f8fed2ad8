"""``expnet own-head``: the expression keys of an artist's own head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.errors import InputError
from ...model.sight.sequences import check_there
from ..unattended.outputs import SCENE_FORMATS, check_outputs, require_bpy, save_scene
from ..unattended.terminal import quiet_stdout
from ..unattended.worker_python import preferred_python

if TYPE_CHECKING:
    import bpy

READ = (".blend", ".obj", ".glb", ".gltf", ".ply", ".stl")


@dataclass(frozen=True)
class OwnHeadOptions:
    """The head in ``scene`` (.blend, .obj, .glb, …), written with keys to ``out`` (.blend, .glb).

    objects        its meshes by name; none: every visible mesh
    names          of the keys: ``open`` (ExpNet's 29) or ``arkit`` (ARKit's 52)
    symmetric      the right side's keys mirror the left side's
    without_eyes   the head may have no eyes
    existing       what happens to shape keys of these names: ``ask`` (end with an error), ``replace`` or ``keep``
    """

    scene: Path
    out: Path
    objects: tuple[str, ...] = ()
    names: str = "open"
    symmetric: bool = False
    without_eyes: bool = False
    existing: str = "ask"


def own_head(options: OwnHeadOptions) -> None:
    """Write the head with its keys. Raises InputError, WorkerFault."""
    check_there(str(options.scene), "head")
    if options.scene.suffix.lower() not in READ:
        raise InputError(f"'{options.scene}' is no {', '.join(READ[:-1])} or {READ[-1]}")
    check_outputs([str(options.scene)], {options.out: SCENE_FORMATS})
    require_bpy("own-head")
    from ..own_head import make
    from ..scene import importing

    keys = make.Keys(options.names.upper(), options.symmetric, options.without_eyes, options.existing.upper())
    with quiet_stdout():
        importing.open_scene(options.scene)
        objects = _chosen(options)
        said = make.keys_of_meshes(objects, keys, preferred_python())
        save_scene(options.out, objects)
    print(said)


def _chosen(options: OwnHeadOptions) -> list[bpy.types.Object]:
    import bpy

    there = {obj.name: obj for obj in bpy.context.scene.objects}
    for name in options.objects:
        if name not in there:
            raise InputError(
                f"'{options.scene}' has no object '{name}' in its scene; it has {', '.join(sorted(there))}"
            )
    if options.objects:
        return [there[name] for name in options.objects]
    found = [obj for obj in there.values() if obj.type == "MESH" and obj.visible_get()]
    if not found:
        raise InputError(f"'{options.scene}' shows no mesh: give one with --object")
    return found
