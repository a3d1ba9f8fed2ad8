"""Sections of the tab, opened and closed by a click on their titles.

A title has nothing to be found by, except the arrow before it. Which title an arrow belongs to follows from the order
in which the panels are registered.
"""

from __future__ import annotations

import time

from artist import EXTENSION, Artist
from debian import Failed
from screen import PAGES, Screen

# The titles of the tab from above: label, level (0, or 1 inside another section), and whether it is open. Blender calls
# the drawing functions of the open ones only, so they are watched while the sidebar is drawn.
WATCH = f"""
import {EXTENSION}.panels as panels
drawn = bpy.app.driver_namespace.setdefault("expnet_drawn", set())
seen = bpy.app.driver_namespace.setdefault("expnet_watched", set())
def watched(kind):
    inner = kind.draw
    def draw(self, context):
        drawn.add(kind.__name__)
        inner(self, context)
    kind.draw = draw
for kind in panels.CLASSES:
    if issubclass(kind, bpy.types.Panel) and kind.__name__ not in seen:
        seen.add(kind.__name__)
        watched(kind)
drawn.clear()
sidebar()[2].tag_redraw()
"""
TITLES = f"""
import {EXTENSION}.panels as panels
drawn = bpy.app.driver_namespace["expnet_drawn"]
window, area, region = sidebar()
kinds = [k for k in panels.CLASSES if issubclass(k, bpy.types.Panel) and k.bl_space_type == area.type
         and k.bl_region_type == "UI"]
with bpy.context.temp_override(window=window, area=area, region=region):
    kinds = [k for k in kinds if not hasattr(k, "poll") or k.poll(bpy.context)]
result = []
for kind in kinds:
    if not getattr(kind, "bl_parent_id", ""):
        result.append((kind.bl_label, 0, kind.__name__ in drawn))
        if kind.__name__ in drawn:
            inner = [k for k in kinds if getattr(k, "bl_parent_id", "") == kind.__name__]
            result += [(k.bl_label, 1, k.__name__ in drawn) for k in inner]
"""
# Where the bright pixels of an arrow are, from its upper left, and pixels of its box that are dark
OPEN = ((0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 3), (6, 2), (7, 1), (8, 0)), ((4, 0), (4, 1), (0, 4), (8, 4))
CLOSED = ((0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (3, 5), (2, 6), (1, 7), (0, 8)), ((0, 4), (1, 4), (4, 0), (4, 8))
BRIGHT, DARK = 150, 110  # of 255
ARROWS = (21, 34)  # pixels from the sidebar's left to the middle of an arrow, for each level
Title = tuple[str, int, bool]


def open_section(artist: Artist, title: str, operator: str = "", across: float = 0.47) -> tuple[int, int]:
    """Open the section ``title`` unless it is open; the place of its title, or of the button of ``operator`` in it."""
    place = _switch(artist, title, True)
    _, top, _, bottom = artist.screen.ask("result = rectangle(sidebar()[2])")
    last = bottom
    while (top + bottom) / 2 < place[1] < last:  # what is in the section may be below the window
        last = place[1]
        artist.screen.scroll(5, 4)
        place, _ = _find(artist, title)
    return artist.screen.find_button(operator, below=place[1] + 10, across=across) if operator else place


def close_section(artist: Artist, title: str) -> None:
    _switch(artist, title, False)


def alone(artist: Artist, *titles: str) -> None:
    """Close every section but these, which are opened: a section before those inside it."""
    for label, _, is_open in reversed(_titles(artist)):
        if is_open and label not in titles:
            close_section(artist, label)
    for title in titles:
        open_section(artist, title)


def open_ones(artist: Artist) -> set[str]:
    return {label for label, _, is_open in _titles(artist) if is_open}


def _switch(artist: Artist, title: str, to: bool) -> tuple[int, int]:
    """Click at a title until its section is open or closed; where the title is."""
    screen = artist.screen
    for _ in range(4):
        place, is_open = _find(artist, title)
        if is_open is to:
            return place
        screen.point(*place)
        screen.xdotool("click", 1, "sleep", 1.0)
    raise Failed(f"a click on the title {title} does not {'open' if to else 'close'} it")


def _find(artist: Artist, title: str) -> tuple[tuple[int, int], bool]:
    """Return where a title is in the window, which is scrolled to it, and whether its section is open."""
    screen = artist.screen
    titles = _titles(artist)
    names = [label for label, *_ in titles]
    artist.check(title in names, f"the tab has no section {title}, only {', '.join(names)}")
    wanted = names.index(title)
    for page in range(PAGES + 2):
        if page == 1:
            screen.to_top()
        elif page:
            screen.scroll(5, 8)
        arrows = _arrows(screen)
        starts = [i for i in range(len(titles) - len(arrows) + 1) if _same(titles[i:], arrows)]
        if page == 1:
            starts = [i for i in starts if i == 0]
        if len(starts) == 1 and starts[0] <= wanted < starts[0] + len(arrows):
            return (int(screen.middle() - 40), arrows[wanted - starts[0]][0]), titles[wanted][2]
    raise Failed(f"the title {title} is not found: the tab has {titles}, the last page shows {arrows}")


def _same(titles: list[Title], arrows: list[tuple[int, int, bool]]) -> bool:
    return bool(arrows) and all(title[1:] == arrow[1:] for title, arrow in zip(titles, arrows))


def _titles(artist: Artist) -> list[Title]:
    artist.screen.ask(WATCH)
    time.sleep(0.5)  # it is drawn
    return [(label, level, is_open) for label, level, is_open in artist.screen.ask(TITLES)]


def _arrows(screen: Screen) -> list[tuple[int, int, bool]]:
    """Return the titles' arrows that are shown: how far down the screen, the level, and whether it points down."""
    left, top, right, bottom = screen.ask("result = rectangle(sidebar()[2])")
    pixels, width = screen.grey((left, top, right, bottom)), right - left

    def matches(x: int, y: int, is_open: bool) -> bool:
        bright, dark = OPEN if is_open else CLOSED
        return all(pixels[(y + j) * width + x + i] > BRIGHT for i, j in bright) and all(
            pixels[(y + j) * width + x + i] < DARK for i, j in dark
        )

    return [
        (top + y + height // 2, level, is_open)
        for y in range(bottom - top - 9)
        for level, middle in enumerate(ARROWS)
        for is_open, (breadth, height) in ((True, (9, 5)), (False, (5, 9)))
        if any(matches(middle - breadth // 2 + shift, y, is_open) for shift in range(-2, 3))
    ]
