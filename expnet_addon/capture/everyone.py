"""Follow everyone in a clip: find the people, and give each a head and a take.

The people who were found are kept in the scene (``Scene.expnet.people``) until they are animated or forgotten: their
names, their heads and their raw performances. Their portraits exist only in the current Blender session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import bpy

from ...model.errors import InputError
from ...model.sight.sequences import check_there
from ...model.worker.messages import EstimatorOptions, PeopleResult
from ..engine import requests
from ..engine.jobs import Job
from ..engine.tasks import Task
from .icons import Icons, decoded

if TYPE_CHECKING:
    from ...model.face.face_model import FaceModel
    from ...model.performance.face_performance import FacePerformance
    from .keying import Keying
    from .sources import Source

_portraits = Icons()


def portraits() -> tuple[int, ...]:
    """Return the icons of the people found last, in their order; empty in another session."""
    return _portraits.shown


def find_people(scene: bpy.types.Scene, clip: Source, options: EstimatorOptions) -> Task[PeopleResult]:
    """Follow everyone through ``clip``, and keep the people in ``scene``. Nothing is animated yet."""
    from pathlib import Path

    check_there(clip.path, "clip")
    scene_uid = scene.session_uid

    def write(reply: PeopleResult, job: Job[PeopleResult]) -> str:
        from ...model.performance.performance_files import load_performance, packed

        into = next((each for each in bpy.data.scenes if each.session_uid == scene_uid), None)
        if into is None:
            raise InputError("The scene is gone: nothing was written")
        performances = [load_performance(person.file) for person in reply.people]
        people = into.expnet.people
        people.clear()
        for number, performance in enumerate(performances, 1):
            person = people.add()
            person.name = f"Person {number}"
            person.performance = packed(performance)
            person.source = clip.path
            person.seen = int(performance.seen.sum())
        _portraits.show([decoded(person.portrait.pixels, reply.size) for person in reply.people])
        count = len(reply.people)
        first_line = f"{count} people in '{clip.name}'" if count > 1 else f"One person in '{clip.name}'"
        return "\n".join([first_line, *reply.notes])

    fps = None if Path(clip.path).is_file() else clip.fps
    return Task("Find People", requests.people(clip.path, options, clip.first, clip.last, fps), write, unit="frames")


def animate_people(scene: bpy.types.Scene, keying: Keying, clip: Source | None = None) -> str:
    """Give each person of ``scene.expnet.people`` a take on their head; those without a head get a new one.

    ``clip`` is the source that they were found in, if it is still chosen. Returns lines for the user. Raises InputError
    with nothing changed.
    """
    from ...model.performance.performance_files import unpacked
    from ..scene import rig

    people = list(scene.expnet.people)
    if not people:
        raise InputError("There are no people: Find People first")
    performances = [unpacked(bytes(person.performance), person.name) for person in people]
    named = [person.head for person in people if person.head is not None]
    twice = next((head for head in named if named.count(head) > 1), None)
    if twice is not None:
        raise InputError(f"'{twice.name}' is the head of two people: choose another one for one of them")
    for person, performance in zip(people, performances):
        if person.head is not None:
            _check(person.head, performance)
    for person in people:
        if person.head is None:
            person.head = rig.create_rig(_open_head(), name=person.name, collection=scene.collection)
    return key_people(scene, [(person.head, each) for person, each in zip(people, performances)], keying, clip)


def forget(scene: bpy.types.Scene) -> None:
    """Remove the people who were found, with their portraits. Their heads and takes stay."""
    scene.expnet.people.clear()
    forget_portraits()


def forget_portraits() -> None:
    """Free the portraits' icons."""
    _portraits.forget()


def key_people(
    scene: bpy.types.Scene,
    people: Sequence[tuple[bpy.types.Object, FacePerformance]],
    keying: Keying,
    clip: Source | None = None,
) -> str:
    """Key each head with its performance of the same clip. Returns lines for the user.

    The camera is at the world's origin and the heads are before it, as in the picture: heads on roots of their own
    could not all match one camera. The clip's sound is added once.
    """
    from . import capture

    lines = []
    for number, (head, performance) in enumerate(people):
        _stand_alone(head)
        own = replace(keying, root=False, sound=keying.sound and number == 0)
        report = capture.key_performance(scene, head, performance, own, clip).splitlines()
        lines += [f"{head.name}: {report[0]}", *(report[1:] if number == 0 else [])]
    return "\n".join(lines)


def add_heads(first: bpy.types.Object, count: int) -> list[bpy.types.Object]:
    """Name ``first`` as the head of the first person, and add heads of the same model for the others."""
    from ..scene import rig

    first.name = "Person 1"
    model = rig.rig_model(first)
    path = first["expnet_model_path"]
    return [first, *(rig.create_rig(model, f"Person {n}", model_path=path) for n in range(2, count + 1))]


def _check(head: bpy.types.Object, performance: FacePerformance) -> None:
    """Check that the head can play the performance. Raises InputError."""
    from ..scene import rig
    from ..user_files import basis_maps

    if performance.basis != head["expnet_basis"]:
        basis_maps.route(performance.basis, rig.rig_model(head), head.name)


def _open_head() -> FaceModel:
    from ...model.builtin import OPEN
    from ...model.formats.npz import load_face_model
    from ..user_files import face_models

    path = face_models.readable_file(OPEN)
    assert path is not None
    return load_face_model(path)


def _stand_alone(head: bpy.types.Object) -> None:
    """Unparent the head from its root, and remove the root if it has no other children."""
    from ..scene import head_root

    root = head_root.root_of(head)
    if root is None:
        return
    head.parent = None
    if not root.children:
        bpy.data.objects.remove(root)
