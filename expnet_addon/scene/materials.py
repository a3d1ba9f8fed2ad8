"""Make simple materials for a head, for Cycles, EEVEE and Workbench.

Skin and eyes have image textures (``paint.py``), painted once per .blend and packed into it. The other parts have one
colour each. ``material_nodes.py`` adds what a renderer shows and Solid shading does not: pores, enamel, a wet film.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import bpy
import numpy as np

from ...model.array_types import FloatArray, IntArray
from ...model.face.face_model import FaceModel, gaze_pivot
from ...model.face.fine_parts import fine_parts
from .. import compat
from . import material_nodes, paint, skins
from .skins import linear as _linear

# Part of ``paint.PARTS`` -> (sRGB colour, roughness, subsurface weight, coat weight)
FINISH = {
    "skin": (paint.SKIN, 0.48, 0.5, 0.0),
    "eyeball": (paint.SCLERA, 0.35, 0.0, 1.0),
    "nostrils": ((0.26, 0.12, 0.10), 0.55, 0.2, 0.0),
    # Its front is the line where a lid's edge is wet, and the pink inner corner of the eye.
    "eye_socket": ((0.78, 0.47, 0.44), 0.22, 0.3, 1.0),
    "mouth_socket": ((0.42, 0.17, 0.16), 0.30, 0.2, 0.3),
    "teeth": ((0.93, 0.90, 0.83), 0.20, 0.5, 0.5),
    "gums": ((0.74, 0.42, 0.40), 0.34, 0.5, 0.3),
    "tongue": ((0.78, 0.47, 0.45), 0.42, 0.5, 0.3),
    "lashes": ((0.10, 0.08, 0.07), 0.50, 0.0, 0.0),
    "wet_line": ((0.95, 0.88, 0.86), 0.05, 0.0, 1.0),
    "conjunctiva": ((0.84, 0.66, 0.62), 0.20, 0.3, 1.0),
    "caruncle": ((0.80, 0.50, 0.46), 0.26, 0.4, 1.0),
    "lips": (paint.LIPS, 0.38, 0.5, 0.0),
    "brows": (paint.BROWS, 0.55, 0.5, 0.0),
    "sclera": (paint.SCLERA, 0.35, 0.0, 1.0),
    "iris": (paint.IRIS_OUTER, 0.35, 0.0, 1.0),
    "pupil": (paint.PUPIL, 0.35, 0.0, 1.0),
}
# Parts of the skin, and of an eye, share one picture. Each is a slot because Solid shading shows a slot's colour.
SLOTS = (*paint.PARTS, "lips", "brows", "wet_line", "conjunctiva", "caruncle")
EYE_SLOTS = ("sclera", "iris", "pupil")
# Part -> (subsurface radii of red, green, blue, scale in metres); skin where it is not listed
SCATTERING = {"teeth": ((1.0, 0.85, 0.65), 0.0015)}
SKIN_SCATTERING = ((1.0, 0.36, 0.2), 0.003)
NOSTRIL_RINGS = 3  # of vertices, from a nostril's rim to where it is dark
IRIS_ANGLE = np.radians(28.0)  # of an eye, if the model does not mark the iris
BROW_MM = 2.9  # from a brow's line: half as far as a brow is high
PUPIL_SHARE = 0.4  # of the iris's angle


def dress_head(mesh: bpy.types.Mesh, model: FaceModel, indices: IntArray) -> None:
    """Assign materials to the parts of the head's mesh.

    ``indices`` (n,) are the model's indices of the mesh's vertices, in the mesh's order; negative ones are fine parts.
    """
    kept = np.zeros(model.vertex_count, bool)
    kept[indices[indices >= 0]] = True
    slot = _slot_of_faces(model)[(kept[model.faces] | (model.faces < 0)).all(axis=1)]
    parts = fine_parts(model) if indices.min() < 0 else None
    if parts is not None:
        slot = np.concatenate([slot, [SLOTS.index(part) for part in parts.part]])
    used = np.unique(slot)
    for name in (SLOTS[i] for i in used):
        colour, roughness, subsurface, coat = FINISH[name]
        picture = None
        if name in skins.SHOWN and model.uv is not None and model.regions:
            if skins.has_skins(model.name):
                picture = skins.photograph(skins.DEFAULT)
                if name in skins.PARTS:
                    colour = skins.PHOTOGRAPHS[skins.DEFAULT][skins.PARTS.index(name)]
            else:
                picture = _painted(model)
        mesh.materials.append(_material(name, colour, roughness, subsurface, coat, picture))
    mesh.polygons.foreach_set("material_index", np.searchsorted(used, slot).astype(np.int32))
    shade = np.zeros(len(indices), np.float32)
    shade[indices >= 0] = _shade(model)[indices[indices >= 0]]
    mesh.attributes.new(material_nodes.SHADE, "FLOAT", "POINT").data.foreach_set("value", shade)
    # Generated coordinates lie on the resting shape, so pores stay where they are when the face moves.
    mesh.use_auto_texspace = False
    mesh.texspace_location, mesh.texspace_size = (0.0, 0.0, 0.0), (material_nodes.TEXTURE_METRES / 2,) * 3


def _shade(model: FaceModel) -> FloatArray:
    """Return ``material_nodes.SHADE`` of the model's vertices, (V,)."""
    shade = np.zeros(model.vertex_count, np.float32)
    nostrils = model.regions.get("nostrils")
    if nostrils is not None and len(nostrils):
        inside = np.zeros(model.vertex_count, bool)
        inside[nostrils] = True
        edges = paint.edges_of(model)
        edges = edges[inside[edges[:, 0]]]
        for _ in range(NOSTRIL_RINGS):  # one ring of vertices deeper at a time
            edge = np.zeros(model.vertex_count, bool)
            edge[edges[~inside[edges[:, 1]], 0]] = True
            inside &= ~edge
            shade[inside] += 1 / NOSTRIL_RINGS
    for region, sign in (("teeth_upper", -1), ("teeth_lower", 1)):
        teeth = model.regions.get(region)
        if teeth is not None and len(teeth):
            height = sign * model.neutral[teeth, 1]
            shade[teeth] = (height - height.min()) / max(float(np.ptp(height)), 1e-6)
    return shade


def _slot_of_faces(model: FaceModel) -> IntArray:
    """Return the index (F,) into ``SLOTS`` of each face: its part, with lips and brows apart from the skin."""
    slot = paint.part_of_faces(model)
    corners = paint.corners_of(model)
    skin = np.flatnonzero(slot == SLOTS.index("skin"))
    lips = np.zeros(model.vertex_count, bool)
    lips[model.regions.get("lips", [])] = True
    slot[skin[lips[corners[skin]].all(axis=1)]] = SLOTS.index("lips")
    brows = paint.from_brows(model.neutral[corners[skin]].mean(axis=1), model) < BROW_MM
    slot[skin[brows]] = SLOTS.index("brows")
    return slot


def change_skin(head: bpy.types.Object, model: FaceModel, name: str) -> None:
    """Show the skin ``name`` on ``head``, which is made of ``model``: ``skins.PAINTED`` or one of ``PHOTOGRAPHS``."""
    if name == skins.PAINTED:
        skins.wear(head, _painted(model), (paint.SKIN, paint.LIPS, paint.BROWS))
    elif name in skins.PHOTOGRAPHS:
        skins.wear(head, skins.photograph(name), skins.PHOTOGRAPHS[name])
    else:
        return
    colour_eyes(head, skins.EYES.get(name, "blue"))


def colour_eyes(head: bpy.types.Object, iris: str) -> None:
    """Give the eyes of ``head`` a colour, one of ``paint.IRISES``."""
    skins.look(head, _eye_picture(iris), paint.IRISES[iris][0])


def _eye_picture(iris: str) -> bpy.types.Image:
    name = "ExpNet eye" if iris == "blue" else f"ExpNet eye {iris}"
    return _picture(name, partial(paint.eye_picture, iris))


def _painted(model: FaceModel) -> bpy.types.Image:
    return _picture(f"ExpNet skin {model.name}", partial(paint.skin_picture, model))


def dress_eye(mesh: bpy.types.Mesh, model: FaceModel, side: str) -> None:
    """Assign material and UVs to an eyeball, a mesh of the sorted vertices of the region ``eyeball_<side>``."""
    vertices = np.sort(model.regions[f"eyeball_{side}"])
    directions = model.neutral - gaze_pivot(model, model.neutral, side)
    iris = model.regions.get(f"iris_{side}")
    angle = IRIS_ANGLE
    if iris is not None and len(iris):
        ahead = directions[iris, 2] / np.linalg.norm(directions[iris], axis=1)
        angle = float(np.arccos(np.clip(ahead, -1, 1)).max())
    corner = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corner)
    uv = paint.eye_uv(directions[vertices], angle)[corner]
    layer = mesh.uv_layers.active or mesh.uv_layers.new(name="UVMap")
    layer.uv.foreach_set("vector", uv.astype(np.float32).ravel())
    picture = _eye_picture("blue")
    for name in EYE_SLOTS:
        mesh.materials.append(_material(name, *FINISH[name], picture))
    unit = directions[vertices] / np.linalg.norm(directions[vertices], axis=1, keepdims=True)
    first = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_start", first)
    widest = np.arccos(np.clip(np.minimum.reduceat(unit[corner, 2], first), -1, 1))
    slot = np.where(widest > angle + 1e-3, 0, np.where(widest > PUPIL_SHARE * angle, 1, 2))
    mesh.polygons.foreach_set("material_index", slot.astype(np.int32))


def _picture(name: str, paint_it: Callable[[], FloatArray]) -> bpy.types.Image:
    """Return the image of this name; paint it if the .blend does not have it yet."""
    known = bpy.data.images.get(name)
    if known is not None and known.size[0] > 0:
        return known
    colours = paint_it()
    height, width = colours.shape[:2]
    image = bpy.data.images.new(name, width, height)
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = colours
    image.pixels.foreach_set(rgba.ravel())
    image.update()
    image.pack()
    return image


def _material(
    part: str,
    colour: tuple[float, float, float],
    roughness: float,
    subsurface: float,
    coat: float,
    picture: bpy.types.Image | None,
) -> bpy.types.Material:
    material = bpy.data.materials.new(f"ExpNet {part.replace('_', ' ')}")
    linear = (*_linear(colour), 1.0)
    material.diffuse_color = linear  # colour in solid shading
    material.roughness = roughness
    tree = compat.node_tree(material)
    nodes, links = tree.nodes, tree.links
    nodes.clear()
    shader = nodes.new("ShaderNodeBsdfPrincipled")
    output = nodes.new("ShaderNodeOutputMaterial")
    output.location = (300, 0)
    links.new(shader.outputs["BSDF"], output.inputs["Surface"])
    radii, scale = SCATTERING.get(part, SKIN_SCATTERING)
    for socket, value in (
        ("Base Color", linear), ("Roughness", roughness), ("Subsurface Weight", subsurface),
        ("Subsurface Radius", radii), ("Subsurface Scale", scale),
        ("Coat Weight", coat), ("Coat Roughness", 0.03),
    ):  # fmt: skip
        shader.inputs[socket].default_value = value
    if picture is not None:
        texture = nodes.new("ShaderNodeTexImage")
        texture.image = picture
        texture.extension = "EXTEND"
        texture.location = (-600, 300)
        nodes.active = texture  # Workbench shows the active node's texture
        links.new(texture.outputs["Color"], shader.inputs["Base Color"])
    detail = {
        "skin": material_nodes.skin, "lips": material_nodes.lips, "brows": material_nodes.skin,
        "nostrils": material_nodes.nostrils, "teeth": material_nodes.teeth, "gums": material_nodes.gums,
        "tongue": material_nodes.tongue, "wet_line": material_nodes.film,
    }.get(part)  # fmt: skip
    if detail is not None:
        detail(material, shader)
    return material
