"""Render test pictures with Cycles, of heads and looks that the synthetic face engine never makes.

``python -m expnet.benchmarks.other_renderer OUT [--heads 4] [--steps 5]`` (needs the bpy module)

For each head, every key is swept through its range and gaze is swept sideways and up and down, with everything else at
rest. Then come expressions of many keys at other angles. The same command makes the same pictures. Existing pictures
are kept, so an interrupted run continues. OUT/<head>/0000.png … are the pictures and OUT/<head>/truth.npz their truth,
one row each. ``training/evaluation/other_renderer.py`` scores a network on all of them or a part.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..model.array_types import FloatArray
from ..model.builtin import OPEN
from ..model.camera import ANCHOR, SIDE_MM, Camera, ray_rotation
from ..model.errors import InputError
from ..model.face.semantics import LID_WIDE, OPEN_KEYS, open_bounds
from ..model.formats import open_face_model
from ..model.rotations import rotation_of_euler
from . import staging
from .people import Cast, Colour, Dent, Person, cast
from .shading import linear
from .strands import Pigment, Style

SIZE = 144  # pixels of a picture
FACE = 126.0  # pixels of the crop that its face defines
FRAME = (640, 480)  # of the camera that the picture is cut from
GAZE = np.radians([25.0, 15.0])  # how far the sweeps of yaw and pitch go
COMBINED = 20
ENDS = 1 + len(OPEN_KEYS) + len(GAZE)  # the neutral face and the upper end of each sweep: the first shots


@dataclass(frozen=True)
class Lamp:
    """An area lamp, or with ``size`` 0 a sun; place from the head, metres."""

    place: tuple[float, float, float]
    energy: float
    size: float
    colour: Colour = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Setting:
    """A viewpoint and its surroundings.

    lens     mm;  at: the face's place in the camera's frame, 0..1;  yaw: of the sweeps, degrees
    sky      (low, high, strength) of a gradient, or (elevation, bearing, strength) of a physical sky
    wall     (colour, pattern, things, glowing things) at ``depth`` metres behind the head
    exposure of the camera, stops
    """

    lens: float
    at: tuple[float, float]
    yaw: float
    lamps: Sequence[Lamp]
    sky: tuple[Any, ...]
    wall: tuple[Colour, str, int, int] | None
    depth: float
    exposure: float
    fstop: float = 2.8
    look: str = "AgX"


@dataclass(frozen=True)
class Shot:
    """One picture to render.

    ``kind`` is neutral, key, gaze or combined; ``key`` is the key or the axis of gaze (0 yaw, 1 pitch) that is swept,
    else -1.
    """

    kind: str
    key: int
    eta: FloatArray
    gaze: FloatArray
    turn: tuple[float, float, float]  # yaw, pitch, roll, radians


def sweeps(steps: int, turn: tuple[float, float, float]) -> list[Shot]:
    """Return the neutral face, each key in ``steps`` steps through its range (rest among them, not shown again), gaze.

    The ends of the ranges come first, so that a run that is cut short has something of every key.
    """
    rest, ahead = np.zeros(len(OPEN_KEYS)), np.zeros(2)
    shots = []
    for key, (low, high) in enumerate(open_bounds().astype(float)):
        for value in _through_rest(low, high, steps):
            eta = rest.copy()
            eta[key] = value
            shots.append((abs(value / high - 1), Shot("key", key, eta, ahead, turn)))
    for axis, reach in enumerate(GAZE):
        for value in _through_rest(-reach, reach, steps):
            gaze = ahead.copy()
            gaze[axis] = value
            shots.append((abs(value / reach - 1), Shot("gaze", axis, rest, gaze, turn)))
    return [Shot("neutral", -1, rest, ahead, turn), *(shot for _, shot in sorted(shots, key=lambda pair: pair[0]))]


def _through_rest(low: float, high: float, steps: int) -> FloatArray:
    """Return ``steps`` values from ``low`` to ``high`` without 0; a short negative end gets one step."""
    if low < 0 and -low < high / 2:
        return np.concatenate([[low], np.linspace(0, high, steps - 1)[1:]])
    values = np.linspace(low, high, steps)
    away: FloatArray = values[np.abs(values) > 1e-9]
    return away


# Keys that people use together, in three independent parts of the face.
Part = dict[str, float]
BROWS: tuple[Part, ...] = (
    {}, {}, {"browInnerUp": 0.9, "browOuterUp_L": 0.9, "browOuterUp_R": 0.9}, {"browDown_L": 1, "browDown_R": 1},
    {"browInnerUp": 1, "browDown_L": 0.4, "browDown_R": 0.4}, {"browOuterUp_L": 1, "browDown_R": 0.5},
)  # fmt: skip
EYES: tuple[Part, ...] = (
    {}, {}, {"lid_L": 1, "lid_R": 1}, {"lid_L": 0.5, "lid_R": 0.5}, {"lid_L": -LID_WIDE, "lid_R": -LID_WIDE},
    {"eyeSquint_L": 0.9, "eyeSquint_R": 0.9}, {"lid_L": 1, "cheekSquint": 0.4},
)  # fmt: skip
MOUTHS: tuple[Part, ...] = (
    {"mouthSmile_L": 1, "mouthSmile_R": 1, "cheekSquint": 0.7, "mouthUpperUp": 0.4},
    {"mouthSmile_L": 0.9, "mouthSmile_R": 0.9, "jawOpen": 0.5, "cheekSquint": 0.8, "mouthUpperUp": 0.5},
    {"mouthFrown_L": 1, "mouthFrown_R": 1, "mouthShrugLower": 0.7}, {"noseSneer": 1, "mouthUpperUp": 0.8},
    {"jawOpen": 0.9, "mouthLowerDown": 0.3}, {"mouthPucker": 1, "mouthFunnel": 0.3}, {"mouthFunnel": 1, "jawOpen": 0.3},
    {"mouthPress": 1, "mouthDimple_L": 0.6, "mouthDimple_R": 0.6}, {"mouthRoll": 1, "jawOpen": 0.1},
    {"mouthStretch": 1, "mouthLowerDown": 0.8, "jawOpen": 0.2}, {"mouthSmile_L": 0.9, "mouthDimple_L": 0.6},
    {"mouthSmile_R": 0.8, "mouthUpperUp": 0.3}, {"cheekPuff": 1, "mouthPress": 0.3}, {"jawSide": 0.9, "jawOpen": 0.3},
    {"mouthSide": -0.9, "mouthPucker": 0.4}, {"mouthSide": 0.8, "jawSide": 0.5}, {"jawSide": -0.9}, {},
)  # fmt: skip


def combined(rng: np.random.Generator, count: int, yaw: float) -> Iterator[Shot]:
    """Return expressions of many keys, each with its own strength and at its own angles."""
    low, high = open_bounds().astype(float).T
    for i in range(count):
        eta = np.zeros(len(OPEN_KEYS))
        for part in (BROWS[rng.integers(len(BROWS))], EYES[rng.integers(len(EYES))], MOUTHS[rng.integers(len(MOUTHS))]):
            for key, value in part.items():
                eta[OPEN_KEYS.index(key)] += value * rng.uniform(0.35, 1.0)
        gaze = rng.normal(0, 0.12, 2) * [1.4, 0.8]
        turn = np.radians([yaw + (-25, 0, 25)[i % 3] * 0.8, 0, 0] + rng.normal(0, [5, 6, 5]))
        yield Shot("combined", -1, np.clip(eta, low, high), gaze, tuple(turn))


def truth(setting: Setting, shots: Sequence[Shot], size: int = SIZE) -> dict[str, FloatArray]:
    """Return the arrays of truth.npz, a row per picture.

    eta (N, 29), gaze (N, 2), rotation (N, 3, 3), translation (N, 3) mm, camera (N, 3) focal length and principal point
    in pixels, kind and key as in ``Shot``; and the names of the keys.
    """
    poses = [pose(setting, shot.turn, size) for shot in shots]
    return {
        "eta": np.array([shot.eta for shot in shots]), "gaze": np.array([shot.gaze for shot in shots]),
        "rotation": np.array([rotation for rotation, _, _ in poses]),
        "translation": np.array([translation for _, translation, _ in poses]),
        "camera": np.array([[camera.focal, camera.cx, camera.cy] for _, _, camera in poses]),
        "kind": np.array([shot.kind for shot in shots]), "key": np.array([shot.key for shot in shots]),
        "expression_keys": np.array(OPEN_KEYS),
    }  # fmt: skip


def pose(setting: Setting, turn: tuple[float, float, float], size: int) -> tuple[FloatArray, FloatArray, Camera]:
    """Return the head's rotation (3, 3) and translation (3,) mm before the camera, and the camera.

    The camera is that of a picture of ``size`` px about the face, cut from the whole frame.
    """
    scale = size / SIZE
    width, height = (round(scale * n) for n in FRAME)
    whole = Camera.for_image(width, height, setting.lens)
    x, y = setting.at[0] * (width - 1), setting.at[1] * (height - 1)
    ray = ray_rotation(whole, x, y)
    rotation = ray @ rotation_of_euler(*turn)
    translation = ray @ [0, 0, -whole.focal * SIDE_MM / (FACE * scale)] - rotation @ ANCHOR
    left, top = np.round([x - size / 2, y - size / 2])
    return rotation, translation, Camera(whole.focal, whole.cx - left, whole.cy - top)


def set_up(person: Person, setting: Setting, samples: int, size: int = SIZE) -> tuple[bpy.types.Scene, Cast]:
    """Return an empty file with the person in the setting, and the camera exposed for the face."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    actor = cast(person, open_face_model(OPEN), scene)
    rotation, translation, camera = pose(setting, (np.radians(setting.yaw), 0.0, 0.0), size)
    actor.show(np.zeros(len(OPEN_KEYS)), np.zeros(2), rotation, translation)
    at, rng = np.array(actor.head.location), np.random.default_rng([person.seed, 1])
    staging.use_cycles(scene, samples)
    staging.use_camera(scene, camera, size, float(at[1]) - 0.09, setting.fstop)
    for lamp in setting.lamps:
        if lamp.size:
            staging.add_area(scene, at, lamp.place, lamp.energy, lamp.size, linear(lamp.colour))
        else:
            staging.add_sun(scene, lamp.place, lamp.energy, linear(lamp.colour))
    if np.ndim(setting.sky[0]):
        staging.set_gradient(scene, *setting.sky)
    else:
        staging.set_sky(scene, *setting.sky)
    if setting.wall is not None:
        behind = at * (1 + setting.depth / at[1]) - [0, setting.depth, 0]  # on the ray through the head
        width = size / camera.focal * (at[1] + setting.depth)
        colour, pattern, things, glowing = setting.wall
        staging.add_room(scene, rng, behind, setting.depth, width, colour, pattern, things, glowing)
    scene.view_settings.view_transform = setting.look
    scene.view_settings.exposure = setting.exposure
    return scene, actor


def shoot(
    person: Person,
    setting: Setting,
    shots: Sequence[Shot],
    folder: Path,
    samples: int,
    size: int = SIZE,
    only: int | None = None,
) -> int:
    """Render the pictures that ``folder`` lacks (at most the first ``only``) and return their number.

    Raises InputError when the folder holds pictures of other shots, which would be mistaken for these.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = truth(setting, shots, size)
    stored = folder / "truth.npz"
    if stored.exists():
        with np.load(stored, allow_pickle=False) as before:
            if not all(name in before and np.array_equal(before[name], values) for name, values in arrays.items()):
                raise InputError(f"{folder}: holds pictures of other shots (other steps?): give an empty folder")
    else:
        partial = stored.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez_compressed(file, **arrays)
        partial.replace(stored)
    missing = [i for i in range(len(shots))[:only] if not picture_path(folder, i).exists()]
    if missing:
        scene, actor = set_up(person, setting, samples, size)
    for i in missing:
        actor.show(shots[i].eta, shots[i].gaze, arrays["rotation"][i], arrays["translation"][i])
        staging.take(scene, picture_path(folder, i))
    return len(missing)


def picture_path(folder: Path, index: int) -> Path:
    return folder / f"{index:04d}.png"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--heads", type=int, default=len(CAST), help=f"1 to {len(CAST)} (default)")
    parser.add_argument("--steps", type=int, default=5, help="of each sweep (default 5)")
    parser.add_argument("--samples", type=int, default=5, help="of Cycles, per pixel (default 5)")
    args = parser.parse_args()
    if not 1 <= args.heads <= len(CAST) or args.steps < 3 or args.samples < 1:
        sys.exit(f"heads are 1 to {len(CAST)}, steps at least 3, samples at least 1")
    try:
        for only in (ENDS, None):  # some pictures of every head first
            for person, setting in CAST[: args.heads]:
                began = time.perf_counter()
                shots = [
                    *sweeps(args.steps, (float(np.radians(setting.yaw)), 0.0, 0.0)),
                    *combined(np.random.default_rng([person.seed, 2]), COMBINED, setting.yaw),
                ]
                taken = shoot(person, setting, shots, args.out / person.name, args.samples, only=only)
                seconds = time.perf_counter() - began
                print(f"{person.name}: {taken} of {len(shots)} pictures in {seconds:.0f} s", flush=True)
    except InputError as error:
        sys.exit(str(error))


CAST: tuple[tuple[Person, Setting], ...] = (
    (
        Person(
            "ada", 21, skin=(0.93, 0.78, 0.70), flush=(0.90, 0.55, 0.50), lips=(0.80, 0.45, 0.43),
            iris=(0.42, 0.55, 0.40), hair=Pigment(0.45, 0.85), freckles=0.45, flushed=0.45, spread=1.2,
            dents=(Dent((0, -76, 100), (0, 7, -3), 34), Dent((52, -40, 62), (-8, 3, 0), 34, both=True),
                   Dent((20, -34, 108), (2.5, 0, 2), 14, both=True), Dent((0, 4, 131), (1.5, 3, -4), 15)),
            scalp=Style(2600, 230, thickness=0.8, points=9, lift=0.35, droop=0.35, curl=5.0, turns=2.5, parting=-18),
            make_up=((0.42, 0.30, 0.45), (0.72, 0.16, 0.22), (0.08, 0.06, 0.07)), shirt=(0.15, 0.30, 0.28),
        ),
        Setting(
            85, (0.45, 0.48), 0.0,
            (Lamp((-1.1, -0.8, 0.5), 30, 1.1, (0.88, 0.93, 1.0)), Lamp((1.2, -0.3, 0.1), 6, 0.8, (1.0, 0.86, 0.7))),
            ((0.30, 0.28, 0.26), (0.45, 0.47, 0.50), 0.5), ((0.62, 0.58, 0.50), "NOISE", 7, 1), 2.5, 0.5,
        ),
    ),
    (
        Person(
            "kofi", 32, skin=(0.34, 0.21, 0.16), flush=(0.36, 0.17, 0.13), lips=(0.42, 0.24, 0.22),
            iris=(0.22, 0.12, 0.07), hair=Pigment(0.98, 0.3), blotches=0.45, roughness=0.38,
            dents=(Dent((0, -2, 118), (0, -1, 3), 16), Dent((15, -10, 110), (4, 0, 1), 12, both=True),
                   Dent((60, -45, 60), (7, -4, 2), 38, both=True), Dent((0, -76, 104), (2, -7, 4), 30),
                   Dent((0, -34, 114), (0, 0, 4), 17), Dent((0, 62, 100), (0, 0, 4), 26)),
            beard=Style(4500, 16, thickness=0.34, points=4, lift=0.5, droop=0.5, curl=1.6, turns=2),
            brows=Style(520, 7.5, thickness=0.24, spread=0.25), shirt=(0.75, 0.72, 0.66),
        ),
        Setting(
            50, (0.55, 0.5), 25.0, (Lamp((0.8, -0.9, 1.0), 4.5, 0),), (48.0, 139.0, 0.05),
            ((0.70, 0.45, 0.32), "BRICK", 5, 0), 5.0, 1.4, 4.0,
        ),
    ),
    (
        Person(
            "mei", 43, skin=(0.86, 0.68, 0.54), flush=(0.83, 0.53, 0.44), lips=(0.74, 0.44, 0.40),
            iris=(0.20, 0.13, 0.10), hair=Pigment(0.95, 0.2), spread=1.5, waves=2.0,
            dents=(Dent((0, 24, 116), (0, 0, -6), 16), Dent((58, -8, 74), (6, 3, 3), 30, both=True),
                   Dent((0, -70, 95), (0, 5, -4), 34), Dent((32, 52, 96), (0, 3, 4), 16, both=True)),
            scalp=Style(5000, 55, thickness=0.6, points=6, lift=0.55, droop=0.12, forward=0.6, hairline=4),
            glasses=(0.10, 0.10, 0.12), shirt=(0.20, 0.25, 0.50),
        ),
        Setting(
            35, (0.4, 0.55), -25.0,
            (Lamp((0.0, -0.4, 1.3), 22, 0.9, (0.95, 1.0, 0.90)), Lamp((0.4, -1.1, 0.1), 6, 0.6, (0.55, 0.72, 1.0))),
            ((0.35, 0.36, 0.36), (0.70, 0.72, 0.70), 0.45), ((0.75, 0.76, 0.72), "CHECKER", 9, 2), 2.0, 0.85, 2.0,
        ),
    ),
    (
        Person(
            "olaf", 57, skin=(0.90, 0.70, 0.62), flush=(0.88, 0.46, 0.40), lips=(0.76, 0.46, 0.42),
            iris=(0.50, 0.60, 0.68), hair=Pigment(0.35, 0.3, grey=0.65), flushed=0.75, blotches=0.75, freckles=0.25,
            waves=1.8, spread=1.1, roughness=0.52,
            dents=(Dent((0, 8, 128), (2, -3, 7), 18), Dent((0, 90, 92), (0, 6, -5), 40),
                   Dent((40, -52, 82), (3, -6, 2), 22, both=True), Dent((0, -30, 112), (0, -4, -2), 26),
                   Dent((74, 6, 0), (6, 4, 0), 26, both=True)),
            scalp=Style(4500, 18, thickness=0.42, points=4, lift=0.5, droop=0.15, forward=-0.3, hairline=14),
            beard=Style(3500, 3.0, thickness=0.24, points=3, lift=0.7, droop=0.3),
            brows=Style(480, 10.0, thickness=0.24, spread=0.4), shirt=(0.35, 0.30, 0.26),
        ),
        Setting(
            135, (0.5, 0.42), 0.0, (Lamp((1.2, 0.6, 0.9), 26, 0.6, (1.0, 0.97, 0.92)),),
            ((0.32, 0.34, 0.30), (0.80, 0.86, 0.95), 1.1), ((0.35, 0.48, 0.30), "NOISE", 8, 0), 8.0, 0.95, 4.0,
        ),
    ),
    (
        Person(
            "noor", 65, skin=(0.66, 0.47, 0.35), flush=(0.62, 0.34, 0.27), lips=(0.58, 0.33, 0.29),
            iris=(0.30, 0.19, 0.10), hair=Pigment(0.92, 0.5), spread=1.3,
            dents=(Dent((0, 20, 122), (0, 2, 5), 18), Dent((33, 36, 92), (3.5, 1, 0), 26, both=True),
                   Dent((0, -76, 104), (-2, -8, 0), 34), Dent((62, 0, 60), (-7, 0, 0), 36, both=True)),
            scalp=Style(3200, 260, thickness=0.8, points=9, lift=0.25, droop=0.5, curl=1.2, turns=1.0, parting=4),
            make_up=((0.22, 0.16, 0.16), (0.50, 0.20, 0.24), (0.03, 0.03, 0.03)), shirt=(0.55, 0.15, 0.18),
        ),
        Setting(
            60, (0.6, 0.5), -12.0,
            (Lamp((-0.9, -0.7, 0.2), 24, 0.5, (1.0, 0.25, 0.65)), Lamp((0.9, -0.6, 0.3), 24, 0.5, (0.2, 0.75, 1.0)),
             Lamp((0.0, -1.2, 0.2), 7, 0.6, (1.0, 0.9, 0.8))),
            ((0.05, 0.04, 0.08), (0.10, 0.06, 0.14), 0.6), ((0.20, 0.14, 0.30), "WAVE", 9, 6), 2.5, -0.25, 1.8,
        ),
    ),
    (
        Person(
            "zuri", 76, skin=(0.50, 0.33, 0.24), flush=(0.48, 0.25, 0.19), lips=(0.50, 0.28, 0.26),
            iris=(0.26, 0.15, 0.08), hair=Pigment(0.97, 0.3), spread=1.4, waves=1.8,
            dents=(Dent((14, -9, 110), (3, 0, 0), 12, both=True), Dent((0, -34, 114), (0, 0, 3.5), 18),
                   Dent((56, -30, 66), (5, 2, 3), 34, both=True), Dent((0, 95, 90), (0, 4, 5), 36)),
            scalp=Style(6000, 42, thickness=0.5, points=9, lift=0.95, droop=0.0, curl=3.2, turns=4.0, parting=0),
            shirt=(0.80, 0.62, 0.20),
        ),
        Setting(
            50, (0.48, 0.52), 12.0,
            (Lamp((0.75, -0.8, -0.1), 14, 0.35, (1.0, 0.76, 0.5)), Lamp((-1.3, -0.2, 0.5), 12, 0.8, (0.55, 0.66, 1.0))),
            ((0.16, 0.15, 0.16), (0.26, 0.27, 0.32), 0.6), ((0.42, 0.30, 0.24), "WAVE", 8, 3), 2.0, 1.5,
        ),
    ),
)  # fmt: skip


if __name__ == "__main__":
    main()
