"""GlimpseNet, the open pack's network: one coarse look at the whole face, then a close one at each eye and the mouth.

Not the paper's ResNet-101 (that is the official pack). CompactNet sees the crop at half its size and says where eyes
and mouth lie; three glimpses are cut there at full size, turned upright, the left eye mirrored so that one set of
weights learns both. In each glimpse points of lids, brows, pupil and lips are found as the centre of mass of a map
("integral regression", Sun et al. 2018), which learns to a pixel within minutes what averaged features take hours for;
eta is read from where the points lie, from what is seen at them, and from the whole.

Input and output as CompactNet's: (B, 3, size, size) float, BGR, x / 127.5 - 1, to (B, OUT), split by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..architectures import (
    EYE_GROUPS,
    EYE_POINTS,
    EYE_SIDE,
    EYE_TO_MIDDLE,
    MOUTH_GROUPS,
    MOUTH_POINTS,
    MOUTH_SIDE,
    POINTS,
    REACH,
    GlimpseConfig,
    as_config,
    output_widths,
)
from .compact import CompactNet, ResidualBlock, rotation_matrix

# The share of the expression's gradient that reaches the glimpses' convolutions. They learn from points, which say
# exactly what to change; at full share the noise of the expression's gradient made that three times slower.
LEAK = 0.1


class Seen(NamedTuple):
    """``raw`` (B, OUT), the pooled ``features`` of the whole (B, C), the glimpses' ``points`` (B, POINTS, 2) in the
    unit crop (right eye, left eye, mouth), and ``closer`` (B, N), what the head reads of the glimpses."""

    raw: Tensor
    features: Tensor
    points: Tensor
    closer: Tensor


class GlimpseNet(nn.Module):
    def __init__(self, config: GlimpseConfig | Mapping = GlimpseConfig()) -> None:  # noqa: B008 - frozen
        super().__init__()
        self.config = config = as_config(GlimpseConfig, config)
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
        self.closer_head = nn.Linear(c.hidden, 2 * c.expression + 2)  # corrections of eta, gaze and eta_log_variance
        nn.init.zeros_(self.closer_head.weight)
        nn.init.zeros_(self.closer_head.bias)
        cells = (torch.arange(c.glimpse // 4) + 0.5) / (c.glimpse // 4) - 0.5
        pixels = (torch.arange(c.glimpse) + 0.5) / c.glimpse - 0.5
        self.register_buffer("cells", REACH * torch.cartesian_prod(cells, cells).flip(1), persistent=False)
        self.register_buffer("pixels", torch.cartesian_prod(pixels, pixels).flip(1), persistent=False)
        self.register_buffer("eye_groups", _averages(EYE_GROUPS, EYE_POINTS), persistent=False)
        self.register_buffer("mouth_groups", _averages(MOUTH_GROUPS, MOUTH_POINTS), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.look(x).raw

    def look(self, x: Tensor) -> Seen:
        """All that is seen in ``x``; what is between the convolutions is computed in float32."""
        features = self.whole.features(F.avg_pool2d(x, 2))
        with torch.autocast(x.device.type, enabled=False):
            raw = self.whole.head(features)
            frames, centres, layout = self._places(self.split(raw.detach()))
            glimpses = self._cut(x.float(), frames, centres).to(x.dtype)
        seen = self.blocks(self.stem(glimpses.contiguous(memory_format=torch.channels_last)))
        eyes, mouth = seen.split([2 * len(x), len(x)])
        eye_map, mouth_map = self.eye_map(eyes).float(), self.mouth_map(mouth).float()
        with torch.autocast(x.device.type, enabled=False):
            eye_points, eye_closer = self._read(eye_map, eyes.float(), self.eye_groups)
            mouth_points, mouth_closer = self._read(mouth_map, mouth.float(), self.mouth_groups)
            local = (*eye_points.chunk(2), mouth_points)
            closer = torch.cat([*eye_closer.chunk(2), mouth_closer, layout], 1)
            correction = self.closer_head(F.silu(self.hidden(self.norm(torch.cat([features, closer], 1)))))
            keys = self.config.expression
            parts = {
                "eta": correction[:, :keys],
                "gaze": correction[:, keys : keys + 2],
                "eta_log_variance": correction[:, keys + 2 :],
            }
            raw = torch.cat([v + parts[k] if k in parts else v for k, v in self.split(raw).items()], 1)
            points = [
                p @ frame.transpose(1, 2) + c[:, None] for p, frame, c in zip(local, frames, centres, strict=True)
            ]
            return Seen(raw, features, torch.cat(points, 1), closer)

    def _places(self, whole: dict[str, Tensor]) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Where the glimpses lie: for the right eye, the left and the mouth the matrix (B, 2, 2) from the glimpse
        (-0.5…0.5, y down) to the unit crop and the centre (B, 2); and their layout as six numbers."""
        points = whole["landmarks"].unflatten(1, (-1, 2))
        rotation = rotation_matrix(whole["rotation"])
        roll = torch.atan2(rotation[:, 0, 1] - rotation[:, 1, 0], rotation[:, 0, 0] + rotation[:, 1, 1])
        side = torch.exp(whole["crop"][:, 2].clamp(-1, 1))[:, None]
        cos, sin = torch.cos(roll)[:, None], torch.sin(roll)[:, None]
        right, down = torch.cat([cos, sin], 1), torch.cat([-sin, cos], 1)
        eyes = [points[:, a : a + 6].mean(1) - EYE_TO_MIDDLE * side * down for a in (36, 42)]
        mouth = points[:, 48:60].mean(1)
        frames = [
            torch.stack([mirror * right, down], 2) * (side * across)[..., None]
            for mirror, across in ((1, EYE_SIDE), (-1, EYE_SIDE), (1, MOUTH_SIDE))
        ]
        layout = torch.cat([(mouth - (eyes[0] + eyes[1]) / 2) / side, (eyes[1] - eyes[0]) / side, cos, sin], 1)
        return frames, [*eyes, mouth], layout

    def _cut(self, x: Tensor, frames: list[Tensor], centres: list[Tensor]) -> Tensor:
        """(3 B, 3, glimpse, glimpse): all right eyes, all left ones, all mouths."""
        side = self.config.glimpse
        where = torch.cat(
            [self.pixels @ frame.transpose(1, 2) + c[:, None] for frame, c in zip(frames, centres, strict=True)]
        )
        grid = (2 * where - 1).view(3, len(x), side, side, 2)
        return torch.cat([F.grid_sample(x, g, align_corners=False) for g in grid])

    def _read(self, maps: Tensor, seen: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
        """Points (B, P, 2) in the glimpse and, as (B, …), what is seen at each group of them and where they are."""
        weights = maps.flatten(2).softmax(-1)
        held, looked = weights, seen.flatten(2)
        if self.training:
            held, looked = (torch.lerp(v.detach(), v, LEAK) for v in (held, looked))
        at_groups = (groups @ held) @ looked.transpose(1, 2)
        return weights @ self.cells, torch.cat([at_groups.flatten(1), 6 * (held @ self.cells).flatten(1)], 1)

    def split(self, raw: Tensor) -> dict[str, Tensor]:
        """The outputs by name, each (B, width)."""
        widths = output_widths(self.config.whole)
        return dict(zip(widths, raw.split(list(widths.values()), dim=-1), strict=True))


def _averages(groups: tuple, points: int) -> Tensor:
    """(groups, points): each row the average over one group."""
    matrix = torch.zeros(len(groups), points)
    for row, group in zip(matrix, groups, strict=True):
        row[list(group)] = 1 / len(group)
    return matrix
