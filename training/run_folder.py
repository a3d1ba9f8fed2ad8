"""Files of a run: its log, its checkpoints, and weights for the estimator."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..model.array_types import AnyArray
from ..model.camera import ANCHOR, SIDE_MM
from ..model.errors import InputError
from ..model.face.semantics import OPEN_BASIS
from ..model.files import atomic_path
from ..model.networks.weights.weights_file import WeightsHeader, save_weights


class Log:
    """One row per evaluation: CSV for the report, and TensorBoard curves where it is installed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "log.csv"
        self.board: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder / "tensorboard"))
        except ImportError:
            pass

    def write(self, row: dict[str, float]) -> None:
        """Append a row. Existing rows may have other columns, because a run can continue with another recipe."""
        rows: list[dict[str, Any]] = []
        if self.path.exists():
            with self.path.open(newline="") as file:
                rows = list(csv.DictReader(file))
        rows.append(row)
        columns = list(dict.fromkeys(name for r in rows for name in r))
        with atomic_path(self.path) as partial, partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="nan")
            writer.writeheader()
            writer.writerows(rows)
        if self.board:
            for name, value in row.items():
                self.board.add_scalar(name, value, row["step"])
            self.board.flush()


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    with atomic_path(path) as partial:
        torch.save(state, partial)


def load_checkpoint(path: Path, device: str) -> dict[str, Any]:
    """Load a run's own ``.pt``: tensors and numbers only, no executable content."""
    if not path.is_file():
        raise InputError(f"{path}: no checkpoint there: give the folder of a run that has reached its first evaluation")
    checkpoint: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return checkpoint


def load_tensors(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load into ``module``. Raises InputError where the weights belong to another network than the recipe's."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise InputError(f"{path}: does not fit the recipe's [network]: {reason}") from error


def export_weights(
    network: nn.Module,
    architecture: str,
    path: Path,
    seed: int,
    renders: str,
    evaluation: dict[str, float],
    input_size: int,
) -> None:
    """Write the weights with the header that ``model.networks.weights`` reads; ``renders``: how many of what."""
    config: Any = network.config
    header = WeightsHeader(
        architecture=architecture,
        config=asdict(config),
        input_size=input_size,
        crop={"anchor": ANCHOR.tolist(), "side_mm": SIDE_MM},
        basis=OPEN_BASIS,
        license="CC0-1.0",
        training_data=f"{renders} synthetic renders of the open head (training/synthetic), whose skins and light may"
        " come from the CC0 and CC BY photographs that CREDITS.md names; no other photographs",
        seed=seed,
        evaluation={k: round(float(v), 5) for k, v in evaluation.items()},
    )
    tensors = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    save_weights(path, header, storable(tensors))


def storable(tensors: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """Convert convolutions and the head to float16 (half the file, no measurable loss), except small tensors."""
    return {name: array.astype(np.float16) if array.ndim >= 2 else array for name, array in tensors.items()}
