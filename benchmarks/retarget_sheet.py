"""Footage, our face and a retargeted character side by side: the guide's picture of retargeting.

    python -m expnet.benchmarks.retarget_sheet PERFORMANCE.npz CLIP --out docs/guide/retarget.jpg

The character has ARKit's shape keys, a head bone and eye bones. It is the open head with other conventions and another
person's face, or, with ``--face-model FACEXMODEL``, ICT-FaceKit's head with its own shapes. Prints the distance between
the two faces.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import bpy
import cv2
import numpy as np

from ..expnet_addon import compat
from ..expnet_addon.characters.character import character_of
from ..expnet_addon.characters.keys import apply_keys
from ..expnet_addon.characters.motion import face_motion
from ..expnet_addon.characters.name_matching import matched_rows
from ..expnet_addon.scene import animation, rendering, rig
from ..expnet_addon.scene import camera_and_light as scene
from ..expnet_addon.scene.quality import Quality
from ..model.array_types import UInt8Array
from ..model.builtin import OPEN
from ..model.formats import open_face_model
from ..model.performance.channels import signals
from ..model.performance.face_performance import FacePerformance
from ..model.performance.performance_files import load_performance
from .stand_in import stand_in

SEED = 12
SIZE = 260  # pixels of a picture, square
TITLES = ("the footage", "the face that ExpNet animates", "a character that follows it")
GREY = (0.14, 0.14, 0.15)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("performance", type=Path)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--face-model", default=OPEN, help="the character: open, or the folder FaceXModel")
    parser.add_argument("--frames", type=int, nargs="+", help="of the clip (five of different expressions)")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    performance = load_performance(options.performance)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    here = bpy.context.scene
    animation.set_scene_fps(here, performance.fps)
    model = open_face_model(OPEN)
    face = rig.create_rig(model)
    rig.apply_alpha(face, model, performance.alpha[: len(model.identity)])
    animation.key_performance(face, performance, here)

    theirs = model if options.face_model == OPEN else open_face_model(options.face_model)
    alpha = np.random.default_rng(SEED).normal(0, 1, len(theirs.identity))
    mesh, armature = stand_in(theirs, alpha)
    character = character_of(mesh)
    names, rows = matched_rows(character)
    report = apply_keys(character, rows, face_motion(face))
    print(f"{report} keyed, names: {names}; not: {', '.join(report.left) or 'none'}")

    frames = options.frames or _telling(performance)
    camera = scene.match_camera(here, performance.image_size, performance.lens_mm)
    rendering.set_engine(here, Quality())
    compat.write_images(here, "PNG")
    here.view_settings.view_transform = "Standard"
    here.world = bpy.data.worlds.new("grey")
    here.world.color = GREY
    pictures = [_footage(options.clip, performance, frames)]
    pictures += [_render(here, camera, shown, frames, performance) for shown in (face, mesh)]
    sheet = np.vstack([_titled(np.hstack(row), title) for row, title in zip(pictures, TITLES)])
    cv2.imwrite(str(options.out), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f"{options.out}: frames {frames}, {options.out.stat().st_size / 1e3:.0f} kB")


def _titled(row: UInt8Array, title: str) -> UInt8Array:
    bar = np.full((26, row.shape[1], 3), 235, np.uint8)
    cv2.putText(bar, title, (8, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (30, 30, 30), 1, cv2.LINE_AA)
    return np.vstack([bar, row])


def _telling(performance: FacePerformance, count: int = 5) -> list[int]:
    """Return frames that differ most from each other, the stillest first."""
    seen = np.flatnonzero(performance.seen)
    values = signals(performance)[seen]
    chosen = [int(np.argmin(np.linalg.norm(values, axis=1)))]
    while len(chosen) < min(count, len(seen)):
        gaps = np.linalg.norm(values[:, None] - values[chosen][None], axis=2).min(1)
        chosen.append(int(np.argmax(gaps)))
    return sorted(int(seen[i]) for i in chosen)


def _footage(clip: Path, performance: FacePerformance, frames: list[int]) -> list[UInt8Array]:
    movie = cv2.VideoCapture(str(clip))
    pictures = []
    for frame in frames:
        movie.set(cv2.CAP_PROP_POS_FRAMES, round(performance.times[frame] * performance.fps))
        picture = movie.read()[1]
        pictures.append(_cut(picture, *performance.crop[frame, :3]))
    return pictures


def _render(
    here: bpy.types.Scene,
    camera: bpy.types.Object,
    shown: bpy.types.Object,
    frames: list[int],
    performance: FacePerformance,
) -> list[UInt8Array]:
    """Render our face where it was seen, and the character by a separate camera, because it does not translate."""
    for obj in here.objects:
        family = {obj, obj.parent}
        obj.hide_render = (
            obj.type == "MESH" and shown not in family and (shown.parent is None or shown.parent not in family)
        )
    if shown.parent is not None:
        camera.location, camera.data.lens = (0.0, -0.95, -0.01), 105
        here.render.resolution_x = here.render.resolution_y = SIZE * 2
    start = here.frame_start
    pictures = []
    with tempfile.TemporaryDirectory() as folder:
        for frame in frames:
            moment = start + (performance.times[frame] - performance.times[0]) * performance.fps
            picture = cv2.imread(str(rendering.render_frame(here, moment, Path(folder) / "f")))
            own = shown.parent is None
            pictures.append(_cut(picture, *performance.crop[frame, :3]) if own else cv2.resize(picture, (SIZE, SIZE)))
    here.frame_start = start
    return pictures


def _cut(picture: UInt8Array, x: float, y: float, side: float) -> UInt8Array:
    half = 0.62 * side
    matrix = np.array(
        [
            [SIZE / (2 * half), 0, SIZE / 2 - x * SIZE / (2 * half)],
            [0, SIZE / (2 * half), SIZE / 2 - y * SIZE / (2 * half)],
        ]
    )
    part: UInt8Array = cv2.warpAffine(
        picture, matrix, (SIZE, SIZE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    return part


if __name__ == "__main__":
    main()
