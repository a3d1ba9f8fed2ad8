"""The methods of a sheet, and what each reads in a photograph at several scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.builtin import OPEN
from ...model.camera import Crop
from ...model.errors import InputError
from ...model.face.face_model import FaceModel
from ...model.formats import open_face_model
from ...model.networks.estimate import SeesFaces
from ...model.sight.tracking import looked_for
from ...model.worker.chosen_estimator import EstimatorCache
from ...model.worker.messages import EstimatorOptions
from ..label.landmark_files import Finder
from ..label.landmark_method import eta_of_landmarks, landmark_source, landmarks_in
from ..pictures import Image

LANDMARKS = "landmarks, Eq. (2)"


@dataclass(frozen=True, eq=False)
class Method:
    """A method: its estimator, or for Eq. (2) where its landmarks are from and the estimator that gives alpha."""

    name: str
    model: FaceModel
    estimator: SeesFaces
    landmarks: Finder | str | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """What a method reads: eta (Ke,), alpha (Ks,), rotation (3, 3), and the face's crop in the picture."""

    eta: NDArray[np.float64]
    alpha: NDArray[np.float64]
    rotation: NDArray[np.float64]
    crop: Crop


def methods(estimators: Sequence[str], face_model: str, landmarks: str | None, device: str) -> list[Method]:
    """Load the methods. ``face_model`` is the head of estimators with another basis than the open one's.

    Raises InputError, for a face model of another basis than the estimator, too.
    """
    found: list[Method] = []
    head = open_face_model(OPEN)
    for source in estimators:
        options = EstimatorOptions(estimator=source, device=device, face_model=face_model)
        estimator: Any = EstimatorCache().get(options)
        model = head if estimator.basis == head.basis else open_face_model(face_model)
        if model.basis != estimator.basis:
            raise InputError(
                f"{source}: reads the basis {estimator.basis}, and {face_model} has {model.basis}: give the face model "
                "that belongs to it with --face-model"
            )
        found.append(Method(OPEN if source == OPEN else Path(source).stem, model, estimator))
    if landmarks is not None:
        with_alpha = next((m for m in found if m.model is head), None)
        estimator = with_alpha.estimator if with_alpha else EstimatorCache().get(EstimatorOptions(device=device))
        found.append(Method(LANDMARKS, head, estimator, landmark_source(landmarks)))
    return found


def read(method: Method, image: Image, path: Path, scale: float, alpha: NDArray[np.float64] | None) -> Reading | None:
    """Read ``image``, the photograph ``path`` at ``scale``; None where the method finds no face.

    ``alpha`` is known from a larger scale, or None. Raises InputError for a landmark file that is wrong or missing.
    """
    try:
        seen, camera = looked_for(image, method.estimator.finding)
    except InputError:  # no face
        return None
    estimate = method.estimator.read([image], [camera], seen, [None])
    own = np.asarray(estimate.alpha[0], np.float64) if alpha is None else alpha
    own = own[: len(method.model.identity)]
    eta = np.asarray(estimate.eta[0], np.float64)
    if method.landmarks is not None:
        points = landmarks_in(method.landmarks, image, path, scale)
        eta = eta_of_landmarks(method.model, points, own, (image.shape[1], image.shape[0]))
    return Reading(eta, own, np.asarray(estimate.rotation[0], np.float64), estimate.crop[0])
