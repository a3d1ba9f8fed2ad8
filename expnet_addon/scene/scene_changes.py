"""Say in words what a capture changed in the scene: rate, range, camera, resolution, playback sync."""

from __future__ import annotations

import bpy

from .animation import scene_fps

Facts = dict[str, tuple[object, str]]


def facts(scene: bpy.types.Scene) -> Facts:
    """Return the scene's settings that a capture can change, each as its state and in words."""
    render, camera = scene.render, scene.camera
    rate, size = scene_fps(scene), (render.resolution_x, render.resolution_y)
    sync = scene.bl_rna.properties["sync_mode"].enum_items[scene.sync_mode].name
    lens = getattr(camera.data, "lens", None) if camera is not None else None  # any object can be a scene's camera
    place = (camera.name, *camera.location, *camera.rotation_euler, lens) if camera is not None else None
    return {
        "rate": (rate, f"{rate:.5g} frames a second"),
        "range": ((scene.frame_start, scene.frame_end), f"frames {scene.frame_start} to {scene.frame_end}"),
        "frame": (scene.frame_current, f"current frame {scene.frame_current}"),
        "camera": (place, f"camera '{camera.name}'" if camera is not None else "no camera"),
        "resolution": (size, f"{size[0]} x {size[1]} pixels"),
        "sync": (scene.sync_mode, f"playback sync '{sync}'"),
    }


def changes(before: Facts, scene: bpy.types.Scene) -> str:
    """Return a line on what differs from ``before`` now, or an empty string."""
    changed = [words for name, (state, words) in facts(scene).items() if state != before[name][0]]
    return f"Scene: {', '.join(changed)}" if changed else ""
