"""Make the stock of cut-outs of heads and hands with masks, from which ``scenes.py`` composes.

``python -m expnet.training.synthetic.cutouts OUT --shards 24 --realism FILE``

A shard is an .npz of ``--per-shard`` cut-outs. As with ``generate``, shard k of seed s is the same wherever it is made.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ...model.array_types import FloatArray
from ...model.builtin import OPEN
from ...model.camera import Camera, crop_of_pose
from ...model.errors import InputError
from ...model.files import atomic_path
from ...model.formats import open_face_model
from ...model.rotations import rotation_of_euler
from .brows import sample_brows
from .degrade import develop
from .expressions import sample_eta, sample_gaze
from .pose import Pose
from .realism import read_realism
from .sample import render
from .shape import blend, landmarks_of, sample_alpha, sample_ways, shape_head
from .surface import Surface, build_surface

FACE, BACK, HAND = 0, 1, 2
SHARES = (0.76, 0.14, 0.10)
SIZE = 160
HEAD_SHIFT, HEAD_ZOOM = 0.12, 1.75  # the cut-out in sides of the face's crop: hair above, shoulders below
HAND_TRIES = 200
LEAST_COVER = 0.03  # of a cut-out that holds anything


@dataclass(frozen=True)
class Place:
    """Position of a face's own crop in its cut-out.

    Holds x, y and side in cut-outs, and angle; yaw and pitch in radians; and the kind of cut-out. Cut-outs without a
    face have a place too, which positions them in a scene.
    """

    x: float
    y: float
    side: float
    angle: float
    yaw: float
    pitch: float
    kind: float = FACE

    def mirrored(self) -> Place:
        return Place(1 - self.x, self.y, self.side, -self.angle, -self.yaw, self.pitch, self.kind)


class Cutouts:
    """The stock of one seed in a folder."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        paths = sorted(folder.glob(f"seed{seed}_cutouts*.npz"))
        if not paths:
            raise FileNotFoundError(f"{folder}: no cut-outs of seed {seed}; run expnet.training.synthetic.cutouts")
        self._pictures, places = [], []
        for path in paths:
            with np.load(path, allow_pickle=False) as data:
                self._pictures.append(data["picture"])
                places.append(data["place"])
        self._index = [(i, j) for i, part in enumerate(places) for j in range(len(part))]
        self._places = np.concatenate(places)
        self._faces = np.flatnonzero(self._places[:, 6] == FACE)
        self._others = np.flatnonzero(self._places[:, 6] != FACE)

    def __len__(self) -> int:
        return len(self._places)

    def face(self, rng: np.random.Generator) -> tuple[FloatArray, Place]:
        """Return a face's cut-out, (S, S, 4) uint8 BGR and alpha."""
        return self._get(rng.choice(self._faces))

    def other(self, rng: np.random.Generator) -> tuple[FloatArray, Place]:
        """Return the back of a head, or a hand."""
        return self._get(rng.choice(self._others))

    def skin_color(self, rng: np.random.Generator) -> FloatArray:
        """Return a random colour of a random face, BGR 0..255."""
        picture, own = self.face(rng)
        x, y = (int(c * len(picture)) for c in (own.x + rng.uniform(-0.1, 0.1), own.y + rng.uniform(-0.05, 0.1)))
        return picture[y, x, :3].astype(np.float64)

    def _get(self, index: int) -> tuple[FloatArray, Place]:
        shard, row = self._index[index]
        return self._pictures[shard][row], Place(*map(float, self._places[index]))


def sample_cutout(rng: np.random.Generator, surface: Surface, size: int = SIZE) -> tuple[FloatArray, Place]:
    """Draw a head, the back of one, or a hand: (size, size, 4) uint8 BGR and alpha, and where the face is."""
    kind = int(rng.choice(len(SHARES), p=SHARES))
    eta = sample_eta(rng)
    alpha = sample_alpha(rng, surface, rng.uniform(0.7, 1.25))
    yaw, pitch, lean = _sample_angles(rng, kind)
    gaze = sample_gaze(rng, yaw if kind == FACE else 0.0, pitch)
    person, move = blend(surface, *(v[None] for v in (alpha, eta, gaze, sample_ways(rng))))
    vertices = shape_head(rng, surface, person[0], move[0], eta, gaze)
    pose = _sample_pose(rng, rotation_of_euler(yaw, pitch, lean), size)
    brows = sample_brows(rng, surface, eta)
    marks = landmarks_of(surface, vertices, brows)
    seen = pose.in_crop(marks), -(marks @ pose.rotation[2] + pose.translation[2])
    for _ in range(HAND_TRIES if kind == HAND else 1):
        seed = rng.integers(2**63)
        dark, light = (
            render(
                np.random.default_rng(seed), surface, vertices, eta, brows, pose, size, *seen, kind != HAND,
                np.full((size, size, 3), level, np.float32),
            )[0]
            for level in (0, 1)
        )  # fmt: skip
        behind = (light - dark).mean(2, keepdims=True)
        cover = np.clip(1 - behind / max(float(behind.max()), 1e-6), 0, 1)
        if cover.mean() > LEAST_COVER:
            break
    developed = develop(rng, dark + (1 - cover) * rng.uniform(0, 0.6, 3).astype(np.float32))
    picture = np.concatenate([developed, cover], 2)
    x, y = pose.given.from_image(np.array([pose.own.cx, pose.own.cy]))
    angle = pose.given.offset_to(pose.own)[3]
    return (picture * 255 + 0.5).astype(np.uint8), Place(x, y, pose.own.side / pose.given.side, angle, yaw, pitch, kind)


def _sample_angles(rng: np.random.Generator, kind: int) -> tuple[float, float, float]:
    """Yaw, pitch, roll in radians: wider than a followed face's."""
    lean = float(np.clip(rng.normal(0, 0.12), -0.4, 0.4))
    if kind == BACK:
        return float(rng.uniform(1.95, 2 * np.pi - 1.95)), float(rng.normal(0, 0.25)), lean
    spread = rng.random()
    yaw = rng.normal(0, 0.3) if spread < 0.4 else rng.normal(0, 0.65) if spread < 0.7 else rng.uniform(-1.4, 1.4)
    return float(np.clip(yaw, -1.45, 1.45)), float(np.clip(rng.normal(0, 0.3), -0.85, 0.85)), lean


def _sample_pose(rng: np.random.Generator, rotation: FloatArray, size: int) -> Pose:
    distance = float(np.exp(rng.uniform(np.log(350), np.log(4000))))
    off = rng.uniform(-0.25, 0.25, 2) * distance
    translation = np.array([off[0], off[1], -distance]) - rotation @ np.array([0, 0, 60.0])
    camera = Camera(size * distance / 200.0, (size - 1) / 2, (size - 1) / 2)
    own = crop_of_pose(rotation, translation, camera)
    return Pose(rotation, translation, camera, own, own.moved(0, HEAD_SHIFT, np.log(HEAD_ZOOM), 0))


def make_shard(surface: Surface, seed: int, index: int, count: int) -> dict[str, FloatArray]:
    """Make ``count`` cut-outs: picture (N, S, S, 4) uint8 and place (N, 7) float32, as in ``Place``."""
    samples = [sample_cutout(np.random.default_rng([seed, index, i]), surface) for i in range(count)]
    return {
        "picture": np.stack([picture for picture, _ in samples]),
        "place": np.array([astuple(place) for _, place in samples], np.float32).reshape(-1, len(fields(Place))),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shards", type=int, default=24)
    parser.add_argument("--first", type=int, default=0, help="index of the first shard")
    parser.add_argument("--per-shard", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0, help="0 is training; evaluation uses 1")
    parser.add_argument("--realism", type=Path, help="photographs of skin and light (training.realism.skins made them)")
    args = parser.parse_args()
    try:
        photographs = read_realism(args.realism) if args.realism else None
        surface = build_surface(open_face_model(OPEN), realism=photographs)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    for index in tqdm(range(args.first, args.first + args.shards), desc="shards"):
        path = args.out / f"seed{args.seed}_cutouts{index:04d}.npz"
        if path.exists():
            continue
        with atomic_path(path) as partial:
            np.savez(partial, **make_shard(surface, args.seed, index, args.per_shard))
    return 0


if __name__ == "__main__":
    sys.exit(main())
