"""What the worker sees while it reads, for the panel: the last picture of the face, and its strongest keys."""

from __future__ import annotations

from ...model.worker.protocol import Look
from .icons import Icons, decoded


class _Watched:
    """The last look, and its icon."""

    def __init__(self) -> None:
        self.look: Look | None = None
        self.icons = Icons()


_watched = _Watched()


def show(look: Look | None) -> None:
    """Show another look; without one the last stays."""
    if look is not None:
        _watched.icons.show([decoded(look.pixels, look.size)])
        _watched.look = look


def icon() -> int:
    """Return the icon of the last look, or 0."""
    return _watched.icons.shown[0] if _watched.icons.shown else 0


def keys() -> str:
    """Return the strongest keys of the last look, a line for each."""
    return "\n".join(f"{name} {value:.2f}" for name, value in _watched.look.keys) if _watched.look is not None else ""


def forget() -> None:
    """Free the icon."""
    _watched.look = None
    _watched.icons.forget()
