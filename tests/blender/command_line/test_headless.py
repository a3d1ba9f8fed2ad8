"""The command line: what it writes, what it says, and that bad input is one line, exit status 2 and no file."""

from __future__ import annotations

import csv
import json
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import bpy
import cv2
import numpy as np
import pytest

from expnet.expnet_addon import headless
from expnet.expnet_addon.scene import rig
from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.formats.npz import OPEN_HEAD, load_face_model, save_face_model
from expnet.model.performance.live_link import read_live_link
from expnet.model.performance.performance_files import load_performance

BOX = ["--box", "40", "30", "60", "60"]  # about the disc
FRAMES = 9


def run(*arguments: object) -> int:
    return headless.main([str(a) for a in arguments])


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]):
    """Return what the command line said on stderr, one item per line."""

    def lines() -> list[str]:
        return [line for line in capfd.readouterr().err.splitlines() if not line.startswith("EGL Error")]

    return lines


# What the verbs write -----------------------------------------------------------------------------------------------


def test_estimate_prints_a_table_and_writes_json(
    image: Path, sees_a_face: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("estimate", image, image, "--estimator", sees_a_face, *BOX, "--json", tmp_path / "face.json") == 0
    table = capfd.readouterr().out.splitlines()
    assert table[0].split() == ["disc.png", "disc.png"]
    assert {line.split()[0] for line in table[1:]} >= {"jawOpen", "lid_L", "confidence"}
    first, second = json.loads((tmp_path / "face.json").read_text())["estimates"]
    assert first == second
    assert tuple(first["eta"]) == OPEN_KEYS
    assert first["image"] == str(image)
    assert np.shape(first["rotation"]) == (3, 3)


def test_estimate_reads_a_folder_of_images_into_a_table_with_a_row_for_each(
    image: Path, sees_a_face: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(1, 11):
        shutil.copy(image, folder / f"{number}.png")
    (folder / "3.png").write_bytes(image.read_bytes()[:200])
    (folder / "notes.txt").write_text("no picture")
    assert run("estimate", folder, "--estimator", sees_a_face, *BOX, "--csv", tmp_path / "faces.csv") == 2
    said = capfd.readouterr()
    assert "3.png" in said.err and "(1 of 10 images failed)" in said.err
    assert [line.split()[0] for line in said.out.splitlines()[1:]] == [f"{n}.png" for n in (1, 2, *range(4, 11))]
    with (tmp_path / "faces.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["image"]).name for row in rows] == [f"{n}.png" for n in range(1, 11)]
    assert rows[2]["error"] and not rows[2]["jawOpen"] and not rows[0]["error"]
    assert {*OPEN_KEYS, "gaze_yaw", "head_pitch", "head_z", "crop_side", "alpha_99", "confidence"} <= set(rows[0])


@pytest.mark.slow
def test_animate_writes_the_scene_the_video_and_the_numbers(clip: Path, sees_a_face: Path, tmp_path: Path) -> None:
    shot, video = tmp_path / "shot.blend", tmp_path / "shot.mp4"
    tables = [tmp_path / f"shot.{kind}" for kind in ("csv", "json", "npz")]
    wanted = [item for table in tables for item in ("--performance", table)]
    assert run("animate", clip, "--estimator", sees_a_face, *BOX, "--out", shot, "--render", video, *wanted) == 0
    assert {p.name for p in tmp_path.iterdir()} == {"shot.blend", "shot.mp4", "shot.csv", "shot.json", "shot.npz"}

    performance = load_performance(tables[2])
    assert len(performance.times) == FRAMES
    assert performance.fps == 25
    with tables[0].open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == FRAMES
    assert float(rows[3]["jawOpen"]) == pytest.approx(performance.eta[3, OPEN_KEYS.index("jawOpen")], abs=1e-4)
    assert len(json.loads(tables[1].read_text())["frames"]) == FRAMES

    movie = cv2.VideoCapture(str(video))
    assert [movie.get(p) for p in (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FRAME_WIDTH)] == [FRAMES, 320]

    bpy.ops.wm.open_mainfile(filepath=str(shot))
    scene = bpy.context.scene
    (head,) = rig.rigs_in(scene)
    assert scene.render.fps / scene.render.fps_base == 25
    assert (scene.frame_start, scene.frame_end) == (1, FRAMES)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (160, 120)
    assert scene.camera.data.background_images[0].clip.filepath
    assert np.abs(np.array(head["alpha"]) - performance.alpha).max() < 1e-5
    for frame in (1, 5, FRAMES):
        scene.frame_set(frame)
        shown = head.data.shape_keys.key_blocks["jawOpen"].value
        assert shown == pytest.approx(performance.eta[frame - 1, OPEN_KEYS.index("jawOpen")], abs=1e-4)


def test_part_of_a_clip_without_smoothing_identity_or_its_frame_rate(
    clip: Path, sees_a_face: Path, tmp_path: Path
) -> None:
    shot = tmp_path / "shot.blend"
    options = ["--first", 2, "--last", 5, "--smoothing", 0, "--no-identity", "--fps", "keep"]
    assert run("animate", clip, "--estimator", sees_a_face, *BOX, "--out", shot, *options) == 0
    bpy.ops.wm.open_mainfile(filepath=str(shot))
    scene = bpy.context.scene
    (head,) = rig.rigs_in(scene)
    np.testing.assert_array_equal(head["alpha"], rig.rig_model(head).average_alpha)
    assert scene.render.fps == 24
    assert scene.frame_end == 250
    # The part starts where the scene does. The footage is behind the head, so the keys lie on its frames.
    keyed = head.data.shape_keys.animation_data.action.frame_range
    assert list(keyed) == pytest.approx([1, 4], abs=1e-3)


def test_the_actors_own_neutral(clip: Path, sees_a_face: Path, tmp_path: Path) -> None:
    """Frame 3 of the clip becomes the head's rest, though the clip is read from frame 1 on."""
    shot, numbers, raw = (tmp_path / name for name in ("shot.blend", "shot.npz", "raw.npz"))
    common = ["animate", clip, "--estimator", sees_a_face, *BOX, "--first", 1]
    assert run(*common, "--neutral", 3, "--out", shot, "--performance", numbers) == 0
    assert run(*common, "--performance", raw) == 0
    performance = load_performance(numbers)
    assert np.abs(performance.eta[2]).max() < 1e-6 and np.abs(performance.neutral).max() > 1e-3
    np.testing.assert_allclose(performance.neutral, load_performance(raw).eta[2], atol=1e-6)
    bpy.ops.wm.open_mainfile(filepath=str(shot))
    (head,) = rig.rigs_in(bpy.context.scene)
    bpy.context.scene.frame_set(3)
    shown = {key.name: key.value for key in head.data.shape_keys.key_blocks if key.name in OPEN_KEYS}
    assert len(shown) == 29 and max(map(abs, shown.values())) < 1e-6


@pytest.mark.parametrize(("neutral", "why"), [("calm", "is not none, auto or a frame"), ("0", "was not read")])
def test_a_neutral_that_cannot_be(
    clip: Path, sees_a_face: Path, tmp_path: Path, neutral: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--first", 1, "--neutral", neutral, "--performance", tmp_path / "a.csv"]
    assert run("animate", clip, "--estimator", sees_a_face, *BOX, *options) == 2
    assert why in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_of_images_is_a_clip(image_folder: Path, sees_a_face: Path, tmp_path: Path) -> None:
    shot, numbers = tmp_path / "shot.blend", tmp_path / "shot.npz"
    wanted = ["--out", shot, "--performance", numbers]
    assert run("animate", image_folder, "--estimator", sees_a_face, *BOX, *wanted) == 0
    assert len(load_performance(numbers).times) == FRAMES
    bpy.ops.wm.open_mainfile(filepath=str(shot))
    shown = bpy.context.scene.camera.data.background_images[0].clip
    assert Path(bpy.path.abspath(shown.filepath)).name == "disc_8.png"


@pytest.mark.parametrize(("asked", "rate"), [([], 24.0), (["--fps", "12.5"], 12.5), (["--fps", "keep"], 24.0)])
def test_images_have_the_rate_that_is_said(
    asked: list[str], rate: float, image_folder: Path, sees_a_face: Path, tmp_path: Path, capfd
) -> None:
    shot, numbers = tmp_path / "shot.blend", tmp_path / "shot.npz"
    outputs = ["--out", shot, "--performance", numbers]
    assert run("animate", image_folder, "--estimator", sees_a_face, *BOX, *outputs, *asked) == 0
    assert load_performance(numbers).fps == rate
    warned = "The images are taken at 24 frames a second: --fps N says otherwise" in capfd.readouterr().out
    assert warned == (asked != ["--fps", "12.5"])
    bpy.ops.wm.open_mainfile(filepath=str(shot))
    render = bpy.context.scene.render
    assert render.fps / render.fps_base == pytest.approx(rate)


def test_a_movie_at_another_rate_is_played_frame_for_frame(clip: Path, sees_a_face: Path, tmp_path: Path) -> None:
    shot = tmp_path / "shot.blend"
    assert run("animate", clip, "--estimator", sees_a_face, *BOX, "--out", shot, "--fps", 50) == 0
    bpy.ops.wm.open_mainfile(filepath=str(shot))
    scene = bpy.context.scene
    (head,) = rig.rigs_in(scene)
    assert scene.render.fps == 50
    assert list(head.data.shape_keys.animation_data.action.frame_range) == pytest.approx([1, FRAMES], abs=1e-3)
    assert scene.frame_end == FRAMES


def test_a_video_alone_can_be_asked_for(clip: Path, sees_a_face: Path, tmp_path: Path) -> None:
    assert run("animate", clip, "--estimator", sees_a_face, *BOX, "--last", 1, "--render", tmp_path / "a.mp4") == 0
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_animate_writes_gltf_and_a_recording(clip: Path, sees_a_face: Path, tmp_path: Path) -> None:
    seeing = ["--estimator", sees_a_face, *BOX, "--last", 3]
    outputs = ["--out", tmp_path / "shot.glb", "--live-link", tmp_path / "shot.csv"]
    assert run("animate", clip, *seeing, *outputs) == 0
    assert (tmp_path / "shot.glb").read_bytes()[:4] == b"glTF"
    assert len(read_live_link(tmp_path / "shot.csv", fps=25.0).times) == 4


def test_rig_writes_a_head_of_the_users_own_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = load_face_model(OPEN_HEAD)
    save_face_model(model, tmp_path / "mine.npz")
    (tmp_path / "out").mkdir()
    assert run("rig", "--face-model", tmp_path / "mine.npz", "--out", tmp_path / "out" / "head.blend") == 0
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out" / "head.blend"))
    (head,) = rig.rigs_in(bpy.context.scene)
    assert rig.rig_model(head).vertex_count == model.vertex_count
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["head.blend"]


def test_an_output_replaces_an_older_one(image: Path, sees_a_face: Path, tmp_path: Path) -> None:
    old = tmp_path / "face.json"
    old.write_text("old")
    assert run("estimate", image, "--estimator", sees_a_face, *BOX, "--json", old) == 0
    assert json.loads(old.read_text())["estimates"]


# The other ways in ----------------------------------------------------------------------------------------------------


def test_the_file_runs_by_its_path_as_blender_runs_it(image: Path, sees_a_face: Path, tmp_path: Path) -> None:
    """``blender -b --python headless.py -- estimate …`` leaves Blender's own arguments before ``--``."""
    command = [sys.executable, "-P", headless.__file__, "-b", "--", "estimate", image, "--estimator", sees_a_face, *BOX]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "jawOpen" in done.stdout
    done = subprocess.run([*command[:4], "--", "estimate"], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2
    assert done.stderr.startswith("expnet: the following arguments are required: IMAGE")


def test_python_dash_m(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-P", "-m", "expnet", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in ("estimate", "animate", "rig"))


def test_estimate_needs_no_blender(image: Path, sees_a_face: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['bpy'] = None; from expnet.expnet_addon.headless import main; sys.exit(main())"
    see = ["--estimator", str(sees_a_face), *BOX]
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run([*command, "estimate", image, *see], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Bad input ------------------------------------------------------------------------------------------------------------


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def bad_clips(folder: Path, clip: Path) -> dict[str, Path]:
    whole = clip.read_bytes()
    files = {
        "missing": None,
        "empty": b"",
        "truncated": whole[: len(whole) // 3],
        "text": b"INT. KITCHEN - DAY\n" * 100,
        "zip": b"PK\x03\x04" + bytes(200),
    }
    for name, content in files.items():
        if content is not None:
            (folder / f"{name}.mp4").write_bytes(content)
    (folder / "no_images").mkdir()
    return {name: folder / f"{name}.mp4" for name in files} | {"no_images": folder / "no_images"}


@pytest.mark.parametrize("kind", ["missing", "empty", "truncated", "text", "zip", "no_images"])
def test_a_clip_that_is_none(kind: str, clip: Path, sees_a_face: Path, tmp_path: Path, said) -> None:
    bad = bad_clips(tmp_path, clip)[kind]
    before = snapshot(tmp_path)
    outputs = ["--out", tmp_path / "a.blend", "--render", tmp_path / "a.mp4", "--performance", tmp_path / "a.npz"]
    assert run("animate", bad, "--estimator", sees_a_face, *outputs) == 2
    (line,) = said()
    assert bad.name in line
    assert snapshot(tmp_path) == before


def test_a_clip_without_a_face(clip: Path, sees_no_face: Path, tmp_path: Path, said) -> None:
    assert run("animate", clip, "--estimator", sees_no_face, *BOX, "--out", tmp_path / "a.blend") == 2
    (line,) = said()
    assert "no face was found in 'disc.mp4'" in line
    assert not list(tmp_path.iterdir())


def bad_image(kind: str, folder: Path, image: Path) -> Path:
    path = folder / f"{kind}.png"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        path.write_bytes(image.read_bytes()[:300])
    elif kind == "text":
        path.write_text("not an image")
    elif kind == "one_pixel":
        cv2.imwrite(str(path), np.zeros((1, 1, 3), np.uint8))
    elif kind == "huge":
        path.write_bytes(huge_png())
    return path


def huge_png() -> bytes:
    """20,000 x 20,000 pixels, which would unpack from 1 MB to 1.2 GB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    row = bytes(1 + 20_000 * 3)
    pixels = b"".join(packer.compress(row) for _ in range(20_000)) + packer.flush()
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["missing", "empty", "truncated", "text", "one_pixel", "huge"])
def test_an_image_that_cannot_be_used(kind: str, image: Path, sees_a_face: Path, tmp_path: Path, said) -> None:
    bad = bad_image(kind, tmp_path, image)
    before = snapshot(tmp_path)
    assert run("estimate", bad, "--estimator", sees_a_face, "--json", tmp_path / "a.json") == 2
    (line,) = said()
    assert bad.name in line
    after = snapshot(tmp_path)
    written = json.loads(after.pop("a.json", b'{"estimates": [{"error": ""}]}'))  # other images may have been fine
    assert "error" in written["estimates"][0]
    assert after == before


@pytest.mark.parametrize("kind", ["sixteen_bit", "grey", "alpha"])
def test_an_image_of_another_depth_is_read(kind: str, image: Path, sees_a_face: Path, tmp_path: Path) -> None:
    picture = cv2.imread(str(image))
    other = {
        "sixteen_bit": picture.astype(np.uint16) * 257,
        "grey": cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY),
        "alpha": cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA),
    }[kind]
    cv2.imwrite(str(tmp_path / "a.png"), other)
    assert run("estimate", tmp_path / "a.png", "--estimator", sees_a_face, *BOX) == 0


def bad_weights(folder: Path, weights: Path) -> dict[str, Path]:
    whole = weights.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    files = {
        "missing": None,
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "pickle": b"\x80\x02}q\x00X\x07\x00\x00\x00weightsq\x01]q\x02G?\xf0\x00\x00\x00\x00\x00\x00as.",
        "torch_zip": b"PK\x03\x04" + bytes(100),
        "broken_header": whole[:8] + b"{" * length + whole[8 + length :],
        "long_header": (2**40).to_bytes(8, "little") + whole[8:],
    }
    for name, content in files.items():
        if content is not None:
            (folder / f"{name}.safetensors").write_bytes(content)
    return {name: folder / f"{name}.safetensors" for name in files}


@pytest.mark.parametrize(
    "kind", ["missing", "empty", "truncated", "pickle", "torch_zip", "broken_header", "long_header"]
)
def test_weights_that_cannot_be_trusted(kind: str, image: Path, sees_a_face: Path, tmp_path: Path, said) -> None:
    bad = bad_weights(tmp_path, sees_a_face)[kind]
    before = snapshot(tmp_path)
    assert run("estimate", image, "--estimator", bad, *BOX) == 2
    (line,) = said()
    assert bad.name in line
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "half_npz"])
def test_a_face_model_of_another_kind(kind: str, tmp_path: Path, said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    content = {"missing": None, "empty": b"", "text": b"a face", "half_npz": OPEN_HEAD.read_bytes()[:9999]}
    bad = tmp_path / "face.mat"
    if content[kind] is not None:
        bad.write_bytes(content[kind])
    before = snapshot(tmp_path)
    assert run("rig", "--face-model", bad, "--out", tmp_path / "a.blend") == 2
    (line,) = said()
    assert "face.mat" in line
    assert snapshot(tmp_path) == before


def test_a_head_of_another_basis_is_refused_before_the_long_work(clip: Path, tmp_path: Path, said) -> None:
    from dataclasses import replace

    model = load_face_model(OPEN_HEAD)
    save_face_model(replace(model, basis="3ddfa-29", name="other"), tmp_path / "other.npz")
    assert run("animate", clip, "--face-model", tmp_path / "other.npz", "--out", tmp_path / "a.blend") == 2
    (line,) = said()
    assert "3ddfa-29" in line and "open-29" in line


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("nowhere/a.blend", "there is no folder"),
        ("a.mp4", "does not end in .blend"),
        ("folder.blend", "is a folder"),
        ("/proc/a.blend", "cannot be written to"),
    ],
)
def test_an_output_that_cannot_be_written_is_found_out_first(
    output: str, reason: str, clip: Path, tmp_path: Path, said, monkeypatch: pytest.MonkeyPatch
) -> None:
    if output.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("a folder in which nobody can write")
    monkeypatch.setenv("EXPNET_PYTHON", "/no/worker/was/started")
    monkeypatch.setattr("expnet.expnet_addon.engine.jobs.NEEDED", {})
    (tmp_path / "folder.blend").mkdir()
    assert run("animate", clip, "--out", tmp_path / output) == 2
    (line,) = said()
    assert reason in line


def test_the_clip_is_never_overwritten(clip: Path, tmp_path: Path, said) -> None:
    own = tmp_path / "own.mp4"
    shutil.copyfile(clip, own)
    assert run("animate", own, "--render", own) == 2
    assert "also the input" in said()[0]
    assert own.read_bytes() == clip.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "VERB"),
        (["dance"], "invalid choice"),
        (["animate"], "CLIP"),
        (["animate", "a.mp4"], "nothing to write"),
        (["animate", "a.mp4", "--out", "a.blend", "--smoothing", "much"], "much is not between 0 and 1"),
        (["animate", "a.mp4", "--out", "a.blend", "--device", "abacus"], "abacus"),
        (["animate", "a.mp4", "--out", "a.blend", "--fps", "0"], "0 is not clip, keep or a rate"),
        (["batch", "a", "--out", "b", "--fps", "nan"], "nan is not clip, keep or a rate"),
        (["animate", "a.mp4", "--out", "a.blend", "--lens", "0"], "0 is no focal length"),
        (["animate", "a.mp4", "--out", "a.blend", "--face", "-1"], "-1 is less than 0"),
        (["animate", "a.mp4", "--out", "a.blend", "--first", "-1"], "-1 is less than 0"),
        (["batch", "a", "--out", "b", "--smoothing", "7"], "7 is not between 0 and 1"),
        (["batch", "a", "--out", "b", "--neutral", "calm"], "calm is not none, auto or a frame"),
        (["batch", "a", "--out", "b", "--height", "1000000"], "1000000 is more than 16384"),
        (["animate", "a.mp4", "--out", "a.blend", "--box", "1", "2"], "--box"),
        (["animate", "a.mp4", "--out", "a.blend", "--box", "1", "2", "3", "4", "--face", "1"], "not allowed"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], reason: str, said) -> None:
    assert run(*arguments) == 2
    (line,) = said()
    assert reason in line


@pytest.mark.parametrize("box", ["0 0 0 0", "0 0 -5 10", "nan 0 10 10"])
def test_a_box_that_is_none(box: str, image: Path, sees_a_face: Path, said) -> None:
    assert run("estimate", image, "--estimator", sees_a_face, "--box", *box.split()) == 2
    assert len(said()) == 1


def test_a_fault_of_ours_says_so_with_its_traceback(monkeypatch: pytest.MonkeyPatch, said) -> None:
    monkeypatch.setattr("expnet.expnet_addon.command_line.heads.rig", lambda a: 1 / 0)
    assert run("rig", "--out", "a.blend") == 1
    lines = said()
    assert lines[0].startswith("Traceback")
    assert lines[-1] == "expnet: a fault of ours: division by zero"


def test_a_worker_that_dies_is_one_line(image: Path, tmp_path: Path, said, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho out of memory >&2\nkill -9 $$\n")
    python.chmod(0o755)
    monkeypatch.setattr("expnet.expnet_addon.engine.jobs.NEEDED", {})
    monkeypatch.setenv("EXPNET_PYTHON", str(python))
    assert run("estimate", image) == 1
    assert said() == ["expnet: The worker was killed (signal 9): out of memory"]
    assert [path.name for path in tmp_path.iterdir()] == ["python"]
