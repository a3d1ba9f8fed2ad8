"""From photographs with landmark files to labels, training pictures and a network: the commands end to end, tiny."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.expnet_addon.headless import main
from expnet.model.builtin import OPEN
from expnet.model.camera import Camera, Crop, pose_of_crop, roll, roll_matrix
from expnet.model.errors import InputError
from expnet.model.formats import open_face_model, save_face_model
from expnet.model.networks.weights.open_pack import DATA
from expnet.model.performance.performance_files import load_performance
from expnet.model.rotations import rotation_of_columns
from expnet.model.sight.video import open_clip
from expnet.model.worker.chosen_estimator import EstimatorCache
from expnet.model.worker.messages import EstimatorOptions
from expnet.research.label.label import LabelOptions, label
from expnet.research.label.label_shards import load_labels, observed
from expnet.research.label.noise import in_sigmas
from expnet.research.label.subjects import pooled, subjects_of
from expnet.research.label.train_expnet import PAPER, TrainOptions, train_expnet
from expnet.research.label.training_shards import write_training_shards

FRAMES = (0, 20, 40, 60)
HEAD = open_face_model(OPEN)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> Path:
    """Frames of the demo clip, beside each the exact landmarks of its true head, and one picture without landmarks."""
    folder = tmp_path_factory.mktemp("photographs")
    truth = load_performance(DATA / "demo_clip_truth.npz")
    with open_clip(DATA / "demo_clip.mp4") as clip:
        images = {frame.index: frame.image for frame in clip}
    for i, at in enumerate(FRAMES):
        image = images[at]
        camera = Camera.for_image(image.shape[1], image.shape[0])
        shape = HEAD.neutral[HEAD.landmarks] + np.einsum("k,klc->lc", truth.eta[at], HEAD.expression[:, HEAD.landmarks])
        shape = shape + np.einsum("k,klc->lc", truth.alpha, HEAD.identity[:, HEAD.landmarks])
        placed = shape @ truth.rotation[at].T + truth.translation[at]
        scaled = camera.focal * placed[:, :2] / -placed[:, 2:]
        points = np.stack([camera.cx + scaled[:, 0], camera.cy - scaled[:, 1]], -1)
        person = folder / f"person{i // 2}"
        person.mkdir(exist_ok=True)
        cv2.imwrite(str(person / f"{at:03d}.png"), image)
        rows = "\n".join(f"{x + 1} {y + 1}" for x, y in points)
        (person / f"{at:03d}.pts").write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")
    cv2.imwrite(str(folder / "person0" / "without.png"), images[5])
    return folder


def options(photographs: Path, out: Path) -> LabelOptions:
    return LabelOptions(photographs, out, ".pts", "solved", "folder", 50.0)


@pytest.fixture(scope="module")
def labels(photographs: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("labels") / "out"
    summary = label(options(photographs, out))
    assert "4 of 5 images labelled, 2 subjects" in summary
    assert "without.pts" in summary
    return out


def test_every_usable_image_has_a_label_within_the_bounds(labels: Path, photographs: Path) -> None:
    found = load_labels(labels)
    assert [Path(str(p)).name for p in found.image] == [f"{at:03d}.png" for at in FRAMES]
    assert (found.eta >= HEAD.expression_bounds[:, 0] - 1e-6).all()
    assert (found.eta <= HEAD.expression_bounds[:, 1] + 1e-6).all()
    assert found.converged.all()
    with (labels / "labels.csv").open() as file:
        assert [row["image"] for row in csv.DictReader(file)] == [str(p) for p in found.image]


def test_one_persons_images_share_alpha(labels: Path) -> None:
    found = load_labels(labels)
    assert np.array_equal(found.alpha[0], found.alpha[1])
    assert not np.array_equal(found.alpha[0], found.alpha[2])


def test_a_stopped_run_continues_and_gives_the_same_labels(labels: Path, photographs: Path) -> None:
    before = load_labels(labels)
    (labels / "labels_00000.npz").unlink()
    readings = (labels / "readings_00000.npz").stat().st_mtime_ns
    label(options(photographs, labels))
    assert (labels / "readings_00000.npz").stat().st_mtime_ns == readings
    assert np.array_equal(load_labels(labels).eta, before.eta)


def test_labels_with_other_settings_are_refused(labels: Path, photographs: Path) -> None:
    with pytest.raises(InputError, match="another setting of pose"):
        label(replace(options(photographs, labels), pose="given"))


def test_training_pictures_hold_out_whole_people(labels: Path, tmp_path: Path) -> None:
    assert write_training_shards(labels, tmp_path, 64, "folder", 0) == (2, 2)
    with np.load(tmp_path / "seed0_shard00000.npz") as shard:
        assert shard["image"].shape == (2, 64, 64, 3)
        assert shard["eta"].shape == (2, 29)


def test_training_pictures_have_the_landmarks_and_the_pose_of_their_labels(labels: Path, tmp_path: Path) -> None:
    write_training_shards(labels, tmp_path, 64, "folder", 0)
    found, truth = load_labels(labels), load_performance(DATA / "demo_clip_truth.npz")
    points, cameras = observed(labels, found.image)
    with np.load(tmp_path / "seed0_shard00000.npz") as shard:
        rows = [int(np.abs(found.eta - eta).sum(1).argmin()) for eta in shard["eta"]]
        for landmarks, six, offset, row in zip(shard["landmarks"], shard["rotation"], shard["crop"], rows):
            crop = Crop(*map(float, found.crop[row]))
            assert np.allclose(crop.to_image(landmarks[:68].astype(np.float64)), points[row], atol=1e-3)
            own = crop.moved(*map(float, offset), 0)
            local = rotation_of_columns(six[None].astype(np.float64))[0]
            own = replace(own, angle=crop.angle + roll(local))
            turned, _ = pose_of_crop(roll_matrix(-roll(local)) @ local, cameras[row], own)
            assert np.allclose(turned, truth.rotation[FRAMES[row]], atol=0.05)


def test_labels_without_landmarks_cannot_train_a_network_that_places_them(labels: Path, tmp_path: Path) -> None:
    shutil.copytree(labels, tmp_path / "bare", ignore=shutil.ignore_patterns("readings*"))
    recipe = PAPER.parent / "labels_glimpse.toml"
    with pytest.raises(InputError, match="learns landmarks"):
        train_expnet(TrainOptions(tmp_path / "bare", tmp_path / "run", recipe, 1, 1, "folder", 0, False))


def test_a_single_person_cannot_be_held_out(labels: Path, tmp_path: Path) -> None:
    table = tmp_path / "subjects.csv"
    table.write_text("image,subject\n" + "\n".join(f"{at:03d}.png,anna" for at in FRAMES))
    with pytest.raises(InputError, match="one subject"):
        write_training_shards(labels, tmp_path / "data", 64, str(table), 0)


def test_a_folder_without_images_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no images"):
        label(options(tmp_path, tmp_path / "out"))


def test_a_table_without_an_image_is_one_line(tmp_path: Path) -> None:
    table = tmp_path / "subjects.csv"
    table.write_text("image,subject\nb.png,anna\n")
    with pytest.raises(InputError, match=r"a\.png"):
        subjects_of([Path("a.png")], str(table))


def test_alpha_is_pooled_by_confidence() -> None:
    alpha = np.array([[1.0], [4.0], [7.0]])
    assert pooled(alpha, np.array([1.0, 3.0, 0.5]), ["a", "a", "b"])[:, 0] == pytest.approx([3.25, 3.25, 7.0])


@pytest.mark.slow
def test_a_ray_cluster_reads_the_same_labels(labels: Path, photographs: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    label(replace(options(photographs, tmp_path / "out"), on_ray=True))
    here, there = load_labels(labels), load_labels(tmp_path / "out")
    assert [Path(str(name)).name for name in here.image] == [Path(str(name)).name for name in there.image]
    assert np.allclose(here.eta, there.eta, atol=1e-3)


def test_photographs_are_labelled_on_a_head_like_the_basel_face_model(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """29 dense components in sigma, without regions; alpha and pose of its own network, FacePoseNet's for instance."""
    dense = replace(in_sigmas(HEAD), name="basel-like", basis="expnet-29", regions={}, gaze_lids=None, uv=None)
    save_face_model(dense, tmp_path / "basel.npz", exact=True)
    truth = load_performance(DATA / "demo_clip_truth.npz")
    own = EstimatorCache().get(EstimatorOptions())

    class Official:
        """Reads the true alpha and poses of the demo clip, and looks for faces as the open network does."""

        basis, expression_keys, at_once, person, name = "expnet-29", dense.expression_keys, 1, None, "official"
        finding = own.finding

        def read(self, images, cameras, seen, boxes=None):
            read = own.read(images, cameras, seen, boxes)
            at = min(FRAMES, key=lambda i: np.abs(truth.rotation[i] - read.rotation[0]).sum())
            pose = {"rotation": truth.rotation[[at]], "translation": truth.translation[[at]]}
            names = {"basis": self.basis, "expression_keys": self.expression_keys}
            return replace(read, alpha=truth.alpha[None], **names, **pose)

    chosen = replace(options(photographs, tmp_path / "out"), weights="official")
    chosen = replace(chosen, face_model=str(tmp_path / "basel.npz"))
    with pytest.raises(InputError, match="give a pair"):
        label(replace(chosen, weights=OPEN))
    monkeypatch.setattr(EstimatorCache, "get", lambda *_: Official())
    shutil.rmtree(tmp_path / "out")
    for pose, most_mm in (("given", 1.0), ("solved", 1.5)):
        label(replace(chosen, pose=pose, out=tmp_path / pose))
        found = load_labels(tmp_path / pose)
        assert found.eta.shape == (4, 29)
        moved = np.einsum("nk,kvc->nvc", found.eta, dense.expression)[:, HEAD.landmarks]
        true = np.einsum("nk,kvc->nvc", truth.eta[list(FRAMES)], HEAD.expression)[:, HEAD.landmarks]
        assert np.linalg.norm(moved - true, axis=-1).mean() < min(most_mm, 0.6 * np.linalg.norm(true, axis=-1).mean())
    with pytest.raises(InputError, match="open head only"):
        train_expnet(TrainOptions(tmp_path / "given", tmp_path / "run", None, 1, 1, "folder", 0, False))


def test_an_address_without_a_cluster_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["research", "label", str(tmp_path), "--out", str(tmp_path / "out"), "--address", "a:1"]) == 2
    assert "add --cluster ray" in capsys.readouterr().err
