"""The arguments of ``fine-tune-study``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..arguments import positive
from ..verb import Verb


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for clips, weights and study.md")
    parser.add_argument("--people", type=positive, default=4, metavar="N", help="(4)")
    parser.add_argument("--frames", type=positive, default=240, metavar="N", help="(240, at least 100)")
    parser.add_argument("--seed", type=int, default=0)


def _run(a: argparse.Namespace) -> None:
    from .study import study

    print(f"seed {a.seed}\n{study(a.out, a.people, a.frames, a.seed)}")


FINE_TUNE_VERBS = (
    Verb("fine-tune-study", "Measure expnet fine-tune on synthetic clips with known truth", _add_arguments, _run),
)
