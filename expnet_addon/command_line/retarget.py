"""``expnet retarget``: a performance on an artist's own character, or on a head of ExpNet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.formats.npz import OPEN_HEAD
from ...model.performance.live_link import read_performance, write_live_link
from ...model.retargeting.name_schemes import AUTO
from ...model.retargeting.table import save_preset
from ...model.sight.sequences import check_there
from ..capture.keying import AS_RECORDED, Keying
from ..unattended.heads import fresh_head
from ..unattended.outputs import SCENE_FORMATS, check_outputs, require_bpy, save_scene
from ..unattended.terminal import quiet_stdout

if TYPE_CHECKING:
    import bpy

    from ...model.performance.face_performance import FacePerformance


@dataclass(frozen=True)
class RetargetOptions:
    """A performance or a Live Link Face recording, and its target: a character, or without one the open head.

    performance          .npz, or .csv of the app with its true rate ``recording_fps``; ``swap_sides`` of jaw and mouth
    character            a .blend with a character or a head of ExpNet, and ``objects`` by name in it; none: found by
                         their shape keys
    names, preset        the naming scheme of the shape keys, or a table from a file; ``save_preset`` writes the table
    out, live_link       the keyed scene, and the performance in the app's format
    keep_fps             the scene keeps its frame rate
    """

    performance: Path
    character: Path | None = None
    objects: tuple[str, ...] = ()
    names: str = AUTO
    preset: Path | None = None
    save_preset: Path | None = None
    out: Path | None = None
    live_link: Path | None = None
    keep_fps: bool = False
    recording_fps: float | None = None
    swap_sides: bool = False


def retarget(options: RetargetOptions) -> None:
    """Key the character, and write every file that ``options`` name. Raises InputError."""
    _check(options)
    performance = read_performance(options.performance, options.recording_fps, options.swap_sides)
    if not performance.seen.any():
        raise InputError(f"no face was seen in '{options.performance}': there is nothing to retarget")
    if options.live_link:
        write_live_link(performance, options.live_link)
        print(f"{options.live_link}: {len(performance.times)} frames at {performance.fps:g}/s")
    if not (options.out or options.save_preset):
        return
    require_bpy("retarget --out")
    with quiet_stdout():
        if options.character is None:
            report, objects = _onto_open_head(performance, options.keep_fps)
        else:
            report, objects = _onto_character(performance, options.character, options)
        if options.out:
            save_scene(options.out, objects)
    print(report)


def _check(options: RetargetOptions) -> None:
    outputs: dict[Path, tuple[str, ...]] = {}
    if options.out:
        outputs[options.out] = SCENE_FORMATS
    if options.save_preset:
        outputs[options.save_preset] = (".json",)
    if options.live_link:
        outputs[options.live_link] = (".csv",)
    if not outputs:
        raise InputError("nothing to write: give --out HERO_SHOT.blend, --live-link SHOT.csv or --save-preset FILE")
    inputs = [str(path) for path in (options.performance, options.character, options.preset) if path]
    check_there(str(options.performance), "performance")
    check_outputs(inputs, outputs)
    if options.character is None and (options.objects or options.preset or options.save_preset):
        raise InputError("--object, --preset and --save-preset need --character HERO.blend")
    if options.character is not None:
        check_there(str(options.character), "character")


def _onto_open_head(performance: FacePerformance, keep_fps: bool) -> tuple[str, list[bpy.types.Object]]:
    """Key the open head in an empty scene. Returns lines for the user, and the head's objects."""
    from ..scene import camera_and_light as staging

    scene, head = fresh_head(OPEN_HEAD, OPEN)
    report, objects = _onto_head(performance, scene, head, replace(AS_RECORDED, identity=True), keep_fps)
    staging.light_head(scene)
    return report, objects


def _onto_head(
    performance: FacePerformance, scene: bpy.types.Scene, head: bpy.types.Object, keying: Keying, keep_fps: bool
) -> tuple[str, list[bpy.types.Object]]:
    """Key an ExpNet head, and give its scene a camera if it has none. Returns lines for the user, and its objects."""
    from ..capture import capture
    from ..scene import animation, rig

    keying = replace(
        keying,
        scene_timing=True,  # the scene's range covers the whole performance, even if the rate is kept
        fps=animation.scene_fps(scene) if keep_fps else None,
        match_camera=scene.camera is None,
    )
    report = capture.key_performance(scene, head, performance, keying)
    return report, [head, *rig.eyes_of(head).values()]


def _onto_character(
    performance: FacePerformance, character: Path, options: RetargetOptions
) -> tuple[str, list[bpy.types.Object]]:
    from ..characters.retarget_shot import head_in, onto_character
    from ..scene.importing import open_blend

    scene = open_blend(character)
    if head := head_in(scene, character, options.objects):
        if options.preset or options.save_preset:
            raise InputError(
                f"'{head.name}' is a head of ExpNet, which needs no table: leave out --preset and --save-preset"
            )
        return _onto_head(performance, scene, head, replace(AS_RECORDED, root=True), options.keep_fps)
    report, objects, rows = onto_character(
        performance, scene, character, options.objects, options.names, options.preset, options.keep_fps
    )
    if options.save_preset:
        save_preset(rows, options.save_preset)
    return report, objects
