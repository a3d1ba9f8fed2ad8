"""The choice of the engine that runs the open network: torch or OpenCV.

torch is the full engine: graphics cards, 16 bits, other networks too. OpenCV alone is the light one: no installation,
offline, on the processor. Both use the same weights and agree to 1e-4.
"""

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
    """The engine in use: ``engine`` is full or light, ``version`` that of the library behind it."""

    engine: str
    version: str
    device: str
    estimator: Estimator | LightEstimator


def engine_for(engine: str, device: str) -> str:
    """Return the engine, full or light, that ``engine`` (one of ENGINES) selects on this computer.

    Raises InputError for a device that the light engine does not support.
    """
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
    """Raise InputError where ``what`` needs the full engine and the light one is requested or the only one."""
    if engine_for(engine, "auto") == "light":
        lacking = "is chosen" if engine == "light" else "is the only one: install torch, or choose a Python that has it"
        raise InputError(f"{what} need the full engine, and the light one {lacking}")


def start(source: str | Path = OPEN, device: str = "auto", engine: str = "auto") -> Running:
    """Load the open network, or another of its kind. Raises InputError; ImportError without torch."""
    # One face at a time is too little work for more threads, and the decoder needs the other cores.
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
