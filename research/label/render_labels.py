"""Labels by Eq. (2) for shards of rendered faces, from their landmarks with noise.

``expnet research label-renders DATA``, where DATA was made by ``training.synthetic.generate``. The pictures stay in
DATA: OUT/seed0_shard00000.npz holds the labels of the shard of that name, and where its pictures are. All that a
network learns from such a shard comes from the noisy landmarks and alpha. In the shards of seed 1, which are for the
evaluation, ``eta`` is the truth, and ``label`` the label.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...model.builtin import OPEN
from ...model.camera import Camera, Crop
from ...model.errors import InputError
from ...model.face.face_model import FaceModel
from ...model.files import atomic_path, is_dir, is_file, make_folder, write_whole
from ...model.formats import open_face_model
from ...model.networks import engines
from ...model.networks.two_looks import LooksTwice
from ...model.reading import json_object, reading
from ...training.dataset import read_shard, shard_names
from .eq2 import Floats, fit_expressions, landmark_basis, pose_from_landmarks
from .training_shards import pose_labels

READ, TRUE, MEAN = "read", "true", "mean"
ALPHAS = (READ, TRUE, MEAN)
SETTINGS = "label_renders.json"
CAMERA_DISTANCE, FACE_SIDE = 1000.0, 200.0  # mm: the camera of all labels; what a crop of the face shows
TOGETHER = 64
IDENTITY_LIMIT = 3.0  # sigma


@dataclass(frozen=True)
class RenderLabels:
    """``noise`` of the landmarks, pixels (standard deviation).

    ``alpha``: ``read`` by the open network from the picture, ``true``, or 0 (``mean``).
    """

    noise: float
    alpha: str
    seed: int


def label_renders(data: Path, out: Path, settings: RenderLabels, shards: int | None) -> str:
    """Label the faces that look towards the camera, in ``shards`` shards of seed 0 and all of seed 1.

    A stopped run continues. Returns a line about the labels. Raises InputError.
    """
    names = [shard_names(data, seed) if is_dir(data) else [] for seed in (0, 1)]
    if not all(names):
        raise InputError(
            f"{data}: needs shards of seed 0 and of seed 1: make them with python -m expnet.training.synthetic.generate"
        )
    make_folder(out)
    _check_settings(out / SETTINGS, {**asdict(settings), "data": str(data.absolute())})
    model, estimator = open_face_model(OPEN), engines.start(OPEN).estimator if settings.alpha == READ else None
    counts = [0, 0]
    for name in tqdm([*names[1], *names[0][:shards]], desc="labels", unit="shard"):
        if not is_file(out / name):
            shard = _labelled(data.absolute() / name, settings, model, estimator)
            with atomic_path(out / name) as partial:
                np.savez(partial, **shard)
        with np.load(out / name, allow_pickle=False) as written:
            counts[name in names[1]] += len(written["face"])
    return f"seed {settings.seed}: {counts[0]} labelled pictures to train on, {counts[1]} to evaluate with, in {out}"


def _check_settings(path: Path, settings: dict[str, Any]) -> None:
    """Write the settings into a new folder. Raises InputError where labels with other settings are there."""
    if not is_file(path):
        write_whole(path, json.dumps(settings, indent=1).encode())
        return
    with reading(path, "label settings", "delete the folder and label again"):
        there = json_object(path.read_bytes())
    different = [name for name, value in settings.items() if there.get(name) != value]
    if different:
        raise InputError(f"{path.parent}: holds labels with another setting of {different[0]}: choose another folder")


def _labelled(
    path: Path, settings: RenderLabels, model: FaceModel, estimator: LooksTwice | None
) -> dict[str, NDArray[Any]]:
    shard = read_shard(path)
    rows = np.flatnonzero(shard["natural"] > 0.5)
    if not len(rows):
        raise InputError(f"{path}: no face looks towards the camera")
    held_out = path.name.startswith("seed1")
    rng = np.random.default_rng([settings.seed, held_out, int(path.stem[-5:])])
    size = shard["image"].shape[1]
    exact = shard["landmarks"][rows, :68].astype(np.float64) * size - 0.5
    points = exact + settings.noise * rng.normal(size=exact.shape)
    alpha = shard["alpha"][rows].astype(np.float64) * (settings.alpha == TRUE)
    if estimator is not None:
        alpha = _alpha_read(shard["image"], rows, estimator)
    middle = (size - 1) / 2
    camera = Camera(size * CAMERA_DISTANCE / FACE_SIDE, middle, middle)
    found, rotation, crop = fitted(model, points, alpha, camera, Crop(middle, middle, size))
    landmarks = np.full((len(rows), *shard["landmarks"].shape[1:]), np.nan, np.float32)
    landmarks[:, :68] = (points + 0.5) / size
    truth = shard["eta"][rows]
    return {
        "pictures": np.array(str(path)),
        "rows": rows,
        "eta": truth if held_out else found.astype(np.float32),
        **({"label": found.astype(np.float32)} if held_out else {}),
        "alpha": alpha.astype(np.float32),
        "gaze": np.zeros((len(rows), 2), np.float32),
        "rotation": rotation,
        "crop": crop,
        "landmarks": landmarks,
        "detail": shard["detail"][rows],
        "face": shard["face"][rows],
        "natural": shard["natural"][rows],
    }


def _alpha_read(images: NDArray[np.uint8], rows: NDArray[np.int64], estimator: LooksTwice) -> Floats:
    if images.shape[1] != estimator.size:
        raise InputError(f"the shards have pictures of {images.shape[1]} pixels: --alpha read needs {estimator.size}")
    parts = [rows[first : first + TOGETHER] for first in range(0, len(rows), TOGETHER)]
    read = [estimator.split(estimator.first_look(np.ascontiguousarray(images[part]))[1])["alpha"] for part in parts]
    alpha: Floats = np.clip(np.concatenate(read).astype(np.float64), -IDENTITY_LIMIT, IDENTITY_LIMIT)
    return alpha


def fitted(
    model: FaceModel, points: Floats, alpha: Floats, camera: Camera, given: Crop
) -> tuple[Floats, NDArray[np.float32], NDArray[np.float32]]:
    """Fit eta (N, Ke) and the pose to landmarks ``points`` (N, 68, 2), pixels, of crops ``given``.

    Returns eta, and rotation (N, 6) and offset (N, 3) from ``given`` to the face's own crop, as the network has them.
    The landmarks are fixed vertices of the head, as the engine's are, so the contour's do not move to the silhouette.
    """
    basis, cameras = landmark_basis(model), [camera] * len(points)
    rotation, translation = pose_from_landmarks(basis.at_rest(alpha), points, cameras)
    labels = fit_expressions(basis, points, alpha, rotation, translation, cameras, solve_pose=True)
    six, offsets = np.empty((len(points), 6), np.float32), np.empty((len(points), 3), np.float32)
    for i, (turn, at) in enumerate(zip(labels.rotation, labels.translation)):
        six[i], offsets[i] = pose_labels(turn, at, camera, given)
    return labels.eta, six, offsets
