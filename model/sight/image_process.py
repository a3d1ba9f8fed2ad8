"""Image files decoded in a process of their own, which may end without taking the others along.

Some damage ends the decoder's process in spite of all checks. The picture then counts as one that cannot be decoded,
and the next one is read by a new process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..array_types import UInt8Array
from ..errors import InputError, one_line
from ..isolation import isolated_environment
from .images import read_image

SECONDS = 60.0  # for one picture
_READY = b"ready\n"
# The package is imported as the worker imports it: by its place, and under the name that absolute imports expect.
_CODE = """
import sys
sys.path[:] = [folder for folder in sys.path if folder not in ("", ".")]
import importlib, importlib.util
root = sys.argv[1]
spec = importlib.util.spec_from_file_location("expnet", root + "/__init__.py", submodule_search_locations=[root])
package = sys.modules["expnet"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
importlib.import_module("expnet.model.sight.image_process").serve()
"""


class ImageReader:
    """Reads image files as ``read_image`` does. ``isolated``: in a process of its own; use it in a ``with``."""

    def __init__(self, isolated: bool = True) -> None:
        self._isolated = isolated and bool(sys.executable)
        self._process: subprocess.Popen[bytes] | None = self._started() if self._isolated else None
        self._ready = False

    def __enter__(self) -> ImageReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, path: str | Path) -> UInt8Array:
        """Read an image file as (H, W, 3) uint8 BGR, upright. Raises InputError."""
        process = self._running()
        return read_image(path) if process is None else self._asked(process, path)

    def close(self) -> None:
        """End the process. Idempotent."""
        process, self._process, self._isolated = self._process, None, False
        if process is not None:
            process.kill()
            process.communicate()

    def _started(self) -> subprocess.Popen[bytes] | None:
        root = str(Path(__file__).resolve().parents[2])
        try:
            return subprocess.Popen(
                [sys.executable, "-c", _CODE, root],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=isolated_environment(),
            )
        except OSError:  # no memory for another process
            return None

    def _running(self) -> subprocess.Popen[bytes] | None:
        """Return the process once it is ready; None where none can be started, and this one decodes."""
        if not self._isolated:
            return None
        if self._process is None:
            self._process, self._ready = self._started(), False
        process = self._process
        if process is not None and not self._ready:
            assert process.stdout is not None
            self._ready = process.stdout.readline() == _READY
        if not self._ready:
            self.close()
            return None
        return process

    def _asked(self, process: subprocess.Popen[bytes], path: str | Path) -> UInt8Array:
        assert process.stdin is not None and process.stdout is not None
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(str(Path(path).expanduser().absolute())).encode() + b"\n")
            process.stdin.flush()
            header = process.stdout.readline()
            if header.endswith(b"\n"):
                return self._picture(json.loads(header), process.stdout)
        except OSError:  # it ended before it had read the name
            pass
        finally:
            timer.cancel()
        process.kill()
        process.communicate()
        self._process = None
        raise InputError(f"{path}: the decoder ends, or takes longer than {SECONDS:g} s: save it again as PNG")

    @staticmethod
    def _picture(header: dict[str, Any], pixels: Any) -> UInt8Array:
        if "error" in header:
            raise InputError(header["error"])
        if "fault" in header:
            raise RuntimeError(header["fault"])
        image = np.empty(header["shape"], np.uint8)
        view = image.data.cast("B")
        if pixels.readinto(view) != len(view):
            raise OSError("the picture is cut short")
        return image


def serve() -> None:
    """Answer each line on stdin, a path as JSON, with a line about the picture and its pixels, until stdin closes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries that print
    answers.write(_READY)
    answers.flush()
    for line in sys.stdin.buffer:
        image, header = _decoded(json.loads(line))
        answers.write(json.dumps(header).encode() + b"\n")
        if image is not None:
            answers.write(np.ascontiguousarray(image).data.cast("B"))
        answers.flush()


def _decoded(path: str) -> tuple[UInt8Array | None, dict[str, Any]]:
    try:
        image = read_image(path)
    except InputError as error:
        return None, {"error": str(error)}
    except Exception as error:
        return None, {"fault": f"{type(error).__name__}: {one_line(error)}"}
    return image, {"shape": image.shape}
