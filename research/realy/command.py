"""The arguments of ``realy`` and ``synthetic-scans``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...model.builtin import OPEN
from ..arguments import positive
from ..verb import Verb


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("heads", type=Path, metavar="FOLDER", help="OBJ or PLY heads, named PERSON or PERSON_VIEW")
    parser.add_argument("--scans", type=Path, required=True, help="REALY's data, or PERSON/nose.obj … keypoints.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder for results.md, errors.csv and errors.png")
    parser.add_argument(
        "--key-points",
        default=OPEN,
        metavar="open|PATH|beside",
        help="of the heads: their face model (open), REALY's barycentric .txt, or HEAD.csv with 7, 68 or 85 points",
    )


def _run(a: argparse.Namespace) -> None:
    from .measure import measure

    print(measure(a.heads, a.scans, a.out, a.key_points))


def _synthetic_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, help="a new folder, for scans/ and people/")
    parser.add_argument("--people", type=positive, default=30)
    parser.add_argument("--seed", type=int, default=0)


def _run_synthetic(a: argparse.Namespace) -> None:
    from .synthetic import make

    make(a.out, a.people, a.seed)


REALY_VERBS = (
    Verb("realy", "the regional error of heads against scans, as REALY measures it", _arguments, _run),
    Verb("synthetic-scans", "scans and photographs of synthetic people", _synthetic_arguments, _run_synthetic),
)
