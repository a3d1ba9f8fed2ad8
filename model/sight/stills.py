"""Estimation of faces in still images: each is found on its own, several are read together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..array_types import UInt8Array
from ..camera import Camera
from ..errors import InputError
from ..networks.estimate import Box, FaceEstimate, Located, SeesFaces, together
from ..networks.two_looks import read_with_mirror_images
from .image_process import ImageReader
from .tracking import looked_for


@dataclass(frozen=True)
class Still:
    """An image, and where its face is: in a ``box`` (x, y, width, height), or the ``face``-th largest."""

    image: str | Path
    box: Box | None = None
    face: int | None = None


def see_stills(
    stills: Sequence[Still], estimator: SeesFaces, lens_mm: float = 50.0
) -> Iterator[FaceEstimate | InputError]:
    """Estimate the face of each image (batches of one), in order; an image's error takes the place of its estimate."""
    waiting: list[_Looked | InputError] = []
    with ImageReader(isolated=len(stills) > 1) as images:
        for still in stills:
            waiting.append(_looked(still, images, estimator, lens_mm))
            if len(waiting) == estimator.at_once:
                yield from _read(waiting, estimator)
                waiting = []
    yield from _read(waiting, estimator)


@dataclass(frozen=True)
class _Looked:
    image: UInt8Array
    camera: Camera
    seen: Located
    box: Box | None


def _looked(still: Still, images: ImageReader, estimator: SeesFaces, lens_mm: float) -> _Looked | InputError:
    try:
        image = images.read(still.image)
        seen, camera = looked_for(image, estimator.finding, still.box, still.face, lens_mm)
        return _Looked(image, camera, seen, still.box)
    except InputError as error:
        return error


def _read(looks: Sequence[_Looked | InputError], estimator: SeesFaces) -> Iterator[FaceEstimate | InputError]:
    there = [look for look in looks if isinstance(look, _Looked)]
    try:
        read = _read_together(there, estimator)
    except InputError:  # one image of the batch fails: find out which
        read = [_read_alone(look, estimator) for look in there]
    seen = iter(read)
    for look in looks:
        yield next(seen) if isinstance(look, _Looked) else look


def _read_together(looks: Sequence[_Looked], estimator: SeesFaces) -> list[FaceEstimate | InputError]:
    if not looks:
        return []
    images, cameras = [look.image for look in looks], [look.camera for look in looks]
    seen = together([look.seen for look in looks])
    read = read_with_mirror_images(estimator, images, cameras, seen, [look.box for look in looks])
    return [read.only(i) for i in range(len(looks))]


def _read_alone(look: _Looked, estimator: SeesFaces) -> FaceEstimate | InputError:
    try:
        return _read_together([look], estimator)[0]
    except InputError as error:
        return error
