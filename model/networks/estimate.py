"""Conversion of network outputs to face estimates, the same for every network and engine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from ..array_types import FloatArray, UInt8Array
from ..builtin import OPEN
from ..camera import Camera, Crop, pose_of_crop, roll_matrix
from ..rotations import rotation_of_columns
from .expression import expression_of
from .person import PersonReader
from .responses import Responses

# The largest offset of a face's own crop from the given one; the training data have no larger one.
MAX_OFFSET = (0.75, 0.75, 1.0)
IDENTITY_LIMIT = 3.0  # sigma

Box = Sequence[float]  # x, y, width, height in pixels


@dataclass(frozen=True, eq=False, kw_only=True)
class Located:
    """The places of the faces in B crops.

    crop         B crops as the faces themselves define them: the place to look in the next frame
    confidence   (B,) 0..1 that there is a face
    """

    crop: list[Crop]
    confidence: FloatArray

    def only(self, i: int) -> Self:
        """Return the face in the i-th crop, as a batch of one."""
        rows: dict[str, Any] = {n: v[i : i + 1] for n, v in vars(self).items() if isinstance(v, np.ndarray | list)}
        return replace(self, **rows)


L = TypeVar("L", bound=Located)


@dataclass(frozen=True, eq=False, kw_only=True)
class FaceEstimate(Located):
    """The estimate for the faces in B crops.

    eta          (B, Ke) expression;  alpha (B, Ks) identity, sigma
    gaze         (B, 2) radians: yaw (+ to the subject's left), pitch (+ up)
    rotation     (B, 3, 3), translation (B, 3) mm, in the frame of ``camera.py``
    eta_deviation  (B, Ke) the standard deviation that the network expects of its eta (large where the face is hidden);
                 NaN from a network without this output
    basis, expression_keys  the meaning of eta
    texture      (B, Kt) sigma, from a network that estimates it
    outputs      (B, N) all outputs of the network, for an estimator's ``person``
    mouth_hidden  (B,) the probability that something hides the mouth, from an estimator that tells it
    """

    eta: FloatArray
    alpha: FloatArray
    gaze: FloatArray
    rotation: FloatArray
    translation: FloatArray
    eta_deviation: FloatArray
    basis: str
    expression_keys: tuple[str, ...]
    texture: FloatArray | None = None
    outputs: FloatArray | None = None
    mouth_hidden: FloatArray | None = None


def together(looks: Sequence[L]) -> L:
    """Join the batches of one estimator to one batch."""
    rows: dict[str, Any] = {}
    for name, value in vars(looks[0]).items():
        parts = [getattr(look, name) for look in looks]
        if isinstance(value, np.ndarray):
            rows[name] = np.concatenate(parts)
        elif isinstance(value, list):
            rows[name] = [row for part in parts for row in part]
    return replace(looks[0], **rows)


class FindsFaces(Protocol):
    """The interface that face detection and tracking need: a look at one crop of each image.

    It is called some twenty times for each detected face, so it is fast.
    """

    def estimate(self, images: Sequence[UInt8Array], crops: Sequence[Crop], cameras: Sequence[Camera]) -> Located: ...


class SeesFaces(Protocol):
    """The interface that tracking needs of every estimator.

    ``finding`` looks for the face and runs many times. ``read`` then reads the face that was found, once; it may run
    in another thread than ``finding``. ``estimate`` does both. ``at_once`` is the best number of images in one
    ``read``, ``frames_at_once`` that of a clip's frames. ``looks_ahead`` is the best number of frames in one look of
    ``finding``; 1 where a batch gains nothing. ``rereads`` says whether ``read`` needs the images again.
    ``boxes`` are known places of the faces in their images, which an estimator may use exactly. ``person`` reads all
    looks at one person together, where the estimator has it.

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
    def frames_at_once(self) -> int: ...

    @property
    def looks_ahead(self) -> int: ...

    @property
    def rereads(self) -> bool: ...

    @property
    def person(self) -> PersonReader | None: ...

    def estimate(
        self, images: Sequence[UInt8Array], crops: Sequence[Crop], cameras: Sequence[Camera]
    ) -> FaceEstimate: ...

    def read(
        self,
        images: Sequence[UInt8Array],
        cameras: Sequence[Camera],
        seen: Located,
        boxes: Sequence[Box | None] | None = None,
    ) -> FaceEstimate: ...


class SeesAtAGlance:
    """A base for an estimator whose every look is complete: it finds faces itself, and ``read`` adds nothing."""

    name = OPEN
    license = ""
    notes: tuple[str, ...] = ()
    at_once = frames_at_once = looks_ahead = 1
    rereads = False
    person: PersonReader | None = None

    @property
    def finding(self) -> Self:
        return self

    def read(
        self,
        images: Sequence[UInt8Array],
        cameras: Sequence[Camera],
        seen: Located,
        boxes: Sequence[Box | None] | None = None,
    ) -> FaceEstimate:
        assert isinstance(seen, FaceEstimate)
        return seen


def estimate_of(
    outputs: Mapping[str, FloatArray],
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
    offsets, seen = offsets_of(raw), rotation_of_columns(raw["rotation"])
    own, rotation, translation = [], np.empty((len(crops), 3, 3)), np.empty((len(crops), 3))
    for i, (crop, camera, local) in enumerate(zip(crops, cameras, seen, strict=True)):
        own.append(crop.moved(*offsets[i]))
        rotation[i], translation[i] = pose_of_crop(roll_matrix(-offsets[i, 3]) @ local, camera, own[i])
    eta, deviation = expression_of(raw, responses)
    return FaceEstimate(
        eta=eta,
        alpha=np.clip(raw["alpha"], -IDENTITY_LIMIT, IDENTITY_LIMIT),
        gaze=raw["gaze"],
        rotation=rotation,
        translation=translation,
        crop=own,
        confidence=confidence_of(raw),
        eta_deviation=deviation,
        basis=basis,
        expression_keys=expression_keys,
        outputs=np.concatenate(list(outputs.values()), 1),
    )


def offsets_of(raw: Mapping[str, FloatArray]) -> FloatArray:
    """Return the offsets (B, 4) from the given crops to the faces' own, as ``Crop.moved`` takes them."""
    rows = []  # number by number: numpy's calls take longer for the one face of a frame
    for six, offset in zip(raw["rotation"].tolist(), raw["crop"].tolist(), strict=True):
        length = math.sqrt(six[0] * six[0] + six[1] * six[1] + six[2] * six[2]) or math.nan
        x0, x1, x2 = six[0] / length, six[1] / length, six[2] / length
        along = x0 * six[3] + x1 * six[4] + x2 * six[5]
        lean = math.atan2(six[3] - along * x0, six[4] - along * x1)  # ``roll`` of ``rotation_of_columns``
        # NaN stays NaN in this order of the arguments.
        rows.append([*(max(min(o, most), -most) for o, most in zip(offset, MAX_OFFSET, strict=True)), lean])
    return np.array(rows)


def confidence_of(raw: Mapping[str, FloatArray]) -> FloatArray:
    """Return the confidence (B,) from 0 to 1."""
    return 1.0 / (1.0 + np.exp(-np.clip(np.asarray(raw["face"][:, 0], np.float64), -30, 30)))
