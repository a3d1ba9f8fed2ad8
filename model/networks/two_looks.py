"""The estimators of the open networks, the same for both engines: a first look locates a face, a closer one reads it.

The first look, at the whole face, is small and final in the face's place and pose. The closer look reads the
expression and moves no crop. So a clip's frames are located by first looks, one after another or ``looks_ahead`` at
once (``sight/tracking.py``), since each crop comes from the frames before. The closer looks follow in batches, in
another thread. The crops that are looked at are the same as when both looks are taken at each frame, and so are the
numbers, except for the rounding of 16 bits. Stills and footage are read together with their mirror images, which
refines place and pose, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..array_types import FloatArray, UInt8Array
from ..builtin import OPEN
from ..camera import Camera, Crop
from ..face.semantics import OPEN_BASIS, OPEN_KEYS, mirror_open_alpha
from .cutting import cut
from .estimate import (
    IDENTITY_LIMIT,
    Box,
    FaceEstimate,
    Located,
    SeesFaces,
    confidence_of,
    estimate_of,
    offsets_of,
)
from .mirror_image import mean_of_both, of_the_picture
from .person import PersonReader
from .responses import responses_of
from .weights.weights_file import WeightsHeader


@dataclass(frozen=True, eq=False, kw_only=True)
class FirstLook(Located):
    """An open network's first look at B crops, and all that its closer look needs.

    given        B crops that were looked at
    pixels       (B, size, size, 3) uint8 BGR, those crops as the network takes them
    features     (B, C) and outputs (B, N) of the first look; the outputs of a network without glimpses are final
    """

    given: list[Crop]
    pixels: UInt8Array
    features: FloatArray
    outputs: FloatArray


class LooksTwice:
    """A base for both engines' estimators of the open networks."""

    name = OPEN
    notes: tuple[str, ...] = ()
    at_once = 1  # images do not gain enough, and an image's numbers do not depend on the others'
    frames_at_once = 16  # more frames gain little more
    looks_ahead = 1
    rereads = False
    basis = OPEN_BASIS
    expression_keys = OPEN_KEYS

    def __init__(self, header: WeightsHeader, person: PersonReader | None) -> None:
        self.header = header
        self.license = header.license
        self.size = header.input_size
        self.responses = responses_of(header.responses, OPEN_KEYS)
        self.person = replace(person, responses=self.responses) if person else None
        self._finding = FirstLooks(self)

    @property
    def finding(self) -> FirstLooks:
        return self._finding

    def estimate(self, images: Sequence[UInt8Array], crops: Sequence[Crop], cameras: Sequence[Camera]) -> FaceEstimate:
        """Look at one crop of each image, (H, W, 3) uint8 BGR; all crops are computed in one batch."""
        return self.read(images, cameras, self._finding.estimate(images, crops, cameras))

    def read(
        self,
        images: Sequence[UInt8Array],
        cameras: Sequence[Camera],
        seen: Located,
        boxes: Sequence[Box | None] | None = None,
    ) -> FaceEstimate:
        """Look closer at the faces that were ``seen`` by a first look; the images are not needed again."""
        assert isinstance(seen, FirstLook)
        outputs = self.closer_look(seen.pixels, seen.features, seen.outputs)
        return self._estimate_of(outputs, cameras, seen)

    def read_with_mirror_images(self, cameras: Sequence[Camera], seen: FirstLook) -> FaceEstimate:
        """Read the faces from the mean of the outputs for them and for their mirror images.

        It takes twice the time of ``read`` and one more first look, which stills and footage have, but not live
        pictures.
        """
        own = self.closer_look(seen.pixels, seen.features, seen.outputs)
        pixels = np.ascontiguousarray(seen.pixels[:, :, ::-1])
        mirrored = self.closer_look(pixels, *self.first_look(pixels))
        return self._estimate_of(mean_of_both(own, mirrored), cameras, seen)

    def _estimate_of(
        self, outputs: Mapping[str, FloatArray], cameras: Sequence[Camera], seen: FirstLook
    ) -> FaceEstimate:
        read = estimate_of(outputs, seen.given, cameras, self.basis, self.expression_keys, self.responses)
        if self.person is None or read.outputs is None:
            return read
        mirrored = np.concatenate(list(of_the_picture(outputs).values()), 1)
        alphas = self.person.alpha_by_look(read.outputs), mirror_open_alpha(self.person.alpha_by_look(mirrored))
        alpha = np.clip(np.mean(alphas, axis=0), -IDENTITY_LIMIT, IDENTITY_LIMIT)
        return replace(read, alpha=alpha, mouth_hidden=self.person.mouth_hidden(read.outputs))

    def located(self, pixels: UInt8Array, crops: Sequence[Crop]) -> FirstLook:
        """Take a first look at these crops, cut as (B, size, size, 3) uint8 BGR."""
        features, outputs = self.first_look(pixels)
        raw = self.split(outputs)
        return FirstLook(
            crop=[crop.moved(*offset) for crop, offset in zip(crops, offsets_of(raw), strict=True)],
            confidence=confidence_of(raw),
            given=list(crops),
            pixels=pixels,
            features=features,
            outputs=outputs,
        )

    def split(self, outputs: FloatArray) -> dict[str, FloatArray]:
        """Return outputs (B, N) by name."""
        raise NotImplementedError

    def first_look(self, pixels: UInt8Array) -> tuple[FloatArray, FloatArray]:
        """Return features (B, C) and outputs (B, N) of the look at the whole."""
        raise NotImplementedError

    def closer_look(self, pixels: UInt8Array, features: FloatArray, outputs: FloatArray) -> dict[str, FloatArray]:
        """Return the final outputs by name, from those of ``first_look``."""
        raise NotImplementedError


class FirstLooks:
    """Faces are found and followed by an estimator's first look alone."""

    def __init__(self, estimator: LooksTwice) -> None:
        self._estimator = estimator

    def estimate(self, images: Sequence[UInt8Array], crops: Sequence[Crop], cameras: Sequence[Camera]) -> FirstLook:
        size = self._estimator.size
        pixels = np.stack([cut(image, crop, size) for image, crop in zip(images, crops, strict=True)])
        return self._estimator.located(pixels, crops)


def read_with_mirror_images(
    estimator: SeesFaces,
    images: Sequence[UInt8Array],
    cameras: Sequence[Camera],
    seen: Located,
    boxes: Sequence[Box | None] | None = None,
) -> FaceEstimate:
    """Read faces as ``estimator.read`` does, with their mirror images where it can."""
    if isinstance(estimator, LooksTwice) and isinstance(seen, FirstLook):
        return estimator.read_with_mirror_images(cameras, seen)
    return estimator.read(images, cameras, seen, boxes)
