"""Handle the differences between Blender versions (4.2 LTS to 5.2 LTS). No other module checks the version.

Checks test for a feature where possible, and for a version number otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

HAS_SLOTS = "slots" in bpy.types.Action.bl_rna.properties  # 4.4+
PATH_OPTIONS = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()  # of properties with //
EEVEE = "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


_KEY_TYPES = bpy.types.Keyframe.bl_rna.properties["type"].enum_items
GENERATED_KEY = "GENERATED" if "GENERATED" in _KEY_TYPES else "KEYFRAME"  # 4.3+


# Actions ---------------------------------------------------------------------------------------------------------


def new_actions(name: str, blocks: Sequence[bpy.types.ID]) -> list[tuple[bpy.types.Action, Any]]:
    """Make and assign a new action for ``blocks``, one block of each type.

    Returns each block's action and collection of F-curves. If actions have slots, all blocks share one action, with a
    slot each. Otherwise each block has its own action.
    """
    if not HAS_SLOTS:
        result = []
        for block in blocks:
            action = bpy.data.actions.new(name if block is blocks[0] else f"{name} {block.name}")
            action.id_root = block.id_type
            block.animation_data_create().action = action
            result.append((action, action.fcurves))
        return result
    action = bpy.data.actions.new(name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    result = []
    for block in blocks:
        slot = action.slots.new(id_type=block.id_type, name=block.name)
        data = block.animation_data_create()
        data.action = action
        data.action_slot = slot  # set explicitly: Blender may choose no slot, and then nothing plays
        result.append((action, strip.channelbag(slot, ensure=True).fcurves))
    return result


def assigned_curves(block: bpy.types.ID) -> Any | None:
    """Return the F-curves of the action (and slot) assigned to ``block``, or None."""
    data = block.animation_data
    if data is None or data.action is None:
        return None
    if not HAS_SLOTS:
        return data.action.fcurves
    if data.action_slot is None:
        return None
    for layer in data.action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(data.action_slot)
            if bag is not None:
                return bag.fcurves
    return None


def assign_action(block: bpy.types.ID, action: bpy.types.Action, slot: str | None = None) -> None:
    """Assign ``action`` to ``block``, with the slot of identifier ``slot`` (default: that of the current slot)."""
    data = block.animation_data_create()
    slot = slot or slot_name(block)
    data.action = action
    if HAS_SLOTS:
        data.action_slot = next((s for s in action.slots if s.identifier == slot), None)


def action_curves(action: bpy.types.Action, id_type: str) -> Any | None:
    """Return the F-curves with which ``action`` animates blocks of ``id_type`` (``KEY``, ``OBJECT``), or None."""
    if not HAS_SLOTS:
        return action.fcurves if action.id_root in ("", id_type) else None
    slot = _slot_for(action, id_type)
    bags = [strip.channelbag(slot) for layer in action.layers for strip in layer.strips] if slot is not None else []
    return next((bag.fcurves for bag in bags if bag is not None), None)


def _slot_for(action: bpy.types.Action, id_type: str) -> Any | None:
    return next((each for each in action.slots if each.target_id_type in (id_type, "UNSPECIFIED")), None)


def new_nla_strip(block: bpy.types.ID, name: str, action: bpy.types.Action) -> Any:
    """Add an NLA track with one strip of ``action`` to ``block``, at the action's own frames."""
    track = block.animation_data_create().nla_tracks.new()
    track.name = name
    strip = track.strips.new(name, math.floor(action.frame_range[0]), action)
    if hasattr(strip, "action_slot"):
        strip.action_slot = _slot_for(action, block.id_type)
    return strip


def assign_its_slot(block: bpy.types.ID, action: bpy.types.Action) -> bool:
    """Assign ``action`` to ``block`` if it animates blocks of that type, with its first slot for them."""
    data = block.animation_data_create()
    if not HAS_SLOTS:
        if action.id_root not in ("", block.id_type):
            return False
        data.action = action
        return True
    slot = _slot_for(action, block.id_type)
    if slot is None:
        return False
    data.action = action
    data.action_slot = slot
    return True


def slot_name(block: bpy.types.ID) -> str | None:
    """Return the identifier of the action slot assigned to ``block``, or None."""
    data = block.animation_data
    slot = data.action_slot if HAS_SLOTS and data is not None else None
    return slot.identifier if slot is not None else None


# Materials -------------------------------------------------------------------------------------------------------


def node_tree(material: bpy.types.Material | bpy.types.World) -> bpy.types.NodeTree:
    """Return the node tree; before 5.0, enable it if needed."""
    if material.node_tree is None:
        material.use_nodes = True
    return material.node_tree


# Images ----------------------------------------------------------------------------------------------------------


def texture_at(image: bpy.types.Image, frame: int) -> Any:
    """Return the GPU texture of a movie's or a sequence's picture; without ``gl_load``, that of the first one."""
    import gpu

    if hasattr(image, "gl_load"):
        image.gl_free()  # else Blender keeps the texture of another frame
        image.gl_load(frame=frame)
    return gpu.texture.from_image(image)


# Sequencer and video ---------------------------------------------------------------------------------------------


def sequencer_strips(scene: bpy.types.Scene) -> Any:
    """Return the scene's collection of strips; create the sequence editor if needed."""
    editor = scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def new_effect(strips: Any, name: str, kind: str, channel: int, start: int, length: int) -> Any:
    """Add an effect strip without inputs (``TEXT``, ``COLOR``), ``length`` frames from ``start``."""
    takes_length = "length" in strips.bl_rna.functions["new_effect"].parameters
    span = {"length": length} if takes_length else {"frame_end": start + length}
    return strips.new_effect(name=name, type=kind, channel=channel, frame_start=start, **span)


def new_images(strips: Any, name: str, files: Sequence[str], channel: int, start: int) -> Any:
    """Add an image strip of ``files``, one per frame from ``start`` on."""
    strip = strips.new_image(name=name, filepath=files[0], channel=channel, frame_start=start)
    for file in files[1:]:
        strip.elements.append(Path(file).name)
    set_length(strip, len(files))
    return strip


def set_length(strip: Any, frames: int) -> None:
    """Set a strip's length in frames."""
    setattr(strip, "duration" if hasattr(strip, "duration") else "frame_final_duration", frames)  # 5.2 renamed it


def skip_frames(strip: Any, frames: int) -> None:
    """Trim a strip's first frames; the others keep their place in time."""
    setattr(strip, "left_handle_offset" if hasattr(strip, "left_handle_offset") else "frame_offset_start", frames)


def anchor_text(strip: Any, x: str, y: str) -> None:
    """Set the anchor point of a text strip: ``x`` LEFT, CENTER, RIGHT; ``y`` TOP, CENTER, BOTTOM."""
    if hasattr(strip, "anchor_x"):  # 4.4+
        strip.anchor_x, strip.anchor_y, strip.alignment_x = x, y, x
    else:
        strip.align_x, strip.align_y = x, y


def write_h264(scene: bpy.types.Scene, path: str) -> None:
    """Set ``scene`` to render to an H.264 mp4 at ``path``."""
    image = scene.render.image_settings
    if hasattr(image, "media_type"):  # 5.0+: required before FFMPEG can be set
        image.media_type = "VIDEO"
    image.file_format = "FFMPEG"
    image.color_mode = "RGB"
    video = scene.render.ffmpeg
    video.format, video.codec, video.audio_codec = "MPEG4", "H264", "NONE"
    video.constant_rate_factor, video.ffmpeg_preset = "HIGH", "GOOD"
    video.gopsize = 12
    scene.render.filepath = path


def write_images(scene: bpy.types.Scene, file_format: str) -> None:
    """Set ``scene`` to render to still images, ``JPEG`` or ``PNG``."""
    image = scene.render.image_settings
    if hasattr(image, "media_type"):
        image.media_type = "IMAGE"
    image.file_format = file_format
    image.color_mode = "RGB"
