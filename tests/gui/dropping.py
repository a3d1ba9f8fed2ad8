"""A clip, dragged from a file browser onto the viewport: it becomes the source of the panel."""

from __future__ import annotations

from artist import SETTINGS, Artist
from screen import until

SOURCE = SETTINGS + "result = settings.source"
# The properties editor becomes a file browser, and is put back
BROWSER = """
area = next(a for a in sidebar()[0].screen.areas if a.type == "PROPERTIES")
area.ui_type = "FILES"
"""
FOLDER = """
area = next(a for a in sidebar()[0].screen.areas if a.type == "FILE_BROWSER")
space = area.spaces.active
ready = space.params is not None
if ready:
    space.params.directory = %r.encode()
    space.params.display_type = "LIST_VERTICAL"
    space.params.use_filter = False
    space.show_region_toolbar = space.show_region_ui = False
    with bpy.context.temp_override(window=sidebar()[0], area=area):
        bpy.ops.file.refresh()
result = ready
"""
LIST = """
area = next(a for a in sidebar()[0].screen.areas if a.type == "FILE_BROWSER")
result = rectangle(next(r for r in area.regions if r.type == "WINDOW"))
"""
BACK = 'next(a for a in sidebar()[0].screen.areas if a.type == "FILE_BROWSER").ui_type = "PROPERTIES"'
STEPS = 12  # of the pointer on its way


def walk(artist: Artist) -> None:
    screen, check = artist.screen, artist.check
    artist.new_file()
    until(lambda: screen.ask("result = 'Cube' in bpy.data.objects"), "the startup scene", screen.alive)
    artist.open_tab()

    artist.step("A clip, dragged onto the viewport")
    clips = screen.debian.outside / "clips"
    clips.mkdir(exist_ok=True)
    (clips / "dropped.mp4").write_bytes(artist.options.clip.read_bytes())
    inside = f"{screen.debian.inside}/clips"
    screen.ask(BROWSER)
    until(lambda: screen.ask(FOLDER % f"{inside}/"), "the file browser", screen.alive)
    screen.xdotool("sleep", 2)
    artist.picture("file_browser.png")
    left, top, _, _ = screen.ask(LIST)
    screen.over_view()
    target = screen.xdotool("getmouselocation", "--shell")
    to = {key: int(value) for key, value in (line.split("=") for line in target.split())}
    rows = iter((32, 52, 14) * 2)

    def drag() -> None:
        x, y = left + 60, top + next(rows)
        screen.point(x, y)
        screen.xdotool("mousedown", 1, "sleep", 0.4)
        for step in range(1, STEPS + 1):
            share = step / STEPS
            screen.xdotool("mousemove", int(x + share * (to["X"] - x)), int(y + share * (to["Y"] - y)), "sleep", 0.15)
        screen.xdotool("sleep", 0.5, "mouseup", 1, "sleep", 0.5)

    artist.insist(drag, lambda: screen.ask(SOURCE) == f"{inside}/dropped.mp4", "the clip in the panel")
    check(not artist.running(), "something runs")
    screen.ask(BACK)
    artist.picture("dropped.png")
    screen.press("ctrl+z")
    until(lambda: screen.ask(SOURCE) == "", "the source as it was", screen.alive)
