"""How well Eq. (2) recovers known expressions from landmarks with pixel noise (issue: noise 0, 0.5, 1, 2, 4 pixels).

``expnet research label-noise --out FOLDER`` writes a table and a plot.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...model.builtin import OPEN
from ...model.camera import Camera
from ...model.face.face_model import FaceModel
from ...model.files import atomic_path, make_folder
from ...model.fitting.point_basis import PointBasis
from ...model.formats import open_face_model
from ...model.performance.accuracy import pearson
from ...model.rotations import rotation_of_euler
from .eq2 import SIGMAS, Floats, fit_expressions, landmark_basis, pose_from_landmarks

NOISES = (0.0, 0.5, 1.0, 2.0, 4.0)  # pixels
FRAME = (640, 480)
DISTANCE_MM = 900.0  # a face is about 150 pixels wide
ACTIVE = 0.3  # share of keys that are not at rest
SPREAD = np.array([0.30, 0.20, 0.10])  # radians of yaw, pitch, roll


@dataclass(frozen=True, eq=False)
class Faces:
    """N posed faces: eta (N, Ke), alpha (N, Ks), rotation (N, 3, 3), translation (N, 3) mm, landmarks (N, L, 2) px."""

    eta: Floats
    alpha: Floats
    rotation: Floats
    translation: Floats
    points: Floats
    cameras: list[Camera]


@dataclass(frozen=True)
class Recovery:
    """Errors at one noise level: of eta in shares of a key's range, mean and correlation; of the skin in mm."""

    noise: float
    pose: str
    mean_error: float
    r: float
    landmarks_mm: float


def sample_faces(basis: PointBasis, count: int, seed: int) -> Faces:
    """Draw posed faces with sparse expressions within their bounds, before a camera of 640 × 480 pixels."""
    rng = np.random.default_rng(seed)
    shape = (count, len(basis.low))
    drawn = np.where(
        basis.low < -1, rng.normal(size=shape), rng.uniform(np.maximum(basis.low, -0.5), basis.high, shape)
    )
    eta = np.clip(np.where(rng.random(shape) < ACTIVE, drawn, 0.0), basis.low, basis.high)
    alpha = rng.normal(size=(count, len(basis.identity)))
    rotation = np.array([rotation_of_euler(*angles) for angles in rng.normal(size=(count, 3)) * SPREAD])
    translation = np.array([0.0, 0.0, -DISTANCE_MM]) + rng.normal(size=(count, 3)) * [40.0, 30.0, 80.0]
    camera = Camera.for_image(*FRAME)
    shapes = basis.at_rest(alpha) + np.einsum("nk,klc->nlc", eta, basis.expression)
    placed = shapes @ rotation.transpose(0, 2, 1) + translation[:, None]
    scaled = camera.focal * placed[..., :2] / -placed[..., 2:]
    points = np.stack([camera.cx + scaled[..., 0], camera.cy - scaled[..., 1]], -1)
    return Faces(eta, alpha, rotation, translation, points, [camera] * count)


def in_sigmas(model: FaceModel) -> FaceModel:
    """Return a model whose keys are the principal components of ``model``'s, as the Basel Face Model's are.

    Each key is dense and in units of its standard deviation, for keys that are independent and uniform in their range.
    """
    spread = (model.expression_bounds[:, 1] - model.expression_bounds[:, 0]) / np.sqrt(12)
    flat = (model.expression * spread[:, None, None]).reshape(len(spread), -1).astype(np.float64)
    values, axes = np.linalg.eigh(flat @ flat.T)
    order = np.argsort(values)[::-1]
    keys = tuple(f"expression_{i + 1:02d}" for i in range(len(order)))
    mixed = (axes[:, order].T @ flat).reshape(model.expression.shape).astype(np.float32)
    bounds = np.tile(np.array([-SIGMAS, SIGMAS], np.float32), (len(order), 1))
    return replace(model, expression=mixed, expression_keys=keys, expression_bounds=bounds, basis="components-29")


def recovery(basis: PointBasis, count: int, seed: int = 0) -> list[Recovery]:
    """Measure at each noise level, with the true pose and with the pose solved with eta."""
    faces = sample_faces(basis, count, seed)
    rng = np.random.default_rng([seed, 1])
    found = []
    for noise in NOISES:
        seen = faces.points + rng.normal(size=faces.points.shape) * noise
        for solved in (False, True):
            pose = faces.rotation, faces.translation
            if solved:
                pose = pose_from_landmarks(basis.at_rest(faces.alpha), seen, faces.cameras)
            labels = fit_expressions(basis, seen, faces.alpha, *pose, faces.cameras, solve_pose=solved)
            gap = labels.eta - faces.eta
            r = pearson(labels.eta, faces.eta)[(labels.eta.std(0) > 0) & (faces.eta.std(0) > 0)]
            moved = np.linalg.norm(np.einsum("nk,klc->nlc", gap, basis.expression), axis=-1)
            found.append(
                Recovery(
                    noise,
                    "solved" if solved else "true",
                    float((np.abs(gap) / (basis.high - basis.low)).mean()),
                    float(np.mean(r)),
                    float(moved.mean()),
                )
            )
    return found


def write_noise_study(out: Path, count: int, seed: int) -> str:
    """Write noise.csv and noise.png into ``out`` and return the table as Markdown."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    make_folder(out)
    model = open_face_model(OPEN)
    studies = {
        "open head": recovery(landmark_basis(model), count, seed),
        "29 components in sigma": recovery(landmark_basis(in_sigmas(model)), count, seed),
    }
    lines = [
        "| face model | pose | noise, px | error, share of the range | r | landmarks, mm |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots(1, 2)
    for name, rows in studies.items():
        lines += [
            f"| {name} | {row.pose} | {row.noise:g} | {row.mean_error:.4f} | {row.r:.3f} | {row.landmarks_mm:.2f} |"
            for row in rows
        ]
        for pose, style in (("true", "-"), ("solved", "--")):
            chosen = [row for row in rows if row.pose == pose]
            noise = [row.noise for row in chosen]
            axes[0].plot(noise, [row.r for row in chosen], style, marker="o", label=f"{name}, {pose} pose")
            axes[1].plot(noise, [row.landmarks_mm for row in chosen], style, marker="o")
    axes[0].set(xlabel="noise of the landmarks, pixels", ylabel="mean r of the keys", ylim=(0, 1.02))
    axes[1].set(xlabel="noise of the landmarks, pixels", ylabel="error at the landmarks, mm")
    axes[0].legend(fontsize=6)
    for axis in axes:
        axis.grid(alpha=0.3)
    table = "\n".join(lines)
    with atomic_path(out / "noise.png") as partial:
        figure.savefig(partial, dpi=110)
    with atomic_path(out / "noise.csv") as partial:
        plain = [line.strip("| ").replace(" | ", ",") for line in (lines[0], *lines[2:])]
        partial.write_text("\n".join(plain) + "\n", encoding="utf-8")
    return table
