"""The skins of the open head: one that is painted, and photographs that come with the extension.

A skin is the picture in the materials of the head, packed into the .blend. So it needs no file later.
The panel draws from here, so the module imports no numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy

from ...model.builtin import OPEN
from .. import compat

Colour = tuple[float, float, float]
FOLDER = Path(__file__).resolve().parents[2] / "model" / "data" / "skins"
PAINTED, OWN = "PAINTED", "OWN"
# Name -> colours in Solid shading of skin, lips and brows, sRGB
PHOTOGRAPHS: dict[str, tuple[Colour, Colour, Colour]] = {
    "LIGHT": ((0.92, 0.75, 0.65), (0.80, 0.47, 0.45), (0.35, 0.25, 0.18)),
    "MEDIUM": ((0.86, 0.68, 0.56), (0.73, 0.44, 0.41), (0.24, 0.17, 0.12)),
    "DARK": ((0.42, 0.26, 0.18), (0.41, 0.22, 0.17), (0.09, 0.07, 0.06)),
}
EYES = {"LIGHT": "blue", "MEDIUM": "hazel", "DARK": "brown"}  # colour of the irises
DEFAULT = "LIGHT"
PARTS = ("skin", "lips", "brows")  # the materials that show it, in the order of the colours
SHOWN = (*PARTS, "nostrils")  # those and what else has the picture
MARK = "expnet_skin"  # custom property of a picture: the skin's name


def has_skins(model_name: str) -> bool:
    """Return whether there are photographed skins for the heads of this model."""
    return model_name == OPEN


def photograph(name: str) -> bpy.types.Image:
    """Return the picture of a photographed skin, loaded and packed once per .blend."""
    for image in bpy.data.images:
        if image.get(MARK) == name and image.packed_file is not None:
            return image
    image = bpy.data.images.load(str(FOLDER / f"{name.lower()}.jpg"))
    image.name = f"ExpNet skin {name.lower()}"
    image.pack()
    image[MARK] = name
    return image


def skin_of(head: bpy.types.Object) -> str:
    """Return the name of the skin that ``head`` shows, OWN where its materials are changed."""
    for material in head.data.materials:
        if material is not None and material.name.startswith("ExpNet skin"):
            texture = _texture(material)
            if texture is not None and texture.image is not None:
                name = texture.image.get(MARK)
                if name in PHOTOGRAPHS:
                    return str(name)
                return PAINTED if texture.image.name.startswith(f"ExpNet skin {OPEN}") else OWN
    return OWN


def wear(head: bpy.types.Object, picture: bpy.types.Image, colours: Sequence[Colour]) -> None:
    """Show ``picture`` on the skin of ``head``, and ``colours`` of skin, lips and brows in Solid shading."""
    for material in (each for each in head.data.materials if each is not None):
        texture = _texture(material) if material.name.startswith(tuple(f"ExpNet {part}" for part in SHOWN)) else None
        if texture is not None:
            texture.image = picture
        for part, colour in zip(PARTS, colours, strict=True):
            if material.name.startswith(f"ExpNet {part}"):
                material.diffuse_color = (*linear(colour), 1.0)


def look(head: bpy.types.Object, picture: bpy.types.Image, iris: Colour) -> None:
    """Show ``picture`` on the eyes of ``head``, and the colour ``iris`` in Solid shading."""
    for eye in (child for child in head.children if "expnet_eye" in child):
        for material in eye.data.materials:
            texture = None if material is None else _texture(material)
            if texture is not None and material.name.startswith(("ExpNet sclera", "ExpNet iris", "ExpNet pupil")):
                texture.image = picture
            if material is not None and material.name.startswith("ExpNet iris"):
                material.diffuse_color = (*linear(iris), 1.0)


def linear(srgb: Colour) -> tuple[float, ...]:
    """Return the linear values of a colour in sRGB."""
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in srgb)


def _texture(material: bpy.types.Material) -> bpy.types.Node | None:
    nodes = compat.node_tree(material).nodes
    return next((node for node in nodes if node.type == "TEX_IMAGE"), None)
