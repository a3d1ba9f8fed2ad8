"""Eq. (2) as a method beside the networks: from an image's landmarks to eta."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...model.camera import Camera
from ...model.errors import InputError
from ...model.face.face_model import FaceModel
from .contour import fit_with_contour
from .eq2 import Floats, landmark_basis, pose_from_landmarks
from .landmark_files import Finder, found_by, plugin, read_landmarks

SUFFIXES = (".pts", ".json", ".csv")


def landmark_source(name: str) -> Finder | str:
    """Return the plug-in of this name, or the suffix of landmark files as it is. Raises InputError."""
    if not name.startswith("."):
        return plugin(name)
    if name not in SUFFIXES:
        raise InputError(f"{name}: landmarks are read from {', '.join(SUFFIXES)} files, or found by a plug-in")
    return name


def landmarks_in(source: Finder | str, image: NDArray[np.uint8], path: Path, scale: float) -> Floats:
    """Return the landmarks (68, 2) of ``image``, the picture ``path`` at ``scale``. Raises InputError.

    Those of a file are marked in the picture at its own size, and are moved to where they are at ``scale``.
    """
    if callable(source):
        return found_by(source, image, path.name)
    points: Floats = (read_landmarks(path.with_suffix(source)) + 0.5) * scale - 0.5
    return points


def eta_of_landmarks(model: FaceModel, points: Floats, alpha: Floats, size: tuple[int, int]) -> Floats:
    """Return eta (Ke,) by Eq. (2) from one image's ``points`` (68, 2), the pose solved with it.

    ``alpha`` (Ks,) is fixed; ``size`` is the image's width and height.
    """
    cameras = [Camera.for_image(*size)]
    seen, person = points[None], np.asarray(alpha, np.float64)[None]
    rotation, translation = pose_from_landmarks(landmark_basis(model).at_rest(person), seen, cameras)
    eta: Floats = fit_with_contour(model, seen, person, rotation, translation, cameras, solve_pose=True).eta[0]
    return eta
