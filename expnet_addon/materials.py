"""Simple materials that make a head look like a person: in Cycles, in EEVEE and, by vertex colours, in Workbench.

What differs over the skin (lips, brows, lids, nostrils, cheeks) is painted into the colour attribute ``albedo`` from the
model's regions, so every engine sees it. Irises are drawn by angle from the eye's axis, sharp on any mesh.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..model.face_model import FaceModel
from . import compat

ALBEDO = "albedo"

# Linear RGB of what is painted.
SKIN = (0.56, 0.30, 0.215)
COLOURS = {
    "skin": SKIN,
    "mouth_socket": (0.30, 0.075, 0.065),
    "teeth": (0.74, 0.67, 0.56),
    "gums": (0.50, 0.14, 0.13),
    "tongue": (0.52, 0.17, 0.16),
    "lashes": (0.025, 0.018, 0.014),
}
LIPS = (0.42, 0.125, 0.115)
BROWS = (0.055, 0.033, 0.022)
LIDS = (0.47, 0.215, 0.165)
NOSTRILS = (0.13, 0.045, 0.035)
SOCKETS = (0.36, 0.12, 0.10)

SCLERA = (0.76, 0.74, 0.71)
LIMBUS = (0.035, 0.045, 0.05)
IRIS = (0.075, 0.135, 0.16)
IRIS_INNER = (0.14, 0.115, 0.06)
PUPIL = (0.004, 0.004, 0.004)
PUPIL_ANGLE, IRIS_ANGLE, LIMBUS_ANGLE = np.radians((9.5, 25.0, 29.0))  # of a human eye, from its centre

# Part -> (roughness, subsurface weight, coat weight)
FINISH = {
    "skin": (0.48, 0.25, 0.0),
    "mouth_socket": (0.30, 0.2, 0.3),
    "teeth": (0.22, 0.1, 0.4),
    "gums": (0.30, 0.2, 0.3),
    "tongue": (0.38, 0.25, 0.2),
    "lashes": (0.60, 0.0, 0.0),
}


def dress_head(mesh: bpy.types.Mesh, model: FaceModel, vertices: np.ndarray) -> None:
    """Paint and dress the head's mesh; ``vertices`` (n,) are the model's vertices in it, in its order."""
    part_names = list(COLOURS)
    part = _parts(model, part_names)[vertices]
    used = [name for i, name in enumerate(part_names) if (part == i).any()]
    slot = np.zeros(len(part_names), np.int32)
    for i, name in enumerate(used):
        slot[part_names.index(name)] = i
        mesh.materials.append(_painted_material(name))
    corner = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corner)
    start = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_start", start)
    mesh.polygons.foreach_set("material_index", slot[part[corner[start]]])
    _store_colours(mesh, "POINT", _paint(model, part_names)[vertices])


def dress_eye(mesh: bpy.types.Mesh) -> None:
    """Dress an eyeball that looks along its own -Y; called before its origin moves to the pivot."""
    mesh.materials.append(_eye_material())
    points = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", points.ravel())
    middle = np.empty((len(mesh.polygons), 3), np.float32)
    mesh.polygons.foreach_get("center", middle.ravel())
    corners = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_total", corners)
    # By face, not by vertex: the rim of the iris stays as sharp as the mesh allows.
    middle -= points.mean(axis=0)
    angle = np.arccos(np.clip(-middle[:, 1] / np.linalg.norm(middle, axis=1), -1, 1))
    colours = np.empty((len(middle), 3))
    colours[:] = SCLERA
    colours[angle < LIMBUS_ANGLE] = LIMBUS
    colours[angle < IRIS_ANGLE] = IRIS
    colours[angle < PUPIL_ANGLE] = PUPIL
    _store_colours(mesh, "CORNER", np.repeat(colours, corners, axis=0))


def _parts(model: FaceModel, names: list[str]) -> np.ndarray:
    """(V,) index into ``names`` of the part that each vertex belongs to; skin where no region says otherwise."""
    out = np.zeros(model.vertex_count, np.int32)
    for i, name in enumerate(names[1:], 1):
        for region, members in model.regions.items():
            if region == name or region.startswith(name + "_"):
                out[members] = i
    return out


def _paint(model: FaceModel, part_names: list[str]) -> np.ndarray:
    """(V, 3) linear colours: the part's own, and over the skin the soft marks that make a face readable."""
    parts = _parts(model, part_names)
    colours = np.array([COLOURS[name] for name in part_names])[parts]
    edges = _edges(model.faces)
    skin = parts == 0
    for regions, colour, strength, softness in (
        (("eye_socket_L", "eye_socket_R"), SOCKETS, 1.0, 0),
        (("lid_upper_L", "lid_upper_R", "lid_lower_L", "lid_lower_R"), LIDS, 0.45, 2),
        (("nostrils",), NOSTRILS, 0.9, 2),
        (("lips",), LIPS, 0.9, 1),
        (("brow_L", "brow_R"), BROWS, 0.85, 1),
    ):
        mask = np.zeros(model.vertex_count)
        for region in regions:
            mask[model.regions.get(region, [])] = 1.0
        mask = strength * _smoothed(mask, edges, softness) * skin
        colours += mask[:, None] * (np.array(colour) - colours)
    return colours


def _edges(faces: np.ndarray) -> np.ndarray:
    """(E, 2) edges of the faces, both ways round."""
    faces = np.where(faces < 0, faces[:, :1], faces)  # a triangle among quads
    pairs = np.stack([faces, np.roll(faces, -1, axis=1)], -1).reshape(-1, 2)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    return np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)


def _smoothed(values: np.ndarray, edges: np.ndarray, rounds: int) -> np.ndarray:
    count = np.maximum(np.bincount(edges[:, 0], minlength=len(values)), 1)
    for _ in range(rounds):
        values = 0.5 * values + 0.5 * np.bincount(edges[:, 0], values[edges[:, 1]], len(values)) / count
    return values


def _store_colours(mesh: bpy.types.Mesh, domain: str, colours: np.ndarray) -> None:
    rgba = np.ones((len(colours), 4), np.float32)
    rgba[:, :3] = colours
    mesh.color_attributes.new(ALBEDO, "FLOAT_COLOR", domain).data.foreach_set("color", rgba.ravel())
    mesh.color_attributes.active_color_name = ALBEDO


def _painted_material(part: str) -> bpy.types.Material:
    roughness, subsurface, coat = FINISH[part]
    material, nodes, links, shader = _principled(part, COLOURS[part], roughness)
    shader.inputs["Subsurface Weight"].default_value = subsurface
    shader.inputs["Subsurface Radius"].default_value = (1.0, 0.36, 0.2)
    shader.inputs["Subsurface Scale"].default_value = 0.004  # metres
    shader.inputs["Coat Weight"].default_value = coat
    paint = nodes.new("ShaderNodeVertexColor")
    paint.layer_name = ALBEDO
    paint.location = (-700, 300)
    if part != "skin":
        links.new(paint.outputs["Color"], shader.inputs["Base Color"])
        return material

    # Skin: blotches of a centimetre in colour, pores of a millimetre in the bump and the gloss.
    where = nodes.new("ShaderNodeTexCoord")
    where.location = (-1100, 0)
    blotches = _noise(nodes, links, where, scale=60.0, detail=4.0, location=(-900, 100))
    pores = _noise(nodes, links, where, scale=900.0, detail=2.0, location=(-900, -250))
    vary = nodes.new("ShaderNodeHueSaturation")
    vary.location = (-250, 300)
    links.new(_mapped(nodes, links, blotches, 0.90, 1.10, (-500, 100)), vary.inputs["Value"])
    links.new(_mapped(nodes, links, blotches, 1.10, 0.92, (-500, 400)), vary.inputs["Saturation"])
    links.new(paint.outputs["Color"], vary.inputs["Color"])
    links.new(vary.outputs["Color"], shader.inputs["Base Color"])
    links.new(_mapped(nodes, links, pores, roughness - 0.1, roughness + 0.1, (-500, -150)), shader.inputs["Roughness"])
    bump = nodes.new("ShaderNodeBump")
    bump.location = (-250, -300)
    bump.inputs["Strength"].default_value = 0.12
    bump.inputs["Distance"].default_value = 0.0004
    links.new(pores, bump.inputs["Height"])
    links.new(bump.outputs["Normal"], shader.inputs["Normal"])
    return material


def _eye_material() -> bpy.types.Material:
    """White, limbus, iris and pupil by the angle from the eye's axis (-Y of its object), under a wet coat."""
    material, nodes, links, shader = _principled("eye", SCLERA, 0.35)
    shader.inputs["Coat Weight"].default_value = 1.0
    shader.inputs["Coat Roughness"].default_value = 0.02
    where = nodes.new("ShaderNodeTexCoord")
    where.location = (-1100, 0)
    direction = nodes.new("ShaderNodeVectorMath")
    direction.operation = "NORMALIZE"
    direction.location = (-900, 0)
    links.new(where.outputs["Object"], direction.inputs[0])
    along = nodes.new("ShaderNodeVectorMath")
    along.operation = "DOT_PRODUCT"
    along.inputs[1].default_value = (0.0, -1.0, 0.0)
    along.location = (-720, 0)
    links.new(direction.outputs["Vector"], along.inputs[0])
    angle = nodes.new("ShaderNodeMath")
    angle.operation = "ARCCOSINE"
    angle.location = (-540, 0)
    links.new(along.outputs["Value"], angle.inputs[0])
    scaled = nodes.new("ShaderNodeMath")
    scaled.operation = "DIVIDE"
    scaled.inputs[1].default_value = np.pi / 2
    scaled.location = (-360, 0)
    links.new(angle.outputs["Value"], scaled.inputs[0])
    ramp = nodes.new("ShaderNodeValToRGB")
    ramp.location = (-320, 250)
    links.new(scaled.outputs["Value"], ramp.inputs["Fac"])
    stops = (
        (PUPIL_ANGLE - 0.01, PUPIL), (PUPIL_ANGLE + 0.01, IRIS_INNER), ((PUPIL_ANGLE + IRIS_ANGLE) / 2, IRIS),
        (IRIS_ANGLE, IRIS), ((IRIS_ANGLE + LIMBUS_ANGLE) / 2, LIMBUS), (LIMBUS_ANGLE + 0.02, SCLERA),
    )  # fmt: skip
    elements = ramp.color_ramp.elements
    while len(elements) < len(stops):
        elements.new(1.0)
    for element, (at, colour) in zip(elements, stops, strict=True):
        element.position, element.color = float(at / (np.pi / 2)), (*colour, 1.0)
    links.new(ramp.outputs["Color"], shader.inputs["Base Color"])
    return material


def _principled(part: str, colour: tuple[float, float, float], roughness: float) -> tuple:
    material = bpy.data.materials.new(f"ExpNet {part.replace('_', ' ')}")
    material.diffuse_color = (*colour, 1.0)  # the solid view
    material.roughness = roughness
    tree = compat.node_tree(material)
    tree.nodes.clear()
    shader = tree.nodes.new("ShaderNodeBsdfPrincipled")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    output.location = (300, 0)
    tree.links.new(shader.outputs["BSDF"], output.inputs["Surface"])
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = roughness
    return material, tree.nodes, tree.links, shader


def _noise(nodes, links, where, scale: float, detail: float, location: tuple[float, float]):
    noise = nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = scale
    noise.inputs["Detail"].default_value = detail
    noise.location = location
    links.new(where.outputs["Object"], noise.inputs["Vector"])
    return noise.outputs[0]  # "Fac", from 5.0 "Factor"


def _mapped(nodes, links, value, low: float, high: float, location: tuple[float, float]):
    """``value``, which noise keeps near the middle third, mapped to low..high."""
    node = nodes.new("ShaderNodeMapRange")
    node.inputs["From Min"].default_value, node.inputs["From Max"].default_value = 0.3, 0.7
    node.inputs["To Min"].default_value, node.inputs["To Max"].default_value = low, high
    node.location = location
    links.new(value, node.inputs["Value"])
    return node.outputs["Result"]
