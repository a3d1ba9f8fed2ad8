"""Export an animated head as glTF with morph targets, by Blender's own exporter."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...model.errors import InputError
from .animation import scene_fps
from .visibility import restore, show

EXPORTER = "io_scene_gltf2"


def export_glb(path: str | Path, objects: Iterable[bpy.types.Object]) -> None:
    """Write ``objects`` with their animation over the scene's frame range, as one animation from time 0.

    The animation is sampled at each frame, so it includes driven eyes and lids. Other objects are left out. Hidden,
    excluded and unselectable objects are exported. The scene is not changed.

    Raises InputError, and writes nothing, if ``objects`` is empty, an object is not in the scene or the exporter leaves
    it out, or this Blender has no glTF exporter.
    """
    wanted = list(objects)
    shown = show(bpy.context, wanted)
    enabled = enable()
    scene = bpy.context.scene
    rate = scene_fps(scene)
    layer = bpy.context.view_layer
    chosen, active = list(bpy.context.selected_objects), layer.objects.active
    for obj in chosen:
        obj.select_set(False)
    for obj in wanted:
        obj.select_set(True)
    layer.objects.active = wanted[0]
    try:
        # Blender prints the exporter's traceback, which the exception holds too.
        with _whole_rate(scene) as whole, contextlib.redirect_stderr(io.StringIO()), _no_garbage_collection():
            bpy.ops.export_scene.gltf(
                filepath=str(path),
                export_format="GLB",
                use_selection=True,
                export_morph_normal=False,  # they double the file size, and viewers do not need them
                export_try_sparse_sk=True,
                export_animation_mode="SCENE",
                export_anim_scene_split_object=False,
                export_anim_slide_to_zero=True,
                export_force_sampling=True,
                export_frame_range=True,
                export_bake_animation=True,
                export_cameras=False,
                export_lights=False,
            )
        if abs(whole / rate - 1) > 1e-9:
            scale_times(Path(path), whole / rate)
    except RuntimeError as error:
        raise _failure(error) from error
    finally:
        for obj in wanted:
            obj.select_set(False)
        for obj in chosen:
            obj.select_set(True)
        layer.objects.active = active
        restore(shown)
        if enabled:
            _addons().disable(EXPORTER)
    _check_contents(Path(path), wanted)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Collect garbage now, and none inside: Blender 4.2 sometimes crashed in a collection during its exporter."""
    gc.collect()
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _failure(error: RuntimeError) -> Exception:
    """Return an OSError for the exporter's, such as a full disk; an InputError with its last line for others."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    errors = [line for line in lines if line and not line.startswith("Location:")] or ["it failed"]
    if found := re.fullmatch(r"(?:OSError|PermissionError): \[Errno \d+\] (.*)", errors[-1]):
        return OSError(found[1])
    return InputError(f"Blender's glTF exporter: {errors[-1]}")


def _check_contents(path: Path, objects: Iterable[bpy.types.Object]) -> None:
    """Raise InputError, and remove the file, if an object with a mesh is missing from it."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    document = json.loads(content[20 : 20 + length])
    written = {node.get("name") for node in document.get("nodes", ()) if "mesh" in node}
    missing = [obj.name for obj in objects if obj.type == "MESH" and len(obj.data.polygons) and obj.name not in written]
    if missing or not document.get("nodes"):
        path.unlink()
        raise InputError(f"Blender's glTF exporter left out {', '.join(missing) or 'everything'}: nothing is written")


def scale_times(path: Path, factor: float) -> None:
    """Multiply all key times of a .glb's animations."""
    content = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<I", content, 12)
    document = json.loads(content[20 : 20 + length])
    body = 20 + length + 8
    samplers = [sampler for animation in document.get("animations", ()) for sampler in animation["samplers"]]
    for index in {sampler["input"] for sampler in samplers}:
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        start = body + view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        times = np.frombuffer(content, "<f4", accessor["count"], start)
        scaled = (times.astype(np.float64) * factor).astype("<f4")
        content[start : start + scaled.nbytes] = scaled.tobytes()
        accessor["min"], accessor["max"] = [float(scaled.min())], [float(scaled.max())]
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    rest = bytes(content[20 + length :])
    header = struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(rest), len(text), b"JSON")
    path.write_bytes(header + text + rest)


@contextmanager
def _whole_rate(scene: bpy.types.Scene) -> Iterator[float]:
    """Set the scene to an integer frame rate within the context.

    Blender 5.0's exporter multiplies the rate by ``fps_base`` instead of dividing it.
    """
    render = scene.render
    kept = render.fps, render.fps_base
    render.fps_base = 1.0
    try:
        yield float(render.fps)
    finally:
        render.fps, render.fps_base = kept


def enable() -> bool:
    """Enable the add-on of glTF if it is disabled. Returns whether it was disabled."""
    if hasattr(bpy.types, "EXPORT_SCENE_OT_gltf"):
        return False
    if _addons().enable(EXPORTER) is None:
        raise InputError("this Blender comes without its glTF exporter (io_scene_gltf2)")
    return True


def _addons() -> Any:
    import addon_utils

    return addon_utils
