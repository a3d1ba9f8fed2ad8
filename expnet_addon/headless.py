"""Entry point of the command line. The package ``command_line`` implements its verbs.

The same verbs run in four ways: ``expnet …`` (pip), ``python -m expnet …``, ``blender --command expnet …`` with the
extension installed, and ``blender -b --python expnet_addon/headless.py -- …``.

Exit status: 0 success; 1 internal error; 2 wrong use or bad input, with one line on stderr that says what is wrong and
what to do; 3 some items of a batch failed; 130 cancelled. Every output is written atomically.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":  # Blender runs this file by its path: import its package and continue in the module
    import importlib
    import importlib.util
    from pathlib import Path

    root = Path(__file__).resolve().parents[1]
    spec = importlib.util.spec_from_file_location(
        "expnet", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    sys.modules["expnet"] = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(sys.modules["expnet"])  # type: ignore[union-attr]
    inside = importlib.import_module("expnet.expnet_addon.headless")
    sys.exit(inside.main(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []))

import os
import signal
import tempfile
import threading
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Any

from ..model.errors import InputError, one_line
from .batch.outcome import SomeFailed
from .engine.jobs import WorkerFault
from .engine.temporary import guarded_folder

DONE, FAULT, BAD_INPUT, SOME_FAILED = 0, 1, 2, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line (default: this process's arguments) and return its exit status."""
    if argv is not None:  # inside Blender, which has its own folder for temporary files
        return _run(argv)
    with guarded_folder() as folder:
        os.environ |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))  # for Blender and all children
        tempfile.tempdir = str(folder)
        return _run(None)


def _run(argv: Sequence[str] | None) -> int:
    from .command_line.parser import parser

    before = _interrupted_by(signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None))
    try:
        arguments = parser().parse_args(argv)
        arguments.run(arguments)
    except InputError as error:
        return _say(error, BAD_INPUT)
    except SomeFailed as error:
        return _say(error, SOME_FAILED)
    except WorkerFault as error:
        if os.environ.get("EXPNET_DEBUG") and error.details:
            print(error.details, file=sys.stderr)
        return _say(error, FAULT)
    except KeyboardInterrupt:
        return _say("cancelled, nothing was written", 130)
    except SystemExit as error:  # argparse: --help
        return int(error.code or 0)
    except BrokenPipeError:
        return DONE  # the reader of our output has closed the pipe
    except Exception as error:
        traceback.print_exc()
        return _say(f"a fault of ours: {one_line(error)}", FAULT)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return DONE


def _interrupted_by(*signals: signal.Signals | None) -> dict[signal.Signals, Any]:
    """Make ``signals`` interrupt as Ctrl+C does, so that temporary folders are removed. Returns the old handlers."""
    if threading.current_thread() is not threading.main_thread():
        return {}  # only the main thread may set handlers
    return {number: signal.signal(number, _interrupt) for number in signals if number is not None}


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt. During an import end the process at once, because Blender would crash.

    No output is being written during an import.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os._exit(130)
        frame = frame.f_back
    raise KeyboardInterrupt


def _say(error: object, status: int) -> int:
    print(f"expnet: {error}", file=sys.stderr)
    return status


# Inside Blender --------------------------------------------------------------------------------------------------


class _Registered:
    """Blender's handle of the command, set between ``register`` and ``unregister``."""

    command: object | None = None


_registered = _Registered()


def register() -> None:
    """Register the command ``blender --command expnet …``."""
    import bpy

    _registered.command = bpy.utils.register_cli_command("expnet", main)


def unregister() -> None:
    import bpy

    bpy.utils.unregister_cli_command(_registered.command)
    _registered.command = None
