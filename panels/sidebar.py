"""The tab "ExpNet" in the sidebars of the 3D view and of the Movie Clip editor."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..expnet_addon.capture import chosen, everyone, faces, watched
from ..expnet_addon.engine import tasks
from ..expnet_addon.engine.packs import Choice
from ..expnet_addon.scene import current_take
from ..expnet_addon.scene.skins import has_skins
from .no_engine import draw_without_engine
from .presets import EXPNET_PT_settings_presets, EXPNET_PT_take_presets
from .takes import draw_takes
from .text import say


class Sidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "ExpNet"


class InClipEditor:
    bl_space_type = "CLIP_EDITOR"
    bl_region_type = "UI"
    bl_category = "ExpNet"


class FacePanel:
    layout: bpy.types.UILayout
    bl_label = "Face"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        self.layout.operator("expnet.open_guide", text="", icon="HELP", emboss=False)

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.expnet
        layout = self.layout
        draw_without_engine(layout, context)
        layout.prop(settings, "face_model", text="")
        if settings.face_model == "FILE":
            layout.prop(settings, "face_model_path", text="")
        _say_what_for(layout, context, settings.chosen_head())
        layout.operator("expnet.try_it", icon="PLAY")
        row = layout.row(align=True)
        row.operator("expnet.add_face", icon="ADD")
        row.operator("expnet.remove_face", text="", icon="TRASH")
        layout.operator("expnet.apply_identity")
        layout.operator("expnet.actor_face", icon="USER")
        head = chosen.face(context)
        if head is not None and has_skins(head["expnet_model"]):
            layout.prop(head, "expnet_skin")


class CapturePanel:
    layout: bpy.types.UILayout
    bl_label = "Capture"

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.expnet
        layout = self.layout
        column = layout.column()
        column.enabled = tasks.under_way() is None
        _draw_source(column, context)
        row = column.row(align=True)
        row.prop(settings, "use_range")
        ends = row.row(align=True)
        ends.active = settings.use_range
        ends.prop(settings, "first_frame", text="")
        ends.prop(settings, "last_frame", text="")
        column.separator()
        column.prop(settings, "network", text="")
        if settings.network == "FILE":
            column.prop(settings, "estimator", text="")
        if settings.network == "OFFICIAL":
            column.prop(settings, "preprocessing", text="")
        _say_what_for(column, context, settings.chosen_network())
        column.prop(settings, "rig", text="Drive")
        _say_which_head(column, context, chosen.face(context))

        task = tasks.under_way()
        if task is not None:
            draw_progress(layout, context, task)
            return
        layout.operator("expnet.estimate_expression", icon="IMAGE_DATA")
        layout.operator("expnet.animate_footage", icon="RENDER_ANIMATION")
        layout.operator("expnet.fine_tune")
        say(layout, context, settings.result)


class SettingsPanel:
    layout: bpy.types.UILayout
    bl_label = "Settings"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        EXPNET_PT_settings_presets.draw_panel_header(self.layout)

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.expnet
        layout = self.layout
        layout.enabled = tasks.under_way() is None
        for name in (
            "smoothing",
            "identity",
            "estimate_shape",
            "scene_timing",
            "match_camera",
            "stay",
            "sound",
            "markers",
            "fit",
            "move_along",
        ):
            layout.prop(settings, name)
        layout.prop(settings, "head_motion", text="Head")  # the whole name does not fit beside the menu


class WhichFacePanel:
    layout: bpy.types.UILayout
    bl_label = "Which Face"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.expnet
        layout = self.layout
        task = tasks.under_way()
        layout.enabled = task is None
        if task is None:
            layout.operator("expnet.find_faces", icon="VIEWZOOM")
        else:  # has the button's height, so that nothing moves under the pointer
            layout.label(text=task.title, icon="VIEWZOOM")
        if faces.found().icons:
            grid = layout.grid_flow(row_major=True, columns=3, even_columns=True, align=True)
            for i, icon in enumerate(faces.found().icons):
                cell = grid.column(align=True)
                cell.template_icon(icon, scale=4)
                selected = not settings.use_box and settings.face == i
                cell.operator("expnet.choose_face", text=str(i + 1), translate=False, depress=selected).face = i
        layout.use_property_split, layout.use_property_decorate = True, False
        row = layout.row()
        row.enabled = not settings.use_box
        row.prop(settings, "face_number")
        layout.prop(settings, "use_box")
        column = layout.column(align=True)
        column.enabled = settings.use_box
        for i, name in enumerate(("X", "Y", "Width", "Height")):
            column.prop(settings, "box", index=i, text=name)


class EveryonePanel:
    layout: bpy.types.UILayout
    bl_label = "Everyone"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, task = self.layout, tasks.under_way()
        layout.enabled = task is None
        people = context.scene.expnet.people
        row = layout.row(align=True)
        if task is None:
            row.operator("expnet.find_people", icon="COMMUNITY")
        else:  # has the button's height, so that nothing moves under the pointer
            row.label(text=task.title, icon="COMMUNITY")
        if people:
            row.operator("expnet.forget_people", text="", icon="X")
        icons = everyone.portraits()
        for i, person in enumerate(people):
            split = layout.row().split(factor=0.25)
            if len(icons) == len(people):
                split.template_icon(icons[i], scale=2.6)
            else:  # found in another session
                split.label(text=str(i + 1), icon="USER", translate=False)
            column = split.column(align=True)
            column.prop(person, "name", text="")
            column.prop(person, "head", text="")
        layout.operator("expnet.animate_people", icon="RENDER_ANIMATION")


class TakePanel:
    layout: bpy.types.UILayout
    bl_label = "Take"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        if current_take.take_of(chosen.face(context)) is not None:
            EXPNET_PT_take_presets.draw_panel_header(self.layout)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = chosen.face(context)
        return head is not None and bool(current_take.takes_of(head))

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.enabled = tasks.under_way() is None
        draw_takes(layout, context)
        action = current_take.take_of(chosen.face(context))
        if action is None:
            return
        take = action.expnet
        split = layout.split(factor=0.28)
        names, numbers = split.column(align=True), split.row()
        smoothing, gains = numbers.column(align=True), numbers.column(align=True)
        names.label(text="")
        smoothing.label(text="Smoothing")
        gains.label(text="Gain")
        for region in take.regions:
            names.label(text=region.name.capitalize())
            smoothing.prop(region, "smoothing", text="")
            if region.name in current_take.UNTREATED:
                gains.label(text="")
            else:
                gains.prop(region, "gain", text="")
        layout.prop(take, "hold_mouth")

        column = layout.column(align=True)
        column.prop(take, "neutral")
        if take.neutral in ("FRAME", "RANGE"):
            row = column.row(align=True)
            row.prop(take, "neutral_number")
            if take.neutral == "RANGE":
                row.prop(take, "neutral_last_number")
        column.operator("expnet.neutral_from_frame")

        if take.fitted:
            layout.label(text="Fitted to the Whole Clip", icon="CHECKMARK")
        layout.prop(take, "head_motion", text="Head")
        layout.prop(take, "source_times")
        column = layout.column(align=True)
        column.prop(take, "decimate")
        if take.decimate:
            column.prop(take, "bezier")
            for error in ("key_error", "angle_error", "place_error"):
                column.prop(take, error)

        row = layout.row()
        row.prop(take, "live")
        row.operator("expnet.apply_again", icon="FILE_REFRESH")
        layout.operator("expnet.discard_edits", icon="LOOP_BACK")
        layout.operator("expnet.label_emotions", icon="BOOKMARKS")
        if take.note:
            say(layout, context, take.note)


def _draw_source(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    settings = context.scene.expnet
    shown = chosen.shown_clip(context)
    if shown is not None:
        layout.label(text=shown.name, icon="TRACKER", translate=False)
        return
    layout.row().prop(settings, "source_kind", expand=True)
    if settings.source_kind == "FILE":
        row = layout.row(align=True)
        row.prop(settings, "source", text="")
        row.operator("expnet.open_footage", text="", icon="FILE_MOVIE")
    elif settings.source_kind == "FOLDER":
        layout.prop(settings, "source_folder", text="")
    elif settings.source_kind == "CLIP":
        layout.template_ID(settings, "source_clip", open="clip.open")
    else:
        layout.template_ID(settings, "source_image", open="image.open")


def draw_progress(layout: bpy.types.UILayout, context: bpy.types.Context, task: tasks.Task[Any]) -> None:
    """Draw the task's progress in place of the buttons.

    A button that Blender has drawn grey under the pointer would stay grey after the task. Cancel is placed so that the
    second click of a double click does not hit it. It does not move when the text below it grows.
    """
    layout.label(text=task.title)
    progress = task.progress
    layout.progress(text=f"{progress.fraction:.0%}" if progress.total else "", factor=progress.fraction)
    layout.operator("expnet.cancel", icon="X")
    say(layout, context, task.status.replace(", ", "\n", 1))  # the progress; the speed
    if watched.icon():
        layout.template_icon(watched.icon(), scale=5)
        say(layout, context, watched.keys())


def _say_which_head(layout: bpy.types.UILayout, context: bpy.types.Context, head: bpy.types.Object | None) -> None:
    """Draw the head that gets the keys, its face model and the model's licence."""
    if head is None:
        return
    terms = head.get("expnet_license", "")
    say(layout, context, f"{head.name}: {head['expnet_model']} head{', ' + terms if terms else ''}", dim=True)


def _say_what_for(layout: bpy.types.UILayout, context: bpy.types.Context, choice: Choice) -> None:
    """Draw the licence of a choice below it, or what it lacks."""
    if choice.missing:
        say(layout, context, iface(choice.missing), "ERROR")
    else:
        say(layout, context, iface(choice.license), dim=True)


class EXPNET_PT_face(Sidebar, FacePanel, bpy.types.Panel):
    pass


class EXPNET_PT_capture(Sidebar, CapturePanel, bpy.types.Panel):
    pass


class EXPNET_PT_settings(Sidebar, SettingsPanel, bpy.types.Panel):
    bl_parent_id = "EXPNET_PT_capture"


class EXPNET_PT_which_face(Sidebar, WhichFacePanel, bpy.types.Panel):
    bl_parent_id = "EXPNET_PT_capture"


class EXPNET_PT_everyone(Sidebar, EveryonePanel, bpy.types.Panel):
    bl_parent_id = "EXPNET_PT_capture"


class EXPNET_PT_take(Sidebar, TakePanel, bpy.types.Panel):
    pass


class EXPNET_PT_clip_capture(InClipEditor, CapturePanel, bpy.types.Panel):
    def draw(self, context: bpy.types.Context) -> None:
        draw_without_engine(self.layout, context)
        super().draw(context)


class EXPNET_PT_clip_settings(InClipEditor, SettingsPanel, bpy.types.Panel):
    bl_parent_id = "EXPNET_PT_clip_capture"


class EXPNET_PT_clip_which_face(InClipEditor, WhichFacePanel, bpy.types.Panel):
    bl_parent_id = "EXPNET_PT_clip_capture"


class EXPNET_PT_clip_everyone(InClipEditor, EveryonePanel, bpy.types.Panel):
    bl_parent_id = "EXPNET_PT_clip_capture"


class EXPNET_PT_clip_take(InClipEditor, TakePanel, bpy.types.Panel):
    pass


CLASSES = (
    EXPNET_PT_face,
    EXPNET_PT_capture,
    EXPNET_PT_settings,
    EXPNET_PT_which_face,
    EXPNET_PT_everyone,
    EXPNET_PT_take,
    EXPNET_PT_clip_capture,
    EXPNET_PT_clip_settings,
    EXPNET_PT_clip_which_face,
    EXPNET_PT_clip_everyone,
    EXPNET_PT_clip_take,
)
