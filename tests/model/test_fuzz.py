"""Five hundred damaged files, shared out among all readers; benchmarks/fuzz.py tries ten thousand."""

import sys

import pytest

from expnet.benchmarks.fuzz import fuzz, readers


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux tells it")
def test_damaged_files_are_read_or_refused_with_one_line() -> None:
    outcomes = fuzz(500, seed=3)
    assert sum(outcome.cases for outcome in outcomes.values()) == 500 and set(outcomes) == set(readers())
    bad = [line for outcome in outcomes.values() for line in outcome.shown]
    assert not bad
    for name, outcome in outcomes.items():
        assert outcome.read + outcome.refused == outcome.cases, name
        assert outcome.refused > outcome.cases / 5, f"{name}: damage is hardly noticed"
