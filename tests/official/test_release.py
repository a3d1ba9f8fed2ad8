"""The official release in full size, written by TensorFlow, through the command line to the networks' tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from expnet.expnet_addon.headless import main
from expnet.model.official.layouts import EXPRESSION, POSE, POSE_RESNET, SHAPE, Network
from expnet.model.official.weights import FILE, load_header, load_network

from .variables import STATISTICS, STATISTICS_IN_NPZ, content, newer_face_pose_net


@pytest.mark.parametrize("network", [EXPRESSION, SHAPE, POSE], ids=lambda network: network.name)
def test_every_tensor_is_what_tensorflow_wrote(imported: Path, network: Network) -> None:
    """ExpNet and FacePoseNet are V2 checkpoints there, the shape net is a V1."""
    tensors = load_network(imported, network.name)
    for ours, variable in network.layout().items():
        wanted = content(variable.name, variable.shape)
        np.testing.assert_array_equal(tensors[ours], variable.turned(wanted), err_msg=variable.name)


def test_the_newer_face_pose_net_is_put_together(imported: Path) -> None:
    """What was trained, from its own checkpoint, on top of the trunk that training began with."""
    trained = newer_face_pose_net()[1]
    tensors = load_network(imported, "pose_resnet")
    for ours, variable in POSE_RESNET.layout().items():
        salt = "trained" if variable.name in trained else "start"
        wanted = content(variable.name, variable.shape, salt=salt)
        np.testing.assert_array_equal(tensors[ours], variable.turned(wanted), err_msg=variable.name)
    np.testing.assert_array_equal(tensors["label_mean"][4:], np.array([110.9, 114.0], np.float32))


def test_means_and_units(imported: Path) -> None:
    wanted = STATISTICS["Shape_Model/3DMM_shape_mean.npy"].astype(np.float32)
    np.testing.assert_array_equal(load_network(imported, "shape")["mean_image"], wanted)
    units = STATISTICS_IN_NPZ["fpn_new_model/perturb_Oxford_train_labels_mean_std.npz"]
    pose = load_network(imported, "pose")
    np.testing.assert_array_equal(pose["label_std"], units["std_labels"].astype(np.float32))
    assert pose["mean_bgr"].shape == (3,)


def test_the_trunk_is_stored_once(imported: Path) -> None:
    header = load_header(imported)
    assert len({header.networks[name].trunk for name in ("expression", "shape", "pose_resnet")}) == 1
    assert len(header.sources) == 15  # two files for each of four V2 checkpoints, one for the V1, six with statistics


def test_what_the_user_is_told(
    release: Path, imported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import-weights", str(release), "--out", str(tmp_path), "--half"]) == 0
    said = capsys.readouterr().out
    assert "Expression_Model/ini_exprNet_model.ckpt.index" in said
    assert "PAM_frontal_ALexNet.npy: a pickle" in said
    assert "missing  BaselFaceModel_mod.mat" in said
    assert "have the same trunk" in said
    assert (tmp_path / FILE).stat().st_size < 0.55 * (imported / FILE).stat().st_size
