"""Try It: one press, and a head moves as the built-in face does."""

from __future__ import annotations

import bpy
import numpy as np

import expnet
from expnet.expnet_addon.engine import tasks
from expnet.expnet_addon.scene import rig
from expnet.expnet_addon.scene.current_take import take_of


def test_one_press_makes_a_head_and_animates_it(empty_scene: bpy.types.Scene) -> None:
    expnet.register()
    try:
        scene = bpy.context.scene
        assert bpy.ops.expnet.try_it() == {"FINISHED"}
        (head,) = rig.rigs_in(scene)
        assert scene.expnet.result.splitlines()[0] == "120 of 120 frames keyed, 1 to 120"
        assert take_of(head) is not None and scene.camera is not None
        jaw = head.data.shape_keys.key_blocks["jawOpen"]
        seen = []
        for frame in range(1, 121, 10):
            scene.frame_set(frame)
            seen.append(jaw.value)
        assert np.ptp(seen) > 0.1  # it speaks
        assert bpy.ops.expnet.try_it() == {"FINISHED"}  # again: a head and a take of its own
        assert len(rig.rigs_in(scene)) == 2
    finally:
        expnet.unregister()


def test_it_waits_for_what_is_under_way(empty_scene: bpy.types.Scene) -> None:
    expnet.register()
    task = tasks.Task("Animate from Footage", None, lambda reply, job: "")
    try:
        tasks.follow(task)
        assert not bpy.ops.expnet.try_it.poll()
        tasks.end(task)
        assert bpy.ops.expnet.try_it.poll()
    finally:
        expnet.unregister()
