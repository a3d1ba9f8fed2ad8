"""The pictures of another renderer: two of them, small, by Cycles; and that they show what their truth says."""

import bpy
import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("numba")

from expnet.benchmarks import other_renderer as benchmark
from expnet.expnet_addon.scene import rig
from expnet.model.camera import crop_of_pose, project
from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_KEYS, SIGNED_KEYS

SIZE = 64


def test_the_sweeps_go_through_every_key_and_start_with_the_ends():
    shots = benchmark.sweeps(5, (0.0, 0.0, 0.0))
    assert shots[0].kind == "neutral" and not shots[0].eta.any()
    for key, name in enumerate(OPEN_KEYS):
        values = sorted(shot.eta[key] for shot in shots if shot.kind == "key" and shot.key == key)
        low = -1 if name in SIGNED_KEYS else -0.35 if name.startswith("lid_") else 0
        assert len(values) == 4 and values[-1] == 1 and values[0] == pytest.approx(low or 0.25, abs=1e-6)
    assert all(shot.eta.max() == 1 for shot in shots[1:30] if shot.kind == "key")
    assert {shot.key for shot in shots if shot.kind == "gaze"} == {0, 1}


def test_the_same_seed_gives_the_same_mixtures():
    first, second = (list(benchmark.combined(np.random.default_rng(3), 5, 0.0)) for _ in range(2))
    assert all((a.eta == b.eta).all() and a.turn == b.turn for a, b in zip(first, second))


@pytest.mark.parametrize("cast", benchmark.CAST, ids=lambda cast: cast[0].name)
def test_the_crop_of_the_true_pose_lies_in_the_picture(cast):
    _, setting = cast
    for turn in ((0.0, 0.0, 0.0), (0.6, 0.1, 0.1)):
        rotation, translation, camera = benchmark.pose(setting, turn, benchmark.SIZE)
        crop = crop_of_pose(rotation, translation, camera)
        assert crop.side == pytest.approx(benchmark.FACE, rel=1e-6)
        corners = crop.to_image(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]))
        assert corners.min() > -6 and corners.max() < benchmark.SIZE + 6


@pytest.mark.slow
def test_two_pictures(tmp_path):
    """A head at rest and with its mouth open: both are taken, differ about the mouth, and are not taken twice."""
    person, setting = benchmark.CAST[1]
    opened = np.zeros(29)
    opened[OPEN_KEYS.index("jawOpen")] = 1
    turn = (float(np.radians(setting.yaw)), 0.0, 0.0)
    shots = [
        benchmark.Shot(kind, key, eta, np.zeros(2), turn)
        for kind, key, eta in (("neutral", -1, np.zeros(29)), ("key", OPEN_KEYS.index("jawOpen"), opened))
    ]
    assert benchmark.shoot(person, setting, shots, tmp_path, samples=1, size=SIZE) == 2
    pictures = []
    for i in range(2):
        image = bpy.data.images.load(str(benchmark.picture_path(tmp_path, i)))
        assert tuple(image.size) == (SIZE, SIZE)
        pictures.append(np.array(image.pixels[:]).reshape(SIZE, SIZE, 4)[::-1, :, :3])
    with np.load(tmp_path / "truth.npz") as truth:
        camera = benchmark.Camera(*truth["camera"][0])
        head = next(obj for obj in bpy.context.scene.objects if rig.is_rig(obj))
        jaw = rig.evaluated_vertices(head)[rig.rig_model(head).landmarks[[51, 57, 8]]]  # upper lip, lower, chin
        mouth = project(jaw @ truth["rotation"][1].T + truth["translation"][1], camera).mean(axis=0)
    changed = np.abs(pictures[0] - pictures[1]).mean(axis=2)
    row, column = np.mgrid[:SIZE, :SIZE]
    centre = (changed * np.stack([column, row])).sum(axis=(1, 2)) / changed.sum()
    np.testing.assert_allclose(centre, mouth, atol=0.15 * SIZE)
    assert benchmark.shoot(person, setting, shots, tmp_path, samples=1, size=SIZE) == 0


def test_pictures_of_other_shots_are_not_taken_for_these(tmp_path):
    person, setting = benchmark.CAST[0]
    shots = benchmark.sweeps(3, (0.0, 0.0, 0.0))
    np.savez(tmp_path / "truth.npz", **benchmark.truth(setting, benchmark.sweeps(4, (0.0, 0.0, 0.0))))
    with pytest.raises(InputError, match="other shots"):
        benchmark.shoot(person, setting, shots, tmp_path, samples=1, size=SIZE)
