"""The head's shape: Eq. (1) and effects beyond a linear model."""

from __future__ import annotations

import numba as nb
import numpy as np

from ...model.array_types import FloatArray
from ...model.face.face_model import KAPPA as PEOPLES_KAPPA
from ...model.face.semantics import OPEN_KEYS
from ...model.rotations import rotation_of_euler
from .noise import add_wave, plane_waves
from .paint import Brows, on_skin
from .skin import wrinkle_depth
from .surface import Surface

WAVES = 3  # added up in a smooth random field
GAZE_UNIT = np.radians(30)  # of FaceModel.gaze_lids
LIDS = [OPEN_KEYS.index("lid_L"), OPEN_KEYS.index("lid_R")]
# Mean and standard deviation of people's resting lids in units of the key (8.6 mm). The eye opening of the head and its
# alpha varies by 0.5 mm, people's by 1.2 mm.
LID_REST = 0.03, 0.12
# Angle kappa, from the line of sight outwards to the eye's axis: mean and standard deviation of people, radians (3 to 6
# degrees by instrument; Basmak et al. 2007). Eyes that look at the camera point past it, which no label contains.
KAPPA = PEOPLES_KAPPA, np.radians(2.0)
# Share of the head's spread of mouth widths: alpha varies them by 3.5 mm, people by 2.6 mm. A mouth's width tells a
# smile, a stretched or a pursed mouth from a rest only as far as it is the same in all people.
MOUTH_WIDTHS = 0.6
PUPIL_DEPTH = 12.5  # mm from the middle of the eyeball's vertices


def blend(
    surface: Surface, alpha: FloatArray, eta: FloatArray, gaze: FloatArray, ways: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Evaluate Eq. (1) for B heads at once, because single heads are limited by memory latency.

    Returns persons at rest (B, V, 3) and their motion (B, V, 3), including lids that follow ``gaze`` (B, 2). ``ways``
    (B, 31) come from ``sample_ways``.
    """
    model = surface.model
    persons = model.vertices(alpha)
    gains, rest = ways[:, : eta.shape[1]], ways[:, eta.shape[1] :]
    weights = eta * gains
    weights[:, LIDS] += rest * (1 - np.clip(eta[:, LIDS], 0, 1))  # lids shut fully at 1 from any rest position
    if model.gaze_lids is not None:
        left, up = (gaze / GAZE_UNIT).T
        shut = 1 - np.clip(eta[:, 5:7].mean(1), 0, 1)
        lids = np.maximum([up, -up, left, -left], 0) * shut
        weights = np.concatenate([weights, lids.T], 1)
    moves = weights.astype(np.float32) @ surface.gestures
    return persons, moves.reshape(persons.shape)


def shape_head(
    rng: np.random.Generator,
    surface: Surface,
    person: FloatArray,
    move: FloatArray,
    eta: FloatArray,
    gaze: FloatArray,
) -> FloatArray:
    """Return the vertices (V, 3) of one head of ``blend``, with the eyes rotated.

    Adds other proportions, individual variation of the same expression, wrinkles, and the angle kappa of the eyes.
    """
    vertices = np.empty_like(person)
    lengths = np.append(rng.uniform(50, 140, 3), 80)  # of the waves along x, y and z, and of those of the keys' gain
    directions, phases = plane_waves(rng, np.repeat(lengths, WAVES))
    _deform(surface.axes, person, move, surface.loose, directions, phases, np.float32(rng.uniform(0, 1.6)), vertices)
    depth = wrinkle_depth(rng, surface, eta) * rng.uniform(0.5, 1.6)
    furrows = np.minimum(depth.astype(np.float32) @ surface.wrinkles, 1.5)
    vertices[surface.furrowed] -= surface.normals[surface.furrowed] * furrows[:, None]
    _turn_eyes(surface, person, gaze, rng.normal(*KAPPA), vertices)
    return vertices


def turned_eyes(surface: Surface, person: FloatArray) -> FloatArray:
    """Return a head (V, 3) at rest with the eyes turned outwards by people's mean angle kappa."""
    vertices = person.copy()
    _turn_eyes(surface, person, np.zeros(2), KAPPA[0], vertices)
    return vertices


def _turn_eyes(surface: Surface, person: FloatArray, gaze: FloatArray, kappa: float, out: FloatArray) -> None:
    for side, outwards in (("L", kappa), ("R", -kappa)):
        turn = rotation_of_euler(float(gaze[0] + outwards), float(gaze[1]), 0).astype(np.float32)
        ball = surface.model.regions[f"eyeball_{side}"]
        eye = person[ball]
        pivot = _middle(eye)
        out[ball] = (eye - pivot) @ turn.T + pivot


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def _deform(axes, person, move, loose, directions, phases, amount, out):
    own, least, most, one = np.float32(0.18), np.float32(-0.35), np.float32(0.35), np.float32(1)
    level = np.float32(np.sqrt(2 / WAVES))
    fields = np.zeros((4, len(out)), np.float32)
    for k in range(4):
        for w in range(k * WAVES, (k + 1) * WAVES):
            add_wave(axes, directions[w, 0], directions[w, 1], directions[w, 2], phases[w], fields[k])
    for i in range(len(out)):
        gain = one + min(max(own * level * fields[3, i], least), most) * loose[i]
        strength = amount * level * loose[i]
        for c in range(3):
            out[i, c] = person[i, c] + gain * move[i, c] + strength * fields[c, i]


def _middle(points: FloatArray) -> FloatArray:
    """``face_model.gaze_pivot`` of an eyeball's points, as a product: a mean over rows takes ten times as long."""
    return np.full(len(points), 1 / len(points), np.float32) @ points


def sample_alpha(rng: np.random.Generator, surface: Surface, spread: float = 1.0, limit: float = 2.8) -> FloatArray:
    """Sample one person's alpha, (99,) float32, around the alpha of a face with people's mean proportions."""
    own: FloatArray = np.clip(
        rng.standard_normal(len(surface.average_alpha), np.float32) * np.float32(spread), -limit, limit
    )
    own -= (1 - MOUTH_WIDTHS) * (own @ surface.mouth_width) * surface.mouth_width
    return surface.average_alpha + own


def sample_ways(rng: np.random.Generator) -> FloatArray:
    """Sample one person's ways, (31,).

    These are the strengths of the 29 expressions, and the rest positions of the left and the right lid in units of
    their key. No label contains them.
    """
    gains = np.exp(rng.normal(0, 0.1, len(OPEN_KEYS)))
    gains[LIDS] = 1
    return np.concatenate([gains, rng.normal(*LID_REST) + rng.normal(0, 0.02, 2)])


def landmarks_of(surface: Surface, vertices: FloatArray, brows: Brows | None = None) -> FloatArray:
    """Return the 68 points and the two pupils (right, left), (70, 3).

    The points of the brows lie where ``brows`` are painted, or where the model has them.
    """
    middles = np.stack([_middle(vertices[surface.model.regions[f"eyeball_{side}"]]) for side in "RL"])
    axes = vertices[surface.pupils] - middles
    pupils = middles + PUPIL_DEPTH * axes / np.linalg.norm(axes, axis=1, keepdims=True)
    marks = vertices[surface.model.landmarks]
    if brows is not None:
        corners, weights = on_skin(surface, brows.landmarks())
        marks[17:27] = (vertices[corners] * weights[..., None]).sum(1)
    return np.concatenate([marks, pupils])
