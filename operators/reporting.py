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


def reports_in(
    settings: Callable[[bpy.types.Context], Any],
) -> Callable[[Callable[[Any, bpy.types.Context], str]], Callable[[Any, bpy.types.Context], set[str]]]:
    """Do what ``reports`` does, and keep the message or the error as ``result`` of ``settings`` for the panel."""

    def keeping(do: Callable[[Any, bpy.types.Context], str]) -> Callable[[Any, bpy.types.Context], set[str]]:
        @wraps(do)
        def kept(self: Any, context: bpy.types.Context) -> str:
            try:
                message = do(self, context)
            except InputError as error:
                settings(context).result = str(error)
                raise
            settings(context).result = message
            return message

        return reports(kept)

    return keeping


def of_scene(context: bpy.types.Context) -> bpy.types.PropertyGroup:
    """Return the scene's settings, for ``reports_in``."""
    return context.scene.expnet
