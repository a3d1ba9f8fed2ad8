"""The footage's sound lies under its keys, on every Blender that can hear."""

from __future__ import annotations

import wave
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from expnet.expnet_addon import compat
from expnet.expnet_addon.scene import animation, rig, sound
from expnet.model.performance.face_performance import FacePerformance


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of sound; the sequencer takes it as it takes a movie's."""
    path = tmp_path_factory.mktemp("sound") / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((8000 * np.sin(np.arange(16000) / 3)).astype("<i2").tobytes())
    return path


@pytest.fixture
def performance(make_performance, tone: Path) -> FacePerformance:
    """20 frames at 25 per second, from the clip's frame 10 on."""
    seen = make_performance(frames=20, source=str(tone))
    return replace(seen, times=seen.times + 0.4)


@pytest.fixture
def take(empty_scene: bpy.types.Scene, little_face, performance: FacePerformance) -> animation.Take:
    empty_scene.render.fps, empty_scene.frame_start = 25, 101
    return animation.key_performance(rig.create_rig(little_face), performance, empty_scene)


def hears() -> bool:
    """Return whether Blender has sound; the bpy module of 4.2 has none."""
    try:
        import aud  # noqa: F401
    except ImportError:
        return False
    return True


def span(strip) -> tuple[int, int]:
    left, right = ("left_handle", "right_handle") if hasattr(strip, "left_handle") else (
        "frame_final_start", "frame_final_end"
    )  # fmt: skip
    return getattr(strip, left), getattr(strip, right)


def test_the_sound_lies_where_the_keys_are(empty_scene, performance, take) -> None:
    laid = sound.lay_sound(empty_scene, performance, take)
    if not laid:
        assert not hears() or bpy.app.version < (4, 3)
        pytest.skip("this Blender was made without sound")
    (strip,) = compat.sequencer_strips(empty_scene)
    assert span(strip) == (101, 121)
    start = strip.content_start if hasattr(strip, "content_start") else strip.frame_start
    assert start == 91  # ten frames of the clip come before
    assert empty_scene.sync_mode == "AUDIO_SYNC"


def test_again_replaces_it_and_leaves_others_alone(empty_scene, performance, take, tone: Path) -> None:
    if not sound.lay_sound(empty_scene, performance, take):
        pytest.skip("this Blender was made without sound")
    strips = compat.sequencer_strips(empty_scene)
    strips.new_sound("theirs", str(tone), 4, 1)
    assert sound.lay_sound(empty_scene, performance, take)
    assert sorted(strip.name for strip in strips) == ["theirs", "tone.wav"]
    assert {strip.name: strip.channel for strip in strips}["tone.wav"] == 5


def test_a_head_has_one_strip_and_each_head_has_its_own(empty_scene, performance, take, tone: Path, clip: Path) -> None:
    if not sound.lay_sound(empty_scene, performance, take, "Ann"):
        pytest.skip("this Blender was made without sound")
    other = tone.with_name("other.wav")
    other.write_bytes(tone.read_bytes())
    strips = compat.sequencer_strips(empty_scene)
    assert sound.lay_sound(empty_scene, replace(performance, source=str(other)), take, "Ben")
    assert sorted(strip.name for strip in strips) == ["other.wav", "tone.wav"]
    assert not sound.lay_sound(empty_scene, replace(performance, source=str(clip)), take, "Ann")
    assert [strip.name for strip in strips] == ["other.wav"]


def test_footage_without_sound_leaves_nothing(empty_scene, performance, take, clip: Path) -> None:
    for source in (str(clip), "/nowhere.mp4", str(clip.parent)):
        assert not sound.lay_sound(empty_scene, replace(performance, source=source), take)
    assert not list(compat.sequencer_strips(empty_scene)) and not bpy.data.sounds
