"""What shutting lips that are seen shut (``model.networks.shut_lips``) changes in held-out faces."""

from __future__ import annotations

import numpy as np

from ...model.array_types import FloatArray
from ...model.networks.shut_lips import GAP
from .measures import region_error
from .section import Table
from .subject import Subject

CHANGED = 1e-3  # of a key


def shut_lips(subject: Subject) -> tuple[Table, ...]:
    """Return a table of the faces that change, before and after; none for a network without points."""
    if "eta_read" not in subject.seen:
        return ()
    read, shown = (subject.seen[name].numpy() for name in ("eta_read", "eta"))
    truth = subject.truth["eta"].numpy()
    changed = np.abs(shown - read).max(1) > CHANGED
    if not changed.any():
        return ()

    def gap_error(eta: FloatArray) -> float:
        # Lips that press each other count as shut.
        return float(np.abs(np.maximum(eta @ GAP, 0) - np.maximum(truth @ GAP, 0))[changed].mean())

    def lips(eta: FloatArray) -> float:
        return region_error(subject.model, ("lips",), (eta - truth)[changed])

    title = f"Lips that are seen shut are shown shut: the {changed.mean():.0%} of the faces that this changes, mm"
    rows = (("gap between the lips", gap_error(read), gap_error(shown)), ("lips", lips(read), lips(shown)))
    return (Table(("mean distance from the truth", "as read", "as shown"), rows, title),)
