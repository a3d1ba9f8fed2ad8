"""Simulated recordings: curves, not pictures, of people who rest, speak, calculate and watch clips.

What stress changes here is an assumption, taken from what the literature on stress reports: brows are lowered and lips
pressed more, people blink and move the head more, and look away. How much differs from person to person.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ...model.errors import InputError
from ...model.face.semantics import OPEN_BASIS, OPEN_KEYS, open_bounds
from ...model.files import atomic_folder, exists
from ...model.performance.face_performance import FacePerformance
from ...model.performance.performance_files import save_performance
from ...model.rotations import rotation_of_euler
from .recordings import COLUMNS, Floats

FPS, SECONDS = 10.0, 40.0
PHASES = {"rest": False, "speech": True, "calculation": True, "calm clip": False, "stressful clip": True}
STRENGTH = {"rest": 0.0, "speech": 1.0, "calculation": 1.0, "calm clip": 0.0, "stressful clip": 0.6}
TENSE = {"browDown": 0.22, "eyeSquint": 0.15, "mouthPress": 0.25, "mouthRoll": 0.1}
TALKS = ("jawOpen", "mouthLowerDown", "mouthFunnel", "mouthStretch", "mouthPucker")


def make(out: Path, subjects: int, seed: int) -> None:
    """Write a performance for each subject and phase and table.csv into the new folder ``out``. Raises InputError."""
    if exists(out):
        raise InputError(f"{out}: exists already: give the name of a new folder")
    with atomic_folder(out) as part, open(part / "table.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for subject in tqdm(range(subjects), desc="subjects"):
            for phase, stress in PHASES.items():
                name = f"S{subject + 1:02d}_{phase.replace(' ', '_')}.npz"
                save_performance(recording(seed, subject, phase), part / name)
                table.writerow([name, f"S{subject + 1:02d}", phase, int(stress)])
    print(f"{out}: simulated recordings of {subjects} subjects, seed {seed}")


def recording(seed: int, subject: int, phase: str) -> FacePerformance:
    """Return one subject's performance in a phase."""
    own, rng = np.random.default_rng([seed, subject]), np.random.default_rng([seed, subject, list(PHASES).index(phase)])
    count = int(FPS * SECONDS)
    rest = own.normal(0, 0.06, len(OPEN_KEYS))
    shown, moves = own.uniform(0.1, 1.2, len(TENSE)), own.uniform(0.5, 1.5)  # how a person shows stress
    strength = STRENGTH[phase] * np.clip(0.7 + _drift(rng, count, 8.0) * 0.5, 0, 2)
    eta = rest + 0.05 * np.stack([_drift(rng, count, 2.0) for _ in OPEN_KEYS], 1)
    for amount, (key, full) in zip(shown, TENSE.items()):
        names = [i for i, name in enumerate(OPEN_KEYS) if name in (key, f"{key}_L", f"{key}_R")]
        eta[:, names] += (amount * full * strength)[:, None]
    if phase == "speech":
        for key in TALKS:
            eta[:, OPEN_KEYS.index(key)] += 0.25 * np.abs(_drift(rng, count, 0.25)) * rng.uniform(0.5, 1.5)
    if phase == "calm clip":
        smile = 0.3 * np.clip(_drift(rng, count, 5.0) - 0.5, 0, 1)
        eta[:, [OPEN_KEYS.index(f"mouthSmile_{side}") for side in "LR"]] += smile[:, None]
    blinks = rng.random(count) < (own.uniform(0.15, 0.35) * (1 + 0.6 * strength)) / FPS
    eta[:, [OPEN_KEYS.index(f"lid_{side}") for side in "LR"]] += 0.9 * blinks[:, None]
    wide = 0.03 * (1 + moves * strength * (1.5 if phase != "speech" else 2.5))
    angles = np.stack([_drift(rng, count, 1.5) for _ in range(3)], 1) * wide[:, None] + own.normal(0, 0.08, 3)
    gaze = np.stack([_drift(rng, count, 1.0) for _ in range(2)], 1) * (0.05 + 0.06 * strength * moves)[:, None]
    low, high = open_bounds().T
    return FacePerformance(
        times=np.arange(count) / FPS,
        eta=np.clip(eta, low, high),
        gaze=gaze,
        rotation=np.array([rotation_of_euler(*a) for a in angles]),
        translation=np.array([0, 0, -700.0]) + 40 * wide[:, None] * np.stack([_drift(rng, count, 2.0)] * 3, 1),
        crop=np.tile([320.0, 240.0, 200.0, 0.0], (count, 1)),
        confidence=np.ones(count),
        alpha=np.zeros(99),
        expression_keys=OPEN_KEYS,
        basis=OPEN_BASIS,
        source=f"simulated {phase}",
        fps=FPS,
        image_size=(640, 480),
    )


def _drift(rng: np.random.Generator, count: int, seconds: float) -> Floats:
    """Return noise (count,) of unit variance whose values are alike over ``seconds``."""
    width = max(1, round(seconds * FPS))
    noise = rng.normal(size=count + 2 * width)
    kernel = np.hanning(2 * width + 3)[1:-1]
    smooth = np.convolve(noise, kernel / np.linalg.norm(kernel), "same")
    found: Floats = smooth[width : width + count]
    return found
