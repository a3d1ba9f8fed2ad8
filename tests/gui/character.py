"""The capture on the artist's own character: Try It, then the panel Character with mouse and keyboard."""

from __future__ import annotations

from pathlib import Path

from artist import EXTENSION, PUSH, Artist
from screen import until
from sections import alone

STAND_IN = Path(__file__).resolve().parents[2] / "benchmarks" / "stand_in.py"

# A mesh with ARKit's shapes and an armature, as benchmarks/stand_in.py makes them, which is not in the extension
HERO = f"""
import importlib.util, sys
import numpy as np
name = "{EXTENSION}.benchmarks.stand_in"
spec = importlib.util.spec_from_file_location(name, %r)
stand_in = importlib.util.module_from_spec(spec)
spec.loader.exec_module(stand_in)
formats = importlib.import_module("{EXTENSION}.model.formats")
window, area, _ = sidebar()
with bpy.context.temp_override(window=window, area=area):
    model = formats.open_face_model("open")
    alpha = np.random.default_rng(12).normal(0, 1, len(model.identity))
    mesh, armature = stand_in.stand_in(model, alpha)
    armature.location = (0.35, 0.0, 0.0)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.ops.ed.undo_push(message="by the test")
"""
# Both heads from the front, and where on the screen the middle of the character is
PLACE = """
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Vector
window, area, _ = sidebar()
region = next(r for r in area.regions if r.type == "WINDOW")
hero = bpy.data.objects[%r]
middle = sum((hero.matrix_world @ Vector(corner) for corner in hero.bound_box), Vector()) / 8
x, y = location_3d_to_region_2d(region, area.spaces.active.region_3d, middle)
result = [window.x + region.x + x, window.y + window.height - region.y - y]
"""
ROWS = "rows = bpy.data.objects['Hero'].expnet_character.rows; "
TABLE = ROWS + "result = [[r.channel, r.target, r.gain, r.invert, r.enabled] for r in rows]"
SHAPES = "keys = bpy.data.objects['Hero'].data.shape_keys; "
RESULT = "result = bpy.data.objects['Hero'].expnet_character.result"
SHOWN = """
hero = bpy.data.objects["Hero"].evaluated_get(bpy.context.evaluated_depsgraph_get())
result = [round(block.value, 5) for block in hero.data.shape_keys.key_blocks]
"""


def walk(artist: Artist) -> None:
    screen, check = artist.screen, artist.check
    artist.open_tab()
    screen.ask("[bpy.data.objects.remove(o) for o in list(bpy.data.objects)]" + PUSH)

    artist.step("Try It")
    before = artist.state()
    artist.start("try_it")
    artist.ends("the built-in clip")
    check(artist.keyed(), "Try It left no keys")
    artist.undo_and_redo(before, "Try It")

    artist.step("A character beside it, chosen by a click")
    screen.ask(HERO % screen.debian.bring(STAND_IN))
    screen.ask("bpy.context.scene.frame_set(1)" + LOOK_AT_BOTH)
    x, y = screen.ask(PLACE % "Hero")
    screen.point(x, y)
    screen.xdotool("click", 1)
    until(lambda: screen.ask("result = bpy.context.object and bpy.context.object.name") == "Hero", "the choice")

    artist.step("Drive My Character")
    alone(artist, "Character")
    artist.presses("drive_character")
    print("    " + screen.ask(RESULT).replace("\n", "; "), flush=True)
    check(screen.ask(SHAPES + "result = keys.animation_data.action is not None"), "no keys")
    plays(artist)
    screen.press("ctrl+z")
    until(lambda: not screen.ask(TABLE), "the character as it was", screen.alive)

    artist.step("Match Names")
    match = screen.find_button("match_names", across=0.7)
    artist.presses("match_names", across=0.7)
    table = screen.ask(TABLE)
    check(len(table) > 50 and all(target for _, target, *_ in table), f"the table is {table}")

    artist.step("The table, by mouse and keyboard")
    gain = screen.find_property(".gain", below=match[1] + 150, across=0.25)  # below the list
    artist.changes(lambda: screen.type(gain, "1.5"), "a gain, typed")
    row = screen.ask("result = bpy.data.objects['Hero'].expnet_character.active_row")
    check(screen.ask(TABLE)[row][2] == 1.5, "another number than the one typed")
    invert = screen.find_property(".invert", below=gain[1], across=0.1)
    artist.changes(lambda: screen.click("", invert), "Invert")
    screen.press("ctrl+z")
    check(screen.ask(TABLE)[row][3] is False, "Ctrl-Z did not take Invert back")
    artist.changes(lambda: screen.click("", (int(screen.middle()), match[1] + 70)), "another row")
    enabled = screen.find_property(".enabled", below=match[1] + 60, across=0.1)
    artist.changes(lambda: screen.click("", enabled), "a row, switched off")
    add = artist.presses("retarget_row_add", across=0.84, below=match[1])
    artist.presses("retarget_row_remove", across=0.84, below=add[1])
    check(len(screen.ask(TABLE)) == len(table), "adding and removing a row left another number of rows")

    artist.step("A preset, saved and loaded")
    preset = (add[0], add[1] + 50)
    saved = screen.ask(TABLE)

    def save() -> None:
        screen.click("", preset)
        screen.xdotool("sleep", 0.5)
        screen.press("s")
        screen.xdotool("sleep", 0.5)
        screen.press("Return")

    artist.insist(save, lambda: screen.ask(PRESETS) == ["Hero.json"], "the preset's file")
    artist.presses("match_names", across=0.7)
    check(screen.ask(TABLE) != saved, "Match Names keeps what was changed")

    def load() -> None:
        screen.click("", preset)
        screen.xdotool("sleep", 0.5)
        screen.press("h")

    artist.changes(load, "a preset")
    check(screen.ask(TABLE) == saved, "the preset is not the table that was saved")

    artist.step("Retarget, as keys")
    retarget = artist.presses("retarget", below=invert[1])
    print("    " + screen.ask(RESULT).replace("\n", "; "), flush=True)
    check(screen.ask(SHAPES + "result = keys.animation_data.action is not None"), "no keys")
    screen.ask("bpy.context.scene.frame_set(48)" + PUSH)
    screen.over_view()
    artist.picture("character.png", (240, 60, 1240, 840))
    plays(artist)

    artist.step("Retarget, as live drivers")
    live = screen.find_property(".output", below=invert[1], across=0.75)
    artist.changes(lambda: screen.click("", live), "Live Drivers")
    keyed = at_frames(artist)
    artist.presses("retarget", "Retarget with drivers", below=live[1])
    check(screen.ask(SHAPES + "result = len(keys.animation_data.drivers)") > 40, "no drivers")
    driven = at_frames(artist)
    far = max(abs(a - b) for one, other in zip(keyed, driven) for a, b in zip(one, other))
    check(far < 2e-3, f"drivers and keys are {far} apart")
    plays(artist)

    artist.step("Remove Retarget")
    artist.presses("remove_retarget", below=retarget[1])
    check(
        screen.ask(SHAPES + "result = keys.animation_data is None or not keys.animation_data.drivers"), "drivers stay"
    )


LOOK_AT_BOTH = """
window, area, _ = sidebar()
region = next(r for r in area.regions if r.type == "WINDOW")
with bpy.context.temp_override(window=window, area=area, region=region):
    bpy.ops.view3d.view_axis(type="FRONT")
    bpy.context.view_layer.update()
    for obj in bpy.context.scene.objects:
        obj.select_set(obj.type == "MESH")
    bpy.ops.view3d.view_selected()
    bpy.ops.object.select_all(action="DESELECT")
area.spaces.active.shading.color_type = "TEXTURE"
area.spaces.active.clip_end = 10.0  # else the depths of lids and eyeballs are not distinguished
overlay = area.spaces.active.overlay
overlay.show_floor = overlay.show_bones = area.spaces.active.show_object_viewport_camera = False
"""
PRESETS = f"""
import os
folder = os.path.join(bpy.utils.extension_path_user("{EXTENSION}"), "retarget_presets")
result = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
"""


def plays(artist: Artist) -> None:
    """Space plays, and the character moves; ESC goes back to where it was."""
    screen = artist.screen
    screen.over_view()
    screen.press("space")
    until(lambda: screen.ask("result = bpy.context.screen.is_animation_playing"), "the playback", screen.alive)
    shown: set[str] = set()

    def moves() -> bool:
        shown.add(str(screen.ask(SHOWN)))
        return len(shown) > 3

    until(moves, "a character that moves", screen.alive)
    screen.press("Escape")
    artist.check(not screen.ask("result = bpy.context.screen.is_animation_playing"), "the playback goes on")
    print("    it plays", flush=True)


def at_frames(artist: Artist) -> list[list[float]]:
    """Return the shapes' values at some frames; the scene is then where it was."""
    return [artist.screen.ask(f"bpy.context.scene.frame_set({frame})" + SHOWN) for frame in (20, 40, 80, 48)]
