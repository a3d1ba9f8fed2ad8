"""What works on a take: Compare, Confidence, Keys, Pose; after the story."""

from __future__ import annotations

from artist import RIG, SETTINGS, Artist
from screen import until
from sections import open_section
from story import CURVES, TAKES

LOOK = SETTINGS + "look = settings.compare; "
POSE = RIG + "result = {b.name: round(b.value, 4) for b in faces[0].data.shape_keys.key_blocks[1:]}"

IN_FOOTAGE = """
from bpy_extras.view3d_utils import location_3d_to_region_2d
window, area, _ = sidebar()
region = next(each for each in area.regions if each.type == "WINDOW")
scene, view = bpy.context.scene, area.spaces.active.region_3d
frame = [scene.camera.matrix_world @ corner for corner in scene.camera.data.view_frame(scene=scene)]
seen = [location_3d_to_region_2d(region, view, corner) for corner in frame]
left, _, _, bottom = rectangle(region)
result = [int(left + min(p.x for p in seen) + 10), int(bottom - min(p.y for p in seen) - 16)]
"""  # a place in the lower left corner of the footage, where the head is not


def brightness(artist: Artist, picture: str) -> float:
    """Return how bright a picture of the screen is in the corner of the footage, 0 to 1."""
    x, y = artist.screen.ask(IN_FOOTAGE)
    crop = ("-crop", f"6x6+{x}+{y}", "+repage", "-format", "%[fx:mean]", "info:")
    return float(artist.screen.debian.run("convert", artist.screen.debian.inside / picture, *crop))


def walk(artist: Artist) -> None:
    screen, check = artist.screen, artist.check
    check(screen.ask(TAKES)[1], "there is no take: the chapter story makes one")

    artist.step("F8 shows the footage alone, and back")
    for shown in (True, False):
        screen.over_view()
        screen.press("F8")
        until(lambda s=shown: screen.ask(LOOK + "result = look.footage_only") is s, "what F8 does", screen.alive)
        if shown:
            artist.picture("footage_only.png")

    artist.step("Compare")
    toggle = open_section(artist, "Compare", "toggle_footage")
    left, _, right, _ = screen.ask("result = rectangle(sidebar()[2])")
    slots = [(0.25, -1), (0.7, -1), (0.25, 0), (0.7, 0)]  # two rows of two
    first = screen.find_property("compare.mode", below=toggle[1] - 110, across=0.25)
    for mode, (across, row) in zip(("BEHIND", "OVER", "WIPE", "DIFFERENCE"), slots, strict=True):
        screen.click("", (int(left + across * (right - left)), first[1] + 22 * (row + 1)))
        until(lambda m=mode: screen.ask(LOOK + "result = look.mode") == m, mode, screen.alive)
        screen.over_view()
        artist.picture(f"compare_{mode.lower()}.png")
        light = brightness(artist, f"compare_{mode.lower()}.png")
        check(
            (light < 0.02) == (mode == "DIFFERENCE"), f"{mode}: the footage beside the head has a brightness of {light}"
        )
    screen.click("", screen.find_property("compare.mode", across=0.25))  # Difference has no slider: the rows moved
    until(lambda: screen.ask(LOOK + "result = look.mode") == "BEHIND", "the footage behind", screen.alive)

    keys_to_poses(artist)


def keys_to_poses(artist: Artist) -> None:
    """Switch a key of the take off, follow its confidence, and mirror a pose."""
    screen, check = artist.screen, artist.check
    artist.step("A key, switched off")
    before = screen.ask(CURVES)
    _, title = open_section(artist, "Keys")
    screen.click("", screen.find_property(".on", below=title + 10, across=0.1))
    until(lambda: screen.ask(CURVES) != before, "another curve", screen.alive)
    after = screen.ask(CURVES)
    changed = [path for path in before if before[path] != after[path]]
    check(len(changed) == 1, f"a key is off, and the curves of {changed} changed")
    check(all(abs(y) < 1e-6 for _, y in after[changed[0]]), f"{changed[0]} does not rest")
    screen.over_view()
    artist.picture("keys.png")
    screen.press("ctrl+z")
    until(lambda: screen.ask(CURVES) == before, "the key, switched on", screen.alive)

    artist.step("Confidence: a click on the strip, and the next doubtful place")
    part = screen.find_button("go_to_part", across=0.6)
    frame = screen.ask("result = bpy.context.scene.frame_current")
    screen.click("", part)
    until(lambda: screen.ask("result = bpy.context.scene.frame_current") != frame, "another frame", screen.alive)
    screen.over_view()
    screen.press("alt+shift+Right")

    artist.step("Mirror Pose")
    screen.ask("bpy.context.scene.frame_set(30)")
    before = screen.ask(POSE)
    x, keep = open_section(artist, "Pose", "keep_pose")
    screen.click("", (x, keep - 25))  # the menu above it
    screen.xdotool("sleep", 1.0, "key", "f", "sleep", 0.8)  # Flip
    until(lambda: screen.ask(POSE) != before, "a mirrored pose", screen.alive)
    after = screen.ask(POSE)
    check(abs(after["mouthSmile_L"] - before["mouthSmile_R"]) < 2e-3, "left is not what right was")
    artist.picture("pose.png")
    screen.over_view()
    screen.press("ctrl+z")
