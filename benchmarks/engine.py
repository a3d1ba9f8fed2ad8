"""Speed of the synthetic face engine: ``python -m expnet.benchmarks.engine``.

Measures processor time on one thread, which reduces the influence of other work on the machine. Then lists the time by
step.
"""

from __future__ import annotations

import os

from ..model.builtin import OPEN

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy reads it

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType

import cv2
import numpy as np

from ..model.formats import open_face_model
from ..training.measurement import Measurement, show
from ..training.synthetic import rasterizer, sample, visibility
from ..training.synthetic.generate import TOGETHER
from ..training.synthetic.surface import Surface, build_surface

PICTURES, ROUNDS = 8 * TOGETHER, 5
AT_LEAST = {96: None, 128: 120.0}  # pictures a second by size
INGREDIENTS: dict[str, tuple[ModuleType, tuple[str, ...]]] = {
    "expression, identity, pose": (sample, ("_draw",)),
    "shape: blended": (sample, ("blend",)),
    "shape: proportions, wrinkles, eyes": (sample, ("shape_head",)),
    "normals": (rasterizer, ("vertex_normals",)),
    "skin, eyes, teeth": (sample, ("sample_look",)),
    "hair, beard, lashes": (sample, ("sample_hair", "sample_beard", "comb_lashes")),
    "clothes, headwear, glasses, hands": (sample, ("clothe", "sample_headwear", "sample_glasses", "sample_held")),
    "placed before the camera": (rasterizer, ("place",)),
    "triangles to pixels": (rasterizer, ("rasterize",)),
    "shadow map": (sample, ("shadow_map",)),
    "shading": (rasterizer, ("shade",)),
    "light": (sample, ("sample_light",)),
    "background": (sample, ("sample_background",)),
    "laid over the background": (rasterizer, ("compose",)),
    "what is visible": (visibility, ("unhidden",)),
    "developed": (sample, ("develop",)),
    "degraded": (sample, ("degrade",)),
}


def measure() -> Iterator[Measurement]:
    cv2.setNumThreads(1)
    surface = build_surface(open_face_model(OPEN))
    _make(surface, 128, seed=0)  # compile, fill the stocks
    for size, bound in AT_LEAST.items():
        took = [_seconds(lambda: _make(surface, size, seed)) for seed in range(1, ROUNDS + 1)]  # noqa: B023
        rate = PICTURES / statistics.median(took)
        yield Measurement(f"pictures of {size} px, one core", rate, "pictures/s", at_least=bound)
    spent: dict[str, float] = defaultdict(float)
    with ExitStack() as stack:
        for name, (module, functions) in INGREDIENTS.items():
            for function in functions:
                stack.enter_context(_clocked(module, function, spent, name))
        whole = _seconds(lambda: _make(surface, 128, seed=1))
    for name in INGREDIENTS:
        yield Measurement(f"  128 px: {name}", 1e3 * spent[name] / PICTURES, "ms/picture")
    yield Measurement("  128 px: everything else", 1e3 * (whole - sum(spent.values())) / PICTURES, "ms/picture")


def _make(surface: Surface, size: int, seed: int) -> None:
    for start in range(0, PICTURES, TOGETHER):
        generators = [np.random.default_rng([seed, i]) for i in range(start, start + TOGETHER)]
        sample.sample_batch(generators, surface, size)


def _seconds(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


@contextmanager
def _clocked(module: ModuleType, function: str, spent: dict[str, float], name: str) -> Iterator[None]:
    """Add the time of ``function`` to ``spent[name]``, less that of timed functions inside it."""
    original = getattr(module, function)

    def clocked(*args: object) -> object:
        inside, start = sum(spent.values()), time.process_time()
        try:
            return original(*args)
        finally:
            spent[name] += time.process_time() - start - (sum(spent.values()) - inside)

    setattr(module, function, clocked)
    try:
        yield
    finally:
        setattr(module, function, original)


if __name__ == "__main__":
    sys.exit(0 if show(measure()) else 1)
