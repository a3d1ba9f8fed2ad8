"""``expnet retarget``: a performance on an artist's own character."""

from __future__ import annotations

import argparse

from ...model.errors import InputError
from ...model.performance.live_link import read_performance, write_live_link
from ...model.retargeting.table import save_preset
from ...model.sight.clips import check_there
from ..unattended.outputs import SCENE_FORMATS, check_outputs, require_bpy, save_scene
from ..unattended.terminal import quiet_stdout


def retarget(a: argparse.Namespace) -> None:
    outputs = {a.out: SCENE_FORMATS, a.save_preset: (".json",), a.live_link: (".csv",)}
    outputs.pop(None, None)
    if not outputs:
        raise InputError("nothing to write: give --out HERO_SHOT.blend, --live-link SHOT.csv or --save-preset FILE")
    inputs = [str(path) for path in (a.performance, a.character, a.preset) if path]
    check_there(str(a.performance), "performance")
    check_outputs(inputs, outputs)
    if a.character is None and (a.object or a.preset or a.save_preset):
        raise InputError("whose? --object, --preset and --save-preset need --character HERO.blend")
    if a.character is not None:
        check_there(str(a.character), "character")
    performance = read_performance(a.performance, a.recording_fps, a.swap_sides)
    if not performance.seen.any():
        raise InputError(f"no face was seen in '{a.performance}': there is nothing to retarget")
    if a.live_link:
        write_live_link(performance, a.live_link)
        print(f"{a.live_link}: {len(performance.times)} frames at {performance.fps:g}/s")
    if not (a.out or a.save_preset):
        return
    require_bpy("retarget --out")
    from ..characters import retarget_shot

    with quiet_stdout():
        if a.character is None:
            report, objects = retarget_shot.onto_open_head(performance, a.fps == "keep")
        else:
            report, objects, rows = retarget_shot.onto_character(
                performance, a.character, a.object, a.names, a.preset, a.fps == "keep"
            )
            if a.save_preset:
                save_preset(rows, a.save_preset)
        if a.out:
            save_scene(a.out, objects)
    print(report)
