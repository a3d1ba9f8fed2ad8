"""Which engine runs the network, as whoever asks the worker sees it. All of this holds without torch, too."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.networks import engines
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.performance.performance_files import load_performance
from expnet.model.worker import __main__ as worker
from expnet.model.worker.messages import Animate, EstimatorOptions, Ping, Request, Test
from expnet.model.worker.protocol import Done, Envelope, Event, Failure, parse_event, request_line

WORKER = Path(worker.__file__)
DEMO_CLIP = OPEN_WEIGHTS.with_name("demo_clip.mp4")
HAS_TORCH = importlib.util.find_spec("torch") is not None


def answer(request: Request[Any], out: str = "") -> Event:
    """Return the worker's last event."""
    with subprocess.Popen(
        [sys.executable, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as worker:
        assert worker.stdin is not None and worker.stdout is not None
        worker.stdin.write(request_line(Envelope(request, out)) + "\n")
        worker.stdin.flush()  # and not closed, which would cancel
        event = [parse_event(line, request.result) for line in worker.stdout][-1]
    assert event is not None
    return event


def result(request: Request[Any], out: str = "") -> Any:
    """Return what the worker is done with."""
    event = answer(request, out)
    assert isinstance(event, Done), event
    return event.result


def test_ping_names_the_engines_the_fuller_first() -> None:
    assert result(Ping()).engines == (("full", "light") if HAS_TORCH else ("light",))


def test_a_test_says_what_runs_and_how_long_a_frame_takes() -> None:
    reply = result(Test(engine="light"))
    assert (reply.engine, reply.device) == ("light", "cpu")
    assert reply.version.startswith("OpenCV 4") and 0 < reply.ms < 1000 and reply.confidence > 0.9


def test_auto_is_the_full_engine_where_there_is_torch() -> None:
    assert result(Test()).engine == ("full" if HAS_TORCH else "light")
    assert engines.engine_for("auto", "cpu") == ("full" if HAS_TORCH else "light")


def test_a_clip_is_animated_by_the_light_engine(tmp_path: Path) -> None:
    out = tmp_path / "seen.npz"
    done = result(Animate(str(DEMO_CLIP), EstimatorOptions(engine="light"), last=23), str(out))
    assert (done.frames, done.seen) == (24, 24)
    seen, truth = load_performance(out), load_performance(DEMO_CLIP.with_name("demo_clip_truth.npz"))
    assert np.abs(seen.eta - truth.eta[:24]).mean() < 0.1
    off = np.abs(seen.crop - truth.crop[:24]) / truth.crop[:24, 2:3]
    # how large a crop is hangs on how large the head is, which no picture says: heads differ by a tenth
    assert off[:, :2].max() < 0.02 and off[:, 2].max() < 0.1


@pytest.mark.skipif(not HAS_TORCH, reason="compares with torch")
def test_both_engines_see_the_same_in_a_clip(tmp_path: Path) -> None:
    """But for the 16 bits that the full one convolves in where the processor has them."""
    seen = {}
    for engine in ("light", "full"):
        out = tmp_path / f"{engine}.npz"
        result(Animate(str(DEMO_CLIP), EstimatorOptions(engine=engine), last=23), str(out))
        seen[engine] = load_performance(out)
    difference = np.abs(seen["light"].eta - seen["full"].eta)
    assert difference.mean() < 0.005 and difference.max() < 0.15


def test_the_light_engine_runs_on_the_processor_only() -> None:
    reply = answer(Test(engine="light", device="cuda"))
    assert isinstance(reply, Failure) and "runs on the processor" in reply.message


def test_an_unknown_engine_is_said_in_one_line() -> None:
    with pytest.raises(InputError, match="use one of auto, full, light"):
        engines.engine_for("fast", "cpu")


def test_the_authors_networks_need_the_full_engine() -> None:
    with pytest.raises(InputError, match="need the full engine, and the light one is chosen"):
        engines.needs_full("light", "the authors' networks")
