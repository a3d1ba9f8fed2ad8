"""Operators on the pose that a head has at the current frame: mirror it, keep it, apply a kept one."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, StringProperty

from ..expnet_addon.capture import chosen
from .reporting import reports
from .task import has_face, idle


class _OfFace:
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_face(cls, context) and idle(cls)


class EXPNET_OT_mirror_pose(_OfFace, bpy.types.Operator):
    bl_idname = "expnet.mirror_pose"
    bl_label = "Mirror Pose"
    bl_description = "Mirror the expression at the current frame. On an animated face this keys the current frame"

    mode: EnumProperty(  # type: ignore[valid-type]
        name="Mode",
        description="What is mirrored",
        items=[
            ("FLIP", "Flip", "Exchange left and right"),
            ("TO_RIGHT", "Left to Right", "Copy the left side of the face to its right side"),
            ("TO_LEFT", "Right to Left", "Copy the right side of the face to its left side"),
        ],
    )

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.scene import poses

        return poses.mirror(chosen.face(context), self.mode, context.scene.frame_current)


class EXPNET_OT_keep_pose(_OfFace, bpy.types.Operator):
    bl_idname = "expnet.keep_pose"
    bl_label = "Keep Pose as Asset"
    bl_description = "Keep the expression at the current frame as an asset, to apply it to this or another face"

    name: StringProperty(  # type: ignore[valid-type]
        name="Name", description="Name of the pose", default="Pose"
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        answer: set[str] = context.window_manager.invoke_props_dialog(self)
        return answer

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.scene import poses

        view = None
        if not bpy.app.background and context.area is not None and context.area.type == "VIEW_3D":
            region = next(each for each in context.area.regions if each.type == "WINDOW")  # not the sidebar
            view = context.scene, context.area.spaces.active, region
        return poses.keep_pose(chosen.face(context), self.name.strip() or "Pose", view)


class EXPNET_OT_apply_pose(_OfFace, bpy.types.Operator):
    bl_idname = "expnet.apply_pose"
    bl_label = "Apply Pose"
    bl_description = "Apply a kept pose to the face. On an animated face this keys the current frame"

    name: StringProperty(name="Name", description="Name of the pose")  # type: ignore[valid-type]

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.scene import poses

        return poses.apply_pose(chosen.face(context), self.name, context.scene.frame_current)


CLASSES = (EXPNET_OT_mirror_pose, EXPNET_OT_keep_pose, EXPNET_OT_apply_pose)
