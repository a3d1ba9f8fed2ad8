"""Expressions of a synthetic face: random eta in the open basis, and the gaze.

A mixture: the exact neutral and single keys, a few keys at once, emotion prototypes (EMFACS, Ekman & Friesen 1983),
mouth shapes of speech, mouths kept shut, eyes and brows above a mouth at rest, extremes. In about half of the faces
keys are correlated as in real faces. In the others brows and lids are independent of the mouth. Raised brows, frowns
and wide eyes are as frequent as among people. Every key is frequent and strong enough to be learned, and none is
predictable from another (tests/training/test_expressions.py states the shares).
"""

from __future__ import annotations

import numpy as np

from ...model.array_types import FloatArray
from ...model.face.semantics import LID_WIDE, OPEN_KEYS, SIGNED_KEYS, open_bounds

INDEX = {key: i for i, key in enumerate(OPEN_KEYS)}
BOUNDS = open_bounds()
Recipe = dict[str, tuple[float, float]]

# Intensities at full strength; "x" stands for both x_L and x_R. Ranges are drawn uniformly, what falls below 0 is 0.
EMOTIONS: tuple[Recipe, ...] = (
    {"mouthSmile": (0.5, 1), "cheekSquint": (-0.2, 1), "eyeSquint": (-0.3, 0.6), "mouthUpperUp": (-0.3, 0.6),
     "jawOpen": (-0.3, 0.4), "mouthDimple": (-0.2, 0.5), "mouthLowerDown": (-0.3, 0.4)},  # happy
    {"browInnerUp": (0.3, 1), "browDown": (-0.3, 0.6), "mouthFrown": (0.3, 1), "mouthShrugLower": (-0.3, 0.8),
     "lid": (0, 0.4), "eyeSquint": (-0.3, 0.4)},  # sad
    {"browInnerUp": (0.3, 1), "browDown": (-0.3, 0.8), "mouthFrown": (-0.3, 0.8), "mouthStretch": (0, 1),
     "lid": (0, 1), "eyeSquint": (-0.2, 0.9), "cheekSquint": (-0.2, 0.9), "mouthUpperUp": (-0.4, 0.6),
     "mouthShrugLower": (-0.4, 0.8), "jawOpen": (-0.5, 0.5)},  # crying
    {"browInnerUp": (0.2, 1), "browDown": (0, 1), "lid": (0.4, 1.2), "eyeSquint": (-0.1, 0.9), "cheekSquint": (0.2, 1),
     "mouthStretch": (0.2, 1), "mouthShrugLower": (0.1, 1), "mouthFrown": (-0.2, 0.8), "mouthPress": (-0.3, 0.8),
     "mouthUpperUp": (-0.3, 0.7), "noseSneer": (-0.3, 0.5),
     "mouthSmile": (-0.4, 0.5)},  # fighting tears: creased as in a smile, with shut lips
    {"browInnerUp": (0.4, 1), "browOuterUp": (0.4, 1), "lid": (-0.35, 0), "jawOpen": (0.1, 0.9),
     "mouthFunnel": (-0.3, 0.4)},  # surprise
    {"browInnerUp": (0.4, 1), "browOuterUp": (0, 0.8), "browDown": (-0.2, 0.6), "lid": (-0.35, 0),
     "eyeSquint": (-0.3, 0.5), "mouthStretch": (0.3, 1), "mouthLowerDown": (-0.3, 0.7), "jawOpen": (-0.2, 0.4)},  # fear
    {"browDown": (0.5, 1), "lid": (-0.25, 0.2), "eyeSquint": (-0.1, 1), "mouthPress": (-0.4, 0.9),
     "noseSneer": (-0.3, 0.6), "mouthFrown": (-0.3, 0.5), "mouthLowerDown": (-0.6, 0.6),
     "jawOpen": (-0.5, 0.4)},  # anger
    {"noseSneer": (0.4, 1), "mouthUpperUp": (0, 1), "browDown": (-0.2, 0.8), "eyeSquint": (-0.3, 0.8),
     "mouthFrown": (-0.2, 0.7), "mouthShrugLower": (-0.3, 0.7), "cheekSquint": (-0.3, 0.7)},  # disgust
    {"mouthDimple_L": (0.4, 1), "mouthSmile_L": (-0.2, 0.5), "mouthPress": (-0.3, 0.5), "lid": (0, 0.3)},  # contempt
    {"browDown": (0.2, 1), "eyeSquint": (0.2, 1), "lid": (0.2, 1), "cheekSquint": (0, 1), "noseSneer": (-0.2, 0.8),
     "mouthStretch": (-0.2, 0.9), "mouthUpperUp": (-0.3, 0.8), "jawOpen": (-0.3, 0.5)},  # pain
    {"mouthSmile": (0.5, 1), "jawOpen": (0.2, 1.1), "cheekSquint": (0, 1), "lid": (0, 0.9),
     "mouthUpperUp": (-0.2, 0.7), "browOuterUp": (-0.3, 0.4), "mouthLowerDown": (-0.2, 0.5)},  # laughter
    {"mouthSmile": (0.6, 1.1), "mouthUpperUp": (0, 0.8), "mouthLowerDown": (0, 0.8), "mouthStretch": (-0.3, 0.5),
     "cheekSquint": (-0.3, 0.8)},  # a broad smile with the teeth shut
    {"mouthSmile": (0.6, 1.1), "mouthUpperUp": (-0.2, 0.7), "mouthStretch": (-0.3, 0.5), "mouthLowerDown": (-0.2, 0.6),
     "cheekSquint": (-0.3, 1), "browDown": (-0.6, 0.5)},  # a smile for the camera, with teeth
    {"browDown": (0.3, 1), "eyeSquint": (0, 0.8), "mouthPress": (-0.3, 0.7), "mouthRoll": (-0.5, 0.5)},  # concentration
    {"mouthShrugLower": (0.4, 1), "mouthFrown": (0, 0.8), "browOuterUp": (-0.4, 0.8),
     "mouthPress": (-0.4, 0.4)},  # doubt
)  # fmt: skip
VISEMES: tuple[Recipe, ...] = (
    {"jawOpen": (0.2, 0.9)},  # a
    {"jawOpen": (0.1, 0.3), "mouthStretch": (0, 0.5), "mouthLowerDown": (0, 0.5), "mouthUpperUp": (-0.1, 0.3)},  # e
    {"mouthStretch": (0.2, 0.8), "mouthLowerDown": (0.1, 0.6), "mouthSmile": (-0.2, 0.3),
     "jawOpen": (-0.05, 0.15)},  # i, s
    {"mouthFunnel": (0.3, 1), "jawOpen": (0.1, 0.4), "mouthPucker": (-0.3, 0.4)},  # o
    {"mouthPucker": (0.4, 1), "mouthFunnel": (-0.3, 0.5), "jawOpen": (-0.1, 0.15)},  # u, w
    {"mouthPress": (0.2, 1), "mouthRoll": (-0.4, 0.6)},  # m, b, p
    {"mouthRoll": (0.2, 0.8), "mouthUpperUp": (-0.1, 0.4), "jawOpen": (-0.05, 0.15)},  # f, v
    {"mouthFunnel": (0.2, 0.7), "mouthLowerDown": (0, 0.6), "mouthUpperUp": (0, 0.5)},  # sh, ch
)  # fmt: skip
SHUT_MOUTHS: tuple[Recipe, ...] = (
    {"cheekPuff": (0.4, 1.1), "mouthPress": (-0.3, 0.5)},
    {"cheekPuff": (0.3, 1.1), "mouthPucker": (-0.4, 0.4)},
    {"mouthPress": (0.4, 1.1), "mouthDimple": (-0.5, 0.5)},
    {"mouthRoll": (0.4, 1.1), "mouthPress": (-0.4, 0.5)},
    {"mouthShrugLower": (0.4, 1.1), "mouthPress": (-0.4, 0.4)},
    {"mouthFrown": (0.4, 1.1), "mouthPress": (-0.4, 0.4)},
    {"mouthSide": (0.4, 1.1), "mouthPucker": (-0.5, 0.5)},
    {"jawSide": (0.4, 1.1), "jawOpen": (-0.5, 0.3), "mouthSide": (-0.8, 0.6)},
    {"mouthDimple": (0.4, 1.1)},
    {"mouthStretch": (0.4, 1.1)},
    {"mouthSmile": (0.3, 1.1)},
)  # fmt: skip

# Frequency of each action among a few random ones: higher where prototypes rarely contain it.
ACTIONS: dict[str, float] = {
    "browInnerUp": 0.3, "browDown": 0.7, "browOuterUp": 0.9, "lid": 0.5, "eyeSquint": 1.3, "cheekSquint": 1.3,
    "noseSneer": 1.5, "mouthUpperUp": 1.5, "mouthSmile": 1.5, "mouthDimple": 2.0, "mouthFrown": 1.6,
    "mouthLowerDown": 2.0, "mouthStretch": 1.3, "mouthPucker": 2.5, "mouthFunnel": 1.9, "mouthPress": 1.6,
    "mouthRoll": 1.8, "mouthShrugLower": 1.3, "jawOpen": 1.8, "mouthSide": 1.8, "jawSide": 1.8, "cheekPuff": 2.0,
}  # fmt: skip
UPPER = ("browInnerUp", "browDown", "browOuterUp", "lid", "eyeSquint")
_NAMES = tuple(ACTIONS)
_ODDS = np.cumsum(list(ACTIONS.values())) / sum(ACTIONS.values())

# Neutral, one key, a few keys, emotion, speech, shut mouth, eyes and brows alone, extreme.
_KINDS = np.cumsum([0.08, 0.06, 0.17, 0.27, 0.13, 0.12, 0.09, 0.08])
AS_IN_LIFE = (1, 3)  # of these, the kinds in which brows and lids are correlated with the mouth
SHUT_UNDER_RAISED_LIP = 0.4  # share of the faces with a raised upper lip and a shut jaw


def sample_eta(rng: np.random.Generator) -> FloatArray:
    """One random expression, (29,) float32 within the keys' bounds."""
    eta = np.zeros(len(OPEN_KEYS), np.float32)
    kind = int(np.searchsorted(_KINDS, rng.random()))
    if kind == 0:
        return eta
    if kind == 1:
        _add(rng, eta, _NAMES[rng.integers(len(_NAMES))], _strength(rng), one_sided=0.35)
        return _bounded(eta)
    if kind == 2:
        _add_few(rng, eta, rng.integers(2, 7))
    elif kind == 3:
        _add_recipe(rng, eta, EMOTIONS[rng.integers(len(EMOTIONS))], rng.uniform(0.3, 1.1))
        if rng.random() < 0.5:
            _add_few(rng, eta, rng.integers(1, 4), scale=0.8)
    elif kind == 4:
        _add_recipe(rng, eta, VISEMES[rng.integers(len(VISEMES))], rng.uniform(0.4, 1.1))
        if rng.random() < 0.4:
            _add_recipe(rng, eta, EMOTIONS[rng.integers(len(EMOTIONS))], rng.uniform(0.1, 0.7))
        if rng.random() < 0.4:
            _add_upper(rng, eta, rng.integers(1, 3))
    elif kind == 5:
        _add_recipe(rng, eta, SHUT_MOUTHS[rng.integers(len(SHUT_MOUTHS))], 1.0)
        if rng.random() < 0.6:
            _add_upper(rng, eta, rng.integers(1, 3))
    elif kind == 6:
        _add_upper(rng, eta, rng.integers(1, 4))
    else:
        _add_few(rng, eta, rng.integers(6, 13))
    if kind not in AS_IN_LIFE or rng.random() < 0.25:
        if rng.random() < 0.5:
            _set_brows(rng, eta)
        if rng.random() < 0.4:
            _set_lids(rng, eta)
    _exclude(eta)
    _shut_under_raised_lip(rng, eta)
    return _bounded(eta)


def sample_gaze(rng: np.random.Generator, head_yaw: float, head_pitch: float) -> FloatArray:
    """Yaw and pitch of the eyes in the head, radians, (2,): at the camera, about, or cast down."""
    kind = rng.random()
    if kind < 0.42:
        yaw, pitch = -head_yaw + rng.normal(0, 0.06), -head_pitch + rng.normal(0, 0.05)
    elif kind < 0.8:
        yaw, pitch = rng.normal(0, 0.28), rng.normal(-0.05, 0.2)
    else:
        yaw, pitch = rng.normal(0, 0.2), rng.uniform(-0.52, -0.15)
    return np.clip([yaw, pitch], [-0.65, -0.52], [0.65, 0.4]).astype(np.float32)


def _shut_under_raised_lip(rng: np.random.Generator, eta: FloatArray) -> None:
    """Push the lower lip up to a raised upper one in some faces, as people do who fight tears or disgust.

    Without such faces, the folds that come with a raised lip are enough for the network to see teeth between shut lips.
    """
    # Millimetres at the middle of the lips: mouthUpperUp 7.2, noseSneer 6.2, mouthShrugLower -6.9.
    gap = 1.04 * eta[INDEX["mouthUpperUp"]] + 0.9 * eta[INDEX["noseSneer"]]
    if rng.random() > SHUT_UNDER_RAISED_LIP or gap < 0.15 or eta[INDEX["jawOpen"]] > 0.1:
        return
    shut = gap * rng.uniform(0.85, 1.15)
    if shut > 1:
        for key in ("mouthUpperUp", "noseSneer"):
            eta[INDEX[key]] /= shut
    eta[INDEX["mouthShrugLower"]] = max(eta[INDEX["mouthShrugLower"]], min(shut, 1))
    eta[INDEX["mouthLowerDown"]] = eta[INDEX["jawOpen"]] = 0


def _strength(rng: np.random.Generator) -> float:
    return rng.uniform(0.1, 1.15)  # beyond 1 is cut off, so full strength is not rare


def _bounded(eta: FloatArray) -> FloatArray:
    return np.clip(eta, BOUNDS[:, 0], BOUNDS[:, 1])


def _add(rng: np.random.Generator, eta: FloatArray, name: str, value: float, one_sided: float = 0.2) -> None:
    """Add ``value`` to a key or to both sides of a pair; ``one_sided``: how often one of the two does little of it."""
    if name in SIGNED_KEYS and rng.random() < 0.5:
        value = -value
    if name in INDEX:
        eta[INDEX[name]] += value
        return
    left, right = rng.normal(1, 0.12), rng.normal(1, 0.12)
    if rng.random() < one_sided:
        faint = max(0.0, rng.uniform(-0.5, 0.5))
        left, right = (left * faint, right) if rng.random() < 0.5 else (left, right * faint)
    eta[INDEX[name + "_L"]] += value * left
    eta[INDEX[name + "_R"]] += value * right


def _add_recipe(rng: np.random.Generator, eta: FloatArray, recipe: Recipe, gain: float) -> None:
    mirrored = rng.random() < 0.5
    for name, (low, high) in recipe.items():
        value = rng.uniform(low, high) * gain
        if value < 0 and name != "lid":
            continue
        if mirrored and name.endswith("_L"):
            name = name[:-2] + "_R"
        _add(rng, eta, name, value)


def _add_few(rng: np.random.Generator, eta: FloatArray, count: int, scale: float = 1.0) -> None:
    for i in set(np.searchsorted(_ODDS, rng.random(count)).tolist()):
        name, value = _NAMES[i], _strength(rng) * scale
        if name == "lid" and rng.random() < 0.3:
            value *= -LID_WIDE
        _add(rng, eta, name, value, one_sided=0.35)


def _add_upper(rng: np.random.Generator, eta: FloatArray, count: int) -> None:
    for _ in range(count):
        _add(rng, eta, UPPER[rng.integers(len(UPPER))], _strength(rng), one_sided=0.35)


def _set_brows(rng: np.random.Generator, eta: FloatArray) -> None:
    """Set the brows, independently of the rest of the face.

    Both brows raised (0.3), mostly with wide eyes; a frown (0.27); the inner ends raised alone (0.06), or raised and
    knit as in grief (0.09); the outer ends raised alone (0.12); otherwise at rest.
    """
    for key in ("browInnerUp", "browDown_L", "browDown_R", "browOuterUp_L", "browOuterUp_R"):
        eta[INDEX[key]] = 0
    kind, strength = rng.random(), rng.uniform(0.25, 1.15)
    if kind < 0.3:
        _add(rng, eta, "browInnerUp", strength * rng.uniform(0.7, 1.1))
        _add(rng, eta, "browOuterUp", strength * rng.uniform(0.7, 1.1), one_sided=0.1)
        if rng.random() < 0.65:
            wide = -LID_WIDE * rng.uniform(0.3, 1.2)
            eta[INDEX["lid_L"]], eta[INDEX["lid_R"]] = wide + rng.normal(0, 0.02, 2)
    elif kind < 0.57:
        _add(rng, eta, "browDown", strength, one_sided=0.1)
    elif kind < 0.63:
        _add(rng, eta, "browInnerUp", strength)
    elif kind < 0.72:
        _add(rng, eta, "browInnerUp", strength * rng.uniform(0.7, 1.1))
        _add(rng, eta, "browDown", strength * rng.uniform(0.4, 0.9), one_sided=0.1)
    elif kind < 0.84:
        _add(rng, eta, "browOuterUp", strength, one_sided=0.35)


def _set_lids(rng: np.random.Generator, eta: FloatArray) -> None:
    """Sample a blink (0.45), half-shut (0.3) or wide eyes; one in six is a wink."""
    kind = rng.random()
    both = (
        rng.uniform(0.75, 1.1)
        if kind < 0.45
        else rng.uniform(0.1, 0.75)
        if kind < 0.75
        else -LID_WIDE * rng.uniform(0.2, 1.2)
    )
    left, right = both + rng.normal(0, 0.05), both + rng.normal(0, 0.05)
    if rng.random() < 0.17:
        other = rng.uniform(-0.1, 0.25)
        left, right = (both, other) if rng.random() < 0.5 else (other, both)
    eta[INDEX["lid_L"]], eta[INDEX["lid_R"]] = left, right


# Muscles that pull against each other do not both win, a pressed or rolled mouth is nearly shut, cheeks fill behind
# shut lips: of each pair the weaker is damped, by this much where the other is at full strength.
_EXCLUSIONS: tuple[tuple[str, str, float], ...] = (
    ("mouthSmile_X", "mouthFrown_X", 0.8),
    ("mouthSmile_X", "mouthPucker", 0.8),
    ("mouthSmile_X", "mouthFunnel", 0.6),
    ("mouthSmile_X", "noseSneer", 0.5),  # a broad smile lifts the lip without wrinkling the nose
    ("mouthDimple_X", "mouthPucker", 0.8),
    ("browOuterUp_X", "browDown_X", 0.6),
    ("eyeSquint_X", "lid_X", 0.6),
    ("mouthStretch", "mouthPucker", 0.9),
    ("mouthStretch", "mouthFunnel", 0.7),
    ("mouthFunnel", "mouthPress", 0.8),
    ("mouthFunnel", "mouthRoll", 0.8),
    ("mouthPucker", "mouthRoll", 0.7),
    ("mouthLowerDown", "mouthPress", 0.9),
    ("mouthUpperUp", "mouthPress", 0.8),
    ("mouthLowerDown", "mouthShrugLower", 0.8),
    ("mouthShrugLower", "jawOpen", 0.8),
    ("jawOpen", "mouthPress", 0.9),
    ("jawOpen", "mouthRoll", 0.6),
    ("cheekPuff", "jawOpen", 0.9),
    ("cheekPuff", "mouthStretch", 0.8),
    ("cheekPuff", "mouthLowerDown", 0.9),
    ("cheekPuff", "mouthUpperUp", 0.9),
)
_RIVALS = tuple(
    (INDEX[a.replace("_X", side)], INDEX[b.replace("_X", side)], amount)
    for a, b, amount in _EXCLUSIONS
    for side in (("_L", "_R") if "_X" in a else ("",))
)


def _exclude(eta: FloatArray) -> None:
    values = eta.tolist()
    for a, b, amount in _RIVALS:
        weaker, stronger = (a, b) if values[a] < values[b] else (b, a)
        if values[weaker] > 0:
            values[weaker] *= 1 - amount * min(1.0, values[stronger])
    eta[:] = values
