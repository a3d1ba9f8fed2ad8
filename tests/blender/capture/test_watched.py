"""What the reader sees is shown while it reads."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace

import bpy
import numpy as np
import pytest

from expnet.expnet_addon.capture import watched
from expnet.expnet_addon.capture.icons import decoded
from expnet.expnet_addon.scene import animation, poses, rig
from expnet.model.worker.protocol import Look

RED_ABOVE_BLUE = np.array([[[255, 0, 0]] * 2, [[0, 0, 255]] * 2], np.uint8)


@pytest.fixture(autouse=True)
def forgets() -> Iterator[None]:
    yield
    watched.forget()


def look(*keys: tuple[str, float]) -> Look:
    return Look(base64.b64encode(RED_ABOVE_BLUE.tobytes()).decode(), 2, keys)


def test_a_look_becomes_an_icon_and_a_line_until_the_task_ends() -> None:
    shown = watched._watched.icons  # their numbers are 0 in a Blender without a window
    assert shown.shown == () and watched.keys() == ""
    watched.show(look(("jawOpen", 0.5), ("smile_L", 0.25)))
    assert len(shown.shown) == 1
    assert watched.keys() == "jawOpen 0.50\nsmile_L 0.25"
    watched.show(None)  # progress without a look, as most of it
    assert len(shown.shown) == 1
    watched.forget()
    assert shown.shown == () and watched.icon() == 0 and watched.keys() == ""


def test_pictures_stand_upright() -> None:
    pixels = decoded(look().pixels, 2)
    assert pixels[0, 0].tolist() == [0, 0, 1, 1] and pixels[1, 0].tolist() == [1, 0, 0, 1]


def test_the_head_moves_along_and_then_does_what_it_did(empty_scene: bpy.types.Scene, little_face) -> None:
    head = rig.create_rig(little_face)
    rig.set_expression(head, {"mouthPress": 0.25}, np.array([0.1, 0.0]))
    before = poses.pose_of(head)
    watched.move_along(head)
    watched.show(replace(look(("jawOpen", 0.5), ("not a key of it", 1.0)), gaze=(0.2, -0.1)))
    assert poses.pose_of(head)["jawOpen"] == 0.5
    assert (head["gaze_yaw"], head["gaze_pitch"]) == (0.2, -0.1)
    watched.forget()
    assert poses.pose_of(head) == before
    watched.show(look(("jawOpen", 0.5)))
    assert poses.pose_of(head) == before, "nothing moves along any more"


def test_an_animated_head_shows_its_keys_again(
    empty_scene: bpy.types.Scene, little_face, make_performance: Callable
) -> None:
    head = rig.create_rig(little_face)
    animation.key_performance(head, make_performance(frames=9), empty_scene)
    empty_scene.frame_set(3)
    watched.move_along(head)
    watched.show(look(("jawOpen", 0.0), ("mouthPress", 1.0)))
    empty_scene.frame_current = 6
    watched.forget()
    at_six = poses.pose_of(head)
    empty_scene.frame_set(6)
    assert poses.pose_of(head) == at_six


def test_a_head_that_is_deleted_meanwhile_is_no_loss(empty_scene: bpy.types.Scene, little_face) -> None:
    head = rig.create_rig(little_face)
    watched.move_along(head)
    bpy.data.objects.remove(head)
    watched.show(look(("jawOpen", 0.5)))
    watched.forget()
    assert watched.keys() == ""
