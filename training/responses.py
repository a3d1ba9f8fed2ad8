"""Measure the response curves of a network's readings and write them into its weights.

    python -m expnet.training.responses WEIGHTS DATA

DATA holds pictures of seed 2 (``training.synthetic.generate --seed 2``), which neither training nor the evaluation
uses. Only natural pictures count. Per key, the quantiles of the readings are mapped to the quantiles of the truth, so
that both have the same spread: faint readings, mostly of resting keys, come nearer to rest, strong ones get stronger.
The mapping also amplifies errors of the readings. A curve therefore uses a share of it, Pearson's r, and the straight
line for the rest. A smaller share gives a slightly higher r and a larger mean error.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..model.array_types import FloatArray
from ..model.errors import InputError
from ..model.face.semantics import OPEN_KEYS, mirror_open_eta
from ..model.networks.weights.weights_file import load_weights, save_weights
from ..model.performance.accuracy import pearson
from .dataset import ShardFolder
from .evaluation.measures import load_network, predict_with_mirror_images
from .run_folder import storable

SEED = 2
LEVELS = np.array([0.002, 0.01, 0.04, 0.12, 0.3, 0.5, 0.65, 0.76, 0.84, 0.9, 0.945, 0.97, 0.985, 0.995])
APART = 1e-3  # knots lie at least so far apart


def measured(read: FloatArray, true: FloatArray) -> dict[str, list[list[float]]]:
    """Fit a curve per key to readings and truths (N, 29): key -> [read, shown]."""
    table = {}
    for k, key in enumerate(OPEN_KEYS):
        knots, target = np.quantile(read[:, k], LEVELS), np.quantile(true[:, k], LEVELS)
        keep = np.concatenate([[True], np.diff(knots) > APART])
        knots, target = knots[keep], target[keep]
        share = max(0.0, float(pearson(read[:, k], true[:, k])))
        shown = np.maximum.accumulate(share * target + (1 - share) * knots)
        grid = np.linspace(0, len(knots) - 1, len(LEVELS))  # of one length for all keys
        at = np.arange(len(knots))
        table[key] = [np.interp(grid, at, knots).round(4).tolist(), np.interp(grid, at, shown).round(4).tolist()]
    return table


def gains(true: FloatArray, shown: FloatArray) -> FloatArray:
    """Return the slope (K,) of what is shown against the truth, both (N, K); NaN for a key that never moves."""
    away = true - true.mean(0)
    with np.errstate(invalid="ignore"):
        gains: FloatArray = (away * shown).sum(0) / (away**2).sum(0)
        return gains


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, help="default: WEIGHTS itself")
    args = parser.parse_args(argv)
    try:
        header, tensors = load_weights(args.weights)
        pictures = ShardFolder(args.data, seed=SEED).all()
    except (InputError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    natural = pictures["natural"] > 0.5
    seen = predict_with_mirror_images(load_network(args.weights), pictures["image"][natural])["eta"].numpy()
    # With their mirror images, so that left and right keys have the same curve.
    read, true = (np.concatenate([eta, mirror_open_eta(eta)]) for eta in (seen, pictures["eta"][natural].numpy()))
    table = measured(read, true)
    save_weights(args.out or args.weights, replace(header, responses=table), storable(tensors))
    shown = np.stack([np.interp(read[:, k], table[key][0], table[key][1]) for k, key in enumerate(OPEN_KEYS)], 1)
    before, after = (float(np.nanmean(gains(true, values))) for values in (read, shown))
    print(f"{natural.sum()} natural pictures: mean gain {before:.2f} as read, {after:.2f} as shown")
    return 0


if __name__ == "__main__":
    sys.exit(main())
