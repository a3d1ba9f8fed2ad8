"""The Python of the worker outside operators."""

from __future__ import annotations

import sys


def preferred_python() -> str:
    """Return *Use This Python* of the extension's preferences; empty if they do not exist."""
    if not sys.modules.get("bpy"):
        return ""
    from ..properties import preferences

    return preferences.worker_python()
