"""What the worker sees while it reads: a picture of the face and its strongest keys, for the panel, and on the head."""

from __future__ import annotations

import bpy

from ...model.worker.protocol import Look
from ..scene.heads import is_rig
from .icons import Icons, decoded

SHOWN = 3  # keys in the panel
GAZE = ("gaze_yaw", "gaze_pitch")


class _Watched:
    """The last look and its icon, and the head that moves along, by its ``session_uid``, with its former values."""

    def __init__(self) -> None:
        self.look: Look | None = None
        self.icons = Icons()
        self.head: int | None = None
        self.before: dict[str, float] = {}

    def moving_head(self) -> bpy.types.Object | None:
        return next((obj for obj in bpy.data.objects if obj.session_uid == self.head and is_rig(obj)), None)


_watched = _Watched()


def move_along(head: bpy.types.Object) -> None:
    """Let ``head`` show what is seen until ``forget``. What it does now is kept, and restored then."""
    _watched.head = head.session_uid
    _watched.before = {key.name: key.value for key in head.data.shape_keys.key_blocks}
    _watched.before |= {name: float(head[name]) for name in GAZE}


def show(look: Look | None) -> None:
    """Show another look; without one the last stays."""
    if look is None:
        return
    _watched.icons.show([decoded(look.pixels, look.size)])
    _watched.look = look
    head = _watched.moving_head()
    if head is not None:
        _give(head, dict(look.keys) | dict(zip(GAZE, look.gaze)))


def icon() -> int:
    """Return the icon of the last look, or 0."""
    return _watched.icons.shown[0] if _watched.icons.shown else 0


def keys() -> str:
    """Return the strongest keys of the last look, a line for each."""
    strongest = _watched.look.keys[:SHOWN] if _watched.look is not None else ()
    return "\n".join(f"{name} {value:.2f}" for name, value in strongest)


def forget() -> None:
    """Free the icon, and let the head that moved along do what it did before."""
    head = _watched.moving_head()
    if head is not None:
        _give(head, _watched.before)
        if head.data.shape_keys.animation_data is not None and bpy.context.scene is not None:
            bpy.context.scene.frame_set(bpy.context.scene.frame_current)  # the frame may have changed meanwhile
    _watched.look, _watched.head, _watched.before = None, None, {}
    _watched.icons.forget()


def _give(head: bpy.types.Object, values: dict[str, float]) -> None:
    blocks = head.data.shape_keys.key_blocks
    for name, value in values.items():
        if name in GAZE:
            head[name] = value
        elif name in blocks:
            blocks[name].value = value
    head.update_tag()
