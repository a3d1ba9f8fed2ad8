"""Learn whether something hides the mouth, from what the network says of a picture.

    python -m expnet.training.hidden_mouth WEIGHTS DATA

WEIGHTS has its reading of alpha already (``training.person``), whose inputs this one shares. DATA holds shards of
``synthetic.generate``, seed 0. The network does not change. Its outputs for all faces are computed once, which takes
nearly all of the time. A logistic regression then learns from them whether a hand, a mask, a thing or the picture's
edge hides four tenths of the lips or more. The last pictures are held out, and it prints what is taken as hidden there.
WEIGHTS, or --out, gets the tensors ``person.hidden.weight`` and ``person.hidden.bias``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from ..model.array_types import AnyArray, BoolArray, FloatArray
from ..model.errors import InputError
from ..model.networks.person import PersonReader, inputs
from ..model.networks.torch_engine.by_name import Network
from ..model.performance.hidden_mouth import CERTAIN, HIDDEN
from .evaluation.measures import load_network
from .person import kept_of, load_with_reader, outputs_of, save_with_reader, singles_in

READ = ("image", "visible", "rotation", "natural")  # the fields of a shard
LIPS = slice(48, 60)  # iBUG's points of the outer lips
COVERED = 0.6  # visible share of the lips' points under which the mouth of a face from the front counts as hidden
MOSTLY = 0.4  # the same of a face that is turned away, which hides some of its lips itself
FROM_THE_FRONT = 35.0  # degrees of yaw
VISIBLE = 0.9  # share above which it counts as visible
RIDGE = 1e-4  # of the logistic regression, a picture


@dataclass(frozen=True, eq=False)
class Mouths:
    """What the network says of N faces, and how much of their lips is to be seen.

    ``inputs`` (N, I) of ``model.networks.person``; ``lips`` (N,) the visible share of the points of the lips; ``yaw``
    (N,) degrees; ``natural`` (N,) bool: nothing before the face.
    """

    inputs: FloatArray
    lips: FloatArray
    yaw: FloatArray
    natural: BoolArray

    @property
    def hidden(self) -> BoolArray:
        hidden: BoolArray = (self.lips < np.where(self.yaw < FROM_THE_FRONT, COVERED, MOSTLY)) & ~self.natural
        return hidden

    def __getitem__(self, rows: slice) -> Mouths:
        return Mouths(*(getattr(self, field.name)[rows] for field in fields(self)))


def mouths_seen(network: Network, folder: Path) -> Mouths:
    """Read all faces of the shards of seed 0 in ``folder``. Raises InputError."""
    parts = []
    for path in tqdm(singles_in(folder), desc="shards"):
        with np.load(path) as shard:
            if "natural" not in shard.files:
                raise InputError(f"{path}: does not say which pictures are natural: render it again")
            face = shard["face"] > 0.5
            parts.append(_seen(network, {name: shard[name][face] for name in READ}))
    return Mouths(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Mouths)))


def _seen(network: Network, shard: Mapping[str, AnyArray]) -> Mouths:
    sideways = np.abs(shard["rotation"].reshape(-1, 2, 3)[:, 0, 2])
    return Mouths(
        inputs(outputs_of(network, shard["image"])).astype(np.float32),
        shard["visible"][:, LIPS].mean(1),
        np.degrees(np.arcsin(np.clip(sideways, 0, 1))),
        shard["natural"] > 0.5,
    )


def learn(reader: PersonReader, mouths: Mouths) -> dict[str, FloatArray]:
    """Fit ``hidden.weight`` (1, I) and ``hidden.bias`` (1,) by logistic regression."""
    x, wanted = torch.from_numpy(reader.normal(mouths.inputs)).double(), torch.from_numpy(mouths.hidden).double()
    weight, bias = torch.zeros(1, x.shape[1], dtype=x.dtype), torch.zeros(1, dtype=x.dtype)
    optimiser = torch.optim.LBFGS(
        [weight.requires_grad_(), bias.requires_grad_()], max_iter=200, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = F.binary_cross_entropy_with_logits(x @ weight[0] + bias, wanted) + RIDGE * weight.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return {"hidden.weight": weight.detach().float().numpy(), "hidden.bias": bias.detach().float().numpy()}


def table(reader: PersonReader, mouths: Mouths) -> str:
    """Tabulate which mouths are taken as hidden, by what there is to be seen of them."""
    probability, free = reader.mouth_hidden_of(mouths.inputs), mouths.lips > VISIBLE
    front = mouths.yaw < FROM_THE_FRONT
    kinds = {
        f"hidden: under {MOSTLY:.0%} of the lips to be seen": mouths.hidden & (mouths.lips < MOSTLY),
        f"partly hidden: {MOSTLY:.0%} to {COVERED:.0%}": mouths.hidden & (mouths.lips >= MOSTLY),
        "visible, natural pictures": mouths.natural,
        "visible, hard pictures": free & front & ~mouths.natural,
        "turned away, mostly visible": ~mouths.hidden & ~front,
    }
    lines = [f"{'mouths':<48}{'number':>8}{f'above {HIDDEN}':>12}{f'above {CERTAIN}':>12}"]
    for kind, rows in kinds.items():
        shares = [np.mean(probability[rows] > level) if rows.any() else np.nan for level in (HIDDEN, CERTAIN)]
        lines.append(f"{kind:<48}{rows.sum():>8}" + "".join(f"{share:>12.1%}" for share in shares))
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("data", type=Path, help="shards of expnet.training.synthetic.generate")
    parser.add_argument("--out", type=Path, help="default: WEIGHTS itself")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        header, tensors, person = load_with_reader(args.weights)
        mouths = mouths_seen(load_network(args.weights), args.data)
    except (InputError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    kept = kept_of(len(mouths.lips))
    learned = person | learn(PersonReader(person, {}), mouths[slice(kept)])
    save_with_reader(args.out or args.weights, header, tensors, learned)
    print(table(PersonReader({k: v.astype(np.float32) for k, v in learned.items()}, {}), mouths[slice(kept, None)]))


if __name__ == "__main__":
    main()
