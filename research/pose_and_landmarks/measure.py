"""``expnet research pose-and-landmarks FOLDER|TABLE``: a network's pose and landmarks in the field's terms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...model.builtin import OPEN
from ...model.camera import Camera, Crop, project, rotation_in_crop
from ...model.errors import InputError
from ...model.face.face_model import FaceModel
from ...model.files import make_folder, write_whole
from ...model.formats import open_face_model
from ...model.networks.architectures import ibug_landmarks
from ...model.networks.estimate import SeesFaces
from ...model.sight.images import read_image
from ...model.sight.tracking import look
from ...model.worker.chosen_estimator import EstimatorCache
from ...model.worker.messages import EstimatorOptions
from .ground_truth import Known, read_known
from .protocol import ANGLES, YAWS, angles_of, landmark_errors, pose_errors

Floats = NDArray[np.float64]
Seen = tuple[Floats, Floats, Floats | None]
METHODS = ("landmarks of the fitted head", "landmarks of the network")


def measure(source: Path, out: Path, estimators: Sequence[str], device: str, boxes: str) -> str:
    """Read all pictures with each estimator; write results.md and errors.csv and return the tables."""
    known = read_known(source)
    model = open_face_model(OPEN)
    make_folder(out)
    ranges = [f"yaw {low:g}–{high:g}" for low, high in zip(YAWS, YAWS[1:])]
    poses = ["| estimator | faces | yaw | pitch | roll | mean |", "| --- " + "| ---: " * 5 + "|"]
    marks = [
        "| estimator | method | " + " | ".join(ranges) + " | mean | all |",
        "| --- | --- " + "| ---: " * (len(ranges) + 2) + "|",
    ]
    rows = [",".join(("image", "estimator", *(f"{a}_true,{a}" for a in ANGLES)))]
    missed: dict[str, int] = {}
    for name in estimators:
        estimator = EstimatorCache().get(EstimatorOptions(estimator=name, device=device))
        seen = [_seen(face, estimator, model, boxes) for face in tqdm(known, desc=name)]
        there = [i for i, s in enumerate(seen) if s is not None]
        missed[name] = len(known) - len(there)
        if estimator.basis != model.basis:
            raise InputError(f"{name}: its landmarks are those of another head: use weights of the open network")
        if not there:
            raise InputError(f"{source}: no face was found in any picture: check the landmarks of the table")
        rotation = np.array([seen[i][0] for i in there])  # type: ignore[index]
        truth = np.array([known[i].rotation for i in there])
        p = pose_errors(rotation, truth)
        poses.append(f"| {name} | {p.faces} | {p.yaw:.2f} | {p.pitch:.2f} | {p.roll:.2f} | {p.mean:.2f} |")
        angles, true = angles_of(rotation), angles_of(truth)
        for k, method in enumerate(METHODS):
            points = [seen[i][1 + k] for i in there]  # type: ignore[index]
            if any(row is None for row in points):
                continue
            e = landmark_errors(np.array(points), np.array([known[i].landmarks for i in there]), true[:, 0])
            cells = " | ".join("–" if np.isnan(v) else f"{v:.2f}" for v in (*e.by_yaw, e.mean, e.all))
            marks.append(f"| {name} | {method} | {cells} |")
        for i, a, b in zip(there, true, angles):
            pairs = ",".join(f"{x:.3f},{y:.3f}" for x, y in zip(a, b))
            rows.append(f"{known[i].image.name},{name},{pairs}")
    lost = ", ".join(f"{count} with {name}" for name, count in missed.items())
    text = "\n".join(
        [
            f"{len(known)} pictures. Without a face: {lost}.",
            "",
            "Mean absolute error in degrees, faces within ±99 degrees:",
            "",
            *poses,
            "",
            "NME of 68 landmarks in percent of the true landmarks' box, by yaw:",
            "",
            *marks,
        ]
    )
    write_whole(out / "results.md", f"{text}\n".encode())
    write_whole(out / "errors.csv", ("\n".join(rows) + "\n").encode())
    return text


def _seen(face: Known, estimator: SeesFaces, model: FaceModel, boxes: str) -> Seen | None:
    """Return the rotation that the picture shows, and the landmarks by each method; None where no face is found."""
    picture = read_image(face.image)
    low, high = face.landmarks.min(0), face.landmarks.max(0)
    box = (*map(float, low), *map(float, high - low)) if boxes == "true" else None
    try:
        seen = look(picture, estimator, box=box)
    except InputError:
        return None
    height, width = picture.shape[:2]
    camera = Camera.for_image(width, height)
    crop = seen.crop[0]
    rotation = rotation_in_crop(seen.rotation[0].astype(np.float64), camera, Crop(crop.cx, crop.cy, crop.side), crop)
    assert model.landmarks is not None
    head = model.vertices(seen.alpha[0], seen.eta[0])[model.landmarks].astype(np.float64)
    placed = head @ seen.rotation[0].T + seen.translation[0]
    direct = None
    person = estimator.person
    if person is not None and "landmarks" in person.widths:
        again = estimator.estimate([picture], [crop], [camera])
        assert again.outputs is not None
        direct = crop.to_image(ibug_landmarks(again.outputs[0], person.widths)[:68].astype(np.float64))
    return rotation, project(placed, camera), direct
