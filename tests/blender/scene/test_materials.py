"""What renderers show on a head: light below the skin, pores, enamel, dark nostrils, a film of tears."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from expnet.expnet_addon.scene import rig


@pytest.fixture
def head(empty_scene, open_head) -> bpy.types.Object:
    return rig.create_rig(open_head)


def material(head: bpy.types.Object, part: str) -> bpy.types.Material:
    (found,) = (each for each in head.data.materials if each.name.split(".")[0] == f"ExpNet {part}")
    return found


def shader(head: bpy.types.Object, part: str) -> bpy.types.Node:
    (found,) = (node for node in material(head, part).node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    return found


def shade(head: bpy.types.Object, open_head) -> np.ndarray:
    """Return the attribute that the materials read, by the model's vertices; eyes have none."""
    mesh = head.data
    index, values = np.empty(len(mesh.vertices), np.int32), np.empty(len(mesh.vertices), np.float32)
    mesh.attributes["model_vertex"].data.foreach_get("value", index)
    mesh.attributes["expnet_shade"].data.foreach_get("value", values)
    out = np.full(open_head.vertex_count, np.nan)
    out[index[index >= 0]] = values[index >= 0]
    return out


def test_light_spreads_below_skin_lips_gums_tongue_and_enamel(head):
    for part in ("skin", "lips", "gums", "tongue", "teeth"):
        assert shader(head, part).inputs["Subsurface Weight"].default_value >= 0.3


def test_pores_move_with_the_skin(head):
    """They lie in generated coordinates, those of the resting shape, whose size is the same for every head."""
    coordinates = {node for node in material(head, "skin").node_tree.nodes if node.type == "TEX_COORD"}
    used = {output.name for node in coordinates for output in node.outputs if output.is_linked}
    assert used == {"Generated"}
    assert not head.data.use_auto_texspace
    assert tuple(head.data.texspace_size) == (0.5, 0.5, 0.5) and not any(head.data.texspace_location)
    assert shader(head, "skin").inputs["Normal"].is_linked


def test_nostrils_begin_as_skin_and_are_dark_inside(head, open_head):
    values = shade(head, open_head)
    nostrils = open_head.regions["nostrils"]
    around = np.setdiff1d(open_head.regions["skin"], nostrils)
    assert (values[around] == 0).all()
    edges = np.stack([open_head.faces, np.roll(open_head.faces, 1, axis=1)], axis=-1).reshape(-1, 2)
    rim = np.intersect1d(nostrils, edges[np.isin(edges, around).any(axis=1)])
    assert (values[rim] == 0).all() and values[nostrils].max() == 1
    assert shader(head, "nostrils").inputs["Base Color"].is_linked


def test_enamel_goes_from_the_gum_to_the_edge(head, open_head):
    values = shade(head, open_head)
    for teeth, gum in (("teeth_upper", "gums_upper"), ("teeth_lower", "gums_lower")):
        members = open_head.regions[teeth]
        gum_height = open_head.neutral[open_head.regions[gum], 1].mean()
        from_gum = np.abs(open_head.neutral[members, 1] - gum_height)
        assert np.corrcoef(from_gum, values[members])[0, 1] > 0.8
        assert (values[members].min(), values[members].max()) == (0, 1)


def test_the_wet_line_is_nearly_clear(head):
    assert shader(head, "wet line").inputs["Alpha"].default_value < 0.4
    assert shader(head, "wet line").inputs["Roughness"].default_value < 0.1


def test_every_link_of_every_material_is_valid(head):
    for part in head.data.materials:
        assert all(link.is_valid for link in part.node_tree.links), part.name
