"""Train the open network.

    python -m expnet.training.train --config training/configs/glimpse.toml --data DATA --out RUN --steps 14000
    … --resume            continue from RUN/last.pt after a stop
    … --resume --steps N  continue to a later end; the learning rate falls over the last ``decay`` steps before it
    … --start-from model/data/open_weights.safetensors    continue from the shipped weights, with a fresh optimiser
    torchrun --nproc-per-node 4 -m expnet.training.train …    several GPUs, or several processes on CPUs

The rate stays flat until the decay. RUN/flat.pt, the state at the start of the decay, can always be continued with more
data and more time. Data may grow while training runs: new shards are read as they are written. Writes
RUN/weights.safetensors (averaged weights with their header), RUN/log.csv and TensorBoard curves.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from ..model.builtin import OPEN
from ..model.errors import InputError
from ..model.formats import open_face_model
from ..model.networks.torch_engine.by_name import Network, build_network
from ..model.networks.torch_engine.estimator import multiplies_bfloat16
from ..model.networks.torch_engine.glimpse import GlimpseNet, with_all_corrections
from ..model.networks.torch_engine.resnet101 import ResNet101
from ..model.networks.weights.weights_file import load_weights
from .augment import as_augmented_input
from .config import Config, load_config
from .dataset import Batch, ShardFolder, as_input
from .dense_points import DensePoints
from .evaluation.measures import fitted, summary
from .glimpse_points import GlimpseScales
from .losses import Factors, factors, total_loss
from .resident import ResidentFolder
from .run_folder import Log, export_weights, load_checkpoint, load_tensors, save_checkpoint
from .schedule import Rate, averaged, make_optimizer

MEAN_IMAGE_PICTURES = 4096


class Trainee(nn.Module):
    """The network and its training-only heads (where points are learned)."""

    def __init__(self, network: Network, points: bool) -> None:
        super().__init__()
        self.network = network
        whole = network.whole if isinstance(network, GlimpseNet) else network
        self.points = DensePoints(whole.head.in_features) if points else None
        self.closer = GlimpseScales(network) if points and isinstance(network, GlimpseNet) else None

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        closer: dict[str, Tensor] = {}
        if isinstance(self.network, GlimpseNet):
            raw, features, points, head_input = self.network.look(x)
            if self.closer:
                with torch.autocast(x.device.type, enabled=False):
                    closer = {"closer": points, "closer_log_scale": self.closer(head_input)}
        else:
            features = self.network.features(x)
            with torch.autocast(x.device.type, enabled=False):
                raw = self.network.head(features)
        with torch.autocast(x.device.type, enabled=False):
            return {**self.network.split(raw), **(self.points(features) if self.points else {}), **closer}


class Processes:
    """This process among those started by torchrun, or a single process."""

    def __init__(self, device: str) -> None:
        self.rank, self.count = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.device = device
        if self.count > 1:
            if device == "cuda":
                self.device = f"cuda:{os.environ['LOCAL_RANK']}"
                torch.cuda.set_device(self.device)
            dist.init_process_group("nccl" if device == "cuda" else "gloo")

    def wrap(self, module: nn.Module) -> nn.Module:
        return DistributedDataParallel(module) if self.count > 1 else module

    def from_first(self, value: float) -> float:
        """Return the value of the first process."""
        if self.count == 1:
            return value
        tensor = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(tensor, 0)
        return float(tensor)

    def end(self) -> None:
        if self.count > 1:
            dist.destroy_process_group()


def train(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    if args.decay is not None:
        config = replace(config, schedule=replace(config.schedule, decay=args.decay))
    processes = Processes(args.device)
    rank, device = processes.rank, processes.device
    if config.optimizer.batch % processes.count:
        raise InputError(
            f"{args.config}: batch {config.optimizer.batch} cannot be shared by {processes.count} processes"
        )
    batch_size = config.optimizer.batch // processes.count
    precision = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[config.optimizer.precision]
    if precision == torch.float16 and device == "cpu":
        raise InputError(f"{args.config}: fp16 needs a GPU; on a CPU use bf16 or fp32")
    if precision == torch.bfloat16 and device == "cpu" and not multiplies_bfloat16():
        print("this processor has no bfloat16 instructions: training uses float32")
        precision = torch.float32
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)

    data = _pictures(args, config, device)
    held_out = ShardFolder(args.data, seed=1).all()
    millimetres = factors(open_face_model(OPEN), device)
    trainee = Trainee(_network(config, data), config.loss.dense > 0).to(device, memory_format=torch.channels_last)
    average = averaged(trainee.network, config.optimizer.ema)
    optimizer = make_optimizer(trainee, config.optimizer)
    rate = Rate(config.optimizer, config.schedule, args.steps)
    scaler = torch.amp.GradScaler(device.split(":")[0], enabled=precision == torch.float16)

    step, images, seconds = 0, 0, 0.0
    if args.start_from and args.start_from.suffix == ".safetensors":
        tensors = {k: torch.as_tensor(v) for k, v in load_weights(args.start_from)[1].items()}
        tensors = with_all_corrections(trainee.network, tensors)
        load_tensors(trainee.network, tensors, args.start_from)
        load_tensors(average.module, tensors, args.start_from)
    elif args.resume or args.start_from:
        path = args.start_from or args.out / "last.pt"
        state = load_checkpoint(path, device)
        load_tensors(trainee, state["trainee"], path)
        load_tensors(average, state["averaged"], path)
        try:
            optimizer.load_state_dict(state["optimizer"])
        except (KeyError, ValueError) as error:
            raise InputError(f"{path}: was trained with another optimiser than {config.optimizer.name}") from error
        scaler.load_state_dict(state["scaler"])
        rate.restore(state["rate"])
        step, seconds = state["step"], state["seconds"]
        images = state.get("images", step * config.optimizer.batch)  # older checkpoints counted steps only
    model = processes.wrap(trainee)

    def checkpoint(name: str) -> None:
        state = {
            "trainee": trainee.state_dict(),
            "averaged": average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scaler": scaler.state_dict(),
            "rate": rate.state(),
            "step": step,
            "images": images,
            "seconds": seconds,
        }
        save_checkpoint(state, args.out / name)

    draws, tones = (np.random.default_rng([args.seed, step, rank, use]) for use in range(2))  # others in every process
    loader = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(args.threads,))

    def draw(at: int) -> Future[Batch]:
        """Return the batch of a step, prepared during the step before it."""
        return loader.submit(data.random_batch, draws, batch_size, config.input.size_at(at))

    flat_ends = args.steps - config.schedule.decay if config.schedule.kind == "flat-then-decay" else None
    log = Log(args.out) if rank == 0 else None
    if rank == 0:
        shutil.copyfile(args.config, args.out / "recipe.toml")
    window: list[Tensor] = []
    started = time.monotonic()
    progress = tqdm(total=args.steps, initial=step, unit="step", disable=rank > 0)
    model.train()
    ahead = draw(step)
    while step < args.steps:
        if step == flat_ends and rank == 0:
            checkpoint("flat.pt")
        size = config.input.size_at(step)
        for network in (trainee.network, average.module):  # evaluated and saved for the current size
            network.config = replace(network.config, size=size)
        for group in optimizer.param_groups:
            group["lr"] = rate.at(step) * group.get("share", 1.0)
        batch, ahead = _on(device, ahead.result()), draw(step + 1)
        with torch.autocast(device.split(":")[0], precision, enabled=precision != torch.float32):
            out = model(as_augmented_input(batch["image"], tones, config.augment))
        loss, parts = total_loss(out, batch, millimetres, config.loss)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(trainee.parameters(), config.optimizer.clip)
        scaler.step(optimizer)
        scaler.update()
        average.update_parameters(trainee.network)
        step, images = step + 1, images + config.optimizer.batch
        window.append(torch.stack([loss, *parts.values()]).detach())
        progress.update()
        if step % args.every and step < args.steps:
            continue

        means = dict(zip(["loss", *parts], torch.stack(window).mean(0).tolist(), strict=True))
        if not math.isfinite(means["loss"]):
            raise InputError(
                f"the loss is {means['loss']} at step {step}: go on from last.pt with a lower learning rate"
            )
        elapsed = time.monotonic() - started
        seconds += elapsed
        held_out_loss = 0.0
        if config.schedule.kind == "plateau":
            if rank == 0:
                held_out_loss = _held_out_loss(trainee, held_out, millimetres, config)
            held_out_loss = processes.from_first(held_out_loss)
            rate.saw(held_out_loss)
        if log:
            row = {
                "step": step,
                "images": images,
                "minutes": seconds / 60,
                "images_per_second": len(window) * config.optimizer.batch / elapsed,
                "rate": optimizer.param_groups[0]["lr"],
                **({"held_out_loss": held_out_loss} if config.schedule.kind == "plateau" else {}),
                **means,
                **summary(average.module, held_out, millimetres.expression),
            }
            log.write(row)
            progress.write(" ".join(f"{k} {v:.4g}" for k, v in row.items()))
            checkpoint("last.pt")
            path = args.out / "weights.safetensors"
            export_weights(average.module, config.architecture, path, args.seed, str(len(data)), row, size)
        data.refresh()
        window, started = [], time.monotonic()
    loader.shutdown()
    processes.end()


def _pictures(args: argparse.Namespace, config: Config, device: str) -> ShardFolder | ResidentFolder:
    """Keep all pictures in GPU memory if ``--resident`` is set."""
    if not args.resident:
        return ShardFolder(args.data, seed=0, most=config.data.shards)
    if len(config.input.phases) > 1:
        raise InputError(f"{args.config}: --resident needs a recipe with a single picture size")
    return ResidentFolder(args.data, device, seed=0, most=config.data.shards)


def _network(config: Config, data: ShardFolder | ResidentFolder) -> Network:
    network = build_network(config.architecture, config.network)
    if isinstance(network, GlimpseNet):
        network.leak = config.optimizer.leak
    if isinstance(network, ResNet101) and network.config.mean_image:
        rng, size = np.random.default_rng(0), network.config.size
        pictures = (data.random_batch(rng, 64, size)["image"] for _ in range(MEAN_IMAGE_PICTURES // 64))
        total = sum(p.double().sum(0) for p in pictures) / MEAN_IMAGE_PICTURES
        network.mean_image.copy_(total.permute(2, 0, 1))
    return network


def _on(device: str, batch: Batch) -> Batch:
    return {k: v.to(device, non_blocking=True) for k, v in batch.items()}


def _held_out_loss(trainee: Trainee, held_out: Batch, millimetres: Factors, config: Config) -> float:
    """Return the mean loss over the held-out pictures with the current weights."""
    trainee.eval()
    device = str(millimetres.expression.device)
    losses = []
    with torch.inference_mode():
        for i in range(0, len(held_out["face"]), config.optimizer.batch):
            part = {k: v[i : i + config.optimizer.batch] for k, v in held_out.items()}
            part["image"] = fitted(part["image"], trainee.network.config.size)
            batch = _on(device, part)
            losses.append(float(total_loss(trainee(as_input(batch["image"])), batch, millimetres, config.loss)[0]))
    trainee.train()
    return float(np.mean(losses))


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments, which ``train`` takes as parsed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="shards (seed 0: training, seed 1: evaluation)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--decay", type=int, help="instead of the recipe's: steps in which the rate falls to zero")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=500, help="steps between evaluations and checkpoints")
    parser.add_argument("--resident", action="store_true", help="keep all pictures in the device's memory")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/last.pt")
    parser.add_argument("--start-from", type=Path, help="a run's flat.pt, or weights such as the shipped ones")
    return parser


def main(argv: list[str] | None = None) -> None:
    try:
        train(arguments().parse_args(argv))
    except (InputError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
