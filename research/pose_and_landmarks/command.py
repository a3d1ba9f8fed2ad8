"""The arguments of ``pose-and-landmarks`` and ``synthetic-poses``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...model.builtin import OPEN
from ..arguments import positive
from ..verb import Verb


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        type=Path,
        metavar="FOLDER|TABLE.csv",
        help="AFLW2000-3D as distributed, or a table such as synthetic-poses writes",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for results.md and errors.csv")
    parser.add_argument(
        "--estimator", action="append", metavar="open|PATH", help="weights to compare; may be repeated (open)"
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument(
        "--boxes", choices=("true", "found"), default="true", help="faces by their true landmarks' box, or searched for"
    )


def _run(a: argparse.Namespace) -> None:
    from .measure import measure

    print(measure(a.source, a.out, tuple(dict.fromkeys(a.estimator or [OPEN])), a.device, a.boxes))


def _add_synthetic(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="FOLDER", help="a new folder")
    parser.add_argument("--count", type=positive, default=600, metavar="N", help="(600)")
    parser.add_argument("--seed", type=int, default=7)


def _run_synthetic(a: argparse.Namespace) -> None:
    from .synthetic import make

    make(a.out, a.count, a.seed)
    print(f"seed {a.seed}: {a.count} pictures in {a.out}")


POSE_VERBS = (
    Verb("pose-and-landmarks", "Yaw, pitch, roll and NME as AFLW2000-3D is measured", _add_arguments, _run),
    Verb("synthetic-poses", "Synthetic faces with known pose and landmarks", _add_synthetic, _run_synthetic),
)
