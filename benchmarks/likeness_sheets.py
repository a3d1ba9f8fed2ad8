"""Sheets of actors' faces: ``python -m expnet.benchmarks.likeness_sheets PHOTO… --out SHEET.jpg``.

Each row is the photo, the head in two lights, and the head turned by 40 degrees to either side. Sheets of people who
did not agree to it stay on the machine.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import bpy
import cv2
import numpy as np

from ..expnet_addon import compat
from ..expnet_addon.capture import likeness
from ..expnet_addon.engine import requests
from ..expnet_addon.engine.jobs import Job
from ..expnet_addon.scene import camera_and_light as staging
from ..expnet_addon.scene import rig
from ..model.array_types import UInt8Array
from ..model.builtin import OPEN
from ..model.formats import open_face_model
from ..model.rotations import rotation_of_euler
from ..model.worker.messages import EstimatorOptions

SIDE = 384
DISTANCE = 900.0  # mm
LENS = 85.0
TURN = np.radians(40)
LAMPS = {"soft": ((0.3, 0.6, 1.0), 1.6, 60.0), "side": ((-1.0, 0.5, 0.6), 3.2, 5.0)}  # towards it, strength, degrees


def render(head: bpy.types.Object, yaw: float, light: str, samples: int, folder: Path) -> UInt8Array:
    """Render the head turned by ``yaw`` in one of ``LAMPS``, (SIDE, SIDE, 3) uint8 BGR."""
    scene = bpy.context.scene
    for lamp in [obj for obj in scene.objects if obj.type == "LIGHT"]:
        bpy.data.objects.remove(lamp)
    towards, strength, angle = LAMPS[light]
    sun = bpy.data.lights.new("sun", "SUN")
    sun.energy, sun.angle = strength, np.radians(angle)
    lamp = bpy.data.objects.new("sun", sun)
    scene.collection.objects.link(lamp)
    x, y, z = towards
    from mathutils import Vector

    lamp.rotation_euler = Vector((x, -z, y)).to_track_quat("Z", "Y").to_euler()
    rotation = rotation_of_euler(yaw, 0.0, 0.0)
    rig.set_pose(head, rotation, np.array([0.0, 0.0, -DISTANCE]) - rotation @ np.array([0.0, 10.0, 30.0]))
    staging.match_camera(scene, (SIDE, SIDE), LENS)
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = samples, True
    compat.write_images(scene, "PNG")
    scene.render.filepath = str(folder / "view.png")
    bpy.ops.render.render(write_still=True)
    picture: UInt8Array = cv2.imread(scene.render.filepath)
    return picture


def row(photo: str, samples: int, folder: Path) -> UInt8Array:
    """Return the photo's face and the five pictures of the head side by side."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    model = open_face_model(OPEN)
    head = rig.create_rig(model)
    bpy.context.scene.world = staging.grey_world()
    with Job(requests.likeness([photo], EstimatorOptions())) as job:
        reply = job.wait()
        likeness.wear(head, job.out.read_bytes(), reply, None)
    views = [(0.0, "soft"), (0.0, "side"), (TURN, "soft"), (-TURN, "soft")]
    return np.hstack([_face_of(photo), *(render(head, yaw, light, samples, folder) for yaw, light in views)])


def _face_of(photo: str) -> UInt8Array:
    from ..model.camera import Crop
    from ..model.networks import engines
    from ..model.networks.cutting import cut
    from ..model.sight.tracking import look

    image = cv2.imread(photo)
    crop = look(image, engines.start(OPEN, "cpu", "auto").estimator).crop[0]
    return cut(image, Crop(crop.cx, crop.cy - 0.03 * crop.side, 1.7 * crop.side), SIDE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=12)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(photo, args.samples, Path(folder)) for photo in args.photos]
    cv2.imwrite(str(args.out), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
