"""What the worker is asked (model/worker says how it answers). Paths become absolute: the worker runs elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Seeing:
    """How the worker looks: which estimator (``open`` or a file or folder), on what device, at which face.

    ``engine``: full (torch), light (OpenCV alone, on the processor), or auto, which is full where there is torch.

    ``box`` is x, y, width, height in pixels of the first frame, ``face`` the n-th largest face, from 0; without
    either it is the largest. ``lens_mm``: focal length on a 36 mm sensor.

    For the authors' networks: ``face_model`` (``open`` or a path) is the one whose head the pose shall fit;
    ``preprocessing`` is ``release`` or ``paper``; ``jpeg``: whether the crop goes through a JPEG file, as there.
    """

    estimator: str = "open"
    device: str = "auto"
    engine: str = "auto"
    box: Sequence[float] | None = None
    face: int | None = None
    lens_mm: float = 50.0
    face_model: str = "open"
    preprocessing: str = "release"
    jpeg: bool = True


@dataclass(frozen=True)
class Listed:
    """An image of a list: what its results are called, and the box of its face where that is known."""

    image: str
    name: str
    box: Sequence[float] | None = None


def load(seeing: Seeing) -> dict:
    """Only the network, to have it refused before any work where it cannot be loaded."""
    return {"verb": "load", **_fields(seeing)}


def estimate(images: Sequence[str], seeing: Seeing) -> dict:
    return {"verb": "estimate", "images": [os.path.abspath(image) for image in images], **_fields(seeing)}


def estimate_listed(listed: Sequence[Listed], seeing: Seeing, ply: str | None = None) -> dict:
    """The same for images with boxes of their own; ``ply`` is a folder for a mesh of each face, by its name."""
    return {
        **estimate([face.image for face in listed], seeing),
        "boxes": [list(face.box) if face.box else None for face in listed],
        "names": [face.name for face in listed],
        "ply": os.path.abspath(ply) if ply else None,
    }


def animate(clip: str, seeing: Seeing, first: int | None = None, last: int | None = None) -> dict:
    """``first`` and ``last`` frame of the clip, from 0, both included. The performance goes to the job's ``out``."""
    clip = os.path.abspath(clip)
    return {"verb": "animate", "clip": clip, "first": first, "last": last, "out": None, **_fields(seeing)}


def still(clip: str, frame: int, crop: Sequence[float]) -> dict:
    """A small JPEG of the face in one frame goes to the job's ``out``; ``crop`` as a performance has it."""
    return {"verb": "still", "clip": os.path.abspath(clip), "frame": frame, "crop": list(crop), "out": None}


def faces(clip: str, seeing: Seeing, frame: int = 0) -> dict:
    """Which faces there are in a frame of the clip, from 0."""
    return {"verb": "faces", "clip": os.path.abspath(clip), "frame": frame, **_fields(seeing)}


def convert(face_model: str) -> dict:
    """The converted face model goes to the job's ``out``, the maps between its basis and the open one beside it."""
    return {"verb": "convert", "face_model": os.path.abspath(face_model), "out": None, "basis_map": True}


def import_weights(folder: str, out: str | None = None, half: bool = False) -> dict:
    """The converted weights go to the folder ``out``, or to ``folder`` itself."""
    return {
        "verb": "import_weights",
        "folder": os.path.abspath(folder),
        "out": os.path.abspath(out or folder),
        "half": half,
    }


def test(device: str = "auto", engine: str = "auto") -> dict:
    """How fast which engine is on what: one frame, over and over for a second."""
    return {"verb": "test", "device": device, "engine": engine}


def _fields(seeing: Seeing) -> dict:
    return {
        "estimator": seeing.estimator if seeing.estimator == "open" else os.path.abspath(seeing.estimator),
        "device": seeing.device,
        "engine": seeing.engine,
        "box": list(seeing.box) if seeing.box else None,
        "face": seeing.face,
        "lens_mm": seeing.lens_mm,
        "face_model": seeing.face_model if seeing.face_model == "open" else os.path.abspath(seeing.face_model),
        "preprocessing": seeing.preprocessing,
        "jpeg": seeing.jpeg,
    }
