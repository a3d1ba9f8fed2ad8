"""The engine, its version and device, as the panel and the preferences show them.

Before a test they come from the runtime's marker or this Python's own packages, without starting the worker. Every
redraw needs the status, so it is cached until one of its inputs changes.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...model.errors import InputError
from ...model.worker import messages
from ...model.worker.messages import PingResult, TestResult
from . import jobs, runtime
from .jobs import Job
from .tasks import Task

DEVICES = {"cpu": "processor", "cuda": "CUDA", "mps": "Metal", "auto": "automatic device"}
# pip's names of the modules in a ping result; the engines need the first three, the authors' networks the others
FOR_ENGINE = {"torch": "torch", "cv2": "opencv-python-headless", "safetensors": "safetensors"}
FOR_OFFICIAL = {"scipy": "scipy", "h5py": "h5py"}


@dataclass(frozen=True)
class Status:
    """The status in one line, and whether there is an engine."""

    line: str
    ready: bool


_tested: dict[tuple[str, str], str] = {}  # (Python, requested device) -> result of a test
_last: dict[tuple[Any, ...], Status] = {}  # only the last status


def status(preferred: str, device: str) -> Status:
    """Describe the engine that the next job will use."""
    key = (preferred, device, os.environ.get("EXPNET_PYTHON"), _changed(runtime.folder()), len(_tested))
    if key not in _last:
        _last.clear()
        _last[key] = _describe(preferred, device)
    return _last[key]


def test(preferred: str, device: str) -> Task[TestResult]:
    """Measure the time for one frame of the demo clip."""

    def write(reply: TestResult, job: object) -> str:
        line = f"{_named(reply.engine, reply.version, reply.device)}: {reply.ms:.1f} ms a frame"
        _tested.pop((python, device), None)
        _tested[python, device] = line
        _last.clear()
        return line

    python = jobs.worker_python(preferred)
    return Task("Test", messages.Test(device), write)


def check_python(preferred: str) -> Task[PingResult]:
    """Check the packages of the Python that the user named."""
    if not preferred:
        raise InputError("Choose a Python first")

    def write(reply: PingResult, job: object) -> str:
        return ping_text(reply)

    return Task("Check", None, write, begin=lambda _: Job(messages.Ping(), preferred))


def ping_text(reply: PingResult) -> str:
    """Format a ping result: a line with the packages, and a line with the missing ones and how to install them."""
    packages = reply.packages
    names = {**FOR_ENGINE, **FOR_OFFICIAL}
    has = ", ".join(f"{name} {packages[module]}" for module, name in names.items() if packages.get(module))
    devices = ", ".join(DEVICES.get(name, name) for name in reply.devices)
    line = f"Python {reply.python}: {has or 'nothing that is needed'}; {devices}"
    missing = [name for module, name in FOR_ENGINE.items() if not packages.get(module)]
    extra = [name for module, name in FOR_OFFICIAL.items() if not packages.get(module)]
    if not reply.engines:
        return f"{line}\nMissing for any engine: {_pip(reply, missing)}"
    if missing:
        return f"{line}\nThe light engine only. Missing for the full one: {_pip(reply, missing)}"
    return f"{line}\nMissing for the authors' networks: {_pip(reply, extra)}" if extra else line


def _pip(reply: PingResult, missing: list[str]) -> str:
    return f"{', '.join(missing)} ('{reply.executable}' -m pip install {' '.join(missing)})"


def _describe(preferred: str, device: str) -> Status:
    try:
        python = jobs.worker_python(preferred)
    except InputError as error:
        return Status(str(error), False)
    if (python, device) in _tested:
        return Status(_tested[python, device], True)
    found = runtime.installed(runtime.folder())
    if found and found.python == python:
        return Status(_named("full", f"torch {found.versions.get('torch')}", device) + ", not tested yet", True)
    if python == sys.executable and (engine := jobs.engine_here()):
        package = "torch" if engine == "full" else "opencv-python-headless"
        runs_on = device if engine == "full" else "cpu"
        return Status(_named(engine, _version(package), runs_on) + ", not tested yet", True)
    return Status(f"{python}, not tested yet", True)


def _named(engine: str, version: str, device: str) -> str:
    return f"{engine.capitalize()} engine, {version}, {DEVICES.get(device, device)}"


def _version(package: str) -> str:
    import importlib.metadata

    shown = "OpenCV" if package.startswith("opencv") else package
    try:
        return f"{shown} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return shown


def _changed(root: object) -> int:
    try:
        return (Path(str(root)) / runtime.MARKER).stat().st_mtime_ns
    except OSError:
        return 0
