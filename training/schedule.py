"""The optimiser, its learning rate at every step, and the averaged weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .config import Optimizer, Schedule
from .muon import MuonAndAdamW


def make_optimizer(model: nn.Module, config: Optimizer) -> torch.optim.Optimizer:
    parameters = model.parameters()
    if config.name == "muon":
        return MuonAndAdamW(list(model.named_parameters()), config.learning_rate, config.weight_decay)
    if config.name == "sgd":
        return torch.optim.SGD(
            parameters, config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay
        )
    betas = (config.momentum, 0.999)
    return torch.optim.AdamW(parameters, config.learning_rate, betas=betas, weight_decay=config.weight_decay)


class Rate:
    """The learning rate at each step.

    Of the two kinds only ``plateau`` has a state: the lowest held-out loss, the number of evaluations since, and the
    factor reached.
    """

    def __init__(self, optimizer: Optimizer, schedule: Schedule, steps: int) -> None:
        self.optimizer, self.schedule, self.steps = optimizer, schedule, steps
        self.lowest, self.waited, self.factor = float("inf"), 0, 1.0

    def at(self, step: int) -> float:
        share = min(1.0, (step + 1) / max(self.optimizer.warmup, 1))
        if self.schedule.kind == "plateau":
            share *= self.factor
        elif self.schedule.decay:
            share = min(share, (self.steps - step) / self.schedule.decay)
        return self.optimizer.learning_rate * share

    def saw(self, held_out_loss: float) -> None:
        """Update the state after an evaluation."""
        self.waited += 1
        if held_out_loss < self.lowest:
            self.lowest, self.waited = held_out_loss, 0
        elif self.waited > self.schedule.patience:
            self.factor, self.waited = self.factor * self.schedule.factor, 0

    def state(self) -> dict[str, Any]:
        return {"lowest": self.lowest, "waited": self.waited, "factor": self.factor}

    def restore(self, state: dict[str, Any]) -> None:
        self.lowest, self.waited, self.factor = state["lowest"], state["waited"], state["factor"]


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """Make an exponential moving average that soon forgets its random start: at step n, over the last n/10 or so."""
    return AveragedModel(network, multi_avg_fn=_averaging(decay), use_buffers=True)


def _averaging(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor | int], None]:
    def average(means: list[Tensor], new: list[Tensor], n: Tensor | int) -> None:
        """In place; all of one kind of number, all tensors at once."""
        if means[0].is_floating_point():
            torch._foreach_lerp_(means, new, 1 - min(decay, (1 + int(n)) / (10 + int(n))))
        else:
            torch._foreach_copy_(means, new)

    return average
