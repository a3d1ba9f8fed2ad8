"""Muon for convolutions: kernels move as matrices in place, all the rest as AdamW would move it."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from expnet.training.muon import NEWTON_SCHULZ_STEPS, WIDTH, Float32Muon, MuonAndAdamW


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(4, 8, 3, bias=False), nn.Flatten(), nn.Linear(8 * 36, 5))
    return layers.to(memory_format=torch.channels_last)


def one_step(layers: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    layers(torch.ones(2, 4, 8, 8)).square().sum().backward()
    optimizer.step()


def test_a_kernel_moves_in_every_direction_alike():
    """The change of a kernel, as a matrix, has nearly equal singular values: that is Muon."""
    layers = network()
    before = layers[0].weight.detach().clone()
    optimizer = MuonAndAdamW(list(layers.named_parameters()), rate=0.01, weight_decay=0.0)
    optimizer.zero_grad()
    layers(torch.randn(64, 4, 8, 8)).square().sum().backward()
    optimizer.step()
    change = (layers[0].weight.detach() - before).flatten(1)
    values = torch.linalg.svdvals(change)
    assert values.min() > 0.3 * values.max()
    # match_rms_adamw: about 0.2 of the rate per weight
    assert change.square().mean().sqrt() == pytest.approx(0.2 * 0.01, rel=0.5)


def test_wide_layers_get_a_smaller_share_of_the_rate():
    layers = network()
    optimizer = MuonAndAdamW(list(layers.named_parameters()), rate=0.01, weight_decay=0.0)
    shares = {g.get("share", 1.0) for g in optimizer.param_groups}
    assert shares == {1.0, WIDTH / (8 * 36)}


def test_a_saved_state_goes_on_as_if_nothing_had_happened():
    layers, other = network(), network()
    first = MuonAndAdamW(list(layers.named_parameters()), 0.01, 0.03)
    one_step(layers, first)
    second = MuonAndAdamW(list(other.named_parameters()), 0.01, 0.03)
    other.load_state_dict(layers.state_dict())
    second.load_state_dict(deepcopy(first.state_dict()))  # as through a file
    for network_, optimizer in ((layers, first), (other, second)):
        one_step(network_, optimizer)
    for a, b in zip(layers.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_kernels_must_lie_in_memory_as_muon_needs_them():
    layers = nn.Sequential(nn.Conv2d(4, 8, 3))
    with pytest.raises(ValueError, match="channels_last"):
        MuonAndAdamW(list(layers.named_parameters()), 0.01, 0.0)


@pytest.mark.parametrize("shape", [(12, 40), (40, 12)])
def test_in_32_bits_it_takes_the_steps_of_torchs_muon(shape: tuple[int, int]):
    torch.manual_seed(0)
    start, gradients = torch.randn(shape), torch.randn(3, *shape)
    ends = []
    for kind in (torch.optim.Muon, Float32Muon):
        matrix = nn.Parameter(start.clone())
        optimizer = kind([matrix], 0.1, weight_decay=0.03, ns_steps=NEWTON_SCHULZ_STEPS, adjust_lr_fn="match_rms_adamw")
        for gradient in gradients:
            matrix.grad = gradient.clone()
            optimizer.step()
        ends.append(matrix.detach())
    step = (ends[0] - start).abs().mean()
    assert (ends[1] - ends[0]).abs().mean() < 0.03 * step  # torch's are rounded to bfloat16's 8 bits
