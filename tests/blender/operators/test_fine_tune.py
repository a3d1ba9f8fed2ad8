"""Fine-Tune on This Actor: when it can be pressed, what it says of too short a clip, and what it does with a result."""

from __future__ import annotations

from pathlib import Path

import bpy
import cv2
import pytest

from expnet.expnet_addon.engine import packs
from expnet.expnet_addon.headless import main
from expnet.expnet_addon.user_files import face_models
from expnet.model.networks.weights.open_pack import DATA
from expnet.model.sight.video import open_clip
from expnet.model.worker.messages import FineTuneResult, HeldOut

BEFORE, AFTER = HeldOut(0.05, 0.04, 0.1, 1.0), HeldOut(0.04, 0.03, 0.09, 1.01)


pytestmark = pytest.mark.usefixtures("registered")


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """Too few frames of a face."""
    folder = tmp_path / "short"
    folder.mkdir()
    with open_clip(DATA / "demo_clip.mp4", 0, 3) as clip:
        for frame in clip:
            cv2.imwrite(str(folder / f"{frame.index:03d}.png"), frame.image)
    return folder


def test_it_needs_a_source_and_a_network_that_can_learn(empty_scene: bpy.types.Scene, short: Path) -> None:
    assert not bpy.ops.expnet.fine_tune.poll()
    empty_scene.expnet.source_kind, empty_scene.expnet.source_folder = "FOLDER", str(short)
    assert bpy.ops.expnet.fine_tune.poll()
    empty_scene.expnet.network = "OFFICIAL"
    assert not bpy.ops.expnet.fine_tune.poll()


def test_too_short_a_clip_is_one_line_and_changes_nothing(
    empty_scene: bpy.types.Scene, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_models, "user_folder", lambda: tmp_path / "user")
    settings = empty_scene.expnet
    settings.source_kind, settings.source_folder = "FOLDER", str(short)
    with pytest.raises(RuntimeError, match="4 frames show the face, and 100 are needed"):
        bpy.ops.expnet.fine_tune()
    assert settings.network == "OPEN"
    assert "give more clips" in settings.result
    assert not list((tmp_path / "user").rglob("*.safetensors"))


@pytest.mark.parametrize("kept", [True, False])
def test_weights_are_used_only_if_they_are_better(kept: bool, tmp_path: Path) -> None:
    used: list[str] = []
    out = str(tmp_path / "anna.safetensors")
    task = packs.fine_tune(["clip.mp4"], out, "open", 50.0, used.append)
    worse = () if kept else ("more jitter",)
    told = task._write(FineTuneResult(kept, 240, BEFORE, AFTER, "anna.svg", "anna.mp4", worse), None)
    assert used == ([out] if kept else [])
    assert ("anna.safetensors: written" in told) == kept
    assert ("Not written, the weights stay as they are. On held-out frames: more jitter" in told) != kept
    assert "anna.mp4" in told
    assert "0.050 before, 0.040 after" in told


def test_the_command_says_the_same_line(short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fine-tune", str(short), "--out", str(tmp_path / "anna.safetensors")]) == 2
    assert "4 frames show the face" in capsys.readouterr().err
    assert main(["fine-tune", str(short), "--out", str(tmp_path / "anna.pt")]) == 2
    assert ".safetensors" in capsys.readouterr().err
