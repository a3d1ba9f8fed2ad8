"""Synthetic faces with known pose and landmarks: ``table.csv`` and pictures."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.files import make_folder, write_whole
from ...model.formats import open_face_model
from ...model.rotations import euler_degrees, rotation_of_columns
from ...training.synthetic.ingredients import Ingredients
from ...training.synthetic.sample import sample_batch
from ...training.synthetic.surface import build_surface
from .ground_truth import COLUMNS, POINTS

SIZE, MARGIN, TOGETHER = 192, 0.25, 16


def make(out: Path, count: int, seed: int) -> None:
    """Write ``count`` pictures of faces turned up to 77 degrees, without anything before them."""
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: there is something already: choose another folder")
    make_folder(out)
    surface = build_surface(open_face_model(OPEN), Ingredients(covers=False), None)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow([*COLUMNS, *POINTS])
    margin = round(MARGIN * SIZE)
    done = batch = 0
    with tqdm(total=count, desc="pictures") as progress:
        while done < count:
            rngs = [np.random.default_rng([seed, batch, i]) for i in range(TOGETHER)]
            for sample in sample_batch(rngs, surface, SIZE):
                if not sample.face or done == count:
                    continue
                name = f"{done:05d}.png"
                picture = cv2.copyMakeBorder(sample.image, *[margin] * 4, cv2.BORDER_REPLICATE)
                write_whole(out / name, cv2.imencode(".png", picture)[1].tobytes())
                angles = euler_degrees(rotation_of_columns(sample.rotation[None].astype(np.float64)))[0]
                points = sample.landmarks[:68].astype(np.float64) * SIZE - 0.5 + margin
                table.writerow([name, *(f"{v:.4f}" for v in angles), *(f"{v:.3f}" for v in points.ravel())])
                done += 1
                progress.update()
            batch += 1
    write_whole(out / "table.csv", text.getvalue().encode())
