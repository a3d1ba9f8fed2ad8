"""Train FinderNet, the network that finds faces.

    python -m expnet.training.synthetic.cutouts STOCK               render the heads once
    python -m expnet.training.train_finder --config training/configs/finder.toml --cutouts STOCK --out RUN --minutes 20
    … --steps 5000        the same, however fast the machine is
    … --resume            continue from RUN/last.pt

Scenes are composed during training, so none is used twice. The learning rate falls as half a cosine over the given time
or steps. Writes RUN/finder.safetensors (averaged weights with their header) and RUN/log.csv.

The loop is separate from that of train.py. Most of its time is the processor time of composing scenes, which train.py
reads from finished shards; the config, the averaging of weights, the log and the checkpoints are shared.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from ..model.errors import InputError
from ..model.networks.architectures import CELL, UNIT_SIDE, FinderConfig
from ..model.networks.torch_engine.estimator import multiplies_bfloat16
from ..model.networks.torch_engine.finder import FinderNet
from ..model.networks.weights.weights_file import load_weights
from .config import load_recipe, parse
from .dataset import as_input
from .run_folder import Log, export_weights, load_checkpoint, load_tensors, save_checkpoint
from .schedule import averaged
from .synthetic.cutouts import Cutouts
from .synthetic.scenes import Scene, SceneKind, sample_scene, sample_thumbnail

INPUT_SIZE = 320  # for the header: pictures of any size are read
LEAST_SIDE, MOST_SIDE = 10.0, 70.0  # pixels: larger faces are found in the downscaled picture
GREY = 127  # the network's input there is nearly 0, as beyond the edge of a picture
HEAT_SIGMA = 0.10  # of a face's side: the width of its heat
TAUGHT = 0.14  # of a face's side: cells nearer to its centre learn its position


@dataclass(frozen=True)
class LossWeights:
    """Weights of the position errors relative to the focal loss of the face's heat, which has weight 1."""

    offset: float = 0.5
    size: float = 1.0
    lean: float = 0.5


@dataclass(frozen=True)
class Scenes:
    """What scenes hold.

    size                 pixels of a square scene
    sides                shortest and longest side of a face's crop, pixels
    heads, others        faces and other things in a scene, at most
    without_faces        share of scenes without a face
    thumbnails           share of scenes that show one face, or one other thing, and nothing else
    thumbnail_sizes      shortest and longest side of those, pixels
    """

    size: int
    sides: tuple[float, float]
    heads: int
    others: int
    without_faces: float
    thumbnails: float
    thumbnail_sizes: tuple[float, float]


@dataclass(frozen=True)
class Optimizer:
    """AdamW's settings; ``warmup`` in steps, ``ema`` the decay of the averaged weights that are shipped."""

    batch: int
    learning_rate: float
    weight_decay: float
    warmup: int
    ema: float


@dataclass(frozen=True)
class Config:
    """A recipe: training/configs/finder.toml."""

    network: FinderConfig
    scenes: Scenes
    optimizer: Optimizer
    loss: LossWeights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--cutouts", type=Path, required=True, help="folder of cut-outs (seed 0)")
    parser.add_argument("--out", type=Path, required=True)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, default=20.0, help="processor time to train, of this start")
    length.add_argument("--steps", type=int, help="steps to train, of this start, in place of --minutes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=200, help="steps between checkpoints")
    parser.add_argument("--resume", action="store_true", help="continue from OUT/last.pt")
    parser.add_argument("--start-from", type=Path, help="weights such as the shipped ones")
    try:
        train(parser.parse_args())
    except (InputError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def train(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    config: Config = load_recipe(args.config, lambda table: parse(Config, table, "the recipe"))
    hyper, weights, scenes = config.optimizer, config.loss, config.scenes
    args.out.mkdir(parents=True, exist_ok=True)
    network = FinderNet(config.network).to(memory_format=torch.channels_last)
    average = averaged(network, hyper.ema)
    optimizer = torch.optim.AdamW(network.parameters(), hyper.learning_rate, weight_decay=hyper.weight_decay)
    step = 0
    if args.start_from:
        tensors = {k: torch.as_tensor(v) for k, v in load_weights(args.start_from)[1].items()}
        load_tensors(network, tensors, args.start_from)
        load_tensors(average.module, tensors, args.start_from)
    elif args.resume:
        path = args.out / "last.pt"
        state = load_checkpoint(path, "cpu")
        load_tensors(network, state["network"], path)
        load_tensors(average, state["averaged"], path)
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    rng = np.random.default_rng([args.seed, step])
    cutouts = Cutouts(args.cutouts, seed=0)
    kind = SceneKind((scenes.size, scenes.size), scenes.sides, scenes.heads, scenes.others)
    log = Log(args.out)
    started, first, window = time.process_time(), step, []
    progress = tqdm(unit="step", initial=step)
    network.train()
    done = 0.0
    while done < 1:
        minutes = (time.process_time() - started) / 60
        done = min(1.0, (step - first + 1) / args.steps if args.steps else minutes / args.minutes)
        warm = min(1.0, (step - first + 1) / hyper.warmup)
        rate = hyper.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * done))  # no numpy scalar: see --resume
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = [_sample(rng, cutouts, kind, scenes) for _ in range(hyper.batch)]
        images = as_input(torch.from_numpy(np.stack([scene.image for scene in batch])))
        truth = targets(batch)
        with torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bfloat16()):
            out = network(images)
        parts = losses(out, truth)
        loss = (
            parts["face"]
            + weights.offset * parts["offset"]
            + weights.size * parts["size"]
            + weights.lean * parts["lean"]
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update_parameters(network)
        step += 1
        window.append([float(v.detach()) for v in parts.values()])
        progress.update()
        if step % args.every == 0 or done >= 1:
            row = {
                "step": step,
                "scenes": step * hyper.batch,
                "minutes": (time.process_time() - started) / 60,
                "rate": rate,
            }
            row |= dict(zip(parts, np.mean(window, 0), strict=True))
            log.write(row)
            progress.write(" ".join(f"{k} {v:.4g}" for k, v in row.items()))
            window.clear()
            state = {
                "network": network.state_dict(),
                "averaged": average.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step,
            }
            save_checkpoint(state, args.out / "last.pt")
            renders, shipped = f"scenes of {len(cutouts)}", args.out / "finder.safetensors"
            export_weights(average.module, "finder", shipped, args.seed, renders, row, INPUT_SIZE)


def _sample(rng: np.random.Generator, cutouts: Cutouts, kind: SceneKind, scenes: Scenes) -> Scene:
    """Compose a scene, or a thumbnail on grey in the corner, the layout that ``candidates`` passes to the network."""
    faces = bool(rng.random() >= scenes.without_faces)
    if rng.random() >= scenes.thumbnails:
        return sample_scene(rng, cutouts, kind, faces)
    least, most = np.log(scenes.thumbnail_sizes)
    thumbnail = sample_thumbnail(rng, cutouts, round(float(np.exp(rng.uniform(least, most)))), faces)
    image = np.full((kind.size[1], kind.size[0], 3), GREY, np.uint8)
    high, wide = (min(a, b) for a, b in zip(thumbnail.image.shape[:2], image.shape[:2], strict=True))
    image[:high, :wide] = thumbnail.image[:high, :wide]
    return Scene(image, thumbnail.faces, thumbnail.unclear)


def targets(scenes: list[Scene]) -> dict[str, Tensor]:
    """Return the targets of each cell, (B, …, H, W).

    heat (1): 1 at a face's centre, falling off around it; counts (1): 0 where nothing is asked (faces too small, too
    large or too much hidden); taught (1): weight of place (4: dx, dy, log side, then unused) and lean (2).
    """
    height, width = (n // CELL for n in scenes[0].image.shape[:2])
    gy, gx = ((np.mgrid[:height, :width] + 0.5) * CELL - 0.5).astype(np.float32)
    shape = (len(scenes), height, width)
    heat, counts, taught = np.zeros(shape, np.float32), np.ones(shape, np.float32), np.zeros(shape, np.float32)
    place = np.zeros((len(scenes), 5, height, width), np.float32)
    for b, scene in enumerate(scenes):
        for x, y, side in scene.unclear:
            counts[b][np.hypot(gx - x, gy - y) < 0.4 * side] = 0
        for x, y, side, angle, *_ in scene.faces:
            distance = np.hypot(gx - x, gy - y)
            if not LEAST_SIDE <= side <= MOST_SIDE:
                counts[b][distance < 0.4 * side] = 0
                continue
            sigma = max(HEAT_SIGMA * side, 0.45 * CELL)
            warmth = np.exp(-(distance**2) / (2 * sigma**2))
            centre = np.unravel_index(distance.argmin(), distance.shape)
            warmth[centre] = 1
            near = (warmth >= heat[b]) & (distance < max(TAUGHT * side, 0.75 * CELL))
            heat[b] = np.maximum(heat[b], warmth)
            taught[b][near] = warmth[near]
            values = ((x - gx) / CELL, (y - gy) / CELL, np.log(side / UNIT_SIDE), np.sin(angle), np.cos(angle))
            for channel, value in enumerate(values):
                place[b, channel][near] = np.broadcast_to(value, near.shape)[near]
    return {
        "heat": torch.from_numpy(heat),
        "counts": torch.from_numpy(np.maximum(counts, heat >= 1)),
        "taught": torch.from_numpy(taught),
        "place": torch.from_numpy(place),
    }


def losses(out: Tensor, truth: dict[str, Tensor]) -> dict[str, Tensor]:
    """CenterNet's focal loss over cells, and absolute errors of place where a face is; per face."""
    logit, heat = out[:, 0], truth["heat"]
    p = logit.sigmoid()
    centre = heat >= 1
    faces = centre.sum().clamp(min=1)
    hit = -(F.logsigmoid(logit) * (1 - p) ** 2)[centre].sum()
    miss = -(F.logsigmoid(-logit) * p**2 * (1 - heat) ** 4 * truth["counts"])[~centre].sum()
    error = (out[:, 1:] - truth["place"]).abs() * truth["taught"][:, None]
    weight = truth["taught"].sum().clamp(min=1)
    return {
        "face": (hit + miss) / faces,
        "offset": error[:, :2].sum() / weight,
        "size": error[:, 2].sum() / weight,
        "lean": error[:, 3:].sum() / weight,
    }


if __name__ == "__main__":
    main()
