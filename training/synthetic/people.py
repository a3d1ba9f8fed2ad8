"""Many pictures of each of many people, with constant personal properties.

A person is an alpha, ways (``shape.sample_ways``), proportions and wrinkles, brows, a look, a light and surroundings.
The expression, the gaze, the pose, the crop and the degradation are sampled for every picture.

    python -m expnet.training.synthetic.people OUT --shards 15      100 people with 12 pictures each in a shard
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ...model.array_types import FloatArray
from ...model.builtin import OPEN
from ...model.files import atomic_path
from ...model.formats import open_face_model
from .brows import sample_brows
from .degrade import degrade, develop
from .expressions import sample_eta, sample_gaze
from .pose import sample_angles, sample_pose
from .sample import render
from .shape import blend, landmarks_of, sample_alpha, sample_ways, shape_head
from .surface import Surface, build_surface

NATURAL_SHARE = 0.8  # of the people: plain light, nothing before the face
TURNED_SHARE = 0.3  # of the pictures: turned as far as a face may be, the others by less than 30 degrees
# How the expressions of one person belong together: all drawn alone; a mood, which means keys that stay as they are in
# most of the pictures, so that what they have in common is no resting face; or mostly quiet.
MOODS = {"free": 0.4, "mood": 0.35, "quiet": 0.25}


def pictures_of(surface: Surface, seed: int, person: int, count: int, size: int) -> dict[str, FloatArray]:
    """Render ``count`` pictures of one person: image (N, size, size, 3) uint8, eta (N, 29), alpha (99,)."""
    own = np.random.default_rng([seed, person])
    alpha = sample_alpha(own, surface)
    ways, natural = sample_ways(own), bool(own.random() < NATURAL_SHARE)
    eta = expressions(own, count)
    draws = [np.random.default_rng([seed, person, 2, i]) for i in range(count)]
    poses, gazes = [], []
    for rng in draws:
        yaw, pitch, roll = sample_angles(rng, True, natural=bool(rng.random() > TURNED_SHARE))
        gazes.append(sample_gaze(rng, yaw, pitch))
        poses.append(sample_pose(rng, yaw, pitch, roll, size, is_face=True))
    heads, moves = blend(surface, np.tile(alpha, (count, 1)), eta, np.array(gazes), np.tile(ways, (count, 1)))
    images = []
    for i, (rng, pose, gaze) in enumerate(zip(draws, poses, gazes, strict=True)):
        shape, look = (np.random.default_rng([seed, person, part]) for part in (1, 3))  # same draws again
        vertices = shape_head(shape, surface, heads[i], moves[i], eta[i], gaze)
        brows = sample_brows(look, surface, eta[i])
        marks = landmarks_of(surface, vertices, brows)
        distances = -(marks @ pose.rotation[2] + pose.translation[2])
        where = pose.in_crop(marks)
        image, _ = render(look, surface, vertices, eta[i], brows, pose, size, where, distances, natural=natural)
        images.append(degrade(rng, develop(rng, image, natural), natural).image)
    return {"image": np.stack(images), "eta": eta, "alpha": alpha}


def expressions(rng: np.random.Generator, count: int) -> FloatArray:
    """Sample one person's expressions in ``count`` pictures, (N, 29)."""
    eta = np.stack([sample_eta(rng) for _ in range(count)])
    kind = rng.choice(list(MOODS), p=list(MOODS.values()))
    if kind == "mood":
        mood, held = sample_eta(rng), rng.random(eta.shape[1]) < 0.6
        kept = held & (rng.random((count, 1)) < 0.85)
        eta = np.where(kept, mood * rng.uniform(0.8, 1.0, (count, 1)), eta)
    elif kind == "quiet":
        eta *= np.where(rng.random((count, 1)) < 0.7, rng.uniform(0, 0.25, (count, 1)), 1.0)
    return eta.astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shards", type=int, default=15)
    parser.add_argument("--first", type=int, default=0, help="index of the first shard")
    parser.add_argument("--people", type=int, default=100, help="of a shard")
    parser.add_argument("--pictures", type=int, default=12, help="of a person")
    parser.add_argument("--size", type=int, default=128, help="pixels, even")
    parser.add_argument("--seed", type=int, default=3, help="0 is training, 1 and 2 are evaluation")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    surface = build_surface(open_face_model(OPEN))
    args.out.mkdir(parents=True, exist_ok=True)
    for index in tqdm(range(args.first, args.first + args.shards), desc="shards"):
        path = args.out / f"people{args.seed}_shard{index:05d}.npz"
        if path.exists():
            continue
        people = range(index * args.people, (index + 1) * args.people)
        rows = [pictures_of(surface, args.seed, person, args.pictures, args.size) for person in people]
        with atomic_path(path) as partial:
            np.savez(partial, **{name: np.stack([row[name] for row in rows]) for name in rows[0]})


if __name__ == "__main__":
    main()
