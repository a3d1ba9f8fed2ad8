"""Render on all cores and train on a GPU at the same time, within a given time, for rented machines.

    python -m expnet.training.on_gpu OUT --minutes 9 [--realism FILE.npz] [--start-from WEIGHTS]

Renders to OUT/data until a third of the time is left, and keeps every picture in the GPU's memory. Measures the
training speed of the machine and lets the learning rate fall over the last third of the steps that fit. Then measures
the responses and writes OUT/weights.safetensors. Without a GPU it does the same on the CPU, for testing.
"""

from __future__ import annotations

import argparse
import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from tqdm import tqdm

from ..model.errors import InputError

HERE = Path(__file__).parent
TRIAL_STEPS = 60  # to measure this machine's training speed
RENDER_SHARE, DECAY_SHARE = 0.67, 0.33
LEFT_MINUTES = 0.5  # for the last evaluation and the responses


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--config", type=Path, default=HERE / "configs" / "glimpse_gpu.toml")
    parser.add_argument("--start-from", type=Path, default=HERE.parent / "model/data/open_weights.safetensors")
    parser.add_argument("--realism", type=Path, help="photographs of skin and light (training.realism.skins)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="that render")
    parser.add_argument(
        "--first", type=int, default=0, help="index of the first shard: other pictures than another run"
    )
    parser.add_argument("--per-shard", type=int, default=1024)
    args = parser.parse_args(argv)
    try:
        train_within(args)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def train_within(args: argparse.Namespace) -> None:
    """Run the steps. Raises InputError where one fails; the step's own output gives the reason."""
    ends = time.monotonic() + 60 * args.minutes
    data, device = args.out / "data", "cuda" if torch.cuda.is_available() else "cpu"
    data.mkdir(parents=True, exist_ok=True)
    for seed in (1, 2):  # held out; for the responses
        _run("synthetic.generate", data, "--seed", seed, "--shards", 1, *_pictures(args))
    renderers = [
        _start("synthetic.generate", data, "--shards", 1_000_000, "--first", args.first + k, "--step", args.processes,
               *_pictures(args))
        for k in range(args.processes)
    ]  # fmt: skip
    try:
        _wait_for_pictures(data, renderers, ends)
        train = ["train", "--config", args.config, "--data", data, "--out", args.out, "--device", device]
        train += ["--resident"] if device == "cuda" else []
        _run(*train, "--steps", TRIAL_STEPS, "--every", TRIAL_STEPS, "--decay", 0, "--start-from", args.start_from)
        per_second = _steps_per_second(args.out / "log.csv")
        left = ends - time.monotonic() - 60 * LEFT_MINUTES
        steps = TRIAL_STEPS + max(1, int(per_second * left * 0.95))
        print(f"{per_second:.1f} steps a second: {steps} steps fit into the {left / 60:.1f} minutes that are left")
        with _start(
            *train, "--steps", steps, "--decay", int(DECAY_SHARE * steps), "--every", max(1, steps // 20), "--resume"
        ) as training:
            stop_rendering = time.monotonic() + RENDER_SHARE * left
            while training.poll() is None:
                if renderers and time.monotonic() > stop_rendering:
                    _stop(renderers)
                    renderers = []
                try:
                    training.wait(5)
                except subprocess.TimeoutExpired:
                    continue
            if training.returncode:
                raise InputError("training has failed: see its lines above")
    finally:
        _stop(renderers)
    _run("responses", args.out / "weights.safetensors", data)


def _pictures(args: argparse.Namespace) -> list[object]:
    return ["--per-shard", args.per_shard, *(["--realism", args.realism] if args.realism else [])]


def _wait_for_pictures(data: Path, renderers: list[subprocess.Popen[bytes]], ends: float) -> None:
    """Wait until every renderer has written a shard."""
    with tqdm(total=len(renderers), desc="first shards") as progress:
        while progress.n < len(renderers):
            if any(r.poll() is not None for r in renderers) or time.monotonic() > ends:
                raise InputError("rendering has failed or takes longer than --minutes: see its lines above")
            time.sleep(0.5)
            progress.update(len(list(data.glob("seed0_shard*.npz"))) - progress.n)


def _steps_per_second(log: Path) -> float:
    with log.open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    return float(last["step"]) / (60 * float(last["minutes"]))


def _start(module: str, *arguments: object) -> subprocess.Popen[bytes]:
    package = __package__ or "expnet.training"
    command = [sys.executable, "-P", "-m", f"{package}.{module}", *map(str, arguments)]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=None)


def _run(module: str, *arguments: object) -> None:
    with _start(module, *arguments) as process:
        if process.wait():
            raise InputError(f"{module} has failed: see its lines above")


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
