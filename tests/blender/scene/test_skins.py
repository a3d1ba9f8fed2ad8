"""The menu of skins: built-in photographs, packed into the .blend, for each head its own."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from expnet.expnet_addon.scene import rig, skins
from expnet.model.builtin import OPEN
from expnet.model.formats import open_face_model


def picture(head: bpy.types.Object, part: str = "skin") -> bpy.types.Image:
    (material,) = (m for m in head.data.materials if m.name.startswith(f"ExpNet {part}"))
    (node,) = (n for n in material.node_tree.nodes if n.type == "TEX_IMAGE")
    return node.image


def mean_colour(image: bpy.types.Image) -> float:
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    return float(pixels.reshape(-1, 4)[:, :3].mean())


def test_the_menu_changes_the_pictures_of_skin_lips_and_brows(registered, open_head):
    head = rig.create_rig(open_head)
    assert head.expnet_skin == "LIGHT"
    light = mean_colour(picture(head))
    head.expnet_skin = "DARK"
    assert head.expnet_skin == "DARK"
    assert picture(head) == picture(head, "lips") == picture(head, "brows")
    assert mean_colour(picture(head)) < 0.5 * light
    head.expnet_skin = "PAINTED"
    assert head.expnet_skin == "PAINTED" and picture(head).size[:] == (1024, 1024)


def test_solid_shading_follows_the_skin(registered, open_head):
    head = rig.create_rig(open_head)
    (skin,) = (m for m in head.data.materials if m.name.startswith("ExpNet skin"))
    light = skin.diffuse_color[0]
    head.expnet_skin = "DARK"
    assert skin.diffuse_color[0] < 0.4 * light


def test_eyes_fit_the_skin(registered, open_head):
    head = rig.create_rig(open_head)

    def iris() -> float:
        (material,) = (m for m in rig.eyes_of(head)["L"].data.materials if m.name.startswith("ExpNet iris"))
        (node,) = (n for n in material.node_tree.nodes if n.type == "TEX_IMAGE")
        pixels = np.array(node.image.pixels[:]).reshape(*node.image.size, 4)
        ring = pixels[len(pixels) // 2, int(0.66 * len(pixels))]
        assert ring[2] < 0.6
        return float(ring[2] - ring[0])

    assert iris() > 0  # blue
    head.expnet_skin = "DARK"
    assert iris() < 0


def test_each_head_has_a_skin_of_its_own(registered, open_head):
    one, other = rig.create_rig(open_head), rig.create_rig(open_head)
    one.expnet_skin = "MEDIUM"
    assert (one.expnet_skin, other.expnet_skin) == ("MEDIUM", "LIGHT")
    other.expnet_skin = "MEDIUM"
    assert picture(one) == picture(other)  # one picture in the .blend for both


def test_a_saved_skin_needs_no_file_of_the_extension(registered, open_head, tmp_path, monkeypatch):
    rig.create_rig(open_head).expnet_skin = "MEDIUM"
    saved = tmp_path / "head.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(saved))
    monkeypatch.setattr(skins, "FOLDER", Path("gone"))
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    (head,) = rig.rigs_in(bpy.context.scene)
    assert head.expnet_skin == "MEDIUM"
    assert picture(head).packed_file is not None and mean_colour(picture(head)) > 0.2


def test_a_picture_of_the_artist_s_own_is_said_and_kept(registered, open_head):
    head = rig.create_rig(open_head)
    mine = bpy.data.images.new("mine", 8, 8)
    for material in head.data.materials:
        for node in material.node_tree.nodes:
            if node.type == "TEX_IMAGE":
                node.image = mine
    assert head.expnet_skin == "OWN"
    head.expnet_skin = "OWN"
    assert picture(head) == mine


def test_a_head_of_another_model_is_painted(empty_scene, little_face):
    head = rig.create_rig(little_face)
    assert not skins.has_skins(head["expnet_model"])
    assert all(image.get(skins.MARK) is None for image in bpy.data.images)


def test_the_photographs_are_small():
    files = sorted(skins.FOLDER.glob("*.jpg"))
    assert [file.stem.upper() for file in files] == sorted(skins.PHOTOGRAPHS)
    assert all(file.stat().st_size < 1e6 for file in files)


@pytest.mark.parametrize("name", skins.PHOTOGRAPHS)
def test_the_stubble_covers_the_whole_scalp(name):
    """No place of it is much lighter or darker than the places about it: MakeHuman's own texture has a seam there."""
    model = open_face_model(OPEN)
    image = skins.photograph(name)
    wide, high = image.size
    pixels = np.empty(wide * high * 4, np.float32)
    image.pixels.foreach_get(pixels)
    grey = pixels.reshape(high, wide, 4)[..., :3].mean(-1) * 255
    grey = grey.reshape(high // 16, 16, wide // 16, 16).mean((1, 3))  # over the single hairs
    corners = dict(zip(model.faces.ravel()[::-1].tolist(), model.uv.reshape(-1, 2)[::-1], strict=True))
    scalp = [vertex for vertex in model.regions["scalp"].tolist() if vertex in corners]
    column, row = np.clip(np.array([corners[v] for v in scalp]) * grey.shape[1], 0, grey.shape[1] - 1).astype(int).T
    shade = grey[row, column]
    places = model.neutral[scalp]
    near = np.argsort(np.linalg.norm(places[:, None] - places[None], axis=-1), axis=1)[:, :13]
    off = np.abs(shade - np.median(shade[near], axis=1))
    assert np.percentile(off, 99) < 25
