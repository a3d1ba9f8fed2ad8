"""How good the network is on faces it has never seen: ``python -m expnet.training.evaluate WEIGHTS DATA``.

Held-out synthetic faces (seed 1): correlation and error per key, millimetres at lids and lips, pose, gaze, crop, and
how well faces are told from other pictures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from ..model.checkpoints.weights import load_weights
from ..model.face_model import FaceModel
from ..model.formats import open_face_model
from ..model.networks.compact import CompactNet, rotation_matrix
from ..model.semantics import OPEN_KEYS
from .dataset import Batch, ShardFolder, as_input
from .losses import expression_factor

LID_REGIONS = ("lid_upper_L", "lid_lower_L", "lid_upper_R", "lid_lower_R")


def predict(network: CompactNet, images: torch.Tensor, size: int = 256) -> dict[str, torch.Tensor]:
    """All outputs for (N, S, S, 3) uint8 pictures, in evaluation mode, float32 on the CPU."""
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        raw = torch.cat([network(as_input(part.to(device))).float().cpu() for part in images.split(size)])
    network.train(was_training)
    return network.split(raw)


def correlations(predicted: torch.Tensor, truth: torch.Tensor) -> np.ndarray:
    """Pearson r per column, 0 where nothing varies."""
    p, t = (v.double() - v.double().mean(0) for v in (predicted, truth))
    return ((p * t).sum(0) / (p.norm(dim=0) * t.norm(dim=0)).clamp(min=1e-12)).numpy()


def summary(network: CompactNet, held_out: Batch, factor: torch.Tensor) -> dict[str, float]:
    """A row of numbers for the training log."""
    out = predict(network, held_out["image"])
    face = held_out["face"] > 0.5
    seen = {k: v[face] for k, v in out.items()}
    truth = {k: v[face] for k, v in held_out.items() if k != "image"}
    r = correlations(seen["eta"], truth["eta"])
    right = (out["face"][:, 0] > 0) == face
    return {
        "r": float(r.mean()),
        "r_worst": float(r.min()),
        "weighted_mm": float(((seen["eta"] - truth["eta"]) @ factor.cpu().T).norm(dim=1).mean()),
        "r_gaze": float(correlations(seen["gaze"], truth["gaze"]).mean()),
        "rotation_degrees": float(np.degrees(rotation_error(seen["rotation"], truth["rotation"])).mean()),
        "crop_shift": float((seen["crop"] - truth["crop"])[:, :2].norm(dim=1).mean()),
        "crop_scale": float((seen["crop"] - truth["crop"])[:, 2].abs().mean()),
        "face_accuracy": float(right.float().mean()),
    }


def rotation_error(predicted: torch.Tensor, truth: torch.Tensor) -> np.ndarray:
    """Angle in radians between rotations given by six numbers each."""
    a, b = rotation_matrix(predicted.float()), rotation_matrix(truth.float())
    trace = (a * b).sum((1, 2))
    return torch.arccos(((trace - 1) / 2).clamp(-1, 1)).numpy()


def region_error(model: FaceModel, regions: tuple[str, ...], error: np.ndarray) -> float:
    """Mean distance in mm of the regions' vertices for errors of eta (N, 29)."""
    rows = np.unique(np.concatenate([model.regions[r] for r in regions]))
    moved = np.einsum("nk,kvc->nvc", error, model.expression[:, rows])
    return float(np.linalg.norm(moved, axis=2).mean())


def load_network(path: Path) -> CompactNet:
    header, tensors = load_weights(path)
    network = CompactNet(header.config)
    network.load_state_dict({k: torch.as_tensor(v) for k, v in tensors.items()})
    return network.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("data", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = open_face_model("open")
    network, held_out = load_network(args.weights), ShardFolder(args.data, seed=1).all()
    for name, value in summary(network, held_out, expression_factor(model)).items():
        print(f"{name:18} {value:8.3f}")
    face = held_out["face"] > 0.5
    out = predict(network, held_out["image"])
    eta, truth = out["eta"][face], held_out["eta"][face]
    error = (eta - truth).numpy()
    lips = region_error(model, ("lips",), error)
    lids = region_error(model, LID_REGIONS, error)
    print(f"{'lips mm':18} {lips:8.3f}\n{'lids mm':18} {lids:8.3f}\n\nkey                       r   mean abs error")
    for key, r, e in zip(OPEN_KEYS, correlations(eta, truth), np.abs(error).mean(0), strict=True):
        print(f"{key:18} {r:8.3f} {e:8.3f}")


if __name__ == "__main__":
    main()
