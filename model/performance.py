"""A face over time: what was seen in a clip, saved without pickles. numpy only, so that Blender can use it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class FacePerformance:
    """One face through a clip of F frames.

    times        (F,) float64 seconds from the clip's first frame, strictly increasing
    eta          (F, Ke) expression coefficients, raw (not smoothed); NaN where no face was seen
    gaze         (F, 2) radians: yaw (+ to the subject's left), pitch (+ up), relative to the head; NaN likewise
    rotation     (F, 3, 3), translation (F, 3) mm: head pose in the frame of ``camera.py``; NaN likewise
    crop         (F, 4) centre x, centre y, side (pixels), angle (radians) of the face's crop; NaN likewise
    confidence   (F,) 0..1; 0 where no face was seen
    alpha        (Ks,) identity for the whole clip, pooled with the confidences
    expression_keys  Ke names;  basis  their basis (``semantics.OPEN_BASIS`` or a format's own)
    source       the clip's path as given;  fps  its true frame rate
    image_size   (width, height) pixels;  lens_mm  focal length on a 36 mm sensor that the pose assumes
    """

    times: np.ndarray
    eta: np.ndarray
    gaze: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    crop: np.ndarray
    confidence: np.ndarray
    alpha: np.ndarray
    expression_keys: tuple[str, ...]
    basis: str
    source: str
    fps: float
    image_size: tuple[int, int]
    lens_mm: float = 50.0

    @property
    def seen(self) -> np.ndarray:
        """(F,) bool: frames in which a face was found."""
        return self.confidence > 0
