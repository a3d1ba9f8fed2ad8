"""Training, fine-tuning on a second set, and the table against a linear fit and the mean."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from tqdm import tqdm

from ...model.errors import InputError
from ...model.face.face_model import FaceModel
from ...model.files import atomic_path, make_folder, write_whole
from ...model.formats import open_face_model
from ..label.landmark_method import landmark_source
from .basis import ExpressionBasis, Floats
from .linear_fit import linear_fit
from .network import RESNET50, TINY, NetworkSize, ResidualRegressor
from .pictures import Pictures, read_pictures, split

IDENTITY = 40  # components of the linear fit
TIMED = 20  # pictures
MOST_PICTURES = 64  # in one pass of a measurement


@dataclass(frozen=True)
class DeepExp3DOptions:
    """See the command's help. ``fine_tune`` is the second data set, or None."""

    source: Path
    out: Path
    fine_tune: Path | None
    landmarks: str
    subjects: str
    face_model: str
    tiny: bool
    epochs: int
    batch: int
    rate: float
    seed: int
    device: str


@dataclass(frozen=True, eq=False)
class Scale:
    """Mean and standard deviation (C,) of the training split's coefficients.

    ``unit`` is one number for all of them, so that l2 stays that of the orthonormal basis: the square of the motion.
    """

    mean: Floats
    deviation: Floats
    unit: float

    @staticmethod
    def of(coefficients: Floats) -> Scale:
        deviation = np.maximum(coefficients.std(0), 1e-6)
        return Scale(coefficients.mean(0), deviation, float(np.sqrt((deviation**2).mean())))


def run(options: DeepExp3DOptions) -> str:
    """Train, measure, and write weights.safetensors and results.md; return the table. Raises InputError."""
    torch.manual_seed(options.seed)
    model = open_face_model(options.face_model)
    if model.landmarks is None:
        raise InputError(f"{options.face_model}: has no 68 landmarks, so nothing can be registered to it")
    basis = ExpressionBasis.of(model)
    size = TINY if options.tiny else RESNET50
    source = landmark_source(options.landmarks)
    train, check, test = split(
        read_pictures(options.source, model, source, options.subjects, size.pixels), options.seed, str(options.source)
    )
    second = None
    if options.fine_tune is not None:
        second = split(
            read_pictures(options.fine_tune, model, source, options.subjects, size.pixels),
            options.seed,
            str(options.fine_tune),
        )
    scale = Scale.of(basis.coefficients(train.eta))
    network = ResidualRegressor(size, len(basis.components)).to(_device(options.device))
    parts = f"{len(train.eta)} pictures to train on, {len(check.eta)} to validate, {len(test.eta)} to test"
    print(f"seed {options.seed}; {parts}, of disjoint subjects")
    fit(network, train, check, basis, scale, options, options.rate, "training")
    lines = _rows(network, test, model, basis, scale, options.source.name)
    if second is not None:
        lines += _rows(network, second[2], model, basis, scale, f"{_name(options.fine_tune)}, before fine-tuning")[:1]
        fit(network, second[0], second[1], basis, scale, options, options.rate / 10, "fine-tuning")
        lines += _rows(network, second[2], model, basis, scale, f"{_name(options.fine_tune)}, fine-tuned")
    text = "\n".join(
        [
            f"{_described(size)}; {parts}; seed {options.seed}.",
            "",
            "| test pictures of | method | expression MSE, share of the variance | face, mm | ms for a picture |",
            "| --- | --- | ---: | ---: | ---: |",
            *lines,
        ]
    )
    make_folder(options.out)
    _save(options, network, basis, scale, model)
    write_whole(options.out / "results.md", f"{text}\n".encode())
    return text


def _name(path: Path | None) -> str:
    return "" if path is None else f"{path.parent.name}/{path.name}"


def _described(size: NetworkSize) -> str:
    if size == RESNET50:
        return f"ResNet-50 at {size.pixels} pixels"
    blocks = "-".join(map(str, size.blocks))
    return f"A tiny network (blocks {blocks}, width {size.width}) at {size.pixels} pixels, not ResNet-50"


def fit(
    network: ResidualRegressor, train: Pictures, check: Pictures, basis: ExpressionBasis, scale: Scale,
    options: DeepExp3DOptions, rate: float, what: str,
) -> None:  # fmt: skip
    """Minimise the l2 loss on ``train``, and leave the weights of the epoch that was best on ``check``."""
    device = next(network.parameters()).device
    goals = torch.tensor((basis.coefficients(train.eta) - scale.mean) / scale.unit, dtype=torch.float32)
    images = torch.from_numpy(train.images).permute(0, 3, 1, 2)
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)
    steps = options.epochs * -(-len(goals) // options.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    shuffle = torch.Generator().manual_seed(options.seed)
    best = (_error(network, check, basis, scale), _copied(network))
    with tqdm(total=steps, desc=what, unit="step") as progress:
        for _ in range(options.epochs):
            network.train()
            for rows in torch.randperm(len(goals), generator=shuffle).split(options.batch):
                if len(rows) > 1:  # the statistics of one picture are none
                    loss = F.mse_loss(network(images[rows].to(device)), goals[rows].to(device))
                    optimiser.zero_grad(set_to_none=True)
                    loss.backward()
                    optimiser.step()
                schedule.step()
                progress.update()
            error = _error(network, check, basis, scale)
            progress.set_postfix(validation=f"{error:.3f}")
            if error < best[0]:
                best = error, _copied(network)
    network.load_state_dict(best[1])


def _copied(network: ResidualRegressor) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _error(network: ResidualRegressor, pictures: Pictures, basis: ExpressionBasis, scale: Scale) -> float:
    gap = estimated(network, pictures, scale) - basis.coefficients(pictures.eta)
    return float(((gap / scale.unit) ** 2).mean())


def estimated(network: ResidualRegressor, pictures: Pictures, scale: Scale) -> Floats:
    """Return the network's coefficients (N, C) of registered pictures."""
    network.eval()
    device = next(network.parameters()).device
    batches = torch.from_numpy(pictures.images).split(MOST_PICTURES)
    with torch.inference_mode():
        found = [network(rows.permute(0, 3, 1, 2).to(device)).cpu().double().numpy() for rows in batches]
    coefficients: Floats = np.concatenate(found) * scale.unit + scale.mean
    return coefficients


def _rows(
    network: ResidualRegressor, test: Pictures, model: FaceModel, basis: ExpressionBasis, scale: Scale, what: str
) -> list[str]:
    assert model.landmarks is not None
    marks = model.landmarks
    identity = model.identity[:IDENTITY, marks].astype(np.float64)
    at = model.neutral[marks].astype(np.float64), identity, basis.at(marks), scale.deviation

    def by_network(part: Pictures) -> Floats:
        return estimated(network, part, scale)

    def by_landmarks(part: Pictures) -> Floats:
        return linear_fit(part.points, *at)

    true = basis.coefficients(test.eta)
    methods: tuple[tuple[str, Callable[[Pictures], Floats]], ...] = (
        ("network", by_network),
        ("linear fit to 68 landmarks", by_landmarks),
        ("mean of the training split", lambda part: np.tile(scale.mean, (len(part.eta), 1))),
    )
    rows = []
    for name, method in methods:
        gap = method(test) - true
        mse = ((gap / scale.unit) ** 2).mean()
        face = np.sqrt((gap**2).sum(1) / model.vertex_count).mean()  # the components are orthonormal
        ms = "–" if name.startswith("mean") else f"{_time(method, test):.1f}"
        rows.append(f"| {what} | {name} | {mse:.3f} | {face:.2f} | {ms} |")
    return rows


def _time(method: Callable[[Pictures], Floats], pictures: Pictures) -> float:
    """Return the median time of a picture on its own, ms, without registration."""
    taken = []
    for i in range(min(TIMED, len(pictures.eta))):
        one = pictures.only(np.array([i]))
        started = time.perf_counter()
        method(one)
        taken.append(1e3 * (time.perf_counter() - started))
    return float(np.median(taken))


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("this machine has no CUDA device: give --device cpu")
    return torch.device(name)


def _save(
    options: DeepExp3DOptions, network: ResidualRegressor, basis: ExpressionBasis, scale: Scale, model: FaceModel
) -> None:
    """Write the network, the map from the model's keys to the coefficients, and their scale."""
    tensors = {f"network.{name}": tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    numbers = {"of_eta": basis.of_eta, "mean": scale.mean, "deviation": np.full(len(scale.mean), scale.unit)}
    tensors |= {name: torch.from_numpy(np.ascontiguousarray(values)).float() for name, values in numbers.items()}
    header = {"architecture": "residual-regressor", **asdict(network.size), "basis": model.basis, "seed": options.seed}
    with atomic_path(options.out / "weights.safetensors") as part:
        save_file(tensors, part, {"expnet": json.dumps(header)})
