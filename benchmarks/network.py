"""The open network's speed: ``python -m expnet.benchmarks.network``; ``training/evaluation`` measures the same."""

from __future__ import annotations

import sys

from ..training.evaluation.network_speed import measure
from ..training.measurement import show

if __name__ == "__main__":
    sys.exit(0 if show(measure()) else 1)
