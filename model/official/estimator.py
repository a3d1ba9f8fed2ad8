"""The authors' networks behind the interface of the open one: ``OfficialEstimator``.

The open network gives the face's place, the confidence and the gaze, which the release does not estimate. ExpNet
gives the expression, the shape net the identity, FacePoseNet the head's pose. Networks that were not imported are
left out, and ``notes`` lists them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..array_types import FloatArray, UInt8Array
from ..camera import Camera, Crop
from ..errors import InputError
from ..face.alignment import similarity
from ..face.face_model import FaceModel
from ..formats.bfm_expnet import BASIS, expression_keys
from ..networks.estimate import Box, FaceEstimate, FindsFaces, Located, SeesFaces
from . import pose as poses
from . import preprocess
from .networks import IDENTITY, NEEDED, OfficialNetworks, load_networks
from .preprocess import Mode, Square
from .release import USUAL_NAMES
from .weights import LICENSE, load_header, load_statistics

EXPRESSIONS = 29
POSE_NETWORKS = ("pose", "pose_resnet")  # the release's own first


class OfficialEstimator:
    """The authors' networks with the preprocessing of ``mode``. Holds no state between calls.

    face_model   the head of the poses: the Basel Face Model, or another with landmarks
    notes        what is left out, a line each
    """

    name = "official"
    license = LICENSE
    basis = BASIS
    expression_keys = expression_keys(EXPRESSIONS)
    at_once = 8
    rereads = True
    person = None  # alpha of a clip is the mean over its frames

    def __init__(
        self,
        networks: OfficialNetworks,
        open_estimator: SeesFaces,
        mode: Mode,
        face_model: FaceModel,
        open_head: FaceModel,
    ) -> None:
        self._networks = networks
        self._open = open_estimator
        self._mode = mode
        self._means = _mean_images(networks, mode)
        self._pose = next((name for name in POSE_NETWORKS if name in networks), None)
        landmarks = _landmarks(face_model)
        generic = networks.statistics.get("pose.generic_head")
        self._generic = poses.generic_head(landmarks, generic) if landmarks is not None else None
        self._from_open = _similarity(landmarks, _landmarks(open_head))
        self.notes = _notes(networks, self._pose if self._generic else None)

    @staticmethod
    def load(
        folder: str | Path,
        device: str,
        open_estimator: SeesFaces,
        mode: Mode,
        face_model: FaceModel,
        open_head: FaceModel,
    ) -> OfficialEstimator:
        """Load the networks that ``import-weights`` put into ``folder``. ``open_estimator`` locates the faces.

        Raises InputError: no ExpNet in it, a mean image that is needed and was not imported, a broken file.
        """
        header, statistics = load_header(folder), load_statistics(folder)
        if "expression" not in header.networks:
            raise InputError(
                f"{folder}: ExpNet was not imported: run import-weights with {USUAL_NAMES['expression']} in the folder"
            )
        pose = [
            name
            for name in POSE_NETWORKS
            if name in header.networks and all(needed in statistics for needed in NEEDED[name])
        ]
        networks = load_networks(folder, device, ["expression", "shape", *pose[:1]])
        return OfficialEstimator(networks, open_estimator, mode, face_model, open_head)

    @property
    def frames_at_once(self) -> int:
        return self.at_once

    @property
    def looks_ahead(self) -> int:
        return self._open.looks_ahead

    @property
    def finding(self) -> FindsFaces:
        return self._open.finding

    def estimate(self, images: Sequence[UInt8Array], crops: Sequence[Crop], cameras: Sequence[Camera]) -> FaceEstimate:
        """Find the face near each crop, then read it."""
        return self.read(images, cameras, self.finding.estimate(images, crops, cameras))

    def read(
        self,
        images: Sequence[UInt8Array],
        cameras: Sequence[Camera],
        seen: Located,
        boxes: Sequence[Box | None] | None = None,
    ) -> FaceEstimate:
        """Read the faces that were ``seen`` by ``finding``.

        Each is cut out about its box (x, y, width, height) where that is known, exactly as in the release, and else
        about ``preprocess.box_of_crop``.
        """
        seen = self._open.read(images, cameras, seen)
        boxes = boxes or [None] * len(images)
        squares, crops = self._cut(images, seen, boxes)
        inputs = self._inputs(crops)
        if self._pose == "pose_resnet":
            squares, tight = self._cut_tightly(images, seen, boxes)
            inputs["pose_resnet"] = preprocess.resnet_input(tight, self._means["pose_resnet"])
        found = self._networks.regress(**inputs)
        rotation, translation = self._posed(found, squares, cameras, seen)
        count = len(images)
        return replace(
            seen,
            eta=found["eta"],
            alpha=found.get("alpha", np.zeros((count, IDENTITY))),
            rotation=rotation,
            translation=translation,
            eta_deviation=np.full((count, EXPRESSIONS), np.nan),
            basis=self.basis,
            expression_keys=self.expression_keys,
            texture=found.get("texture"),
        )

    def _cut(
        self, images: Sequence[UInt8Array], seen: FaceEstimate, boxes: Sequence[Box | None]
    ) -> tuple[list[Square], FloatArray]:
        squares, pictures = [], []
        for image, crop, box in zip(images, seen.crop, boxes, strict=True):
            at = preprocess.square_of_box(box or preprocess.box_of_crop(crop), _size(image), self._mode.margin)
            picture = preprocess.cut_square(image, at, preprocess.CROP)
            squares.append(at)
            pictures.append(preprocess.through_jpeg(picture) if self._mode.jpeg else picture)
        return squares, preprocess.crops_of(pictures)

    def _cut_tightly(
        self, images: Sequence[UInt8Array], seen: FaceEstimate, boxes: Sequence[Box | None]
    ) -> tuple[list[Square], FloatArray]:
        squares = [
            preprocess.square_of_tight_box(box or preprocess.tight_box_of_crop(crop), _size(image))
            for image, crop, box in zip(images, seen.crop, boxes, strict=True)
        ]
        pictures = [preprocess.cut_square(i, at, preprocess.INPUT) for i, at in zip(images, squares)]
        return squares, preprocess.crops_of(pictures)

    def _inputs(self, crops: FloatArray) -> dict[str, FloatArray]:
        """Return the inputs; networks with the same mean image get the same array, so a shared trunk runs once."""
        inputs: dict[str, FloatArray] = {}
        for name in ("expression", "shape"):
            if name in self._networks:
                same = next((other for other in inputs if self._means[other] is self._means[name]), None)
                inputs[name] = inputs[same] if same else preprocess.resnet_input(crops, self._means[name])
        if self._pose == "pose":
            inputs["pose"] = preprocess.facepose_input(crops, self._networks.statistics["pose.mean_bgr"])
        return inputs

    def _posed(
        self, found: dict[str, FloatArray], squares: list[Square], cameras: Sequence[Camera], seen: FaceEstimate
    ) -> tuple[FloatArray, FloatArray]:
        """Return rotation and translation of the face model; the open network's where FacePoseNet gives none."""
        scale, turn, shift = self._from_open
        rotation = seen.rotation @ turn
        translation = (np.einsum("bij,j->bi", seen.rotation, shift) + seen.translation) / scale
        if self._pose is None or self._generic is None:
            return rotation, translation
        places = np.array([(at.x, at.y, at.side) for at in squares], float)
        if self._pose == "pose":
            r, t = poses.pose_of_facepose(found["pose"], places, cameras, self._generic)
        else:
            r, t = poses.pose_of_weak_perspective(found["pose_resnet"], places, cameras, self._generic.anchor)
        good = np.isfinite(t).all(axis=1)
        return np.where(good[:, None, None], r, rotation), np.where(good[:, None], t, translation)


def _mean_images(networks: OfficialNetworks, mode: Mode) -> dict[str, FloatArray]:
    """Return the mean image of each network. The release subtracts the shape net's from all."""
    statistics = networks.statistics
    shape = statistics.get("shape.mean_image")
    own = {"expression": statistics.get("expression.mean_image", shape)} if mode.own_mean else {}
    means = {name: own.get(name, shape) for name in ("expression", "shape", "pose_resnet") if name in networks}
    for mean in means.values():
        if mean is None:
            raise InputError(
                "3DMM_shape_mean.npy was not imported, and no network can do without it: run import-weights with it too"
            )
    return means  # type: ignore[return-value]


def _landmarks(model: FaceModel) -> FloatArray | None:
    """Return the landmarks of the neutral head; those of the generic head and the open one are neutral too."""
    return None if model.landmarks is None else model.vertices(eta=model.rest)[model.landmarks].astype(float)


def _similarity(model: FloatArray | None, head: FloatArray | None) -> tuple[float, FloatArray, FloatArray]:
    """Return scale, rotation, translation from the face model to the open head, whose poses the open network gives.

    A pose has no scale. The head is nearer or farther instead, which looks the same.
    """
    if model is None or head is None or np.array_equal(model, head):
        return 1.0, np.eye(3), np.zeros(3)
    return similarity(model[poses.INNER], head[poses.INNER])


def _notes(networks: OfficialNetworks, pose: str | None) -> tuple[str, ...]:
    notes = list(networks.left_out.values())
    if "shape" not in networks:
        notes.append("The shape net was not imported: the face keeps the model's mean shape (alpha is 0)")
    if pose is None:
        notes.append("No FacePoseNet is used: the head's pose is the open network's")
    return tuple(notes)


def _size(image: UInt8Array) -> tuple[int, int]:
    return image.shape[1], image.shape[0]
