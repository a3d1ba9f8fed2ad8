"""Round the head: the camera that saw it, the footage behind it, light, and the comparison video."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import bpy
import numpy as np

from ..model.errors import InputError
from ..model.performance import FacePerformance, runs
from . import compat
from .animation import scene_frames, set_scene_fps
from .footage import numbered, sequence_pattern
from .rig import eyes_of

SENSOR_MM = 36.0
CAMERA = "expnet_camera"  # marks what is ours, to be found again
LIGHT = "expnet_light"

Progress = Callable[[int, int], None]


def match_camera(scene: bpy.types.Scene, image_size: tuple[int, int], lens_mm: float = 50.0) -> bpy.types.Object:
    """The camera that the head poses assume: at the world's origin, looking along +Y, rendering the clip's own size.

    Ours is used again if the scene has it; an artist's camera stays as it is, only no longer the active one.
    """
    camera = next((obj for obj in scene.objects if obj.type == "CAMERA" and obj.get(CAMERA)), None)
    if camera is None:
        camera = bpy.data.objects.new("ExpNet camera", bpy.data.cameras.new("ExpNet camera"))
        camera[CAMERA] = True
        scene.collection.objects.link(camera)
    camera.location = (0.0, 0.0, 0.0)
    camera.rotation_mode = "XYZ"
    camera.rotation_euler = (np.pi / 2, 0.0, 0.0)
    camera.scale = (1.0, 1.0, 1.0)
    data = camera.data
    data.type, data.lens_unit = "PERSP", "MILLIMETERS"
    data.lens, data.sensor_width, data.sensor_fit = lens_mm, SENSOR_MM, "AUTO"
    data.shift_x = data.shift_y = 0.0
    data.clip_start, data.clip_end = 0.01, 100.0
    data.display_size = 0.1
    scene.camera = camera
    render = scene.render
    render.resolution_x, render.resolution_y = image_size
    render.resolution_percentage = 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    return camera


def show_footage(
    scene: bpy.types.Scene, camera: bpy.types.Object, clip: str, start_frame: int | None = None, first: int = 0
) -> bpy.types.MovieClip:
    """The clip (a movie, or the first image of a sequence) as the camera's background: its frame ``first`` (0-based)
    at ``start_frame`` (default: the scene's first frame).

    Blender shows one frame of the clip per frame of the scene: set the scene to the clip's rate
    (``animation.set_scene_fps``) where they differ. Raises InputError when Blender cannot read the clip.
    """
    try:
        block = bpy.data.movieclips.load(str(clip), check_existing=True)
    except RuntimeError as error:
        raise InputError(f"Blender cannot open {clip}: {_last_line(error)}") from None
    if block.frame_duration < 1:
        bpy.data.movieclips.remove(block)
        raise InputError(f"Blender cannot read {clip}: it is no movie that it knows, or cut short")
    block.frame_start = scene.frame_start if start_frame is None else start_frame
    block.frame_offset = first
    data = camera.data
    data.show_background_images = True
    background = next((b for b in data.background_images if b.source == "MOVIE_CLIP" and b.clip in (None, block)), None)
    background = background or data.background_images.new()
    background.source = "MOVIE_CLIP"
    background.clip = block
    background.alpha = 1.0
    background.display_depth = "BACK"
    background.frame_method = "FIT"
    return block


def light_head(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """A soft key, a fill and a rim light, as suns so that the head may be anywhere; a grey world where there is none.

    Ours are used again if the scene has them.
    """
    lights = [obj for obj in scene.objects if obj.type == "LIGHT" and obj.get(LIGHT)]
    if not lights:
        for name, strength, angle, turn, colour in (
            ("key", 2.6, 25.0, (48.0, 0.0, -38.0), (1.0, 0.96, 0.90)),
            ("fill", 0.9, 60.0, (62.0, 0.0, 55.0), (0.88, 0.94, 1.0)),
            ("rim", 2.2, 15.0, (-55.0, 0.0, 25.0), (1.0, 1.0, 1.0)),
        ):
            sun = bpy.data.lights.new(f"ExpNet {name}", "SUN")
            sun.energy, sun.angle, sun.color = strength, np.radians(angle), colour
            light = bpy.data.objects.new(f"ExpNet {name}", sun)
            light.rotation_euler = np.radians(turn).tolist()
            light[LIGHT] = True
            scene.collection.objects.link(light)
            lights.append(light)
    if scene.world is None:
        scene.world = _grey_world()
    return lights


def render_comparison(
    scene: bpy.types.Scene,
    clip: str,
    out_mp4: str | Path,
    head: bpy.types.Object,
    performance: FacePerformance,
    start_frame: float | None = None,
    engine: str = "AUTO",
    height: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Footage and head side by side, the same frame numbers on both, as H.264 at the clip's true rate.

    clip         the movie, or the first file of an image sequence
    performance  what the head was keyed with: its times, size, lens and the frames without a face
    start_frame  the scene frame of the performance's first frame (default: the scene's first)
    engine       WORKBENCH, CYCLES or EEVEE; AUTO is Workbench where a graphics driver is (in software will do), else
                 Cycles with a few samples
    height       of the video in pixels (default: the clip's, at most 720)
    progress     called with (frames done, frames in all) while the head is rendered

    Works on scenes of its own and removes them: the artist's scene stays as it was. The file appears complete or
    not at all. Raises InputError when it cannot be written or the clip cannot be read.
    """
    out = Path(out_mp4)
    _check_writable(out)
    _check_readable(str(clip))
    frames = scene_frames(scene, performance, start_frame)
    width, height = _video_size(performance.image_size, height)
    with tempfile.TemporaryDirectory(prefix="expnet_") as folder:
        files = _render_head(head, performance, frames, (width, height), engine, Path(folder), progress)
        partial = out.with_name(f".{out.stem}.{os.getpid()}.mp4")
        try:
            _compose(str(clip), performance, frames, files, (width, height), partial)
            os.replace(partial, out)
        finally:
            partial.unlink(missing_ok=True)
    return out


@cache
def gpu_engines_work() -> bool:
    """Whether Workbench and EEVEE can render here.

    Without a graphics driver they end the process, without an exception. So a child process tries.
    """
    if not bpy.app.background:
        return True
    code = (
        "import bpy; s = bpy.data.scenes.new('probe'); "
        "s.camera = bpy.data.objects.new('c', bpy.data.cameras.new('c')); "
        "s.render.engine = 'BLENDER_WORKBENCH'; s.render.resolution_x = s.render.resolution_y = 8; "
        "bpy.ops.render.render(scene='probe')"
    )
    if bpy.app.binary_path:
        command = [bpy.app.binary_path, "--background", "--factory-startup", "--python-exit-code", "1"]
        command += ["--python-expr", code]
    else:
        command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _render_head(
    head: bpy.types.Object,
    performance: FacePerformance,
    frames: np.ndarray,
    size: tuple[int, int],
    engine: str,
    folder: Path,
    progress: Progress | None,
) -> list[Path | None]:
    """One picture of the head per frame of the clip, None where no face was seen."""
    files: list[Path | None] = []
    with _temporary_scene("ExpNet head") as scene:
        for obj in (head, *eyes_of(head).values()):
            scene.collection.objects.link(obj)
        match_camera(scene, size, performance.lens_mm)
        scene.world = _grey_world()
        _set_engine(scene, engine)
        compat.write_images(scene, "JPEG")
        scene.render.image_settings.quality = 95
        for i, (frame, seen) in enumerate(zip(frames, performance.seen, strict=True)):
            files.append(_render_frame(scene, float(frame), folder / f"{i:06d}_") if seen else None)
            if progress is not None:
                progress(i + 1, len(frames))
    return files


def _render_frame(scene: bpy.types.Scene, frame: float, prefix: Path) -> Path:
    """One picture at a scene frame, which may be fractional.

    As an animation of one frame: rendering a still does not evaluate animation. That starts on the whole frame; the
    handler adds the fraction in time for the evaluation.
    """
    whole = int(np.floor(frame + 1e-4))

    def add_fraction(changing: bpy.types.Scene, *_: object) -> None:
        if changing == scene:  # afterwards Blender comes back to the artist's
            changing.frame_subframe = max(frame - whole, 0.0)

    scene.frame_start = scene.frame_end = whole
    scene.render.filepath = str(prefix)
    bpy.app.handlers.frame_change_pre.append(add_fraction)
    try:
        bpy.ops.render.render(animation=True, scene=scene.name)
    finally:
        bpy.app.handlers.frame_change_pre.remove(add_fraction)
    return Path(scene.render.frame_path(frame=whole))


def _set_engine(scene: bpy.types.Scene, engine: str) -> None:
    if engine == "AUTO":
        engine = "WORKBENCH" if gpu_engines_work() else "CYCLES"
    elif engine in ("WORKBENCH", "EEVEE") and not gpu_engines_work():
        raise InputError(f"{engine} needs a graphics driver, and there is none here: use CYCLES")
    if engine == "WORKBENCH":
        scene.render.engine = "BLENDER_WORKBENCH"
        shading = scene.display.shading
        shading.light, shading.color_type = "STUDIO", "TEXTURE"
        with suppress(TypeError):  # a build may come without it
            shading.studio_light = "paint.sl"  # bright and even: lids and lips stay readable
        shading.show_specular_highlight = True
        shading.show_cavity = False
        scene.display.render_aa = "5"  # FXAA takes half the time, but lashes become specks
        return
    light_head(scene)
    if engine == "CYCLES":
        scene.render.engine = "CYCLES"
        scene.cycles.samples, scene.cycles.use_denoising = 12, False  # not every build has the denoiser
        scene.cycles.max_bounces = 3
        scene.render.use_persistent_data = True
    elif engine == "EEVEE":
        scene.render.engine = compat.EEVEE
    else:
        raise InputError(f"there is no engine {engine!r}: use AUTO, WORKBENCH, CYCLES or EEVEE")


def _compose(
    clip: str,
    performance: FacePerformance,
    frames: np.ndarray,
    files: list[Path | None],
    size: tuple[int, int],
    out: Path,
) -> None:
    """Both halves and the frame numbers in the sequencer of a scene of its own, rendered to ``out``."""
    width, height = size
    count = len(frames)
    with _temporary_scene("ExpNet comparison") as scene:
        scene.render.resolution_x, scene.render.resolution_y = 2 * width, height
        scene.frame_start, scene.frame_end = 1, count
        set_scene_fps(scene, performance.fps)
        scene.render.use_sequencer, scene.render.use_compositing = True, False
        strips = compat.sequencer_strips(scene)

        ground = compat.new_effect(strips, "ground", "COLOR", 1, 1, count)
        ground.color = _BACKGROUND
        shown = np.rint(np.asarray(performance.times, float) * performance.fps).astype(int)
        _halve(_footage_strip(strips, clip, shown), performance.image_size, size, -1)
        for first, last in runs(np.array([f is not None for f in files])):
            head = _image_strip(strips, "head", [str(f) for f in files[first : last + 1]], 3, 1 + first)
            _halve(head, size, size, +1)
        for first, last in runs(~performance.seen):
            _text(strips, "no face", 6, 1 + first, last - first + 1, (0.75, 0.5), height // 16, "CENTER")
        for i, frame in enumerate(frames):
            for side in (0, 1):
                _text(strips, f"{round(frame)}", 4 + side, 1 + i, 1, (0.5 * side + 0.012, 0.025), height // 20, "LEFT")
        compat.write_h264(scene, str(out))
        bpy.ops.render.render(animation=True, scene=scene.name)
    if not out.is_file():
        raise InputError(f"Blender could not write {out}")


_BACKGROUND = (0.16, 0.16, 0.17)


def _footage_strip(strips, clip: str, shown: np.ndarray):
    """The clip's frames ``shown`` (0-based) at frames 1, 2, ..."""
    if not _is_movie(clip):
        if len(shown) == 1:
            return _image_strip(strips, "footage", [clip], 2, 1)
        pattern, number = sequence_pattern(clip)
        return _image_strip(strips, "footage", [numbered(pattern, number + i) for i in shown.tolist()], 2, 1)
    first = int(shown[0])
    strip = strips.new_movie(name="footage", filepath=clip, channel=2, frame_start=1 - first)
    compat.skip_frames(strip, first)
    return strip


def _is_movie(path: str) -> bool:
    return Path(path).suffix.lower() not in bpy.path.extensions_image


def _image_strip(strips, name: str, files: list[str], channel: int, start: int):
    strip = strips.new_image(name=name, filepath=files[0], channel=channel, frame_start=start)
    for file in files[1:]:
        strip.elements.append(os.path.basename(file))
    compat.set_length(strip, len(files))
    return strip


def _halve(strip, source: tuple[int, int], size: tuple[int, int], side: int) -> None:
    """Scale a strip of ``source`` size to ``size`` and move it to the left (-1) or right (+1) half."""
    strip.transform.scale_x, strip.transform.scale_y = size[0] / source[0], size[1] / source[1]
    strip.transform.offset_x = side * size[0] / 2


def _text(strips, text: str, channel: int, start: int, length: int, location, size: int, align: str) -> None:
    strip = compat.new_effect(strips, text, "TEXT", channel, start, length)
    strip.text = text
    strip.font_size = max(size, 8)
    strip.location = location
    strip.color = (1.0, 1.0, 1.0, 1.0)
    strip.use_shadow = True
    compat.anchor_text(strip, align, "CENTER" if align == "CENTER" else "BOTTOM")


def _grey_world() -> bpy.types.World:
    world = bpy.data.worlds.new("ExpNet grey")
    world.color = _BACKGROUND
    tree = compat.node_tree(world)
    background = next((node for node in tree.nodes if node.type == "BACKGROUND"), None)
    if background is not None:
        background.inputs["Color"].default_value = (*_BACKGROUND, 1.0)
    return world


@contextmanager
def _temporary_scene(name: str) -> Iterator[bpy.types.Scene]:
    """A scene that is gone afterwards, with everything that was made meanwhile."""
    kinds = (bpy.data.objects, bpy.data.cameras, bpy.data.lights, bpy.data.worlds, bpy.data.sounds, bpy.data.fonts)
    before = [set(kind) for kind in kinds]
    scene = bpy.data.scenes.new(name)
    scene.view_settings.view_transform = "Standard"  # the footage passes unchanged
    try:
        yield scene
    finally:
        bpy.data.scenes.remove(scene)
        for kind, known in zip(kinds, before, strict=True):
            for block in set(kind) - known:
                kind.remove(block)


def _video_size(source: tuple[int, int], height: int | None) -> tuple[int, int]:
    """Half the video: the clip's shape, even numbers as H.264 wants them."""
    height = height or min(source[1], 720)
    even = max(2, round(height / 2) * 2)
    return max(2, round(source[0] * even / source[1] / 2) * 2), even


def _check_writable(out: Path) -> None:
    if not out.parent.is_dir():
        raise InputError(f"there is no folder {out.parent}: make it first")
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise InputError(f"{out} cannot be written: choose another place")


def _check_readable(clip: str) -> None:
    if not os.path.isfile(clip):
        raise InputError(f"there is no clip at {clip}")
    if _is_movie(clip):
        probe = bpy.data.movieclips.load(clip)
        frames = probe.frame_duration
        bpy.data.movieclips.remove(probe)
        if frames < 1:
            raise InputError(f"Blender cannot read {clip}: it is no movie that it knows, or cut short")


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
