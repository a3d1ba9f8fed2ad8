"""The panel "Pose": the expression at the current frame, mirrored, kept, or replaced by a kept pose."""

from __future__ import annotations

import bpy

from ..expnet_addon.capture import chosen
from .sidebar import Sidebar


class EXPNET_MT_poses(bpy.types.Menu):
    bl_label = "Apply Pose"

    def draw(self, context: bpy.types.Context) -> None:
        head = chosen.face(context)
        basis = head["expnet_basis"] if head is not None else None
        kept = [action.name for action in bpy.data.actions if basis and action.get("expnet_pose") == basis]
        for name in kept:
            self.layout.operator("expnet.apply_pose", text=name, translate=False).name = name
        if not kept:
            self.layout.label(text="No pose is kept yet")


class EXPNET_PT_pose(Sidebar, bpy.types.Panel):
    bl_label = "Pose"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return chosen.face(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.operator_menu_enum("expnet.mirror_pose", "mode", icon="MOD_MIRROR")
        row = self.layout.row(align=True)
        row.operator("expnet.keep_pose", icon="ASSET_MANAGER")
        row.menu("EXPNET_MT_poses", text="", icon="POSE_HLT")


CLASSES = (EXPNET_MT_poses, EXPNET_PT_pose)
