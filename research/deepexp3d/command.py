"""The arguments of ``expnet research deepexp3d``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...model.builtin import OPEN
from ..arguments import positive
from ..label.verbs import SUBJECT_HELP
from ..verb import Verb


def _rate(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no learning rate")
    return number


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", type=Path, metavar="TABLE.csv|LABELS",
        help="a table image,KEY,KEY…, or a folder that expnet research label wrote",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder for results.md and weights.safetensors")
    parser.add_argument("--fine-tune", type=Path, metavar="TABLE.csv|LABELS", help="a second data set")
    parser.add_argument("--landmarks", default=".pts", help="suffix of the landmark files, or a plug-in's name (.pts)")
    parser.add_argument("--subjects", default="image", help=SUBJECT_HELP)
    parser.add_argument("--face-model", default=OPEN, metavar="PATH", help="with 28 expressions or more (open)")
    parser.add_argument("--tiny", action="store_true", help="a small network at 64 pixels, for a CPU; not ResNet-50")
    parser.add_argument("--epochs", type=positive, default=30)
    parser.add_argument("--batch", type=positive, default=32)
    parser.add_argument("--rate", type=_rate, default=1e-3, help="of learning; a tenth of it to fine-tune (1e-3)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))


def _run(a: argparse.Namespace) -> None:
    from .measure import DeepExp3DOptions, run

    print(
        run(
            DeepExp3DOptions(
                a.source, a.out, a.fine_tune, a.landmarks, a.subjects, a.face_model, a.tiny, a.epochs, a.batch, a.rate,
                a.seed, a.device,
            )
        )
    )  # fmt: skip


DEEPEXP3D_VERBS = (
    Verb("deepexp3d", "expressions of registered photographs by a ResNet-50, against a linear fit", _arguments, _run),
)
