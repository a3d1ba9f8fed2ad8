"""Installation of the full engine's runtime.

Blender's own Python makes an environment, pip fills it, and its imports are checked. Each step is a process; what pip
prints becomes the progress.

The environment is not used before the last step is done (see ``runtime``). A cancel ends pip and removes the files.
"""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

from ...model.errors import InputError
from ...model.files import is_dir
from ...model.worker.protocol import Progress
from . import jobs, runtime
from .jobs import WorkerFault, followed
from .runtime import PACKAGES, Build, Packages
from .tasks import Task

# Prints the contents of a finished environment. A library that does not load fails here, and not in the first job.
SHOW = """
import importlib, json, os, platform, sys
versions = {name: str(getattr(importlib.import_module(name), "__version__", "")) for name in sys.argv[1:]}
size = sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(sys.prefix) for name in names)
print(json.dumps([platform.python_version(), versions, round(size / 1e6)]))
"""
RAW_PROGRESS = (24, 1)  # the first pip with machine-readable progress
# Messages for pip's lines
COLLECTING = re.compile(r"Collecting (\S+)")
DOWNLOADING = re.compile(r"(Downloading|Processing) (.+?)(?: \(.*\))?$")
PROGRESS = re.compile(r"Progress (\d+) of (\d+)$")
INSTALLING = re.compile(r"Installing collected packages: (.*)")
# Variables that redirect pip's installation out of its own environment
MISLEADING = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PIP_REQUIRE_VIRTUALENV")


@dataclass(frozen=True)
class Step:
    """A process to run, and its description for the user."""

    message: str
    command: list[str]


def install(
    root: Path | None, build: Build, online: bool, wheels: str = "", on_done: Callable[[], None] | None = None
) -> Task[Any]:
    """Install a runtime with ``build`` of torch in ``root``.

    The packages come from the folder ``wheels`` if given, else from the internet, if Blender is ``online``. Raises
    InputError at once if the installation cannot work.
    """
    if root is None:
        raise InputError("Only the extension installed in Blender has a runtime: use a Python with torch instead")
    check(root, build, online, wheels)

    def write(reply: object, job: object) -> str:
        if on_done:
            on_done()
        return f"The full engine is installed: {runtime.installed(root)}"

    return Task("Install Runtime", None, write, begin=lambda python: Installation(root, build, wheels, PACKAGES))


def check(root: Path, build: Build, online: bool, wheels: str) -> None:
    """Check the requirements before anything starts. Raises InputError."""
    if wheels:
        if not any(Path(wheels).glob("*.whl")):
            raise InputError(f"'{wheels}' is no folder with wheels (.whl files): choose another, or leave it empty")
    elif not online:
        raise InputError(
            "Blender is offline: turn on 'Allow Online Access' in Preferences > System, or choose a wheel folder"
        )
    there = next(folder for folder in (root, *root.parents) if is_dir(folder))
    free = shutil.disk_usage(there).free / 1e6
    # during the installation the disk also holds the download and a copy of its largest part
    needed = build.disk_mb + (0 if wheels else 2 * build.download_mb)
    if free < needed:
        raise InputError(f"{needed / 1000:.1f} GB are needed in '{there}', and {free / 1000:.1f} GB are free")


class Installation:
    """Runs the steps, one after the other; used like a ``jobs.Job``."""

    def __init__(self, root: Path, build: Build, wheels: str = "", packages: Packages = PACKAGES) -> None:
        self.root, self.build = root, build
        self.progress = Progress(message="Making the environment")
        self.reply: dict[str, Any] | None = None
        self.pid = 0
        self._environment = runtime.new_environment(root)
        try:
            self._steps = deque(steps(root, self._environment, build, wheels, packages))
        except InputError:
            runtime.clear(root)
            raise
        self._step: Step | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._said: deque[str] = deque(maxlen=400)
        self._file = ""
        self._failed = self._closed = False
        (root / runtime.TEMPORARY).mkdir(parents=True, exist_ok=True)
        self._start()

    def poll(self, timeout: float = 0.0) -> bool:
        """Process the output of the steps; False once all are done. Raises WorkerFault if one fails."""
        while self.reply is None:
            try:
                line = self._lines.get(timeout=timeout) if timeout else self._lines.get_nowait()
            except queue.Empty:
                return True
            if line is None:
                self._next()
            else:
                self._take(line.rstrip())
        return False

    def wait(self, on_progress: Callable[[Progress], None] | None = None) -> dict[str, Any]:
        reply: dict[str, Any] = followed(self, on_progress)
        return reply

    def close(self) -> None:
        """End the current step and remove an incomplete environment. Idempotent.

        After a failure pip's downloads stay for the next attempt.
        """
        if self._closed:
            return
        self._closed = True
        self._end_process()
        if self.reply is None:
            runtime.clear(self.root, keep_downloads=self._failed)

    def _start(self) -> None:
        self._step = step = self._steps.popleft()
        self.progress = Progress(message=step.message)
        temporary = str(self.root / runtime.TEMPORARY)  # the system's temporary folder is small on some machines
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k not in MISLEADING}
        environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), temporary) | {"PYTHONIOENCODING": "utf-8"}
        try:
            self._process = subprocess.Popen(
                step.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.root,
                start_new_session=os.name == "posix",
            )
        except OSError as error:
            self._failed = True
            raise InputError(f"'{step.command[0]}' cannot be started: {error.strerror}") from error
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def _next(self) -> None:
        """Start the next step after the output of the current one has ended."""
        assert self._process is not None and self._step is not None
        code = self._process.wait()
        self._end_process()
        if code:
            self._failed = True
            raise WorkerFault(self._reason(code), "\n".join(self._said))
        if self._steps:
            self._start()
            return
        python, versions, megabytes = json.loads(self._said[-1])
        runtime.write_marker(self.root, self._environment, self.build.name, python, versions, megabytes)
        self.reply = {"python": python, "versions": versions}

    def _take(self, line: str) -> None:
        if found := PROGRESS.match(line):
            done, total = (round(int(count) / 1e6) for count in found.groups())
            if total and (done, total) != (self.progress.done, self.progress.total):
                self.progress = Progress(done, total, f"Downloading {self._file} (MB)")
            return
        self._said.append(line)
        if found := DOWNLOADING.search(line):
            self._file = _package(found[2])
            self.progress = Progress(message=f"{found[1]} {self._file}")
        elif found := COLLECTING.match(line):
            self.progress = Progress(message=f"Looking for {found[1]}")
        elif found := INSTALLING.match(line):
            self.progress = Progress(message=f"Unpacking {len(found[1].split(','))} packages")

    def _reason(self, code: int) -> str:
        """Return the last error in the output, in one line."""
        assert self._step is not None
        if code < 0:
            return f"The runtime was not installed: its process was killed (signal {-code})"
        lines = [line for line in self._said if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error")] or lines[-1:]
        last = re.sub(r"^error: *", "", errors[-1], flags=re.IGNORECASE) if errors else f"exit code {code}"
        return f"The runtime was not installed ({self._step.message.lower()}): {last[:300]}"

    def _end_process(self) -> None:
        if self._process is None:
            return
        jobs.end_process(self._process)
        self._reader.join(timeout=1)
        self._process = None

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self._lines.put(line.decode(errors="replace"))
        self._lines.put(None)


def steps(root: Path, environment: Path, build: Build, wheels: str, packages: Packages = PACKAGES) -> list[Step]:
    """Return the steps that make ``environment`` with this Python, and fill it."""
    inside = str(runtime.environment_python(environment))
    isolated = [inside, "-I", "-X", "utf8"]
    source = ["--no-index", "--find-links", wheels] if wheels else ["--cache-dir", str(root / runtime.DOWNLOADS)]
    # without --no-compile pip spends longer on torch's ten thousand files than on all the rest
    common = ["install", "--disable-pip-version-check", "--no-input", "--no-compile", "--only-binary=:all:", *source]
    pip = [*isolated, "-c", RUN_PIP, *common]
    index = ["--index-url", build.index] if build.index and not wheels else []
    return [
        Step("Making the environment", [sys.executable, "-I", "-m", "venv", "--without-pip", str(environment)]),
        Step("Getting pip", _get_pip(isolated, common, wheels)),
        Step("Getting torch", [*pip, *index, *packages.torch]),
        Step("Getting OpenCV and others", [*pip, *packages.others]),
        Step("Checking", [*isolated, "-c", SHOW, *packages.modules]),
    ]


# pip, with machine-readable progress if it has it
RUN_PIP = f"""
import runpy, sys, pip
if tuple(int(part) for part in pip.__version__.split(".")[:2]) >= {RAW_PROGRESS}:
    sys.argv.append("--progress-bar=raw")
else:
    sys.argv.append("--progress-bar=off")
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__")
"""


def _get_pip(isolated: list[str], common: list[str], wheels: str) -> list[str]:
    """Return the command that puts pip into the environment. Raises InputError where this Python has no pip.

    A wheel is a zip, and Python can run it. The wheel comes from the wheel folder or from ensurepip, which has it in
    the module or in the distribution's folder of wheels. Online, a newer pip is downloaded, which reports bytes.
    """
    wanted = "pip" if wheels else f"pip>={RAW_PROGRESS[0]}.{RAW_PROGRESS[1]}"
    ensurepip = importlib.util.find_spec("ensurepip")
    folders = [wheels, sysconfig.get_config_var("WHEEL_PKG_DIR")]
    if ensurepip and ensurepip.origin:
        folders.append(str(Path(ensurepip.origin).parent / "_bundled"))
    for folder in filter(None, folders):
        for wheel in sorted(Path(folder).glob("pip-*.whl"))[-1:]:
            return [*isolated, str(wheel / "pip"), *common, "--find-links", folder, wanted]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-I", "-m", "pip", "--python", isolated[0], *common, wanted]
    raise InputError(
        "Blender's Python has no pip (on Debian and Ubuntu: apt install python3-venv): install it, "
        "or put pip's wheel into a wheel folder, or choose a Python with torch under 'Use This Python'"
    )


def _package(wheel: str) -> str:
    """Return the name and version of a wheel: ``torch 2.13.0`` for .../torch-2.13.0+cpu-cp311-….whl."""
    name = unquote(wheel.rpartition("/")[2]).removesuffix(".metadata")
    parts = name.split("-")
    return f"{parts[0]} {parts[1].split('+')[0]}" if name.endswith(".whl") and len(parts) >= 5 else name
