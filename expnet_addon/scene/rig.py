"""Build a head from a FaceModel: a mesh with shape keys that reproduces Eq. (1) exactly.

    head (mesh)         Basis = mean + S.alpha; one key per expression component, with its own range; gaze lid keys
      eye L, eye R      separate meshes with the origin at the pivot, rotated by the head's gaze and outwards by KAPPA

A head is life-size in metres, in the axes of ``coordinates.py``. Its custom properties:

    head["alpha"]                         identity coefficients: the model's average, until ``apply_alpha`` sets them
    head["gaze_yaw"], head["gaze_pitch"]  radians; + to the subject's left, + up. They drive eyes and lids
    head["expnet_basis"], ["expnet_model"], ["expnet_model_path"]   the face model it is made of
    head["expnet_license"]                its licence, ``FaceModel.license``
    head["expnet_rest"]                   its resting face, ``FaceModel.rest``
    head["expnet_shaped_alpha"]           the alpha of its shape; heads of older versions that have none are at 0

Every mesh has the int point attribute ``model_vertex``, so a head still works after vertices are deleted in Edit Mode.
The head's mesh also has the parts of ``fine_parts.py``, which the face model lacks; their ``model_vertex`` is negative.
The model's lashes have their finer shapes, so lashes are the one part of a head that does not follow Eq. (1).
The eyes are separate only if no expression moves them (as in the open head). Models without eyeballs have no eyes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import bpy
import numpy as np

from ...model.array_types import FloatArray, IntArray
from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.face.face_model import KAPPA, FaceModel
from ...model.face.fine_parts import fine_parts
from ...model.files import is_file
from ...model.formats.npz import OPEN_HEAD, load_face_model
from . import materials
from .coordinates import object_pose, to_blender, to_model
from .heads import VERTEX_INDEX
from .heads import is_rig as is_rig
from .heads import rigs_in as rigs_in

GAZE_KEYS = ("gazeUp", "gazeDown", "gazeLeft", "gazeRight")
GAZE_STEP = np.radians(30.0)  # gaze angle at which the weight of FaceModel.gaze_lids is 1
GAZE_LIMIT = np.radians(60.0)
KEY_LIMIT = 10.0  # Blender's limit for shape keys
SHAPED = "expnet_shaped_alpha"  # the alpha that the head's shape has
STILL_MM = 0.03  # fine parts stay where they are in keys that move the lids by less


def create_rig(
    model: FaceModel,
    name: str = "Face",
    collection: bpy.types.Collection | None = None,
    model_path: str = OPEN,
    fine: bool = True,
) -> bpy.types.Object:
    """Create the head object of ``model`` at its average alpha and eta = 0, with its eyes as children.

    collection   the collection it is linked to (default: the active collection)
    model_path   the model's source for ``rig_model``: ``open`` or the path of an npz face model
    fine         whether it gets the parts of ``fine_parts.py``, if the model has lids for them
    """
    collection = collection or bpy.context.collection
    sides = [s for s in "LR" if _is_rigid(model, f"eyeball_{s}")]
    eyes = {s: np.sort(model.regions[f"eyeball_{s}"]) for s in sides}
    skin = np.setdiff1d(np.arange(model.vertex_count), np.concatenate([*eyes.values(), np.empty(0, np.int64)]))

    parts = fine_parts(model) if fine else None
    indices = skin if parts is None else np.concatenate([skin, -1 - np.arange(parts.count)])
    shaped = model.vertices(model.new_alpha).astype(np.float64)
    basis = to_blender(_in_mesh(model, indices, shaped))
    mesh = _new_mesh(model, name, indices, basis)
    head = bpy.data.objects.new(name, mesh)
    collection.objects.link(head)
    head.rotation_mode = "QUATERNION"
    _add_properties(head, model, model_path)
    _add_regions(head, model, indices)
    _add_keys(head, model, indices, shaped, basis)
    materials.dress_head(mesh, model, indices)
    if model.gaze_lids is not None:
        _drive_lids(head)
    places = to_blender(shaped)
    for side, vertices in eyes.items():
        eye = bpy.data.objects.new(
            f"{name} eye {side}", _new_mesh(model, f"{name} eye {side}", vertices, places[vertices])
        )
        collection.objects.link(eye)
        eye.parent = head
        eye["expnet_eye"] = side
        materials.dress_eye(eye.data, model, side)
        _place_eye(eye, places[vertices])
        _drive_eye(eye, head, KAPPA if side == "L" else -KAPPA)
    return head


def eyes_of(head: bpy.types.Object) -> dict[str, bpy.types.Object]:
    """Return the eye objects by side, ``L`` and ``R``; empty for a model without eyeballs."""
    return {eye["expnet_eye"]: eye for eye in head.children if "expnet_eye" in eye}


def model_keys(head: bpy.types.Object) -> list[str]:
    """Return the names of the model's expression keys, in the model's order."""
    names: list[str] = head["expnet_keys"].split("\n")
    return names


def expression_keys(head: bpy.types.Object) -> list[str]:
    """Return the names of those of the model's expression keys that the head still has, in the same order."""
    blocks = head.data.shape_keys.key_blocks
    return [key for key in model_keys(head) if key in blocks]


def rig_model(head: bpy.types.Object) -> FaceModel:
    """Return the face model of ``head``, read from its path and cached.

    Raises InputError if the file is missing or holds another model.
    """
    stored = head["expnet_model_path"]
    path = OPEN_HEAD if stored == OPEN else Path(bpy.path.abspath(stored))
    if not is_file(path):
        raise InputError(f"the face model of {head.name!r} is not at {path}: put it back, or add the head again")
    model = _read_model(str(path), path.stat().st_mtime_ns)
    if (model.name, model.vertex_count) != (head["expnet_model"], head["expnet_vertices"]):
        raise InputError(
            f"{head.name!r} was made of face model {head['expnet_model']!r} with {head['expnet_vertices']} vertices, "
            f"but {path} is {model.name!r} with {model.vertex_count}: put the old one back, or add the head again"
        )
    return model


@lru_cache(maxsize=2)
def _read_model(path: str, _modified: int) -> FaceModel:
    return load_face_model(path)


def apply_alpha(head: bpy.types.Object, model: FaceModel, alpha: FloatArray) -> None:
    """Give the head the identity ``alpha`` (up to Ks numbers, the rest are zeros): Basis, every key and the eyes.

    Keys, values, drivers and actions are kept. Keys that the artist has sculpted or added keep their offsets from
    Basis. Raises InputError if the vertices of ``model`` differ from the head's, or if alpha has more numbers than the
    model.
    """
    alpha = np.asarray(alpha, np.float32).ravel()
    if len(alpha) > len(model.identity):
        raise InputError(f"alpha has {len(alpha)} numbers, {model.name!r} has {len(model.identity)} components")
    indices = _model_vertices(head.data)
    if len(indices) and indices.max() >= model.vertex_count:
        raise InputError(f"{head.name!r} was not made of face model {model.name!r}: it has other vertices")
    shaped = (model.neutral + model.identity_offset(alpha)).astype(np.float64)
    mesh, blocks = head.data, head.data.shape_keys.key_blocks
    before_this = np.array(head.get(SHAPED, ()), np.float32)  # head["alpha"] may have been edited since
    earlier = (model.neutral + model.identity_offset(before_this)).astype(np.float64)
    originals, offsets = (_key_offsets(model, indices, face) for face in (earlier, shaped))
    basis = to_blender(_in_mesh(model, indices, shaped))
    before = _coordinates(blocks[0].data)
    for block in blocks[1:]:
        offset = _coordinates(block.data) - before
        if block.name in offsets:
            original, now = to_blender(originals[block.name]), to_blender(offsets[block.name])
            # What the artist sculpted stays; no drift over repeated calls.
            offset = np.where(np.abs(offset - original) < 1e-6, now, offset + (now - original))
        block.data.foreach_set("co", (basis + offset).ravel())
    blocks[0].data.foreach_set("co", basis.ravel())
    mesh.vertices.foreach_set("co", basis.ravel())
    mesh.update()
    for eye in eyes_of(head).values():
        _place_eye(eye, to_blender(shaped)[_model_vertices(eye.data)])
    head["alpha"] = np.pad(alpha, (0, len(model.identity) - len(alpha))).astype(float).tolist()
    head[SHAPED] = head["alpha"]
    head.update_tag()


def set_expression(
    head: bpy.types.Object, eta: FloatArray | Mapping[str, float], gaze: FloatArray | None = None
) -> None:
    """Set the sliders: ``eta`` (Ke,) in the model's order or by key name; ``gaze`` (2,) yaw and pitch in radians.

    Sliders clamp to the range of their key. Raises InputError for unknown keys or a wrong number of them.
    """
    blocks = head.data.shape_keys.key_blocks
    for key, value in _by_key(head, eta).items():
        if key in blocks:
            blocks[key].value = value
    if gaze is not None:
        head["gaze_yaw"], head["gaze_pitch"] = (float(angle) for angle in gaze)
    # Setting a custom property from Python does not update its drivers.
    head.update_tag()


def set_pose(head: bpy.types.Object, rotation: FloatArray, translation: FloatArray) -> None:
    """Set the head's pose from R (3, 3) and t (3,) in mm, in the frame of ``camera_and_light.match_camera``."""
    location, quaternion = object_pose(rotation, translation)
    head.rotation_mode = "QUATERNION"
    head.location, head.rotation_quaternion = location.tolist(), quaternion.tolist()


def evaluated_vertices(head: bpy.types.Object) -> FloatArray:
    """Return the head's vertices as Blender evaluates them, (V, 3) float64 in model millimetres.

    The vertices are in the model's order, without the head's own pose and without the fine parts. The gaze rotates the
    eyes. Vertices that the artist has deleted are NaN. Raises InputError if a modifier of the
    head changes the number of vertices.
    """
    depsgraph = bpy.context.evaluated_depsgraph_get()
    points = np.full((int(head["expnet_vertices"]), 3), np.nan)
    indices = _model_vertices(head.data)
    evaluated = head.evaluated_get(depsgraph)
    mesh = evaluated.to_mesh()
    try:
        if len(mesh.vertices) != len(indices):
            raise InputError(f"a modifier of {head.name!r} adds or removes vertices: switch it off first")
        points[indices[indices >= 0]] = to_model(_coordinates(mesh.vertices)[indices >= 0])
    finally:
        evaluated.to_mesh_clear()
    for eye in eyes_of(head).values():
        turned = eye.evaluated_get(depsgraph)
        local = np.array(turned.matrix_parent_inverse @ turned.matrix_basis)
        turn = _coordinates(eye.data.vertices) @ local[:3, :3].T + local[:3, 3]
        points[_model_vertices(eye.data)] = to_model(turn)
    return points


def _by_key(head: bpy.types.Object, eta: FloatArray | Mapping[str, float]) -> dict[str, float]:
    """Return the coefficients by key name, checked against the head's keys."""
    keys = model_keys(head)
    if isinstance(eta, Mapping):
        unknown = [key for key in eta if key not in keys]
        if unknown:
            raise InputError(f"{head.name!r} has no expression key {unknown[0]!r}; it has {', '.join(keys)}")
        return {key: float(value) for key, value in eta.items()}
    values = np.asarray(eta, float).ravel()
    if len(values) != len(keys):
        raise InputError(f"{head.name!r} has {len(keys)} expression keys, not {len(values)}")
    return dict(zip(keys, values.tolist(), strict=True))


def _is_rigid(model: FaceModel, region: str) -> bool:
    """Return whether the model has the region and no expression moves it."""
    vertices = model.regions.get(region)
    return vertices is not None and len(vertices) > 0 and not np.abs(model.expression[:, vertices]).max(initial=0) > 0


def _key_offsets(model: FaceModel, indices: IntArray, face: FloatArray) -> dict[str, FloatArray]:
    """Return each key's offsets (n, 3) mm of the mesh's vertices ``indices`` from the resting shape ``face`` (V, 3)."""
    names = list(model.expression_keys)
    shapes = model.expression
    if model.gaze_lids is not None:
        names += GAZE_KEYS
        shapes = np.concatenate([shapes, model.gaze_lids])
    offsets = shapes[:, indices]  # a negative index is replaced below
    parts = fine_parts(model) if len(indices) and indices.min() < 0 else None
    if parts is not None:
        fine = parts.chosen(indices)
        offsets[:, fine >= 0] = 0.0
        at_rest, moves = face[parts.moved_by], shapes[:, parts.moved_by]
        moving = np.flatnonzero(np.abs(moves).max(axis=(1, 2)) > STILL_MM)
        moved = parts.vertices(at_rest + moves[moving]) - parts.vertices(at_rest)
        offsets[np.ix_(moving, fine >= 0)] = moved[:, fine[fine >= 0]]
    return dict(zip(names, offsets, strict=True))


def _in_mesh(model: FaceModel, indices: IntArray, face: FloatArray) -> FloatArray:
    """Return the places (n, 3) of the mesh's vertices ``indices`` in the shape ``face`` (V, 3), mm."""
    points = face[indices]
    parts = fine_parts(model) if len(indices) and indices.min() < 0 else None
    if parts is not None:
        fine = parts.chosen(indices)
        points[fine >= 0] = parts.vertices(face[parts.moved_by])[fine[fine >= 0]]
    return points


def _new_mesh(model: FaceModel, name: str, indices: IntArray, positions: FloatArray) -> bpy.types.Mesh:
    """Make a mesh with UVs, smooth shading and the model's vertex indices.

    ``indices`` (n,) are the model's vertices, sorted, then the fine parts' if the mesh has them. ``positions`` (n, 3).
    """
    vertices = indices[indices >= 0]
    keep = np.zeros(model.vertex_count, bool)
    keep[vertices] = True
    corner = model.faces >= 0  # the fourth index of a triangle among quads is -1
    chosen = (keep[model.faces] | ~corner).all(axis=1)
    corner = corner[chosen]
    corners = (np.cumsum(keep) - 1)[model.faces[chosen][corner]].astype(np.int32)
    sizes = corner.sum(axis=1)
    parts = fine_parts(model) if len(vertices) < len(indices) else None
    if parts is not None:
        corners = np.concatenate([corners, len(vertices) + parts.faces.ravel()])
        sizes = np.concatenate([sizes, np.full(len(parts.faces), 4)])

    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(indices))
    mesh.loops.add(len(corners))
    mesh.polygons.add(len(sizes))
    mesh.vertices.foreach_set("co", positions.ravel())
    mesh.loops.foreach_set("vertex_index", corners)
    mesh.polygons.foreach_set("loop_start", (np.cumsum(sizes) - sizes).astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(sizes), bool))
    mesh.update(calc_edges=True)
    mesh.attributes.new(VERTEX_INDEX, "INT", "POINT").data.foreach_set("value", indices.astype(np.int32))
    if model.uv is not None:
        uv = np.zeros((len(corners), 2), np.float32)
        uv[: corner.sum()] = model.uv[chosen][corner]
        mesh.uv_layers.new(name="UVMap").uv.foreach_set("vector", uv.ravel())
    return mesh


def _add_properties(head: bpy.types.Object, model: FaceModel, model_path: str) -> None:
    head["alpha"] = head[SHAPED] = model.new_alpha.astype(float).tolist()
    head["gaze_yaw"] = 0.0
    head["gaze_pitch"] = 0.0
    head["expnet_basis"] = model.basis
    head["expnet_rest"] = model.rest.tolist()
    head["expnet_model"] = model.name
    head["expnet_license"] = model.license
    head["expnet_model_path"] = model_path
    head["expnet_keys"] = "\n".join(model.expression_keys)
    head["expnet_vertices"] = model.vertex_count
    head.id_properties_ui("alpha").update(
        min=-KEY_LIMIT, max=KEY_LIMIT, soft_min=-3.0, soft_max=3.0, step=0.1, precision=2,
        description="Identity coefficients of the face model, in standard deviations",
    )  # fmt: skip
    for key, text in (("gaze_yaw", "Gaze sideways, + to the face's own left"), ("gaze_pitch", "Gaze up (+) and down")):
        head.id_properties_ui(key).update(
            min=-GAZE_LIMIT, max=GAZE_LIMIT, soft_min=-GAZE_LIMIT, soft_max=GAZE_LIMIT, default=0.0, step=0.01,
            subtype="ANGLE", description=text,
        )  # fmt: skip
        head.property_overridable_library_set(f'["{key}"]', True)


def _add_regions(head: bpy.types.Object, model: FaceModel, indices: IntArray) -> None:
    """Add vertex groups for the regions in the head's mesh."""
    for region, members in model.regions.items():
        own = np.flatnonzero(np.isin(indices, members))
        if len(own):
            head.vertex_groups.new(name=region).add(own.tolist(), 1.0, "REPLACE")
    parts = fine_parts(model) if indices.min() < 0 else None
    if parts is not None:
        for region, members in parts.regions.items():
            head.vertex_groups.new(name=region).add(((indices >= 0).sum() + members).tolist(), 1.0, "REPLACE")


def _add_keys(
    head: bpy.types.Object, model: FaceModel, indices: IntArray, shaped: FloatArray, basis: FloatArray
) -> None:
    head.shape_key_add(name="Basis", from_mix=False)
    bounds = dict(zip(model.expression_keys, model.expression_bounds.tolist(), strict=True))
    for name, offset in _key_offsets(model, indices, shaped).items():
        key = head.shape_key_add(name=name, from_mix=False)
        # Values set from Python and F-curves clamp to the slider's range (0..1 for a new key): set the range first.
        low, high = bounds.get(name, (0.0, GAZE_LIMIT / GAZE_STEP))
        key.slider_min, key.slider_max = max(low, -KEY_LIMIT), min(high, KEY_LIMIT)
        key.value = 0.0
        key.data.foreach_set("co", (basis + to_blender(offset)).ravel())


def _place_eye(eye: bpy.types.Object, points: FloatArray) -> None:
    """Move the origin to the centre of the eyeball's vertices and the mesh to ``points`` (metres, head's frame)."""
    pivot = points.mean(axis=0, dtype=np.float64).astype(np.float32)
    eye.location = pivot.tolist()
    eye.data.vertices.foreach_set("co", (points - pivot).ravel())
    eye.data.update()


def _drive_eye(eye: bpy.types.Object, head: bpy.types.Object, outwards: float) -> None:
    """Rotate the eye by the head's gaze, and by ``outwards``, radians to the face's left, from it."""
    # XYZ order: pitch (x) before yaw (z). The eye looks along -Y, so + about x turns it down.
    eye.rotation_mode = "XYZ"
    _drive(eye, ("rotation_euler", 0), head, "gaze_pitch", [(-1.0, 1.0), (1.0, -1.0)])
    _drive(eye, ("rotation_euler", 2), head, "gaze_yaw", [(-1.0, outwards - 1.0), (1.0, outwards + 1.0)])


def _drive_lids(head: bpy.types.Object) -> None:
    sources = ("gaze_pitch", "gaze_pitch", "gaze_yaw", "gaze_yaw")
    for key, source, sign in zip(GAZE_KEYS, sources, (1.0, -1.0, 1.0, -1.0), strict=True):
        ramp = [(-sign * GAZE_STEP, 0.0), (0.0, 0.0), (sign * GAZE_STEP, 1.0)]
        path = f'key_blocks["{key}"].value'
        _drive(head.data.shape_keys, (path,), head, source, sorted(ramp))


def _drive(
    block: bpy.types.ID,
    path: tuple[str] | tuple[str, int],
    head: bpy.types.Object,
    source: str,
    ramp: list[tuple[float, float]],
) -> None:
    """Drive ``path`` by the head's property through a linear ramp. Uses no Python expression, so it always runs."""
    curve = block.driver_add(*path)
    curve.driver.type = "SUM"
    variable = curve.driver.variables.new()
    variable.type = "SINGLE_PROP"
    variable.targets[0].id = head
    variable.targets[0].data_path = f'["{source}"]'
    for modifier in list(curve.modifiers):
        curve.modifiers.remove(modifier)
    curve.keyframe_points.clear()
    curve.keyframe_points.add(len(ramp))
    curve.keyframe_points.foreach_set("co", np.array(ramp, np.float32).ravel())
    for point in curve.keyframe_points:
        point.interpolation = "LINEAR"
    curve.extrapolation = "LINEAR"
    curve.update()


def _model_vertices(mesh: bpy.types.Mesh) -> IntArray:
    attribute = mesh.attributes[VERTEX_INDEX]
    out = np.empty(len(attribute.data), np.int32)
    attribute.data.foreach_get("value", out)
    return out


def _coordinates(collection: bpy.types.bpy_prop_collection) -> FloatArray:
    out = np.empty((len(collection), 3), np.float32)
    collection.foreach_get("co", out.ravel())
    return out
