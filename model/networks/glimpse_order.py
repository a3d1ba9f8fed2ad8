"""Which landmark or dense point of the skin each point of GlimpseNet's glimpses is."""

from __future__ import annotations

from ..face.dense_points import PER_SIDE, SIDE
from .architectures import LEFT_EYE, MOUTH, RIGHT_EYE

LANDMARKS = 70  # iBUG's 68 and the pupils
_LIPS, _EYE = PER_SIDE["lips"], sum(PER_SIDE[k] for k in ("lid_upper_L", "lid_lower_L", "brow_L"))


def _dense(first: int, count: int) -> tuple[int, ...]:
    return tuple(LANDMARKS + i for i in range(first, first + count))


# Rows of the 70 landmarks followed by the 192 dense points (the left half's first, the right half's in the same order).
GLIMPSE_ORDER = (
    *RIGHT_EYE, *_dense(SIDE + _LIPS, _EYE),
    *LEFT_EYE, *_dense(_LIPS, _EYE),
    *MOUTH, *_dense(0, _LIPS), *_dense(SIDE, _LIPS),
)  # fmt: skip
