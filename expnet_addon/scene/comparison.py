"""Render a comparison video of footage and head, side by side or overlaid, with frame numbers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np

from ...model.array_types import BoolArray, FloatArray, IntArray
from ...model.errors import InputError
from ...model.files import atomic_path, is_dir, is_file
from ...model.performance.face_performance import FacePerformance, runs
from ...model.sight.sequences import sequence_of, sequence_pattern
from .. import compat
from .animation import scene_frames, set_scene_fps
from .camera_and_light import BACKGROUND, grey_world, match_camera
from .emotion_text import Span
from .quality import Quality
from .rendering import render_frame, render_video, set_engine, temporary_scene
from .rig import eyes_of

QUICK = Quality()

Progress = Callable[[int, int], None]


def render_comparison(
    scene: bpy.types.Scene,
    clip: str,
    out_mp4: str | Path,
    head: bpy.types.Object,
    performance: FacePerformance,
    start_frame: float | None = None,
    quality: Quality = QUICK,
    layout: str = "beside",
    progress: Progress | None = None,
    others: Sequence[tuple[bpy.types.Object, FacePerformance]] = (),
    lines: Sequence[Span] = (),
) -> Path:
    """Render footage and head as an H.264 video at the clip's rate, frame for frame.

    The layout is ``beside``, side by side with the same frame numbers on both, or ``over``, the head over the face.
    A frame without a picture of its own shows the previous one.

    clip         the movie, or the first file of an image sequence
    performance  the performance that the head is keyed with; gives times, size, lens and the frames without a face
    start_frame  the scene frame of the performance's first frame (default: the scene's first)
    quality      its height defaults to the clip's, at most 720
    progress     called with (frames done, total frames) while the head is rendered
    lines        what stands below the head in spans of the performance's frames
    others       further heads with their performances of the same frames; each is shown where its person is seen

    Uses temporary scenes and removes them; the artist's scene is not changed. The file is written atomically. Raises
    InputError if it cannot be written or the clip cannot be read.
    """
    out = Path(out_mp4)
    _check_writable(out)
    _check_readable(str(clip))
    timelines = [_timeline(scene, each, start_frame) for each in (performance, *(each for _, each in others))]
    shown = np.array([each.seen for each in timelines])  # (heads, frames)
    timeline = replace(timelines[0], seen=shown.any(0))
    heads = list(zip((head, *(each for each, _ in others)), shown, strict=True))
    width, height = _video_size(performance.image_size, quality.height)
    with tempfile.TemporaryDirectory(prefix="expnet_") as folder:
        files = _render_heads(
            heads, performance.lens_mm, timeline, (width, height), quality, layout == "over", Path(folder), progress
        )
        with atomic_path(out) as partial:
            _compose(str(clip), performance, timeline, files, (width, height), layout, lines, partial)
    return out


@dataclass(frozen=True, eq=False)
class _Timeline:
    """The video's frames.

    scene  (N,) scene frames
    clip   (N,) frames of the clip, 0-based
    seen   (N,) whether a face is detected

    In a gap of the clip the head is interpolated between the neighbouring keys.
    """

    scene: FloatArray
    clip: IntArray
    seen: BoolArray


def _timeline(scene: bpy.types.Scene, performance: FacePerformance, start_frame: float | None) -> _Timeline:
    own = np.rint(performance.frames).astype(int)
    clip = np.arange(own[0], own[-1] + 1)
    after = np.searchsorted(own, clip)
    before = np.searchsorted(own, clip, side="right") - 1
    start = scene_frames(scene, performance, start_frame)[0]
    return _Timeline(start + clip - clip[0], clip, performance.seen[before] & performance.seen[after])


def _render_heads(
    heads: Sequence[tuple[bpy.types.Object, BoolArray]],
    lens_mm: float,
    timeline: _Timeline,
    size: tuple[int, int],
    quality: Quality,
    transparent: bool,
    folder: Path,
    progress: Progress | None,
) -> list[Path | None]:
    """Render one picture per frame of the video, with each head where it is shown; None for frames without a face."""
    files: list[Path | None] = []
    with temporary_scene("ExpNet head") as scene:
        match_camera(scene, size, lens_mm)
        scene.world = grey_world()
        set_engine(scene, quality)
        compat.write_images(scene, "PNG" if transparent else "JPEG")
        scene.render.film_transparent = transparent
        if transparent:
            scene.render.image_settings.color_mode = "RGBA"
            scene.render.image_settings.compression = 15
        else:
            scene.render.image_settings.quality = 95
        for i, (frame, seen) in enumerate(zip(timeline.scene, timeline.seen, strict=True)):
            for head, shown in heads:
                _show(scene.collection, head, bool(shown[i]))
            files.append(render_frame(scene, float(frame), folder / f"{i:06d}_") if seen else None)
            if progress is not None:
                progress(i + 1, len(timeline.scene))
    return files


def _show(collection: bpy.types.Collection, head: bpy.types.Object, shown: bool) -> None:
    """Link a head and its eyes to ``collection``, or unlink them."""
    if (head.name in collection.objects) == shown:
        return
    for obj in (head, *eyes_of(head).values()):
        (collection.objects.link if shown else collection.objects.unlink)(obj)


def _compose(
    clip: str,
    performance: FacePerformance,
    timeline: _Timeline,
    files: list[Path | None],
    size: tuple[int, int],
    layout: str,
    lines: Sequence[Span],
    out: Path,
) -> None:
    """Render footage, head and frame numbers to ``out``, from the sequencer of a temporary scene."""
    width, height = size
    sides = (-1, +1) if layout == "beside" else (0, 0)
    count = len(timeline.scene)
    with temporary_scene("ExpNet comparison") as scene:
        scene.render.resolution_x, scene.render.resolution_y = width * (1 + (layout == "beside")), height
        scene.frame_start, scene.frame_end = 1, count
        set_scene_fps(scene, performance.fps)
        scene.render.use_sequencer, scene.render.use_compositing = True, False
        strips = compat.sequencer_strips(scene)

        ground = compat.new_effect(strips, "ground", "COLOR", 1, 1, count)
        ground.color = BACKGROUND
        strip = _footage_strip(strips, clip, timeline.clip)
        _place(strip, _stored_size(strip, performance.image_size), size, sides[0])
        for first, last in runs(np.array([f is not None for f in files])):
            head = compat.new_images(strips, "head", [str(f) for f in files[first : last + 1]], 3, 1 + first)
            _place(head, size, size, sides[1])
            head.blend_type = "ALPHA_OVER"
        for first, last in runs(~timeline.seen):
            _text(
                strips,
                "no face",
                6,
                1 + first,
                last - first + 1,
                (0.75 if layout == "beside" else 0.5, 0.5),
                height // 16,
                "CENTER",
            )
        for span in lines:
            first, last = (round(float(performance.frames[at])) - timeline.clip[0] for at in (span.first, span.last))
            place = (0.75 if layout == "beside" else 0.5, 0.08)
            _text(strips, span.line, 7, 1 + int(first), int(last - first) + 1, place, height // 16, "CENTER")
        for i, frame in enumerate(timeline.scene):
            for side in (0, 1) if layout == "beside" else (0,):
                _text(strips, f"{round(frame)}", 4 + side, 1 + i, 1, (0.5 * side + 0.012, 0.025), height // 20, "LEFT")
        render_video(scene, out)


def _footage_strip(strips: bpy.types.bpy_prop_collection, clip: str, shown: IntArray) -> bpy.types.bpy_struct:
    """Add a strip that shows the clip's frames ``shown`` (0-based) at frames 1, 2, ..."""
    if not _is_movie(clip):
        if len(shown) == 1:
            return compat.new_images(strips, "footage", [clip], 2, 1)
        files = sequence_of(sequence_pattern(clip)[0])
        return compat.new_images(strips, "footage", [str(files.file_at(i)) for i in shown.tolist()], 2, 1)
    first = int(shown[0])
    strip = strips.new_movie(name="footage", filepath=clip, channel=2, frame_start=1 - first)
    compat.skip_frames(strip, first)
    return strip


def _stored_size(strip: bpy.types.bpy_struct, shown: tuple[int, int]) -> tuple[int, int]:
    """Return the size that Blender gives the strip's pictures; it ignores the sample aspect ratio.

    Returns ``shown`` if Blender does not report a size, or if the pictures are rotated.
    """
    element = strip.elements[0] if getattr(strip, "elements", None) else None
    width, height = (element.orig_width, element.orig_height) if element else (0, 0)
    if not width or not height or (width > height) != (shown[0] > shown[1]):
        return shown
    return width, height


def _is_movie(path: str) -> bool:
    return Path(path).suffix.lower() not in bpy.path.extensions_image


def _place(strip: bpy.types.bpy_struct, source: tuple[int, int], size: tuple[int, int], side: int) -> None:
    """Scale a strip of ``source`` size to ``size``; ``side`` moves it to the left (-1) or right (+1) half if not 0."""
    strip.transform.scale_x, strip.transform.scale_y = size[0] / source[0], size[1] / source[1]
    strip.transform.offset_x = side * size[0] / 2


def _text(
    strips: bpy.types.bpy_prop_collection,
    text: str,
    channel: int,
    start: int,
    length: int,
    location: tuple[float, float],
    size: int,
    align: str,
) -> None:
    strip = compat.new_effect(strips, text, "TEXT", channel, start, length)
    strip.text = text
    strip.font_size = max(size, 8)
    strip.location = location
    strip.color = (1.0, 1.0, 1.0, 1.0)
    strip.use_shadow = True
    compat.anchor_text(strip, align, "CENTER" if align == "CENTER" else "BOTTOM")


def _video_size(source: tuple[int, int], height: int | None) -> tuple[int, int]:
    """Return the size of one half of the video: the clip's aspect ratio, even numbers as H.264 requires."""
    height = height or min(source[1], 720)
    even = max(2, round(height / 2) * 2)
    return max(2, round(source[0] * even / source[1] / 2) * 2), even


def _check_writable(out: Path) -> None:
    if not is_dir(out.parent):
        raise InputError(f"there is no folder {out.parent}: make it first")
    if is_dir(out) or not os.access(out.parent, os.W_OK):
        raise InputError(f"{out} cannot be written: choose another place")


def _check_readable(clip: str) -> None:
    if not is_file(clip):
        raise InputError(f"there is no clip at {clip}")
    if _is_movie(clip):
        probe = bpy.data.movieclips.load(clip)
        frames = probe.frame_duration
        bpy.data.movieclips.remove(probe)
        if frames < 1:
            raise InputError(f"Blender cannot read {clip}: its format is unknown, or it is incomplete")
