"""The actor's face on the head: the skin lies beside the .blend, and bad pictures change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

import expnet
from expnet.expnet_addon import headless
from expnet.expnet_addon.scene import skins
from expnet.expnet_addon.scene.heads import rigs_in

DEMO = Path(expnet.__path__[0]) / "model" / "data" / "demo_clip.mp4"


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import cv2

    path = tmp_path_factory.mktemp("photos") / "photo.png"
    _, picture = cv2.VideoCapture(str(DEMO)).read()
    cv2.imwrite(str(path), picture)
    return path


@pytest.fixture
def head(empty_scene: bpy.types.Scene) -> Iterator[bpy.types.Object]:
    expnet.register()
    bpy.ops.expnet.add_face()
    yield rigs_in(empty_scene)[0]
    expnet.unregister()


def worn(head: bpy.types.Object) -> bpy.types.Image:
    material = next(m for m in head.data.materials if m.name.startswith("ExpNet skin"))
    return next(node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE")


@pytest.mark.slow
def test_the_skin_is_a_png_beside_the_blend(head: bpy.types.Object, photo: Path, tmp_path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.context.scene.expnet.source = str(photo)
    assert bpy.ops.expnet.actor_face() == {"FINISHED"}
    assert sorted(p.name for p in tmp_path.glob("*.png")) == ["shot_Face_skin.png"]
    image = worn(head)
    assert tuple(image.size) == (2048, 2048) and image.filepath.startswith("//")
    assert skins.skin_of(head) == skins.OWN
    assert np.abs(np.array(head["alpha"])).max() > 0.3
    assert "of the face is from the pictures" in bpy.context.scene.expnet.result


@pytest.mark.slow
def test_in_a_blend_without_a_file_the_skin_is_packed(head: bpy.types.Object, photo: Path) -> None:
    bpy.context.scene.expnet.source = str(photo)
    assert bpy.ops.expnet.actor_face() == {"FINISHED"}
    image = worn(head)
    assert image.packed_file is not None and tuple(image.size) == (2048, 2048)


def test_a_photo_of_two_people_is_one_line_and_changes_nothing(
    head: bpy.types.Object, photo: Path, tmp_path: Path
) -> None:
    import cv2

    both = tmp_path / "both.png"
    image = cv2.imread(str(photo))
    cv2.imwrite(str(both), np.hstack([image, image[:, ::-1]]))
    before = worn(head)
    bpy.context.scene.expnet.source = str(both)
    with pytest.raises(RuntimeError, match="shows 2 people: say which"):
        bpy.ops.expnet.actor_face()
    assert headless.main(["likeness", str(both), "--texture", str(tmp_path / "skin.png")]) == 2
    assert worn(head) == before and not (tmp_path / "skin.png").exists()


@pytest.mark.slow
def test_likeness_on_the_command_line(photo: Path, tmp_path: Path) -> None:
    assert headless.main(["likeness", str(photo), "--out", str(tmp_path / "head.blend")]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["head.blend", "head.png"]
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "head.blend"))
    (head,) = (obj for obj in bpy.data.objects if "expnet_basis" in obj)
    assert worn(head).filepath.endswith("head.png") and worn(head).size[0] == 2048
