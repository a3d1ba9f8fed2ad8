"""Render synthetic faces to disk: ``python -m expnet.training.synthetic.generate OUT --shards 40``.

A shard is an .npz of ``--per-shard`` pictures with their labels. Shard k of seed s is the same picture for picture
wherever it is made, so several processes (``--first``, ``--step``) and machines can share the work and a killed one can
go on. Set OMP_NUM_THREADS=1: one process keeps one core busy, and more threads only wait for each other.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ...model.array_types import FloatArray
from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.files import atomic_path
from ...model.formats import open_face_model
from .ingredients import Ingredients
from .realism import read_realism
from .sample import Sample, sample_batch
from .surface import Surface, build_surface

TOGETHER = 32  # samples whose shapes are blended at once


def make_shard(surface: Surface, seed: int, index: int, count: int, size: int) -> dict[str, FloatArray]:
    """Make ``count`` samples stacked by field: (N, ...) arrays, see ``Sample``."""
    samples: list[Sample] = []
    with tqdm(total=count, desc=f"shard {index}", leave=False) as progress:
        while len(samples) < count:
            upcoming = range(len(samples), min(len(samples) + TOGETHER, count))
            samples += sample_batch([np.random.default_rng([seed, index, i]) for i in upcoming], surface, size)
            progress.update(len(upcoming))
    return {name: np.stack([np.asarray(getattr(s, name)) for s in samples]) for name in Sample.__dataclass_fields__}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--first", type=int, default=0, help="index of the first shard")
    parser.add_argument("--step", type=int, default=1, help="make every step-th shard (several processes)")
    parser.add_argument("--per-shard", type=int, default=1024)
    parser.add_argument("--size", type=int, default=128, help="pixels, even")
    parser.add_argument("--seed", type=int, default=0, help="0 is training; evaluation uses 1")
    parser.add_argument("--face-model", default=OPEN)
    kinds = [field.name for field in fields(Ingredients)]
    parser.add_argument("--without", nargs="+", default=[], choices=kinds, help="leave out, for ablations")
    parser.add_argument("--realism", type=Path, help="photographs of skin and light (training.realism.skins made them)")
    args = parser.parse_args()
    if args.size % 2:
        parser.error("--size: an even number of pixels")
    cv2.setNumThreads(1)
    ingredients = Ingredients(**dict.fromkeys(args.without, False))
    try:
        photographs = read_realism(args.realism) if args.realism else None
        surface = build_surface(open_face_model(args.face_model), ingredients, photographs)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    for index in tqdm(range(args.first, args.first + args.shards * args.step, args.step), desc="shards"):
        path = args.out / f"seed{args.seed}_shard{index:05d}.npz"
        if path.exists():
            continue
        shard = make_shard(surface, args.seed, index, args.per_shard, args.size)
        with atomic_path(path) as partial:
            np.savez(partial, **shard)
    return 0


if __name__ == "__main__":
    sys.exit(main())
