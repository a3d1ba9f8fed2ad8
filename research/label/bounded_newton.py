"""Gauss-Newton for many small bounded least-squares problems at once.

The method is Bertsekas' projected Newton method (SIAM J. Control Optim. 20, 1982) with the Gauss-Newton matrix. Each
step solves for the unknowns that no bound holds, and is projected onto the bounds along a backtracking line search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

ENOUGH = 1e-4  # share of the predicted decrease that a step must reach (Armijo)
HALVINGS = 12
DAMPING = 1e-10  # relative to the matrix's largest entry: only against directions without any residual

Linearised = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Residuals = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Minimum:
    """The solutions of N problems.

    x          (N, K) unknowns;  cost (N,) half the sum of squared residuals
    at_bound   (N, K) bool, unknowns that a bound holds
    converged  (N,) bool, the projected gradient is below the tolerance
    """

    x: Tensor
    cost: Tensor
    at_bound: Tensor
    converged: Tensor


def minimise(
    linearised: Linearised,
    residuals: Residuals,
    start: Tensor,
    low: Tensor,
    high: Tensor,
    most_steps: int = 50,
    tolerance: float = 1e-9,
) -> Minimum:
    """Minimise half the squared residuals of N problems, each with K unknowns between ``low`` and ``high`` (K,).

    ``residuals(x, which)`` returns (M, R) for the unknowns x (M, K) of the problems ``which`` (M,). ``linearised``
    returns these and their Jacobian (M, R, K). ``start`` is (N, K). ``tolerance`` limits the largest projected gradient
    relative to that at the start. Converged problems take no part in further steps.
    """
    x = torch.minimum(torch.maximum(start, low), high)
    count, unknowns = x.shape
    at_bound = torch.zeros_like(x, dtype=torch.bool)
    converged = torch.zeros(count, dtype=torch.bool)
    cost = torch.empty(count, dtype=x.dtype)
    scale = torch.zeros(count, dtype=x.dtype)
    going = torch.arange(count)
    identity = torch.eye(unknowns, dtype=x.dtype)
    for step in range(most_steps + 1):
        at = x[going]
        r, jacobian = linearised(at, going)
        cost[going] = 0.5 * (r * r).sum(1)
        gradient = torch.einsum("nrk,nr->nk", jacobian, r)
        held = ((at <= low) & (gradient > 0)) | ((at >= high) & (gradient < 0))
        at_bound[going] = held
        size = torch.where(held, 0.0, gradient).abs().amax(1)
        if step == 0:
            scale = torch.clamp(size, min=torch.finfo(x.dtype).tiny)
        done = size <= tolerance * scale[going]
        converged[going[done]] = True
        if step == most_steps or bool(done.all()):
            break
        going, at, r, jacobian, gradient, held = (v[~done] for v in (going, at, r, jacobian, gradient, held))
        matrix = jacobian.transpose(1, 2) @ jacobian
        matrix = torch.where(held[:, :, None] | held[:, None, :], identity, matrix)
        matrix = matrix + DAMPING * matrix.diagonal(dim1=1, dim2=2).amax(1)[:, None, None] * identity
        wanted = torch.where(held, 0.0, gradient)
        direction = -torch.cholesky_solve(wanted[..., None], torch.linalg.cholesky(matrix))[..., 0]
        moved = _searched(residuals, at, direction, gradient, cost[going], low, high, going)
        stuck = (moved == at).all(1)  # rounding hides any further decrease
        x[going] = moved
        converged[going[stuck]] = True
        going = going[~stuck]
        if not len(going):
            break
    return Minimum(x, cost, at_bound, converged)


def _searched(
    residuals: Residuals,
    at: Tensor,
    direction: Tensor,
    gradient: Tensor,
    cost: Tensor,
    low: Tensor,
    high: Tensor,
    which: Tensor,
) -> Tensor:
    """Return the projected points (M, K) with enough decrease; a problem without one stays where it is."""
    found = at.clone()
    open_ = torch.arange(len(at))
    length = 1.0
    for _ in range(HALVINGS):
        tried = torch.minimum(torch.maximum(at[open_] + length * direction[open_], low), high)
        r = residuals(tried, which[open_])
        predicted = (gradient[open_] * (at[open_] - tried)).sum(1)
        fine = cost[open_] - 0.5 * (r * r).sum(1) >= ENOUGH * predicted
        found[open_[fine]] = tried[fine]
        open_ = open_[~fine]
        if not len(open_):
            break
        length *= 0.5
    return found
