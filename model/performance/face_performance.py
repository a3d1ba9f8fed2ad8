"""FacePerformance: the estimates for one face over a clip. numpy only, so that Blender can use it.

``performance_files.py`` reads and writes it, ``smoothing.py`` smooths it, ``neutral.py`` calibrates it to the actor's
neutral face, and ``treatment.py`` applies the artist's settings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..array_types import BoolArray, FloatArray
from ..rotations import quaternions, rotations


@dataclass(frozen=True, eq=False)
class FacePerformance:
    """One face over a clip of F frames.

    times        (F,) float64 seconds from the clip's first frame, strictly increasing: whole frames at ``fps``, with
                 gaps where images are missing
    eta          (F, Ke) expression coefficients, raw (not smoothed); NaN where no face was detected
    gaze         (F, 2) radians: yaw (+ to the subject's left), pitch (+ up), relative to the head; NaN likewise
    rotation     (F, 3, 3), translation (F, 3) mm: head pose in the frame of ``camera.py``; NaN likewise
    crop         (F, 4) centre x, centre y, side (pixels), angle (radians) of the face's crop; NaN likewise
    confidence   (F,) 0..1; 0 where no face was detected
    alpha        (Ks,) identity for the whole clip, the mean weighted by confidence
    expression_keys  Ke names;  basis  their basis (``semantics.OPEN_BASIS`` or a format's own)
    source       the clip's path as given;  fps  its frame rate (29.97 as 30000/1001)
    image_size   (width, height) pixels;  lens_mm  focal length on a 36 mm sensor that the pose assumes
    neutral      (Ke,) the actor's resting face that ``calibrated`` removed from ``eta``; None in a raw performance
    unread       number of images of the clip that could not be read;  damage  a line about them, else empty
    sound_start  seconds from the clip's first frame to its first sound, negative where the sound starts earlier
    cuts         seconds at which another shot begins, increasing
    fitted       whether eta, pose and alpha were fitted over the whole clip (model/fitting)
    mouth_hidden  (F,) the probability that something hides the mouth, NaN where no face was detected; None from an
                 estimator that does not tell it
    """

    times: FloatArray
    eta: FloatArray
    gaze: FloatArray
    rotation: FloatArray
    translation: FloatArray
    crop: FloatArray
    confidence: FloatArray
    alpha: FloatArray
    expression_keys: tuple[str, ...]
    basis: str
    source: str
    fps: float
    image_size: tuple[int, int]
    lens_mm: float = 50.0
    neutral: FloatArray | None = None
    unread: int = 0
    damage: str = ""
    sound_start: float = 0.0
    cuts: tuple[float, ...] = ()
    fitted: bool = False
    mouth_hidden: FloatArray | None = None

    @property
    def frames(self) -> FloatArray:
        """Return the clip's frames (F,) float64, from 0, at its rate; whole numbers where its rate is constant."""
        frames = self.times * self.fps
        whole = np.rint(frames)
        return np.where(np.abs(frames - whole) < 1e-3, whole, frames)

    @property
    def seen(self) -> BoolArray:
        """Return the frames in which a face was detected, (F,) bool."""
        return self.confidence > 0


def runs(mask: BoolArray) -> list[tuple[int, int]]:
    """Return the runs of True in ``mask`` (F,) as [first, last] frame indices, both included."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


def clamped(performance: FacePerformance, bounds: FloatArray) -> FacePerformance:
    """Return the performance with every coefficient clamped to ``bounds`` (Ke, 2)."""
    bounds = np.asarray(bounds, np.float64)
    return replace(performance, eta=np.clip(performance.eta, bounds[:, 0], bounds[:, 1]))


def resampled(performance: FacePerformance, times: FloatArray) -> FacePerformance:
    """Resample the performance at other ``times`` (seconds, increasing): linear, with rotations on SO(3).

    A time between a frame with a face and one without, or outside the clip, has no face.
    """
    p = performance
    times = np.asarray(times, np.float64)
    after = np.clip(np.searchsorted(p.times, times, side="right"), 1, max(1, len(p.times) - 1))
    before = after - 1
    after = np.minimum(after, len(p.times) - 1)
    span = np.where(after > before, p.times[after] - p.times[before], 1.0)
    share = (times - p.times[before]) / span
    slack = 1e-6
    inside = (share >= -slack) & (share <= 1 + slack)
    share = np.clip(share, 0, 1)
    seen = inside & (p.seen[before] | (share >= 1 - slack)) & (p.seen[after] | (share <= slack))
    share = np.where(p.seen[before], np.where(p.seen[after], share, 0.0), 1.0)

    def between(a: FloatArray, b: FloatArray) -> FloatArray:
        weight = share.reshape(-1, *[1] * (a.ndim - 1))
        mixed = np.where(weight <= 0, a, np.where(weight >= 1, b, (1 - weight) * a + weight * b))
        return np.where(seen.reshape(weight.shape), mixed, np.nan)

    def of(name: str) -> FloatArray:
        values = getattr(p, name)
        return between(values[before], values[after])

    qa, qb = quaternions(p.rotation[before]), quaternions(p.rotation[after])
    qb = qb * np.where((qa * qb).sum(-1, keepdims=True) < 0, -1.0, 1.0)
    return replace(
        p,
        times=times,
        eta=of("eta"),
        gaze=of("gaze"),
        rotation=rotations(between(qa, qb)),
        translation=of("translation"),
        crop=of("crop"),
        confidence=np.where(seen, np.nan_to_num(of("confidence")), 0.0),
        mouth_hidden=None if p.mouth_hidden is None else of("mouth_hidden"),
    )
