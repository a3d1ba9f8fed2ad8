"""The order of GlimpseNet's points: what the network finds in a mirrored eye is the same as in the other."""

import numpy as np
import torch

from expnet.model.face.semantics import LANDMARK_MIRROR
from expnet.model.formats import open_face_model
from expnet.model.networks.architectures import EYE_POINTS, LEFT_EYE, RIGHT_EYE
from expnet.model.networks.torch_engine.glimpse import GlimpseNet
from expnet.training.glimpse_points import ORDER, GlimpseScales, true_points
from expnet.training.synthetic.surface import build_surface


def test_the_left_eyes_points_are_the_rights_in_a_mirror():
    model = open_face_model("open")
    surface = build_surface(model)
    pupils = [model.neutral[model.regions[f"eyeball_{side}"]].mean(0) for side in "RL"]
    places = np.concatenate([model.neutral[model.landmarks], pupils, model.neutral[surface.dense]])[ORDER]
    right, left, mouth = np.split(places, [EYE_POINTS, 2 * EYE_POINTS])
    # dense points are exact mirror images, iBUG's landmarks were chosen on either side by themselves
    np.testing.assert_allclose(left[12:] * [-1, 1, 1], right[12:], atol=0.01)
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=4)
    assert (right[:, 0] < 0).all() and (np.abs(mouth[:, 0]) < 45).all() and (mouth[:, 1] < 5).all()
    assert [int(LANDMARK_MIRROR[i]) for i in RIGHT_EYE] == list(LEFT_EYE)


def test_true_points_come_in_that_order_and_stay_unknown_where_a_shard_has_none():
    landmarks = torch.arange(70.0)[None, :, None].expand(2, -1, 2)
    points = torch.full((2, 192, 2), float("nan"))
    points[1] = torch.arange(70.0, 262.0)[:, None]
    truth = true_points({"landmarks": landmarks, "points": points})
    assert truth.shape == (2, len(ORDER), 2)
    assert torch.equal(truth[1, :, 0].long(), ORDER)
    assert truth[0].isnan().any() and not truth[1].isnan().any()


def test_scales_are_read_from_what_the_head_reads():
    network = GlimpseNet()
    assert GlimpseScales(network)(torch.randn(4, network.closer_width)).shape == (4, len(ORDER))
