"""What runs the open network: torch (the full engine: graphics cards, 16 bits, other networks too) or OpenCV alone (the
light one: at once and offline, on the processor). Same weights, same numbers to 1e-4."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..builtin import OPEN
from ..errors import InputError

if TYPE_CHECKING:
    from .opencv_engine.estimator import LightEstimator
    from .torch_engine.estimator import Estimator

ENGINES = ("auto", "full", "light")
GRAPHICS = ("cuda", "mps")


@dataclass(frozen=True)
class Running:
    """An engine at work: ``engine`` is full or light, ``version`` that of the library behind it."""

    engine: str
    version: str
    device: str
    estimator: Estimator | LightEstimator


def engine_for(engine: str, device: str) -> str:
    """full or light: what ``engine`` (one of ENGINES) comes to here. Raises InputError for a device that the light
    engine has not."""
    if engine not in ENGINES:
        raise InputError(f"engine {engine!r} is unknown: use one of {', '.join(ENGINES)}")
    if engine == "auto":
        engine = "full" if importlib.util.find_spec("torch") or device in GRAPHICS else "light"
    if engine == "light" and device in GRAPHICS:
        raise InputError(
            f"the light engine runs on the processor, not on {device}: choose the full one, or device auto"
        )
    return engine


def needs_full(engine: str, what: str) -> None:
    """Raises InputError where ``what`` cannot be had because the light engine is asked for, or is all there is."""
    if engine_for(engine, "auto") == "light":
        lacking = (
            "was asked for" if engine == "light" else "is all there is: install torch, or choose a Python that has it"
        )
        raise InputError(f"{what} need the full engine, and the light one {lacking}")


def start(source: str | Path = OPEN, device: str = "auto", engine: str = "auto") -> Running:
    """The open network, or others of its kind, loaded and ready. Raises InputError; ImportError without torch."""
    # One face at a time is too little work to share, and the decoder needs the other cores.
    threads = 1 if (os.cpu_count() or 1) <= 2 else 2
    if engine_for(engine, device) == "light":
        from ..opencv import cv2
        from .opencv_engine.estimator import LightEstimator

        cv2.setNumThreads(threads)
        return Running("light", f"OpenCV {cv2.__version__}", "cpu", LightEstimator.load(source))
    import torch

    from .torch_engine.estimator import Estimator

    torch.set_num_threads(threads)
    estimator = Estimator.load(source, device)
    return Running("full", f"torch {torch.__version__}", estimator.device.type, estimator)
