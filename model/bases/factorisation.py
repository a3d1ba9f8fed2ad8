"""Factorisation of sparse symmetric positive definite matrices."""

from __future__ import annotations

from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu


def factorised(matrix: sparse.spmatrix) -> SuperLU:
    """Return the factors of a symmetric positive definite matrix (n, n), whose ``solve`` takes (n,) or (n, k)."""
    return splu(matrix.tocsc(), "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
