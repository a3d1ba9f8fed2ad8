"""Cues of a key: ``python -m expnet.training.evaluation.cues PICTURE … --key noseSneer``.

Inpaints one part of the face after the other, moves the brows up, and prints the key's value each time. If a key
changes with an unrelated part, the network learned a correlation of the engine's data: vary that part more in the
engine. This test showed that the network read sneers from low brows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from ...model.array_types import FloatArray, UInt8Array
from ...model.errors import InputError
from ...model.face.semantics import OPEN_KEYS
from ...model.networks.cutting import cut
from ...model.networks.torch_engine.by_name import Network
from ...model.networks.torch_engine.estimator import Estimator
from ...model.networks.weights.open_pack import OPEN_WEIGHTS
from ...model.sight.finder import find_faces
from ...model.sight.images import read_image
from .measures import load_network, predict

# Of the 68 landmarks: outlines to paint out, each convex
PARTS: dict[str, tuple[Sequence[int], ...]] = {
    "brows": (range(17, 22), range(22, 27)),
    "eyes": (range(36, 42), range(42, 48)),
    "nose's bridge": (range(27, 31),),
    "nose's wings": (range(31, 36),),
    "beside the mouth": ((31, 48), (35, 54)),
    "mouth": (range(48, 60),),
    "chin": ((6, 8, 10, 57),),
}
MARGIN = 0.06  # of the distance between the outer corners of the eyes, round each part
RAISED = (0.06, 0.12)  # of that distance: how far the brows are moved up


def without(image: UInt8Array, landmarks: FloatArray, part: str) -> UInt8Array:
    """Inpaint a part of the picture (S, S, 3) uint8 from its surroundings; ``landmarks`` (68, 2) in pixels."""
    mask = np.zeros(image.shape[:2], np.uint8)
    for outline in PARTS[part]:
        points = np.round(landmarks[list(outline)]).astype(np.int32)
        cv2.fillConvexPoly(mask, cv2.convexHull(points), 255)
    size = 2 * max(1, round(MARGIN * _width(landmarks))) + 1
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    inpainted: UInt8Array = cv2.inpaint(image, mask, 5, cv2.INPAINT_TELEA)
    return inpainted


def with_brows_raised(image: UInt8Array, landmarks: FloatArray, share: float) -> UInt8Array:
    """Return the same with the brows moved up by a share of the eyes' distance, and skin stretched below them."""
    width, (x, y) = _width(landmarks), landmarks[17:27].mean(0)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    near = np.exp(-(((columns - x) / width) ** 8) - ((rows - y) / (0.2 * width)) ** 2)
    moved = (rows + share * width * near).astype(np.float32)
    warped: UInt8Array = cv2.remap(image, columns, moved, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return warped


def _width(landmarks: FloatArray) -> float:
    return float(np.linalg.norm(landmarks[45] - landmarks[36]))


def cues(network: Network, image: UInt8Array, key: str) -> dict[str, float]:
    """Return the value of ``key`` in a crop (S, S, 3), unchanged and with each change."""
    points = predict(network, torch.from_numpy(image[None]))["landmarks"].numpy()
    landmarks = points.reshape(-1, 2)[:68] * len(image)
    pictures = {
        "as it is": image,
        **{f"without {part}": without(image, landmarks, part) for part in PARTS},
        **{f"brows raised by {share:.0%}": with_brows_raised(image, landmarks, share) for share in RAISED},
    }
    eta = predict(network, torch.from_numpy(np.stack(list(pictures.values()))))["eta"].numpy()
    return dict(zip(pictures, eta[:, OPEN_KEYS.index(key)].tolist(), strict=True))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURE")
    parser.add_argument("--key", choices=OPEN_KEYS, required=True)
    parser.add_argument("--weights", type=Path, default=OPEN_WEIGHTS, help="default: those in the box")
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        estimator, network = Estimator.load(args.weights, "cpu"), load_network(args.weights)
        for path in args.pictures:
            image = read_image(path)
            found = find_faces(image, estimator)
            if not found:
                raise InputError(f"{path}: no face was found: choose another picture")
            crop = cut(image, found[0].crop, network.config.size)
            print(f"{path.name}: {args.key}")
            for way, value in cues(network, crop, args.key).items():
                print(f"    {value:6.2f}  {way}")
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
