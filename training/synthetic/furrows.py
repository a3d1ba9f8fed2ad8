"""Furrows of the skin, and the keys that fold them (FACS; Ekman & Friesen 1978)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...model.array_types import AnyArray, FloatArray


@dataclass(frozen=True, eq=False)
class Furrow:
    """line (N, 2) mm seen from the front, width mm, key -> how strongly it folds, how much an old face has at rest.

    The left and the right furrow of a pair have the same number ``kind``.
    """

    line: AnyArray
    width: float
    keys: dict[str, float]
    age: float
    kind: int


def furrows_of(lm: FloatArray) -> list[Furrow]:
    """Return the furrows of a head with 68 landmarks (68, 3)."""
    brow_y = lm[17:27, 1].max()
    corner, wing, outer, root = lm[54], lm[35], lm[45], lm[27]  # the subject's left: x > 0
    furrows: list[Furrow] = []

    def next_kind() -> int:
        return furrows[-1].kind + 1 if furrows else 0

    def both(points: Sequence[tuple[float, float]], width: float, keys: dict[str, float], age: float) -> None:
        kind = next_kind()
        for sign, side in ((1, "L"), (-1, "R")):
            line = np.array(points) * [sign, 1]
            furrows.append(Furrow(line, width, {k.replace("_X", "_" + side): v for k, v in keys.items()}, age, kind))

    def across(points: Sequence[tuple[float, float]], width: float, keys: dict[str, float], age: float) -> None:
        furrows.append(Furrow(np.array(points), width, keys, age, next_kind()))

    # from the nose's wing past the corner of the mouth
    both(
        [(wing[0] + 5, wing[1] + 6), (wing[0] + 10, wing[1] - 6), (corner[0] + 7, corner[1] + 8),
         (corner[0] + 9, corner[1] - 4)],
        2.2, {"mouthSmile_X": 1, "noseSneer": 0.6, "mouthUpperUp": 0.6, "cheekSquint": 0.4, "mouthStretch": 0.3}, 0.5,
    )  # fmt: skip
    both(
        [(corner[0] + 18, corner[1] + 16), (corner[0] + 21, corner[1] + 4), (corner[0] + 18, corner[1] - 8)],
        2.0, {"mouthSmile_X": 0.5, "mouthDimple_X": 0.3}, 0.15,
    )  # fmt: skip
    # from the corner of the mouth down
    both(
        [(corner[0] + 5, corner[1] - 2), (corner[0] + 8, corner[1] - 16)],
        2.0, {"mouthFrown_X": 1, "mouthShrugLower": 0.3}, 0.35,
    )  # fmt: skip
    both(
        [(corner[0] + 5, corner[1] + 6), (corner[0] + 7, corner[1] - 6)],
        1.8, {"mouthDimple_X": 1, "mouthStretch": 0.5, "mouthPress": 0.6}, 0,
    )  # fmt: skip
    for height in (14, 23, 33):  # forehead
        both(
            [(2, brow_y + height - 2), (16, brow_y + height), (34, brow_y + height - 3)],
            2.0, {"browInnerUp": 0.7, "browOuterUp_X": 0.7}, 0.4,
        )  # fmt: skip
    # between knit brows, and across the root of the nose
    both([(6, brow_y - 6), (7, brow_y + 12)], 2.0, {"browDown_X": 1, "browInnerUp": 0.15}, 0.35)
    across(
        [(-10, root[1] + 4), (0, root[1] + 2), (10, root[1] + 4)],
        1.8, {"browDown_L": 0.4, "browDown_R": 0.4, "noseSneer": 0.6}, 0.15,
    )  # fmt: skip
    for lift in (8, 0, -8):  # crow's feet
        both(
            [(outer[0] + 5, outer[1] + 0.3 * lift), (outer[0] + 18, outer[1] + 1.6 * lift)],
            1.7, {"eyeSquint_X": 0.7, "cheekSquint": 0.7, "mouthSmile_X": 0.25, "lid_X": 0.2}, 0.4,
        )  # fmt: skip
    # under the eye
    both(
        [(outer[0] - 26, outer[1] - 13), (outer[0] - 12, outer[1] - 16), (outer[0] + 2, outer[1] - 10)],
        2.2, {"cheekSquint": 0.8, "eyeSquint_X": 0.6}, 0.5,
    )  # fmt: skip
    # beside the bridge of the nose
    both([(5, root[1] - 2), (13, root[1] - 10)], 1.8, {"noseSneer": 1, "browDown_X": 0.3}, 0.1)
    # above the chin
    across(
        [(-14, lm[57, 1] - 9), (0, lm[57, 1] - 12), (14, lm[57, 1] - 9)],
        2.4, {"mouthShrugLower": 1, "mouthPress": 0.6, "mouthPucker": 0.2}, 0.2,
    )  # fmt: skip
    for offset in (-9.0, -3.0, 3.0, 9.0):  # round pursed lips
        across(
            [(offset * 1.3, lm[51, 1] + 8), (offset, lm[51, 1] + 1)], 1.4, {"mouthPucker": 1, "mouthRoll": 0.4}, 0.25
        )
        across([(offset * 1.3, lm[57, 1] - 7), (offset, lm[57, 1] - 1)], 1.4, {"mouthPucker": 0.7}, 0.1)
    return furrows
