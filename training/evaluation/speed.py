"""Speed of the network, as a section of the page."""

from __future__ import annotations

from ..measurement import processor
from . import network_speed
from .section import Section, Table
from .subject import Subject


def measure(subject: Subject) -> Section:
    found = network_speed.measure(subject.weights)
    rows = tuple((m.what, float(m.value), m.unit, f"≤ {m.at_most:g}" if m.at_most else "") for m in found)
    return Section(
        "Speed",
        f"The median of repeated runs on {processor()}; other processes may run too. As used: a crop cut from a "
        "picture of 1280 x 720, network, pose. Alone: the network on prepared pixels. `python3 dev.py bench` "
        "measures this and the remaining steps to keyframes.",
        (),
        (Table(("", "time", "", "target"), rows),),
    )
