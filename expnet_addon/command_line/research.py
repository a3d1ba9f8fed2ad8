"""``expnet research VERB``: the verbs of the package's ``research/``, which the extension does not have.

It is imported by name and only for this verb: the import contracts keep scikit-learn, torch and OpenCV from what
Blender imports, and the other verbs start without it.
"""

from __future__ import annotations

import argparse
import importlib
import traceback
from collections.abc import Callable, Sequence
from types import ModuleType

from ...model.errors import InputError

INSTALL = "install the package with them: pip install 'expnet[research]', in a checkout '.[research]'"
EXTRAS = ("sklearn", "optuna", "matplotlib", "tqdm")  # the extra's modules


def parsed(
    parser_type: type[argparse.ArgumentParser], prog: str, words: Sequence[str]
) -> tuple[argparse.Namespace, list[str]]:
    """Parse the words after ``research`` as ``parse_known_args`` does. Raises InputError."""
    commands = _commands()
    whole = parser_type(prog=prog, description="The published experiments around ExpNet, on your own data.")
    verbs = whole.add_subparsers(dest="research_verb", required=True, metavar="VERB")
    for verb in commands.VERBS:
        one = verbs.add_parser(verb.name, help=verb.description, description=verb.description)
        verb.add_arguments(one)
        one.set_defaults(run=lambda a, run=verb.run: _run(run, a))
    return whole.parse_known_args(words)


def _commands() -> ModuleType:
    try:
        return importlib.import_module("...research.commands", __package__)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in EXTRAS:
            raise InputError(f"'research' needs {error.name}: {INSTALL}") from error
        if error.name and error.name.endswith(("research", "research.commands")):
            raise InputError(f"the extension does not have the verbs of 'research': {INSTALL}") from error
        raise


def _run(run: Callable[[argparse.Namespace], None], arguments: argparse.Namespace) -> None:
    try:
        run(arguments)
    except InputError as error:
        traceback.clear_frames(error.__traceback__)  # progress bars end their line before the message is printed
        raise
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in EXTRAS:
            raise InputError(f"this needs {error.name}: {INSTALL}") from error
        raise
