"""Show footage and head together in the camera view: behind, over, wiped, as a difference, or beside it."""

from __future__ import annotations

from functools import partial

import bpy

from ...model.errors import InputError
from .camera_and_light import CAMERA, FOOTAGE

PICTURE = "expnet_picture"  # custom property of a camera: the image block that the wipe draws
DRAWN = ("WIPE", "DIFFERENCE")  # modes that a draw handler draws
SMALL = 0.35  # share of the viewport that the footage beside it gets


def footage_of(scene: bpy.types.Scene) -> tuple[bpy.types.Object, bpy.types.CameraBackgroundImage] | None:
    """Return ExpNet's camera in ``scene`` and the background with its footage, or None.

    Panels call it at every redraw: it looks through the objects only where another camera is the scene's.
    """
    if not any(data.get(FOOTAGE) is not None for data in bpy.data.cameras):
        return None
    found = _footage_through(scene.camera)
    if found is None:
        cameras = (obj for obj in scene.objects if obj.type == "CAMERA")
        found = next(filter(None, map(_footage_through, cameras)), None)
    return found


def _footage_through(
    camera: bpy.types.Object | None,
) -> tuple[bpy.types.Object, bpy.types.CameraBackgroundImage] | None:
    if camera is None or camera.type != "CAMERA" or not camera.get(CAMERA) or camera.data.get(FOOTAGE) is None:
        return None
    for background in camera.data.background_images:
        if background.source == "MOVIE_CLIP" and background.clip == camera.data[FOOTAGE]:
            return camera, background
    return None


def apply(scene: bpy.types.Scene) -> None:
    """Give the footage of ``scene`` the depth and opacity that the settings of *Compare* say."""
    found, settings = footage_of(scene), getattr(scene, "expnet", None)
    if found is None or settings is None:
        return
    camera, background = found
    look = settings.compare
    over = look.footage_only or look.mode == "OVER"
    background.display_depth = "FRONT" if over else "BACK"
    # The draw handler shows the difference to the footage itself: what is seen of the head is drawn without it.
    background.alpha = 0.0 if look.mode == "DIFFERENCE" and not look.footage_only else 1.0
    if not look.footage_only and look.mode in ("BEHIND", "OVER"):
        background.alpha = look.over_opacity if over else look.opacity
    _keep_picture(camera.data, background.clip, look.mode in DRAWN)


def drawn_picture(scene: bpy.types.Scene, camera: bpy.types.Object | None) -> bpy.types.Image | None:
    """Return the image that the draw handler shows in the view through ``camera``, or None."""
    settings = getattr(scene, "expnet", None)
    if camera is None or camera.type != "CAMERA" or settings is None:
        return None
    look = settings.compare
    if look.footage_only or look.mode not in DRAWN or camera.data.get(FOOTAGE) is None:
        return None
    picture: bpy.types.Image | None = camera.data.get(PICTURE)
    return picture


def picture_number(clip: bpy.types.MovieClip, frame: int) -> int:
    """Return the picture of ``clip`` at a scene frame, as Blender counts those of an image block.

    A movie's pictures count from 1, those of a sequence by the number in their name.
    """
    number = min(max(frame - clip.frame_start + clip.frame_offset, 0), max(clip.frame_duration - 1, 0))
    if clip.source == "MOVIE":
        return int(number + 1)
    digits = "".join(_trailing_digits(clip.filepath))
    return int(number + (int(digits) if digits else 1))


def _trailing_digits(path: str) -> list[str]:
    digits: list[str] = []
    for letter in reversed(path[: path.rfind(".")] if "." in path else path):
        if letter.isdecimal():
            digits.insert(0, letter)
        elif digits:
            break
    return digits


def _keep_picture(data: bpy.types.Camera, clip: bpy.types.MovieClip, wanted: bool) -> None:
    """Keep an image block of the clip's file with the camera while it is ``wanted``: clips have no texture."""
    picture = data.get(PICTURE)
    path = bpy.path.abspath(clip.filepath, library=clip.library)
    if picture is not None and wanted and bpy.path.abspath(picture.filepath) == path:
        return
    if picture is not None:
        del data[PICTURE]
        if not picture.users:
            bpy.data.images.remove(picture)
    if not wanted:
        return
    try:
        picture = bpy.data.images.load(path)
    except RuntimeError:
        return  # the file is gone: the footage itself is not shown either
    if clip.source == "SEQUENCE":
        picture.source = "SEQUENCE"
    picture.colorspace_settings.name = clip.colorspace_settings.name
    data[PICTURE] = picture


def wiped(corners: list[tuple[float, float]], share: float) -> list[tuple[float, float]]:
    """Return the left ``share`` of a picture's rectangle; ``corners`` as of ``fitted``."""
    a, b, c, d = corners
    return [a, _between(a, b, share), _between(d, c, share), d]


def fitted(frame: tuple[float, float, float, float], size: tuple[float, float]) -> list[tuple[float, float]]:
    """Return the corners of a picture of ``size`` that is fitted into ``frame``: left, bottom, right, top."""
    left, bottom, right, top = frame
    width, height = right - left, top - bottom
    scale = min(width / size[0], height / size[1]) if min(size) > 0 else 0.0
    x, y = (width - size[0] * scale) / 2, (height - size[1] * scale) / 2
    left, right, bottom, top = left + x, right - x, bottom + y, top - y
    return [(left, bottom), (right, bottom), (right, top), (left, top)]


def _between(a: tuple[float, float], b: tuple[float, float], share: float) -> tuple[float, float]:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def open_beside(window: bpy.types.Window, area: bpy.types.Area) -> str:
    """Show the footage in a Movie Clip editor beside the 3D view ``area``, in step with the scene's frame.

    An editor of movie clips that the window shows already is used. Raises InputError if no footage is shown.
    """
    found = footage_of(window.scene)
    if found is None:
        raise InputError("There is no footage behind the head: animate it from footage first")
    clip = found[1].clip
    editor = next((each for each in window.screen.areas if each.type == "CLIP_EDITOR"), None)
    if editor is None:
        before = set(window.screen.areas)
        with bpy.context.temp_override(window=window, screen=window.screen, area=area, region=area.regions[-1]):
            bpy.ops.screen.area_split(direction="VERTICAL", factor=1 - SMALL)
        made = [each for each in window.screen.areas if each not in before]
        if not made:
            raise InputError("The 3D view is too small to be split: make it larger")
        editor = made[0]  # Blender makes the smaller part the new area
        editor.type = "CLIP_EDITOR"
    space = editor.spaces.active
    space.clip = clip
    space.mode, space.view = "TRACKING", "CLIP"
    space.show_region_toolbar = space.show_region_ui = space.show_metadata = False
    bpy.app.timers.register(partial(_fit, window, editor), first_interval=0.2)  # its regions get their size when drawn
    return f"'{clip.name}' is shown beside the 3D view"


def _fit(window: bpy.types.Window, editor: bpy.types.Area) -> None:
    """Zoom the clip so that all of it is seen, if the window still shows the editor."""
    if window not in bpy.context.window_manager.windows[:] or editor not in window.screen.areas[:]:
        return
    region = next((each for each in editor.regions if each.type == "WINDOW"), None)
    if editor.type == "CLIP_EDITOR" and region is not None and region.width > 1:
        with bpy.context.temp_override(window=window, area=editor, region=region):
            bpy.ops.clip.view_all(fit_view=True)
