"""A measured number and its bound; time, memory, and the processor of the measurement."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measurement:
    """A measured ``value`` in ``unit``; ``at_most`` or ``at_least`` is the project's bound, if any."""

    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def holds(self) -> bool:
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )

    def __str__(self) -> str:
        bound = f"≤ {self.at_most:g}" if self.at_most is not None else ""
        bound = f"≥ {self.at_least:g}" if self.at_least is not None else bound
        verdict = "" if not bound else "ok" if self.holds else "SHORT"
        return f"{self.what:<62}{self.value:>10.4g} {self.unit:<12}{bound:>9}  {verdict}"


def show(measurements: Iterable[Measurement]) -> bool:
    """Print them, one a line, and return whether all bounds hold."""
    holds = True
    for measurement in measurements:
        print(measurement, flush=True)
        holds &= measurement.holds
    return holds


def seconds(action: Callable[[], object], repeat: int = 5, warm_up: int = 1) -> float:
    """Return the median time of ``action``. Other work on the machine only makes single runs slower."""
    for _ in range(warm_up):
        action()
    taken = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    model = {line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")}
    count = sum(line.startswith("processor") for line in lines)
    return f"{count} × {', '.join(sorted(model)) or platform.machine()}"
