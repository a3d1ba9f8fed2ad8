"""Recognise hand edits in takes of earlier versions, when their file is opened."""

from __future__ import annotations

import bpy

from ..expnet_addon.scene.current_take import take_of


@bpy.app.handlers.persistent
def recognise_after_load(*_: object) -> None:
    """Record the generated keys of takes that earlier versions wrote, so that later changes keep hand edits."""
    for head in bpy.data.objects:
        take = take_of(head)
        if take is not None and not take.expnet.key_settings:
            from ..expnet_addon.scene import take_keys

            take_keys.list_keys(head, take)
        if take is not None and not take.expnet.strip:
            from ..expnet_addon.scene import confidence

            confidence.recall(take)
        if take is not None and not take.expnet.written:
            from ..expnet_addon.scene import take_keys

            take_keys.recognise_edits(head)
