"""What a method says about each clip: coefficients, or the pixels of the face."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.formats import open_face_model
from ...model.networks.cutting import cut
from ...model.networks.estimate import FaceEstimate, Located, SeesFaces
from ...model.networks.torch_engine.estimator import Estimator
from ...model.networks.two_looks import FirstLook
from ...model.sight.images import read_image
from ...model.sight.tracking import looked_for
from ...model.worker.chosen_estimator import EstimatorCache
from ...model.worker.messages import EstimatorOptions
from ..label.landmark_files import Finder
from ..label.landmark_method import eta_of_landmarks, landmarks_in
from ..pictures import Image, shrunk
from .clips import LabelledClip

Floats = NDArray[np.float64]

PIXELS = 32  # a face's width for the method that compares pixels


@dataclass(frozen=True, eq=False)
class Features:
    """Of N clips: eta (N, Ke), pixels (N, PIXELS²) of unit norm; rows of NaN where no face is found.

    ``deviation`` (N, Ke): what the network expects of its eta. ``seen`` (N, F): the features that an emotion head
    reads, from a network that has some.
    ``fitted``: the open basis' eta (N, 29) by Eq. (2) from landmarks, where they were asked for.
    ``ms``: median time of a picture, with the search for the face.
    """

    eta: Floats
    pixels: Floats
    fitted: Floats | None
    keys: tuple[str, ...]
    ms: float
    deviation: Floats
    seen: Floats | None = None

    @property
    def found(self) -> NDArray[np.bool_]:
        """Return the clips with a face, (N,) bool."""
        found: NDArray[np.bool_] = ~np.isnan(self.eta).any(1)
        return found


def load_estimator(source: str, device: str) -> Any:
    """Load weights as the other verbs do. Raises InputError."""
    return EstimatorCache().get(EstimatorOptions(estimator=source, device=device))


def features_of(
    clips: Sequence[LabelledClip],
    estimator: SeesFaces,
    scale: float,
    frames: str,
    landmarks: Finder | str | None = None,
) -> Features:
    """Read each clip's peak, or the ``mean`` over its frames, in pictures shrunk to ``scale``.

    ``landmarks``: see ``landmark_method.landmark_source``; alpha of Eq. (2) is the estimator's. Raises InputError for a
    picture or landmarks that cannot be read; a picture without a face is no error.
    """
    eta = np.full((len(clips), len(estimator.expression_keys)), np.nan)
    deviation = np.full(eta.shape, np.nan)
    pixels, taken = np.full((len(clips), PIXELS**2), np.nan), []
    features: list[Floats | None] = [None] * len(clips)
    head = open_face_model(OPEN)
    fitted = None if landmarks is None else np.full((len(clips), len(head.expression)), np.nan)
    for i, clip in enumerate(tqdm(clips, desc=f"scale {scale:g}", leave=False)):
        rows, faces, fits, looks, deviations = [], [], [], [], []
        for path in clip.frames if frames == "mean" else clip.frames[-1:]:
            image = read_image(path)
            small = shrunk(image, scale)
            started = time.perf_counter()
            seen = _seen(small, estimator)
            taken.append(1e3 * (time.perf_counter() - started))
            if seen is not None:
                found, located = seen
                look = _head_features(estimator, located)
                rows.append(found.eta[0])
                deviations.append(found.eta_deviation[0])
                faces.append(_face(small, found))
                if look is not None:
                    looks.append(look[0])
                if landmarks is not None:
                    points = landmarks_in(landmarks, small, Path(path), scale)
                    alpha = np.asarray(found.alpha[0], np.float64)
                    fits.append(eta_of_landmarks(head, points, alpha, (small.shape[1], small.shape[0])))
        if rows:
            eta[i], deviation[i], pixels[i] = np.mean(rows, 0), np.mean(deviations, 0), np.mean(faces, 0)
            features[i] = np.mean(looks, 0) if looks else None
            if fitted is not None:
                fitted[i] = np.mean(fits, 0)
    keys = tuple(estimator.expression_keys)
    return Features(eta, pixels, fitted, keys, float(np.median(taken)), deviation, _filled(features))


def _filled(features: list[Floats | None]) -> Floats | None:
    """Return (N, F) with rows of NaN where there are none; None where there are none at all."""
    width = next((len(row) for row in features if row is not None), None)
    if width is None:
        return None
    return np.array([np.full(width, np.nan) if row is None else row for row in features])


def _seen(image: Image, estimator: SeesFaces) -> tuple[FaceEstimate, Located] | None:
    """Return the face in the picture and what found it; None without a face."""
    try:
        seen, camera = looked_for(image, estimator.finding, None, None, 50.0)
    except InputError:  # no face; the picture itself was read
        return None
    return estimator.read([image], [camera], seen, [None]), seen


def _head_features(estimator: SeesFaces, seen: Located) -> Floats | None:
    """Return the features (1, F) that an emotion head reads; None from a network that has none."""
    if not (isinstance(estimator, Estimator) and isinstance(seen, FirstLook)):
        return None
    features = estimator.head_features(seen)
    return None if features is None else features.astype(np.float64)


def _face(image: Image, seen: FaceEstimate) -> Floats:
    grey: Floats = cv2.cvtColor(cut(image, seen.crop[0], PIXELS), cv2.COLOR_BGR2GRAY).astype(np.float64).ravel()
    grey -= grey.mean()
    unit: Floats = grey / max(float(np.linalg.norm(grey)), 1e-9)
    return unit
