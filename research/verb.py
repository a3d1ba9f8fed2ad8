"""A verb of ``expnet research``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

AddArguments = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace], None]


@dataclass(frozen=True)
class Verb:
    """``expnet research NAME``: its line in the help, what fills its parser, and what does its work.

    ``run`` raises InputError for the user's mistakes.
    """

    name: str
    description: str
    add_arguments: AddArguments
    run: Run
