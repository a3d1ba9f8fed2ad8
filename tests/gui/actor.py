"""Actor's Face: the head gets the shape and the skin of the person in a picture."""

from __future__ import annotations

from artist import PUSH, RIG, SETTINGS, Artist
from sections import alone

LOOKS = (
    RIG
    + """
head = faces[0]
nodes = [node for material in head.data.materials for node in material.node_tree.nodes]
images = sorted({node.image.name for node in nodes if node.type == "TEX_IMAGE" and node.image})
result = [[round(v, 3) for v in head["alpha"]], images]
"""
)


def walk(artist: Artist) -> None:
    screen, check = artist.screen, artist.check
    artist.empty_scene()
    artist.add_face()
    screen.ask(SETTINGS + f"settings.source = {artist.image!r}" + PUSH)
    alone(artist, "Face", "Capture")

    artist.step("Actor's Face")
    before, looked = artist.state(), screen.ask(LOOKS)
    artist.start("actor_face", screen.find_button("actor_face"))
    artist.ends("the picture")
    print("    " + screen.ask(SETTINGS + "result = settings.result").replace("\n", "; "), flush=True)
    looks = screen.ask(LOOKS)
    check(looks[0] != looked[0], "the head keeps its shape")
    check(any("skin" in name for name in looks[1]) and looks[1] != looked[1], f"the head wears {looks[1]}")
    screen.over_view()
    artist.picture("actors_face.png")
    artist.undo_and_redo(before, "Actor's Face")
