"""Find the take that a head plays. Polls call it at every redraw, so it needs no numpy."""

from __future__ import annotations

import bpy

from .heads import is_rig

UNTREATED = ("head",)  # regions without a gain


def take_of(head: bpy.types.Object | None) -> bpy.types.Action | None:
    """Return the action on ``head`` that holds a performance, or None."""
    if head is None or not is_rig(head):
        return None
    data = head.data.shape_keys.animation_data
    action = data.action if data else None
    return action if action is not None and action.expnet.rate else None
