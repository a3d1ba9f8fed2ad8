"""Keys on an artist's own head: the panel's buttons, clicks on the head, the question, undo."""

from __future__ import annotations

from artist import EXTENSION, PUSH, Artist
from screen import until
from sections import alone

# The open head as an artist's: skin and eyes as objects, without keys, in a collection of their own
HEAD = f"""
import importlib
import numpy as np
formats = importlib.import_module("{EXTENSION}.model.formats")
coordinates = importlib.import_module("{EXTENSION}.expnet_addon.scene.coordinates")
window, area, _ = sidebar()
with bpy.context.temp_override(window=window, area=area):
    model = formats.open_face_model("open")
    at = coordinates.to_blender(model.vertices(np.random.default_rng(4).normal(0, 0.7, 99)))
    eyes = np.zeros(len(at), int)
    eyes[model.regions["eyeball_L"]], eyes[model.regions["eyeball_R"]] = 1, 2
    hero = bpy.data.collections.new("Hero")
    bpy.context.scene.collection.children.link(hero)
    for number, name in enumerate(("Head", "Eye.L", "Eye.R")):
        faces = model.faces[(eyes[model.faces] == number).all(1)]
        used = np.unique(faces)
        place = np.zeros(len(at), int)
        place[used] = np.arange(len(used))
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(at[used].tolist(), [], place[faces].tolist())
        hero.objects.link(bpy.data.objects.new(name, mesh))
    head = bpy.data.objects["Head"]
    head.select_set(True)
    bpy.context.view_layer.objects.active = head
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()
    area.spaces.active.region_3d.view_distance *= 0.8
    bpy.ops.ed.undo_push(message="by the test")
"""
POINTS = "result = sorted(o['expnet_point'] for o in bpy.data.objects if 'expnet_point' in o)"
# Where a point of the head is on the screen
PLACE = """
from bpy_extras.view3d_utils import location_3d_to_region_2d
window, area, _ = sidebar()
region = next(r for r in area.regions if r.type == "WINDOW")
at = next(o for o in bpy.data.objects if o.get("expnet_point") == %r).matrix_world.translation
x, y = location_3d_to_region_2d(region, area.spaces.active.region_3d, at)
result = [window.x + region.x + x, window.y + window.height - region.y - y]
"""
GONE = "bpy.data.objects.remove(next(o for o in bpy.data.objects if o.get('expnet_point') == %r))" + PUSH
KEYS = "keys = bpy.data.objects['Head'].data.shape_keys; result = [b.name for b in keys.key_blocks] if keys else []"
CLICKING = "result = [o.bl_idname for o in sidebar()[0].modal_operators]"
RESULT = "result = bpy.context.scene.expnet.result"


def walk(artist: Artist) -> None:
    screen, check = artist.screen, artist.check
    artist.empty_scene()
    screen.ask(HEAD)
    alone(artist, "Keys on My Head")

    artist.step("Find Points")
    before = artist.state()
    artist.start("find_head_points")
    artist.ends("the points")
    found = screen.ask(POINTS)
    print("    " + screen.ask(RESULT).replace("\n", "; "), flush=True)
    check(len(found) > 20, f"only {found} were found")
    artist.undo_and_redo(before, "Find Points")

    artist.step("Click Points")
    x, y = screen.ask(PLACE % "nose_tip")
    screen.ask(GONE % "nose_tip")
    clicks = screen.find_button("click_head_points")
    screen.click("click_head_points", clicks)
    until(lambda: "EXPNET_OT_click_head_points" in screen.ask(CLICKING), "the clicks", screen.alive)
    screen.point(x, y)
    screen.xdotool("click", 1, "sleep", 0.3)
    until(lambda: "nose_tip" in screen.ask(POINTS), "the point", screen.alive)
    screen.press("Escape")
    until(lambda: not screen.ask(CLICKING), "the end of the clicks", screen.alive)
    check("nose_tip" not in screen.ask(POINTS), "ESC left the point")
    screen.click("click_head_points", clicks)
    until(lambda: "EXPNET_OT_click_head_points" in screen.ask(CLICKING), "the clicks", screen.alive)
    screen.point(x, y)
    screen.xdotool("click", 1, "sleep", 0.3)
    screen.press("Return")
    until(lambda: not screen.ask(CLICKING), "the end of the clicks", screen.alive)
    check(screen.ask(POINTS) == found, f"the points are {screen.ask(POINTS)}")

    artist.step("Make Keys")
    before = artist.state()
    artist.start("make_head_keys")
    artist.ends("the keys")
    print("    " + screen.ask(RESULT).replace("\n", "; "), flush=True)
    made = screen.ask(KEYS)
    check(len(made) == 30, f"the keys are {made}")
    screen.ask("bpy.data.objects['Head'].expnet_own_head.preview = 12.5 / 29")
    screen.over_view()
    artist.picture("own_head_panel.png", (240, 60, 1225, 760))
    screen.ask("bpy.data.objects['Head'].expnet_own_head.preview = 0")
    artist.undo_and_redo(before, "Make Keys")

    artist.step("Make Keys again asks")
    screen.click("make_head_keys")
    screen.xdotool("sleep", 1.0)
    check(not artist.running(), "it did not ask")
    screen.press("Escape")
    check(screen.ask(KEYS) == made, "the question changed the keys")
