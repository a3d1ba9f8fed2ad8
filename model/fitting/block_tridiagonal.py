"""Solution of symmetric block-tridiagonal systems, which least squares over time lead to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def solve(diagonal: Floats, beside: Floats, right: Floats) -> Floats:
    """Solve a positive definite system of F blocks of N unknowns; return (F, N).

    diagonal (F, N, N);  beside (F - 1, N): the blocks between frames f and f + 1, which are diagonal;  right (F, N).
    The work is linear in F: the block form of Thomas' algorithm.
    """
    count = len(diagonal)
    inverse = np.empty_like(diagonal)
    reduced = right.copy()
    inverse[0] = np.linalg.inv(diagonal[0])
    for f in range(1, count):
        link = beside[f - 1]
        inverse[f] = np.linalg.inv(diagonal[f] - link[:, None] * inverse[f - 1] * link)
        reduced[f] -= link * (inverse[f - 1] @ reduced[f - 1])
    solved = np.empty_like(right)
    solved[-1] = inverse[-1] @ reduced[-1]
    for f in range(count - 2, -1, -1):
        solved[f] = inverse[f] @ (reduced[f] - beside[f] * solved[f + 1])
    return solved
