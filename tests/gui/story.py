"""The guide's story: a first picture, two clips, an edit by hand between them, takes, a render."""

from __future__ import annotations

import time

from artist import EXTENSION, KEYS, PUSH, RIG, SETTINGS, Artist
from screen import until
from sections import close_section, open_section

TAKE = KEYS + "take = data.action.expnet; "
# Every curve of the current take's shape keys: its path, and its keys
CURVES = (
    KEYS
    + f"""
import {EXTENSION}.expnet_addon.compat as compat
curves = compat.assigned_curves(faces[0].data.shape_keys)
result = {{c.data_path: [tuple(p.co) for p in c.keyframe_points] for c in curves}}
"""
)
TAKES = f"""
import {EXTENSION}.expnet_addon.scene.current_take as current
{RIG}
shown = current.take_of(faces[0])
result = [[a.name for a in current.takes_of(faces[0])], shown.name if shown else None]
"""
# What the first picture is about: whether the head is in the viewport, not in something else, and lit
IN_SIGHT = """
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Vector
scene = bpy.context.scene
head = next(o for o in scene.objects if "expnet_basis" in o)
area = sidebar()[1]
region = next(r for r in area.regions if r.type == "WINDOW")
view = area.spaces.active.region_3d
ours = [head, *(o for o in scene.objects if o.parent == head)]
places = [location_3d_to_region_2d(region, view, head.matrix_world @ Vector(c)) for c in head.bound_box]
inside = [p for p in places if p and 0 <= p.x <= region.width and 0 <= p.y <= region.height]
tall = max(p.y for p in places) - min(p.y for p in places)
result = {
    "corners": len(inside), "share": tall / region.height,
    "others": [o.name for o in scene.objects if o.type == "MESH" and o.visible_get() and o not in ours],
    "frame": scene.frame_start <= scene.frame_current <= scene.frame_end,
    "view": view.view_perspective, "colour": area.spaces.active.shading.color_type,
}
"""
# The properties editor on the shape keys of the head, the key jawOpen chosen: what a click on its row would do
SHAPE_KEYS = f"""
{RIG}
bpy.context.view_layer.objects.active = faces[0]
faces[0].active_shape_key_index = faces[0].data.shape_keys.key_blocks.find("jawOpen")
window = sidebar()[0]
area = next(a for a in window.screen.areas if a.type == "PROPERTIES")
area.spaces.active.context = "DATA"
area.tag_redraw()
result = rectangle(next(r for r in area.regions if r.type == "WINDOW"))
"""
JAW, MOUTH = 'key_blocks["jawOpen"].value', 'key_blocks["mouthFunnel"].value'
EDIT_FRAME, EDIT = 20, 0.777
ROW_TIME = 5.0  # seconds until a click on another take shows
# Blender looks the drawing functions up in the classes, each time: this puts a clock around them until UNTIMED
TIMED = """
import time
kinds = [getattr(bpy.types, n) for n in dir(bpy.types) if n.startswith("EXPNET_PT_")]
spent, plain = {}, {}
def timed(kind):
    plain[kind] = kind.__dict__.get("draw")
    inner = kind.draw
    def draw(self, context):
        start = time.perf_counter()
        inner(self, context)
        spent.setdefault(kind.__name__, []).append(time.perf_counter() - start)
    kind.draw = draw
for kind in kinds:
    timed(kind)
bpy.app.driver_namespace["expnet_clock"] = spent, plain
"""
REDRAW = "sidebar()[2].tag_redraw()"
UNTIMED = """
spent, plain = bpy.app.driver_namespace.pop("expnet_clock")
for kind, own in plain.items():
    if own is None:
        del kind.draw
    else:
        kind.draw = own
result = spent
"""
REDRAWS = 20
REDRAW_MS = 2.0


def walk(artist: Artist) -> None:
    screen, check = artist.screen, artist.check
    clips = artist.options.clips_inside
    if screen.ask(RIG + "result = bool(faces) or 'Cube' not in bpy.data.objects"):
        artist.new_file()
    until(lambda: screen.ask("result = 'Cube' in bpy.data.objects"), "the startup scene", screen.alive)
    artist.open_tab()

    artist.step("Try It in the startup scene")
    artist.start("try_it")
    artist.ends("the built-in clip")
    screen.over_view()
    seen = screen.ask(IN_SIGHT)
    print(f"    {seen}", flush=True)
    check(seen["corners"] == 8 and seen["share"] > 0.3, "the head is not in sight")
    check(not seen["others"], f"{seen['others']} are in the way")
    check(seen["frame"] and seen["view"] == "CAMERA" and seen["colour"] == "TEXTURE", "no view of the result")
    artist.picture("try_it.png")

    artist.step("A clip, typed into the panel")
    animate_first(artist, clips[0])
    first = screen.ask(TAKES)[1]
    check(len(screen.ask(TAKES)[0]) == 2, f"the takes are {screen.ask(TAKES)}")
    screen.ask(f"bpy.context.scene.frame_set({EDIT_FRAME})" + PUSH)
    artist.picture("animate.png")

    artist.step("A key, changed by hand")
    edit_jaw(artist)

    artist.step("The gain of the mouth")
    before = screen.ask(CURVES)
    gain = region_gain(artist, "mouth")
    screen.paste(gain, "0.5")
    until(lambda: screen.ask(CURVES) != before, "other keys", screen.alive)
    after = screen.ask(CURVES)
    other = [path for path in before if before[path] != after[path] and "mouth" not in path]
    check(not other, f"the gain of the mouth changed {other}")
    check(at(after[JAW], EDIT_FRAME) == at(before[JAW], EDIT_FRAME), "the edit is gone")
    screen.over_view()  # no tooltip
    artist.picture("take.png")

    artist.step("The same clip again: it asks, because of the edit")
    animate = screen.find_button("animate_footage")
    screen.over_view()
    screen.point(*animate)
    screen.xdotool("click", 1, "sleep", 0.5, "mousemove_relative", "--", -60, 0)  # no tooltip over the menu
    artist.picture("keep_or_replace.png")
    check(not artist.running(), "it did not ask")
    screen.press("Escape")

    artist.step("A second clip")
    animate_first(artist, clips[1])
    check(len(screen.ask(TAKES)[0]) == 3, f"the takes are {screen.ask(TAKES)}")
    backgrounds = "result = sum(len(o.data.background_images) for o in bpy.context.scene.objects if o.type == 'CAMERA')"
    check(screen.ask(backgrounds) == 1, f"{screen.ask(backgrounds)} clips lie behind the head")

    artist.step("Back to the first clip, by a click on its row")
    choose_take(artist, first)
    now = screen.ask(CURVES)
    check(abs(at(now[JAW], EDIT_FRAME) - EDIT) < 1e-3, "the edit is gone")
    artist.picture("takes.png")

    artist.step("Discard Hand Edits")
    screen.click("", screen.find_button("discard_edits", below=region_gain(artist, "mouth")[1]))
    screen.xdotool("sleep", 0.5)
    screen.press("Return")
    until(lambda: abs(at(screen.ask(CURVES)[JAW], EDIT_FRAME) - EDIT) > 1e-3, "keys without the edit", screen.alive)
    screen.press("ctrl+z")
    until(lambda: abs(at(screen.ask(CURVES)[JAW], EDIT_FRAME) - EDIT) < 1e-3, "the edit, after undo", screen.alive)

    artist.step("How long the sidebar takes to draw")
    time_the_sidebar(artist)

    artist.step("Render with the footage behind")
    render(artist)


def time_the_sidebar(artist: Artist) -> None:
    """Print how long the drawing functions of the tab's panels take, the median of some redraws."""
    screen = artist.screen
    screen.ask(TIMED)
    for _ in range(REDRAWS):
        screen.ask(REDRAW)
    spent = screen.ask(UNTIMED)
    medians = {name: 1000 * sorted(times)[len(times) // 2] for name, times in spent.items()}
    for name, ms in sorted(medians.items(), key=lambda item: -item[1]):
        print(f"    {ms:6.3f} ms  {name}, {len(spent[name])} times", flush=True)
    total = sum(medians.values())
    print(f"    {total:6.3f} ms  all panels of the tab that are open", flush=True)
    artist.check(medians, "no panel was drawn")
    if total > REDRAW_MS:
        artist.wrong.append(f"the sidebar takes {total:.1f} ms, and has {REDRAW_MS} ms")


def animate_first(artist: Artist, clip: str) -> None:
    """Type a clip into the panel, and animate the head from it."""
    screen = artist.screen
    screen.to_top()
    field = screen.find_property("expnet.source")
    artist.insist(
        lambda: screen.type(field, clip),
        lambda: screen.ask(SETTINGS + "result = settings.source") == clip,
        "the clip's path in the panel",
    )
    takes = screen.ask(TAKES)
    artist.start("animate_footage")
    artist.ends("the clip")
    print("    " + str(screen.ask(SETTINGS + "result = settings.result")).replace("\n", "; "), flush=True)
    artist.check(screen.ask(TAKES) != takes, "no take was made")
    screen.over_view()


def edit_jaw(artist: Artist) -> None:
    """Type another value for jawOpen in the properties editor, and key it with the pointer over it."""
    screen = artist.screen
    left, top, right, bottom = screen.ask(SHAPE_KEYS)
    screen.xdotool("sleep", 1)
    x = int(left + 0.7 * (right - left))
    found = None
    for y in range((top + bottom) // 2, bottom, 8):
        if found is None and all(JAW in screen.under(y, "ctrl+shift+alt+c", x, patience) for patience in (1, 4)):
            found = (x, y)
    artist.check(found, "the value of jawOpen is not in the properties editor")
    assert found is not None
    screen.paste(found, str(EDIT))
    screen.point(*found)
    screen.press("i")
    now = screen.ask(CURVES)
    artist.check(abs(at(now[JAW], EDIT_FRAME) - EDIT) < 1e-3, f"jawOpen has {at(now[JAW], EDIT_FRAME)} at the frame")
    screen.over_view()


def at(keys: list, frame: float) -> float:
    return next((value for x, value in keys if abs(x - frame) < 1e-3), float("nan"))


def region_gain(artist: Artist, region: str) -> tuple[int, int]:
    screen = artist.screen
    index = screen.ask(TAKE + f"result = [r.name for r in take.regions].index({region!r})")
    screen.to_bottom()
    return screen.find_property(f"regions[{index}].gain", across=0.8)


def choose_take(artist: Artist, name: str) -> None:
    """Click the rows of the list until the take is shown."""
    screen = artist.screen
    left, _, right, _ = screen.ask("result = rectangle(sidebar()[2])")
    for row in range(len(screen.ask(TAKES)[0])):
        screen.to_bottom()
        _, y = screen.find_button("take_duplicate", across=0.84)  # again: each take has another number of lines
        screen.point(left + 0.4 * (right - left), y + row * 20)
        screen.xdotool("click", 1)
        deadline = time.monotonic() + ROW_TIME
        while time.monotonic() < deadline:
            if screen.ask(TAKES)[1] == name:
                return
    artist.check(screen.ask(TAKES)[1] == name, f"no row of the list shows the take {name}")


def render(artist: Artist) -> None:
    """Render from the section Render, with the footage: the picture is lit and shows head and footage."""
    screen = artist.screen
    screen.ask(
        "scene = bpy.context.scene; bpy.context.preferences.view.render_display_type = 'NONE'; "
        "getattr(scene, 'eevee').taa_render_samples = 16"
    )
    _, title = open_section(artist, "Render")
    footage = screen.find_property("expnet.render_footage", below=title + 10)
    screen.click("", footage)
    artist.check(screen.ask(SETTINGS + "result = settings.render_footage"), "the box is not ticked")
    screen.click("render_head", (screen.find_button("render_head", below=footage[1] + 12, across=0.3)))
    until(lambda: screen.ask("result = not bpy.app.is_job_running('RENDER')"), "the render", screen.alive)
    path = f"{screen.debian.inside}/render.png"
    screen.ask(f"bpy.data.images['Render Result'].save_render({path!r})")
    (artist.out / "render.png").write_bytes((screen.debian.outside / "render.png").read_bytes())
    print(f"    {artist.out / 'render.png'}", flush=True)
    close_section(artist, "Render")
    mean = float(screen.debian.run("convert", path, "-colorspace", "Gray", "-format", "%[fx:mean]", "info:"))
    artist.check(mean > 0.15, f"the render is dark: {mean:.2f}")
