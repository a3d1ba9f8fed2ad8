"""Everyone in a clip gets a head and a take: in the panel, on the command line and in a batch."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

import expnet
from expnet.expnet_addon import headless
from expnet.expnet_addon.capture import everyone
from expnet.expnet_addon.scene import rig
from expnet.expnet_addon.scene.current_take import take_of
from expnet.expnet_addon.scene.heads import rigs_in
from expnet.model.performance.performance_files import load_performance

DEMO = Path(expnet.__path__[0]) / "model" / "data" / "demo_clip.mp4"
FRAMES = 20


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the built-in clip with its mirror image at its side: two people."""
    import cv2

    path = tmp_path_factory.mktemp("footage") / "two.mp4"
    movie = cv2.VideoCapture(str(DEMO))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 24.0, (768, 288))
    for _ in range(FRAMES):
        _, picture = movie.read()
        writer.write(np.hstack([picture, picture[:, ::-1]]))
    writer.release()
    return path


@pytest.mark.usefixtures("registered")
def test_the_panel_lists_the_people_and_gives_each_a_take(two: Path, empty_scene: bpy.types.Scene) -> None:
    settings = empty_scene.expnet
    settings.source = str(two)
    assert not bpy.ops.expnet.animate_people.poll()
    assert bpy.ops.expnet.find_people() == {"FINISHED"}
    assert [person.name for person in settings.people] == ["Person 1", "Person 2"]
    assert len(everyone.portraits()) == 2
    assert not rigs_in(empty_scene), "nothing is animated before the heads are chosen"

    bpy.ops.expnet.add_face()
    mine = bpy.context.view_layer.objects.active
    settings.people[1].name, settings.people[1].head = "Anna", mine
    assert bpy.ops.expnet.animate_people() == {"FINISHED"}
    heads = rigs_in(empty_scene)
    assert len(heads) == 2 and settings.people[1].head == mine
    other = settings.people[0].head
    assert take_of(mine) != take_of(other) and take_of(mine) and take_of(other)
    empty_scene.frame_set(empty_scene.frame_start + 5)
    apart = mine.matrix_world.translation.x - other.matrix_world.translation.x
    assert abs(apart) > 0.1, "the heads stand where the people are in the picture"

    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = None
    assert bpy.ops.expnet.animate_people() == {"FINISHED"}
    assert bpy.context.view_layer.objects.active == other and other.select_get(), "the first take is in the panel"
    assert bpy.ops.expnet.forget_people() == {"FINISHED"}
    assert not settings.people and len(rigs_in(empty_scene)) == 2


@pytest.mark.usefixtures("registered")
def test_a_head_for_two_people_is_refused_and_nothing_changes(
    empty_scene: bpy.types.Scene, little_face, make_performance
) -> None:
    from expnet.model.performance.performance_files import packed

    head = rig.create_rig(little_face)
    for number in (1, 2):
        person = empty_scene.expnet.people.add()
        person.name, person.head = f"Person {number}", head
        person.performance = packed(make_performance())
    with pytest.raises(RuntimeError, match="is the head of two people"):
        bpy.ops.expnet.animate_people()
    assert take_of(head) is None and not bpy.data.actions


def test_animate_everyone_writes_a_head_and_numbered_tables_for_each(two: Path, tmp_path: Path) -> None:
    out = tmp_path / "shot.blend"
    tables = ["--performance", str(tmp_path / "shot.npz")]
    assert headless.main(["animate", str(two), "--everyone", "--out", str(out), *tables]) == 0
    first, second = (load_performance(tmp_path / f"shot_{n}.npz") for n in (1, 2))
    assert len(first.times) == len(second.times) == FRAMES
    sides = {bool(np.nanmean(each.crop[:, 0]) > 384) for each in (first, second)}
    assert sides == {False, True}
    bpy.ops.wm.open_mainfile(filepath=str(out))
    heads = [obj for obj in bpy.data.objects if "expnet_basis" in obj]
    assert sorted(head.name for head in heads) == ["Person 1", "Person 2"]
    assert all(head.data.shape_keys.animation_data.action for head in heads)


@pytest.mark.slow
def test_the_comparison_of_everyone_shows_each_head_on_its_side(two: Path, tmp_path: Path) -> None:
    import cv2

    out = tmp_path / "shot.mp4"
    arguments = ["animate", str(two), "--everyone", "--render", str(out), "--last", "13", "--height", "144"]
    assert headless.main([*arguments, "--engine", "cycles", "--samples", "1"]) == 0
    _, picture = cv2.VideoCapture(str(out)).read()
    heads = picture[:, picture.shape[1] // 2 :]  # the footage is on the left
    height, width = heads.shape[:2]
    ground = heads[height // 2, width // 2].astype(int)  # between the two heads
    for x in (width // 4, 3 * width // 4):
        assert np.abs(heads[height // 2, x].astype(int) - ground).max() > 30


@pytest.mark.parametrize("more", [["--fit", "--performance", "shot.npz"], ["--face", "1", "--performance", "shot.npz"]])
def test_what_everyone_cannot_have_is_said_in_one_line(
    two: Path, tmp_path: Path, more: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert headless.main(["animate", str(two), "--everyone", *more]) == 2
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("expnet:")]
    assert "--everyone" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_batch_of_everyone_records_every_file(two: Path, tmp_path: Path) -> None:
    import json

    arguments = ["batch", str(two), "--everyone", "--out", str(tmp_path / "out"), "--jobs", "1"]
    assert headless.main(arguments) == 0
    record = json.loads((tmp_path / "out" / "records" / "two.json").read_text())
    assert set(record["outputs"]) == {"two.blend", "two_1.npz", "two_2.npz"}
    before = (tmp_path / "out" / "two.blend").stat().st_mtime_ns
    assert headless.main(arguments) == 0
    assert (tmp_path / "out" / "two.blend").stat().st_mtime_ns == before, "a clip that is done is not done again"
