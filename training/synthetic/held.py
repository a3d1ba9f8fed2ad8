"""Held objects: hands before the face and on its lips, microphones, cups, telephones.

All are geometry in the head's own frame (millimetres), so they move, shade and occlude like the head.
"""

from __future__ import annotations

import numpy as np

from ...model.array_types import FloatArray
from .patches import Patch, box, joined, tubes

HELD = 0.185  # share of the faces, other than natural ones, with a hand or a thing
# Where hands go, and which way from there leads away from the face: chin, mouth, cheeks, temples, brow, anywhere
HAND_PLACES = np.array(
    [
        [0, -78, 108],
        [0, -40, 122],
        [52, -30, 78],
        [-52, -30, 78],
        [62, 40, 62],
        [-62, 40, 62],
        [0, 82, 104],
        [20, 0, 135],
    ]
)
FINGER_REACH = (42, 46, 43, 34)  # mm, of the first link: index to little finger
FINGER_LINKS = ((1.0, 9.2), (0.62, 8.4), (0.5, 7.6))  # share of the first link's length, radius in mm
FINGER_STEP = 18.5  # mm from finger to finger
FOLDED = 1.5  # radians that a folded finger bends at each joint


def sample_held(
    rng: np.random.Generator, skin_color: FloatArray, mouth: FloatArray, always: bool = False
) -> list[Patch]:
    """Return sometimes or ``always`` a hand before, beside or below the face, on its lips, or a microphone, a cup, ...

    ``mouth`` (3,) is the middle of the lips, in the head's frame.
    """
    kind = rng.random() * (HELD if always else 1)
    color = skin_color * rng.uniform(0.8, 1.1)
    if kind < 0.09:
        place = HAND_PLACES[rng.integers(len(HAND_PLACES))] + rng.normal(0, 10, 3)
        return [_hand_before(rng, place, color)]
    if kind < 0.125:
        return [_thing(rng, skin_color)]
    if kind < HELD:
        return [_hand_on_lips(rng, mouth, color)]
    return []


def _hand_before(rng: np.random.Generator, place: FloatArray, color: FloatArray) -> Patch:
    """Return a hand with its palm towards the face at ``place``."""
    away = place * [1.0, 0.25, 1.0] - [0, 0, 30.0]
    away = away / np.linalg.norm(away) + rng.normal(0, 0.15, 3)
    away /= np.linalg.norm(away)
    lean = rng.normal(0, 0.7) + 0.5 * np.sign(place[0]) * (abs(place[0]) > 25)
    along = np.array([-np.sin(lean), np.cos(lean), 0.0]) if rng.random() < 0.85 else rng.standard_normal(3)
    along = along - away * (along @ away)
    along /= np.linalg.norm(along)
    across = np.cross(along, away) * (1.0 if rng.random() < 0.5 else -1.0)
    size = rng.uniform(0.85, 1.1)
    origin = place + away * rng.uniform(8, 26)
    curl, spread = rng.uniform(0, 0.35) if rng.random() < 0.65 else rng.uniform(0.6, 1.5), rng.uniform(0, 0.14)
    count = 4 if rng.random() < 0.8 else int(rng.integers(1, 4))
    bends = np.where(np.arange(4) < count, curl, FOLDED)
    return _hand(rng, origin, along, away, across, size, bends, spread, color)


def _hand_on_lips(rng: np.random.Generator, mouth: FloatArray, color: FloatArray) -> Patch:
    """Return a hand that touches the mouth: a finger or several lie along the lips, the others are bent or folded.

    So do people who cry, think, bite a nail or ask for silence. The lips are half seen beside the fingers, and pale
    nails and the dark between finger and lip resemble teeth and an open mouth.
    """
    side = rng.choice([-1.0, 1.0])  # where the hand comes from
    away = np.array([0.35 * side, rng.normal(-0.1, 0.2), 1.0]) + rng.normal(0, 0.15, 3)
    away /= np.linalg.norm(away)
    lift = rng.normal(0.2, 0.45) if rng.random() < 0.8 else rng.normal(1.5, 0.2)  # radians above the horizontal
    along = np.array([-side * np.cos(lift), np.sin(lift), 0.0])
    along = along - away * (along @ away)
    along /= np.linalg.norm(along)
    across = np.cross(along, away)
    across *= np.sign(across[1] or 1.0) * (1.0 if rng.random() < 0.8 else -1.0)  # mostly the index finger above
    size = rng.uniform(0.85, 1.1)
    touching = rng.choice(4, p=[0.7, 0.2, 0.05, 0.05])
    place = mouth + rng.normal(0, [8, 7, 0]) + away * size * rng.uniform(4, 13)
    reach = rng.uniform(15, 80) * size  # from the knuckle to the place
    origin = place - along * reach - across * (1.5 - touching) * FINGER_STEP * size
    straight = 4 if rng.random() < 0.5 else touching + 1  # all fingers, or those from the index to the touching one
    folded = min(rng.uniform(0.5, 1.7), FOLDED)  # often a fist
    bends = np.where(np.arange(4) < straight, rng.normal(0.08, 0.15, 4), folded)
    return _hand(rng, origin, along, away, across, size, bends, rng.uniform(0, 0.1), color)


def _hand(
    rng: np.random.Generator,
    origin: FloatArray,
    along: FloatArray,
    away: FloatArray,
    across: FloatArray,
    size: float,
    bends: FloatArray,
    spread: float,
    color: FloatArray,
) -> Patch:
    """Return four fingers of three links each with their nails, a thumb and a wrist.

    The knuckles lie round ``origin``; fingers point ``along``, the back of the hand looks ``away`` from the face, the
    index finger lies ``across``. ``bends`` (4,) are the radians that each finger bends at a joint.
    """
    starts, ends, radii = [], [], []
    tips, ways, backs = [], [], []

    def link(a: FloatArray, b: FloatArray, radius: float) -> FloatArray:
        starts.append(a)
        ends.append(b)
        radii.append(radius * size)
        return b

    for finger, bend in enumerate(bends):
        offset = (1.5 - finger) * FINGER_STEP * size
        base = origin + across * offset
        knuckle = link(base - along * 78 * size + across * (0.25 * -offset), base, 12.0)
        way = along + across * (1.5 - finger) * spread
        way /= np.linalg.norm(way)
        for part, radius in FINGER_LINKS:
            way = way * np.cos(bend) - away * np.sin(bend) * 0.9
            way /= np.linalg.norm(way)
            knuckle = link(knuckle, knuckle + way * FINGER_REACH[finger] * size * part, radius)
        tips.append(knuckle)
        ways.append(way)
        backs.append(away - way * (away @ way))
    ball = origin - along * 62 * size + across * 26 * size
    joint = link(ball, ball + (along * 0.6 + across * 0.7) * 38 * size, 13.0)
    link(joint, joint + (along * rng.uniform(0.4, 1.1) + across * rng.uniform(-0.2, 0.5) - away * 0.2) * 32 * size, 9.5)
    wrist = origin - along * 82 * size
    link(wrist, wrist - along * 190 + rng.normal(0, 30, 3), 27.0)
    skin = tubes(np.array(starts), np.array(ends), np.array(radii), color, 0.25)
    back = np.array(backs)
    back /= np.linalg.norm(back, axis=1, keepdims=True) + 1e-6
    middle = np.array(tips) + back * 4.2 * size
    nail = color * rng.uniform(1.0, 1.5) + 0.04 if rng.random() < 0.75 else rng.uniform(0.02, 0.9, 3)  # bare or painted
    half = np.array(ways) * rng.uniform(1.5, 4.5) * size
    return joined([skin, tubes(middle - half, middle + half, np.full(4, 4.6 * size), np.clip(nail, 0, 1), 0.6)])


def _thing(rng: np.random.Generator, skin_color: FloatArray) -> Patch:
    """Return an object held before the face, and the fist that holds it."""
    color = rng.uniform(0.02, 0.9, 3) if rng.random() < 0.5 else np.full(3, rng.uniform(0.02, 0.3))
    kind = rng.random()
    if kind < 0.35:  # microphone
        head = np.array([rng.normal(0, 22), rng.uniform(-75, -45), rng.uniform(132, 160)])
        down = np.array([rng.normal(0, 0.4), -1, rng.uniform(0, 0.8)])
        down /= np.linalg.norm(down)
        stick = tubes([head + down * 20], [head + down * 190], [rng.uniform(9, 15)], color, 0.5)
        ball = tubes([head], [head + down * 14], [rng.uniform(18, 28)], color * rng.uniform(0.5, 1.5), 0.8)
        return joined([ball, stick, _fist(rng, head + down * 95, down, skin_color)])
    if kind < 0.65:  # cup, glass or bottle
        rim = np.array([rng.normal(0, 12), rng.uniform(-48, -30), rng.uniform(128, 140)])
        down = np.array([rng.normal(0, 0.25), -1, rng.uniform(-0.2, 1.2)])
        down /= np.linalg.norm(down)
        radius = rng.uniform(18, 40)
        cup = tubes([rim], [rim + down * rng.uniform(70, 130)], [radius], color, 0.8, flat=True)
        return joined([cup, _fist(rng, rim + down * 50 + [rng.choice([-1, 1]) * radius * 0.8, 0, 8], down, skin_color)])
    if kind < 0.85:  # telephone, at the ear or held up before the face
        side = rng.choice([-1.0, 1.0])
        centre = [side * 84, 0, 45] if rng.random() < 0.6 else [rng.normal(0, 45), rng.uniform(-70, 30), 175]
        tilt = rng.normal(0, 0.3)
        up = np.array([0, np.cos(tilt), np.sin(tilt)])
        out = np.array([1.0, 0, 0]) if abs(centre[0]) > 80 else np.array([0, -np.sin(tilt), np.cos(tilt)])
        phone = box(np.array(centre), np.stack([np.cross(up, out) * 37, up * 75, out * 5]), color)
        return joined([phone, _fist(rng, np.array(centre) + out * 14 * side - up * 20, up, skin_color)])
    start = np.array([rng.normal(0, 40), rng.normal(-30, 40), rng.uniform(125, 160)])
    way = rng.standard_normal(3) * [1, 1, 0.3]
    end = start + way / np.linalg.norm(way) * rng.uniform(20, 150)
    return tubes([start], [end], [rng.uniform(2.5, 40)], color, 0.4)


def _fist(rng: np.random.Generator, centre: FloatArray, axis: FloatArray, skin_color: FloatArray) -> Patch:
    """Fingers round something that runs along ``axis``."""
    side = np.cross(axis, [0, 0, 1.0])
    side = side / np.linalg.norm(side) * rng.choice([-1.0, 1.0])
    front = np.cross(side, axis)
    front *= np.sign(front[2]) or 1.0
    rows = centre + axis * (np.arange(4)[:, None] - 1.5) * 18
    starts = np.concatenate([rows - side * 22 + front * 8, [centre - side * 20 - front * 6]])
    ends = np.concatenate([rows + side * 16 + front * 16, [centre - side * 30 + axis * 130]])
    return tubes(starts, ends, np.array([10, 10, 9.5, 9, 27]), skin_color * rng.uniform(0.8, 1.1), 0.25)
