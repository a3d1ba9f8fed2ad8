"""Render with a renderer that works on this machine, at whole or fractional frames."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import bpy
import numpy as np

from ...model.errors import InputError, one_line
from ...model.files import atomic_path
from ...model.isolation import isolated_environment, isolated_python
from ...model.sight.image_header import image_header
from .. import compat
from .animation import set_scene_fps
from .camera_and_light import light_head
from .quality import Quality

MAX_FRAME = 1_048_574  # Blender's limit for every scene
ENGINES = ("AUTO", "WORKBENCH", "EEVEE", "CYCLES")


@cache
def gpu_engines_work() -> bool:
    """Return whether Workbench and EEVEE can render on this machine.

    Without a graphics driver they end the process without an exception, so the test runs in a child process.
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
        command = isolated_python("-c", code)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
            env=isolated_environment(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def set_engine(scene: bpy.types.Scene, quality: Quality) -> None:
    """Set the scene's renderer by ``quality``. Raises InputError if that renderer cannot work on this machine."""
    engine = quality.engine
    if engine == "AUTO":
        engine = "WORKBENCH" if gpu_engines_work() else "CYCLES"
    elif engine in ("WORKBENCH", "EEVEE") and not gpu_engines_work():
        raise InputError(f"{engine} needs a graphics driver, and there is none here: use CYCLES")
    if engine == "WORKBENCH":
        scene.render.engine = "BLENDER_WORKBENCH"
        shading = scene.display.shading
        shading.light, shading.color_type = "STUDIO", "TEXTURE"
        with suppress(TypeError):  # some builds lack this studio light
            shading.studio_light = "paint.sl"  # bright and even, so that lids and lips are visible
        shading.show_specular_highlight = True
        shading.show_cavity = False
        scene.display.render_aa = "5"  # FXAA takes half the time but breaks up the lashes
        return
    light_head(scene)
    if engine == "CYCLES":
        scene.render.engine = "CYCLES"
        scene.cycles.samples, scene.cycles.use_denoising = quality.samples or 12, False  # some builds lack one
        scene.cycles.max_bounces = 3
        scene.render.use_persistent_data = True
    elif engine == "EEVEE":
        scene.render.engine = compat.EEVEE
        scene.eevee.taa_render_samples = quality.samples or 16
    else:
        raise InputError(f"there is no engine {engine!r}: use AUTO, WORKBENCH, CYCLES or EEVEE")


def render_frame(scene: bpy.types.Scene, frame: float, prefix: Path) -> Path:
    """Render one picture at a scene frame, which may be fractional.

    The picture is rendered as an animation of one frame, because rendering a still does not evaluate animation. The
    animation starts on the whole frame, and a handler adds the fraction before the evaluation. Raises OSError where the
    picture cannot be written.
    """
    whole = int(np.floor(frame + 1e-4))

    def add_fraction(changing: bpy.types.Scene, *_: object) -> None:
        if changing == scene:  # Blender returns to the artist's scene afterwards
            changing.frame_subframe = max(frame - whole, 0.0)

    scene.frame_start = scene.frame_end = whole
    scene.render.filepath = str(prefix.absolute())
    bpy.app.handlers.frame_change_pre.append(add_fraction)
    try:
        _render(scene)
    finally:
        bpy.app.handlers.frame_change_pre.remove(add_fraction)
    picture = Path(scene.render.frame_path(frame=whole))
    header = image_header(picture.read_bytes())
    if header is None or not header.whole:  # on a full disk Blender writes a part and says nothing
        raise OSError("Blender could not write the whole picture")
    return picture


def render_video(scene: bpy.types.Scene, out: Path) -> None:
    """Render the scene's sequencer as an H.264 video. Raises OSError where it cannot be written."""
    compat.write_h264(scene, str(out.absolute()))  # Blender writes no video to a path without a folder
    _render(scene)
    check_video(out)


def _render(scene: bpy.types.Scene) -> None:
    try:
        bpy.ops.render.render(animation=True, scene=scene.name)
    except RuntimeError as error:  # such as a full disk
        raise OSError(one_line(error)) from error


@contextmanager
def temporary_scene(name: str) -> Iterator[bpy.types.Scene]:
    """Yield a new scene, and remove it afterwards with the objects, lights, sounds and so on made in the meantime."""
    kinds = (bpy.data.objects, bpy.data.cameras, bpy.data.lights, bpy.data.worlds, bpy.data.sounds, bpy.data.fonts)
    before = [set(kind) for kind in kinds]
    scene = bpy.data.scenes.new(name)
    scene.view_settings.view_transform = "Standard"  # keeps the footage's colours
    try:
        yield scene
    finally:
        # Frees the engine that Cycles keeps: its dependency graph would outlive the scene, and Blender would crash at
        # the next strip or object made.
        scene.render.use_persistent_data = False
        bpy.data.scenes.remove(scene)
        for kind, known in zip(kinds, before, strict=True):
            for block in set(kind) - known:
                kind.remove(block)


def render_frames(
    scene: bpy.types.Scene,
    folder: Path,
    first: int,
    last: int,
    quality: Quality | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Render frames ``first`` to ``last`` of ``scene`` with its own camera, to ``folder``/0001.png and so on.

    Without ``quality`` the scene's own settings apply, with its own renderer if that works on this machine. Each file
    is written atomically, so several machines can render parts of a range. Raises InputError.
    """
    if scene.camera is None:
        raise InputError(f"the scene '{scene.name}' has no camera: add one")
    if last < first:
        raise InputError(f"frames {first} to {last} are no range")
    if first < -MAX_FRAME or last > MAX_FRAME:
        raise InputError(f"frames {first} to {last}: Blender counts to {MAX_FRAME}")
    if quality is not None:
        set_engine(scene, quality)
        if quality.height:
            width = scene.render.resolution_x * quality.height / scene.render.resolution_y
            scene.render.resolution_x, scene.render.resolution_y = round(width), quality.height
            scene.render.resolution_percentage = 100
    elif scene.render.engine != "CYCLES" and not gpu_engines_work():
        raise InputError(f"{scene.render.engine} needs a graphics driver, and there is none here: use --engine cycles")
    compat.write_images(scene, "PNG")
    files = []
    for done, frame in enumerate(range(first, last + 1), 1):
        file = folder / f"{frame:04d}.png"
        with atomic_path(file) as partial:
            prefix = partial.with_suffix("")
            try:
                render_frame(scene, frame, prefix).replace(partial)
            finally:
                for leftover in folder.glob(f"{prefix.name}*.png"):
                    if leftover != partial:
                        leftover.unlink()
        files.append(file)
        if progress:
            progress(done, last + 1 - first)
    return files


def encode_frames(files: Sequence[Path], fps: float, out: Path) -> None:
    """Encode pictures of one size as an H.264 video, in order."""
    image = bpy.data.images.load(str(files[0].absolute()))
    width, height = (max(2, round(n / 2) * 2) for n in image.size)  # H.264 requires even sizes
    bpy.data.images.remove(image)
    if width < 4:
        raise InputError(f"{files[0]} is no picture that Blender can read: render it again")
    with temporary_scene("ExpNet encode") as scene:
        scene.render.resolution_x, scene.render.resolution_y = width, height
        scene.frame_start, scene.frame_end = 1, len(files)
        set_scene_fps(scene, fps)
        scene.render.use_sequencer, scene.render.use_compositing = True, False
        compat.new_images(compat.sequencer_strips(scene), "frames", [str(f.absolute()) for f in files], 1, 1)
        render_video(scene, out)


def check_video(path: Path) -> None:
    """Raise OSError unless Blender has written a whole MP4 file: on a full disk it writes a part and says nothing."""
    kinds, at = set(), 0
    with suppress(OSError, struct.error):
        size = path.stat().st_size
        with path.open("rb") as file:
            while at < size:
                file.seek(at)
                length, kind = struct.unpack(">I4s", file.read(8))
                if length == 1:  # a 64-bit length follows
                    (length,) = struct.unpack(">Q", file.read(8))
                kinds.add(kind)
                at += max(length, 8)
            if at == size and {b"moov", b"mdat"} <= kinds:
                return
    raise OSError("Blender could not write the whole video")
