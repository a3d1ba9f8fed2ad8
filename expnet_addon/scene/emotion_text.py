"""The strongest emotion as text before the camera, in the viewport and in every render: its name and its share.

Each span in which an emotion is the strongest has a text object, shown by keys on its visibility. So a render needs no
extension, as on a farm. The share is the span's mean of the emotion's strength over the sum of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy

from ...model.array_types import FloatArray
from ...model.errors import InputError
from .. import compat

if TYPE_CHECKING:
    from .emotion_track import Labelled

TEXT = "expnet_emotion_of"  # a property of the text objects: the head's name
MATERIAL = "ExpNet Emotion Text"
HEIGHT, LINE, FROM_EDGE = 0.055, 1.4, 0.05  # of the picture's height: letters, distance of lines, from the lower edge
DEPTH = 0.12  # metres before the camera: nearer than any head
WHITE = (1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Span:
    """Frames ``first`` to ``last`` of the performance, from 0, both included, and the line that is shown."""

    first: int
    last: int
    line: str


def spans_of(found: Labelled, changes: list[tuple[int, str]]) -> list[Span]:
    """Return the spans in which an emotion is the strongest, from ``emotion_track.label_changes``."""
    spans = []
    ends = [frame - 1 for frame, _ in changes[1:]] + [len(found.strengths) - 1]
    for (first, name), last in zip(changes, ends):
        if name in found.emotions:
            rows = found.strengths[first : last + 1]
            share = rows[:, found.emotions.index(name)].sum() / max(float(rows.sum()), 1e-9)
            spans.append(Span(first, last, f"{name.capitalize()} {share:.0%}"))
    return spans


def check_camera(scene: bpy.types.Scene) -> None:
    """Raise InputError for a scene without a camera."""
    if scene.camera is None:
        raise InputError("The scene has no camera to put the text before: add one, or leave Text out")


def show_text(scene: bpy.types.Scene, head: bpy.types.Object, spans: list[Span], frames: FloatArray) -> None:
    """Put each span's line before the scene's camera, in the scene frames (F,) of the performance.

    Raises InputError for a scene without a camera.
    """
    check_camera(scene)
    camera = scene.camera
    line = len({each[TEXT] for each in scene.objects if TEXT in each})
    corners = [corner * (DEPTH / -corner.z) for corner in camera.data.view_frame(scene=scene)]
    low, height = min(c.y for c in corners), max(c.y for c in corners) - min(c.y for c in corners)
    middle = (min(c.x for c in corners) + max(c.x for c in corners)) / 2
    for span in spans:
        curve = bpy.data.curves.new(f"{head.name} emotion", "FONT")
        curve.body, curve.align_x, curve.size = span.line, "CENTER", HEIGHT * height
        curve.materials.append(_material())
        text = bpy.data.objects.new(curve.name, curve)
        text[TEXT] = head.name
        text.parent, text.hide_select = camera, True
        text.location = (middle, low + (FROM_EDGE + line * LINE * HEIGHT) * height, -DEPTH)
        scene.collection.objects.link(text)
        first, last = round(float(frames[span.first])), round(float(frames[span.last]))
        for frame, hidden in ((first - 1, True), (first, False), (last + 1, True)):
            text.hide_viewport = text.hide_render = hidden
            for path in ("hide_viewport", "hide_render"):
                text.keyframe_insert(path, frame=frame)


def _material() -> bpy.types.Material:
    """Return the letters' material, which no light changes."""
    there = bpy.data.materials.get(MATERIAL)
    if there is not None:
        return there
    material = bpy.data.materials.new(MATERIAL)
    tree = compat.node_tree(material)
    tree.nodes.clear()
    light, out = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
    light.inputs["Color"].default_value = WHITE
    tree.links.new(light.outputs["Emission"], out.inputs["Surface"])
    material.diffuse_color = WHITE  # of solid views
    return material


def remove_text(scene: bpy.types.Scene, head: bpy.types.Object) -> None:
    """Remove the head's lines, and what only they used."""
    for text in [each for each in scene.objects if each.get(TEXT) == head.name]:
        action, curve = text.animation_data and text.animation_data.action, text.data
        bpy.data.objects.remove(text)
        if action is not None and not action.users:
            bpy.data.actions.remove(action)
        if not curve.users:
            bpy.data.curves.remove(curve)
