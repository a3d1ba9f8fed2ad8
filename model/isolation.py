"""Isolation of child processes from the user's working directory.

Python puts the working directory first on the module path for ``-c`` and ``-m``, so a file ``numpy.py`` beside the
footage would run. ``-P`` (from 3.11 on) and ``PYTHONSAFEPATH`` disable that. An empty entry of ``PYTHONPATH`` also
means the working directory.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping


def isolated_python(*words: str) -> list[str]:
    """Return the command of this Python with ``words``, without the working directory on its module path."""
    return [sys.executable, "-P", *words]


def isolated_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return ``environment`` (default: this process's) for a child without the working directory on its path."""
    isolated = dict(os.environ if environment is None else environment)
    folders = [folder for folder in isolated.get("PYTHONPATH", "").split(os.pathsep) if folder not in ("", ".")]
    isolated.pop("PYTHONPATH", None)
    if folders:
        isolated["PYTHONPATH"] = os.pathsep.join(folders)
    return isolated | {"PYTHONSAFEPATH": "1"}
