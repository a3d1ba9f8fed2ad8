"""Operators that find the points of an artist's own head, and make its keys."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import EnumProperty

from ..expnet_addon.engine.tasks import Task
from ..expnet_addon.own_head import chosen
from ..expnet_addon.properties import preferences
from ..model.errors import InputError
from ..model.worker.messages import EstimatorOptions
from .reporting import reports
from .task import TaskOperator, idle


def has_own_head(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Poll whether a mesh that can be a head is selected, in Object Mode."""
    if chosen.own_head(context) is None:
        operator.poll_message_set("Select the mesh of your head")
        return False
    if context.mode != "OBJECT":
        operator.poll_message_set("Switch to Object Mode first")
        return False
    return True


class EXPNET_OT_find_head_points(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.find_head_points"
    bl_label = "Find Points"
    bl_description = (
        "Find the points of the face in pictures of the selected head, and mark them with handles that you can move. "
        "Select its eyes and teeth with it, or let it take its children and what is near in its collection"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_own_head(cls, context) and idle(cls)

    def task(self, context: bpy.types.Context) -> Task[Any]:
        from ..expnet_addon.own_head import make

        head = chosen.choose_parts(context)
        return make.find_points(chosen.parts_of(head), EstimatorOptions(device=preferences.device()))


class EXPNET_OT_remove_head_points(bpy.types.Operator):
    bl_idname = "expnet.remove_head_points"
    bl_label = "Remove Points"
    bl_description = "Remove the handles of the head's points. Its keys stay"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_own_head(cls, context) and idle(cls)

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.own_head import make

        head = chosen.own_head(context)
        assert head is not None
        context.view_layer.objects.active = head  # the active object may be a handle
        return make.remove_points(head)


class EXPNET_OT_make_head_keys(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.make_head_keys"
    bl_label = "Make Keys"
    bl_description = (
        "Make the expression keys of your head and write them as shape keys on its meshes. The vertices, their order "
        "and the resting face stay"
    )
    bl_options = {"REGISTER", "UNDO"}

    existing: EnumProperty(  # type: ignore[valid-type]
        name="Existing Keys",
        description="What happens to shape keys of the same names",
        items=[
            ("ASK", "Ask", "Ask if there are any"),
            ("REPLACE", "Replace", "They get the new shapes; drivers and animation stay"),
            ("KEEP", "Keep", "They stay as they are, and only the others are made"),
        ],
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_own_head(cls, context) and idle(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        from ..expnet_addon.own_head import make, shape_keys

        head = chosen.own_head(context)
        assert head is not None
        same = shape_keys.same_names(chosen.parts_of(head), make.NAMES[head.expnet_own_head.names])
        if self.existing == "ASK" and same:
            context.window_manager.popup_menu(_ask(len(same)), title=self.bl_label, icon="QUESTION")
            return {"CANCELLED"}
        return super().invoke(context, event)

    def task(self, context: bpy.types.Context) -> Task[Any]:
        from ..expnet_addon.own_head import make

        head = chosen.own_head(context)
        if head is None:
            raise InputError("Select the mesh of your head")
        own = head.expnet_own_head
        keys = make.Keys(own.names, own.symmetric, own.without_eyes, self.existing)
        return make.make_keys(chosen.parts_of(head), keys)


def _ask(count: int) -> Any:
    """Return a function that draws the question what happens to keys of the same names."""

    def draw(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
        layout = menu.layout
        layout.label(text=f"{count} shape keys of these names are there", translate=False)
        layout.operator_context = "INVOKE_DEFAULT"
        for choice, text, icon in (("REPLACE", "Replace Them", "FILE_REFRESH"), ("KEEP", "Keep Them", "PINNED")):
            layout.operator("expnet.make_head_keys", text=text, icon=icon).existing = choice

    return draw


CLASSES = (EXPNET_OT_find_head_points, EXPNET_OT_remove_head_points, EXPNET_OT_make_head_keys)
