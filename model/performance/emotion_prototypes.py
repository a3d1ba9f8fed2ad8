"""Seven emotions as keys of the open basis, and scores by them. numpy only.

The prototypes are those of EMFACS (Friesen & Ekman 1983), in the keys that stand for their action units. The scores are
a heuristic: nothing is learned from labelled faces.
"""

from __future__ import annotations

import numpy as np

from ..array_types import FloatArray
from ..face.semantics import OPEN_KEYS, mirror_open_eta

NEUTRAL = "neutral"  # the name of a face without an emotion

PROTOTYPES: dict[str, dict[str, float]] = {
    "anger": {"browDown": 1, "lid": -0.15, "eyeSquint": 0.7, "mouthPress": 0.8},
    "contempt": {"mouthDimple_L": 0.9, "mouthSmile_L": 0.35},
    "disgust": {"noseSneer": 1, "mouthUpperUp": 0.6, "mouthFrown": 0.4, "mouthShrugLower": 0.4, "eyeSquint": 0.4},
    "fear": {"browInnerUp": 0.9, "browOuterUp": 0.4, "browDown": 0.4, "lid": -0.3, "mouthStretch": 0.9,
             "jawOpen": 0.25},
    "happy": {"mouthSmile": 1, "cheekSquint": 0.8, "mouthUpperUp": 0.2},
    "sadness": {"browInnerUp": 0.9, "browDown": 0.3, "mouthFrown": 0.9, "mouthShrugLower": 0.3, "lid": 0.15},
    "surprise": {"browInnerUp": 0.9, "browOuterUp": 0.9, "lid": -0.3, "jawOpen": 0.7},
}  # fmt: skip


def prototypes() -> FloatArray:
    """Return the prototypes as eta of the open basis, (7, 29); keys without a side move both."""
    keys = [{key, key.removesuffix("_L").removesuffix("_R")} for key in OPEN_KEYS]
    return np.array([[sum(recipe.get(k, 0.0) for k in names) for names in keys] for recipe in PROTOTYPES.values()])


def heuristic_scores(eta: FloatArray) -> FloatArray:
    """Return the cosine between eta (N, 29) and each prototype, (N, 7), of a one-sided smile on either side."""
    targets = prototypes()
    unit = eta / np.maximum(np.linalg.norm(eta, axis=1, keepdims=True), 1e-9)
    both = [unit @ (t / np.linalg.norm(t, axis=1, keepdims=True)).T for t in (targets, mirror_open_eta(targets))]
    scores: FloatArray = np.maximum(*both)
    return scores


def heuristic_strengths(eta: FloatArray) -> FloatArray:
    """Return 0 to 1 for each prototype, (N, 7): its score, reduced where the face moves less than the prototype."""
    size = np.linalg.norm(eta, axis=1, keepdims=True) / np.linalg.norm(prototypes(), axis=1)
    strengths: FloatArray = np.clip(heuristic_scores(eta), 0, 1) * np.minimum(size, 1)
    return strengths
