"""The worker starts when a source is chosen, so that the capture begins at once; never before, and never twice."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

import expnet
from expnet.expnet_addon.engine import jobs, requests, tasks
from expnet.expnet_addon.engine.jobs import Job, WorkerFault
from expnet.expnet_addon.properties import preferences
from expnet.model.worker.messages import EstimatorOptions, LoadResult, Pack, Ping, PingResult
from expnet.model.worker.protocol import Done, Failure, event_line

LOAD = requests.load(EstimatorOptions(device="cpu"))
LOADED = event_line(Done(LoadResult(Pack("open", "open-29", ""), ())))
PONG = event_line(Done(PingResult("3.11.0", "python", {}, (), (), gpus=42)))


@pytest.fixture
def keeping() -> Iterator[None]:
    jobs.keep_worker()
    yield
    jobs.end_kept_worker()


def waiting() -> jobs.Worker:
    worker = jobs._waiting._worker
    assert worker is not None
    return worker


def python_that_says(folder: Path, *lines: str) -> str:
    """Stands for a Python whose worker answers each request with the next of these lines."""
    python = folder / "python"
    said = "\n".join(f"read request\necho '{line}'" for line in lines)
    python.write_text(f"#!/bin/sh\n{said}\nread request\n")
    python.chmod(0o755)
    return str(python)


@pytest.mark.usefixtures("keeping")
def test_the_next_job_has_the_worker_that_started_ahead_and_its_own_answer() -> None:
    jobs.start_ahead(LOAD)
    pid = waiting().pid
    with Job(Ping()) as job:
        assert job.wait().executable == sys.executable
        assert job.pid == pid
    with Job(Ping()) as job:
        assert job.wait().executable and job.pid == pid, "and the one after it"


@pytest.mark.usefixtures("keeping")
def test_a_second_one_is_not_started() -> None:
    jobs.start_ahead(LOAD)
    first = waiting()
    jobs.start_ahead(LOAD)
    assert waiting() is first


def test_none_is_started_where_workers_are_not_kept() -> None:
    jobs.start_ahead(LOAD)
    assert jobs._waiting._worker is None


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for Python")
@pytest.mark.usefixtures("keeping")
@pytest.mark.parametrize("answer", [LOADED, event_line(Failure("these weights are broken")), '{"event": "done"}'])
def test_whatever_it_answers_first_is_not_the_jobs(tmp_path: Path, answer: str) -> None:
    python = python_that_says(tmp_path, answer, PONG)
    jobs.start_ahead(LOAD, python)
    with Job(Ping(), python) as job:
        assert job.wait().gpus == 42


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.usefixtures("keeping")
def test_one_that_dies_while_it_loads_is_replaced() -> None:
    jobs.start_ahead(LOAD)
    worker = waiting()
    os.kill(worker.pid, signal.SIGSTOP)
    with Job(Ping()) as job:
        os.kill(worker.pid, signal.SIGKILL)
        assert job.wait().executable
        assert job.pid != worker.pid


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for Python")
@pytest.mark.usefixtures("keeping")
def test_one_that_dies_of_the_job_itself_says_so(tmp_path: Path) -> None:
    python = python_that_says(tmp_path, LOADED)
    jobs.start_ahead(LOAD, python)
    with Job(Ping(), python) as job, pytest.raises((WorkerFault, jobs.InputError)):
        job.wait()


@pytest.mark.usefixtures("keeping")
def test_it_ends_with_the_extension() -> None:
    jobs.start_ahead(LOAD)
    worker = waiting()
    jobs.end_kept_worker()
    assert not worker.runs and not worker.folder.exists()


# --- when it starts -------------------------------------------------------------------------------------------------


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return what is asked for ahead while the panel's settings change."""
    asked: list[object] = []
    monkeypatch.setattr(jobs, "start_ahead", lambda request, python: asked.append(request))
    return asked


def test_choosing_a_source_starts_it_and_clearing_one_does_not(
    settings: bpy.types.PropertyGroup, started: list
) -> None:
    settings.smoothing = 0.3
    assert not started
    settings.source = "/footage/clip.mp4"
    assert [request.options.estimator for request in started] == ["open"]
    settings.source = ""
    assert len(started) == 1


def test_it_does_not_start_for_a_network_that_cannot_be_used(settings: bpy.types.PropertyGroup, started: list) -> None:
    settings.network, settings.estimator = "FILE", "/no/such/weights.safetensors"
    settings.source = "/footage/clip.mp4"
    assert not started


def test_nor_against_the_preference_or_beside_a_task(
    settings: bpy.types.PropertyGroup, started: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preferences, "start_ahead", lambda: False)
    settings.source = "/footage/clip.mp4"
    monkeypatch.setattr(preferences, "start_ahead", lambda: True)
    monkeypatch.setattr(tasks, "under_way", lambda: tasks.Task("Busy", None, lambda reply, job: ""))
    settings.source = "/footage/other.mp4"
    assert not started


def test_without_an_engine_choosing_a_source_is_no_error(
    settings: bpy.types.PropertyGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_python(request: object, python: str) -> None:
        raise jobs.InputError("There is no Python")

    monkeypatch.setattr(jobs, "start_ahead", no_python)
    settings.source = "/footage/clip.mp4"
    assert settings.source


@pytest.fixture
def settings(empty_scene: bpy.types.Scene) -> Iterator[bpy.types.PropertyGroup]:
    expnet.register()
    yield empty_scene.expnet
    expnet.unregister()
