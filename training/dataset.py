"""Shards of synthetic faces in memory, read as they appear on disk, and mirrored at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..model.semantics import mirror_open_alpha, mirror_open_eta
from .synthetic.sample import Sample

LABELS = tuple(name for name in Sample.__dataclass_fields__ if name != "image")
# iBUG's 68 points seen in a mirror, then the two pupils
MIRRORED_LANDMARKS = np.array([
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65, 69, 68,
])  # fmt: skip
Batch = dict[str, torch.Tensor]


class ShardFolder:
    """All shards of one seed in a folder; ``refresh`` takes in what has been written since, newest replacing oldest
    once there are more than ``most``."""

    def __init__(self, folder: Path, seed: int = 0, most: int = 10_000) -> None:
        self.folder, self.seed, self.most = folder, seed, most
        self.shards: dict[str, dict[str, np.ndarray]] = {}
        self.refresh()

    def refresh(self) -> None:
        names = sorted(p.name for p in self.folder.glob(f"seed{self.seed}_shard*.npz"))[-self.most :]
        for name in [n for n in self.shards if n not in names]:
            del self.shards[name]
        for name in names:
            if name not in self.shards:
                with np.load(self.folder / name, allow_pickle=False) as data:
                    self.shards[name] = {k: data[k] for k in data.files}
        if not self.shards:
            raise FileNotFoundError(
                f"{self.folder}: no shards of seed {self.seed}; run expnet.training.synthetic.generate"
            )

    def __len__(self) -> int:
        return sum(len(s["face"]) for s in self.shards.values())

    def random_batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Drawn from a few shards at once; the second half is mirrored."""
        shards = list(self.shards.values())
        parts = []
        for shard in rng.choice(len(shards), min(8, len(shards)), replace=False):
            rows = rng.integers(0, len(shards[shard]["face"]), -(-size // min(8, len(shards))))
            parts.append({k: v[rows] for k, v in shards[shard].items()})
        batch = {k: np.concatenate([p[k] for p in parts])[:size] for k in parts[0]}
        order = rng.permutation(size)
        batch = {k: v[order] for k, v in batch.items()}
        half = size // 2
        flipped = mirrored({k: v[half:] for k, v in batch.items()})
        batch = {k: np.concatenate([v[:half], flipped[k]]) for k, v in batch.items()}
        return as_tensors(batch)

    def all(self) -> Batch:
        shards = list(self.shards.values())
        return as_tensors({k: np.concatenate([s[k] for s in shards]) for k in shards[0]})


def count_pictures(folder: Path, seed: int = 0) -> int:
    """How many pictures the shards of ``seed`` hold, without reading the pictures."""
    total = 0
    for path in folder.glob(f"seed{seed}_shard*.npz"):
        with np.load(path, allow_pickle=False) as data:
            total += len(data["face"])
    return total


def mirrored(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same faces seen in a mirror."""
    rotation = batch["rotation"] * np.array([1, -1, -1, -1, 1, 1], np.float32)
    landmarks = batch["landmarks"][:, MIRRORED_LANDMARKS].copy()
    landmarks[..., 0] = 1 - landmarks[..., 0]
    return {
        **batch,
        "image": batch["image"][:, :, ::-1],
        "eta": mirror_open_eta(batch["eta"]),
        "alpha": mirror_open_alpha(batch["alpha"]),
        "gaze": batch["gaze"] * np.array([-1, 1], np.float32),
        "rotation": rotation,
        "crop": batch["crop"] * np.array([-1, 1, 1], np.float32),
        "landmarks": landmarks,
    }


def as_tensors(batch: dict[str, np.ndarray]) -> Batch:
    return {
        k: torch.from_numpy(np.ascontiguousarray(v, dtype=None if k == "image" else np.float32))
        for k, v in batch.items()
    }


def as_input(images: torch.Tensor) -> torch.Tensor:
    """(B, S, S, 3) uint8 BGR to the network's input, channels last."""
    return images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)
