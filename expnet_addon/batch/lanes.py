"""Parallel processing of shots on this machine: several processes, each with its share of the cores or its GPU."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...model.errors import InputError
from ...model.isolation import isolated_environment, isolated_python
from ..engine.jobs import ending
from ..engine.pipes import report_broken_pipe
from ..engine.temporary import guarded_folder
from .records import Record, save_record
from .serve import ANSWER
from .settings import ShotSettings
from .shots import Shot

SILENT_SECONDS = 900.0  # of a process during a shot; longer than its worker may be silent


def do_shots(
    out: Path, shots: Sequence[Shot], settings: ShotSettings, lanes: int, gpus: int = 0, python: str = ""
) -> Iterator[Record]:
    """Yield each shot's record when it is done, in any order. Closing the iterator early ends all processes.

    ``python`` is the interpreter of their workers, because the processes have no preferences.
    """
    waiting: queue.SimpleQueue[Shot] = queue.SimpleQueue()
    for shot in shots:
        waiting.put(shot)
    done: queue.SimpleQueue[Record | BaseException] = queue.SimpleQueue()
    with guarded_folder() as temporary:
        running = [
            _Lane(out, settings, waiting, done, _environment(temporary, i, lanes, gpus, python))
            for i in range(min(lanes, len(shots)))
        ]
        try:
            for _ in shots:
                record = done.get()
                if isinstance(record, BaseException):
                    raise record
                yield record
        finally:
            for lane in running:
                lane.end()


class _Lane:
    """A process, and the thread that sends it one shot after the other. A process that dies is replaced."""

    def __init__(
        self,
        out: Path,
        settings: ShotSettings,
        waiting: queue.SimpleQueue[Shot],
        done: queue.SimpleQueue[Record | BaseException],
        environment: dict[str, str],
    ) -> None:
        self._out, self._settings, self._waiting, self._done = out, settings, waiting, done
        self._environment = environment
        self._ending = False
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def end(self) -> None:
        with self._lock:
            self._ending = True
            if self._process:
                self._process.kill()  # it waits for the next shot, or does one that is no longer needed
        self._thread.join()
        _close(self._process)

    def _work(self) -> None:
        try:
            while not self._ending:
                try:
                    shot = self._waiting.get_nowait()
                except queue.Empty:
                    return
                record = self._do(shot)
                if record:
                    self._done.put(record)
        except BaseException as error:  # such as no memory for another process: the batch reports it and ends
            self._done.put(error)

    def _do(self, shot: Shot) -> Record | None:
        with self._lock:
            if self._ending:
                return None
            if self._process is None or self._process.poll() is not None:
                _close(self._process)
                self._process = _started(self._environment)
        process = self._process
        asked = {"out": str(self._out), "clip": shot.clip, "name": shot.name, "settings": self._settings.recorded()}
        assert process.stdin and process.stdout
        try:
            with report_broken_pipe():
                process.stdin.write(json.dumps(asked) + "\n")
                process.stdin.flush()
        except OSError:
            pass  # it died: reading reports it
        silence = _Silence(process)
        for line in process.stdout:
            silence.ends()
            if line.startswith(ANSWER):
                silence.stop()
                return Record(**json.loads(line[len(ANSWER) :]))
        silence.stop()
        if self._ending:
            return None
        code = process.wait()
        why = f"its process {silence.limit if silence.too_long else ending(code)}"
        record = Record(shot.clip, shot.name, [0, 0], self._settings.recorded(), error=why)
        with contextlib.suppress(InputError, OSError):  # as on a full disk
            save_record(self._out, shot, record)
        return record


class _Silence:
    """Kills a process that prints no line for SILENT_SECONDS; ``ends`` starts the time again."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.too_long = False
        self.limit = f"did not answer for {SILENT_SECONDS / 60:.0f} minutes, and was stopped"
        self._process = process
        self._timer: threading.Timer | None = None
        self.ends()

    def ends(self) -> None:
        self.stop()
        self._timer = threading.Timer(SILENT_SECONDS, self._kill)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _kill(self) -> None:
        self.too_long = True
        self._process.kill()


def _started(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        serving_command(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


def _close(process: subprocess.Popen[str] | None) -> None:
    """Close the pipes of a process that has ended or is about to end."""
    if process and process.stdin and process.stdout:
        process.wait()
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError), report_broken_pipe():
            process.stdin.close()


def serving_command() -> list[str]:
    """Return the command that starts this Blender, or this Python with its bpy module, as a process for shots."""
    root = Path(__file__).resolve().parents[2]
    script = root / "expnet_addon" / "headless.py"
    bpy = sys.modules.get("bpy")
    binary = getattr(getattr(bpy, "app", None), "binary_path", "")
    if binary:
        return [binary, "--background", "--factory-startup", "--python", str(script), "--", "serve-shots"]
    return isolated_python(str(script), "--", "serve-shots")


def _environment(temporary: Path, lane: int, lanes: int, gpus: int, python: str) -> dict[str, str]:
    """Return the environment of a lane's process: its share of the cores, and a folder of its own for temporary files.

    Blender, the workers and videos use it, so that no files remain after a process is killed.
    """
    environment = isolated_environment()
    folder = temporary / f"lane-{lane}"
    folder.mkdir()
    environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    environment["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // lanes))
    if python:
        environment["EXPNET_PYTHON"] = python
    if gpus > 1:
        environment["CUDA_VISIBLE_DEVICES"] = str(lane % gpus)
    return environment
