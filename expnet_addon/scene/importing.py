"""Opening of scenes and of the mesh formats that Blender imports."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import bpy

from ...model.errors import InputError
from . import gltf


def open_blend(path: Path) -> bpy.types.Scene:
    """Open a .blend without its scripts, and return its scene. Raises InputError."""
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path.absolute()), load_ui=False, use_scripts=False)
    except RuntimeError as error:
        raise InputError(f"'{path}' is no scene that this Blender can open") from error
    return bpy.context.scene


def open_scene(path: Path) -> None:
    """Open a .blend without its scripts, or import a mesh file into an empty scene. Raises InputError."""
    suffix, name = path.suffix.lower(), str(path.absolute())
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            if suffix == ".blend":
                open_blend(path)
                return
            bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
            if suffix in (".glb", ".gltf"):
                gltf.enable()
                bpy.ops.import_scene.gltf(filepath=name)
            else:
                getattr(bpy.ops.wm, f"{suffix[1:]}_import")(filepath=name)
    except RuntimeError as error:
        raise InputError(f"'{path}' is no scene that this Blender can open") from error
