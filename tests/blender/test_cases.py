"""The small inputs of ``../shared/cases``, which once went wrong: what each one does now.

Each kind has tests of its own with files that they make: tests/model/sight, tests/model/formats, tests/blender/scene.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from expnet.expnet_addon import headless
from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.formats import open_face_model
from expnet.model.networks.weights.weights_file import load_weights
from expnet.model.performance.performance_files import load_performance
from expnet.model.retargeting.table import load_preset
from expnet.model.sight.images import read_image
from expnet.model.sight.video import open_clip

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")

# clip -> the frames without a picture of their own, from 0, of how many; and what the report says of it
WHOLE = {"audio_first": 72, "audio_together": 72, "cover_first": 72, "r30": 72, "vfr": 72, "hdv_like": 30, "square": 30}
HOLES = {"gap": ([10, 11, 12, 13, 14], 30), "one_dropped": ([20], 72)}
DAMAGED = {"corrupt_middle": "4 pictures cannot be decoded", "broken_tail": "the last 1.3 s are missing"}


@pytest.mark.slow
@pytest.mark.usefixtures("empty_scene")
def test_the_clips_in_one_batch(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("av")
    words = ["batch", str(CASES / "footage"), "--out", str(tmp_path), "--device", "cpu", "--jobs", "1", "--strict"]
    assert headless.main(words) == 3
    assert "9 of 11 clips done, 2 in part only" in capfd.readouterr().out

    takes = {path.stem: load_performance(path) for path in tmp_path.glob("*.npz")}
    assert set(takes) == {*WHOLE, *HOLES, *DAMAGED}
    for name, take in takes.items():
        rate = 24 if name == "gap" else 30
        frames = take.times * rate
        assert take.fps == rate and np.allclose(frames, np.rint(frames)), f"{name}: whole frames"
        told = json.loads((tmp_path / "records" / f"{name}.json").read_text())["damage"]
        assert told == take.damage and bool(told) == (name in DAMAGED) and DAMAGED.get(name, "") in told, name
    for name, count in WHOLE.items():
        assert np.rint(takes[name].times * 30).tolist() == list(range(count)), name
    for name, (holes, count) in HOLES.items():
        shown = np.rint(takes[name].times * takes[name].fps).astype(int).tolist()
        assert sorted(set(range(count)) - set(shown)) == holes, name

    jaw = OPEN_KEYS.index("jawOpen")
    wide, square = (takes[name].eta[:, jaw] for name in ("hdv_like", "square"))
    assert np.abs(wide - square).max() < 0.1, "pixels that are wider than high do not open the jaw"
    assert takes["hdv_like"].image_size == (853, 480)

    for name, take in takes.items():
        with bpy.data.libraries.load(str(tmp_path / f"{name}.blend")) as (there, here):
            here.scenes = there.scenes
        (scene,) = here.scenes
        last = round(take.times[-1] * take.fps) + 1
        assert scene.render.fps / scene.render.fps_base == take.fps, name
        assert (scene.frame_start, scene.frame_end) == (1, last), name
        if name.startswith("audio"):  # half a second before the pictures, and with them
            (strip,) = scene.sequence_editor.strips_all
            assert strip.frame_start == (-14 if name == "audio_first" else 1), name


def test_turned_photographs_stand_upright() -> None:
    turned = [read_image(CASES / "photos" / f"exif6.{kind}") for kind in ("jpg", "png", "webp")]
    assert len({image.shape for image in turned}) == 1 and turned[0].shape[0] != turned[0].shape[1]
    for image in turned[1:]:
        assert np.abs(image.astype(float) - turned[0]).mean() < 8


def _in_megabytes(read: Callable[[Path], object], path: Path) -> float:
    """Return the peak of the memory above that of before, while ``path`` is refused."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        before = _peak()
    except OSError:
        before = float("inf")
    with pytest.raises(InputError) as refusal:
        read(path)
    line = str(refusal.value)
    assert line.isprintable() and len(line) <= 300 and path.name in line
    return _peak() - before if before < float("inf") else 0.0


def _peak() -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


READERS: dict[str, Callable[[Path], object]] = {
    "*.png": read_image,
    "*.exr": open_clip,
    "*.jp2": read_image,
    "*.h5": open_face_model,
    "no_identity.npz": open_face_model,
    "surrogate.npz": open_face_model,
    "st_*": load_weights,
    "perf_*": load_performance,
    "preset_*": load_preset,
}
HOSTILE = [(pattern, path.name) for pattern in READERS for path in sorted((CASES / "hostile").glob(pattern))]


@pytest.mark.parametrize(("pattern", "name"), HOSTILE, ids=[name for _, name in HOSTILE])
def test_a_hostile_file_is_one_line_and_takes_little_memory(pattern: str, name: str) -> None:
    assert _in_megabytes(READERS[pattern], CASES / "hostile" / name) < 200


def test_every_hostile_file_has_its_reader() -> None:
    assert {name for _, name in HOSTILE} == {path.name for path in (CASES / "hostile").iterdir()}
