"""Train the open network: one file, read in one sitting.

    python -m expnet.training.train --config training/configs/compact.toml --data DATA --out RUN --steps 14000
    … --resume            go on from RUN/last.pt after a stop
    … --resume --steps N  go on to a later end; the learning rate falls over the last ``--decay`` steps before it
    … --start-from model/data/open_weights.safetensors    go on from what is shipped, with a fresh optimiser

The rate stays flat until the decay, so that RUN/flat.pt, the state in which the fall begins, can always be continued
with more data and more time. Data may grow while training runs: new shards are taken in as they are written.
Writes RUN/weights.safetensors (averaged weights with their header), RUN/log.csv and TensorBoard curves.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from ..model.camera import ANCHOR, SIDE_MM
from ..model.checkpoints.weights import WeightsHeader, load_weights, save_weights
from ..model.formats import open_face_model
from ..model.networks.compact import CompactNet
from ..model.semantics import OPEN_BASIS
from .dataset import ShardFolder, as_input
from .evaluate import summary
from .losses import LossWeights, expression_factor, total_loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of shards (seed 0: training, seed 1: evaluation)"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument(
        "--decay", type=int, default=3000, help="steps over which the learning rate falls to zero at the end"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=500, help="steps between evaluations and checkpoints")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/last.pt")
    parser.add_argument("--start-from", type=Path, help="a run's flat.pt, or weights such as the shipped ones")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    config = tomllib.loads(args.config.read_text())
    optimizer_config = config["optimizer"]
    args.out.mkdir(parents=True, exist_ok=True)
    network = CompactNet(config["network"])
    network = network.to(args.device, memory_format=torch.channels_last)
    averaged = AveragedModel(network, avg_fn=_averaging(optimizer_config["ema"]), use_buffers=True)
    optimizer = torch.optim.AdamW(
        network.parameters(), optimizer_config["learning_rate"], weight_decay=optimizer_config["weight_decay"]
    )
    weights = LossWeights(**config["loss"])
    factor = expression_factor(open_face_model("open")).to(args.device)
    data, held_out = ShardFolder(args.data, seed=0), ShardFolder(args.data, seed=1).all()

    step, seconds = 0, 0.0
    if args.start_from and args.start_from.suffix == ".safetensors":
        tensors = {k: torch.as_tensor(v) for k, v in load_weights(args.start_from)[1].items()}
        network.load_state_dict(tensors)
        averaged.module.load_state_dict(tensors)
    elif args.resume or args.start_from:
        state = torch.load(args.start_from or args.out / "last.pt", map_location=args.device, weights_only=True)
        network.load_state_dict(state["network"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        step, seconds = state["step"], state["seconds"]
    rng = np.random.default_rng([args.seed, step])
    started, window = time.monotonic(), []
    log = _Log(args.out)
    flat_saved = step > args.steps - args.decay

    def checkpoint(name: str) -> None:
        state = {
            "network": network.state_dict(),
            "averaged": averaged.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": step,
            "seconds": seconds + time.monotonic() - started,
        }
        torch.save(state, args.out / f".{name}")
        os.replace(args.out / f".{name}", args.out / name)

    network.train()
    progress = tqdm(total=args.steps, initial=step, unit="step")
    while step < args.steps:
        if step >= args.steps - args.decay and not flat_saved:
            checkpoint("flat.pt")
            flat_saved = True
        rate = optimizer_config["learning_rate"] * min(
            1.0, (step + 1) / optimizer_config["warmup"], (args.steps - step) / args.decay
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = {k: v.to(args.device) for k, v in data.random_batch(rng, optimizer_config["batch"]).items()}
        with torch.autocast(args.device.split(":")[0], torch.bfloat16):
            raw = network(as_input(batch["image"]))
        loss, parts = total_loss(network.split(raw), batch, factor, weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        averaged.update_parameters(network)
        step += 1
        window.append([float(loss.detach()), *(float(v.detach()) for v in parts.values())])
        progress.update()
        if step % args.every == 0 or step == args.steps:
            scores = summary(averaged.module, held_out, factor)
            row = {
                "step": step,
                "images": step * optimizer_config["batch"],
                "minutes": (seconds + time.monotonic() - started) / 60,
                "rate": rate,
                **dict(zip(["loss", *parts], np.mean(window, 0), strict=True)),
                **scores,
            }
            log.write(row)
            window.clear()
            progress.write(" ".join(f"{k} {v:.4g}" for k, v in row.items()))
            checkpoint("last.pt")
            export(averaged.module, args.out / "weights.safetensors", args.seed, len(data), row)
            data.refresh()


def _averaging(decay: float) -> Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]:
    """An exponential moving average that forgets its random start soon: over step n at most the last tenth or so."""

    def average(mean: torch.Tensor, new: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        if not mean.is_floating_point():
            return new
        return mean.lerp(new, 1 - min(decay, (1 + int(n)) / (10 + int(n))))

    return average


def export(network: CompactNet, path: Path, seed: int, pictures: int, evaluation: dict[str, float]) -> None:
    """The weights with the header that ``model.checkpoints.weights`` asks for."""
    header = WeightsHeader(
        architecture="compact",
        config=asdict(network.config),
        input_size=network.config.size,
        crop={"anchor": ANCHOR.tolist(), "side_mm": SIDE_MM},
        basis=OPEN_BASIS,
        license="CC0-1.0",
        training_data=f"{pictures} synthetic renders of the open head (training/synthetic), no photographs",
        seed=seed,
        evaluation={k: round(float(v), 5) for k, v in evaluation.items()},
    )
    save_weights(path, header, {name: _storable(tensor) for name, tensor in network.state_dict().items()})


def _storable(tensor: torch.Tensor) -> np.ndarray:
    """Convolutions and the head as float16 (half the file, no measurable loss); what is small stays as it is."""
    array = tensor.detach().cpu().numpy()
    return array.astype(np.float16) if array.ndim >= 2 else array


class _Log:
    """One row per evaluation: CSV for the report, TensorBoard for the eye (where it is installed)."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "log.csv"
        try:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder / "tensorboard"))
        except ImportError:
            self.board = None

    def write(self, row: dict[str, float]) -> None:
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow(row)
        if self.board:
            for name, value in row.items():
                self.board.add_scalar(name, value, row["step"])
            self.board.flush()


if __name__ == "__main__":
    main()
