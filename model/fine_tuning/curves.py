"""A plot of curves before and after, as SVG, which needs no library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..array_types import FloatArray
from ..files import write_whole

WIDTH, ROW, LEFT = 900, 110, 130
COLOURS = ("#999999", "#1f77b4", "#d62728")


def write_curves(path: Path, names: Sequence[str], curves: Mapping[str, FloatArray], shown: int = 5) -> None:
    """Write the curves (F, Ke) of the ``shown`` keys that move most; the first curve is drawn widest."""
    first = next(iter(curves.values()))
    chosen = np.argsort(-first.std(0), kind="stable")[:shown]
    height = ROW * len(chosen) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
    ]
    for i, (name, colour) in enumerate(zip(curves, COLOURS)):
        parts.append(f'<text x="{LEFT + 160 * i}" y="20" fill="{colour}">{name}</text>')
    for row, key in enumerate(chosen):
        low = min(float(c[:, key].min()) for c in curves.values())
        high = max(float(c[:, key].max()) for c in curves.values())
        top = 30 + ROW * row
        parts.append(f'<text x="8" y="{top + ROW / 2:.0f}">{names[key]}</text>')
        for i, (values, colour) in enumerate(zip(curves.values(), COLOURS)):
            x = LEFT + np.arange(len(values)) / max(len(values) - 1, 1) * (WIDTH - LEFT - 10)
            y = top + ROW - 8 - (values[:, key] - low) / max(high - low, 1e-6) * (ROW - 16)
            points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y))
            wide = 1.2 if i else 3
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{wide}"/>')
    write_whole(path, ("\n".join([*parts, "</svg>"]) + "\n").encode())
