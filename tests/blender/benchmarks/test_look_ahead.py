"""The table of looks ahead has a row of numbers for a clip, and leaves the estimator as it was."""

from __future__ import annotations

import pytest

from expnet.model.networks import engines
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS


def test_a_row_of_the_table() -> None:
    pytest.importorskip("torch")
    from expnet.benchmarks import look_ahead

    estimator = engines.start(device="cpu", engine="full").estimator
    cells = look_ahead.row(OPEN_WEIGHTS.with_name("demo_clip.mp4"), estimator).strip("| ").split(" | ")
    assert cells[0] == "demo_clip" and int(cells[1]) > 50
    mean, most, quick, slow = (float(cells[i]) for i in (2, 5, 7, 8))
    assert 0 < mean < 0.01 and mean < most
    assert quick > 0 and slow > 0
    assert estimator.looks_ahead == 4
