"""How steady the network is on real pictures, where nobody knows the truth:
``python -m expnet.training.consistency PICTURE_OR_CLIP… [--estimator FILE]``.

A face and its mirror image must give mirrored coefficients; a crop moved a little, a picture made small and large
again, and a little more noise must give the same. Mean absolute change over the 29 keys (their range is about 1).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ..model.camera import Camera, Crop
from ..model.estimator import Estimator
from ..model.finder import find_faces
from ..model.semantics import mirror_open_eta
from ..model.video import open_clip, read_image

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
JITTER = (0.03, 0.03, 0.06, 0.05)  # sides, sides, log scale, radians
EVERY = 12  # frames of a clip


def pictures(path: Path) -> Iterator[np.ndarray]:
    """The picture, or every twelfth frame of the clip, (H, W, 3) BGR."""
    if path.suffix.lower() in PICTURES:
        yield read_image(str(path))
        return
    with open_clip(str(path)) as clip:
        for frame in clip:
            if frame.index % EVERY == 0:
                yield frame.image


def changes(image: np.ndarray, crop: Crop, estimator: Estimator, rng: np.random.Generator) -> dict[str, float]:
    """Mean absolute change of eta under each disturbance of a face of ``image``."""
    height, width = image.shape[:2]
    camera = Camera.for_image(width, height)

    def eta(picture: np.ndarray, at: Crop) -> np.ndarray:
        return estimator.estimate([picture], [at], [camera]).eta[0]

    rest = eta(image, crop)
    mirrored = eta(image[:, ::-1].copy(), Crop(width - 1 - crop.cx, crop.cy, crop.side, -crop.angle))
    shrink = 40 / crop.side
    small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    noisy = np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
    moved = [eta(image, crop.moved(*rng.uniform(-1, 1, 4) * JITTER)) for _ in range(4)]
    return {
        "mirror": float(np.abs(mirror_open_eta(mirrored) - rest).mean()),
        "crop": float(np.mean([np.abs(m - rest).mean() for m in moved])),
        "40 px": float(np.abs(eta(cv2.resize(small, (width, height)), crop) - rest).mean()),
        "noise": float(np.abs(eta(noisy, crop) - rest).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--estimator", default="open")
    args = parser.parse_args()
    estimator, rng = Estimator.load(args.estimator, "cpu"), np.random.default_rng(0)
    names = ("mirror", "crop", "40 px", "noise")
    print(f"{'':28} faces " + " ".join(f"{n:>7}" for n in names))
    for path in args.pictures:
        rows = []
        for image in pictures(path):
            faces = find_faces(image, estimator)
            if faces:
                rows.append(changes(image, faces[0].crop, estimator, rng))
        means = [f"{np.mean([r[n] for r in rows]):7.3f}" if rows else "      -" for n in names]
        print(f"{path.name:28} {len(rows):5} " + " ".join(means))


if __name__ == "__main__":
    main()
