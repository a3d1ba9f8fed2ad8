"""Requests to the worker with absolute paths, because the worker runs in its own folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from ...model.builtin import OPEN
from ...model.worker.messages import (
    Animate,
    Box,
    Convert,
    Estimate,
    EstimatorOptions,
    Faces,
    FindPoints,
    FineTune,
    ImageRequest,
    ImportWeights,
    Likeness,
    Live,
    Load,
    OwnHead,
    People,
    SendTo,
    Still,
)


def load(options: EstimatorOptions) -> Load:
    """Load the network only, so that an invalid one is refused before any work."""
    return Load(_absolute(options))


def estimate(images: Sequence[ImageRequest], options: EstimatorOptions, ply: str | None = None) -> Estimate:
    """Read images; ``ply`` is a folder for a mesh of each face, named after its image."""
    absolute = tuple(replace(image, image=os.path.abspath(image.image)) for image in images)
    return Estimate(absolute, _absolute(options), os.path.abspath(ply) if ply else None)


def animate(
    clip: str,
    options: EstimatorOptions,
    first: int | None = None,
    last: int | None = None,
    fps: float | None = None,
    fit: bool = False,
) -> Animate:
    """Follow a face from frame ``first`` to frame ``last`` of a clip.

    ``fps`` is an image sequence's rate, or replaces a movie's own rate, frame for frame. ``fit``: refine the
    performance over the whole clip.
    """
    return Animate(os.path.abspath(clip), _absolute(options), first, last, fps, fit)


def people(
    clip: str,
    options: EstimatorOptions,
    first: int | None = None,
    last: int | None = None,
    fps: float | None = None,
) -> People:
    """Follow everyone through a clip; frames and rate as in ``animate``."""
    return People(os.path.abspath(clip), _absolute(options), first, last, fps)


def likeness(sources: Sequence[str], options: EstimatorOptions) -> Likeness:
    """Fit one face over images, folders of images or clips, and write its texture."""
    return Likeness(tuple(os.path.abspath(source) for source in sources), _absolute(options))


def live(
    source: str,
    options: EstimatorOptions,
    send: Sequence[SendTo] = (),
    host: str = "127.0.0.1",
    mirror: bool = True,
    smoothing: float = 0.0,
) -> Live:
    """Stream the face of ``camera:0``, of a file, or of ``livelink:11111`` in real time."""
    name = source if is_stream(source) else os.path.abspath(source)
    return Live(name, _absolute(options), tuple(send), host, mirror, smoothing)


def is_stream(source: str) -> bool:
    """Return whether a source is a camera or a port, not a file."""
    kind, _, number = source.partition(":")
    return kind in ("camera", "livelink") and number.isdigit()


def still(clip: str, frame: int, crop: Sequence[float]) -> Still:
    """Write a small JPEG of the face in one frame; ``crop`` as a performance has it."""
    cx, cy, side, angle = map(float, crop)
    return Still(os.path.abspath(clip), frame, (cx, cy, side, angle))


def faces(clip: str, options: EstimatorOptions, frame: int = 0) -> Faces:
    """Find the faces in a frame of the clip, from 0."""
    return Faces(os.path.abspath(clip), _absolute(options), frame)


def convert(face_model: str) -> Convert:
    """Convert a face model, and fit the maps between its basis and the open one."""
    return Convert(os.path.abspath(face_model), basis_map=True)


def import_weights(folder: str, out: str | None = None, half: bool = False) -> ImportWeights:
    """Convert the checkpoints in ``folder`` into the folder ``out``, by default the same."""
    return ImportWeights(os.path.abspath(folder), os.path.abspath(out or folder), half)


def box_of(values: Sequence[float] | None) -> Box | None:
    """Convert four numbers to a box."""
    if not values:
        return None
    x, y, width, height = map(float, values)
    return x, y, width, height


def find_points(head: OwnHead, options: EstimatorOptions) -> FindPoints:
    """Find the named points of the face on an artist's head."""
    return FindPoints(head, _absolute(options))


def _absolute(options: EstimatorOptions) -> EstimatorOptions:
    return replace(
        options,
        estimator=options.estimator if options.estimator == OPEN else os.path.abspath(options.estimator),
        face_model=options.face_model if options.face_model == OPEN else os.path.abspath(options.face_model),
    )


def fine_tune(clips: Sequence[str], out: str, estimator: str = OPEN, lens_mm: float = 50.0) -> FineTune:
    """Fine-tune weights on one actor's clips; ``out`` is the weights' file."""
    source = estimator if estimator == OPEN else os.path.abspath(estimator)
    return FineTune(tuple(map(os.path.abspath, clips)), os.path.abspath(out), source, lens_mm)
