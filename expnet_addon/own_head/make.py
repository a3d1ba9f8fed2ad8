"""From a head that the artist selected to its points and its keys, by the worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import bpy

from ...model.errors import InputError, first_of
from ...model.face.semantics import OPEN_KEYS
from ...model.npz_arrays import NpzArrays
from ...model.own_head.head_file import write_meshes
from ...model.own_head.point_names import LABELS, REQUIRED
from ...model.performance.channels import ARKIT
from ...model.reading import reading
from ...model.worker.messages import (
    EstimatorOptions,
    FindPointsResult,
    HeadMesh,
    HeadPoint,
    MakeKeys,
    MakeKeysResult,
    OwnHead,
    Request,
)
from ..engine import requests
from ..engine.jobs import Job
from ..engine.tasks import Task
from . import meshes, points, shape_keys
from .chosen import kinds_of, largest_first, listed, parts_of

NAMES = {"OPEN": OPEN_KEYS, "ARKIT": ARKIT}  # of the keys, by the choice in the panel
ASK, REPLACE, KEEP = "ASK", "REPLACE", "KEEP"


@dataclass(frozen=True)
class Keys:
    """Which keys are made.

    names         OPEN (ExpNet's 29) or ARKIT (ARKit's 52)
    symmetric     the right side's keys mirror the left side's, where the mesh is symmetric
    without_eyes  the head may have no eyes
    existing      what happens to shape keys of the same names: REPLACE, KEEP, or ASK to raise InputError
    """

    names: str = "OPEN"
    symmetric: bool = False
    without_eyes: bool = False
    existing: str = ASK


def find_points(parts: Sequence[bpy.types.Object], options: EstimatorOptions) -> Task[FindPointsResult]:
    """Find the points of the face on a head's meshes, the head first, and put handles there.

    Raises InputError for meshes that cannot be used.
    """
    uid = parts[0].session_uid

    def write(reply: FindPointsResult, job: object) -> str:
        head = _still_there(uid)
        _note_kinds(head, reply.kinds)
        points.place_all(head, {point.name: point.at for point in reply.points})
        text = f"{len(reply.points)} points found in {reply.views} pictures of {head.name}"
        if reply.missing:
            left = ", ".join(LABELS[name] for name in reply.missing)
            needed = any(name in REQUIRED for name in reply.missing)
            text += f"\nNot found: {left}" + ("\nClick Points places what is missing" if needed else "")
        return text

    return _task("Find Points", parts, lambda own: requests.find_points(own, options), write)


def make_keys(parts: Sequence[bpy.types.Object], keys: Keys) -> Task[MakeKeysResult]:
    """Make the keys of a head, and write them as shape keys on its meshes, the head first.

    Raises InputError, with nothing changed, for meshes or points that cannot be used.
    """
    # ARKit's keys turn the eyes, so that two eyes cannot be one mesh; ExpNet's leave them at rest.
    meshes.check_shared(parts if keys.names == "ARKIT" else parts[:1])
    same = shape_keys.same_names(parts, NAMES[keys.names])
    if same and keys.existing == ASK:
        raise InputError(f"{first_of(same, 3)}: there are shape keys of these names: choose to replace or to keep them")
    places, missing = points.places_of(parts[0]), points.missing_of(parts[0])
    if missing:
        raise InputError(f"Points are missing: {', '.join(missing)}: find the points, or click them")
    found = tuple(HeadPoint(name, at) for name, at in places.items() if name in LABELS)
    uids = [obj.session_uid for obj in parts]
    names: Literal["open", "arkit"] = "open" if keys.names == "OPEN" else "arkit"

    def request(own: OwnHead) -> MakeKeys:
        return MakeKeys(own, found, names, keys.symmetric, keys.without_eyes)

    def write(reply: MakeKeysResult, job: Job[MakeKeysResult]) -> str:
        there = [_still_there(uid) for uid in uids]
        meshes.check_parts(there)
        meshes.check_shared([there[number] for number in reply.moved])
        with reading(job.out, "file of keys", "make the keys again"), NpzArrays(job.out) as arrays:
            offsets = {number: arrays.read(f"offsets_{number}") for number in reply.moved}
        written = shape_keys.write(there, reply.keys, offsets, keys.existing == KEEP)
        _note_kinds(there[0], reply.kinds)
        _note_keys(there[0], written, "EXPNET" if names == "open" else "ARKIT")
        return _report(there, reply, written)

    return _task("Make Keys", parts, request, write)


def keys_of_meshes(objects: Sequence[bpy.types.Object], keys: Keys, python: str) -> str:
    """Find the points of a head if it has none, and make its keys. Returns lines for the user. Raises InputError."""
    parts = largest_first(objects)
    meshes.check_shared(parts[:1])
    if not points.handles_of(parts[0]):
        find_points(parts, EstimatorOptions()).run(python)
    return make_keys(parts, keys).run(python)


def remove_points(head: bpy.types.Object) -> str:
    """Remove the handles. Returns a line for the user."""
    count = points.remove_all(head)
    return f"{count} points removed from {head.name}"


def _task(
    title: str,
    parts: Sequence[bpy.types.Object],
    request: Callable[[OwnHead], Request[Any]],
    write: Callable[[Any, Any], str],
) -> Task[Any]:
    """Return the task that sends the parts to the worker."""
    meshes.check_parts(parts)
    bpy.context.view_layer.update()
    read = [meshes.world_mesh(obj) for obj in parts]
    if not any(len(mesh.triangles) for mesh in read):
        raise InputError(f"'{parts[0].name}' has no faces: select the mesh of your head")
    named = tuple(HeadMesh(obj.name, kind) for obj, kind in zip(parts, kinds_of(parts)))

    def prepared(folder: Path) -> Request[Any]:
        file = folder / "head.npz"
        write_meshes(read, file)
        return request(OwnHead(str(file), named))

    return Task(title, None, write, begin=lambda python: Job(prepared, python))


def _still_there(uid: int) -> bpy.types.Object:
    found = next((obj for obj in bpy.data.objects if obj.session_uid == uid), None)
    if found is None:
        raise InputError("A part of the head is gone: nothing was changed")
    return found


def _note_kinds(head: bpy.types.Object, kinds: Sequence[str]) -> None:
    """Show in the list of parts what each was taken for."""
    if not listed(head):
        return
    known = {part.mesh: part for part in head.expnet_own_head.parts}
    for obj, kind in zip(parts_of(head), kinds):
        if obj in known:
            known[obj].guess = kind.replace("_", " ")


def _note_keys(head: bpy.types.Object, names: Sequence[str], scheme: str) -> None:
    """List the keys with strength 1, and choose the scheme of their names for a retarget.

    Keys of other runs stay in the list.
    """
    if not listed(head):
        return
    settings = head.expnet_own_head
    head.expnet_character.scheme = scheme
    known = {key.name: key for key in settings.keys}
    for name in names:
        key = known.get(name) or settings.keys.add()
        key.name = name
        key["strength"] = key["applied"] = 1.0  # the update function would scale the key
    blocks = set(shape_keys.same_names(parts_of(head), [key.name for key in settings.keys]))
    for number in reversed(range(len(settings.keys))):
        if settings.keys[number].name not in blocks:
            settings.keys.remove(number)
    settings["preview"] = 0.0


def _report(parts: Sequence[bpy.types.Object], reply: MakeKeysResult, written: Sequence[str]) -> str:
    names = ", ".join(parts[number].name for number in reply.moved)
    lines = [f"{len(written)} keys on {names}, in {reply.seconds:.0f} s"]
    if len(written) < len(reply.keys):
        lines.append(f"{len(reply.keys) - len(written)} keys were there, and are kept")
    lines.append(f"The fitted face is {reply.fit_mm:.1f} mm from the skin on average")
    return "\n".join([*lines, *reply.notes])
