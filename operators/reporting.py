"""Report the result of an operator without a task; InputError becomes an error report."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import bpy

from ..model.errors import InputError


def reports(do: Callable[[Any, bpy.types.Context], str]) -> Callable[[Any, bpy.types.Context], set[str]]:
    """Make ``execute`` from a method that returns a message for the user, or an empty string.

    InputError is reported as an error and cancels the operator. The lines of the message become sentences.
    """

    @wraps(do)
    def execute(self: Any, context: bpy.types.Context) -> set[str]:
        try:
            message = do(self, context)
        except InputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if message:
            self.report({"INFO"}, message.replace("\n", ". "))
        return {"FINISHED"}

    return execute
