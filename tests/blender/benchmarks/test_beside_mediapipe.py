"""The comparison with MediaPipe: its clips, and its stopwatch."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("av")

from expnet.benchmarks import beside_mediapipe as benchmark
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.sight.video import open_clip

DEMO = OPEN_WEIGHTS.with_name("demo_clip.mp4")


def test_a_clip_is_repeated_to_as_many_frames_as_are_wanted(tmp_path: Path) -> None:
    with open_clip(DEMO) as clip:
        count = sum(1 for _ in clip) + 5
    benchmark.repeated(DEMO, tmp_path / "long.mp4", count, (160, 90))
    with open_clip(tmp_path / "long.mp4") as clip:
        assert clip.size == (160, 90)
        assert sum(1 for _ in clip) == count


def test_processor_time_is_that_of_the_program_and_of_what_it_starts() -> None:
    work = "sum(range(10**7))"
    alone = benchmark.time_of([sys.executable, "-c", work])
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}], check=True)"
    started = benchmark.time_of([sys.executable, "-c", parent])
    assert alone.processor > 0.02 and started.processor > 0.8 * alone.processor


def test_a_program_that_fails_is_not_measured() -> None:
    with pytest.raises(RuntimeError, match="out of luck"):
        benchmark.time_of([sys.executable, "-c", "raise SystemExit('out of luck')"])
