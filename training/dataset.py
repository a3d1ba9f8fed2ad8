"""Shards of synthetic faces in memory, read as they appear on disk, and mirrored at random."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import torch

from ..model.array_types import AnyArray, IntArray
from ..model.face.dense_points import DENSE, DENSE_MIRROR
from ..model.face.semantics import LANDMARK_MIRROR, mirror_open_alpha, mirror_open_eta
from ..model.networks.architectures import LANDMARK_ROWS
from ..model.networks.mirror_image import SIGNS, mirrored_points
from .synthetic.sample import Sample

FIELDS = tuple(Sample.__dataclass_fields__)
LEARNED = tuple(name for name in FIELDS if name != "natural")  # what a batch of training holds
Batch = dict[str, torch.Tensor]


class ShardFolder:
    """All shards of one seed in a folder, at most the newest ``most``; ``refresh`` reads new ones."""

    def __init__(self, folder: Path, seed: int = 0, most: int = 10_000) -> None:
        self.folder, self.seed, self.most = folder, seed, most
        self.shards: dict[str, dict[str, AnyArray]] = {}
        self.refresh()

    def refresh(self) -> None:
        names = shard_names(self.folder, self.seed)[-self.most :]
        for name in [n for n in self.shards if n not in names]:
            del self.shards[name]
        for name in names:
            if name not in self.shards:
                self.shards[name] = read_shard(self.folder / name)
        if not self.shards:
            raise FileNotFoundError(
                f"{self.folder}: no shards of seed {self.seed}; run expnet.training.synthetic.generate"
            )

    def __len__(self) -> int:
        return sum(len(s["face"]) for s in self.shards.values())

    def random_batch(self, rng: np.random.Generator, count: int, size: int | None = None) -> Batch:
        """Draw ``count`` samples from a few shards, the second half mirrored.

        Pictures have ``size`` pixels (default: that of the first shard).
        """
        shards = list(self.shards.values())
        size = size or shards[0]["image"].shape[1]
        images = np.empty((count, size, size, 3), np.uint8)  # each picture is written once, in place
        half, places, parts = count // 2, rng.permutation(count), []
        chosen = rng.choice(len(shards), min(8, len(shards)), replace=False)
        for shard, into in zip((shards[i] for i in chosen), np.array_split(places, len(chosen)), strict=True):
            rows = rng.integers(0, len(shard["face"]), len(into))
            part = _resized({k: shard[k][rows] for k in LEARNED}, size)
            pictures, flip = part.pop("image"), into >= half
            images[into[~flip]], images[into[flip]] = pictures[~flip], pictures[flip, :, ::-1]
            parts.append(part)
        order = np.argsort(places)
        labels = {k: np.concatenate([p[k] for p in parts])[order] for k in parts[0]}
        flipped = mirrored_labels({k: v[half:] for k, v in labels.items()})
        batch = {k: np.concatenate([v[:half], flipped[k]]) for k, v in labels.items()}
        return as_tensors({"image": images, **batch})

    def all(self, size: int | None = None) -> Batch:
        """Return all samples, not mirrored, with pictures of ``size`` pixels (default: those of the first shard)."""
        shards = list(self.shards.values())
        size = size or shards[0]["image"].shape[1]
        parts = [_resized(s, size) for s in shards]
        known = [k for k in FIELDS if all(k in p for p in parts)]  # older shards have no ``natural``
        return as_tensors({k: np.concatenate([p[k] for p in parts]) for k in known})


def shard_names(folder: Path, seed: int) -> list[str]:
    """File names of the shards of ``seed``, oldest first."""
    return sorted(path.name for path in folder.glob(f"seed{seed}_shard*.npz"))


def read_shard(path: Path) -> dict[str, AnyArray]:
    """Read the fields of ``Sample``, stacked; landmarks in the order of the networks' outputs.

    Fields that older shards lack are filled in: points and natural with NaN, landmarks all visible, as much detail as
    there are pixels. Pictures stay on disk until they are used. A shard may hold labels only: ``pictures`` is the path
    of the shard with its pictures, and ``rows`` their places there.
    """
    with np.load(path, allow_pickle=False) as data:
        shard = {k: data[k] for k in FIELDS if k in data.files and k != "image"}
        elsewhere = (Path(str(data["pictures"])), data["rows"]) if "pictures" in data.files else None
    if elsewhere is None:
        shard["image"] = _mapped(path, "image")
    else:
        shard["image"] = cast(AnyArray, _Rows(_mapped(elsewhere[0], "image"), elsewhere[1]))
    count, size = shard["image"].shape[:2]
    shard.setdefault("points", np.full((count, DENSE, 2), np.nan, np.float16))
    shard.setdefault("visible", np.ones((count, shard["landmarks"].shape[1]), np.uint8))
    for name in ("landmarks", "visible"):
        shard[name] = shard[name][:, list(LANDMARK_ROWS)]
    shard.setdefault("detail", np.full(count, size, np.float32))
    shard.setdefault("natural", np.full(count, np.nan, np.float32))
    return shard


class _Rows:
    """Some rows of an array on disk, read when they are indexed."""

    def __init__(self, array: AnyArray, rows: IntArray) -> None:
        self._array, self._rows = array, rows
        self.shape = (len(rows), *array.shape[1:])

    def __getitem__(self, index: Any) -> AnyArray:
        picked: AnyArray = self._array[self._rows[index]]
        return picked

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        return np.asarray(self[:], dtype)


def _mapped(path: Path, name: str) -> AnyArray:
    """Return an array of an .npz file, memory-mapped if it is stored uncompressed, read otherwise."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        entry = archive.getinfo(f"{name}.npy")
        if entry.compress_type != zipfile.ZIP_STORED:
            with np.load(path, allow_pickle=False) as data:
                array: AnyArray = data[name]
                return array
        file.seek(entry.header_offset + 26)  # behind the entry's own header, two lengths, a name and an extra field
        file.seek(entry.header_offset + 30 + sum(struct.unpack("<HH", file.read(4))))
        version = np.lib.format.read_magic(file)
        old, new = np.lib.format.read_array_header_1_0, np.lib.format.read_array_header_2_0
        read_header: Callable[[BinaryIO], Any] = old if version == (1, 0) else new
        shape, fortran, dtype = read_header(file)
        return np.memmap(path, dtype, "r", file.tell(), shape, "F" if fortran else "C")


def _resized(shard: dict[str, AnyArray], size: int) -> dict[str, AnyArray]:
    """Return the same samples with pictures of ``size`` pixels, their detail limited to that."""
    if shard["image"].shape[1] == size:
        return shard
    pictures = torch.from_numpy(np.require(shard["image"], requirements="W")).permute(0, 3, 1, 2)
    pictures = torch.nn.functional.interpolate(pictures, (size, size), mode="bilinear", antialias=True)
    return {**shard, "image": pictures.permute(0, 2, 3, 1).numpy(), "detail": np.minimum(shard["detail"], size)}


def count_pictures(folder: Path, seed: int = 0) -> int:
    """Count the pictures in the shards of ``seed`` without reading the pictures."""
    total = 0
    for path in folder.glob(f"seed{seed}_shard*.npz"):
        with np.load(path, allow_pickle=False) as data:
            total += len(data["face"])
    return total


def mirrored(batch: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """Return the samples mirrored left to right."""
    return {**mirrored_labels(batch), "image": batch["image"][:, :, ::-1]}


def mirrored_labels(batch: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """Return the labels mirrored left to right."""
    return {
        **batch,
        **{name: batch[name] * sign for name, sign in SIGNS.items()},
        "eta": mirror_open_eta(batch["eta"]),
        "alpha": mirror_open_alpha(batch["alpha"]),
        "landmarks": mirrored_points(batch["landmarks"], LANDMARK_MIRROR),
        "points": mirrored_points(batch["points"], DENSE_MIRROR),
        "visible": batch["visible"][:, list(LANDMARK_MIRROR)],
    }


def as_tensors(batch: dict[str, AnyArray]) -> Batch:
    return {
        k: torch.from_numpy(np.ascontiguousarray(v, dtype=None if k == "image" else np.float32))
        for k, v in batch.items()
    }


def as_input(images: torch.Tensor) -> torch.Tensor:
    """Convert (B, S, S, 3) uint8 BGR to the network's input, channels last."""
    return images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)
