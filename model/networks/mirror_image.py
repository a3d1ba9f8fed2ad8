"""What a network says of a picture's mirror image, as what it says of the picture.

The errors of the two readings differ, so their mean is nearer to the truth than either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..array_types import FloatArray, IntArray
from ..face.dense_points import DENSE_MIRROR
from ..face.semantics import LANDMARK_MIRROR, OPEN_KEY_MIRROR, mirror_open_alpha, mirror_open_eta
from .architectures import LANDMARK_ROWS
from .glimpse_order import GLIMPSE_ORDER, LANDMARKS

# Of each row of the outputs ``landmarks`` and ``points``: the row of its counterpart on the other side.
LANDMARK_ROWS_MIRROR = [LANDMARK_ROWS.index(LANDMARK_MIRROR[row]) for row in LANDMARK_ROWS]
_GLIMPSE_MIRROR = (*LANDMARK_ROWS_MIRROR, *(LANDMARKS + DENSE_MIRROR))
POINTS_MIRROR = [GLIMPSE_ORDER.index(_GLIMPSE_MIRROR[row]) for row in GLIMPSE_ORDER]
SIGNS = {
    "gaze": np.array([-1, 1], np.float32),
    "rotation": np.array([1, -1, -1, -1, 1, 1], np.float32),
    "crop": np.array([-1, 1, 1], np.float32),
}


def of_the_picture(outputs: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Convert the outputs for mirror images to outputs for the pictures themselves.

    They are named as in ``architectures.output_widths``, each (B, width), with ``points`` where the network has some.
    """
    found = dict(outputs)
    for name in found.keys() & SIGNS.keys():
        found[name] = outputs[name] * SIGNS[name]
    for name, rows in (("landmarks", LANDMARK_ROWS_MIRROR), ("points", POINTS_MIRROR)):
        if name in found:
            points = outputs[name].reshape(len(outputs[name]), -1, 2)
            found[name] = mirrored_points(points, rows).reshape(outputs[name].shape)
    found["eta"] = mirror_open_eta(outputs["eta"])
    if "alpha" in found:
        found["alpha"] = mirror_open_alpha(outputs["alpha"])
    if "eta_log_variance" in found:
        found["eta_log_variance"] = outputs["eta_log_variance"][:, OPEN_KEY_MIRROR]
    return found


def mean_of_both(own: Mapping[str, FloatArray], mirrored: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the mean of the outputs for pictures and of those for their mirror images, in the order of ``own``."""
    other = of_the_picture(mirrored)
    return {name: (value + other[name]) / 2 for name, value in own.items()}


def mirrored_points(points: FloatArray, rows: Sequence[int] | IntArray) -> FloatArray:
    """Mirror points (B, P, 2) in the unit crop, whose counterparts are those of ``rows``."""
    mirrored = points[:, np.asarray(rows)]
    mirrored[..., 0] = 1 - mirrored[..., 0]
    return mirrored
