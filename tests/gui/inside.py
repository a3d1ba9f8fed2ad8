"""Runs inside the real Blender (``--python``): opens the ExpNet tab and answers run.py's questions.

A question is a file ``N.ask`` of Python code in the folder $GUI_DIALOGUE; the answer ``N.answer`` is JSON: the variable
``result``, or the error. Everything that an artist would do comes from the mouse and the keyboard instead.
"""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path

import bpy

DIALOGUE = Path(os.environ["GUI_DIALOGUE"])
EDITORS = ("VIEW_3D", "CLIP_EDITOR", "PREFERENCES")  # the large editor is one of them at a time
KINDS = ("objects", "meshes", "actions", "cameras", "movieclips", "sounds", "shape_keys", "materials", "collections")


def sidebar() -> tuple[bpy.types.Window, bpy.types.Area, bpy.types.Region]:
    """Return the large editor and the region in which our panels are."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in EDITORS:
                kind = "WINDOW" if area.type == "PREFERENCES" else "UI"
                return window, area, next(region for region in area.regions if region.type == kind)
    raise LookupError("there is no 3D view")


def open_tab() -> bool:
    """Choose the tab; tabs exist only once the sidebar was drawn, so this is called until it works."""
    _, area, region = sidebar()
    area.spaces.active.show_region_ui = True
    try:
        region.active_panel_category = "ExpNet"
    except (AttributeError, TypeError):
        area.tag_redraw()
        return False
    area.tag_redraw()
    return True


def show(editor: str) -> None:
    """Turn the large editor into another one."""
    sidebar()[1].type = editor


def rectangle(region: bpy.types.Region) -> list[int]:
    """left, top, right, bottom on the screen, y down."""
    window = sidebar()[0]
    top = window.y + window.height - region.y - region.height
    return [window.x + region.x, top, window.x + region.x + region.width, top + region.height]


def curves_of(action: bpy.types.Action) -> list:
    bags = [action] if hasattr(action, "fcurves") else [
        bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags
    ]  # fmt: skip
    return [
        (curve.data_path, curve.array_index, [tuple(point.co) for point in curve.keyframe_points])
        for bag in bags
        for curve in bag.fcurves
    ]


def properties_of(group: bpy.types.PropertyGroup) -> dict[str, object]:
    """Return what the artist sets, rows and all; names instead of data-blocks."""
    content: dict[str, object] = {}
    for name, kind in group.bl_rna.properties.items():
        value = getattr(group, name)
        if name in ("rna_type", "value"):  # the value of a key follows from its curve
            continue
        if kind.type == "COLLECTION":
            content[name] = [properties_of(item) for item in value]
        elif kind.type == "POINTER":
            inner = isinstance(value, bpy.types.PropertyGroup)
            content[name] = properties_of(value) if inner else getattr(value, "name", None)
        elif not kind.is_readonly:
            content[name] = value
    return content


def state() -> dict[str, object]:
    """Everything in the file that our operators could have touched, as JSON has it."""
    scene = bpy.context.scene
    scene.frame_set(scene.frame_current)  # what is animated shows where it is only after it was evaluated
    render, settings = scene.render, scene.expnet
    content: dict[str, object] = {kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in KINDS}
    content["timing"] = (scene.frame_start, scene.frame_end, render.fps, render.fps_base, scene.sync_mode)
    content["size"] = (render.resolution_x, render.resolution_y, scene.camera and scene.camera.name)
    strips = getattr(scene.sequence_editor, "strips", None) or getattr(scene.sequence_editor, "sequences", None) or ()
    content["strips"] = [
        (strip.name, strip.channel, strip.frame_final_start, strip.frame_final_end) for strip in strips
    ]
    content["settings"] = {name: str(value) for name, value in properties_of(settings).items()}
    for action in bpy.data.actions:
        take = action.expnet
        content[f"action {action.name}"] = curves_of(action)
        content[f"take {action.name}"] = [
            take.performance.hex(), take.rate, take.start, take.neutral, take.neutral_frame, take.decimate, take.note,
            [(region.name, region.smoothing, region.gain) for region in take.regions],
        ]  # fmt: skip
    for obj in scene.objects:
        driven = obj.animation_data is not None and len(obj.animation_data.drivers)  # follows from the rest, when drawn
        place = [list(obj.location)] if driven else [list(row) for row in obj.matrix_basis]
        content[f"object {obj.name}"] = [list(obj.get("alpha", ())), place]
        data = obj.animation_data, getattr(getattr(obj.data, "shape_keys", None), "animation_data", None)
        content[f"animation {obj.name}"] = [d.action.name if d and d.action else None for d in data]
        content[f"drivers {obj.name}"] = [
            [(f.data_path, f.array_index, f.driver.expression) for f in d.drivers] if d else [] for d in data
        ]
        content[f"character {obj.name}"] = properties_of(obj.expnet_character)
        content[f"bones {obj.name}"] = [(b.name, b.rotation_mode) for b in obj.pose.bones] if obj.pose else []
        keys = getattr(obj.data, "shape_keys", None)
        blocks = list(keys.key_blocks) if keys else []
        content[f"sliders {obj.name}"] = [(b.name, b.slider_min, b.slider_max) for b in blocks]
    return json.loads(json.dumps(content))


def answer_questions() -> float:
    for ask in sorted(DIALOGUE.glob("*.ask")):
        names = {"bpy": bpy, **{f.__name__: f for f in (sidebar, open_tab, show, rectangle, state)}}
        try:
            exec(ask.read_text(), names)
            answer = {"result": names.get("result")}
        except Exception:
            answer = {"error": traceback.format_exc()}
        ask.unlink()
        part = ask.with_suffix(".part")
        part.write_text(json.dumps(answer))
        part.rename(ask.with_suffix(".answer"))
    return 0.05


bpy.app.timers.register(answer_questions, first_interval=0.5, persistent=True)
