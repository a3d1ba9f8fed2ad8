"""Average weights along one run, or of a run and the weights it started from.

``python -m expnet.training.average OUT DATA FILE=SHARE …``. DATA holds held-out shards (seed 1), for the scores in the
header.

Weights of which one was fine-tuned from the other lie in one basin of the loss. Their average is as accurate as either
and more robust on other kinds of pictures (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"). The average
of unrelated weights is useless.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..model.builtin import OPEN
from ..model.errors import InputError
from ..model.formats import open_face_model
from ..model.networks.weights.weights_file import check_shapes, load_weights, save_weights
from .dataset import Batch, ShardFolder
from .evaluation.measures import load_network, summary
from .losses import factors
from .run_folder import storable


def average(parts: Sequence[tuple[Path, float]], held_out: Batch, out: Path) -> dict[str, float]:
    """Write the average of weights files by shares that sum to 1, and return its scores.

    Raises InputError for files that are not of one network.
    """
    if not math.isclose(sum(share for _, share in parts), 1, abs_tol=1e-6):
        raise InputError("the shares do not sum to 1")
    (first, share), *others = parts
    header, tensors = load_weights(first)
    total = {name: share * tensor.astype(np.float64) for name, tensor in tensors.items()}
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    for path, share in others:
        its_header, its_tensors = load_weights(path)
        if (its_header.architecture, its_header.config) != (header.architecture, header.config):
            raise InputError(f"{path}: is of another network than {first}")
        check_shapes(path, its_tensors, shapes)
        for name in total:
            total[name] += share * its_tensors[name]
    averaged = {
        name: np.asarray(mean.round() if tensors[name].dtype.kind == "i" else mean, tensors[name].dtype)
        for name, mean in total.items()
    }
    network = load_network(first)
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in averaged.items()})
    scores = summary(network, held_out, factors(open_face_model(OPEN), "cpu").expression)
    evaluation = {name: round(float(value), 5) for name, value in scores.items()}
    save_weights(out, replace(header, evaluation=evaluation), storable(averaged))
    return evaluation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("parts", nargs="+", metavar="FILE=SHARE", type=_part)
    args = parser.parse_args()
    scores = average(args.parts, ShardFolder(args.data, seed=1).all(), args.out)
    print(" ".join(f"{name} {value:.4g}" for name, value in scores.items()))


def _part(text: str) -> tuple[Path, float]:
    path, _, share = text.rpartition("=")
    if not path:
        raise argparse.ArgumentTypeError(f"{text!r} is no FILE=SHARE")
    return Path(path), float(share)


if __name__ == "__main__":
    main()
