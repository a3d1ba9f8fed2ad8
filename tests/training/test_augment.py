"""Changes to pictures on their way into the network."""

import numpy as np
import pytest
import torch

from expnet.training.augment import Augment, as_augmented_input
from expnet.training.dataset import as_input
from expnet.training.synthetic.degrade import SMALLEST


@pytest.fixture
def images() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randint(0, 256, (64, 32, 32, 3), dtype=torch.uint8)


def augmented(images: torch.Tensor, **given: float) -> torch.Tensor:
    return as_augmented_input(images, np.random.default_rng(0), Augment(**given))


def test_without_anything_asked_pictures_are_as_they_are(images):
    torch.testing.assert_close(augmented(images), as_input(images), atol=1e-5, rtol=0)


def test_input_stays_in_range_and_channels_last(images):
    x = augmented(images, gain=0.5, colour=0.3, curve=0.5, offset=0.2, grey=0.3, erase=0.3)
    assert x.shape == (64, 3, 32, 32) and x.is_contiguous(memory_format=torch.channels_last)
    assert x.min() >= -1 and x.max() <= 1


def test_gain_changes_pictures_apart_and_not_their_colours(images):
    change = (augmented(images, gain=0.2) + 1).mean((2, 3)) / (as_input(images) + 1).mean((2, 3))
    darker = change.mean(1) < 0.9  # brighter ones are cut at white
    assert darker.sum() > 5 and change.mean(1).std() > 0.05
    assert (change[darker] - change[darker].mean(1, keepdim=True)).abs().max() < 1e-4


def test_colour_changes_channels_apart(images):
    change = (augmented(images, colour=0.1) + 1).mean((2, 3)) / (as_input(images) + 1).mean((2, 3))
    assert change.std(1).mean() > 0.03


def test_the_curve_keeps_black_white_and_the_order_of_tones():
    ramp = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(64, -1, -1, 3)
    tones = augmented(ramp, curve=0.6).permute(0, 2, 3, 1)[..., 0].flatten(1)
    torch.testing.assert_close(tones[:, [0, -1]], torch.tensor([[-1.0, 1.0]]).expand(64, 2), atol=1e-5, rtol=0)
    assert (tones.diff(dim=1) > 0).all() and tones[:, 128].std() > 0.1


def test_a_share_is_grey_and_a_share_is_covered(images):
    grey = augmented(images, grey=0.5)
    without_colour = (grey - grey.mean(1, keepdim=True)).abs().amax((1, 2, 3)) < 1e-6
    assert 20 < without_colour.sum() < 44
    covered = (augmented(images, erase=0.5) - as_input(images)).abs().amax((1, 2, 3)) > 1e-3
    assert 20 < covered.sum() < 44


def test_a_share_keeps_the_detail_of_a_face_far_away():
    stripes = (torch.arange(128) % 2 * 255).to(torch.uint8).view(1, 1, 128, 1).expand(64, 128, -1, 3)
    contrast = augmented(stripes, small=0.5).std((1, 2, 3))
    assert 20 < (contrast < 0.9).sum() < 44, "what no small picture can hold is gone"
    ramp = torch.arange(128, dtype=torch.uint8).view(1, 1, 128, 1).expand(64, 128, -1, 3)
    flat = 0.5 * 128 / SMALLEST  # pixels at the border, half of the smallest picture's first one, have no slope
    torch.testing.assert_close(augmented(ramp, small=1.0), as_input(ramp), atol=1.2 * flat * 2 / 255, rtol=0)
