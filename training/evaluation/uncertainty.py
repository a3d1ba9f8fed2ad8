"""Calibration of uncertainty: the network's own variance of eta against its actual error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from ...model.array_types import FloatArray
from .section import Plot, Score, Section, Table
from .subject import Subject

PARTS = 10


def measure(subject: Subject) -> Section:
    error = (subject.seen["eta"] - subject.truth["eta"]).numpy().astype(np.float64)
    deviation = np.exp(0.5 * subject.seen["eta_log_variance"].numpy().astype(np.float64))
    said, found = by_size(deviation.ravel(), error.ravel())
    normalised = error / deviation
    scores = (
        Score(
            "predicted against actual error, mean of |log ratio|", float(np.abs(np.log(found / said)).mean()), "lower"
        ),
        Score("most certain tenth against least certain", float(found[-1] / found[0]), "higher"),
    )
    rows = tuple((f"{i + 1}", float(s), float(f), float(f / s)) for i, (s, f) in enumerate(zip(said, found)))
    inside = [float((np.abs(normalised) < k).mean()) for k in (1, 2, 3)]
    return Section(
        "Uncertainty",
        "The network predicts a variance for every key of every held-out face. All predictions are sorted and "
        "divided into tenths. Each row has the root mean square of the predicted deviations and of the actual "
        f"errors; their ratio is 1 for a calibrated prediction. {100 * inside[0]:.0f} %, {100 * inside[1]:.0f} % and "
        f"{100 * inside[2]:.1f} % of the errors lie within 1, 2 and 3 predicted deviations (68, 95 and 99.7 % for a "
        "normal distribution).",
        scores,
        (
            Table(
                ("tenth", "predicted", "actual", "actual / predicted"), rows, "From the most to the least certain tenth"
            ),
        ),
        (Plot("uncertainty", "Actual error against predicted deviation, by tenths", _curve(said, found), (5, 4)),),
    )


def by_size(deviation: FloatArray, error: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Root mean squares of predicted deviation and of error in tenths of rising deviation, (PARTS,) each."""
    order = np.argsort(deviation, kind="stable")
    parts = np.array_split(order, PARTS)

    def rms(values: FloatArray) -> FloatArray:
        return np.sqrt([np.mean(values[p] ** 2) for p in parts])

    return rms(deviation), rms(error)


def _curve(said: FloatArray, found: FloatArray) -> Callable[[Figure], None]:
    def draw(figure: Figure) -> None:
        axis = figure.add_subplot()
        axis.loglog(said, found, "o-", label="actual")
        axis.loglog(said, said, "k--", linewidth=0.8, label="calibrated")
        axis.set_xlabel("predicted deviation")
        axis.set_ylabel("actual error, rms")
        axis.grid(alpha=0.3, which="both")
        axis.legend(fontsize=8)

    return draw
