"""FinderNet over a picture and its halves: faces of every size, wherever and however they lie."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.model.camera import Crop
from expnet.model.errors import InputError
from expnet.model.networks.weights.open_pack import OPEN_FINDER
from expnet.model.networks.weights.weights_file import load_weights, save_weights
from expnet.model.performance.performance_files import load_performance
from expnet.model.sight.candidates import Candidate, candidates
from expnet.model.sight.video import open_clip

DEMO_CLIP = OPEN_FINDER.with_name("demo_clip.mp4")


@pytest.fixture(scope="module")
def frame() -> tuple[np.ndarray, Crop]:
    """Return a rendered head, and where its face is."""
    with open_clip(DEMO_CLIP) as clip:
        image = next(iter(clip)).image
    return image, Crop(*load_performance(DEMO_CLIP.with_name("demo_clip_truth.npz")).crop[0])


def laid(image: np.ndarray, crop: Crop, own: Crop, size: tuple[int, int] = (640, 360)) -> np.ndarray:
    """Return the picture moved so that its face, at ``crop``, lies at ``own`` in a picture of ``size``."""
    shrink = own.side / crop.side
    if shrink < 1:
        small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        crop = Crop((crop.cx + 0.5) * shrink - 0.5, (crop.cy + 0.5) * shrink - 0.5, own.side, crop.angle)
        image = small
    matrix = own.matrix(64) @ np.vstack([cv2.invertAffineTransform(crop.matrix(64)), [0, 0, 1]])
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)


def near(found: list[Candidate], own: Crop) -> list[Candidate]:
    return [c for c in found if np.abs(own.offset_to(c.crop)).max() < 0.3]


@pytest.mark.parametrize("side", [28, 45, 90, 180, 350])
def test_a_face_of_any_size(frame: tuple[np.ndarray, Crop], side: float) -> None:
    own = Crop(300, 200, side)
    assert near(candidates(laid(*frame, own), 640, 0.3), own)


@pytest.mark.parametrize("degrees", [-40, -20, 20, 40])
def test_a_leaning_face_and_how_it_leans(frame: tuple[np.ndarray, Crop], degrees: float) -> None:
    own = Crop(250, 150, 120, np.radians(degrees))
    found = near(candidates(laid(*frame, own), 320, 0.3), own)
    assert found and found[0].crop.angle == pytest.approx(own.angle, abs=0.25)


def test_the_surest_comes_first_and_none_is_less_sure_than_asked(frame: tuple[np.ndarray, Crop]) -> None:
    found = [c.confidence for c in candidates(frame[0], 320, 0.1)]
    assert found == sorted(found, reverse=True) and min(found) >= 0.1


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (480, 640)])
def test_nothing_in_nothing(size: tuple[int, int]) -> None:
    assert candidates(np.full((*size, 3), 90, np.uint8), 640, 0.3) == []


def test_the_weights_are_small_free_and_made_from_renders_alone() -> None:
    header, tensors = load_weights(OPEN_FINDER)
    assert OPEN_FINDER.stat().st_size < 2**20
    assert sum(t.size for t in tensors.values()) <= 400_000
    assert header.license == "CC0-1.0" and "synthetic" in header.training_data


def test_weights_of_something_else_are_refused(untrained_weights: Path, tmp_path: Path) -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(InputError, match="architecture .compact. is unknown"):
        candidates(image, 320, 0.3, untrained_weights)
    with pytest.raises(InputError, match="no such file"):
        candidates(image, 320, 0.3, tmp_path / "none.safetensors")
    header, tensors = load_weights(OPEN_FINDER)
    for broken in ({"config": {"channels": [4]}}, {"crop": {"anchor": [0, 0, 0], "side_mm": 1}}):
        save_weights(tmp_path / "broken.safetensors", dataclasses.replace(header, **broken), tensors)
        with pytest.raises(InputError, match="config|crop"):
            candidates(image, 320, 0.3, tmp_path / "broken.safetensors")
