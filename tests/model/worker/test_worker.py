"""The worker as a process: a request in, events out, results in files, and nothing left when it is stopped."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from expnet.model.performance.performance_files import load_performance

PACKAGE = Path(__file__).parents[3]
SHIPPED = ("__init__.py", "model")
ENOUGH = 120  # seconds for a process to end on a slow, busy machine


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as Blender unpacks it: in a folder that is not called expnet."""
    root = tmp_path_factory.mktemp("extensions") / "user default" / "näme"
    root.mkdir(parents=True)
    for name in SHIPPED:
        source = PACKAGE / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, root / name)
    return root


class Worker:
    """A running worker, spoken to over its pipes."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=environment,
        )

    def ask(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def events(self) -> Iterator[dict[str, Any]]:
        """Every line that comes; a line that is no event fails the test."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            yield json.loads(line)

    def stop_asking(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


@pytest.fixture
def start(package: Path) -> Iterator[Any]:
    running: list[Worker] = []

    def start(command: list[str] | None = None, environment: dict[str, str] | None = None) -> Worker:
        script = [sys.executable, str(package / "model" / "worker" / "__main__.py")]
        running.append(Worker(command or script, environment))
        return running[-1]

    yield start
    for worker in running:
        worker.process.kill()
        worker.process.wait()
        for pipe in (worker.process.stdin, worker.process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


@pytest.fixture
def request_of(start: Any) -> Any:
    """Ask one thing and wait: (all events, exit status)."""

    def ask(request: dict[str, Any] | str) -> tuple[list[dict[str, Any]], int]:
        worker = start()
        worker.ask(request if isinstance(request, str) else json.dumps(request))
        events = list(worker.events())
        return events, worker.process.wait(ENOUGH)

    return ask


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("footage") / "klipp å.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (160, 120))
    for i in range(30):
        writer.write(np.full((120, 160, 3), 4 * i, np.uint8))
    writer.release()
    return path


def test_ping_tells_versions_and_devices(request_of: Any) -> None:
    [done], status = request_of({"verb": "ping"})
    assert done["event"] == "done" and status == 0
    assert done["python"] == sys.version.split()[0]
    assert done["packages"]["torch"] and done["packages"]["cv2"]
    assert "cpu" in done["devices"]


def test_load_tells_whose_numbers_there_will_be(request_of: Any, untrained_weights: Path, tmp_path: Path) -> None:
    [loading, done], status = request_of({"verb": "load", "estimator": str(untrained_weights), "device": "cpu"})
    assert loading["event"] == "progress" and status == 0
    assert done["pack"]["basis"] == "open-29" and isinstance(done["notes"], list)
    *_, error = request_of({"verb": "load", "estimator": str(tmp_path / "none.safetensors")})[0]
    assert error["event"] == "error" and "none.safetensors" in error["message"]


def test_as_a_module_too(start: Any) -> None:
    worker = start([sys.executable, "-m", "expnet.model.worker"])
    worker.ask('{"verb": "ping"}')
    assert [e["event"] for e in worker.events()] == ["done"]


def test_animate_writes_a_performance(request_of: Any, clip: Path, untrained_weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "shot.npz"
    # The box is followed only if the untrained network believes in it; that every frame is accounted for is the point.
    request = {
        "verb": "animate", "clip": str(clip), "out": str(out), "estimator": str(untrained_weights), "device": "cpu",
        "box": [40, 30, 60, 60], "face": None, "first": 5, "last": 24, "lens_mm": 35,
    }  # fmt: skip
    events, status = request_of(request)
    assert status == 0
    *progress, done = events
    assert {e["event"] for e in progress} == {"progress"}
    assert progress[-1]["done"] == progress[-1]["total"] == 20
    performance = load_performance(out)
    assert performance.source == str(clip) and performance.lens_mm == 35
    assert len(performance.times) == done["frames"] == 20
    assert done["seen"] == performance.seen.sum()
    assert done["seen"] + sum(b - a + 1 for a, b in done["missing"]) == 20
    assert done["fps"] == 25.0 and done["seconds"] > 0
    assert [f.name for f in tmp_path.iterdir()] == ["shot.npz"]


def test_estimate_answers_for_every_image(request_of: Any, untrained_weights: Path, tmp_path: Path) -> None:
    good, out = tmp_path / "bilde.png", tmp_path / "estimates.npz"
    cv2.imwrite(str(good), np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8))
    (tmp_path / "bad.png").write_text("no image")
    request = {
        "verb": "estimate", "images": [str(good), str(tmp_path / "bad.png")], "out": str(out),
        "estimator": str(untrained_weights), "device": "cpu", "box": [30, 20, 90, 90],
    }  # fmt: skip
    events, status = request_of(request)
    assert status == 0
    first, second = events[-1]["estimates"]
    assert first["image"] == str(good) and len(first["eta"]) == 29 and len(first["alpha"]) == 99
    assert len(first["gaze"]) == 2 and np.shape(first["rotation"]) == (3, 3) and len(first["translation"]) == 3
    assert len(first["crop"]) == 4 and 0 <= first["confidence"] <= 1
    assert set(second) == {"image", "error"} and "not an image" in second["error"]
    with np.load(out, allow_pickle=False) as file:
        assert file["eta"].shape == (1, 29)


@pytest.mark.parametrize(
    "request_line, words",
    [
        ("{", "not JSON"),
        ("[1]", "unknown verb"),
        ('{"verb": "dance"}', "unknown verb 'dance'"),
        ('{"verb": "animate", "clip": "/nowhere.mp4"}', "needs 'out'"),
        ('{"verb": "animate", "clip": "/nowhere.mp4", "out": "/no/folder/a.npz"}', "no folder"),
        ('{"verb": "estimate", "images": ["a.png"], "estimator": "/nowhere"}', "nowhere"),
    ],
)
def test_bad_requests_are_one_line(request_of: Any, request_line: str, words: str) -> None:
    events, status = request_of(request_line)
    assert status == 2
    assert events[-1]["event"] == "error" and words in events[-1]["message"] and "\n" not in events[-1]["message"]


def test_bad_footage_is_one_line_and_leaves_nothing(request_of: Any, untrained_weights: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"not a movie at all")
    out = tmp_path / "out"
    out.mkdir()
    request = {"verb": "animate", "clip": str(tmp_path / "clip.mp4"), "out": str(out / "a.npz")}
    events, status = request_of({**request, "estimator": str(untrained_weights), "device": "cpu"})
    assert status == 2 and "not a movie" in events[-1]["message"]
    assert list(out.iterdir()) == []


def test_a_fault_of_ours_brings_its_traceback(request_of: Any, untrained_weights: Path) -> None:
    events, status = request_of({"verb": "estimate", "images": 7, "estimator": str(untrained_weights)})
    assert status == 1
    assert events[-1]["event"] == "fault" and "Traceback" in events[-1]["traceback"]


def test_what_libraries_print_does_not_reach_the_events(start: Any, package: Path) -> None:
    """Not even what C code writes to descriptor 1."""
    code = (
        "import os, runpy, sys\n"
        "os.environ['PYTHONSTARTUP'] = ''\n"
        "sys.modules['h5py'] = type(sys)('h5py')\n"
        "class Loud:\n"
        "    def __getattr__(self, name): os.write(1, b'noise from C\\n'); print('noise'); return '1'\n"
        "sys.modules['h5py'] = Loud()\n"
        f"runpy.run_path({str(package / 'model' / 'worker' / '__main__.py')!r}, run_name='__main__')\n"
    )
    worker = start([sys.executable, "-c", code])
    worker.ask('{"verb": "ping"}')
    assert [e["event"] for e in worker.events()] == ["done"]


def test_closing_stdin_cancels_and_leaves_nothing(start: Any, untrained_weights: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "long.avi", tmp_path / "out"
    out.mkdir()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (64, 48))
    for _ in range(6_000):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    worker = start()
    request = {"verb": "animate", "clip": str(path), "out": str(out / "a.npz"), "device": "cpu"}
    worker.ask(json.dumps({**request, "estimator": str(untrained_weights)}))
    events = worker.events()
    assert next(e for e in events if e["event"] != "progress" or e["done"] > 0)["event"] == "progress"
    worker.stop_asking()
    *progress, last = events
    assert (last["event"], last["message"]) == ("error", "cancelled")
    assert all(e["done"] < 3_000 for e in progress), "it stops at once, not at the clip's end"
    assert worker.process.wait(ENOUGH) == 2
    assert list(out.iterdir()) == []


def test_one_that_stays_answers_again_until_nobody_asks(start: Any, untrained_weights: Path, tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    cv2.imwrite(str(image), np.full((64, 64, 3), 90, np.uint8))
    request = {"verb": "estimate", "images": [str(image)], "estimator": str(untrained_weights), "box": [8, 8, 48, 48]}
    worker = start()
    events = worker.events()
    answers, seconds = [], []
    for stay in ({**request, "device": "nowhere"}, request, request):  # bad input is no reason to leave
        asked = time.monotonic()
        worker.ask(json.dumps({**stay, "stay": True}))
        answers.append(next(e for e in events if e["event"] != "progress"))
        seconds.append(time.monotonic() - asked)
    assert answers[0]["event"] == "error"
    assert answers[1] == answers[2] and answers[1]["event"] == "done"
    assert seconds[2] < seconds[0] + seconds[1], "neither torch nor the weights are loaded again"
    worker.stop_asking()
    assert worker.process.wait(ENOUGH) == 0


def test_nobody_asks(start: Any) -> None:
    worker = start()
    worker.stop_asking()
    assert list(worker.events()) == []
    assert worker.process.wait(ENOUGH) == 2


def test_a_python_without_torch_is_told_what_to_install(start: Any, package: Path, tmp_path: Path) -> None:
    """A torch that cannot be found, as in a Python that has none."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'torch': raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    worker = start(environment=environment)
    worker.ask('{"verb": "estimate", "images": ["a.png"]}')
    [error] = [e for e in worker.events() if e["event"] != "progress"]
    assert error["event"] == "error" and "pip install torch" in error["message"]
    worker = start(environment=environment)
    worker.ask('{"verb": "ping"}')
    [done] = list(worker.events())
    assert done["packages"]["torch"] is None


def test_progress_comes_at_most_ten_times_a_second() -> None:
    import io

    from expnet.model.worker.server import Channel

    stream = io.StringIO()
    channel = Channel(stream)
    began = time.monotonic()
    for i in range(10_000):
        channel.progress(i, None)
    channel.progress(10_000, 10_000)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(events) <= 3 + 10 * (time.monotonic() - began)
    assert events[0]["done"] == 0 and events[-1]["done"] == 10_000
