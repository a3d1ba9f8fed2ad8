"""What a synthetic face does: random eta in the open basis.

A mixture of resting faces, sparse combinations, emotion prototypes (EMFACS, Ekman & Friesen 1983), mouth shapes of
speech and extremes, with lids on their own, so that no key is predictable from the others.
"""

from __future__ import annotations

import numpy as np

from ...model.semantics import LID_WIDE, OPEN_KEYS, SIGNED_KEYS, open_bounds

INDEX = {key: i for i, key in enumerate(OPEN_KEYS)}
BOUNDS = open_bounds()

# Intensities at full strength; "x" stands for both x_L and x_R. Ranges are drawn uniformly.
EMOTIONS: dict[str, dict[str, tuple[float, float]]] = {
    "happy": {"mouthSmile": (0.5, 1), "cheekSquint": (0.2, 1), "eyeSquint": (0, 0.6), "mouthUpperUp": (0, 0.6),
              "jawOpen": (-0.3, 0.4), "mouthDimple": (0, 0.3), "mouthStretch": (0, 0.3), "mouthLowerDown": (0, 0.4)},
    "sad": {"browInnerUp": (0.3, 1), "browDown": (0, 0.4), "mouthFrown": (0.3, 1), "mouthShrugLower": (0, 0.7),
            "lid": (0, 0.4), "eyeSquint": (0, 0.4)},
    "surprise": {"browInnerUp": (0.4, 1), "browOuterUp": (0.4, 1), "lid": (-0.35, 0), "jawOpen": (0.1, 0.9),
                 "mouthFunnel": (0, 0.4)},
    "fear": {"browInnerUp": (0.5, 1), "browOuterUp": (0.2, 0.8), "browDown": (0, 0.6), "lid": (-0.35, 0),
             "eyeSquint": (0, 0.5), "mouthStretch": (0.2, 1), "mouthLowerDown": (0, 0.7), "jawOpen": (0, 0.4)},
    "anger": {"browDown": (0.5, 1), "lid": (-0.25, 0.2), "eyeSquint": (0.2, 1), "mouthPress": (0, 0.9),
              "noseSneer": (0, 0.6), "mouthFrown": (0, 0.4), "mouthLowerDown": (-0.4, 0.6), "jawOpen": (-0.4, 0.4)},
    "disgust": {"noseSneer": (0.4, 1), "mouthUpperUp": (0.2, 1), "browDown": (0, 0.8), "eyeSquint": (0, 0.8),
                "mouthFrown": (0, 0.6), "mouthShrugLower": (0, 0.6), "cheekSquint": (0, 0.6)},
    "contempt": {"mouthDimple_L": (0.3, 1), "mouthSmile_L": (0, 0.6), "mouthPress": (0, 0.5), "lid": (0, 0.3)},
    "pain": {"browDown": (0.2, 1), "eyeSquint": (0.3, 1), "lid": (0.2, 1), "cheekSquint": (0.3, 1),
             "noseSneer": (0, 0.8), "mouthStretch": (0, 0.8), "mouthUpperUp": (0, 0.8), "jawOpen": (-0.2, 0.5)},
    "laugh": {"mouthSmile": (0.6, 1), "jawOpen": (0.2, 0.8), "cheekSquint": (0.4, 1), "lid": (0, 0.9),
              "mouthUpperUp": (0, 0.7), "browOuterUp": (0, 0.4), "mouthLowerDown": (0, 0.5)},
}  # fmt: skip
VISEMES: tuple[dict[str, tuple[float, float]], ...] = (
    {"jawOpen": (0.2, 0.7)},  # a
    {"jawOpen": (0.1, 0.3), "mouthStretch": (0, 0.5), "mouthLowerDown": (0, 0.5), "mouthUpperUp": (0, 0.3)},  # e
    {"mouthStretch": (0.2, 0.7), "mouthLowerDown": (0.1, 0.6), "mouthSmile": (0, 0.3), "jawOpen": (0, 0.15)},  # i, s
    {"mouthFunnel": (0.3, 1), "jawOpen": (0.1, 0.4), "mouthPucker": (0, 0.4)},  # o
    {"mouthPucker": (0.4, 1), "mouthFunnel": (0, 0.5), "jawOpen": (0, 0.15)},  # u, w
    {"mouthPress": (0.2, 1), "mouthRoll": (0, 0.6)},  # m, b, p
    {"mouthRoll": (0.1, 0.7), "mouthUpperUp": (0, 0.4), "jawOpen": (0, 0.15)},  # f, v
    {"mouthFunnel": (0.2, 0.7), "mouthLowerDown": (0, 0.5), "mouthUpperUp": (0, 0.4)},  # sh, ch
)
RARE = ("cheekPuff", "mouthRoll", "mouthPress", "mouthSide", "jawSide", "mouthPucker", "noseSneer", "mouthShrugLower")


def sample_eta(rng: np.random.Generator) -> np.ndarray:
    """One random expression, (29,) float32 within the keys' bounds."""
    eta = np.zeros(len(OPEN_KEYS), np.float32)
    kind = rng.choice(6, p=[0.16, 0.28, 0.24, 0.16, 0.08, 0.08])
    if kind == 0:  # at rest
        eta += np.abs(rng.normal(0, 0.05, eta.shape)).astype(np.float32)
    elif kind == 1:  # a few keys
        _add_sparse(rng, eta, rng.integers(1, 5))
    elif kind == 2:
        _add_prototype(rng, eta, EMOTIONS[str(rng.choice(list(EMOTIONS)))], rng.uniform(0.25, 1.1))
        if rng.random() < 0.4:
            _add_sparse(rng, eta, rng.integers(1, 4), scale=0.5)
    elif kind == 3:
        _add_prototype(rng, eta, VISEMES[rng.integers(len(VISEMES))], rng.uniform(0.3, 1.1))
        if rng.random() < 0.4:
            _add_prototype(rng, eta, EMOTIONS[str(rng.choice(list(EMOTIONS)))], rng.uniform(0.1, 0.6))
    elif kind == 4:  # extremes
        _add_sparse(rng, eta, rng.integers(4, 10))
    else:  # keys that prototypes hardly reach
        _set(rng, eta, str(rng.choice(RARE)), (0.3, 1.0))
        if rng.random() < 0.5:
            _add_sparse(rng, eta, rng.integers(1, 3), scale=0.6)
    for key in SIGNED_KEYS:
        if rng.random() < 0.5:
            eta[INDEX[key]] *= -1
    if rng.random() < 0.35:
        _set_lids(rng, eta)
    _exclude(eta)
    return np.clip(eta, BOUNDS[:, 0], BOUNDS[:, 1])


def sample_gaze(rng: np.random.Generator, head_yaw: float, head_pitch: float) -> np.ndarray:
    """Yaw and pitch of the eyes in the head, radians, (2,). Often towards the camera, as people do."""
    if rng.random() < 0.45:
        yaw, pitch = -head_yaw + rng.normal(0, 0.06), -head_pitch + rng.normal(0, 0.05)
    else:
        yaw, pitch = rng.normal(0, 0.28), rng.normal(-0.05, 0.2)
    return np.clip([yaw, pitch], [-0.65, -0.5], [0.65, 0.4]).astype(np.float32)


def _set(rng: np.random.Generator, eta: np.ndarray, name: str, span: tuple[float, float], gain: float = 1.0) -> None:
    value = rng.uniform(*span) * gain
    if name in INDEX:
        eta[INDEX[name]] += value
        return
    uneven = rng.normal(1, 0.12, 2)
    if rng.random() < 0.12:
        uneven[rng.integers(2)] *= rng.uniform(0, 0.6)
    eta[INDEX[name + "_L"]] += value * uneven[0]
    eta[INDEX[name + "_R"]] += value * uneven[1]


def _add_prototype(rng: np.random.Generator, eta: np.ndarray, recipe: dict, gain: float) -> None:
    mirrored = rng.random() < 0.5
    for name, span in recipe.items():
        if mirrored and name.endswith("_L"):
            name = name[:-2] + "_R"
        _set(rng, eta, name, span, gain)


def _add_sparse(rng: np.random.Generator, eta: np.ndarray, count: int, scale: float = 1.0) -> None:
    for i in rng.choice(len(OPEN_KEYS), count, replace=False):
        value = rng.beta(1.1, 1.2) * scale
        key = OPEN_KEYS[i]
        if key.startswith("lid_") and rng.random() < 0.3:
            value *= -LID_WIDE
        eta[i] += value
        if key[-2:] in ("_L", "_R") and rng.random() < 0.6:  # most of what a face does, it does on both sides
            other = INDEX[key[:-1] + ("R" if key[-1] == "L" else "L")]
            eta[other] = eta[i] * rng.uniform(0.8, 1.2)


def _set_lids(rng: np.random.Generator, eta: np.ndarray) -> None:
    both = rng.choice([rng.uniform(0.7, 1.0), rng.uniform(0.1, 0.7), rng.uniform(-LID_WIDE, 0)], p=[0.45, 0.4, 0.15])
    left, right = both + rng.normal(0, 0.05, 2)
    if rng.random() < 0.2:  # a wink
        left, right = (both, rng.uniform(-0.1, 0.25)) if rng.random() < 0.5 else (rng.uniform(-0.1, 0.25), both)
    eta[INDEX["lid_L"]], eta[INDEX["lid_R"]] = left, right


def _exclude(eta: np.ndarray) -> None:
    """Muscles that pull against each other do not both win; a pressed or rolled mouth is nearly shut."""

    def damp(loser: str, winner: str, amount: float = 1.0) -> None:
        eta[INDEX[loser]] *= 1 - amount * min(1.0, max(0.0, eta[INDEX[winner]]))

    for side in "LR":
        damp(f"mouthFrown_{side}", f"mouthSmile_{side}", 0.8)
        damp(f"mouthSmile_{side}", "mouthPucker", 0.8)
        damp(f"mouthDimple_{side}", "mouthPucker", 0.8)
        damp(f"mouthSmile_{side}", "mouthFunnel", 0.6)
        damp(f"browOuterUp_{side}", f"browDown_{side}", 0.6)
        damp(f"eyeSquint_{side}", f"lid_{side}", 0.6)
    damp("mouthStretch", "mouthPucker", 0.9)
    damp("mouthStretch", "mouthFunnel", 0.7)
    damp("mouthFunnel", "mouthPress", 0.8)
    damp("mouthFunnel", "mouthRoll", 0.8)
    damp("mouthPucker", "mouthRoll", 0.7)
    damp("mouthLowerDown", "mouthPress", 0.9)
    damp("mouthUpperUp", "mouthPress", 0.8)
    damp("mouthLowerDown", "mouthShrugLower", 0.8)
    damp("mouthShrugLower", "jawOpen", 0.8)
    damp("jawOpen", "mouthPress", 0.9)
    damp("jawOpen", "mouthRoll", 0.6)
    damp("cheekPuff", "jawOpen", 0.9)
    damp("cheekPuff", "mouthStretch", 0.8)
    damp("mouthLowerDown", "cheekPuff", 0.9)
    damp("mouthUpperUp", "cheekPuff", 0.9)
