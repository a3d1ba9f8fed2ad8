"""Shards of synthetic faces in a GPU's memory; batches are sampled and mirrored on the device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..model.array_types import AnyArray
from .dataset import LEARNED, Batch, mirrored_labels, read_shard, shard_names

LABELS = tuple(name for name in LEARNED if name != "image")


class ResidentFolder:
    """``dataset.ShardFolder`` for a device with memory enough: the same pictures and labels, as tensors on ``device``.

    A million pictures of 128 px take 49 GB. Pictures of other sizes than a shard's are not made: a recipe's phases
    must all have the shards' size.
    """

    def __init__(self, folder: Path, device: str, seed: int = 0, most: int = 10_000) -> None:
        self.folder, self.device, self.seed, self.most = folder, device, seed, most
        self.images: dict[str, torch.Tensor] = {}
        self.labels: dict[str, tuple[Batch, Batch]] = {}  # plain and mirrored
        self.refresh()

    def refresh(self) -> None:
        """Read new shards; the newest replace the oldest beyond ``most`` shards."""
        names = shard_names(self.folder, self.seed)[-self.most :]
        for name in [n for n in self.images if n not in names]:
            del self.images[name], self.labels[name]
        for name in names:
            if name not in self.images:
                shard = read_shard(self.folder / name)
                labels = {k: shard[k] for k in LABELS}
                self.images[name] = torch.from_numpy(np.array(shard["image"])).to(self.device)
                self.labels[name] = self._tensors(labels), self._tensors(mirrored_labels(labels))
        if not self.images:
            raise FileNotFoundError(
                f"{self.folder}: no shards of seed {self.seed}; run expnet.training.synthetic.generate"
            )

    def __len__(self) -> int:
        return sum(len(images) for images in self.images.values())

    def random_batch(self, rng: np.random.Generator, count: int, size: int | None = None) -> Batch:
        """Sample ``count`` samples from a few shards, half of them mirrored; ``size`` is that of the shards."""
        names = list(self.images)
        if size not in (None, self.images[names[0]].shape[1]):
            raise ValueError(f"resident pictures have {self.images[names[0]].shape[1]} pixels, not {size}")
        chosen = rng.choice(len(names), min(8, len(names)), replace=False)
        images, labels = [], []
        for name, share in zip((names[i] for i in chosen), np.array_split(np.arange(count), len(chosen)), strict=True):
            rows = torch.from_numpy(rng.integers(0, len(self.images[name]), len(share))).to(self.device)
            half = len(rows) // 2
            pictures = self.images[name][rows]
            images.append(torch.cat([pictures[:half], pictures[half:].flip(2)]))
            plain, mirror = self.labels[name]
            labels.append({k: torch.cat([plain[k][rows[:half]], mirror[k][rows[half:]]]) for k in LABELS})
        return {"image": torch.cat(images), **{k: torch.cat([part[k] for part in labels]) for k in LABELS}}

    def _tensors(self, labels: dict[str, AnyArray]) -> Batch:
        return {k: torch.from_numpy(np.ascontiguousarray(v, np.float32)).to(self.device) for k, v in labels.items()}
