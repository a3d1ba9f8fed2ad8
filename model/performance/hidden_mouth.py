"""Hold of the mouth's keys while a hand or a thing hides it. numpy only, so that Blender can use it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..array_types import BoolArray, FloatArray
from .face_performance import FacePerformance, runs

# Probabilities that something hides the mouth. ``training.hidden_mouth`` prints what they take as hidden.
HIDDEN = 0.15  # the frames of a span are above this
CERTAIN = 0.5  # at least one of them is above this
RELEASE = 0.3  # the last of them is above this: a hand that leaves shows the mouth early
SUSPECT = 0.02  # a span begins with the first frame above this in the ARRIVAL seconds before: fingers look like teeth
ARRIVAL = 0.6  # seconds
SHORTEST = 0.12  # seconds; shorter spans are not held, since single frames may be wrong
BREAK = 0.8  # seconds; a shorter time without evidence between two spans is part of them
MARGIN = 0.08  # seconds before and after, in which the hand comes and goes
RETURN = 0.3  # seconds at the end of a span in which the keys move to the next known values
REGIONS = ("mouth", "jaw")  # how the names of the held keys begin


def with_mouth_held(performance: FacePerformance) -> FacePerformance:
    """Return the performance with the keys of mouth and jaw held where ``mouth_hidden`` says that they are hidden.

    A held key keeps its last known value and moves to the next known one in the last ``RETURN`` seconds. Before the
    first known value it has that one. Spans end at cuts and where there is no face. A span without any known value, and
    a performance without ``mouth_hidden``, stay as they are.
    """
    p = performance
    keys = np.flatnonzero([key.startswith(REGIONS) for key in p.expression_keys])
    if p.mouth_hidden is None or not len(keys):
        return p
    eta = p.eta.copy()
    shot = np.searchsorted(np.asarray(p.cuts), p.times + 1e-6)
    for first, last in runs(p.seen):
        for number in np.unique(shot[first : last + 1]):
            rows = first + np.flatnonzero(shot[first : last + 1] == number)
            hidden = _hidden(p.times[rows], p.mouth_hidden[rows])
            if hidden.any() and not hidden.all():
                eta[np.ix_(rows, keys)] = _held(p.times[rows], eta[np.ix_(rows, keys)], hidden)
    return replace(p, eta=eta)


def _hidden(times: FloatArray, probability: FloatArray) -> BoolArray:
    """Return which frames (T,) of one shot belong to spans that are held."""
    spans: list[tuple[int, int]] = []
    for first, last in runs(probability > HIDDEN):
        if spans and times[first] - times[spans[-1][1]] < BREAK:
            first = spans.pop()[0]
        spans.append((first, last))
    hidden = np.zeros(len(times), bool)
    for first, last in spans:
        if times[last] - times[first] >= SHORTEST and probability[first : last + 1].max() > CERTAIN:
            arrival = (times >= times[first] - ARRIVAL) & (probability > SUSPECT)
            begin, end = arrival.argmax(), first + np.flatnonzero(probability[first : last + 1] > RELEASE)[-1]
            hidden |= (times > times[begin] - MARGIN) & (times < times[end] + MARGIN)
    return hidden


def _held(times: FloatArray, values: FloatArray, hidden: BoolArray) -> FloatArray:
    """Fill the ``hidden`` rows of ``values`` (T, C) from the rows before and after them."""
    known = np.flatnonzero(~hidden)
    at = np.flatnonzero(hidden)
    after = np.searchsorted(known, at)
    last, upcoming = known[np.maximum(after - 1, 0)], known[np.minimum(after, len(known) - 1)]
    share = np.clip(1 - (times[upcoming] - times[at]) / RETURN, 0, 1)
    share[after == len(known)] = 0  # nothing follows
    filled = values.copy()
    filled[at] = values[last] + share[:, None] * (values[upcoming] - values[last])
    return filled
