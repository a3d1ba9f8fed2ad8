"""``expnet retarget``: a performance or an iPhone's recording on the character of a .blend, and what is refused."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from expnet.expnet_addon import headless
from expnet.expnet_addon.scene import rig
from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.performance.channels import ARKIT
from expnet.model.performance.live_link import read_live_link, write_live_link
from expnet.model.performance.performance_files import load_performance, save_performance
from expnet.model.retargeting.row import Row
from expnet.model.retargeting.table import load_preset, save_preset

JAW = OPEN_KEYS.index("jawOpen")


def run(*arguments: object) -> int:
    return headless.main([str(a) for a in arguments])


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]):
    """Return what the command line said on stderr, one item per line."""
    return lambda: [line for line in capfd.readouterr().err.splitlines() if not line.startswith("EGL Error")]


@pytest.fixture
def shot(tmp_path, make_performance) -> Path:
    save_performance(make_performance(frames=8, fps=25.0), tmp_path / "shot.npz")
    return tmp_path / "shot.npz"


def mesh_with_keys(name: str, keys) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    obj.shape_key_add(name="Basis", from_mix=False)
    for key in keys:
        obj.shape_key_add(name=key, from_mix=False).value = 0.0
    return obj


@pytest.fixture
def hero(empty_scene, tmp_path) -> Path:
    """Return a .blend with a body, teeth under the same parent, a hat, and a friend."""
    body, teeth = mesh_with_keys("body", ARKIT), mesh_with_keys("teeth", ["jawOpen"])
    mesh_with_keys("hat", ["tip"])
    mesh_with_keys("friend", ["jawOpen", "mouthPucker"])
    root = bpy.data.objects.new("root", None)
    empty_scene.collection.objects.link(root)
    body.parent = teeth.parent = root
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "hero.blend"))
    return tmp_path / "hero.blend"


def keyed(name: str) -> bool:
    data = bpy.data.objects[name].data.shape_keys.animation_data
    return data is not None and data.action is not None


def test_the_character_is_found_and_keyed(shot, hero, tmp_path, capfd):
    assert run("retarget", "--performance", shot, "--character", hero, "--out", tmp_path / "hero_shot.blend") == 0
    assert "49 shape keys of body, teeth keyed, names: ARKIT" in capfd.readouterr().out
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "hero_shot.blend"))
    assert [name for name in ("body", "teeth", "hat", "friend") if keyed(name)] == ["body", "teeth"]
    scene = bpy.context.scene
    assert (scene.render.fps, scene.frame_end) == (25, 8)
    scene.frame_set(5)
    eta = load_performance(shot).eta[4]
    for name in ("body", "teeth"):
        assert bpy.data.objects[name].data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(eta[JAW], abs=1e-4)


def test_a_table_of_ones_own_on_the_object_of_ones_choice(shot, hero, tmp_path):
    save_preset([Row("jawOpen", "mouthPucker", gain=0.5)], tmp_path / "table.json")
    wanted = ["--object", "friend", "--preset", tmp_path / "table.json", "--save-preset", tmp_path / "again.json"]
    out = tmp_path / "friend.blend"
    assert run("retarget", "--performance", shot, "--character", hero, *wanted, "--out", out, "--fps", "keep") == 0
    assert load_preset(tmp_path / "again.json") == load_preset(tmp_path / "table.json")
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert keyed("friend") and not keyed("body")
    assert bpy.context.scene.render.fps == 24


def test_an_iphones_recording_keys_the_head_in_the_box(make_performance, tmp_path, capfd):
    write_live_link(make_performance(frames=40, fps=30.0, missing=(3,)), tmp_path / "phone.csv")
    out = tmp_path / "phone.blend"
    assert run("retarget", "--performance", tmp_path / "phone.csv", "--out", out) == 0
    assert "39 of 40 frames keyed" in capfd.readouterr().out
    bpy.ops.wm.open_mainfile(filepath=str(out))
    (head,) = rig.rigs_in(bpy.context.scene)
    bpy.context.scene.frame_set(7)
    eta = read_live_link(tmp_path / "phone.csv").eta[6]
    assert head.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(eta[JAW], abs=1e-4)


def test_a_performance_becomes_a_recording_without_blender(shot, tmp_path):
    assert run("retarget", "--performance", shot, "--live-link", tmp_path / "shot.csv") == 0
    again = read_live_link(tmp_path / "shot.csv", fps=25.0)
    np.testing.assert_allclose(again.eta, load_performance(shot).eta, atol=1e-5)


def test_a_character_as_gltf(shot, hero, tmp_path):
    assert run("retarget", "--performance", shot, "--character", hero, "--out", tmp_path / "hero.glb") == 0
    raw = (tmp_path / "hero.glb").read_bytes()
    assert raw[:4] == b"glTF" and b'"weights"' in raw and b"mouthSmileLeft" in raw
    assert b"friend" not in raw


@pytest.mark.parametrize("arguments, expected", [
    (["--character", "{hero}"], "nothing to write"),
    (["--out", "{out}", "--object", "body"], "need --character"),
    (["--character", "{here}/none.blend", "--out", "{out}"], "character"),
    (["--character", "{shot}", "--out", "{out}"], "no scene that this Blender can open"),
    (["--character", "{hero}", "--object", "bodi", "--out", "{out}"], "has no object 'bodi'"),
    (["--character", "{hero}", "--object", "root", "--out", "{out}"], "no mesh with shape keys"),
    (["--character", "{hero}", "--object", "hat", "--out", "{out}"], "has a name that is known: give --preset"),
    (["--character", "{hero}", "--preset", "{shot}", "--out", "{out}"], "broken retarget preset|too large"),
    (["--character", "{hero}", "--out", "{hero}"], "is also the input"),
    (["--character", "{hero}", "--out", "{here}/hero.fbx"], "does not end in .blend or .glb"),
    (["--performance", "{hero}", "--out", "{out}"], "broken performance"),
    (["--recording-fps", "0", "--performance", "{phone}", "--out", "{out}"], "not a rate"),
    (["--performance", "{nobody}", "--live-link", "{here}/o.csv"], "no face was seen in .*nobody.npz"),
])  # fmt: skip
def test_a_mistake_is_one_line_and_writes_nothing(shot, hero, tmp_path, said, make_performance, arguments, expected):
    import re

    write_live_link(make_performance(), tmp_path / "phone.csv")
    save_performance(make_performance(frames=3, missing=range(3)), tmp_path / "nobody.npz")
    places = {
        "nobody": tmp_path / "nobody.npz",
        "hero": hero,
        "shot": shot,
        "here": tmp_path,
        "out": tmp_path / "out.blend",
        "phone": tmp_path / "phone.csv",
    }
    before = sorted(tmp_path.iterdir())
    assert run("retarget", "--performance", shot, *(a.format(**places) for a in arguments)) == 2
    (line,) = said()
    assert re.search(expected, line), line
    assert sorted(tmp_path.iterdir()) == before


def test_a_hidden_character_as_gltf_and_what_is_not_matched(shot, hero, tmp_path, capfd):
    bpy.ops.wm.open_mainfile(filepath=str(hero))
    bpy.data.objects["body"].hide_viewport = True
    bpy.data.objects["teeth"].hide_set(True)
    bpy.data.objects["body"].shape_key_add(name="freckles", from_mix=False)
    eye = bpy.data.objects.new("eyeball", bpy.data.objects["hat"].data.copy())  # has no shape keys
    eye.shape_key_clear()
    bpy.context.scene.collection.objects.link(eye)
    eye.parent = bpy.data.objects["body"]
    bpy.ops.wm.save_as_mainfile(filepath=str(hero))
    assert run("retarget", "--performance", shot, "--character", hero, "--out", tmp_path / "hero.glb") == 0
    written = (tmp_path / "hero.glb").read_bytes()
    assert b"teeth" in written and b"eyeball" in written and b"friend" not in written
    said = capfd.readouterr().out
    assert "not matched: freckles (add rows for them in a table, and give it as --preset)" in said


def test_one_object_stands_for_its_head(shot, hero, tmp_path):
    out = tmp_path / "hero_shot.blend"
    assert run("retarget", "--performance", shot, "--character", hero, "--object", "teeth", "--out", out) == 0
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert [name for name in ("body", "teeth", "hat", "friend") if keyed(name)] == ["body", "teeth"]


@pytest.fixture
def actor(tmp_path) -> Path:
    """Return a .blend with one head of ExpNet, as ``expnet rig`` and ``expnet likeness`` write it."""
    assert run("rig", "--out", tmp_path / "actor.blend") == 0
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "actor.blend"))
    (head,) = rig.rigs_in(bpy.context.scene)
    head.location.x = 2.0
    head["alpha"] = [1.5, *list(head["alpha"])[1:]]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "actor.blend"))
    return tmp_path / "actor.blend"


def test_a_head_of_expnet_plays_a_performance_with_its_own_face_and_at_its_place(shot, actor, tmp_path, capfd):
    assert run("retarget", "--performance", shot, "--character", actor, "--out", tmp_path / "shot.blend") == 0
    assert "8 of 8 frames keyed" in capfd.readouterr().out
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    scene = bpy.context.scene
    (head,) = rig.rigs_in(scene)
    assert (scene.render.fps, scene.frame_end, scene.camera is not None) == (25, 8, True)
    scene.frame_set(5)
    eta = load_performance(shot).eta[4]
    assert head.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(eta[JAW], abs=1e-4)
    assert head["alpha"][0] == pytest.approx(1.5)
    assert head.matrix_world.translation.x == pytest.approx(2.0, abs=0.1)


def test_one_of_several_heads_is_named(shot, actor, tmp_path, said):
    bpy.ops.wm.open_mainfile(filepath=str(actor))
    copy = rig.rigs_in(bpy.context.scene)[0].copy()
    copy.data, copy.name = copy.data.copy(), "Twin"
    bpy.context.scene.collection.objects.link(copy)
    bpy.ops.wm.save_as_mainfile(filepath=str(actor))
    words = ["retarget", "--performance", shot, "--character", actor, "--out", tmp_path / "shot.blend"]
    assert run(*words) == 2
    assert "holds 2 heads, Face, Twin: give one as --object" in said()[0]
    assert run(*words, "--object", "Twin") == 0
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert keyed("Twin") and not keyed("Face")


def test_a_head_of_expnet_needs_no_table(shot, actor, tmp_path, said):
    words = ["--save-preset", tmp_path / "table.json"]
    assert run("retarget", "--performance", shot, "--character", actor, *words) == 2
    assert said() == ["expnet: 'Face' is a head of ExpNet, which needs no table: leave out --preset and --save-preset"]
