"""Accuracy of an estimated performance against the ground truth.

python -m expnet.model.performance.accuracy ESTIMATE TRUTH
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..array_types import FloatArray, IntArray
from ..errors import InputError
from .face_performance import FacePerformance
from .performance_files import load_performance

# A key whose true value varies less than this over the clip has no meaningful correlation.
MOVES = 0.02


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Errors over the frames in which both performances have a face.

    expression_keys   Ke names
    correlation       (Ke,) Pearson's r of estimate and truth; NaN where the true key is almost constant
    error             (Ke,) mean absolute error, in units of the key
    travel            (Ke,) standard deviation of the true key over the clip
    gaze_error, rotation_error   mean angles between estimate and truth, degrees
    frames, seen      frames with a true face, and those of them in which the estimate has one too
    """

    expression_keys: tuple[str, ...]
    correlation: FloatArray
    error: FloatArray
    travel: FloatArray
    gaze_error: float
    rotation_error: float
    frames: int
    seen: int

    def __str__(self) -> str:
        lines = [f"{'key':<18}{'correlation':>12}{'mean abs error':>16}{'true travel':>13}"]
        for key, r, error, travel in zip(self.expression_keys, self.correlation, self.error, self.travel):
            lines.append(f"{key:<18}{'-' if np.isnan(r) else f'{r:.2f}':>12}{error:16.3f}{travel:13.3f}")
        moving = ~np.isnan(self.correlation)
        r = self.correlation[moving].mean() if moving.any() else np.nan
        lines.append(
            f"{f'mean of {moving.sum()} moving':<18}{r:12.2f}{self.error.mean():16.3f}{self.travel.mean():13.3f}"
        )
        lines.append(
            f"Head pose {self.rotation_error:.1f} degrees off, gaze {self.gaze_error:.1f} degrees off on average"
        )
        lines.append(f"A face in {self.seen} of {self.frames} frames")
        return "\n".join(lines)


def compare(estimate: FacePerformance, truth: FacePerformance) -> Accuracy:
    """Compute the errors of ``estimate`` at the times of ``truth``.

    Each time uses the nearest frame at most half a frame away. Raises InputError if the two have different keys, or
    share no frame with a face.
    """
    if estimate.expression_keys != truth.expression_keys:
        raise InputError(
            f"Cannot compare keys of '{estimate.basis}' with those of '{truth.basis}': use the same estimator"
        )
    true_frames, frames = _same_times(truth.times, estimate.times, tolerance=0.5 / truth.fps)
    of_interest = truth.seen[true_frames]
    both = of_interest & estimate.seen[frames]
    if not both.any():
        raise InputError("The two performances have no frame with a face in common: are they of the same clip?")
    true_frames, frames = true_frames[both], frames[both]
    true_eta, eta = truth.eta[true_frames], estimate.eta[frames]
    turned = np.einsum("fij,fij->f", estimate.rotation[frames], truth.rotation[true_frames])  # trace of Ra^T Rb
    cosine = np.einsum("fi,fi->f", _direction(estimate.gaze[frames]), _direction(truth.gaze[true_frames]))
    return Accuracy(
        expression_keys=truth.expression_keys,
        correlation=np.where(true_eta.std(0) < MOVES, np.nan, pearson(eta, true_eta)),
        error=np.abs(eta - true_eta).mean(0),
        travel=true_eta.std(0),
        gaze_error=float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()),
        rotation_error=float(np.degrees(np.arccos(np.clip((turned - 1) / 2, -1, 1))).mean()),
        frames=int(of_interest.sum()),
        seen=int(both.sum()),
    )


def _same_times(a: FloatArray, b: FloatArray, tolerance: float) -> tuple[IntArray, IntArray]:
    """Return indices into ``a`` and ``b``, both ascending, of times within the tolerance of each other."""
    right = np.clip(np.searchsorted(b, a), 1, len(b) - 1) if len(b) > 1 else np.zeros(len(a), int)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(b[left] - a) <= np.abs(b[right] - a), left, right)
    close = np.abs(b[nearest] - a) <= tolerance
    return np.flatnonzero(close), nearest[close]


def pearson(a: FloatArray, b: FloatArray) -> FloatArray:
    """Compute Pearson's r of the columns of two (F, ...) arrays, (...); 0 where either is constant."""
    a, b = (values - values.mean(0) for values in (np.asarray(a, float), np.asarray(b, float)))
    scale = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return np.where(scale > 1e-12, (a * b).sum(0) / np.maximum(scale, 1e-12), 0.0)


def _direction(gaze: FloatArray) -> FloatArray:
    """Convert yaw and pitch (F, 2) to unit vectors (F, 3)."""
    yaw, pitch = gaze.T
    return np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], -1)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: python -m expnet.model.performance.accuracy ESTIMATE.npz TRUTH.npz", file=sys.stderr)
        return 2
    try:
        print(compare(*(load_performance(Path(path)) for path in arguments)))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
