"""Child processes: no code from the working directory, nothing left behind, none that is waited for forever."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.expnet_addon import headless
from expnet.expnet_addon.batch import lanes, serve
from expnet.expnet_addon.batch.records import Record
from expnet.expnet_addon.batch.serve import ANSWER
from expnet.expnet_addon.batch.settings import ShotSettings
from expnet.expnet_addon.batch.shots import Shot
from expnet.expnet_addon.engine import jobs
from expnet.expnet_addon.engine.tasks import Task
from expnet.expnet_addon.unattended import terminal
from expnet.model.isolation import isolated_environment, isolated_python
from expnet.model.worker.messages import Ping
from expnet.model.worker.protocol import Progress

PLANTED = ("bpy", "numpy", "json", "cv2", "torch", "h5py", "safetensors")


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """Return a folder with modules that leave a trace when they are imported."""
    folder = tmp_path / "footage"
    folder.mkdir()
    for name in PLANTED:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'a').write({name!r})\n")
    return folder


@pytest.mark.parametrize("path", [None, "", os.pathsep, "."])
def test_a_module_in_the_working_directory_is_not_imported(
    planted: Path, monkeypatch: pytest.MonkeyPatch, path: str | None
) -> None:
    if path is not None:
        monkeypatch.setenv("PYTHONPATH", path)
    code = "import json; print(json.__file__)"
    done = subprocess.run(
        isolated_python("-c", code), cwd=planted, env=isolated_environment(), capture_output=True, text=True, check=True
    )
    assert str(planted) not in done.stdout and not (planted.parent / "executed").exists()


def test_the_command_line_imports_nothing_from_where_it_is_called(planted: Path, tmp_path: Path) -> None:
    """As an artist calls it: the working directory is the folder of the footage, without Python's safe path."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    shutil.copy(Path(jobs.__file__).parents[2] / "model" / "data" / "demo_clip.mp4", planted / "clip.mp4")
    words = ["animate", "clip.mp4", "--out", str(tmp_path / "a.blend"), "--last", "3", "--device", "cpu"]
    words += ["--render", str(tmp_path / "a.mp4"), "--height", "32", "--samples", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "expnet", *words],
        cwd=planted,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "executed").exists(), (tmp_path / "executed").read_text()


def test_the_process_that_decodes_a_sequence_imports_nothing_from_there_either(planted: Path, tmp_path: Path) -> None:
    """In the footage's folder, with an empty entry in the path, as a line in a shell's profile leaves it."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [environment.get("PYTHONPATH", ""), "/nowhere"]))
    for number in range(3):
        cv2.imwrite(str(planted / f"a_{number}.png"), np.full((48, 64, 3), 90, np.uint8))
    code = (
        "from expnet.model.sight.video import open_clip\n"
        "with open_clip('.') as clip: print(len(list(clip)), clip._pictures._images._process is not None)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=planted, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["3", "True"]
    assert not (tmp_path / "executed").exists(), (tmp_path / "executed").read_text()


def test_a_batch_s_processes_are_isolated_too(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from expnet.expnet_addon.batch.lanes import _environment, serving_command

    assert "-P" in serving_command()
    monkeypatch.setenv("PYTHONPATH", f"{os.pathsep}/somewhere")
    environment = _environment(planted, 0, 1, 0, "")
    assert (environment["PYTHONPATH"], environment["PYTHONSAFEPATH"]) == ("/somewhere", "1")
    assert Path(environment["TMPDIR"]).parent == planted


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_worker_whose_client_is_killed_removes_the_temporary_folder(tmp_path: Path, poll_until: Callable) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    view = str(Path(jobs.__file__).parents[2])
    code = textwrap.dedent("""
        import sys, time
        import expnet.expnet_addon.engine.jobs as jobs
        worker = jobs.Worker(sys.executable)
        print(worker.pid, flush=True)
        time.sleep(1000)
    """)
    environment = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen(isolated_python("-c", code), stdout=subprocess.PIPE, env=environment, cwd=view) as client:
        assert client.stdout is not None
        client.stdout.readline()
        assert [p.name[:7] for p in temporary.iterdir()] == ["expnet-"]
        client.send_signal(signal.SIGKILL)
        poll_until(lambda: not list(temporary.iterdir()), 60)


# A worker that says nothing, in every way that one is asked ----------------------------------------------------------


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the Python of such a worker; its temporary folder is removed."""
    if os.name != "posix":
        pytest.skip("a shell script")
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setattr(jobs, "SILENT_SECONDS", 0.05)
    monkeypatch.setattr(jobs, "worker_python", lambda preferred="": str(program))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield str(program)
    assert not list(tmp_path.glob("expnet-*"))


def test_a_silent_worker_is_given_up(silent: str) -> None:
    with jobs.Job(Ping(), silent) as job, pytest.raises(jobs.WorkerFault, match="did not answer"):
        job.wait()


@pytest.mark.parametrize("way", ["execute", "modal"])
def test_a_silent_worker_ends_an_operators_task(silent: str, way: str, poll_until: Callable) -> None:
    """``execute`` waits for the task; ``modal`` polls it with a timer."""
    task: Task = Task("Ping", Ping(), lambda reply, job: "done")
    with pytest.raises(jobs.WorkerFault, match="did not answer"):
        if way == "execute":
            task.run(silent)
        else:
            task.start(silent)
            poll_until(lambda: not task.step())
    task.cancel()


@pytest.mark.parametrize("verb", ["animate", "estimate", "batch", "map-basis"])
def test_a_silent_worker_ends_a_verb_in_one_line(
    silent: str, verb: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = Path(jobs.__file__).parents[2] / "model" / "data"
    clip, picture, out = str(data / "demo_clip.mp4"), str(tmp_path / "a.png"), tmp_path / "out"
    cv2.imwrite(picture, np.zeros((8, 8, 3), np.uint8))
    words = {
        "animate": [clip, "--out", str(tmp_path / "a.blend")],
        "estimate": [picture],
        "batch": [clip, "--out", str(out)],
        "map-basis": [clip],
    }[verb]
    assert headless.main([verb, *words]) == 1
    lines = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("EGL Error")]
    assert len(lines) == 1 and "did not answer" in lines[0]
    assert not list(tmp_path.rglob("*.blend"))


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
def test_a_silent_process_fails_its_shot_and_the_batch_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two shots the first one's process hangs, as a graphics driver may; the second is done by a new process."""
    (tmp_path / "process").write_text(
        "#!/bin/sh\nread line\n"
        f"if mkdir {tmp_path}/first 2>/dev/null; then exec sleep 1000; fi\n"
        'echo "expnet-alive"; echo "Blender 5.0"\n'
        f"echo '{ANSWER}{json.dumps(asdict(Record('/b.mp4', 'b', [0, 0], {})))}'\n"
    )
    (tmp_path / "process").chmod(0o755)
    monkeypatch.setattr(lanes, "serving_command", lambda: [str(tmp_path / "process")])
    monkeypatch.setattr(lanes, "SILENT_SECONDS", 0.3)
    shots = [Shot("/a.mp4", "a"), Shot("/b.mp4", "b")]
    first, second = lanes.do_shots(tmp_path, shots, ShotSettings(), 1)
    assert "its process did not answer for 0 minutes, and was stopped" in first.error
    assert (second.name, second.error) == ("b", "")


def test_a_process_of_a_batch_says_that_it_is_alive_at_every_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.StringIO()
    monkeypatch.setattr(serve, "ALIVE_SECONDS", 0.0)
    monkeypatch.setattr(terminal._heard, "tell", serve._Beat(told))
    with terminal.bar() as shown:
        shown(Progress(1, 3, "frames"))
        shown(Progress(2, 3, "frames"))
    assert told.getvalue().split() == [serve.ALIVE] * 2
