"""Scale: the same pictures at decreasing resolution, as in Fig. 4 of the paper (Chang et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure

from ...model.array_types import UInt8Array
from ...model.camera import Crop
from ...model.face.semantics import OPEN_KEYS
from ...model.networks.cutting import cut
from .measures import EYE_POINTS, LID_REGIONS, MOUTH_POINTS, correlations, seen_region_error
from .section import Cell, Plot, Score, Section, Table
from .subject import Subject

LARGEST = 128  # pixels across the face's crop at x1
SCALES = (1.0, 0.8, 0.6, 0.4, 0.3, 0.2)
FALL_BAR = 0.05
PARTS = {
    "brows": ("brow",),
    "lids": ("lid", "eyeSquint"),
    "cheeks and nose": ("cheek", "nose"),
    "mouth": ("mouth",),
    "jaw": ("jaw",),
}


def measure(subject: Subject) -> Section:
    size = subject.held_out["image"].shape[1]
    sharp = subject.conditions.detail >= 0.9 * min(size, LARGEST)
    pictures = subject.held_out["image"][subject.face][torch.from_numpy(sharp)].numpy()
    truth = subject.truth["eta"][torch.from_numpy(sharp)]
    visible = subject.conditions.visible[sharp]
    widths = sorted({min(size, round(LARGEST * scale)) for scale in SCALES}, reverse=True)
    rows: list[tuple[Cell, ...]] = []
    means: list[dict[str, float]] = []
    for width in widths:
        eta = subject.read(shown_at(pictures, width, subject.network.config.size))["eta"]
        r, error = correlations(eta, truth), (eta - truth).numpy()
        lips = seen_region_error(subject.model, ("lips",), MOUTH_POINTS, error, visible)
        lids = seen_region_error(subject.model, LID_REGIONS, EYE_POINTS, error, visible)
        parts = {name: float(r[[k.startswith(starts) for k in OPEN_KEYS]].mean()) for name, starts in PARTS.items()}
        means.append({"all keys": float(r.mean()), **parts})
        rows.append((f"x{width / LARGEST:.2g}, {width} pixels", *means[-1].values(), lips, lids))
    fall = means[0]["all keys"] - means[-1]["all keys"]
    what = f"fall of mean r from {widths[0]} to {widths[-1]} pixels across"
    return Section(
        "Size of the face",
        f"The {len(pictures)} held-out faces without any loss of sharpness. Each is reduced by area averaging and cut "
        "out by the estimator, which enlarges it to the network's input size again. Pixels are across the crop, "
        "which is 200 mm wide; a head takes three quarters of it.",
        (Score(what, fall, "lower", FALL_BAR),),
        (Table(("", *means[0], "lips mm", "lids mm"), tuple(rows), "Mean r by scale"),),
        (Plot("scale", "Mean correlation against the face's size", _curves(widths, means), (6, 4)),),
    )


def shown_at(pictures: UInt8Array, width: int, size: int) -> torch.Tensor:
    """Pictures (N, S, S, 3) with ``width`` pixels across instead of S, cut for a network of ``size`` pixels."""
    whole = Crop((width - 1) / 2, (width - 1) / 2, width)
    small = (cv2.resize(p, (width, width), interpolation=cv2.INTER_AREA) for p in pictures)
    return torch.from_numpy(np.stack([cut(p, whole, size) for p in small]))


def _curves(widths: list[int], means: list[dict[str, float]]) -> Callable[[Figure], None]:
    def draw(figure: Figure) -> None:
        axis = figure.add_subplot()
        for name in means[0]:
            strong = name == "all keys"
            axis.plot(widths, [m[name] for m in means], "o-", label=name, linewidth=2.5 if strong else 1, markersize=4)
        axis.set_xlabel("pixels across the crop")
        axis.set_ylabel("mean r")
        axis.set_ylim(0, 1)
        axis.invert_xaxis()
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)

    return draw
