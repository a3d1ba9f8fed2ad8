"""Short functions for Blender's shader nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bpy
import numpy as np

from ..expnet_addon import compat
from ..model.array_types import FloatArray


def linear(srgb: Sequence[float] | FloatArray) -> FloatArray:
    """sRGB 0..1 to linear light."""
    c = np.asarray(srgb, float)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


class Shader:
    """The emptied node tree of a material or world: sockets in, sockets out; numbers are constants."""

    def __init__(self, block: bpy.types.Material | bpy.types.World) -> None:
        tree = compat.node_tree(block)
        self._nodes, self._links = tree.nodes, tree.links
        self._nodes.clear()
        self._output = self.node(
            "ShaderNodeOutputWorld" if isinstance(block, bpy.types.World) else "ShaderNodeOutputMaterial"
        )

    def node(self, kind: str, inputs: Mapping[Any, Any] | None = None, **properties: Any) -> Any:
        """Return a new node; ``inputs`` by name or number are sockets to link or values to set."""
        node = self._nodes.new(kind)
        for name, value in properties.items():
            setattr(node, name, value)
        for name, value in (inputs or {}).items():
            self._feed(node.inputs[name], value)
        return node

    def _feed(self, socket: Any, value: Any) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self._links.new(value, socket)
        else:
            socket.default_value = value

    def surface(self, closure: Any) -> None:
        self._links.new(closure, self._output.inputs["Surface"])

    def math(self, operation: str, a: Any, b: Any = 0.0) -> Any:
        return self.node("ShaderNodeMath", {0: a, 1: b}, operation=operation).outputs[0]

    def add(self, a: Any, b: Any) -> Any:
        return self.math("ADD", a, b)

    def vector(self, x: Any, y: Any, z: Any) -> Any:
        return self.node("ShaderNodeCombineXYZ", {0: x, 1: y, 2: z}).outputs[0]

    def split(self, vector: Any) -> tuple[Any, Any, Any]:
        return tuple(self.node("ShaderNodeSeparateXYZ", {0: vector}).outputs)

    def noise(self, where: Any, scale: float, detail: float) -> Any:
        """Noise 0..1 (its output is called Fac, from 5.0 on Factor)."""
        return self.node("ShaderNodeTexNoise", {"Vector": where, "Scale": scale, "Detail": detail}).outputs[0]

    def spread(self, value: Any, low: float, high: float, to_low: float, to_high: float) -> Any:
        """Map ``value`` from low..high to to_low..to_high, clamped."""
        return self.node("ShaderNodeMapRange", {0: value, 1: low, 2: high, 3: to_low, 4: to_high}).outputs[0]

    def multiply(self, colour: Any, shade: Any) -> Any:
        """Multiply ``colour`` by a number."""
        return self.node("ShaderNodeVectorMath", {0: colour, "Scale": shade}, operation="SCALE").outputs[0]

    def mix(self, share: Any, a: Any, b: Any) -> Any:
        node = self.node("ShaderNodeMix", data_type="RGBA")
        named = {s.identifier: s for s in node.inputs}
        for name, value in (("Factor_Float", share), ("A_Color", a), ("B_Color", b)):
            self._feed(named[name], value)
        return next(s for s in node.outputs if s.identifier == "Result_Color")

    def ramp(self, value: Any, stops: Sequence[tuple[float, Sequence[float]]]) -> Any:
        node = self.node("ShaderNodeValToRGB", {0: value})
        elements = node.color_ramp.elements
        for i, (position, colour) in enumerate(stops):
            element = elements[i] if i < 2 else elements.new(position)
            element.position, element.color = position, (*colour, 1.0)
        return node.outputs[0]


def transparent_gloss(name: str, ior: float) -> bpy.types.Material:
    """Return a transparent shader with reflections, for a cornea or a lens. It is fast without refraction."""
    material = bpy.data.materials.new(name)
    s = Shader(material)
    fresnel = s.node("ShaderNodeFresnel", {"IOR": ior}).outputs[0]
    gloss = s.node("ShaderNodeBsdfAnisotropic", {"Roughness": 0.04, "Color": (1, 1, 1, 1)}).outputs[0]
    clear = s.node("ShaderNodeBsdfTransparent").outputs[0]
    s.surface(s.node("ShaderNodeMixShader", {0: fresnel, 1: clear, 2: gloss}).outputs[0])
    return material
