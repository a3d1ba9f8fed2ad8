"""Place the points of a head by clicks in the 3D view, one after another."""

from __future__ import annotations

from typing import Any

import bpy

from ..expnet_addon.own_head import chosen
from ..model.errors import InputError
from .own_head import has_own_head
from .task import idle

KEYS = "Click places, Space skips, Backspace takes the last back, Enter ends, ESC cancels"
NAVIGATION = {
    "MIDDLEMOUSE",
    "WHEELUPMOUSE",
    "WHEELDOWNMOUSE",
    "MOUSEMOVE",
    "TRACKPADPAN",
    "TRACKPADZOOM",
    "NDOF_MOTION",
}


class EXPNET_OT_click_head_points(bpy.types.Operator):
    bl_idname = "expnet.click_head_points"
    bl_label = "Click Points"
    bl_description = (
        "Place the points that are missing by clicks on the head; the bottom of the window says which comes next. "
        "If all are there, place them all again"
    )
    bl_options = {"REGISTER", "UNDO"}

    _round: Any = None  # clicking.Clicking; Blender evaluates annotations, and has no numpy when it registers

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not (has_own_head(cls, context) and idle(cls)):
            return False
        if context.area is None or context.area.type != "VIEW_3D":
            cls.poll_message_set("Use it in a 3D view")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        from ..expnet_addon.own_head import meshes
        from ..expnet_addon.own_head.clicking import Clicking

        try:
            head = chosen.choose_parts(context)
            meshes.check_parts([head])
        except InputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._round = Clicking(head)
        context.window.cursor_modal_set("CROSSHAIR")
        context.window_manager.modal_handler_add(self)
        self._say(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type in NAVIGATION or event.value != "PRESS" or event.alt:
            return {"PASS_THROUGH"}
        if event.type == "LEFTMOUSE":
            region, inside = _region_under(context, event)
            if region is None:
                return {"PASS_THROUGH"}  # the panel, or another editor
            self._click(context, region, inside)
        elif event.type == "SPACE":
            self._round.skip()
        elif event.type == "BACK_SPACE" or (event.type == "Z" and (event.ctrl or event.oskey)):
            self._round.undo()
        elif event.type == "ESC":
            self._round.undo_all()
            return self._end(context, {"CANCELLED"}, {"WARNING"}, "Click Points: cancelled, nothing was changed")
        elif event.type not in ("RET", "NUMPAD_ENTER"):
            return {"PASS_THROUGH"}
        if self._round.next is None or event.type in ("RET", "NUMPAD_ENTER"):
            return self._finish(context)
        self._say(context)
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender calls this if the window is closed or another file is opened."""
        self._tidy(context)

    def _click(self, context: bpy.types.Context, region: bpy.types.Region, at: tuple[int, int]) -> None:
        from bpy_extras.view3d_utils import region_2d_to_origin_3d, region_2d_to_vector_3d

        from ..expnet_addon.own_head import points

        view = context.space_data.region_3d
        origin = region_2d_to_origin_3d(region, view, at)
        direction = region_2d_to_vector_3d(region, view, at)
        hit = points.hit_from_view(self._round.head, context, origin, direction)
        if hit is None:
            self.report({"WARNING"}, "There is no surface of the head: click on the head")
        else:
            self._round.place(hit)

    def _finish(self, context: bpy.types.Context) -> set[str]:
        count = self._round.placed
        if not count:
            return self._end(context, {"CANCELLED"}, {"INFO"}, "No point was placed")
        text = f"{count} points placed"
        if not self._round.enough:
            text += ". More are needed before keys can be made: the panel lists them"
        return self._end(context, {"FINISHED"}, {"INFO"}, text)

    def _end(self, context: bpy.types.Context, result: set[str], kind: set[str], text: str) -> set[str]:
        self._tidy(context)
        self.report(kind, text)
        context.scene.expnet.result = text
        return result

    def _tidy(self, context: bpy.types.Context) -> None:
        if context.window:
            context.window.cursor_modal_restore()
        if context.workspace:
            context.workspace.status_text_set(None)
        if context.area:
            context.area.header_text_set(None)
            context.area.tag_redraw()

    def _say(self, context: bpy.types.Context) -> None:
        text = self._round.prompt()
        context.workspace.status_text_set(f"{text}    {KEYS}")
        context.area.header_text_set(text)
        context.area.tag_redraw()


def _region_under(
    context: bpy.types.Context, event: bpy.types.Event
) -> tuple[bpy.types.Region | None, tuple[int, int]]:
    """Return the view's main region under the pointer with the place in it; None over a panel or another editor."""
    for region in context.area.regions:
        x, y = event.mouse_x - region.x, event.mouse_y - region.y
        if region.type != "WINDOW" and 0 <= x < region.width and 0 <= y < region.height:
            return None, (0, 0)
    region = next(region for region in context.area.regions if region.type == "WINDOW")
    x, y = event.mouse_x - region.x, event.mouse_y - region.y
    return (region if 0 <= x < region.width and 0 <= y < region.height else None), (x, y)


CLASSES = (EXPNET_OT_click_head_points,)
