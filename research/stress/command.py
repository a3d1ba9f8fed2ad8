"""The arguments of ``stress`` and ``synthetic-stress``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..arguments import positive
from ..verb import Verb


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds from 0 to 3600")
    return number


def _folds(text: str) -> int:
    number = positive(text)
    if number < 2:
        raise argparse.ArgumentTypeError("at least 2 folds are needed")
    return number


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "table", type=Path, metavar="TABLE.csv",
        help="recording,subject,phase,stress and, if you like, start,end in seconds; a recording is an .npz of animate",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder for results.md and accuracies.csv")
    parser.add_argument("--without", nargs="+", default=[], metavar="PHASE", help="phases to leave out, such as speech")
    parser.add_argument("--folds", type=_folds, default=5, help="with disjoint subjects (5)")
    parser.add_argument("--repeats", type=positive, default=10, help="with other folds (10)")
    parser.add_argument(
        "--window", type=_seconds, default=4.0, metavar="SECONDS", help="of the statistics; 0: none (4)"
    )
    parser.add_argument("--step", type=_seconds, default=1.0, metavar="SECONDS", help="between the frames used (1)")
    parser.add_argument("--seed", type=int, default=0)


def _run(a: argparse.Namespace) -> None:
    from .measure import StressOptions, measure

    options = StressOptions(a.table, a.out, tuple(a.without), a.folds, a.repeats, a.window, max(a.step, 1e-3), a.seed)
    print(measure(options))


def _synthetic_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, help="a new folder, for recordings and table.csv")
    parser.add_argument("--subjects", type=positive, default=25)
    parser.add_argument("--seed", type=int, default=0)


def _run_synthetic(a: argparse.Namespace) -> None:
    from .synthetic import make

    make(a.out, a.subjects, a.seed)


STRESS_VERBS = (
    Verb("stress", "stress of recorded people from coefficients, pose and gaze", _arguments, _run),
    Verb("synthetic-stress", "simulated recordings for stress", _synthetic_arguments, _run_synthetic),
)
