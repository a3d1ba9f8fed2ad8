"""Settings are kept as presets, as Blender keeps its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import pytest

import expnet
from expnet.expnet_addon.capture import capture
from expnet.expnet_addon.capture.keying import Keying
from expnet.expnet_addon.scene import rig
from expnet.expnet_addon.scene.current_take import take_of

PLAIN = Keying(identity=False, match_camera=False, sound=False)


@pytest.fixture
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_scene: bpy.types.Scene) -> Iterator[Path]:
    """Return the folder that presets go to, in place of the user's own."""

    def folder(kind: str, path: str = "", create: bool = False) -> str:
        (tmp_path / path).mkdir(parents=True, exist_ok=True)
        return str(tmp_path / path)

    monkeypatch.setattr(bpy.utils, "user_resource", folder)
    expnet.register()
    yield tmp_path / "presets" / "expnet"
    expnet.unregister()


def load(file: Path, panel: str) -> None:
    assert bpy.ops.script.execute_preset(filepath=str(file), menu_idname=panel) == {"FINISHED"}


def test_settings_come_back(kept_in: Path) -> None:
    settings = bpy.context.scene.expnet
    settings.smoothing, settings.sound, settings.head_motion = 0.125, False, "ROTATION"
    assert bpy.ops.expnet.settings_preset_add(name="Stage") == {"FINISHED"}
    settings.smoothing, settings.sound, settings.head_motion = 0.5, True, "FULL"
    load(kept_in / "settings" / "Stage.py", "EXPNET_PT_settings_presets")
    assert (settings.smoothing, settings.sound, settings.head_motion) == (0.125, False, "ROTATION")


def test_a_takes_settings_fit_another_take(kept_in: Path, little_face, make_performance: Callable) -> None:
    scene = bpy.context.scene
    head = rig.create_rig(little_face)
    bpy.context.view_layer.objects.active = head
    capture.key_performance(scene, head, make_performance(frames=20), PLAIN)
    take = take_of(head).expnet
    take.regions["mouth"].gain, take.key_settings["jawOpen"].high, take.decimate = 0.5, 0.25, True
    take.neutral_number, take.neutral = 5, "FRAME"
    assert bpy.ops.expnet.take_preset_add(name="Calm") == {"FINISHED"}
    capture.key_performance(scene, head, make_performance(frames=9, source="other.mp4"), PLAIN)
    other = take_of(head).expnet
    assert other != take and other.regions["mouth"].gain == 1.0
    load(kept_in / "take" / "Calm.py", "EXPNET_PT_take_presets")
    assert (other.regions["mouth"].gain, other.key_settings["jawOpen"].high, other.decimate) == (0.5, 0.25, True)
    assert other.live and other.note.split()[0].isdecimal(), "its keys were written"
    assert other.neutral == "SEEN", "a frame belongs to its clip"
