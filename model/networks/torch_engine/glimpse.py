"""GlimpseNet, the open pack's network: one coarse look at the whole face, then a close one at each eye and the mouth.

It is not the paper's ResNet-101 (that is the official pack). CompactNet sees the crop at half its size and locates
eyes and mouth. Three glimpses are cut there at full size and turned upright. The left eye is mirrored so that both
eyes share one set of weights. In each glimpse the points of lids, brows, pupil and lips are found as the centre of
mass of a map ("integral regression", Sun et al. 2018), which learns to a pixel within minutes; averaged features need
hours. eta is read from the places of the points, from the features at them, and from the whole.

Input and output as CompactNet's: (B, 3, size, size) float, BGR, x / 127.5 - 1, to (B, OUT), split by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..architectures import (
    EYE_GROUPS,
    EYE_POINTS,
    EYE_SIDE,
    EYE_TO_MIDDLE,
    MIDDLES,
    MOUTH_GROUPS,
    MOUTH_POINTS,
    MOUTH_SIDE,
    PLACE_SCALE,
    POINTS,
    REACH,
    GlimpseConfig,
    as_config,
    corrected_outputs,
)
from .compact import CompactNet, ResidualBlock, rotation_columns

# The share of the expression's gradient that reaches the glimpses' convolutions, for a start from random weights. They
# learn from points, whose gradient is exact. At full share, the noise of the other gradient made that three times as
# slow. A network that has learned to find the points gains from the full share.
LEAK = 0.1


class Seen(NamedTuple):
    """The outputs and intermediate features of GlimpseNet.

    ``raw`` (B, OUT), the pooled ``features`` of the whole (B, C), the glimpses' ``points`` (B, POINTS, 2) in the unit
    crop (right eye, left eye, mouth), and ``closer`` (B, N), the head's input from the glimpses.
    """

    raw: Tensor
    features: Tensor
    points: Tensor
    closer: Tensor


class GlimpseNet(nn.Module):
    def __init__(self, config: GlimpseConfig | Mapping[str, Any] = GlimpseConfig()) -> None:  # noqa: B008 - frozen
        super().__init__()
        self.config = config = as_config(GlimpseConfig, config)
        self.leak = LEAK
        c = config
        self.whole = CompactNet(c.whole)
        self.stem = nn.Sequential(
            nn.Conv2d(3, c.stem, 3, 2, 1, bias=False), nn.BatchNorm2d(c.stem), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(ResidualBlock(c.stem, c.width, 2), ResidualBlock(c.width, c.width, 1))
        self.eye_map, self.mouth_map = nn.Conv2d(c.width, EYE_POINTS, 1), nn.Conv2d(c.width, MOUTH_POINTS, 1)
        groups = 2 * len(EYE_GROUPS) + len(MOUTH_GROUPS)
        self.closer_width = groups * c.width + 2 * POINTS + 6
        self.norm = nn.BatchNorm1d(c.channels[4] + self.closer_width)
        self.hidden = nn.Linear(c.channels[4] + self.closer_width, c.hidden)
        self.corrected = {name: self.whole.widths[name] for name in corrected_outputs(c)}
        self.closer_head = nn.Linear(c.hidden, sum(self.corrected.values()))
        nn.init.zeros_(self.closer_head.weight)
        nn.init.zeros_(self.closer_head.bias)
        cells = (torch.arange(c.glimpse // 4) + 0.5) / (c.glimpse // 4) - 0.5
        pixels = (torch.arange(c.glimpse) + 0.5) / c.glimpse - 0.5  # of a row, or of a column
        sides = [[EYE_SIDE, EYE_SIDE], [-EYE_SIDE, EYE_SIDE], [MOUTH_SIDE, MOUTH_SIDE]]  # the left eye is mirrored
        self.halve = nn.AvgPool2d(2)
        self.register_buffer("cells", REACH * torch.cartesian_prod(cells, cells).flip(1), persistent=False)
        self.register_buffer("pixels", pixels[:, None], persistent=False)
        self.register_buffer("sides", torch.tensor(sides)[:, None, None], persistent=False)
        self.register_buffer("middles", _averages(MIDDLES, c.landmarks), persistent=False)
        self.register_buffer("lift", torch.tensor([EYE_TO_MIDDLE, EYE_TO_MIDDLE, 0.0])[:, None], persistent=False)
        self.register_buffer("eye_groups", _averages(EYE_GROUPS, EYE_POINTS), persistent=False)
        self.register_buffer("mouth_groups", _averages(MOUTH_GROUPS, MOUTH_POINTS), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self._closer(x, *self.first_look(x))[0]

    def look(self, x: Tensor) -> Seen:
        """Compute ``Seen`` for ``x``."""
        return self.closer_look(x, *self.first_look(x))

    def first_look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute ``features`` and ``raw`` from the whole; only ``corrected_outputs`` are not final."""
        features = self.whole.features(self.halve(x))
        with torch.autocast(x.device.type, enabled=False):
            return features, self.whole.head(features)

    def closer_look(self, x: Tensor, features: Tensor, raw: Tensor) -> Seen:
        """Compute ``Seen`` for ``x`` from its first look."""
        raw, features, closer, local, frames, centres = self._closer(x, features, raw)
        with torch.autocast(x.device.type, enabled=False):
            points = [p @ frame.mT + c[:, None] for p, frame, c in zip(local, frames, centres, strict=True)]
            return Seen(raw, features, torch.cat(points, 1), closer)

    def _closer(
        self, x: Tensor, features: Tensor, raw: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, list[Tensor], Tensor, Tensor]:
        """Compute ``Seen`` with points in the glimpses' frames, and the places of the glimpses.

        The steps between the convolutions run in float32.
        """
        with torch.autocast(x.device.type, enabled=False):
            frames, centres, layout = self._places(self.split(raw.detach()))
            glimpses = self._cut(x.float(), frames, centres).to(x.dtype)
        seen = self.blocks(self.stem(glimpses.contiguous(memory_format=torch.channels_last)))
        eyes, mouth = seen.split([2 * len(x), len(x)])
        eye_map, mouth_map = self.eye_map(eyes).float(), self.mouth_map(mouth).float()
        with torch.autocast(x.device.type, enabled=False):
            eye_points, eye_closer = self._read(eye_map, eyes.float(), self.eye_groups)
            mouth_points, mouth_closer = self._read(mouth_map, mouth.float(), self.mouth_groups)
            closer = torch.cat([*eye_closer.chunk(2), mouth_closer, layout], 1)
            correction = self.closer_head(F.silu(self.hidden(self.norm(torch.cat([features, closer], 1)))))
            change = dict(zip(self.corrected, correction.split(list(self.corrected.values()), 1), strict=True))
            outputs = self.split(raw).items()
            raw = torch.cat([value + change[name] if name in change else value for name, value in outputs], 1)
            return raw, features, closer, [*eye_points.chunk(2), mouth_points], frames, centres

    def _places(self, whole: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the places of the glimpses, and their layout as six numbers.

        For the right eye, the left and the mouth: the matrix (3, B, 2, 2) from the glimpse (-0.5…0.5, y down) to the
        unit crop and the centre (3, B, 2).
        """
        x, y = rotation_columns(whole["rotation"])
        roll = torch.atan2(y[:, 0] - x[:, 1], x[:, 0] + y[:, 1])
        cos, sin = torch.cos(roll)[:, None], torch.sin(roll)[:, None]
        side = torch.exp(whole["crop"][:, 2].clamp(-1, 1))[:, None]
        upright = torch.cat([cos, -sin, sin, cos], 1).view(-1, 2, 2) * side[..., None]  # columns: right and down
        eyes_and_mouth = self.middles @ whole["landmarks"].unflatten(1, (-1, 2))
        centres = (eyes_and_mouth - self.lift * upright[:, None, :, 1]).transpose(0, 1)
        right, left, mouth = centres
        layout = torch.cat([(mouth - (right + left) / 2) / side, (left - right) / side, cos, sin], 1)
        return upright * self.sides, centres, layout

    def _cut(self, x: Tensor, frames: Tensor, centres: Tensor) -> Tensor:
        """Cut (3 B, 3, glimpse, glimpse): all right eyes, all left ones, all mouths."""
        side = self.config.glimpse
        right, down = (2 * frames.transpose(0, 1)[:, :, None]).unbind(-1)  # from -1 to 1, as grid_sample takes them
        rows = self.pixels * down + (2 * centres.transpose(0, 1)[:, :, None] - 1)
        grid = rows[:, :, :, None] + (self.pixels * right)[:, :, None]  # (B, 3, side, side, 2)
        glimpses = F.grid_sample(x, grid.flatten(1, 2), align_corners=False)  # one below the other
        return glimpses.unflatten(2, (3, side)).permute(2, 0, 1, 3, 4).flatten(0, 1)

    def _read(self, maps: Tensor, seen: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
        """Return points (B, P, 2) in the glimpse and, as (B, …), the features at each group and the points' places."""
        weights = maps.flatten(2).softmax(-1)
        points = places = weights @ self.cells
        held, looked = weights, seen.flatten(2)
        if self.training:
            held, looked = (torch.lerp(v.detach(), v, self.leak) for v in (held, looked))
            places = held @ self.cells
        at_groups = (groups @ held) @ looked.transpose(1, 2)
        return points, torch.cat([at_groups.flatten(1), PLACE_SCALE * places.flatten(1)], 1)

    def split(self, raw: Tensor) -> dict[str, Tensor]:
        """Return the outputs by name, each (B, width)."""
        return self.whole.split(raw)


def with_all_corrections(network: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return ``tensors`` of a GlimpseNet that corrects fewer outputs than ``network``, with zeros for the others.

    ``corrected_outputs`` only grows at its end. Other networks' tensors are returned as they are.
    """
    filled, wanted = dict(tensors), network.state_dict()
    for name in {"closer_head.weight", "closer_head.bias"} & tensors.keys() & wanted.keys():
        missing = len(wanted[name]) - len(tensors[name])
        if missing > 0:
            filled[name] = torch.cat([tensors[name], wanted[name].new_zeros(missing, *tensors[name].shape[1:])])
    return filled


def _averages(groups: Sequence[Sequence[int]], points: int) -> Tensor:
    """Return (groups, points): each row the average over one group."""
    matrix = torch.zeros(len(groups), points)
    for row, group in zip(matrix, groups, strict=True):
        row[list(group)] = 1 / len(group)
    return matrix
