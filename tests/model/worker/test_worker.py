"""The worker as a process: a request in, events out, results in files, and nothing left when it is stopped."""

import base64
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.performance.performance_files import load_performance
from expnet.model.worker import handlers, protocol
from expnet.model.worker.chosen_estimator import EstimatorCache
from expnet.model.worker.messages import Animate, Estimate, EstimatorOptions, ImageRequest, Load, Ping, Request
from expnet.model.worker.protocol import Done, Envelope, Event, Failure, Look, Progress, parse_event, request_line
from expnet.model.worker.server import Channel, answer

PACKAGE = Path(__file__).parents[3]
SHIPPED = ("__init__.py", "model")
DEMO = PACKAGE / "model" / "data" / "demo_clip.mp4"
ENOUGH = 120  # seconds for a process to end on a slow, busy machine


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the package as Blender unpacks it: in a folder that is not called expnet."""
    root = tmp_path_factory.mktemp("extensions") / "user default" / "näme"
    root.mkdir(parents=True)
    for name in SHIPPED:
        source = PACKAGE / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, root / name)
    return root


class Worker:
    """A running worker, spoken to over its pipes."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        self._result: type = Ping.result
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=environment,
        )

    def ask(self, request: Request[Any], out: str = "", stay: bool = False) -> None:
        self._result = request.result
        self.write(request_line(Envelope(request, out, stay)))

    def write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def events(self) -> Iterator[Event]:
        """Every line that comes; a line that is no event fails the test."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = parse_event(line, self._result)
            assert event is not None, line
            yield event

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
def answer_to(start: Any) -> Any:
    """Ask one thing and wait: (all events, exit status)."""

    def ask(request: Request[Any] | str, out: object = "") -> tuple[list[Event], int]:
        worker = start()
        if isinstance(request, str):
            worker.write(request)
        else:
            worker.ask(request, str(out))
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


def options(weights: Path | str, **others: Any) -> EstimatorOptions:
    return EstimatorOptions(estimator=str(weights), device="cpu", **others)


def test_ping_tells_versions_and_devices(answer_to: Any) -> None:
    [done], status = answer_to(Ping())
    assert isinstance(done, Done) and status == 0
    assert done.result.python == sys.version.split()[0]
    assert done.result.packages["torch"] and done.result.packages["cv2"]
    assert "cpu" in done.result.devices


def test_load_tells_whose_numbers_there_will_be(answer_to: Any, untrained_weights: Path, tmp_path: Path) -> None:
    [loading, done], status = answer_to(Load(options(untrained_weights)))
    assert isinstance(loading, Progress) and status == 0
    assert done.result.pack.basis == "open-29"
    *_, failure = answer_to(Load(options(tmp_path / "none.safetensors")))[0]
    assert isinstance(failure, Failure) and "none.safetensors" in failure.message and not failure.fault


def test_as_a_module_too(start: Any) -> None:
    worker = start([sys.executable, "-m", "expnet.model.worker"])
    worker.ask(Ping())
    assert [type(event) for event in worker.events()] == [Done]


def test_animate_writes_a_performance(answer_to: Any, clip: Path, untrained_weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "shot.npz"
    # The box is followed only if the untrained network believes in it; that every frame is accounted for is the point.
    request = Animate(str(clip), options(untrained_weights, box=(40, 30, 60, 60), lens_mm=35.0), first=5, last=24)
    events, status = answer_to(request, out)
    assert status == 0
    *progress, done = events
    assert {type(event) for event in progress} == {Progress}
    assert progress[-1].done == progress[-1].total == 20
    performance, result = load_performance(out), done.result
    assert performance.source == str(clip) and performance.lens_mm == 35
    assert len(performance.times) == result.frames == 20
    assert result.seen == performance.seen.sum()
    assert result.seen + sum(b - a + 1 for a, b in result.missing) == 20
    assert result.fps == 25.0 and result.seconds > 0
    assert [f.name for f in tmp_path.iterdir()] == ["shot.npz"]


def test_estimate_answers_for_every_image(answer_to: Any, untrained_weights: Path, tmp_path: Path) -> None:
    good = tmp_path / "bilde.png"
    cv2.imwrite(str(good), np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8))
    (tmp_path / "bad.png").write_text("no image")
    images = (ImageRequest(str(good)), ImageRequest(str(tmp_path / "bad.png")))
    events, status = answer_to(Estimate(images, options(untrained_weights, box=(30, 20, 90, 90))))
    assert status == 0
    first, second = events[-1].result.estimates
    assert first.image == str(good) and len(first.face.eta) == 29 and len(first.face.alpha) == 99
    assert first.face.box == (30, 20, 90, 90) and 0 <= first.face.confidence <= 1
    assert second.face is None and "not an image" in second.error


def line_of(verb: str, **fields: Any) -> str:
    return json.dumps({"version": protocol.VERSION, "verb": verb, "request": fields})


@pytest.mark.parametrize(
    "request_line, words",
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        (line_of("dance"), 'unknown verb "dance"'),
        ('{"verb": "ping", "request": {}}', "version null"),
        (line_of("animate", clip="/nowhere.mp4"), "missing field 'options'"),
        (line_of("animate", clip="/nowhere.mp4", options={}), "give 'out'"),
        (line_of("estimate", images=7, options={}), "field 'images' is 7, not a list"),
        (line_of("ping", loud=True), 'unknown field "loud"'),
        (line_of("estimate", images=[{"image": "a.png"}], options={"estimator": "/nowhere"}), "nowhere"),
    ],
)
def test_bad_requests_are_one_line(answer_to: Any, request_line: str, words: str) -> None:
    events, status = answer_to(request_line)
    assert status == 2
    assert isinstance(events[-1], Failure) and words in events[-1].message and "\n" not in events[-1].message


def test_a_place_that_cannot_be_written_is_one_line(answer_to: Any) -> None:
    [failure], status = answer_to(Animate("/nowhere.mp4", EstimatorOptions()), "/no/folder/a.npz")
    assert status == 2 and "no folder" in failure.message


def test_bad_footage_is_one_line_and_leaves_nothing(answer_to: Any, untrained_weights: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"not a movie at all")
    out = tmp_path / "out"
    out.mkdir()
    events, status = answer_to(Animate(str(tmp_path / "clip.mp4"), options(untrained_weights)), out / "a.npz")
    assert status == 2 and "not a movie" in events[-1].message
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(("raised", "status"), [(KeyError("eta"), 1), (InputError("no such face"), 2)])
def test_a_fault_of_ours_brings_its_traceback(raised: Exception, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(request: Ping, work: object) -> None:
        raise raised

    monkeypatch.setitem(handlers.HANDLERS, Ping, broken)
    stream = io.StringIO()
    assert answer(request_line(Envelope(Ping())), Channel(stream), EstimatorCache()) == (status, False)
    failure = parse_event(stream.getvalue(), Ping.result)
    assert isinstance(failure, Failure) and failure.fault == (status == 1)
    assert ("Traceback" in failure.traceback) == failure.fault


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
    worker.ask(Ping())
    assert [type(event) for event in worker.events()] == [Done]


def test_closing_stdin_cancels_and_leaves_nothing(start: Any, untrained_weights: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "long.avi", tmp_path / "out"
    out.mkdir()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (64, 48))
    for _ in range(6_000):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    worker = start()
    worker.ask(Animate(str(path), options(untrained_weights)), str(out / "a.npz"))
    events = worker.events()
    assert isinstance(next(e for e in events if not isinstance(e, Progress) or e.done > 0), Progress)
    worker.stop_asking()
    *progress, last = events
    assert last == Failure("cancelled")
    assert all(e.done < 3_000 for e in progress), "it stops at once, not at the clip's end"
    assert worker.process.wait(ENOUGH) == 2
    assert list(out.iterdir()) == []


def test_one_that_stays_answers_again_until_nobody_asks(start: Any, untrained_weights: Path, tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    cv2.imwrite(str(image), np.full((64, 64, 3), 90, np.uint8))
    chosen = options(untrained_weights, box=(8, 8, 48, 48))
    worker = start()
    events = worker.events()
    answers, seconds = [], []
    for asked in (replace(chosen, device="nowhere"), chosen, chosen):  # bad input is no reason to leave
        began = time.monotonic()
        worker.ask(Estimate((ImageRequest(str(image)),), asked), stay=True)
        answers.append(next(event for event in events if not isinstance(event, Progress)))
        seconds.append(time.monotonic() - began)
    assert isinstance(answers[0], Failure)
    assert answers[1] == answers[2] and isinstance(answers[1], Done)
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
    worker.ask(Estimate((ImageRequest("a.png"),), EstimatorOptions()))
    [failure] = [event for event in worker.events() if not isinstance(event, Progress)]
    assert isinstance(failure, Failure) and "pip install torch" in failure.message
    worker = start(environment=environment)
    worker.ask(Ping())
    [done] = list(worker.events())
    assert done.result.packages["torch"] is None


def test_progress_comes_at_most_ten_times_a_second() -> None:
    stream = io.StringIO()
    channel = Channel(stream)
    began = time.monotonic()
    for i in range(10_000):
        channel.progress(i, None)
    channel.progress(10_000, 10_000)
    events = [parse_event(line, Ping.result) for line in stream.getvalue().splitlines()]
    assert len(events) <= 3 + 10 * (time.monotonic() - began)
    assert (events[0], events[-1]) == (Progress(), Progress(10_000, 10_000))


def test_a_look_is_taken_only_a_few_times_a_second_and_only_to_be_sent() -> None:
    stream, taken = io.StringIO(), []

    def look() -> Look:
        taken.append(time.monotonic())
        return Look("", 0, (("jawOpen", 0.5),))

    channel = Channel(stream)
    began = time.monotonic()
    while time.monotonic() - began < 0.8:
        channel.progress(1, None, "watching", look)
    events = [parse_event(line, Ping.result) for line in stream.getvalue().splitlines()]
    sent = [event for event in events if isinstance(event, Progress) and event.look is not None]
    assert 2 <= len(sent) == len(taken) <= 4
    assert sent[0].look == Look("", 0, (("jawOpen", 0.5),))


def test_the_reader_shows_the_face_its_crop_and_its_keys(start: Any, tmp_path: Path) -> None:
    worker = start()
    worker.ask(Animate(str(DEMO), EstimatorOptions(), 0, 11), str(tmp_path / "out.npz"))
    looks = [event.look for event in worker.events() if isinstance(event, Progress) and event.look is not None]
    assert looks
    look = looks[0]
    picture = np.frombuffer(base64.b64decode(look.pixels), np.uint8).reshape(look.size, look.size, 3)
    assert picture.std() > 10
    edge = round(look.size * (1 - 1 / handlers.LOOK_AROUND) / 2)
    assert (picture[edge, edge : look.size - edge] == handlers.LOOK_LINE).all()
    assert set(dict(look.keys)) == set(OPEN_KEYS)
    strengths = [abs(value) for _, value in look.keys]
    assert strengths == sorted(strengths, reverse=True)
