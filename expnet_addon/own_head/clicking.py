"""Placing the points by hand, one after another: which is next, the last one undone, everything undone."""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from ...model.own_head.point_names import LABELS, REQUIRED
from . import points

ORDER = (*REQUIRED, *(name for name in LABELS if name not in REQUIRED))


class Clicking:
    """A round of clicks on a head. Points that are there already are left out, unless all are there."""

    def __init__(self, head: bpy.types.Object) -> None:
        self.head = head
        there = points.handles_of(head)
        left = [name for name in ORDER if name not in there]
        self.names = left or list(ORDER)
        self._before = {} if left else points.places_of(head)
        self._done: list[bool] = []  # for each name that had its turn: whether it was placed

    @property
    def next(self) -> str | None:
        """Return the name of the point to be clicked next, or None."""
        return self.names[len(self._done)] if len(self._done) < len(self.names) else None

    @property
    def placed(self) -> int:
        return sum(self._done)

    @property
    def enough(self) -> bool:
        """Return whether the keys can be made from what is there."""
        there = points.handles_of(self.head)
        return all(name in there for name in REQUIRED)

    def prompt(self) -> str:
        """Return what the artist is to do now."""
        if self.next is None:
            return "All points are placed"
        return f"Click the {LABELS[self.next]} ({len(self._done) + 1} of {len(self.names)})"

    def place(self, at: Sequence[float]) -> None:
        """Place the next point at a place in the world."""
        if self.next is not None:
            points.place(self.head, self.next, at)
            self._done.append(True)

    def skip(self) -> None:
        if self.next is not None:
            self._done.append(False)

    def undo(self) -> None:
        """Take back the last click or skip."""
        if self._done and self._done.pop():
            self._put_back(self.names[len(self._done)])

    def undo_all(self) -> None:
        while self._done:
            self.undo()

    def _put_back(self, name: str) -> None:
        if name in self._before:
            points.place(self.head, name, self._before[name])
        else:
            points.remove(self.head, name)
