"""The verbs ``annotate`` and ``annotate-study``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..verb import Verb


def _annotate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP", help="movies, or folders of images")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a stopped run continues there")
    parser.add_argument(
        "--points", default="network", metavar="network|.SUFFIX|PLUG-IN",
        help="the open network's points (default), a table in OpenFace's format beside each clip, or a plug-in",
    )  # fmt: skip
    parser.add_argument(
        "--camera", choices=("perspective", "orthographic"), default="perspective", help="orthographic: scaled"
    )
    parser.add_argument("--lens", type=float, default=50.0, metavar="MM", help="focal length on a 36 mm sensor (50)")
    parser.add_argument("--frames", type=int, default=2000, metavar="F", help="the most frames of a track (2000)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="write the label of each N-th frame (1)")


def _annotate(a: argparse.Namespace) -> None:
    from ...model.errors import InputError
    from .annotate import AnnotateOptions, annotate

    if a.frames < 10 or a.every < 1 or not 1 <= a.lens <= 10000:
        raise InputError("--frames is at least 10, --every at least 1, and --lens from 1 to 10000 mm")
    options = AnnotateOptions(tuple(a.clips), a.out, a.points, a.camera == "orthographic", a.lens, a.frames, a.every)
    print(annotate(options))


def _study_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for the clips and study.md")
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)


def _study(a: argparse.Namespace) -> None:
    from .study import study

    print(f"seed {a.seed}\n{study(a.out, a.people, a.frames, a.seed)}")


ANNOTATE_VERBS = (
    Verb(
        "annotate",
        "Annotate clips: one identity, and an expression for each frame, from points over all frames",
        _annotate_arguments,
        _annotate,
    ),
    Verb(
        "annotate-study",
        "Measure annotation and animate --fit on synthetic clips with known truth",
        _study_arguments,
        _study,
    ),
)
