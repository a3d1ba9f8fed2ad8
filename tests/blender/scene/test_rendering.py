"""Rendering in temporary scenes."""

from __future__ import annotations

import gc
from pathlib import Path

import bpy

from expnet.expnet_addon.scene.rendering import Quality, render_frame, set_engine, temporary_scene


def render_engines() -> int:
    return sum(isinstance(each, bpy.types.RenderEngine) for each in gc.get_objects())


def test_no_render_engine_outlives_its_temporary_scene(empty_scene: bpy.types.Scene, tmp_path: Path) -> None:
    """A kept engine holds a dependency graph of the removed scene: Blender crashes when it next tags all graphs."""
    before = render_engines()
    with temporary_scene("ExpNet test") as scene:
        scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        scene.collection.objects.link(scene.camera)
        scene.render.resolution_x = scene.render.resolution_y = 16
        set_engine(scene, Quality(engine="CYCLES", samples=1))
        render_frame(scene, 1.0, tmp_path / "picture")
        assert render_engines() > before
    assert render_engines() == before
