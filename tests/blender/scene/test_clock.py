"""Head, footage, sound and glTF agree on every frame: pictures with burnt-in numbers, rendered and read back."""

from __future__ import annotations

import json
import wave
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import bpy
import numpy as np
import pytest

from expnet.expnet_addon import compat
from expnet.expnet_addon.capture import capture
from expnet.expnet_addon.scene import animation, comparison, gltf, rig, sound
from expnet.model.formats.npz import save_face_model
from expnet.model.performance.face_performance import FacePerformance
from expnet.model.sight.frame_clock import Placement
from expnet.model.sight.video import open_clip

from ...model.sight.numbered_clips import HEIGHT, SIDE, WIDTH, number_in, numbered_clip

av = pytest.importorskip("av")
NTSC = Fraction(30_000, 1001)


@pytest.fixture
def head(empty_scene, little_face, tmp_path) -> bpy.types.Object:
    path = tmp_path / "little.npz"
    save_face_model(little_face, path, exact=True)
    return rig.create_rig(little_face, model_path=str(path))


@pytest.fixture
def performance_of(make_performance):
    """Return a performance with a face in every picture; its first key is the number burnt into the frame."""

    def make(path: Path, **options) -> tuple[FacePerformance, Placement, list[int]]:
        with open_clip(path, **options) as clip:
            numbers = [number_in(frame.image, clip.size[1] / HEIGHT) for frame in clip]
            placement = clip.placement()
            size, starts = clip.size, clip.sound_start
        made = make_performance(frames=len(placement.frames), fps=float(placement.rate), source=str(path), size=size)
        eta = made.eta.copy()
        eta[:, 0] = np.array(numbers)[placement.pictures] / 128
        times = placement.frames / float(placement.rate)
        return replace(made, times=times, eta=eta, sound_start=starts), placement, numbers

    return make


def shown_numbers(video: Path, width: int) -> list[int]:
    """Return the numbers in the footage at the left of a comparison."""
    with open_clip(video) as clip:
        scale = clip.size[1] / HEIGHT
        return [number_in(frame.image[:, : round(width * scale)], scale) for frame in clip]


@pytest.mark.parametrize(
    "name, numbers, options",
    [
        ("constant.mp4", range(24), {"rate": NTSC}),
        ("coarse.mkv", range(24), {"rate": Fraction(24_000, 1001)}),
        ("later.mp4", range(24), {"start": Fraction(1, 2), "sound_from": Fraction(0)}),
        ("dropped.mp4", [n for n in range(24) if n != 9], {}),
        ("variable.mp4", [0, 3, 6, 9, 12, 14, 16, 18, *range(20, 24)], {}),
    ],
)
def test_the_head_moves_with_the_picture_beside_it(
    empty_scene, head, performance_of, tmp_path, name, numbers, options
) -> None:
    path = numbered_clip(tmp_path / name, list(numbers), **options)
    performance, placement, _ = performance_of(path)
    capture.key_performance(empty_scene, head, performance, capture.Keying(smoothing=0, identity=False))
    assert animation.scene_fps(empty_scene) == pytest.approx(float(placement.rate), rel=1e-7)
    assert (empty_scene.frame_start, empty_scene.frame_end) == (1, 24)
    out = tmp_path / "shot.mp4"
    quality = comparison.Quality("WORKBENCH", height=HEIGHT)
    comparison.render_comparison(empty_scene, str(path), out, head, performance, quality=quality)
    shown = shown_numbers(out, WIDTH)
    held = [max(n for n in numbers if n <= frame) for frame in range(24)]
    assert shown == held
    curve = compat.assigned_curves(head.data.shape_keys).find(f'key_blocks["{rig.expression_keys(head)[0]}"].value')
    keyed = {round(point.co[0]) - 1: round(point.co[1] * 128) for point in curve.keyframe_points}
    assert all(point.co[0] == round(point.co[0]) for point in curve.keyframe_points)
    assert keyed == {frame: shown[frame] for frame in keyed}
    assert set(keyed) == set(range(24) if name == "variable.mp4" else numbers)


@pytest.mark.parametrize("fps, fps_base", [(24, 1.0), (24, 1.001), (30, 1.001), (25, 1.0), (19, 19 / 18.6)])
def test_the_last_key_of_a_gltf_is_at_the_clip_s_true_length(
    empty_scene, head, make_performance, tmp_path, fps, fps_base
) -> None:
    """Blender 5.0's exporter multiplies by ``fps_base``."""
    performance = make_performance(frames=11, fps=fps / fps_base)
    animation.set_scene_fps(empty_scene, performance.fps)
    animation.set_frame_range(empty_scene, animation.key_performance(head, performance, empty_scene))
    before = empty_scene.render.fps, empty_scene.render.fps_base
    gltf.export_glb(tmp_path / "shot.glb", [head, *head.children])
    content = (tmp_path / "shot.glb").read_bytes()
    assert int.from_bytes(content[8:12], "little") == len(content)
    document = json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])
    inputs = {sampler["input"] for sampler in document["animations"][0]["samplers"]}
    lengths = {document["accessors"][i]["max"][0] for i in inputs if document["accessors"][i]["count"] > 1}
    assert list(lengths) == [pytest.approx(10 * fps_base / fps, rel=1e-6)]
    assert (empty_scene.render.fps, empty_scene.render.fps_base) == before


@pytest.mark.parametrize("starts", [-0.5, 0.0, 0.25, 0.263])
def test_a_beep_stays_at_its_picture(empty_scene, head, make_performance, tmp_path, starts) -> None:
    """The beep belongs to picture 15; the sound track begins before, with or after the pictures."""
    rate, beep = 48_000, 0.5
    times = np.arange(round(1.2 * rate)) / rate + starts
    samples = np.where((times >= beep) & (times < beep + 0.1), np.sin(2000 * np.pi * times), 0)
    path = tmp_path / "beep.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((30_000 * samples).astype("<i2").tobytes())
    performance = replace(make_performance(frames=30, fps=30.0, source=str(path)), sound_start=starts)
    animation.set_scene_fps(empty_scene, 30.0)
    take = animation.key_performance(head, performance, empty_scene)
    animation.set_frame_range(empty_scene, take)
    if not sound.lay_sound(empty_scene, performance, take):
        pytest.skip("this Blender was made without sound")
    mixed = tmp_path / "mixed.wav"
    bpy.ops.sound.mixdown(filepath=str(mixed), container="WAV", codec="PCM", format="S16", accuracy=64)
    with wave.open(str(mixed)) as file:
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())[:, 0]
        first = np.flatnonzero(np.abs(heard.astype(int)) > 5000)[0] / file.getframerate()
    within = 0.004 if hasattr(compat.sequencer_strips(empty_scene)[0], "sound_offset") else 0.5 / 30
    assert first == pytest.approx(beep, abs=within)


def test_a_scene_at_another_rate_is_keyed_frame_for_frame_and_said(empty_scene, head, performance_of, tmp_path) -> None:
    path = numbered_clip(tmp_path / "clip.mp4", range(12), sound_from=Fraction(0))
    performance, _, _ = performance_of(path)
    empty_scene.render.fps, empty_scene.render.fps_base = 24, 1.0
    told = capture.key_performance(
        empty_scene, head, performance, capture.Keying(smoothing=0, identity=False, scene_timing=False)
    )
    assert "The scene plays 24 frames a second, the clip 30: it is keyed frame for frame" in told
    curve = next(iter(compat.assigned_curves(head.data.shape_keys)))
    assert [point.co[0] for point in curve.keyframe_points] == list(range(1, 13))
    assert not list(compat.sequencer_strips(empty_scene)), "at another speed the sound would run away"


def test_an_anamorphic_clip_is_shown_as_broad_as_it_is_meant(empty_scene, head, performance_of, tmp_path) -> None:
    path = numbered_clip(tmp_path / "hdv.mp4", range(6), aspect=Fraction(4, 3))
    performance, _, _ = performance_of(path)
    capture.key_performance(empty_scene, head, performance, capture.Keying(smoothing=0, identity=False))
    (block,) = bpy.data.movieclips
    assert block.display_aspect[0] / block.display_aspect[1] == pytest.approx(4 / 3, rel=0.01)
    assert (empty_scene.render.resolution_x, empty_scene.render.resolution_y) == (213, 96)
    out = tmp_path / "shot.mp4"
    quality = comparison.Quality("WORKBENCH", height=HEIGHT)
    comparison.render_comparison(empty_scene, str(path), out, head, performance, quality=quality)
    with open_clip(out) as clip:
        image = list(clip)[3].image  # the squares of 3: two white, five black
    broad = SIDE * 4 / 3
    row = image[SIDE // 2, :, 1].astype(int)
    assert row[round(1.5 * broad)] > 200 > 60 > row[round(2.5 * broad)] and row[round(6.5 * broad)] < 60
    assert 100 < row[round(8.5 * broad)] < 160


def test_what_is_missing_is_said_with_the_frames(empty_scene, head, make_performance) -> None:
    performance = replace(make_performance(frames=10, missing=(4, 5)), unread=3, damage="The clip is damaged")
    told = capture.key_performance(
        empty_scene, head, performance, capture.Keying(smoothing=0, identity=False, match_camera=False)
    )
    assert told.splitlines()[:2] == ["8 of 13 frames keyed, 1 to 10", "No face in frames 5 to 6"]
