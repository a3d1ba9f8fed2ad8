"""The architectures of the open networks, independent of the engine: sizes, outputs and the glimpses' places.

torch (``torch_engine/``, for training and the full engine) and OpenCV (``opencv_engine/``) both use this module.
Needs numpy only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ..array_types import FloatArray

C = TypeVar("C")


def as_config(kind: type[C], config: C | Mapping[str, Any]) -> C:
    """Return ``config`` itself, or the config that a mapping describes, with JSON's and TOML's lists as tuples.

    Raises TypeError for names that ``kind`` does not have.
    """
    if isinstance(config, Mapping):
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in config.items()})
    return config


# --- CompactNet -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CompactConfig:
    """``size`` input pixels (a multiple of 32), ``channels`` of the stem and the four stages, ``blocks`` per stage."""

    size: int = 96
    channels: tuple[int, int, int, int, int] = (24, 32, 64, 128, 256)
    blocks: tuple[int, int, int, int] = (1, 2, 2, 2)
    expression: int = 29
    identity: int = 99
    landmarks: int = 70  # iBUG's 68 and the two pupils


# iBUG's number of each row of the output ``landmarks``, then the two pupils. The networks learned from a head on which
# 61 and 67, and 63 and 65, were exchanged; the order of a network's outputs stays as it is in its weights.
LANDMARK_ROWS = (*range(61), 67, 62, 65, 64, 63, 66, 61, 68, 69)


def output_widths(config: CompactConfig) -> dict[str, int]:
    """Return names and widths of the outputs, in order.

    eta (29), gaze (2: yaw, pitch, radians), rotation (6: first two columns of the rotation seen in the given crop),
    crop (3: dx, dy, log_scale to the face's own crop, as ``camera.Crop.offset_to``; its angle is the rotation's
    roll), alpha (99), landmarks (70 x 2 in the unit crop, in the order of ``LANDMARK_ROWS``; a training aid),
    eta_log_variance (29), face (1 logit).
    """
    return {
        "eta": config.expression,
        "gaze": 2,
        "rotation": 6,
        "crop": 3,
        "alpha": config.identity,
        "landmarks": 2 * config.landmarks,
        "eta_log_variance": config.expression,
        "face": 1,
    }


def split_outputs(outputs: FloatArray, widths: Mapping[str, int]) -> dict[str, FloatArray]:
    """Return outputs (…, N) by name, as views."""
    found, start = {}, 0
    for name, width in widths.items():
        found[name] = outputs[..., start : start + width]
        start += width
    return found


def ibug_landmarks(outputs: FloatArray, widths: Mapping[str, int]) -> FloatArray:
    """Return iBUG's 68 landmarks and the pupils (…, 70, 2) in the unit crop, from outputs (…, N) with ``landmarks``."""
    rows = split_outputs(outputs, widths)["landmarks"]
    return rows.reshape(*outputs.shape[:-1], -1, 2)[..., list(LANDMARK_ROWS), :]


# --- GlimpseNet -----------------------------------------------------------------------------------------------------

# The points that a glimpse locates: iBUG's points (of the right eye; the left glimpse is mirrored) and the pupil,
# then dense points of the skin: 12 on the upper lid, 12 on the lower, 12 on the brow; 56 on the lips.
RIGHT_EYE = (36, 37, 38, 39, 40, 41, 17, 18, 19, 20, 21, 68)
LEFT_EYE = (45, 44, 43, 42, 47, 46, 26, 25, 24, 23, 22, 69)
MOUTH = (*range(48, 68), *range(31, 36), 7, 8, 9)
EYE_DENSE, MOUTH_DENSE = 36, 56
EYE_POINTS, MOUTH_POINTS = len(RIGHT_EYE) + EYE_DENSE, len(MOUTH) + MOUTH_DENSE
POINTS = 2 * EYE_POINTS + MOUTH_POINTS

# Groups of points: the map's features are averaged over each group's points.
EYE_GROUPS = (
    (0, 5), (1, 2), (3, 4), (6, 7, 8), (8, 9, 10), (11,), range(12, 24), range(24, 36), range(36, 48),
)  # fmt: skip
MOUTH_GROUPS = (
    (0, 12), (6, 16), range(1, 6), range(7, 12), (13, 14, 15), (17, 18, 19), range(20, 25), range(25, 28),
    range(28, 56), range(56, 84),
)  # fmt: skip

# The landmarks whose mean is the centre of each glimpse: the right eye's, the left eye's, the outer lips'.
MIDDLES = range(36, 42), range(42, 48), range(48, 60)

# Sides of the glimpses, and the step from the eye up to the centre between it and the brow, in sides of the face's
# own crop (200 mm).
EYE_SIDE, MOUTH_SIDE, EYE_TO_MIDDLE = 0.36, 0.5, 0.05
PLACE_SCALE = 6  # of the points' places in the head's input
REACH = 1.25  # the maps also cover points a little outside of the glimpse


@dataclass(frozen=True)
class GlimpseConfig:
    """The sizes of GlimpseNet.

    ``size`` is the input in pixels; the whole is seen at half of it, so it is a multiple of 64. ``channels`` and
    ``blocks`` describe the look at the whole (``CompactConfig``). ``glimpse`` is the side of a glimpse in pixels,
    ``width`` its channels, ``hidden`` the units of the head. ``closer_identity``: the glimpses correct alpha, too.
    """

    size: int = 128
    channels: tuple[int, int, int, int, int] = (24, 32, 64, 128, 256)
    blocks: tuple[int, int, int, int] = (1, 2, 2, 2)
    glimpse: int = 48
    stem: int = 24
    width: int = 64
    hidden: int = 384
    closer_identity: bool = False
    expression: int = 29
    identity: int = 99
    landmarks: int = 70

    @property
    def whole(self) -> CompactConfig:
        return CompactConfig(self.size // 2, self.channels, self.blocks, self.expression, self.identity, self.landmarks)


def corrected_outputs(config: GlimpseConfig) -> tuple[str, ...]:
    """Return the outputs that the glimpses correct, in the order of their corrections."""
    return ("eta", "gaze", "eta_log_variance", *(("alpha",) if config.closer_identity else ()))


def outputs_for_person(config: Any) -> dict[str, int]:
    """Return names and widths of the input of ``person.PersonReader``: a network's outputs and the glimpses' points."""
    if isinstance(config, GlimpseConfig):
        return {**output_widths(config.whole), "points": 2 * POINTS}
    return output_widths(config)


# --- FinderNet ------------------------------------------------------------------------------------------------------

CELL = 8  # side in pixels of the square that one output covers
GRAIN = 16  # a picture's sides are multiples of it
UNIT_SIDE = 40.0
FINDER_OUTPUTS = 6


@dataclass(frozen=True)
class FinderConfig:
    """The sizes of FinderNet.

    ``channels`` of the stem (half of the picture's side) and of the stages at a 4th, 8th and 16th; ``blocks`` of the
    three stages.
    """

    channels: tuple[int, int, int, int] = (16, 24, 48, 88)
    blocks: tuple[int, int, int] = (1, 2, 2)
