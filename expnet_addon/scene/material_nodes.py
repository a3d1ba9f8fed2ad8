"""Shader nodes of a head's materials: pores, lines of the lips, enamel, papillae of the tongue, dark nostrils.

All are made of nodes that Cycles and EEVEE both have. Bumps lie in generated coordinates, which are those of the
resting shape, so that they move with the skin. They are in metres there, from ``-TEXTURE_METRES / 2`` on.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from .. import compat
from .skins import linear

SHADE = "expnet_shade"  # float point attribute: how deep in a nostril, how far from a tooth's neck to its edge; 0..1
TEXTURE_METRES = 1.0  # size of generated coordinates, the same for every head
NECK, EDGE = (0.90, 0.82, 0.68), (0.90, 0.90, 0.89)  # sRGB; enamel is yellow at the gum and clear at its edge
DEEP = (0.10, 0.035, 0.03)  # sRGB, deep inside a nostril


def skin(material: bpy.types.Material, shader: bpy.types.Node) -> None:
    """Add pores half a millimetre wide between fine bumps, and a gloss that varies by some millimetres."""
    tree = compat.node_tree(material)
    pores = _cells(tree, 1700.0, 0.30)
    bumps = _noise(tree, 420.0, 3.0)
    _vary_roughness(tree, shader, _noise(tree, 160.0, 4.0), 0.09)
    _bump(tree, shader, _sum(tree, pores, 0.55, bumps, 0.45), 0.55, 0.00022)


def lips(material: bpy.types.Material, shader: bpy.types.Node) -> None:
    """Add fine lines across the lips, as bumps that are stretched upwards."""
    tree = compat.node_tree(material)
    lines = _noise(tree, 900.0, 2.0, (1.0, 0.35, 0.22))
    _vary_roughness(tree, shader, lines, 0.08)
    _bump(tree, shader, lines, 0.35, 0.0004)


def nostrils(material: bpy.types.Material, shader: bpy.types.Node) -> None:
    """Let the skin darken from a nostril's rim inwards, so that the rim has no border."""
    tree = compat.node_tree(material)
    texture = next((node for node in tree.nodes if node.type == "TEX_IMAGE"), None)
    if texture is None:
        return
    colour = _blend(tree, _shade(tree), linear(DEEP), linear(DEEP))
    tree.links.new(texture.outputs["Color"], colour.first)
    tree.links.new(colour.result, shader.inputs["Base Color"])


def teeth(material: bpy.types.Material, shader: bpy.types.Node) -> None:
    """Give enamel its colours from neck to edge, and a slightly uneven surface."""
    tree = compat.node_tree(material)
    shade = _shade(tree)
    body = tuple(shader.inputs["Base Color"].default_value[:3])
    lower = _blend(tree, _ramp(tree, shade, 0.25, 0.60), linear(NECK), body)
    whole = _blend(tree, _ramp(tree, shade, 0.80, 1.0), body, linear(EDGE))
    tree.links.new(lower.result, whole.first)
    tree.links.new(whole.result, shader.inputs["Base Color"])
    shader.inputs["IOR"].default_value = 1.62
    _bump(tree, shader, _noise(tree, 350.0, 1.0), 0.12, 0.0003)


def gums(material: bpy.types.Material, shader: bpy.types.Node) -> None:
    """Stipple the gums."""
    tree = compat.node_tree(material)
    _bump(tree, shader, _cells(tree, 900.0, 0.5), 0.25, 0.0003)


def tongue(material: bpy.types.Material, shader: bpy.types.Node) -> None:
    """Add papillae, and the groove along the tongue's middle."""
    tree = compat.node_tree(material)
    parts = tree.nodes.new("ShaderNodeSeparateXYZ")
    tree.links.new(_generated(tree), parts.inputs["Vector"])
    aside = tree.nodes.new("ShaderNodeMath")
    aside.operation = "SUBTRACT"
    aside.inputs[1].default_value = 0.5
    tree.links.new(parts.outputs["X"], aside.inputs[0])
    distance = tree.nodes.new("ShaderNodeMath")
    distance.operation = "ABSOLUTE"
    tree.links.new(aside.outputs[0], distance.inputs[0])
    groove = _ramp(tree, distance.outputs[0], 0.0, 0.0035)
    _vary_roughness(tree, shader, _noise(tree, 300.0, 3.0), 0.10)
    _bump(tree, shader, _sum(tree, _cells(tree, 1000.0, 0.6), 0.25, groove, 0.75), 0.9, 0.0011)


def film(material: bpy.types.Material, shader: bpy.types.Node) -> None:
    """Make a film of tears: hardly there, but for its highlight."""
    shader.inputs["Alpha"].default_value = 0.22
    material.surface_render_method = "BLENDED"


def _generated(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    known = next((node for node in tree.nodes if node.type == "TEX_COORD"), None)
    return (known or tree.nodes.new("ShaderNodeTexCoord")).outputs["Generated"]


def _shade(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    node = tree.nodes.new("ShaderNodeAttribute")
    node.attribute_name = SHADE
    return node.outputs[2]  # named "Fac", since 5.0 "Factor"


def _noise(
    tree: bpy.types.NodeTree, scale: float, detail: float, stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> bpy.types.NodeSocket:
    noise = tree.nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = scale
    noise.inputs["Detail"].default_value = detail
    where = tree.nodes.new("ShaderNodeMapping")
    where.inputs["Scale"].default_value = stretch
    tree.links.new(_generated(tree), where.inputs["Vector"])
    tree.links.new(where.outputs["Vector"], noise.inputs["Vector"])
    return noise.outputs[0]  # named "Fac", since 5.0 "Factor"


def _cells(tree: bpy.types.NodeTree, scale: float, reach: float) -> bpy.types.NodeSocket:
    """Return 0 in the middles of cells, ``1 / scale`` metres apart, and 1 from ``reach`` cells on."""
    cells = tree.nodes.new("ShaderNodeTexVoronoi")
    cells.inputs["Scale"].default_value = scale
    tree.links.new(_generated(tree), cells.inputs["Vector"])
    return _ramp(tree, cells.outputs["Distance"], 0.0, reach)


def _ramp(tree: bpy.types.NodeTree, value: bpy.types.NodeSocket, low: float, high: float) -> bpy.types.NodeSocket:
    """Return 0 where ``value`` is ``low`` and 1 where it is ``high``, smooth between."""
    ramp = tree.nodes.new("ShaderNodeMapRange")
    ramp.interpolation_type = "SMOOTHSTEP"
    ramp.inputs["From Min"].default_value, ramp.inputs["From Max"].default_value = low, high
    tree.links.new(value, ramp.inputs["Value"])
    return ramp.outputs["Result"]


def _sum(
    tree: bpy.types.NodeTree, one: bpy.types.NodeSocket, share: float, other: bpy.types.NodeSocket, rest: float
) -> bpy.types.NodeSocket:
    scaled = tree.nodes.new("ShaderNodeMath")
    scaled.operation = "MULTIPLY"
    scaled.inputs[1].default_value = rest
    tree.links.new(other, scaled.inputs[0])
    total = tree.nodes.new("ShaderNodeMath")
    total.operation = "MULTIPLY_ADD"
    total.inputs[1].default_value = share
    tree.links.new(one, total.inputs[0])
    tree.links.new(scaled.outputs[0], total.inputs[2])
    return total.outputs[0]


@dataclass(frozen=True)
class _Mix:
    """The sockets of a mix of two colours."""

    first: bpy.types.NodeSocket
    result: bpy.types.NodeSocket


def _blend(
    tree: bpy.types.NodeTree, share: bpy.types.NodeSocket, one: tuple[float, ...], other: tuple[float, ...]
) -> _Mix:
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    sockets = {socket.identifier: socket for socket in (*mix.inputs, *mix.outputs)}
    tree.links.new(share, sockets["Factor_Float"])
    sockets["A_Color"].default_value, sockets["B_Color"].default_value = (*one, 1.0), (*other, 1.0)
    return _Mix(sockets["A_Color"], sockets["Result_Color"])


def _vary_roughness(
    tree: bpy.types.NodeTree, shader: bpy.types.Node, noise: bpy.types.NodeSocket, amount: float
) -> None:
    roughness = shader.inputs["Roughness"].default_value
    gloss = tree.nodes.new("ShaderNodeMapRange")
    for socket, value in (
        ("From Min", 0.3), ("From Max", 0.7), ("To Min", roughness - amount), ("To Max", roughness + amount),
    ):  # fmt: skip
        gloss.inputs[socket].default_value = value
    tree.links.new(noise, gloss.inputs["Value"])
    tree.links.new(gloss.outputs["Result"], shader.inputs["Roughness"])


def _bump(
    tree: bpy.types.NodeTree, shader: bpy.types.Node, height: bpy.types.NodeSocket, strength: float, metres: float
) -> None:
    bump = tree.nodes.new("ShaderNodeBump")
    bump.inputs["Strength"].default_value = strength
    bump.inputs["Distance"].default_value = metres
    tree.links.new(height, bump.inputs["Height"])
    tree.links.new(bump.outputs["Normal"], shader.inputs["Normal"])
