"""The same from the panel: the pack is named in the preferences, chosen in the scene, and all buttons work with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

bpy = pytest.importorskip("bpy")
pytest.importorskip("scipy.io")

import expnet  # noqa: E402
from expnet.expnet_addon.capture import chosen, takes  # noqa: E402
from expnet.expnet_addon.scene.current_take import take_of  # noqa: E402

from .test_animate import DEMO, FRAMES, basel, own_cache  # noqa: E402, F401


@pytest.fixture
def settings(imported: Path, basel: Path) -> Iterator[Any]:  # noqa: F811
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    expnet.register()
    addon = bpy.context.preferences.addons.new()
    addon.module = "expnet"
    addon.preferences.official_pack, addon.preferences.official_face_model = str(imported), str(basel)
    addon.preferences.device = "cpu"
    settings = bpy.context.scene.expnet
    settings.network = settings.face_model = "OFFICIAL"
    settings.source, settings.use_range, settings.last = str(DEMO), True, FRAMES - 1
    yield settings
    bpy.context.preferences.addons.remove(addon)
    expnet.unregister()


@pytest.mark.slow
def test_add_face_animate_treat_and_estimate(settings) -> None:
    assert bpy.ops.expnet.add_face() == {"FINISHED"}
    head = chosen.face(bpy.context)
    assert "non-commercial research" in head["expnet_license"]
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    assert settings.result.splitlines()[0] == f"{FRAMES} of {FRAMES} frames keyed, 1 to {FRAMES}"
    take = take_of(head).expnet
    assert [region.name for region in take.regions] == ["expression", "gaze", "head"]
    before = takes.treated_performance_of(head).eta
    take.regions["expression"].gain = 0.5
    take.neutral = "QUIETEST"
    assert take.note == "" and (takes.treated_performance_of(head).eta != before).any()
    settings.preprocessing = "PAPER"
    assert bpy.ops.expnet.estimate_expression() == {"FINISHED"}
    assert settings.result.startswith(f"{DEMO.name} at frame 1, keyed at frame 1\n")
