"""Everyone in a clip: two people are found, named, and animated, each on a head of their own."""

from __future__ import annotations

from artist import PUSH, RIG, SETTINGS, Artist
from sections import alone, close_section

PEOPLE = SETTINGS + "result = [(p.name, p.seen, p.head.name if p.head else None) for p in settings.people]"
HEADS = (
    RIG
    + """
result = {f.name: len(f.data.shape_keys.animation_data.action.expnet.performance) for f in faces
          if f.data.shape_keys.animation_data and f.data.shape_keys.animation_data.action}
"""
)
# Both heads before the camera: where their middles are across its picture, from 0 to 1
ACROSS = (
    RIG
    + """
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
scene = bpy.context.scene
corners = [[f.matrix_world @ Vector(c) for c in f.bound_box] for f in faces]
result = [world_to_camera_view(scene, scene.camera, sum(c, Vector()) / 8).x for c in corners]
"""
)


def walk(artist: Artist) -> None:
    screen, check = artist.screen, artist.check
    artist.empty_scene()
    screen.ask(SETTINGS + f"settings.source = {screen.debian.two_people(artist.clip)!r}" + PUSH)

    artist.step("Find People")
    alone(artist, "Capture", "Everyone")
    before = artist.state()
    find = screen.find_button("find_people")
    artist.start("find_people", find)
    artist.ends("the people")
    people = screen.ask(PEOPLE)
    check(len(people) == 2, f"the people are {people}: {screen.ask(SETTINGS + 'result = settings.result')}")
    artist.undo_and_redo(before, "Find People")
    screen.over_view()

    artist.step("Names, typed")
    name = screen.find_property("people[0].name", below=find[1] + 15, across=0.6)
    artist.changes(lambda: screen.type(name, "Ann"), "a name")
    check(screen.ask(PEOPLE)[0][0] == "Ann", f"the people are {screen.ask(PEOPLE)}")

    artist.step("Animate People")
    artist.presses("animate_people", below=name[1] + 15)
    print("    " + screen.ask(SETTINGS + "result = settings.result").replace("\n", "; "), flush=True)
    heads = screen.ask(HEADS)
    check(set(heads) == {"Ann", "Person 2"} and all(heads.values()), f"the takes are {heads}")
    screen.ask(
        "scene = bpy.context.scene; scene.frame_set(scene.frame_start + 20); bpy.context.view_layer.update(); "
        "sidebar()[1].spaces.active.region_3d.view_perspective = 'CAMERA'" + PUSH
    )
    first, second = screen.ask(ACROSS)
    print(f"    across the picture: Ann {first:.2f}, Person 2 {second:.2f}", flush=True)
    check(0 < min(first, second) < 0.5 < max(first, second) < 1, "the heads are not where the people are")
    screen.over_view()
    artist.picture("everyone.png")

    artist.step("Forget People")
    artist.presses("forget_people", across=0.84)
    check(not screen.ask(PEOPLE) and len(screen.ask(HEADS)) == 2, "heads or takes are gone, or people stay")
    close_section(artist, "Everyone")
