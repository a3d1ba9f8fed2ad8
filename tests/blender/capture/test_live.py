"""Live: a head follows a file played in real time; a recording becomes a take; without one nothing changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

import expnet
from expnet.expnet_addon import headless
from expnet.expnet_addon.capture import live
from expnet.expnet_addon.capture.keying import AS_RECORDED
from expnet.expnet_addon.scene.current_take import take_of
from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_KEYS, open_bounds
from expnet.model.performance.performance_files import load_performance
from expnet.model.worker.messages import EstimatorOptions
from expnet.model.worker.protocol import Seen

DEMO = Path(expnet.__path__[0]) / "model" / "data" / "demo_clip.mp4"


@pytest.fixture
def head(empty_scene: bpy.types.Scene) -> Iterator[bpy.types.Object]:
    expnet.register()
    bpy.ops.expnet.add_face()
    yield bpy.context.view_layer.objects.active
    expnet.unregister()


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the first second and a half of the built-in clip."""
    import cv2

    path = tmp_path_factory.mktemp("footage") / "short.avi"
    movie = cv2.VideoCapture(str(DEMO))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 24.0, (384, 288))
    for _ in range(36):
        writer.write(movie.read()[1])
    writer.release()
    return path


def values(head: bpy.types.Object) -> dict[str, float]:
    return {block.name: block.value for block in head.data.shape_keys.key_blocks}


def test_without_a_recording_the_head_is_as_before(head: bpy.types.Object, short: Path) -> None:
    head.data.shape_keys.key_blocks["jawOpen"].value = 0.25
    head.location = (1.0, 2.0, 3.0)
    before = values(head)
    task = live.LiveTask(bpy.context.scene, head, str(short), EstimatorOptions(device="cpu"), AS_RECORDED)
    told = task.run()
    assert task.applied > 3 and "nothing recorded" in told
    assert values(head) == before and tuple(head.location) == (1.0, 2.0, 3.0)
    assert take_of(head) is None and not bpy.data.actions


def test_a_recording_is_a_take_with_the_true_times(head: bpy.types.Object, short: Path) -> None:
    task = live.LiveTask(bpy.context.scene, head, str(short), EstimatorOptions(device="cpu"), AS_RECORDED, record=True)
    task.run()
    action = take_of(head)
    assert action is not None and action.name.startswith("Live")
    from expnet.expnet_addon.capture import takes

    raw = takes.performance_of(head)
    assert raw is not None and raw.times[0] == 0 and (np.diff(raw.times) > 0).all()
    assert 0.5 < raw.times[-1] <= 35 / 24 + 0.01


def test_the_head_moves_while_it_is_live_and_holds_still_while_paused(head: bpy.types.Object, short: Path) -> None:
    task = live.LiveTask(bpy.context.scene, head, str(short), EstimatorOptions(device="cpu"), AS_RECORDED)
    task.start()
    try:
        deadline = time.monotonic() + 60
        while task.applied < 3:
            assert task.step() and time.monotonic() < deadline
            time.sleep(0.005)
        moved = values(head)
        assert any(abs(value) > 0.02 for value in moved.values())
        task.take_neutral()
        task.paused = True
        while task.step():
            assert values(head) == moved
            time.sleep(0.005)
    finally:
        task.cancel()


def test_smoothing_calms_the_head_and_not_the_recording(head: bpy.types.Object) -> None:
    task = live.LiveTask(bpy.context.scene, head, "camera:0", EstimatorOptions(), AS_RECORDED, smoothing=1.0)
    rest = Seen(0.0, 0.0, 1.0, (0.0,) * 29, (0.0, 0.0), (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, -900.0))
    trembling = replace(rest, time=1 / 30, eta=(0.05,) * 29)
    assert task._smoothed(rest) == rest
    shown = task._smoothed(trembling)
    assert all(0 < value < 0.05 for value in shown.eta) and shown.time == trembling.time


def test_neutral_makes_the_face_rest(head: bpy.types.Object, short: Path) -> None:
    task = live.LiveTask(bpy.context.scene, head, str(short), EstimatorOptions(device="cpu"), AS_RECORDED)
    with pytest.raises(InputError, match="No face is seen"):
        task.take_neutral()
    task.start()
    try:
        deadline = time.monotonic() + 60
        while task.applied < 2:
            assert task.step() and time.monotonic() < deadline
            time.sleep(0.005)
        task.take_neutral()
        assert task.last is not None
        task._apply(task.last)
        # A key beyond half its range keeps what is beyond. Which moment this is depends on the machine's speed.
        low, high = open_bounds().T / 2
        near = (np.array(task.last.eta) >= low) & (np.array(task.last.eta) <= high)
        shown = values(head)
        assert near.sum() > 10
        assert max(abs(shown[name]) for name, rests in zip(OPEN_KEYS, near) if rests) < 1e-3
    finally:
        task.cancel()


def test_the_operator_runs_to_the_end_of_a_file(head: bpy.types.Object, short: Path) -> None:
    settings = bpy.context.scene.expnet
    settings.live.kind = "FILE"
    assert not bpy.ops.expnet.live.poll()
    settings.source = str(short)
    settings.live.record = True
    assert bpy.ops.expnet.live() == {"FINISHED"}
    assert take_of(head) is not None
    assert not bpy.ops.expnet.live_stop.poll() and not bpy.ops.expnet.live_pause.poll()


def test_a_camera_that_is_not_there_changes_nothing(head: bpy.types.Object) -> None:
    settings = bpy.context.scene.expnet
    settings.live.kind, settings.live.camera = "CAMERA", 97
    with pytest.raises(RuntimeError, match="camera:97 cannot be opened"):
        bpy.ops.expnet.live()
    assert take_of(head) is None and "camera:97" in settings.result


def test_live_on_the_command_line_records_and_sends(short: Path, tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        arguments = ["live", str(short), "--send", "vmc", "--to", f"127.0.0.1:{port}", "--device", "cpu"]
        assert headless.main([*arguments, "--performance", str(tmp_path / "live.npz")]) == 0
        assert listener.recv(2048).startswith(b"#bundle\0")
    performance = load_performance(tmp_path / "live.npz")
    assert performance.seen.sum() > 3


def test_live_says_bad_arguments_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert headless.main(["live", str(tmp_path / "none.mp4")]) == 2
    assert headless.main(["live", "camera:0", "--send", "vmc", "--to", "somewhere"]) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("expnet:")]
    assert len(lines) == 2 and "none.mp4" in lines[0] and "HOST:PORT" in lines[1]
