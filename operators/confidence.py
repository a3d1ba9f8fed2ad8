"""Operators that go to doubtful frames of a take."""

from __future__ import annotations

import bpy
from bpy.props import IntProperty

from ..expnet_addon.capture import chosen
from .reporting import reports
from .task import has_take


class _OfTake:
    bl_options = {"REGISTER"}  # changes the current frame only

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_take(cls, context)


class EXPNET_OT_next_doubtful(_OfTake, bpy.types.Operator):
    bl_idname = "expnet.next_doubtful"
    bl_label = "Next Doubtful Frame"
    bl_description = "Go to the next frame where the network is unsure or sees no face, or where another shot begins"

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.scene import confidence

        return confidence.go_to_doubtful(context.scene, chosen.face(context), forward=True)


class EXPNET_OT_previous_doubtful(_OfTake, bpy.types.Operator):
    bl_idname = "expnet.previous_doubtful"
    bl_label = "Previous Doubtful Frame"
    bl_description = "Go to the last frame before this one where the network becomes unsure or sees no face"

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.scene import confidence

        return confidence.go_to_doubtful(context.scene, chosen.face(context), forward=False)


class EXPNET_OT_go_to_part(_OfTake, bpy.types.Operator):
    bl_idname = "expnet.go_to_part"
    bl_label = "Go to Part"
    bl_description = "Go to this part of the take. Red: the network is unsure; grey: it sees no face"

    part: IntProperty(  # type: ignore[valid-type]
        name="Part", description="Part of the strip, from 0", min=0, options={"HIDDEN"}
    )

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.scene import confidence

        confidence.go_to_part(context.scene, chosen.face(context), self.part)
        return ""


CLASSES = (EXPNET_OT_next_doubtful, EXPNET_OT_previous_doubtful, EXPNET_OT_go_to_part)
