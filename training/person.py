"""Learn to read one alpha from many pictures of a person (``model.networks.person``).

    python -m expnet.training.synthetic.people PEOPLE --shards 22 --people 50
    python -m expnet.training.person RUN/weights.safetensors PEOPLE --data DATA --out WEIGHTS.safetensors

The network does not change. Its outputs for all pictures are computed once, which takes nearly all of the time (some
300 pictures a second on one thread). The rest is solved in closed form. The linear reading of alpha is a ridge
regression on PEOPLE and on single pictures of DATA (shards of ``synthetic.generate``). The precision of a look is
another ridge regression, of the logarithm of the reading's scatter. The covariances of readings between and within
people are estimated. The last people are held out, and the error of their alpha is printed. --out gets the weights with
the learned tensors, without those of ``training.hidden_mouth`` and ``training.offset``, which come next.
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

from ..model.array_types import AnyArray, FloatArray, UInt8Array
from ..model.builtin import OPEN
from ..model.errors import InputError
from ..model.face.face_model import FaceModel, triangles
from ..model.formats import open_face_model
from ..model.networks.person import FARTHEST, PRECISION, PersonReader, inputs
from ..model.networks.torch_engine.by_name import Network
from ..model.networks.weights.weights_file import PERSON, WeightsHeader, load_all, load_weights, save_weights
from .dataset import shard_names
from .evaluation.identity import SEVEN_POINTS, face_regions, vertex_areas
from .evaluation.measures import load_network, predict_with_mirror_images
from .run_folder import storable

HELD_OUT = 0.15  # of the people or faces
TOGETHER = 64  # pictures that the network reads at once
REPORTED = (1, 2, 4, 12)


@dataclass(frozen=True, eq=False)
class Seen:
    """K pictures of each of P people as the network sees them.

    ``inputs`` (P, K, N) of ``model.networks.person``, its ``raw_alpha`` (P, K, 99), and the true ``alpha`` (P, 99).
    """

    inputs: Tensor
    raw_alpha: Tensor
    alpha: Tensor

    def __getitem__(self, rows: slice) -> Seen:
        return Seen(*(getattr(self, field.name)[rows] for field in fields(self)))


# --- what the network sees ------------------------------------------------------------------------------------------


def outputs_of(network: Network, images: UInt8Array) -> dict[str, AnyArray]:
    """Return the outputs and ``points`` for pictures (B, S, S, 3) uint8 of the network's size, read as stills are.

    Raises InputError.
    """
    if images.shape[-2] != network.config.size:
        raise InputError(f"the pictures are {images.shape[-2]} pixels wide, the network sees {network.config.size}")
    found = predict_with_mirror_images(network, torch.from_numpy(images), TOGETHER)
    return {name: value.numpy() for name, value in found.items()}


def people_seen(network: Network, folder: Path) -> Seen:
    """Read all people of ``synthetic.people`` in ``folder``, (P, K, …)."""
    return _joined([_seen(network, dict(np.load(path))) for path in people_in(folder)])


def people_in(folder: Path) -> list[Path]:
    """Return the shards of ``synthetic.people``. Raises InputError where there are none."""
    paths = sorted(folder.glob("people*_shard*.npz"))
    if not paths:
        raise InputError(f"{folder}: no shards of people there: make them with expnet.training.synthetic.people")
    return paths


def singles_in(folder: Path) -> list[Path]:
    """Return the shards of ``synthetic.generate``, seed 0, oldest first. Raises InputError where there are none."""
    paths = [folder / name for name in shard_names(folder, seed=0)]
    if not paths:
        raise InputError(f"{folder}: no shards of seed 0 there: make them with expnet.training.synthetic.generate")
    return paths


def singles_seen(network: Network, folder: Path, most: int) -> Seen:
    """Read faces of a limited number of shards of ``synthetic.generate``, seed 0, one picture a person: (P, 1, …)."""
    parts = []
    for path in singles_in(folder)[-most:]:
        with np.load(path) as shard:
            face = shard["face"] > 0.5
            parts.append(_seen(network, {k: shard[k][face] for k in ("image", "alpha")}, alone=True))
    return _joined(parts)


def _seen(network: Network, shard: Mapping[str, AnyArray], alone: bool = False) -> Seen:
    images = shard["image"]
    lead = (len(images), 1) if alone else images.shape[:2]
    out = outputs_of(network, images.reshape(-1, *images.shape[-3:]))
    read, raw = (torch.from_numpy(rows.astype(np.float32).reshape(*lead, -1)) for rows in (inputs(out), out["alpha"]))
    return Seen(read, raw, torch.from_numpy(shard["alpha"]))


def _joined(parts: list[Seen]) -> Seen:
    return Seen(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Seen)))


# --- learning -------------------------------------------------------------------------------------------------------

RIDGE = 100.0  # of the reading of alpha, in pictures
PRECISION_RIDGE = 3000.0
SHARE_OF_REPEATED = 0.25  # weight in the reading of each picture of a person with many pictures
FLOOR = 1e-4  # of covariances
LEAST_SPREAD = 0.01  # of people's readings, in units of a look's


def learn(people: Seen, singles: Seen | None, millimetres: Tensor) -> dict[str, AnyArray]:
    """Fit the tensors of ``PersonReader``. ``millimetres`` (99, 99) is ``aligned_factor``."""
    count, views = people.inputs.shape[:2]
    read, truth = people.inputs.flatten(0, 1), people.alpha.repeat_interleave(views, 0)
    weight = torch.full((len(read), 1), SHARE_OF_REPEATED)
    if singles is not None:
        read, truth = torch.cat([read, singles.inputs[:, 0]]), torch.cat([truth, singles.alpha])
        weight = torch.cat([weight, torch.ones(len(singles.alpha), 1)])
    mean, deviation = read.mean(0), read.std(0) + 1e-3

    def normal(inputs: Tensor) -> Tensor:
        return ((inputs - mean) / deviation).clamp(-FARTHEST, FARTHEST).double()

    reading = ridge(normal(read), truth.double(), weight.double(), RIDGE)
    of_people = normal(people.inputs)
    seen = _linear(of_people, reading)
    off = (seen - seen.mean(1, keepdim=True)) @ millimetres.double().T
    scatter = (off.square().mean(-1, keepdim=True) + FLOOR).log()
    alike = torch.ones(count * views, 1, dtype=torch.float64)
    certain = ridge(of_people.flatten(0, 1), -scatter.flatten(0, 1), alike, PRECISION_RIDGE)
    certain[-1] -= _linear(of_people, certain).exp().clamp(*PRECISION).mean().log()
    precision = _linear(of_people, certain).exp().clamp(*PRECISION)
    own = (precision * seen).sum(1, keepdim=True) / precision.sum(1, keepdim=True)
    away = (seen - own).flatten(0, 1)
    within = (precision.flatten(0, 1) * away).T @ away / (count * (views - 1)) + FLOOR * torch.eye(seen.shape[-1])
    middle = own.mean(0)
    about = (own - middle)[:, 0]
    between = about.T @ about / count - within * (1 / precision.sum(1)).mean()
    # Coordinates in which a look's readings scatter by 1 and people's are independent of each other.
    whiten = torch.linalg.inv(torch.linalg.cholesky(within))
    spread, axes = torch.linalg.eigh(whiten @ between @ whiten.T)
    into = axes.T @ whiten
    alpha = people.alpha.double()
    back = (alpha - alpha.mean(0)).T @ about / count @ into.T
    tensors = {
        "mean": mean,
        "deviation": deviation,
        "reading.weight": into @ reading[:-1].T,
        "reading.bias": into @ (reading[-1] - middle[0]),
        "precision.weight": certain[:-1].T,
        "precision.bias": certain[-1],
        "spread": spread.clamp(min=LEAST_SPREAD),
        "alpha.weight": back,
        "alpha.bias": alpha.mean(0),
    }
    return {name: tensor.float().numpy() for name, tensor in tensors.items()}


def ridge(x: Tensor, y: Tensor, weight: Tensor, strength: float) -> Tensor:
    """Return (N + 1, M): weights, and a bias in the last row, for rows of ``x`` (B, N) and ``y`` (B, M)."""
    x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    gram = (x * weight).T @ x + strength * torch.eye(x.shape[1], dtype=x.dtype)
    return torch.linalg.solve(gram, (x * weight).T @ y)


def _linear(x: Tensor, solved: Tensor) -> Tensor:
    return x @ solved[:-1] + solved[-1]


def aligned_factor(model: FaceModel) -> Tensor:
    """Compute L^T (99, 99), which maps an error of alpha to millimetres of the face's surface.

    They are measured as in the section "identity" of the evaluation: after a similarity by seven landmarks and a rigid
    motion of each region. Small errors of alpha change these linearly, so they are removed from the basis once. Size
    and place, which no picture shows, then have no weight.
    """
    assert model.landmarks is not None
    at, area = model.neutral.astype(np.float64), vertex_areas(model.neutral, triangles(model.faces))
    basis = model.identity.reshape(len(model.identity), -1, 3).astype(np.float64)
    seven = model.landmarks[SEVEN_POINTS]
    # Motions of points (…, 3 n) as columns: three shifts, three turns, and growth.
    moves = np.linalg.pinv(_motions(at[seven], grows=True)) @ basis[:, seven].reshape(len(basis), -1).T
    growth = moves[6][:, None, None] * at
    gram = np.zeros((len(basis), len(basis)))
    regions = face_regions(model)
    for rows in regions.values():
        weight = np.repeat(np.sqrt(area[rows] / area[rows].sum()), 3)
        moved = ((basis - growth)[:, rows].reshape(len(basis), -1) * weight).T
        rigid = _motions(at[rows], grows=False) * weight[:, None]
        left = moved - rigid @ (np.linalg.pinv(rigid) @ moved)
        gram += left.T @ left / len(regions)
    return torch.from_numpy(np.linalg.cholesky(gram + 1e-6 * np.eye(len(gram))).T.astype(np.float32))


def _motions(points: FloatArray, grows: bool) -> FloatArray:
    """Return a matrix (3 n, 6 or 7)."""
    shifts = np.tile(np.eye(3), (len(points), 1, 1))
    turns = np.stack([np.cross(axis, points) for axis in np.eye(3)], 2)
    columns = np.concatenate([shifts, turns, points[..., None]] if grows else [shifts, turns], 2)
    flat: FloatArray = columns.reshape(-1, columns.shape[2])
    return flat


# --- what it gives --------------------------------------------------------------------------------------------------


def table(reader: PersonReader, people: Seen, millimetres: Tensor) -> str:
    """Tabulate the error of alpha of held-out people in mm (``aligned_factor``) by the number of views.

    The mean of the network's own alphas stands beside it.
    """

    def error(alpha: FloatArray) -> float:
        return float(((torch.as_tensor(alpha).float() - people.alpha) @ millimetres.T).norm(dim=1).mean())

    lines = [f"{len(people.alpha)} people: alpha, mm", "views   network   learned"]
    lines.append(f"0       {error(np.tile(reader.tensors['alpha.bias'], (len(people.alpha), 1))):.3f}")
    readings = [reader.readings_of(own) for own in people.inputs.numpy()]
    for count in (n for n in REPORTED if n <= people.inputs.shape[1]):
        learned = np.stack([reader.alpha(own[:count], np.ones(count)) for own in readings])
        lines.append(f"{count:<8}{error(people.raw_alpha[:, :count].mean(1).numpy()):.3f}     {error(learned):.3f}")
    return "\n".join(lines)


# --- in the weights -------------------------------------------------------------------------------------------------


def kept_of(count: int) -> int:
    """Return how many of ``count`` people or faces are learned from; the others, the last ones, are held out."""
    return count - max(1, int(HELD_OUT * count))


def load_with_reader(weights: Path) -> tuple[WeightsHeader, dict[str, FloatArray], dict[str, FloatArray]]:
    """Run ``load_all`` on weights that have a reading of alpha. Raises InputError for others."""
    header, tensors, person = load_all(weights)
    if not person:
        raise InputError(f"{weights}: has no reading of alpha: run expnet.training.person first")
    return header, tensors, person


def save_with_reader(
    out: Path, header: WeightsHeader, tensors: Mapping[str, AnyArray], person: Mapping[str, AnyArray]
) -> None:
    """Write weights with the tensors of ``PersonReader``."""
    save_weights(out, header, storable({**tensors, **{PERSON + name: tensor for name, tensor in person.items()}}))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("people", type=Path, help="shards of expnet.training.synthetic.people")
    parser.add_argument("--data", type=Path, help="shards of expnet.training.synthetic.generate, for single views")
    parser.add_argument("--shards", type=int, default=24, help="at most so many of these, the last ones")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        header, tensors = load_weights(args.weights)
        network = load_network(args.weights)
        people = people_seen(network, args.people)
        singles = singles_seen(network, args.data, args.shards) if args.data else None
    except (InputError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    kept = kept_of(len(people.alpha))
    millimetres = aligned_factor(open_face_model(OPEN))
    learned = storable(learn(people[slice(kept)], singles, millimetres))
    save_with_reader(args.out, header, tensors, learned)
    reader = PersonReader({name: tensor.astype(np.float32) for name, tensor in learned.items()}, {})
    print(table(reader, people[slice(kept, None)], millimetres))


if __name__ == "__main__":
    main()
