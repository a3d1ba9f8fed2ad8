"""Temporary folders that are removed with the process that creates them, even if it is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Waits for the end of stdin, which comes even if the other process is killed. Child processes of that process may still
# write for a moment, so it retries for ten seconds.
_GUARD = """
import os, shutil, sys, time
sys.stdin.buffer.read()
for _ in range(100):
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    if not os.path.exists(sys.argv[1]):
        break
    time.sleep(0.1)
"""


@contextmanager
def guarded_folder() -> Iterator[Path]:
    """Yield a temporary folder; a separate small process removes it when this one exits or is killed."""
    folder = tempfile.mkdtemp(prefix="expnet-")
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _GUARD, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=os.name == "posix",  # Ctrl+C in a terminal ends the other processes of the group
    )
    try:
        yield Path(folder)
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait()
