"""The panel "Confidence": a strip of the take, in which red is doubtful and grey has no face."""

from __future__ import annotations

import bpy

from ..expnet_addon.capture import chosen
from ..expnet_addon.scene import current_take
from .sidebar import Sidebar

NO_FACE, DOUBTFUL = "0", "1"  # letters of the take's strip


class EXPNET_PT_confidence(Sidebar, bpy.types.Panel):
    bl_label = "Confidence"
    bl_parent_id = "EXPNET_PT_take"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return current_take.take_of(chosen.face(context)) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        action = current_take.take_of(chosen.face(context))
        assert action is not None
        take = action.expnet
        if take.strip:
            _draw_strip(layout, take, context.scene.frame_current)
        row = layout.row(align=True)
        row.operator("expnet.previous_doubtful", text="Previous", icon="PREV_KEYFRAME")
        row.operator("expnet.next_doubtful", text="Next", icon="NEXT_KEYFRAME")
        row = layout.row()
        row.prop(take, "markers", text="Markers")
        row.prop(take, "confidence_curve", text="Curve")


def _draw_strip(layout: bpy.types.UILayout, take: bpy.types.PropertyGroup, frame: int) -> None:
    letters = take.strip
    here = int((frame - take.start) / max(take.strip_frames, 1.0) * len(letters))
    row = layout.row(align=True)
    row.scale_y = 0.7
    for part, letter in enumerate(letters):
        cell = row.row(align=True)
        cell.alert = letter == DOUBTFUL
        cell.active = letter != NO_FACE
        cell.operator("expnet.go_to_part", text="", translate=False, depress=part == here).part = part


CLASSES = (EXPNET_PT_confidence,)
