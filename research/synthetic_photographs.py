"""Synthetic photographs with landmark files, for trying the commands without a data set.

``expnet research photographs OUT --count 400``: 128-pixel renders by training/synthetic of faces that look at
the camera, beside each a .pts with its 68 landmarks and noise, and truth.csv with the true expressions.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ..model.builtin import OPEN
from ..model.face.semantics import OPEN_KEYS
from ..model.files import make_folder, write_whole
from ..model.formats import open_face_model
from ..training.synthetic.ingredients import Ingredients
from ..training.synthetic.sample import Sample, sample_batch
from ..training.synthetic.surface import Surface, build_surface

MARGIN = 0.25  # of the crop, around it, so that the face must be found
TOGETHER = 32


def write_photographs(out: Path, count: int, seed: int, noise: float, size: int = 128) -> None:
    """Write ``count`` photographs with landmarks that are off by ``noise`` pixels (standard deviation)."""
    surface = build_surface(open_face_model(OPEN), Ingredients(covers=False, degradations=False), None)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["image", *OPEN_KEYS])
    done = 0
    with tqdm(total=count, desc="photographs") as progress:
        batch = 0
        while done < count:
            for sample in _faces(surface, seed, batch, size):
                if done == count:
                    break
                name = f"{done:05d}"
                _write(out, name, sample, np.random.default_rng([seed, 1, done]), noise)
                table.writerow([f"{name}.png", *(f"{v:.5f}" for v in sample.eta)])
                done += 1
                progress.update()
            batch += 1
    write_whole(out / "truth.csv", text.getvalue().encode())


def _faces(surface: Surface, seed: int, batch: int, size: int) -> list[Sample]:
    rngs = [np.random.default_rng([seed, batch, i]) for i in range(TOGETHER)]
    return [s for s in sample_batch(rngs, surface, size) if s.natural]


def _write(out: Path, name: str, sample: Sample, rng: np.random.Generator, noise: float) -> None:
    make_folder(out)
    size = len(sample.image)
    margin = round(MARGIN * size)
    picture = cv2.copyMakeBorder(sample.image, *[margin] * 4, cv2.BORDER_REPLICATE)
    write_whole(out / f"{name}.png", cv2.imencode(".png", picture)[1].tobytes())
    points = sample.landmarks[:68].astype(np.float64) * size - 0.5 + margin
    points += rng.normal(size=points.shape) * noise
    rows = "\n".join(f"{x + 1:.3f} {y + 1:.3f}" for x, y in points)
    write_whole(out / f"{name}.pts", f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n".encode())
