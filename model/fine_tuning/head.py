"""Training of the network's last two layers on features that do not change."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..array_types import BoolArray, FloatArray, IntArray
from ..face.semantics import mirror_open_eta
from ..networks.responses import Responses
from .material import Material
from .views import VIEWS, mirrored

STEPS, CHECK_EVERY, BATCH = 400, 20, 512
RATE = 3e-4
STAY = 0.2  # weight of the outputs besides eta, which stay as they are
MOTION = 5.0  # weight of the motion that squared errors lose: they pull doubtful readings to the mean
PULL = 1.0  # towards the weights from before
LEAST_SLOPE = 0.1  # of a response: flat parts still learn


class Head(nn.Module):
    """``hidden`` and ``closer_head`` of GlimpseNet: from inputs (B, N) to corrections (B, C)."""

    def __init__(self, hidden: nn.Linear, last: nn.Linear) -> None:
        super().__init__()
        self.hidden = _copy(hidden)
        self.closer_head = _copy(last)

    def forward(self, inputs: Tensor) -> Tensor:
        corrections: Tensor = self.closer_head(F.silu(self.hidden(inputs)))
        return corrections


def _copy(layer: nn.Linear) -> nn.Linear:
    copy = nn.Linear(layer.in_features, layer.out_features)
    copy.load_state_dict(layer.state_dict())
    return copy


class Curves:
    """Response curves on tensors; without responses they are straight."""

    def __init__(self, responses: Responses | None) -> None:
        self._tables: tuple[Tensor, Tensor, Tensor] | None = None
        if responses is not None:
            read, shown = (torch.tensor(v, dtype=torch.float32) for v in (responses.read, responses.shown))
            slopes = F.pad((shown[:, 1:] - shown[:, :-1]) / (read[:, 1:] - read[:, :-1]), (1, 1), value=1.0)
            self._tables = read, shown, slopes

    def __call__(self, eta: Tensor) -> Tensor:
        if self._tables is None:
            return eta
        read, shown, slopes = self._tables
        segment = (read < eta.detach()[:, :, None]).sum(2)
        keys, knot = torch.arange(len(read)), (segment - 1).clamp(min=0)
        slope = slopes[keys, segment]
        exact = shown[keys, knot] + slope * (eta - read[keys, knot])
        steep = eta * slope.clamp(min=LEAST_SLOPE)
        return steep + (exact - steep).detach()


def trained(
    head: Head, material: Material, responses: Responses | None, seed: int, report: Callable[[int, int], None]
) -> tuple[Head, int]:
    """Train a copy on the training frames; return that of the best step on the validation frames, and this step."""
    torch.manual_seed(seed)
    keys = material.label.shape[1]
    curves = Curves(responses)
    targets = torch.from_numpy(
        np.stack([mirror_open_eta(material.label) if mirrored(i) else material.label for i in range(VIEWS)], 1)
    ).float()
    inputs, before = torch.from_numpy(material.inputs), torch.from_numpy(material.before)
    pupil = Head(head.hidden, head.closer_head)
    first = [p.detach().clone() for p in pupil.parameters()]
    with torch.no_grad():
        old = before + head(inputs)

    def rows_of(mask: BoolArray) -> tuple[Tensor, ...]:
        chosen = torch.from_numpy(np.flatnonzero(mask))
        return tuple(v[chosen].flatten(0, 1) for v in (inputs, before, targets, old))

    learn, check = rows_of(material.train), rows_of(material.validation)
    optimiser = torch.optim.Adam(pupil.parameters(), RATE)
    best, best_step, best_state = float("inf"), 0, {k: v.clone() for k, v in pupil.state_dict().items()}
    for step in range(STEPS + 1):
        if step % CHECK_EVERY == 0:
            report(step, STEPS)
            with torch.no_grad():
                error = float((curves((check[1] + pupil(check[0]))[:, :keys]) - check[2]).square().mean())
            if error < best:
                best, best_step = error, step
                best_state = {k: v.clone() for k, v in pupil.state_dict().items()}
        if step == STEPS:
            break
        chosen = torch.randint(len(learn[0]), (BATCH,))
        x, base, wanted, was = (v[chosen] for v in learn)
        out = base + pupil(x)
        shown = curves(out[:, :keys])
        loss = (shown - wanted).square().mean() + MOTION * _lost_motion(shown, wanted)
        loss = loss + STAY * (out[:, keys:] - was[:, keys:]).square().mean()
        far = sum(((p - q).square().sum() for p, q in zip(pupil.parameters(), first)), torch.zeros(()))
        loss = loss + PULL * far / sum(q.square().sum() for q in first)
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / CHECK_EVERY) * (1 - step / STEPS)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    pupil.load_state_dict(best_state)
    return pupil, best_step


def _lost_motion(shown: Tensor, wanted: Tensor) -> Tensor:
    """Return how much the slope of ``shown`` on ``wanted`` (B, Ke) differs from 1, in squared units of the keys."""
    true = wanted - wanted.mean(0)
    spread = true.square().mean(0).clamp(min=1e-5)
    slope = ((shown - shown.mean(0)) * true).mean(0) / spread
    return ((slope - 1).square() * spread).mean()


def corrected(head: Head, material: Material, rows: IntArray) -> FloatArray:
    """Return the raw eta (M, VIEWS, Ke) of some frames."""
    with torch.no_grad():
        out = torch.from_numpy(material.before[rows]) + head(torch.from_numpy(material.inputs[rows]))
    eta: FloatArray = out[..., : material.label.shape[1]].numpy().astype(np.float64)
    return eta
