"""The arguments of ``expnet research sheet``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...model.builtin import OPEN
from ..arguments import scale
from ..verb import Verb


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photos", type=Path, nargs="+", metavar="PHOTO|FOLDER")
    parser.add_argument("--out", type=Path, required=True, help="folder for sheet_NN.png and index.html")
    parser.add_argument("--estimator", action="append", metavar="open|PATH", help="a method; may be repeated (open)")
    parser.add_argument("--face-model", default=OPEN, metavar="PATH", help="the head of the authors' networks")
    parser.add_argument(
        "--landmarks", metavar=".pts|PLUGIN", help="also Eq. (2): the landmark files' suffix, or a plug-in's name"
    )
    parser.add_argument("--scales", type=scale, nargs="+", default=(1.0, 0.2), metavar="S", help="(1 0.2)")
    parser.add_argument("--pose", choices=("front", "photo"), default="front", help="how heads are turned (front)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))


def _run(a: argparse.Namespace) -> None:
    from .sheet import SheetOptions, write_sheets

    estimators = tuple(dict.fromkeys(a.estimator or [OPEN]))
    scales = tuple(dict.fromkeys(a.scales))
    print(
        write_sheets(
            SheetOptions(tuple(a.photos), a.out, estimators, a.face_model, a.landmarks, scales, a.pose, a.device)
        )
    )


SHEET_VERBS = (Verb("sheet", "photographs beside the heads that several methods make of them", _arguments, _run),)
