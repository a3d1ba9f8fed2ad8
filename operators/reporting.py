"""How an operator without a task ends: what it did as a report, bad input as an error report."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import bpy

from ..model.errors import InputError


def reports(do: Callable[[Any, bpy.types.Context], str]) -> Callable[[Any, bpy.types.Context], set[str]]:
    """Make ``execute`` of a method that returns what to tell the user, or nothing.

    InputError is reported as an error and cancels the operator. Lines of what is told become sentences.
    """

    @wraps(do)
    def execute(self: Any, context: bpy.types.Context) -> set[str]:
        try:
            told = do(self, context)
        except InputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if told:
            self.report({"INFO"}, told.replace("\n", ". "))
        return {"FINISHED"}

    return execute
