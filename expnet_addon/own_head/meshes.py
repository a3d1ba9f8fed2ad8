"""The meshes of an artist's head in the world's frame, with the colours that they show."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from ...model.array_types import AnyArray, FloatArray, IntArray, UInt8Array
from ...model.errors import InputError
from ...model.own_head.head_file import Mesh
from ...model.srgb import srgb
from .. import compat

SKIN = (205, 170, 150)  # RGB of a mesh without a colour of its own
LARGEST_TEXTURE = 4096 * 4096  # pixels


def check_parts(parts: Sequence[bpy.types.Object]) -> None:
    """Raise InputError for meshes that cannot be read, or could not get keys."""
    for obj in parts:
        if obj.mode == "EDIT":
            raise InputError(f"'{obj.name}' is in Edit Mode: leave it first")
        if obj.library is not None or obj.data.library is not None or not obj.data.is_editable:
            raise InputError(f"'{obj.name}' is linked from another file: make object and mesh local first")
        mirrors = [m.name for m in obj.modifiers if m.type == "MIRROR"]
        if mirrors:
            raise InputError(f"'{obj.name}' has a Mirror modifier: apply it first, keys need both sides of the face")
        keys = obj.data.shape_keys
        if keys is not None and not keys.use_relative:
            raise InputError(f"'{obj.name}' has absolute shape keys: switch on Relative in its Shape Keys panel")
        if abs(obj.matrix_world.determinant()) < 1e-18:
            raise InputError(f"'{obj.name}' is scaled to nothing: give it a scale other than 0")


def check_shared(parts: Sequence[bpy.types.Object]) -> None:
    """Raise InputError for a part whose mesh other objects use, too: the keys would move them as well."""
    for obj in parts:
        if obj.data.users > 1:
            raise InputError(
                f"the mesh of '{obj.name}' is used by other objects, too: Object › Relations › Make Single User first"
            )


def world_mesh(obj: bpy.types.Object) -> Mesh:
    """Return an object's mesh without modifiers and shape keys: its vertices are in the order of the object's."""
    at = points(obj)
    matrix = np.array(obj.matrix_world, np.float64)
    world = at @ matrix[:3, :3].T + matrix[:3, 3]
    mesh = obj.data
    mesh.calc_loop_triangles()
    corners = np.empty(3 * len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("vertices", corners)
    triangles = corners.reshape(-1, 3)
    if np.linalg.det(matrix[:3, :3]) < 0:
        triangles = triangles[:, ::-1]  # a mirrored object: counter-clockwise from outside again
    if not np.isfinite(world).all():
        raise InputError(f"'{obj.name}' has vertices without a place: remove them first")
    return Mesh(world, triangles, _colours(obj))


def points(obj: bpy.types.Object) -> FloatArray:
    """Return the vertices (V, 3) float64 in the object's frame: those of the Basis, if it has shape keys."""
    keys = obj.data.shape_keys
    source = keys.reference_key.data if keys is not None else obj.data.vertices
    flat = np.empty(3 * len(source), np.float32)
    source.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)


def _colours(obj: bpy.types.Object) -> UInt8Array:
    """Return the colour (V, 3) BGR of each vertex: painted on the mesh, or the mean of its faces' materials."""
    mesh = obj.data
    painted = mesh.color_attributes.active_color if len(mesh.color_attributes) else None
    if painted is not None and painted.domain == "POINT":
        return _bytes(srgb(_read(painted.data, "color", 4)[:, :3]))
    loops = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", loops)
    if painted is not None:
        return _bytes(_mean(srgb(_read(painted.data, "color", 4)[:, :3]), loops, len(mesh.vertices)))
    count = np.empty(len(mesh.polygons), np.int32)
    slot = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_total", count)
    mesh.polygons.foreach_get("material_index", slot)
    slot_of_loop = np.repeat(slot, count)
    colours = np.tile(np.array(SKIN, np.float64) / 255, (len(loops), 1))
    for number, place in enumerate(obj.material_slots):
        mine = slot_of_loop == number
        if place.material is not None and mine.any():
            found = _material_colours(place.material, mesh, mine)
            if found is not None:
                colours[mine] = found
    return _bytes(_mean(colours, loops, len(mesh.vertices)))


def _material_colours(material: bpy.types.Material, mesh: bpy.types.Mesh, loops: AnyArray) -> FloatArray | None:
    """Return the sRGB colour of the chosen loops, (N, 3) or (3,); None for a material without a colour of its own."""
    for node in compat.node_tree(material).nodes:
        socket = node.inputs.get("Base Color") or (node.inputs.get("Color") if node.type.startswith("BSDF") else None)
        if socket is None:
            continue
        image = _texture_above(socket)
        if image is not None and mesh.uv_layers.active is not None:
            return _sampled(image, mesh, loops)
        if socket.is_linked:
            return None
        colour = np.array(socket.default_value[:3], np.float64)
        return None if np.allclose(colour, 0.8, atol=0.01) else srgb(colour)
    return None


def _texture_above(socket: bpy.types.NodeSocket, depth: int = 6) -> bpy.types.Image | None:
    """Return the first image that a socket's links lead to."""
    for link in socket.links:
        node = link.from_node
        if node.type == "TEX_IMAGE" and node.image is not None:
            return node.image
        if depth:
            for above in node.inputs:
                image = _texture_above(above, depth - 1)
                if image is not None:
                    return image
    return None


def _sampled(image: bpy.types.Image, mesh: bpy.types.Mesh, loops: AnyArray) -> FloatArray | None:
    width, height = image.size
    if not width * height or width * height > LARGEST_TEXTURE or image.channels < 3:
        return None
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    uv = _read(mesh.uv_layers.active.data, "uv", 2)[loops]
    uv = np.nan_to_num(uv) % 1.0
    x = np.minimum((uv[:, 0] * width).astype(np.int64), width - 1)
    y = np.minimum((uv[:, 1] * height).astype(np.int64), height - 1)
    colours: FloatArray = pixels.reshape(height, width, -1)[y, x, :3].astype(np.float64)
    return srgb(colours) if image.is_float else colours


def _read(data: bpy.types.bpy_prop_collection, name: str, width: int) -> FloatArray:
    flat = np.empty(width * len(data), np.float32)
    data.foreach_get(name, flat)
    return flat.reshape(-1, width).astype(np.float64)


def _mean(of_loops: FloatArray, vertex: IntArray, count: int) -> FloatArray:
    total = np.maximum(np.bincount(vertex, minlength=count), 1)
    sums = [np.bincount(vertex, weights=of_loops[:, channel], minlength=count) for channel in range(3)]
    mean: FloatArray = np.stack(sums, 1) / total[:, None]
    return mean


def _bytes(rgb: FloatArray) -> UInt8Array:
    return (np.clip(rgb, 0, 1) * 255).round().astype(np.uint8)[:, ::-1].copy()
