"""Render the shipped clip and its ground truth: ``python -m expnet.benchmarks.demo_clip [--frames N]``.

The clip shows the open head with another identity, other colours and another light than the rig's, in a few moods,
rendered by Cycles. Writes model/data/demo_clip.mp4 (at most 1 MB) and, in the same folder, demo_clip_truth.npz with the
values that animate it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from ..expnet_addon import compat
from ..expnet_addon.scene import animation, rig
from ..expnet_addon.scene import camera_and_light as scenery
from ..model.builtin import OPEN
from ..model.camera import Camera, crop_of_pose
from ..model.face.semantics import OPEN_BASIS, OPEN_KEYS, open_bounds
from ..model.formats import open_face_model
from ..model.performance.face_performance import FacePerformance
from ..model.performance.performance_files import save_performance
from ..model.rotations import rotation_of_euler
from . import staging

DATA = Path(__file__).parent.parent / "model" / "data"
FPS, SIZE, LENS = 24.0, (384, 288), 50.0
SEED = 11

# Second, then the expression from there on (linear in between, smoothed afterwards).
SCRIPT: tuple[tuple[float, dict[str, float]], ...] = (
    (0.0, {}),
    (0.5, {}),
    (0.9, {"mouthSmile": 0.9, "cheekSquint": 0.6, "eyeSquint": 0.3, "mouthUpperUp": 0.2}),
    (1.4, {"mouthSmile": 0.9, "cheekSquint": 0.6, "eyeSquint": 0.3, "mouthUpperUp": 0.2}),
    (1.75, {}),
    (2.1, {"browInnerUp": 0.9, "browOuterUp": 0.9, "jawOpen": 0.7, "lid": -0.25}),
    (2.5, {"browInnerUp": 0.9, "browOuterUp": 0.9, "jawOpen": 0.7, "lid": -0.25}),
    (2.8, {}),
    (3.1, {"browDown": 0.9, "noseSneer": 0.5, "eyeSquint": 0.5, "mouthPress": 0.6}),
    (3.5, {"browDown": 0.9, "noseSneer": 0.5, "eyeSquint": 0.5, "mouthPress": 0.6}),
    (3.8, {}),
    (4.05, {"mouthPucker": 0.9}),
    (4.3, {"mouthPucker": 0.9}),
    (4.55, {"mouthFunnel": 0.7, "jawOpen": 0.3}),
    (4.85, {"browInnerUp": 0.8, "mouthFrown": 0.9, "mouthShrugLower": 0.4}),
    (5.3, {"browInnerUp": 0.8, "mouthFrown": 0.9, "mouthShrugLower": 0.4}),
    (5.6, {"mouthSmile_L": 0.8, "mouthDimple_L": 0.4, "browOuterUp_R": 0.6}),
    (6.0, {}),
)
BLINKS = (0.35, 1.65, 2.95, 4.45, 5.75)  # seconds; a blink shuts in 2 frames and opens in 4


def performance(frames: int) -> FacePerformance:
    """Return the true performance of the clip, the whole script spread over ``frames`` frames."""
    seconds = np.linspace(0, SCRIPT[-1][0], frames)
    eta = np.stack(
        [np.interp(seconds, [t for t, _ in SCRIPT], [_value(do, key) for _, do in SCRIPT]) for key in OPEN_KEYS], 1
    )
    kernel = np.hanning(7) / np.hanning(7).sum()
    eta = np.stack([np.convolve(np.pad(column, 3, mode="edge"), kernel, "valid") for column in eta.T], 1)
    for start in BLINKS:
        shut = np.interp(seconds, [start, start + 0.09, start + 0.12, start + 0.29], [0, 1, 1, 0], left=0, right=0)
        for side in (5, 6):
            eta[:, side] = eta[:, side] * (1 - shut) + shut
    low, high = open_bounds().T
    yaw, pitch = 0.42 * np.sin(seconds * 1.3), 0.12 * np.sin(seconds * 2.1 + 1)
    roll = 0.09 * np.sin(seconds * 0.9)
    rotation = rotation_of_euler(yaw, pitch, roll)
    translation = np.stack([14 * np.sin(seconds), 5 * np.sin(1.7 * seconds) - 4, -760 + 25 * np.cos(seconds)], 1)
    gaze = np.stack([-yaw + 0.25 * (np.sin(1.1 * seconds) > 0.75), -pitch], 1).clip(-0.5, 0.5)
    camera = Camera.for_image(*SIZE, LENS)
    crops = [crop_of_pose(r, t, camera) for r, t in zip(rotation, translation)]
    rng = np.random.default_rng(SEED)
    return FacePerformance(
        times=np.arange(frames) / FPS, eta=np.clip(eta, low, high), gaze=gaze,
        rotation=rotation, translation=translation,
        crop=np.array([[c.cx, c.cy, c.side, c.angle] for c in crops]), confidence=np.ones(frames),
        alpha=rng.normal(0, 1, 99), expression_keys=OPEN_KEYS, basis=OPEN_BASIS, source="demo_clip.mp4", fps=FPS,
        image_size=SIZE, lens_mm=LENS,
    )  # fmt: skip


def _value(do: dict[str, float], key: str) -> float:
    return do.get(key, do.get(key[:-2], 0.0) if key[-2:] in ("_L", "_R") else 0.0)


def set_the_scene(shown: FacePerformance) -> bpy.types.Scene:
    """Make a file with the keyed head, its camera, a warm lamp at the right, a cool window at the left, a wall."""
    bpy.ops.wm.read_homefile(use_empty=True)
    scene = bpy.context.scene
    model = open_face_model(OPEN)
    head = rig.create_rig(model)
    rig.apply_alpha(head, model, shown.alpha)
    animation.set_scene_fps(scene, shown.fps)
    scene.frame_start, scene.frame_end = 1, len(shown.times)
    animation.key_performance(head, shown, scene, start_frame=1)
    scenery.match_camera(scene, shown.image_size, shown.lens_mm)
    for energy, size, place, colour in (
        (14.0, 0.4, (0.55, -0.15, 0.45), (1.0, 0.82, 0.62)),  # the lamp
        (16.0, 1.2, (-1.1, 0.1, 0.3), (0.75, 0.86, 1.0)),  # the window
    ):
        staging.add_area(scene, head.location, Vector(place) - head.location, energy, size, colour)
    world = bpy.data.worlds.new("room")
    scene.world = world
    tree = compat.node_tree(world)
    background = next(n for n in tree.nodes if n.type == "BACKGROUND")
    background.inputs["Color"].default_value = (0.16, 0.19, 0.17, 1)
    background.inputs["Strength"].default_value = 0.7
    return scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=144)
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--still", type=int, help="render only this frame, to the given --out")
    parser.add_argument("--out", type=Path, default=DATA)
    args = parser.parse_args()
    shown = performance(args.frames)
    scene = set_the_scene(shown)
    scene.render.engine = "CYCLES"
    scene.cycles.samples = args.samples
    scene.cycles.use_denoising = True
    if args.still:
        scene.frame_set(args.still)
        compat.write_images(scene, "PNG")
        scene.render.filepath = str(args.out / "demo_still.png")
        bpy.ops.render.render(write_still=True)
        return
    compat.write_h264(scene, str(args.out / "demo_clip.mp4"))
    bpy.ops.render.render(animation=True)
    save_performance(shown, args.out / "demo_clip_truth.npz")


if __name__ == "__main__":
    main()
