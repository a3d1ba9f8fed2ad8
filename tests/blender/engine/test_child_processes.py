"""Child processes: no code from the working directory, nothing left behind, none that is waited for forever."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from expnet.expnet_addon.engine import jobs
from expnet.model.isolation import isolated_environment, isolated_python
from expnet.model.worker.protocol import Ping

PLANTED = ("bpy", "numpy", "json", "cv2", "torch", "h5py", "safetensors")


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A folder with modules that leave a trace when they are imported."""
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


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
def test_a_silent_worker_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, poll_until: Callable) -> None:
    silent = tmp_path / "python"
    silent.write_text("#!/bin/sh\nexec sleep 1000\n")
    silent.chmod(0o755)
    monkeypatch.setattr(jobs, "SILENT_SECONDS", 0.05)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with jobs.Job(Ping(), str(silent)) as job, pytest.raises(jobs.WorkerFault, match="said nothing"):
        job.wait()
    assert not list(tmp_path.glob("expnet-*"))
