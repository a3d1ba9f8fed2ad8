"""Operators of the list of takes: duplicate, delete, push down."""

from __future__ import annotations

import bpy

from ..expnet_addon.capture import chosen
from .reporting import reports
from .take_operator import ConfirmedTakeOperator, TakeOperator


class EXPNET_OT_take_duplicate(TakeOperator, bpy.types.Operator):
    bl_idname = "expnet.take_duplicate"
    bl_label = "Duplicate Take"
    bl_description = "Copy the take with its settings and hand edits, and show the copy"

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.scene import take_list

        return take_list.duplicate(context.scene, chosen.face(context))


class EXPNET_OT_take_delete(ConfirmedTakeOperator, bpy.types.Operator):
    bl_idname = "expnet.take_delete"
    bl_label = "Delete Take"
    bl_description = "Delete the take with its keys and its raw performance, and show another take"

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.scene import take_list

        return take_list.delete(context.scene, chosen.face(context))


class EXPNET_OT_take_push_down(TakeOperator, bpy.types.Operator):
    bl_idname = "expnet.take_push_down"
    bl_label = "Push Take Down"
    bl_description = "Put the take on NLA tracks of the head and of its shape keys, so that other keys go on top of it"

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.scene import take_list

        return take_list.push_down(chosen.face(context))


CLASSES = (EXPNET_OT_take_duplicate, EXPNET_OT_take_delete, EXPNET_OT_take_push_down)
