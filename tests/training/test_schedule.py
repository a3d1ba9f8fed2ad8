"""The learning rate over a run, and averaged weights."""

import pytest
import torch
from torch import nn

from expnet.training.config import Optimizer, Schedule
from expnet.training.schedule import Rate, averaged

OPTIMIZER = Optimizer("sgd", learning_rate=1.0, batch=2, warmup=10)


def test_flat_then_decay():
    rate = Rate(OPTIMIZER, Schedule(decay=20), steps=100)
    assert [rate.at(s) for s in (0, 4, 9, 50, 80, 90, 99)] == pytest.approx([0.1, 0.5, 1, 1, 1, 0.5, 0.05])


def test_a_plateau_lowers_the_rate_and_is_remembered():
    schedule = Schedule("plateau", factor=0.1, patience=2)
    rate = Rate(OPTIMIZER, schedule, steps=100)
    rates = []
    for loss in (5.0, 4.0, 4.0, 4.1, 4.2, 3.0, 3.5, 3.5, 3.5):
        rate.saw(loss)
        rates.append(rate.at(50))
    assert rates == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01])
    later = Rate(OPTIMIZER, schedule, steps=200)
    later.restore(rate.state())
    assert later.at(50) == pytest.approx(0.01)


def test_averaged_weights_follow_soon_and_then_slowly():
    network = nn.Linear(1, 1, bias=False)
    average = averaged(network, 0.99)
    with torch.no_grad():
        network.weight.fill_(1.0)
    average.update_parameters(network)
    for _ in range(200):
        average.update_parameters(network)
    torch.testing.assert_close(average.module.weight, network.weight)
    with torch.no_grad():
        network.weight.fill_(2.0)
    average.update_parameters(network)
    assert average.module.weight.item() == pytest.approx(1 + 9 / 211, abs=1e-3)  # not 1.01 yet: the run is young


def test_without_averaging_the_weights_are_the_last():
    network = nn.Linear(2, 2)
    average = averaged(network, 0.0)
    for _ in range(3):
        with torch.no_grad():
            network.weight.normal_()
        average.update_parameters(network)
    torch.testing.assert_close(average.module.weight, network.weight)
