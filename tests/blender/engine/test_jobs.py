"""The worker process as the add-on sees it: which Python it runs in, and what is left when it ends, fails or dies."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from expnet.expnet_addon.engine import jobs
from expnet.expnet_addon.engine.jobs import Job, WorkerFault
from expnet.model.errors import InputError
from expnet.model.worker.messages import Convert, Ping, PingResult
from expnet.model.worker.protocol import Done, Progress, event_line

OPEN_HEAD = Path(jobs.__file__).parents[2] / "model" / "data" / "open_head.npz"
CONVERT = Convert(str(OPEN_HEAD))
PONG = event_line(Done(PingResult("3.11.0", "python", {}, (), (), gpus=42)))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a Blender whose own Python has neither torch nor OpenCV."""
    monkeypatch.setattr(jobs, "NEEDED", {"full": ("no_such_module_anywhere",), "light": ("nor_this_one",)})
    monkeypatch.delenv("EXPNET_PYTHON", raising=False)


def test_the_worker_runs_in_this_python_where_it_has_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPNET_PYTHON", "/not/looked/at")
    assert jobs.worker_python() == sys.executable


@pytest.mark.usefixtures("without_torch")
def test_else_in_the_one_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPNET_PYTHON", sys.executable)
    assert jobs.worker_python() == sys.executable


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("named", ["~no-user-of-this-name/python", "/" + 300 * "x"])
def test_a_python_that_cannot_be_is_one_line(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    with pytest.raises(InputError, match="not a Python interpreter"):
        jobs.worker_python(named)
    monkeypatch.setenv("EXPNET_PYTHON", named)
    with pytest.raises(InputError, match="not a Python interpreter"):
        jobs.worker_python()


def test_else_in_this_one_where_opencv_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a Blender with the wheel of a per-platform zip."""
    monkeypatch.setattr(jobs, "NEEDED", {"full": ("no_such_module_anywhere",), "light": ("cv2",)})
    monkeypatch.delenv("EXPNET_PYTHON", raising=False)
    assert (jobs.engine_here(), jobs.worker_python()) == ("light", sys.executable)


def test_wheels_that_only_blender_knows_of_are_shown_to_its_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An extension's wheels lie in a folder that Blender adds to its own path alone."""
    (tmp_path / "from_a_wheel.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(jobs, "NEEDED", {"light": ("from_a_wheel",)})
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    assert jobs.worker_environment(sys.executable)["PYTHONPATH"] == os.pathsep.join([str(tmp_path), "/somewhere"])
    assert jobs.worker_environment("/usr/bin/another")["PYTHONPATH"] == "/somewhere"


def test_the_preferences_come_first(tmp_path: Path) -> None:
    python = tmp_path / "python with a space"
    python.symlink_to(sys.executable)
    assert jobs.worker_python(str(python)) == str(python)


@pytest.mark.usefixtures("without_torch")
def test_without_any_python_one_line_says_what_to_do() -> None:
    with pytest.raises(InputError, match="Use This Python.*EXPNET_PYTHON") as caught:
        jobs.worker_python()
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("where", ["preferences", "environment"])
def test_a_python_that_is_not_there_is_named(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = str(tmp_path / "python")
    monkeypatch.setenv("EXPNET_PYTHON", missing)
    with pytest.raises(InputError, match=missing):
        jobs.worker_python(missing if where == "preferences" else "")


def test_a_job_ends_with_the_workers_reply_and_its_file() -> None:
    seen: list[Progress] = []
    with Job(CONVERT) as job:
        reply = job.wait(seen.append)
        assert reply.vertices > 1000
        assert job.out.stat().st_size > 100_000
        assert not job.poll()
    assert not job.folder.exists()
    assert not is_running(job.pid)
    assert {p.message for p in seen} <= {"", "reading the face model", "writing"}


def test_bad_input_comes_back_as_one_line(tmp_path: Path) -> None:
    text = tmp_path / "notes.mat"
    text.write_text("not a supported face model")
    with Job(Convert(str(text))) as job, pytest.raises(InputError, match="notes.mat") as caught:
        job.wait()
    assert "\n" not in str(caught.value)
    assert not job.folder.exists()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_worker_is_one_line_and_leaves_nothing() -> None:
    with Job(CONVERT) as job:
        os.kill(job.pid, signal.SIGKILL)
        with pytest.raises(WorkerFault, match=r"was killed \(signal 9\)") as caught:
            job.wait()
    assert "\n" not in str(caught.value)
    assert not job.folder.exists()


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for a broken Python")
def test_a_crashed_worker_is_told_with_its_last_words(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho first >&2\necho 'libcuda is broken' >&2\nexit 3\n")
    python.chmod(0o755)
    with Job(CONVERT, str(python)) as job, pytest.raises(WorkerFault) as caught:
        job.wait()
    assert str(caught.value) == "The worker stopped (exit code 3): libcuda is broken"
    assert "first" in caught.value.details


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for a broken worker")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"event": "done"}', "missing field 'result'"),
        ('{"event": "done", "result": {"python": 3}}', "missing field|is 3, not text"),
        ('{"event": "progress", "done": "half"}', "'done' is .*half.*, not a whole number"),
        ('{"event": "failure", "message": "no", "why": 1}', "unknown field .*why"),
        ('{"event": "song"}', "unknown event .*song"),
    ],
)
def test_an_answer_that_is_not_understood_ends_the_job_in_one_line(line: str, words: str, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nread request\necho '{line}'\nread request\n")
    python.chmod(0o755)
    with (
        Job(Ping(), str(python)) as job,
        pytest.raises(WorkerFault, match=f"answer is not understood: .*({words})") as caught,
    ):
        job.wait()
    assert "\n" not in str(caught.value)
    assert not job.folder.exists() and not is_running(job.pid)


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="there is no such signal on Windows")
def test_a_worker_that_reads_nothing_does_not_take_blender_along() -> None:
    """Blender leaves SIGPIPE deadly, where Python ignores it; so it is made deadly here, in a process of its own."""
    code = """
import signal, sys, time
from expnet.expnet_addon.engine import jobs
from expnet.model.worker.messages import Ping
from expnet.model.worker.protocol import Envelope
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
worker = jobs.Worker(sys.argv[1])
while worker.runs:
    time.sleep(0.01)
worker.ask(Envelope(Ping()))
print(worker.exit_reason())
worker.end()
print(signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.sigpending())
"""
    command = [sys.executable, "-c", code, shutil.which("true") or "true"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, f"it ended with {told.returncode}: {told.stderr}"
    line, signals = told.stdout.splitlines()
    assert line.endswith("is no Python: choose the program of one that has torch or OpenCV")
    assert signals == "set() set()"


def test_a_file_that_is_no_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    python = tmp_path / "python"
    python.write_bytes(b"\x00\x01")
    python.chmod(0o755)
    with pytest.raises(InputError, match="cannot be started"):
        Job(CONVERT, str(python))
    assert list(tmp_path.iterdir()) == [python]


def test_without_room_for_its_files_a_job_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no_such_folder"))
    with pytest.raises(InputError, match="No temporary folder can be made: .*no_such_folder") as caught:
        Job(CONVERT)
    assert "\n" not in str(caught.value)


def test_closing_a_job_ends_its_worker(tmp_path: Path) -> None:
    job = Job(CONVERT)
    assert is_running(job.pid)
    job.close()
    assert not is_running(job.pid)
    assert not job.folder.exists()
    job.close()


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_closing_a_job_ends_the_workers_children_too(tmp_path: Path, poll_until: Callable) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nsleep 600 &\necho $! > child\nwait\n")
    python.chmod(0o755)
    job = Job(CONVERT, str(python))
    written = job._worker.folder / "child"
    poll_until(lambda: written.exists() and written.read_text().strip())
    child = int(written.read_text())
    job.close()
    poll_until(lambda: not is_running(child) or Path(f"/proc/{child}/stat").read_text().split()[2] == "Z")


@pytest.mark.skipif(shutil.which("setsid") is None, reason="a process that leaves its group")
def test_closing_a_job_does_not_wait_for_what_got_away_with_the_pipes(tmp_path: Path) -> None:
    got_away = tmp_path / "got_away"
    python = tmp_path / "python"
    python.write_text(f"""#!/bin/sh
setsid sleep 60 &
echo $! > '{got_away}'
echo '{{"event": "progress", "done": 1}}'
wait
""")
    python.chmod(0o755)
    job = Job(CONVERT, str(python))
    while not job.progress.done:
        job.poll(timeout=0.1)
    job.close()
    pid = int(got_away.read_text())
    assert not is_running(job.pid)
    assert Path(f"/proc/{pid}/stat").read_text().split()[2] == "S", "it still sleeps"
    os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for a talkative Python")
def test_what_a_library_prints_to_stdout_does_no_harm(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"""#!/bin/sh
read request
echo 'site-packages says hello'
echo '{PONG}'
""")
    python.chmod(0o755)
    with Job(Ping(), str(python)) as job:
        assert job.wait().gpus == 42


@pytest.mark.parametrize(
    ("progress", "text", "fraction"),
    [
        (Progress(), "Starting", 0.0),
        (Progress(0, None, "loading"), "loading", 0.0),
        (Progress(5, 20, "watching"), "watching 5/20", 0.25),
        (Progress(21, 20, "watching"), "watching 21/20", 1.0),
    ],
)
def test_progress_reads_well(progress: Progress, text: str, fraction: float) -> None:
    assert str(progress) == text
    assert progress.fraction == fraction


@pytest.fixture
def keeping() -> Iterator[None]:
    jobs.keep_worker()
    yield
    jobs.end_kept_worker()


@pytest.mark.usefixtures("keeping")
def test_a_kept_worker_does_the_next_job_too(tmp_path: Path) -> None:
    with Job(CONVERT) as first:
        first.wait()
    text = tmp_path / "notes.mat"
    text.write_text("not a supported face model")
    with Job(Convert(str(text))) as bad, pytest.raises(InputError):
        bad.wait()
    with Job(CONVERT) as third:
        assert third.wait().vertices > 1000
        assert third.out.exists()
    assert first.pid == bad.pid == third.pid
    assert is_running(third.pid)
    assert not third.folder.exists()
    jobs.end_kept_worker()
    assert not is_running(third.pid)


@pytest.mark.usefixtures("keeping")
def test_a_cancelled_job_takes_its_worker_along_and_the_next_has_a_new_one() -> None:
    cancelled = Job(CONVERT)
    cancelled.close()
    assert not is_running(cancelled.pid)
    with Job(CONVERT) as job:
        assert job.wait().vertices > 1000
        assert job.pid != cancelled.pid


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.usefixtures("keeping")
def test_a_kept_worker_that_died_is_replaced() -> None:
    with Job(CONVERT) as job:
        job.wait()
    os.kill(job.pid, signal.SIGKILL)  # gone, or about to be: the next job does not mind
    with Job(CONVERT) as next_job:
        assert next_job.wait().vertices > 1000
        assert next_job.pid != job.pid


@pytest.fixture
def answers(tmp_path: Path) -> str:
    """Stands for a Python whose worker answers at once."""
    python = tmp_path / "python"
    python.write_text(f"""#!/bin/sh
while read request; do echo '{PONG}'; done
""")
    python.chmod(0o755)
    return str(python)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.usefixtures("keeping")
def test_whenever_a_kept_worker_dies_before_it_said_anything_the_job_is_done(answers: str) -> None:
    with Job(Ping(), answers) as job:
        job.wait()
    for _ in range(50):
        os.kill(job.pid, signal.SIGKILL)  # and is asked while it dies
        with Job(Ping(), answers) as job:
            assert job.wait().gpus == 42
    for _ in range(50):
        os.kill(job.pid, signal.SIGSTOP)
        with Job(Ping(), answers) as job:  # was handed over alive, and asked
            os.kill(job.pid, signal.SIGKILL)
            assert job.wait().gpus == 42


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for a broken Python")
@pytest.mark.usefixtures("keeping")
def test_what_a_kept_worker_complained_of_before_is_not_told_as_its_last_words(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"""#!/bin/sh
read request
echo 'an odd pixel, never mind' >&2
echo '{PONG}'
read request
echo '{event_line(Progress(1))}'
exit 3
""")
    python.chmod(0o755)
    with Job(Ping(), str(python)) as first:
        first.wait()
        while not first._worker.stderr_tail:
            first._worker._threads[1].join(timeout=0.01)
    with Job(Ping(), str(python)) as second, pytest.raises(WorkerFault) as caught:
        second.wait()
    assert str(caught.value) == "The worker stopped (exit code 3)"


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.usefixtures("keeping")
def test_a_worker_that_dies_of_the_request_is_not_asked_for_ever(tmp_path: Path) -> None:
    started = tmp_path / "started"
    python = tmp_path / "python"
    python.write_text(f"""#!/bin/sh
echo once >> '{started}'
read request
if [ $(wc -l < '{started}') = 1 ]; then echo '{PONG}'; read request; fi
exit 3
""")
    python.chmod(0o755)
    with Job(Ping(), str(python)) as first:
        first.wait()
    with Job(Ping(), str(python)) as second, pytest.raises(WorkerFault, match="exit code 3"):
        second.wait()
    assert started.read_text().split() == ["once", "once"]
