"""Make simple materials for a head, for Cycles, EEVEE and Workbench.

Skin and eyes have image textures (``paint.py``), painted once per .blend and packed into it. The other parts have one
colour each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import bpy
import numpy as np

from ...model.face.face_model import FaceModel, gaze_pivot
from .. import compat
from . import paint

# Part of ``paint.PARTS`` -> (sRGB colour, roughness, subsurface weight, coat weight)
FINISH = {
    "skin": (paint.SKIN, 0.48, 0.25, 0.0),
    "eyeball": (paint.SCLERA, 0.35, 0.0, 1.0),
    "nostrils": ((0.45, 0.24, 0.21), 0.60, 0.2, 0.0),
    "eye_socket": ((0.62, 0.36, 0.33), 0.35, 0.2, 0.2),
    "mouth_socket": ((0.42, 0.17, 0.16), 0.30, 0.2, 0.3),
    "teeth": ((0.89, 0.85, 0.78), 0.22, 0.1, 0.4),
    "gums": ((0.70, 0.38, 0.37), 0.30, 0.2, 0.3),
    "tongue": ((0.72, 0.42, 0.41), 0.38, 0.25, 0.2),
    "lashes": ((0.16, 0.13, 0.11), 0.60, 0.0, 0.0),
}
IRIS_ANGLE = np.radians(28.0)  # of an eye, if the model does not mark the iris


def dress_head(mesh: bpy.types.Mesh, model: FaceModel, vertices: np.ndarray) -> None:
    """Assign materials to the parts of the head's mesh.

    ``vertices`` (n,) are the model's indices of the mesh's vertices, in the mesh's order.
    """
    kept = np.zeros(model.vertex_count, bool)
    kept[vertices] = True
    part = paint.part_of_faces(model)[(kept[model.faces] | (model.faces < 0)).all(axis=1)]
    used = np.unique(part)
    for name in (paint.PARTS[i] for i in used):
        picture = None
        if name == "skin" and model.uv is not None and model.regions:
            picture = _picture(f"ExpNet skin {model.name}", partial(paint.skin_picture, model))
        mesh.materials.append(_material(name, *FINISH[name], picture))
    mesh.polygons.foreach_set("material_index", np.searchsorted(used, part).astype(np.int32))


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
    material = _material("eye", paint.SCLERA, 0.35, 0.0, 1.0, _picture("ExpNet eye", paint.eye_picture))
    mesh.materials.append(material)


def _picture(name: str, paint_it: Callable[[], np.ndarray]) -> bpy.types.Image:
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
    for socket, value in (
        ("Base Color", linear), ("Roughness", roughness), ("Subsurface Weight", subsurface),
        ("Subsurface Radius", (1.0, 0.36, 0.2)), ("Subsurface Scale", 0.004),  # metres
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
    if part == "skin":
        _add_pores(nodes, links, shader, roughness)
    return material


def _add_pores(nodes, links, shader, roughness: float) -> None:
    """Add noise at the scale of a millimetre to the skin's roughness and bump."""
    where = nodes.new("ShaderNodeTexCoord")
    where.location = (-1100, -200)
    noise = nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = 900.0
    noise.inputs["Detail"].default_value = 2.0
    noise.location = (-900, -200)
    links.new(where.outputs["Object"], noise.inputs["Vector"])
    pores = noise.outputs[0]  # named "Fac", since 5.0 "Factor"
    gloss = nodes.new("ShaderNodeMapRange")
    for socket, value in (
        ("From Min", 0.3), ("From Max", 0.7), ("To Min", roughness - 0.1), ("To Max", roughness + 0.1),
    ):  # fmt: skip
        gloss.inputs[socket].default_value = value
    gloss.location = (-500, -50)
    links.new(pores, gloss.inputs["Value"])
    links.new(gloss.outputs["Result"], shader.inputs["Roughness"])
    bump = nodes.new("ShaderNodeBump")
    bump.location = (-250, -300)
    bump.inputs["Strength"].default_value = 0.12
    bump.inputs["Distance"].default_value = 0.0004
    links.new(pores, bump.inputs["Height"])
    links.new(bump.outputs["Normal"], shader.inputs["Normal"])


def _linear(srgb: tuple[float, float, float]) -> tuple[float, ...]:
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in srgb)
