"""GlimpseNet: where it looks closer, and that what it finds there means the same in the crop."""

import numpy as np
import pytest
import torch

from expnet.model.networks.architectures import (
    EYE_GROUPS,
    EYE_POINTS,
    MOUTH_GROUPS,
    MOUTH_POINTS,
    POINTS,
    output_widths,
)
from expnet.model.networks.torch_engine.glimpse import GlimpseNet, with_all_corrections

SIZE = 128


def upright_landmarks() -> torch.Tensor:
    """(70, 2) in the unit crop: eyes level and as far to the left as to the right of the middle, the mouth below."""
    points = torch.full((70, 2), 0.5)
    points[36:42] = torch.tensor([0.34, 0.4])
    points[42:48] = torch.tensor([0.66, 0.4])
    points[48:60] = torch.tensor([0.5, 0.72])
    return points


def turned(points: torch.Tensor, angle: float) -> torch.Tensor:
    """Points of a picture that is turned clockwise about its middle."""
    c, s = np.cos(angle), np.sin(angle)
    return (points - 0.5) @ torch.tensor([[c, s], [-s, c]], dtype=torch.float32) + 0.5


def seeing(points: torch.Tensor, lean: float = 0.0, log_scale: float = 0.0) -> GlimpseNet:
    """Return a network whose first look always gives these landmarks, this scale, and a head leaning by ``lean``."""
    network = GlimpseNet().eval()
    widths = output_widths(network.config.whole)
    answer = {name: torch.zeros(width) for name, width in widths.items()}
    answer["landmarks"] = points.flatten()
    c, s = np.cos(lean), np.sin(lean)
    answer["rotation"] = torch.tensor([c, -s, 0, s, c, 0], dtype=torch.float32)  # columns of the lean matrix
    answer["crop"] = torch.tensor([0.0, 0.0, log_scale])
    with torch.no_grad():
        network.whole.head.weight.zero_()
        network.whole.head.bias.copy_(torch.cat(list(answer.values())))
    return network


def glimpses(network: GlimpseNet, picture: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        raw = network.whole(torch.zeros(1, 3, 64, 64))
        frames, centres, _ = network._places(network.split(raw))
        return network._cut(picture[None], frames, centres)


def picture_of(function) -> torch.Tensor:
    """Return a grey picture (3, SIZE, SIZE) from a function of x and y in the unit crop."""
    at = (np.arange(SIZE) + 0.5) / SIZE
    x, y = np.meshgrid(at, at)
    return torch.from_numpy(np.broadcast_to(function(x, y), (3, SIZE, SIZE)).astype(np.float32).copy())


def test_outputs_are_those_of_the_whole_and_the_closer_look():
    network = GlimpseNet().eval()
    with torch.inference_mode():
        seen = network.look(torch.randn(2, 3, SIZE, SIZE))
    widths = output_widths(network.config.whole)
    assert {k: v.shape[1] for k, v in network.split(seen.raw).items()} == widths
    assert seen.points.shape == (2, POINTS, 2)
    assert seen.closer.shape == (2, network.closer_width)
    assert sum(p.numel() for p in network.parameters()) < 6e6


def test_untrained_corrections_leave_the_first_look_as_it_is():
    network = GlimpseNet().eval()
    x = torch.randn(2, 3, SIZE, SIZE)
    with torch.inference_mode():
        torch.testing.assert_close(network(x), network.whole(torch.nn.functional.avg_pool2d(x, 2)))


def test_training_can_add_the_correction_of_alpha_to_trained_weights():
    torch.manual_seed(0)
    trained, larger = GlimpseNet().eval(), GlimpseNet({"closer_identity": True}).eval()
    torch.nn.init.normal_(trained.closer_head.weight, std=0.1)
    larger.load_state_dict(with_all_corrections(larger, trained.state_dict()))
    x = torch.randn(2, 3, SIZE, SIZE)
    with torch.inference_mode():
        torch.testing.assert_close(larger(x), trained(x))
        torch.nn.init.ones_(larger.closer_head.bias)
        changed, same = larger.split(larger(x)), trained.split(trained(x))
    torch.testing.assert_close(changed["alpha"], same["alpha"] + 1)
    torch.testing.assert_close(changed["crop"], same["crop"])


@pytest.mark.parametrize("leak", [0.0, 0.1, 1.0])
def test_a_share_of_the_expressions_gradient_reaches_the_glimpses(leak: float):
    def gradient(leak: float) -> torch.Tensor:
        torch.manual_seed(0)
        network = GlimpseNet()
        torch.nn.init.normal_(network.closer_head.weight, std=0.1)
        network.leak = leak
        network.split(network(torch.randn(2, 3, SIZE, SIZE)))["eta"].square().sum().backward()
        return network.blocks[0].conv1.weight.grad

    full = gradient(1.0)
    assert full.abs().max() > 0
    torch.testing.assert_close(gradient(leak), leak * full, atol=1e-4 * float(full.abs().max()), rtol=0)


def test_a_mirrored_left_eye_looks_like_the_right_one():
    right, left, _ = glimpses(seeing(upright_landmarks()), picture_of(lambda x, y: np.abs(x - 0.5) * 3 + np.sin(9 * y)))
    torch.testing.assert_close(left, right, atol=1e-4, rtol=0)


@pytest.mark.parametrize("lean", [-0.5, 0.3])
def test_glimpses_turn_with_the_head(lean):
    def pattern(x, y):
        return np.sin(7 * x) + np.cos(11 * y)

    def turned_pattern(x, y):
        back = turned(torch.tensor(np.stack([x, y], -1), dtype=torch.float32), -lean).numpy()
        return pattern(back[..., 0], back[..., 1])

    upright = glimpses(seeing(upright_landmarks()), picture_of(pattern))
    leaning = glimpses(seeing(turned(upright_landmarks(), lean), lean), picture_of(turned_pattern))
    inside = slice(8, -8)  # corners may lie outside of one of the pictures
    torch.testing.assert_close(leaning[..., inside, inside], upright[..., inside, inside], atol=0.03, rtol=0)


def test_points_found_in_a_glimpse_are_points_of_the_crop():
    """A map that lights up one cell only: the point is that cell's place, mirrored for the left eye."""
    network = seeing(upright_landmarks(), log_scale=0.1)
    cell = (2, 9)  # row, column of 12 x 12
    maps = torch.full((1, EYE_POINTS, 12, 12), -40.0)
    maps[..., cell[0], cell[1]] = 40.0
    with torch.inference_mode():
        frames, centres, _ = network._places(network.split(network.whole(torch.zeros(1, 3, 64, 64))))
        local, _ = network._read(maps, torch.zeros(1, 64, 12, 12), network.eye_groups)
        right, left = (
            local @ frame.transpose(1, 2) + c[:, None] for frame, c in zip(frames[:2], centres, strict=False)
        )
    across = 1.25 * np.array([(cell[1] + 0.5) / 12 - 0.5, (cell[0] + 0.5) / 12 - 0.5]) * 0.36 * np.exp(0.1)
    eye = np.array([0.34, 0.4 - 0.05 * np.exp(0.1)])
    np.testing.assert_allclose(right[0, 0], eye + across, atol=1e-5)
    np.testing.assert_allclose(left[0, 0], [1 - (eye + across)[0], (eye + across)[1]], atol=1e-5)


def test_groups_name_every_point():
    assert {i for g in EYE_GROUPS for i in g} == set(range(EYE_POINTS))
    assert {i for g in MOUTH_GROUPS for i in g} == set(range(MOUTH_POINTS))
