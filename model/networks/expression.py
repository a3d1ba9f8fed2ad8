"""The expression that is shown, from a network's outputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..array_types import FloatArray
from .responses import Responses
from .shut_lips import with_shut_lips

LEAST_SLOPE = 1e-3  # of a response: where it is flat, the deviation is small but not zero


def expression_of(outputs: Mapping[str, FloatArray], responses: Responses | None) -> tuple[FloatArray, FloatArray]:
    """Return eta and its standard deviation, each (B, Ke): the responses applied, lips shut that are seen shut.

    ``outputs`` are the network's by name, each (B, width), with ``points`` where it has some.
    """
    eta, deviation = outputs["eta"], np.exp(0.5 * np.clip(outputs["eta_log_variance"], -20, 10))
    if responses is not None:
        eta, slopes = responses.with_slopes(eta)
        deviation = deviation * np.maximum(slopes, LEAST_SLOPE)
    return with_shut_lips(eta, deviation, outputs), deviation
