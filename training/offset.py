"""Learn the error that all readings of a person share, from many pictures of each (``model.networks.person``).

    python -m expnet.training.synthetic.people PEOPLE --shards 62 --people 50
    python -m expnet.training.offset WEIGHTS PEOPLE

WEIGHTS has its reading of alpha already (``training.person``), whose inputs this one shares. The network does not
change. Its outputs for all pictures are computed once, which takes nearly all of the time. A ridge regression then
learns from a person's mean inputs the mean of what their eta as read lacks, for few pictures and for all of them. Keys
that open the lips get no offset, because shut lips are shown as the points show them (``model.networks.shut_lips``).
Lids get none, because their error differs between open and shut eyes: shut ones would be shown a little open. The last
people are held out, and r is printed there. WEIGHTS, or --out, gets ``person.offset.weight`` and
``person.offset.bias``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ..model.array_types import FloatArray
from ..model.errors import InputError
from ..model.face.semantics import OPEN_KEYS
from ..model.networks.person import PersonReader, inputs
from ..model.networks.shut_lips import GAP
from ..model.networks.torch_engine.by_name import Network
from ..model.performance.accuracy import pearson
from .evaluation.measures import load_network
from .person import kept_of, load_with_reader, outputs_of, people_in, ridge, save_with_reader

FEW = 3  # pictures: the offset of a short clip, or of one whose expression hardly changes
RIDGE = 100.0  # in people
SEED = 0
SHARED = (GAP == 0) & ~np.isin(OPEN_KEYS, ("lid_L", "lid_R"))  # keys that get an offset


@dataclass(frozen=True, eq=False)
class Readings:
    """K pictures of each of P people: normal ``inputs`` (P, K, N), ``eta`` (P, K, 29) as read, and ``true`` eta."""

    inputs: FloatArray
    eta: FloatArray
    true: FloatArray

    def __getitem__(self, rows: slice) -> Readings:
        return Readings(self.inputs[rows], self.eta[rows], self.true[rows])


def readings_of(network: Network, reader: PersonReader, folder: Path) -> Readings:
    """Read all people of ``synthetic.people`` in ``folder``. Raises InputError."""
    parts = []
    for path in tqdm(people_in(folder), desc="shards"):
        with np.load(path) as shard:
            images, true = shard["image"], shard["eta"].astype(np.float32)
        out = outputs_of(network, images.reshape(-1, *images.shape[-3:]))
        rows = reader.normal(inputs(out)).astype(np.float32), out["eta"].astype(np.float32)
        parts.append((*(each.reshape(*images.shape[:2], -1) for each in rows), true))
    return Readings(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def learn(people: Readings) -> dict[str, FloatArray]:
    """Fit ``offset.weight`` (29, N) and ``offset.bias`` (29,)."""
    rng = np.random.default_rng(SEED)
    count, views, _ = people.inputs.shape
    lacks = people.true - people.eta
    chosen = rng.permuted(np.tile(np.arange(views), (count, 1)), axis=1)
    few = [chosen[:, i : i + FEW] for i in range(0, views - FEW + 1, FEW)]
    sets = [chosen, *few]
    x, y = (
        torch.from_numpy(np.concatenate([np.take_along_axis(rows, some[..., None], 1).mean(1) for some in sets]))
        for rows in (people.inputs, lacks)
    )
    weight = torch.tensor([1 / 2, *[1 / (2 * len(few))] * len(few)], dtype=torch.float64).repeat_interleave(count)
    solved = ridge(x.double(), y.double(), weight[:, None], RIDGE).numpy() * SHARED
    return {"offset.weight": solved[:-1].T.astype(np.float32), "offset.bias": solved[-1].astype(np.float32)}


def table(people: Readings, learned: dict[str, FloatArray]) -> str:
    """Tabulate the mean r of the keys without and with the offset of some pictures of a person."""
    told = people.inputs @ learned["offset.weight"].T + learned["offset.bias"]
    views = people.inputs.shape[1]
    lines = [f"{'pictures':<10}{'as read':>10}{'with the offset':>18}"]
    for some in dict.fromkeys((1, FEW, views)):
        starts = range(0, views - some + 1, some)
        offset = np.concatenate([np.repeat(told[:, i : i + some].mean(1, keepdims=True), some, 1) for i in starts], 1)
        shown = slice(0, offset.shape[1])
        eta, true = (each[:, shown].reshape(-1, each.shape[-1]) for each in (people.eta, people.true))
        r = [_mean_r(rows, true) for rows in (eta, eta + offset.reshape(eta.shape))]
        lines.append(f"{some:<10}{r[0]:>10.4f}{r[1]:>18.4f}")
    return "\n".join(lines)


def _mean_r(eta: FloatArray, true: FloatArray) -> float:
    return float(np.mean([pearson(eta[:, k], true[:, k]) for k in range(eta.shape[1])]))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("people", type=Path, help="shards of expnet.training.synthetic.people")
    parser.add_argument("--out", type=Path, help="default: WEIGHTS itself")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        header, tensors, person = load_with_reader(args.weights)
        people = readings_of(load_network(args.weights), PersonReader(person, {}), args.people)
    except (InputError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    kept = kept_of(len(people.eta))
    learned = learn(people[slice(kept)])
    save_with_reader(args.out or args.weights, header, tensors, person | learned)
    print(table(people[slice(kept, None)], learned))


if __name__ == "__main__":
    main()
