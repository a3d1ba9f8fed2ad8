"""One person's brows: their shape, height, and frown."""

from __future__ import annotations

import numpy as np

from ...model.array_types import FloatArray
from ...model.face.semantics import OPEN_KEYS
from .paint import PAINT, TEXELS, Brows, drawn_brows
from .photographs import photographed_brows
from .surface import Surface

# Mean and standard deviation in mm of people's brow height beyond what their bones do. Drawn always at one place, low
# brows were read as drawn down, and a smile below them as a sneer.
BROW_HEIGHT = -0.2, 2.3
KNIT = 1.2  # mm at most that a frown draws a brow towards the nose beyond the key of the head
PHOTOGRAPHED_SHARE = 0.4
FROWN = [OPEN_KEYS.index("browDown_L"), OPEN_KEYS.index("browDown_R")]


def sample_brows(rng: np.random.Generator, surface: Surface, eta: FloatArray) -> Brows:
    """Return a person's brows at their own height, drawn together a little more where ``eta`` (29,) frowns."""
    stock, chosen = drawn_brows(surface), rng.random()
    if surface.realism:
        apart = rng.spawn(1)[0]  # its draws do not change the state of ``rng``
        if apart.random() < PHOTOGRAPHED_SHARE:
            stock = photographed_brows(surface)
    masks, line = stock[int(chosen * len(stock))]
    middle, spread = BROW_HEIGHT
    height = middle + np.clip(rng.normal(0, spread), -2 * spread, 2 * spread) + rng.normal(0, 0.4, 2)
    inwards = eta[FROWN] * rng.uniform(0, KNIT, 2) * [-1, 1]
    rows, columns = ((n * mm).round().astype(int).tolist() for n, mm in zip(TEXELS, (height, inwards), strict=True))
    lines = np.stack([line, [PAINT, 0] + line * [-1, 1]])
    return Brows(masks, lines, ((rows[0], columns[0]), (rows[1], columns[1])))
