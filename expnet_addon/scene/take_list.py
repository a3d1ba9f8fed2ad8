"""Switch, copy, delete and push down the takes of a head.

A take brings its shape keys, gaze and head pose, and the footage, sound and timing that it was made with.
"""

from __future__ import annotations

import bpy

from ...model.errors import InputError
from .. import compat
from . import animation, compare, confidence, head_root, ready_to_render, scene_changes, sound
from . import camera_and_light as staging
from .current_take import TAKE, head_action_of, take_of, takes_of
from .take_keys import apply_head_motion, frames_of, recognise_edits, unpacked_performance


def show(scene: bpy.types.Scene, head: bpy.types.Object, action: bpy.types.Action) -> str:
    """Make ``action`` the current take of ``head``, with its footage, sound and timing. Returns a line for the user.

    Raises InputError, with nothing changed, if a part of the take is missing.
    """
    body = head_action_of(head, action)
    if body is None:
        raise InputError(f"The take '{action.name}' has lost the action with its head pose: animate the clip again")
    raw = unpacked_performance(action.expnet.performance, action.name)
    before = scene_changes.facts(scene)
    for block, part in ((head.data.shape_keys, action), (head, body)):
        data = block.animation_data_create()
        if data.action is not None and data.action != part:
            data.action.use_fake_user = True  # Blender does not save an action without users
        compat.assign_its_slot(block, part)
    head.rotation_mode = "QUATERNION"
    recognise_edits(head)
    take = action.expnet
    frames = frames_of(action, raw)
    span = animation.Take(action.name, float(frames[0]), float(frames[-1]), int(raw.seen.sum()), ())
    if take.sets_timing:
        animation.set_scene_fps(scene, take.scene_rate)
        animation.set_frame_range(scene, span)
    root = head_root.settle(scene, head)
    apply_head_motion(head, action)
    confidence.mark(scene, head)
    _show_footage(scene, action, root, raw.image_size, raw.lens_mm)
    ready_to_render.renew_plane(scene)
    if take.has_sound:
        sound.lay_sound(scene, raw, span, head.name)
    else:
        sound.remove_sound(scene, raw.source, head.name)
    scene.frame_set(scene.frame_current)  # shows the take
    first_line = f"{head.name} shows the take '{action.name}'"
    return "\n".join(line for line in (first_line, scene_changes.changes(before, scene)) if line)


def _show_footage(
    scene: bpy.types.Scene,
    action: bpy.types.Action,
    root: bpy.types.Object | None,
    image_size: tuple[int, int],
    lens_mm: float,
) -> None:
    take = action.expnet
    if not take.matches_camera:
        for camera in (obj for obj in scene.objects if obj.type == "CAMERA" and obj.get(staging.CAMERA)):
            staging.hide_footage(camera)
        return
    camera = staging.match_camera(scene, image_size, lens_mm)
    head_root.carry(root, camera)
    block = take.footage
    if block is None:
        staging.hide_footage(camera)
        return
    if take.own_footage:  # two takes may show two parts of one clip
        block.frame_start, block.frame_offset = take.footage_start, take.footage_first
    staging.show_clip(camera, block)
    compare.apply(scene)


def remember_footage(action: bpy.types.Action, block: bpy.types.MovieClip, own: bool) -> None:
    """Keep with the take which clip is shown behind it. ``own`` clips were loaded for it."""
    take = action.expnet
    take.footage, take.own_footage = block, own
    take.footage_start, take.footage_first = block.frame_start, block.frame_offset


def duplicate(scene: bpy.types.Scene, head: bpy.types.Object) -> str:
    """Copy the head's current take with all its settings and edits, and show the copy. Raises InputError."""
    action = _current(head)
    body = head_action_of(head, action)
    copy = action.copy()
    if body is not None and body != action:
        copy.expnet.head_action = body.copy()
    show(scene, head, copy)
    return f"'{copy.name}' is a copy of '{action.name}'"


def delete(scene: bpy.types.Scene, head: bpy.types.Object) -> str:
    """Delete the head's current take, and show the one before it in the list. Raises InputError."""
    action = _current(head)
    there = takes_of(head)
    at = there.index(action)
    left = [each for each in there if each != action]
    body, name = head_action_of(head, action), action.name
    sound.remove_sound(scene, str(action[TAKE]), head.name)
    confidence.unmark(scene, head)
    bpy.data.actions.remove(action)
    if body is not None and body != action:
        bpy.data.actions.remove(body)
    if left:
        show(scene, head, left[min(max(at - 1, 0), len(left) - 1)])
    return f"The take '{name}' is deleted"


def push_down(head: bpy.types.Object) -> str:
    """Put the head's current take on new NLA tracks, so that further animation goes on top. Raises InputError."""
    action = _current(head)
    body = head_action_of(head, action)
    for block, part in ((head.data.shape_keys, action), (head, body)):
        if part is not None:
            compat.new_nla_strip(block, action.name, part)
            block.animation_data.action = None
    return f"'{action.name}' is on NLA tracks of '{head.name}' and of its shape keys"


def _current(head: bpy.types.Object) -> bpy.types.Action:
    action = take_of(head)
    if action is None:
        raise InputError(f"'{head.name}' shows no take: choose one in the list")
    return action
