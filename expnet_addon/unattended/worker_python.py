"""The Python of the worker, where no operator asks for it."""

from __future__ import annotations

import sys


def preferred_python() -> str:
    """*Use this Python* of the extension's preferences, in a Blender that has it; else empty."""
    if not sys.modules.get("bpy"):
        return ""
    from ..properties import preferences

    return preferences.worker_python()
