"""What a method says about each clip: coefficients, or the pixels of the face."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from ...model.errors import InputError
from ...model.networks.cutting import cut
from ...model.networks.estimate import FaceEstimate, SeesFaces
from ...model.sight.images import read_image
from ...model.sight.tracking import looked_for
from ...model.worker.chosen_estimator import EstimatorCache
from ...model.worker.protocol import EstimatorOptions
from .clips import LabelledClip

PIXELS = 32  # a face's width for the method that compares pixels


@dataclass(frozen=True, eq=False)
class Features:
    """Of N clips: eta (N, Ke), pixels (N, PIXELS²) of unit norm; rows of NaN where no face is found.

    ``ms``: median time of a picture, with the search for the face.
    """

    eta: np.ndarray
    pixels: np.ndarray
    keys: tuple[str, ...]
    ms: float

    @property
    def found(self) -> np.ndarray:
        """Return the clips with a face, (N,) bool."""
        return ~np.isnan(self.eta).any(1)


def load_estimator(source: str, device: str) -> Any:
    """Load weights as the other verbs do. Raises InputError."""
    return EstimatorCache().get(EstimatorOptions(estimator=source, device=device))


def features_of(clips: Sequence[LabelledClip], estimator: SeesFaces, scale: float, frames: str) -> Features:
    """Read each clip's peak, or the ``mean`` over its frames, in pictures shrunk to ``scale``.

    Raises InputError for a picture that cannot be read; a picture without a face is no error.
    """
    eta = np.full((len(clips), len(estimator.expression_keys)), np.nan)
    pixels, taken = np.full((len(clips), PIXELS**2), np.nan), []
    for i, clip in enumerate(tqdm(clips, desc=f"scale {scale:g}", leave=False)):
        rows, faces = [], []
        for path in clip.frames if frames == "mean" else clip.frames[-1:]:
            image = read_image(path)
            small = shrunk(image, scale)
            started = time.perf_counter()
            seen = _seen(small, estimator)
            taken.append(1e3 * (time.perf_counter() - started))
            if seen is not None:
                rows.append(seen.eta[0])
                faces.append(_face(small, seen))
        if rows:
            eta[i], pixels[i] = np.mean(rows, 0), np.mean(faces, 0)
    return Features(eta, pixels, tuple(estimator.expression_keys), float(np.median(taken)))


def shrunk(image: np.ndarray, scale: float) -> np.ndarray:
    """Return ``image`` (H, W, 3) at ``scale``, at least one pixel a side."""
    if scale == 1:
        return image
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _seen(image: np.ndarray, estimator: SeesFaces) -> FaceEstimate | None:
    try:
        seen, camera = looked_for(image, estimator.finding, None, None, 50.0)
    except InputError:  # no face; the picture itself was read
        return None
    return estimator.read([image], [camera], seen, [None])


def _face(image: np.ndarray, seen: FaceEstimate) -> np.ndarray:
    grey = cv2.cvtColor(cut(image, seen.crop[0], PIXELS), cv2.COLOR_BGR2GRAY).astype(np.float64).ravel()
    grey -= grey.mean()
    return grey / max(np.linalg.norm(grey), 1e-9)
