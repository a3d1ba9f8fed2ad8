"""Sections of the tab, opened by a click on their titles, which have nothing to be found by."""

from __future__ import annotations

from artist import Artist

# Which panels of the tab are open: those whose drawing functions Blender calls
WATCH = """
drawn = bpy.app.driver_namespace.setdefault("expnet_drawn", [])
seen = bpy.app.driver_namespace.setdefault("expnet_watched", [])
def watched(kind):
    inner = kind.draw
    def draw(self, context):
        drawn.append(kind.bl_label)
        inner(self, context)
    kind.draw = draw
for name in dir(bpy.types):
    if name.startswith("EXPNET_PT_") and name not in seen:
        seen.append(name)
        watched(getattr(bpy.types, name))
"""
FORGET = "bpy.app.driver_namespace['expnet_drawn'].clear(); sidebar()[2].tag_redraw()"
DRAWN = "result = sorted(set(bpy.app.driver_namespace['expnet_drawn']))"


def open_section(artist: Artist, title: str, operator: str) -> tuple[int, int]:
    """Open the section ``title`` of the tab, which is closed, by its own click, and find its button."""
    _open(artist, title)
    return artist.screen.find_button(operator, across=0.3)


def _open(artist: Artist, title: str) -> None:
    """Click at the titles of sections, from the tab's end upwards, until ``title`` opens; others stay as they were."""
    screen = artist.screen
    screen.to_bottom()
    bottom = screen.ask("result = rectangle(sidebar()[2])[3]")
    x = int(screen.middle())
    before = open_ones(artist)
    for y in range(bottom - 12, bottom - 420, -12):
        screen.point(x, y)
        screen.xdotool("click", 1, "sleep", 0.6)
        now = open_ones(artist)
        if title in now:
            screen.to_bottom()
            return
        if now != before:
            screen.xdotool("click", 1, "sleep", 0.6)
    artist.check(False, f"the section {title} does not open")


def open_ones(artist: Artist) -> set[str]:
    artist.screen.ask(WATCH)
    artist.screen.ask(FORGET)
    artist.screen.xdotool("sleep", 0.5)
    return set(artist.screen.ask(DRAWN))
