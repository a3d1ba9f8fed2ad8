"""What a network says of a mirror image is what the mirrored labels of the picture say."""

from __future__ import annotations

import numpy as np
import pytest

from expnet.model.face.dense_points import DENSE
from expnet.model.networks.architectures import POINTS, CompactConfig, output_widths
from expnet.model.networks.glimpse_order import GLIMPSE_ORDER
from expnet.model.networks.mirror_image import mean_of_both, of_the_picture

FACES = 3


@pytest.fixture
def outputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    widths = {**output_widths(CompactConfig()), "points": 2 * POINTS}
    return {name: rng.normal(0.5, 0.2, (FACES, width)).astype(np.float32) for name, width in widths.items()}


def test_twice_mirrored_is_unchanged(outputs: dict[str, np.ndarray]) -> None:
    again = of_the_picture(of_the_picture(outputs))
    for name, value in outputs.items():
        np.testing.assert_allclose(again[name], value, atol=1e-6, err_msg=name)


def test_outputs_are_mirrored_as_labels_are(outputs: dict[str, np.ndarray]) -> None:
    """The labels of a mirrored training picture are those of the picture, mirrored by ``training.dataset``."""
    pytest.importorskip("torch")
    from expnet.training.dataset import mirrored_labels

    dense = np.random.default_rng(1).random((FACES, DENSE, 2), np.float32)
    landmarks = outputs["landmarks"].reshape(FACES, -1, 2)
    labels = {**outputs, "landmarks": landmarks, "points": dense, "visible": np.ones(landmarks.shape[:2])}
    points = np.concatenate([landmarks, dense], 1)[:, list(GLIMPSE_ORDER)]
    found = of_the_picture({**outputs, "points": points.reshape(FACES, -1)})
    wanted = mirrored_labels(labels)
    for name in ("eta", "gaze", "rotation", "crop", "alpha"):
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-6, err_msg=name)
    np.testing.assert_allclose(found["landmarks"], wanted["landmarks"].reshape(FACES, -1), atol=1e-6)
    mirrored = np.concatenate([wanted["landmarks"], wanted["points"]], 1)[:, list(GLIMPSE_ORDER)]
    np.testing.assert_allclose(found["points"], mirrored.reshape(FACES, -1), atol=1e-6)


def test_variances_of_left_and_right_are_exchanged_and_keep_their_sign(outputs: dict[str, np.ndarray]) -> None:
    found = of_the_picture(outputs)
    np.testing.assert_array_equal(np.sort(found["eta_log_variance"]), np.sort(outputs["eta_log_variance"]))
    np.testing.assert_array_equal(found["face"], outputs["face"])


def test_the_mean_of_both_is_in_the_order_of_the_outputs(outputs: dict[str, np.ndarray]) -> None:
    mean = mean_of_both(outputs, of_the_picture(outputs))
    assert list(mean) == list(outputs)
    for name, value in outputs.items():
        np.testing.assert_allclose(mean[name], value, atol=1e-6, err_msg=name)
