"""Synthetic people who show the prototypes: for the tables of the docs, and to try the command without a data set."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.face.semantics import mirror_open_eta, open_bounds
from ...model.files import atomic_folder, exists
from ...model.formats import open_face_model
from ...model.performance.emotion_prototypes import NEUTRAL, PROTOTYPES, prototypes
from ...training.synthetic.brows import sample_brows
from ...training.synthetic.degrade import develop
from ...training.synthetic.expressions import sample_gaze
from ...training.synthetic.pose import sample_angles, sample_pose
from ...training.synthetic.sample import render
from ...training.synthetic.shape import blend, landmarks_of, sample_alpha, sample_ways, shape_head
from ...training.synthetic.surface import Surface, build_surface
from .clips import COLUMNS, VIEW

# How often each emotion is among CK+'s 327 labelled clips (Lucey et al. 2010), in the order of PROTOTYPES
FREQUENCY = np.array([45, 18, 59, 25, 69, 28, 83])
NEUTRAL_FREQUENCY = 47  # the mean of the others
CLIPS_OF_A_SUBJECT = 3
SIZE, ROOM = 192, 1.6  # pixels; the picture's side in sides of the face's crop
INTENSITY, NOISE = (0.35, 1.0), 0.08  # of the prototype; of each key, standard deviation
LANDMARK_NOISE = 1.0  # pixels
FRONTAL, HALF_PROFILE = "frontal", "half profile"
TURNED = {FRONTAL: 0.0, HALF_PROFILE: float(np.radians(40))}  # yaw of the views, radians


@dataclass(frozen=True, eq=False)
class Picture:
    """``image`` (SIZE, SIZE, 3) uint8 BGR, ``vertices`` (V, 3) mm of its head, ``points`` (68, 2) its landmarks."""

    image: NDArray[np.uint8]
    vertices: NDArray[np.float32]
    points: NDArray[np.float64]


def make(out: Path, clips: int, seed: int, views: bool = False, neutral: bool = False) -> None:
    """Render ``clips`` pictures as EMOTION/SUBJECT_CLIP_FRAME.png into the new folder ``out``. Raises InputError.

    Beside each is a .pts with its landmarks and noise. With ``views`` each clip is seen frontal and in half profile,
    and table.csv lists them. With ``neutral`` some are resting faces, with the noise of the others.
    """
    if exists(out):
        raise InputError(f"{out}: exists already: give the name of a new folder")
    names, targets, frequency = list(PROTOTYPES), prototypes(), FREQUENCY
    if neutral:
        names, targets = [*names, NEUTRAL], np.concatenate([targets, np.zeros((1, targets.shape[1]))])
        frequency = np.append(frequency, NEUTRAL_FREQUENCY)
    edges = np.cumsum(frequency) / frequency.sum()
    emotions = np.random.default_rng(seed).permutation(np.searchsorted(edges, (np.arange(clips) + 0.5) / clips))
    surface = build_surface(open_face_model(OPEN))
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow([*COLUMNS, VIEW])
    with atomic_folder(out) as part:
        for i, emotion in enumerate(tqdm(emotions, desc="pictures")):
            subject, clip = divmod(i, CLIPS_OF_A_SUBJECT)
            folder = part / names[emotion]
            folder.mkdir(parents=True, exist_ok=True)
            for view in (FRONTAL, HALF_PROFILE) if views else (FRONTAL,):
                drawn = picture(surface, seed, subject, clip, targets[emotion], TURNED[view], NOISE)
                name = f"S{subject:03d}_{clip:03d}_{'001' if view == FRONTAL else '002'}"
                _write(folder / name, drawn, np.random.default_rng([seed, subject, clip, 3]))
                table.writerow([f"{names[emotion]}/{name}.png", names[emotion], f"S{subject:03d}", clip, view])
        if views:
            (part / "table.csv").write_text(text.getvalue(), encoding="utf-8")
    print(f"{out}: {clips} synthetic pictures, seed {seed}")


def _write(path: Path, drawn: Picture, rng: np.random.Generator) -> None:
    cv2.imwrite(str(path.with_suffix(".png")), drawn.image)
    points = drawn.points + rng.normal(0, LANDMARK_NOISE, drawn.points.shape)
    rows = "\n".join(f"{x + 1:.3f} {y + 1:.3f}" for x, y in points)
    path.with_suffix(".pts").write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")


def picture(
    surface: Surface, seed: int, subject: int, clip: int, prototype: NDArray[np.floating[Any]], turned: float = 0.0,
    noise: float = 0.0,
) -> Picture:  # fmt: skip
    """Render one subject's picture: ``prototype`` (29,) with intensity and ``noise``, ``turned`` in yaw, radians.

    A ``prototype`` of zeros is a resting face. ``noise`` is the standard deviation of each key's.
    """
    own, rng = np.random.default_rng([seed, subject]), np.random.default_rng([seed, subject, clip])
    alpha = sample_alpha(own, surface)
    ways = sample_ways(own)
    eta = rng.uniform(*INTENSITY) * prototype + rng.normal(0, noise, len(prototype))
    eta = mirror_open_eta(eta) if rng.random() < 0.5 else eta
    eta = np.clip(eta, *open_bounds().T).astype(np.float32)
    yaw, pitch, roll = sample_angles(rng, True, natural=True)
    yaw += turned
    gaze = sample_gaze(rng, yaw, pitch)
    pose = sample_pose(rng, yaw, pitch, roll, SIZE, is_face=True)
    pose = replace(pose, given=pose.own.moved(0, 0, np.log(ROOM), 0))
    people, moves = blend(surface, alpha[None], eta[None], np.array([gaze]), ways[None])
    shape, look = (np.random.default_rng([seed, subject, 1000, part]) for part in (1, 2))  # the same for the subject
    vertices = shape_head(shape, surface, people[0], moves[0], eta, gaze)
    brows = sample_brows(look, surface, eta)
    marks = landmarks_of(surface, vertices, brows)
    distances = -(marks @ pose.rotation[2] + pose.translation[2])
    image, _ = render(look, surface, vertices, eta, brows, pose, SIZE, pose.in_crop(marks), distances, natural=True)
    developed = np.asarray(develop(rng, image, True) * 255).round().astype(np.uint8)
    return Picture(developed, vertices, pose.in_crop(marks[:68]) * SIZE - 0.5)
