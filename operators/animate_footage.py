from __future__ import annotations

from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as iface
from bpy.props import EnumProperty

from ..expnet_addon.capture import chosen, watched
from ..expnet_addon.capture.keying import Keying
from ..expnet_addon.engine.tasks import Task
from ..expnet_addon.properties.scene_settings import ExpNetSceneProperties
from ..model.errors import InputError
from .task import TaskOperator, estimator_options, has_face, has_source, idle, is_there


class EXPNET_OT_animate_footage(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.animate_footage"
    bl_label = "Animate from Footage"
    bl_description = "Follow the face through the source clip and key expression, gaze and head pose on every frame"
    bl_options = {"REGISTER", "UNDO"}

    earlier: EnumProperty(  # type: ignore[valid-type]
        name="Earlier Take",
        description="What becomes of a take of the same clip that has hand edits",
        items=[
            ("ASK", "Ask", "Ask in a menu. Without a window it is kept"),
            ("KEEP", "Keep Both", "The edited take stays in the list"),
            ("REPLACE", "Replace It", "The new take replaces the edited one"),
        ],
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties | None) -> str:
        if properties is not None and properties.earlier != "ASK":  # a row of the menu that asks
            meaning = properties.bl_rna.properties["earlier"].enum_items[properties.earlier].description
            return f"{iface(meaning)}. {iface('Then the clip is read')}"
        settings = context.scene.expnet
        wanted = [
            (settings.scene_timing, "the frame rate and range"),
            (settings.match_camera, "the camera and resolution"),
            (settings.sound, "playback sync and the sound strip"),
            (settings.identity, "the shape of the head"),
        ]
        changed = ", ".join(iface(words) for on, words in wanted if on) or iface("nothing else")
        return f"{iface(cls.bl_description)}. {iface('It also sets, as Settings say')}: {changed}"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        network = context.scene.expnet.chosen_network()
        return has_source(cls, context) and is_there(cls, network) and has_face(cls, context) and idle(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.earlier == "ASK":
            from ..expnet_addon.capture import takes

            try:
                edited = takes.edited_take(chosen.face(context), chosen.source(context).path)
            except InputError as error:
                return self._fail(context, error)
            if edited:
                title = iface("The take '{}' has hand edits").format(edited)
                context.window_manager.popup_menu(_ask, title=title, icon="QUESTION")
                return {"CANCELLED"}
        started = super().invoke(context, event)
        if "RUNNING_MODAL" in started and context.scene.expnet.move_along:
            watched.move_along(chosen.face(context))
        return started

    def task(self, context: bpy.types.Context) -> Task[Any]:
        from ..expnet_addon.capture import capture

        settings, head = context.scene.expnet, chosen.face(context)
        keying = panel_keying(settings, self.earlier == "REPLACE")
        source = chosen.source_in_range(context)
        options = estimator_options(settings, head)
        return capture.animate_clip(context.scene, head, source, options, keying, settings.fit)


def panel_keying(settings: ExpNetSceneProperties, replace_edited: bool = False) -> Keying:
    """Return how the panel's settings key a performance."""
    return Keying(
        smoothing=settings.smoothing,
        identity=settings.identity,
        scene_timing=settings.scene_timing,
        match_camera=settings.match_camera,
        sound=settings.sound,
        head_motion=settings.head_motion,
        root=settings.stay,
        markers=settings.markers,
        replace_edited=replace_edited,
    )


def _ask(menu: bpy.types.UIPopupMenu, context: bpy.types.Context) -> None:
    """Draw the menu that asks what becomes of an edited take."""
    menu.layout.operator_context = "INVOKE_DEFAULT"
    for earlier, text, icon in (("KEEP", "Keep Both", "DUPLICATE"), ("REPLACE", "Replace It", "TRASH")):
        menu.layout.operator(EXPNET_OT_animate_footage.bl_idname, text=text, icon=icon).earlier = earlier
