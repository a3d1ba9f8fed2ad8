"""The tab "ExpNet" in the 3D view's sidebar."""

from __future__ import annotations

import bpy

from ..expnet_addon import chosen, takes, tasks
from ..expnet_addon.packs import Choice


class Sidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "ExpNet"


def _say_what_for(layout: bpy.types.UILayout, choice: Choice) -> None:
    """Under a choice: what may be done with it, or what it lacks."""
    row = layout.row()
    row.active = bool(choice.missing)
    row.label(text=choice.missing or choice.license, icon="ERROR" if choice.missing else "NONE")


class EXPNET_PT_face(Sidebar, bpy.types.Panel):
    bl_label = "Face"

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.expnet
        layout = self.layout
        layout.prop(settings, "face_model", text="")
        if settings.face_model == "FILE":
            layout.prop(settings, "face_model_path", text="")
        _say_what_for(layout, settings.chosen_head())
        layout.operator("expnet.add_face", icon="ADD")
        layout.operator("expnet.apply_identity")


class EXPNET_PT_animate(Sidebar, bpy.types.Panel):
    bl_label = "Capture"

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.expnet
        layout = self.layout
        column = layout.column()
        column.enabled = tasks.running is None
        column.prop(settings, "network", text="")
        if settings.network == "FILE":
            column.prop(settings, "estimator", text="")
        _say_what_for(column, settings.chosen_network())
        column.prop(settings, "source", text="", icon="FILE_MOVIE")
        column.prop(settings, "smoothing")
        column.prop(settings, "identity")
        column.prop(settings, "scene_timing")
        column.prop(settings, "match_camera")

        column.prop(settings, "rig")

        layout.operator("expnet.estimate_expression", icon="IMAGE_DATA")
        layout.operator("expnet.animate_footage", icon="RENDER_ANIMATION")
        if tasks.running is not None:
            progress = tasks.running.progress
            layout.progress(text=str(progress), factor=progress.fraction)
        layout.operator("expnet.cancel", icon="X")
        if tasks.running is None:
            for line in settings.result.splitlines():
                layout.label(text=line)


class EXPNET_PT_take(Sidebar, bpy.types.Panel):
    bl_label = "Take"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return takes.take_of(chosen.face(context)) is not None

    def draw(self, context: bpy.types.Context) -> None:
        action = takes.take_of(chosen.face(context))
        assert action is not None
        take = action.expnet
        layout = self.layout
        layout.enabled = tasks.running is None
        layout.label(text=action.name, icon="ACTION", translate=False)
        split = layout.split(factor=0.3)
        names, smoothing, gains = (split.column(align=True) for _ in range(3))
        names.label(text="")
        smoothing.label(text="Smoothing")
        gains.label(text="Gain")
        for region in take.regions:
            names.label(text=region.name.capitalize())
            smoothing.prop(region, "smoothing", text="")
            if region.name in takes.UNTREATED:
                gains.label(text="")
            else:
                gains.prop(region, "gain", text="")

        column = layout.column(align=True)
        row = column.row(align=True)
        row.prop(take, "neutral")
        if take.neutral == "FRAME":
            row.prop(take, "neutral_frame", text="")
        column.operator("expnet.neutral_from_frame")

        column = layout.column(align=True)
        column.prop(take, "decimate")
        errors = column.column(align=True)
        errors.active = take.decimate
        for error in ("key_error", "angle_error", "place_error"):
            errors.prop(take, error)

        row = layout.row()
        row.prop(take, "live")
        row.operator("expnet.apply_again", icon="FILE_REFRESH")
        if take.note:
            layout.label(text=take.note, translate=False)


class EXPNET_PT_which_face(Sidebar, bpy.types.Panel):
    bl_label = "Which Face"
    bl_parent_id = "EXPNET_PT_animate"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.expnet
        layout = self.layout
        layout.use_property_split = True
        layout.enabled = tasks.running is None
        row = layout.row()
        row.enabled = not settings.use_box
        row.prop(settings, "face")
        layout.prop(settings, "use_box")
        column = layout.column()
        column.enabled = settings.use_box
        column.prop(settings, "box")
