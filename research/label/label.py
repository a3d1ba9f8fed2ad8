"""``expnet research label FOLDER``: expression labels by Eq. (2) for photographs with 68 landmarks each."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.files import is_dir, is_file, write_whole
from ...model.formats import open_face_model
from ...model.sight.sequences import is_image
from .eq2 import Floats, landmark_basis
from .label_shards import (
    Settings,
    check_settings,
    label_shard,
    load_estimator,
    load_labels,
    load_readings,
    missing_shards,
    pooled_alpha,
    read_shard_of_images,
    save,
    shard_slices,
)
from .landmark_files import Finder, plugin
from .on_ray import Shard, read_on_ray
from .subjects import subjects_of


@dataclass(frozen=True)
class LabelOptions:
    """What to label, see ``label_shards.Settings``. ``weights`` are those of the network that reads alpha and pose.

    ``face_model``: the head of the labels, whose basis the network has; FacePoseNet's pose is of this head, too.
    ``on_ray``: images are read on a Ray cluster, at ``address`` or on this machine.
    """

    folder: Path
    out: Path
    landmarks: str
    pose: str
    subjects: str
    lens_mm: float
    weights: str = OPEN
    face_model: str = OPEN
    on_ray: bool = False
    address: str | None = None


def label(options: LabelOptions) -> str:
    """Label all images under a folder, write the shards and labels.csv, and return a summary. Raises InputError."""
    found = options.folder.rglob("*") if is_dir(options.folder) else ()
    images = sorted(path for path in found if is_file(path) and is_image(path))
    if not images:
        raise InputError(f"{options.folder}: holds no images")
    finder = None if options.landmarks.startswith(".") else plugin(options.landmarks)
    subjects = subjects_of(images, options.subjects)
    model = open_face_model(options.face_model)
    landmark_basis(model)  # refuses a model that landmarks cannot be fitted with, before the images are read
    settings = Settings(
        options.landmarks, options.pose, options.subjects, options.lens_mm, options.face_model, len(images),
        options.weights,
    )  # fmt: skip
    check_settings(options.out, settings)
    parts = shard_slices(len(images))
    unread = list(missing_shards(options.out, "readings", len(parts)))
    to_read = [(options.out / f"readings_{i:05d}.npz", images[parts[i]]) for i in unread]
    with tqdm(total=len(to_read), desc="reading", unit="shard") as progress:
        for _ in _read(to_read, settings, options, finder):
            progress.update()
    readings = [load_readings(options.out / f"readings_{i:05d}.npz") for i in range(len(parts))]
    usable = sum(int((shard.error == "").sum()) for shard in readings)
    if not usable:
        first = next(str(error) for shard in readings for error in shard.error)
        raise InputError(f"{options.folder}: no image can be labelled; the first: {first}")
    alphas = pooled_alpha(readings, subjects)
    for i in tqdm(list(missing_shards(options.out, "labels", len(parts))), desc="fitting", unit="shard"):
        save(options.out / f"labels_{i:05d}.npz", label_shard(readings[i], alphas[i], settings, model))
    labels = load_labels(options.out)
    _write_table(options.out / "labels.csv", labels.image, labels.eta, labels.error, model.expression_keys)
    left = [str(error) for shard in readings for error in shard.error if error]
    lines = [
        f"{usable} of {len(images)} images labelled, {len(set(subjects))} subjects",
        f"landmarks {np.median(labels.error):.2f} px from the fit (median), "
        f"{labels.at_bound.mean():.0%} of the coefficients at a bound, {(~labels.converged).sum()} not converged",
    ]
    if left:
        lines.append(f"{len(left)} left out; the first: {left[0]}")
    return "\n".join(lines)


def _read(shards: Sequence[Shard], settings: Settings, options: LabelOptions, finder: Finder | None) -> Iterator[None]:
    if not shards:
        return
    if options.on_ray:
        # Ray's workers have another working directory.
        whole = [(path.absolute(), [image.absolute() for image in images]) for path, images in shards]
        yield from read_on_ray(whole, settings, options.address)
        return
    estimator = load_estimator(settings)
    for path, images in shards:
        save(path, read_shard_of_images(images, settings, estimator, finder))
        yield


def _write_table(path: Path, images: NDArray[np.str_], eta: Floats, error: Floats, keys: tuple[str, ...]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["image", *keys, "error_px"])
    for image, row, px in zip(images, eta, error):
        name = f"'{image}" if str(image)[:1] in "=+-@" else image
        writer.writerow([name, *(f"{v:.5f}" for v in row), f"{px:.3f}"])
    write_whole(path, text.getvalue().encode())
