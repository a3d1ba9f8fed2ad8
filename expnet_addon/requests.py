"""What the worker is asked (model/worker.py says how it answers). Paths become absolute: the worker runs elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Seeing:
    """How the worker looks: which estimator (``open`` or a file or folder), on what device, at which face.

    ``box`` is x, y, width, height in pixels of the first frame, ``face`` the n-th largest face, from 0; without
    either it is the largest. ``lens_mm``: focal length on a 36 mm sensor.
    """

    estimator: str = "open"
    device: str = "auto"
    box: Sequence[float] | None = None
    face: int | None = None
    lens_mm: float = 50.0


def estimate(images: Sequence[str], seeing: Seeing) -> dict:
    return {"verb": "estimate", "images": [os.path.abspath(image) for image in images], **_fields(seeing)}


def animate(clip: str, seeing: Seeing, first: int | None = None, last: int | None = None) -> dict:
    """``first`` and ``last`` frame of the clip, from 0, both included. The performance goes to the job's ``out``."""
    clip = os.path.abspath(clip)
    return {"verb": "animate", "clip": clip, "first": first, "last": last, "out": None, **_fields(seeing)}


def still(clip: str, frame: int, crop: Sequence[float]) -> dict:
    """A small JPEG of the face in one frame goes to the job's ``out``; ``crop`` as a performance has it."""
    return {"verb": "still", "clip": os.path.abspath(clip), "frame": frame, "crop": list(crop), "out": None}


def convert(face_model: str) -> dict:
    """The converted face model goes to the job's ``out``."""
    return {"verb": "convert", "face_model": os.path.abspath(face_model), "out": None}


def import_weights(folder: str, out: str | None = None, half: bool = False) -> dict:
    """The converted weights go to the folder ``out``, or to ``folder`` itself."""
    return {
        "verb": "import_weights",
        "folder": os.path.abspath(folder),
        "out": os.path.abspath(out or folder),
        "half": half,
    }


def _fields(seeing: Seeing) -> dict:
    return {
        "estimator": seeing.estimator if seeing.estimator == "open" else os.path.abspath(seeing.estimator),
        "device": seeing.device,
        "box": list(seeing.box) if seeing.box else None,
        "face": seeing.face,
        "lens_mm": seeing.lens_mm,
    }
