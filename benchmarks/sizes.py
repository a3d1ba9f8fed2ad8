"""Sizes of the shipped files: ``python -m expnet.benchmarks.sizes``. Reads the zip of ``dev.py build`` in dist/."""

from __future__ import annotations

import sys
from pathlib import Path

from ..training.measurement import Measurement, show

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = (
    ("the open weights", "model/data/open_weights.safetensors", 12),
    ("the open head", "model/data/open_head.npz", 10),
    ("the built-in clip", "model/data/demo_clip.mp4", 1),
    ("the extension's zip", "dist/expnet-?.?.?.zip", 60),
    ("the zip with OpenCV", "dist/expnet-*_*.zip", None),  # two thirds of it or more is OpenCV's wheel as published
)


def measure() -> list[Measurement]:
    return [
        Measurement(f"size of {what} ({path.name})", path.stat().st_size / 1e6, "MB", at_most=at_most)
        for what, pattern, at_most in SHIPPED
        for path in ROOT.glob(pattern)
    ]


if __name__ == "__main__":
    sys.exit(0 if show(measure()) else 1)
