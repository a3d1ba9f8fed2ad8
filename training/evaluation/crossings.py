"""Several people in a clip, with known truth: ``python -m expnet.training.evaluation.crossings``.

Two to four rendered people cross before a background, leave the picture, come back, and change places at cuts. An
identity switch is a frame in which a visible person is followed as someone else than before. ``--footage`` adds a split
screen of two real clips, and the speed with two people against one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from ...model.array_types import BoolArray, FloatArray, UInt8Array
from ...model.builtin import OPEN
from ...model.face.semantics import OPEN_KEYS
from ...model.formats import open_face_model
from ...model.networks import engines
from ...model.networks.estimate import SeesFaces
from ...model.performance.face_performance import FacePerformance
from ...model.rotations import rotation_of_euler
from ...model.sight.people import Person, perform_everyone
from ...model.sight.tracking import perform
from ...model.sight.video import open_clip
from ..measurement import Measurement, show
from ..synthetic.background import sample_background
from ..synthetic.brows import sample_brows
from ..synthetic.pose import Pose
from ..synthetic.sample import render
from ..synthetic.shape import blend, landmarks_of, shape_head
from ..synthetic.surface import Surface, build_surface
from .film import FACE, FPS, SIZE, Coding, cast, posed, write_clip
from .film import Person as Actor

CLIPS, FRAMES = 20, 150
WIDTH, HEIGHT = 640, 360
SIDES = (75.0, 120.0)  # pixels of the faces' crops
POSES = 10  # pictures of one person, played forth and back
CODING = Coding("H.264, 0.2 bits a pixel", bits=0.2)
SEEN = 0.6  # the share of a face that counts as seen
NEAR = 0.35  # of a side: how near to the true face a followed one lies
SPEED_BAR = 0.6


@dataclass(frozen=True, eq=False)
class Staged:
    """A composed clip: ``pictures`` (H, W, 3) uint8, and the truth of each person in each frame.

    places   (F, N, 3) centre and side of the faces' crops
    visible  (F, N) bool
    """

    pictures: list[UInt8Array]
    places: FloatArray
    visible: BoolArray


@dataclass(frozen=True)
class Outcome:
    """What became of a clip's people: ``switches``, how many were made of how many, and the share of frames found."""

    switches: int
    made: int
    true: int
    found: float


def stage(surface: Surface, seed: int, count: int, frames: int = FRAMES) -> Staged:
    """Compose a clip of ``count`` people who cross."""
    rng = np.random.default_rng([seed, 77])
    cutouts = [_cutouts(surface, actor, rng) for actor in cast(surface, count, first=100 * seed)]
    background = cv2.resize(sample_background(rng, 512), (WIDTH, HEIGHT)) * 255
    places, cut_at = _ways(rng, count, frames)
    order = rng.permutation(count)  # the farthest first
    pictures, visible = [], np.zeros((frames, count), bool)
    for f in range(frames):
        if f == cut_at:
            background = cv2.resize(sample_background(rng, 512), (WIDTH, HEIGHT)) * 255
        picture = background.copy()
        masks = []
        for who in order:
            step = (f // 2) % (2 * POSES - 2)
            cutout = cutouts[who][min(step, 2 * POSES - 2 - step)]
            masks.append((who, _lay(picture, cutout, places[f, who])))
        for i, (who, _) in enumerate(masks):
            y, x = np.ogrid[:HEIGHT, :WIDTH]
            cx, cy, side = places[f, who]
            face = (x - cx) ** 2 + (y - cy) ** 2 < (0.3 * side) ** 2
            hidden = np.any([other for _, other in masks[i + 1 :]], axis=0) if masks[i + 1 :] else np.zeros_like(face)
            whole = np.pi * (0.3 * side) ** 2
            visible[f, who] = (face & ~hidden).sum() > SEEN * whole
        pictures.append(picture.clip(0, 255).astype(np.uint8))
    return Staged(pictures, places, visible)


def _cutouts(surface: Surface, actor: Actor, rng: np.random.Generator) -> list[FloatArray]:
    """Return POSES pictures of a person, (SIZE, SIZE, 4) float32, BGR 0..255 times alpha, and alpha."""
    eta = np.zeros((POSES, len(OPEN_KEYS)), np.float32)
    for key in ("jawOpen", "mouthSmile_L", "mouthSmile_R", "browInnerUp", "lid_L", "lid_R"):
        eta[:, OPEN_KEYS.index(key)] = rng.uniform(0, 0.8) * np.linspace(0, 1, POSES)
    gaze = np.zeros((POSES, 2), np.float32)
    turn = rng.normal(0, 0.25)
    heads = blend(surface, np.tile(actor.alpha, (POSES, 1)), eta, gaze, np.tile(actor.ways, (POSES, 1)))
    pictures = []
    for i, (own, move) in enumerate(zip(*heads, strict=True)):
        pose = posed(rotation_of_euler(turn * i / POSES, 0.0, 0.0) @ actor.pose.rotation)
        vertices = shape_head(np.random.default_rng([actor.seed, 1]), surface, own, move, eta[i], gaze[i])
        black, white = (_rendered(surface, actor.seed, vertices, eta[i], pose, level) for level in (0.0, 1.0))
        alpha = 1 - np.clip((white - black).mean(2, keepdims=True), 0, 1)
        air = float(alpha[:8, :8].mean())  # lenses and lamps dim the whole picture
        alpha = np.clip((alpha - air) / (1 - air), 0, 1)
        pictures.append(np.concatenate([255 * np.clip(black, 0, 1), alpha], 2).astype(np.float32))
    return pictures


def _rendered(
    surface: Surface,
    seed: int,
    vertices: FloatArray,
    eta: FloatArray,
    pose: Pose,
    level: float,
) -> FloatArray:
    rng = np.random.default_rng([seed, 2])
    brows = sample_brows(rng, surface, eta)
    marks = landmarks_of(surface, vertices, brows)
    distances = -(marks @ pose.rotation[2] + pose.translation[2])
    backdrop = np.full((SIZE, SIZE, 3), level, np.float32)
    picture, _ = render(
        rng, surface, vertices, eta, brows, pose, SIZE, pose.in_crop(marks), distances, backdrop=backdrop, natural=True
    )
    return picture


def _lay(picture: FloatArray, cutout: FloatArray, place: FloatArray) -> BoolArray:
    """Lay a cut-out over the picture, in place. Returns where it is opaque, (HEIGHT, WIDTH) bool."""
    cx, cy, side = place
    scale = side / FACE
    small = cv2.resize(cutout, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    middle = (len(small) - 1) / 2
    matrix = np.array([[1, 0, cx - middle], [0, 1, cy - middle]])
    placed = cv2.warpAffine(small, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    picture *= 1 - placed[..., 3:]
    picture += placed[..., :3]
    opaque: BoolArray = placed[..., 3] > 0.5
    return opaque


def _ways(rng: np.random.Generator, count: int, frames: int) -> tuple[FloatArray, int]:
    """Return the people's places (F, N, 3), and the frame of a cut, or -1.

    People walk to and fro across the picture, at their own speeds and heights. Some walk out and come back. After a cut
    all stand elsewhere.
    """
    cut_at = int(frames * rng.uniform(0.4, 0.6)) if rng.random() < 0.4 else -1
    places = np.empty((frames, count, 3))
    t = np.arange(frames) / FPS
    for who in range(count):
        side = rng.uniform(*SIDES)
        middle, reach = WIDTH / 2 + rng.normal(0, 40), rng.uniform(170, 260)
        if rng.random() < 0.3:
            reach = rng.uniform(360, 430)  # out of the picture
        pace = rng.uniform(0.22, 0.4)  # there and back a second
        start = who / count + rng.uniform(-0.1, 0.1)
        phase = 2 * np.pi * (pace * t + start)
        if cut_at >= 0:
            phase[cut_at:] += rng.uniform(1, 5)
        places[:, who, 0] = middle + reach * np.cos(phase)
        places[:, who, 1] = HEIGHT * rng.uniform(0.42, 0.58) + 12 * np.sin(3 * phase)
        places[:, who, 2] = side * (1 + 0.12 * np.sin(phase))
    return places, cut_at


def outcome(staged: Staged, people: Sequence[FacePerformance]) -> Outcome:
    """Compare the people found with the truth."""
    frames, count = staged.visible.shape
    last: list[int | None] = [None] * count
    switches, found = 0, 0
    for f in range(frames):
        shown = [i for i, person in enumerate(people) if person.seen[f]]
        crops = np.array([people[i].crop[f, :2] for i in shown]).reshape(-1, 2)
        ways = np.linalg.norm(staged.places[f, :, None, :2] - crops[None], axis=2)
        ways = np.minimum(ways / staged.places[f, :, 2:], 10 * NEAR)
        for who, column in zip(*linear_sum_assignment(ways)):  # a face that is half hidden may be followed, too
            if ways[who, column] < NEAR and staged.visible[f, who]:
                best = shown[column]
                found += 1
                switches += last[who] not in (None, best)
                last[who] = best
    return Outcome(switches, len(people), count, found / max(int(staged.visible.sum()), 1))


def watched(path: Path, estimator: SeesFaces) -> tuple[list[Person], float]:
    """Return the people of a clip, and the seconds that it took."""
    start = time.perf_counter()
    with open_clip(path) as clip:
        people = perform_everyone(clip, estimator)
    return people, time.perf_counter() - start


def split_screen(first: Path, second: Path, frames: int = 240) -> list[UInt8Array]:
    """Return the pictures of two clips side by side, as long as both last."""
    with open_clip(first) as a, open_clip(second) as b:
        pairs = [(x.image, y.image) for x, y, _ in zip(a, b, range(frames))]
    high = min(pairs[0][0].shape[0], pairs[0][1].shape[0])
    return [np.hstack([_of_height(x, high), _of_height(y, high)]) for x, y in pairs]


def _of_height(image: UInt8Array, high: int) -> UInt8Array:
    wide = round(image.shape[1] * high / image.shape[0] / 2) * 2
    resized: UInt8Array = cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA)
    return resized


def crossings(estimator: SeesFaces, seeds: range, folder: Path, keep: bool = False) -> Iterator[Measurement]:
    surface = build_surface(open_face_model(OPEN))
    switches, wrong, found = 0, 0, []
    for seed in seeds:
        staged = stage(surface, seed, 2 + seed % 3)
        path = folder / f"crossing_{seed:02d}.mp4"
        write_clip(path, staged.pictures, CODING, np.random.default_rng(seed))
        people, _ = watched(path, estimator)
        result = outcome(staged, [person.performance for person in people])
        print(f"  clip {seed}: {result}", file=sys.stderr, flush=True)
        switches += result.switches
        wrong += result.made != result.true
        found.append(result.found)
        if not keep:
            path.unlink()
    yield Measurement(f"identity switches in {len(seeds)} clips of two to four people", switches, "", at_most=0)
    yield Measurement("clips with more or fewer people than there are", wrong, "")
    yield Measurement("frames of visible faces found", float(np.mean(found)), "")


def real(estimator: SeesFaces, footage: Path, folder: Path) -> Iterator[Measurement]:
    pictures = split_screen(footage / "performance_360p.mp4", footage / "smile_360p.mp4")
    wide = pictures[0].shape[1]
    path = folder / "split.mp4"
    write_clip(path, pictures, Coding("", bits=0.3), np.random.default_rng(0))
    people, both = watched(path, estimator)
    halves = [{bool(x > wide / 2) for x in p.performance.crop[p.performance.seen, 0]} for p in people]
    yield Measurement("split screen: people found", len(people), "", at_least=2, at_most=2)
    yield Measurement("split screen: people who change sides", sum(len(half) > 1 for half in halves), "", at_most=0)
    start = time.perf_counter()
    with open_clip(path) as clip:
        perform(clip, estimator)
    alone = time.perf_counter() - start
    yield Measurement("speed with two people, of one", alone / both, "", at_least=SPEED_BAR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument(
        "--first",
        type=int,
        default=0,
        help="seed of the first clip (thresholds set on 0-19, 100-111, 200-217, 300-305)",
    )
    parser.add_argument("--footage", type=Path, help="folder with performance_360p.mp4 and smile_360p.mp4")
    parser.add_argument("--keep", type=Path, help="folder in which the composed clips stay")
    args = parser.parse_args()
    estimator = engines.start(OPEN, "cpu", "auto").estimator
    with tempfile.TemporaryDirectory() as folder:
        kept = args.keep or Path(folder)
        holds = show(crossings(estimator, range(args.first, args.first + args.clips), kept, args.keep is not None))
        if args.footage:
            holds &= show(real(estimator, args.footage, kept))
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
