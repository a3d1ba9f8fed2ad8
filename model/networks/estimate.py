"""Conversion of network outputs to face estimates, the same for every network and engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np

from ..builtin import OPEN
from ..camera import Camera, Crop, pose_of_crop, roll, roll_matrix
from .person import PersonReader
from .responses import Responses

# The largest offset of a face's own crop from the given one; the training data have no larger one.
MAX_OFFSET = np.array([0.75, 0.75, 1.0])
IDENTITY_LIMIT = 3.0  # sigma

Box = Sequence[float]  # x, y, width, height in pixels


@dataclass(frozen=True, eq=False)
class FaceEstimate:
    """The estimate for the faces in B crops.

    eta          (B, Ke) expression;  alpha (B, Ks) identity, sigma
    gaze         (B, 2) radians: yaw (+ to the subject's left), pitch (+ up)
    rotation     (B, 3, 3), translation (B, 3) mm, in the frame of ``camera.py``
    crop         B crops as the faces themselves define them: the place to look in the next frame
    confidence   (B,) 0..1 that there is a face
    eta_deviation  (B, Ke) the standard deviation that the network expects of its eta (large where the face is hidden);
                 NaN from a network without this output
    basis, expression_keys  the meaning of eta
    texture      (B, Kt) sigma, from a network that estimates it
    outputs      (B, N) all outputs of the network, for an estimator's ``person``
    """

    eta: np.ndarray
    alpha: np.ndarray
    gaze: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    crop: list[Crop]
    confidence: np.ndarray
    eta_deviation: np.ndarray
    basis: str
    expression_keys: tuple[str, ...]
    texture: np.ndarray | None = None
    outputs: np.ndarray | None = None

    def only(self, i: int) -> FaceEstimate:
        """Return the estimate for the i-th crop, as a batch of one."""
        rows: dict[str, Any] = {n: v[i : i + 1] for n, v in vars(self).items() if isinstance(v, np.ndarray)}
        return replace(self, crop=self.crop[i : i + 1], **rows)


def together(estimates: Sequence[FaceEstimate]) -> FaceEstimate:
    """Join the batches of one estimator to one batch."""
    first = estimates[0]
    rows: dict[str, Any] = {
        name: np.concatenate([getattr(estimate, name) for estimate in estimates])
        for name, value in vars(first).items()
        if isinstance(value, np.ndarray)
    }
    return replace(first, crop=[crop for estimate in estimates for crop in estimate.crop], **rows)


class FindsFaces(Protocol):
    """The interface that face detection and tracking need: a look at one crop of each image.

    It is called some twenty times for each detected face, so it is fast.
    """

    def estimate(
        self, images: Sequence[np.ndarray], crops: Sequence[Crop], cameras: Sequence[Camera]
    ) -> FaceEstimate: ...


class SeesFaces(FindsFaces, Protocol):
    """The interface that tracking needs of every estimator.

    ``finding`` looks for the face and runs many times. ``read`` then reads the face that was found, once.
    ``estimate`` does both. ``at_once`` is the best number of faces in one ``read``. ``boxes`` are known places of the
    faces in their images, which an estimator may use exactly. ``person`` reads all looks at one person together,
    where the estimator has it.

    ``name`` is the pack of the estimator, ``license`` the license of its numbers, ``notes`` the list of what it
    lacks.
    """

    @property
    def name(self) -> str: ...

    @property
    def license(self) -> str: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    @property
    def basis(self) -> str: ...

    @property
    def expression_keys(self) -> tuple[str, ...]: ...

    @property
    def finding(self) -> FindsFaces: ...

    @property
    def at_once(self) -> int: ...

    @property
    def person(self) -> PersonReader | None: ...

    def read(
        self,
        images: Sequence[np.ndarray],
        cameras: Sequence[Camera],
        seen: FaceEstimate,
        boxes: Sequence[Box | None] | None = None,
    ) -> FaceEstimate: ...


class SeesAtAGlance:
    """A base for an estimator whose every look is complete: it finds faces itself, and ``read`` adds nothing."""

    name = OPEN
    license = ""
    notes: tuple[str, ...] = ()
    at_once = 1
    person: PersonReader | None = None

    @property
    def finding(self) -> Self:
        return self

    def read(
        self,
        images: Sequence[np.ndarray],
        cameras: Sequence[Camera],
        seen: FaceEstimate,
        boxes: Sequence[Box | None] | None = None,
    ) -> FaceEstimate:
        return seen


def estimate_of(
    outputs: Mapping[str, np.ndarray],
    crops: Sequence[Crop],
    cameras: Sequence[Camera],
    basis: str,
    expression_keys: tuple[str, ...],
    responses: Responses | None = None,
) -> FaceEstimate:
    """Convert a network's ``outputs`` for these crops to an estimate.

    The outputs are named as in ``architectures.output_widths``, each (B, width), with ``points`` where the network
    has some.
    """
    raw = {name: np.asarray(value, np.float64) for name, value in outputs.items()}
    offset = np.clip(raw["crop"], -MAX_OFFSET, MAX_OFFSET)
    seen = rotation_of_columns(raw["rotation"])
    own, rotation, translation = [], np.empty((len(crops), 3, 3)), np.empty((len(crops), 3))
    for i, (crop, camera, local) in enumerate(zip(crops, cameras, seen, strict=True)):
        lean = roll(local)
        dx, dy, log_scale = offset[i]
        own.append(crop.moved(dx, dy, log_scale, lean))
        rotation[i], translation[i] = pose_of_crop(roll_matrix(-lean) @ local, camera, own[i])
    eta, deviation = raw["eta"], np.exp(0.5 * np.clip(raw["eta_log_variance"], -20, 10))
    if responses is not None:
        eta, deviation = responses(eta), deviation * np.maximum(responses.slopes(eta), 1e-3)
    return FaceEstimate(
        eta=eta,
        alpha=np.clip(raw["alpha"], -IDENTITY_LIMIT, IDENTITY_LIMIT),
        gaze=raw["gaze"],
        rotation=rotation,
        translation=translation,
        crop=own,
        confidence=1.0 / (1.0 + np.exp(-np.clip(raw["face"][:, 0], -30, 30))),
        eta_deviation=deviation,
        basis=basis,
        expression_keys=expression_keys,
        outputs=np.concatenate(list(outputs.values()), 1),
    )


def rotation_of_columns(six: np.ndarray) -> np.ndarray:
    """Convert (B, 6) to (B, 3, 3): two columns made orthonormal (Zhou et al. 2019), the third by the cross product."""
    x, b = six[:, :3], six[:, 3:]
    x = x / np.sqrt((x * x).sum(1, keepdims=True))
    y = b - (x * b).sum(1, keepdims=True) * x
    y = y / np.sqrt((y * y).sum(1, keepdims=True))
    # np.cross, expanded: it takes longer than all other steps here
    z = x[:, [1, 2, 0]] * y[:, [2, 0, 1]] - x[:, [2, 0, 1]] * y[:, [1, 2, 0]]
    return np.stack([x, y, z], 2)
