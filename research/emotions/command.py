"""The arguments of ``emotions`` and ``synthetic-emotions``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...model.builtin import OPEN
from ..arguments import positive, scale
from ..verb import Verb

SCALES = (1.0, 0.8, 0.6, 0.4, 0.2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", type=Path, metavar="FOLDER|TABLE.csv",
        help="CK+ as distributed, a folder EMOTION/SUBJECT_CLIP_FRAME.png, or a table: image,emotion,subject,clip",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for results.md, figures, tables")
    parser.add_argument(
        "--estimator", action="append", metavar="open|PATH", help="weights to compare; may be repeated (open)"
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--frames", default="peak", choices=("peak", "mean"), help="a clip's last frame, or their mean")
    parser.add_argument("--scales", type=scale, nargs="+", default=SCALES, metavar="S", help="of the pictures")
    parser.add_argument("--neighbours", type=positive, default=5, metavar="K", help="(5)")
    parser.add_argument(
        "--trials",
        type=int,
        default=12,
        metavar="N",
        help="of the SVM's search in each fold; 0: train nothing in folds",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--landmarks", metavar=".pts|PLUGIN", help="also Eq. (2): the landmark files' suffix, or a plug-in's name"
    )
    parser.add_argument(
        "--save", type=Path, metavar="FILE.npz", help="a classifier trained on all clips, for Label Emotions in Blender"
    )
    parser.add_argument("--head", type=Path, metavar="FILE.safetensors", help="an emotion head (the shipped one)")


def run(a: argparse.Namespace) -> None:
    from .measure import EmotionOptions, measure

    estimators = tuple(dict.fromkeys(a.estimator or [OPEN]))
    scales = tuple(dict.fromkeys(a.scales))
    measure(
        EmotionOptions(
            a.source,
            a.out,
            estimators,
            a.device,
            a.frames,
            scales,
            a.neighbours,
            a.trials,
            a.seed,
            a.landmarks,
            a.save,
            a.head,
        )
    )


def add_synthetic_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="FOLDER", help="a new folder, for EMOTION/SUBJECT_CLIP_FRAME.png")
    parser.add_argument("--clips", type=positive, default=327, metavar="N", help="(327, as CK+ has)")
    parser.add_argument("--views", action="store_true", help="each clip from two sides, listed in table.csv")
    parser.add_argument("--neutral", action="store_true", help="resting faces as an eighth class")
    parser.add_argument("--seed", type=int, default=0)


def run_synthetic(a: argparse.Namespace) -> None:
    from .synthetic import make

    make(a.out, a.clips, a.seed, a.views, a.neutral)


def add_head_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", type=Path, metavar="FOLDER|TABLE.csv", help="labelled clips, as 'emotions' reads them"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.safetensors", help="the head")
    parser.add_argument("--estimator", default=OPEN, metavar="open|PATH", help="the network that it belongs to (open)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--frames", default="peak", choices=("peak", "mean"), help="a clip's last frame, or their mean")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--license", default="as of the labelled pictures", help="written into the head's file")


def run_head(a: argparse.Namespace) -> None:
    from .head import HeadOptions, train_emotion_head

    print(train_emotion_head(HeadOptions(a.source, a.out, a.estimator, a.device, a.frames, a.seed, a.license)))


EMOTION_VERBS = (
    Verb("emotions", "emotions from coefficients, as ExpNet and DeepExp3D measured", add_arguments, run),
    Verb(
        "train-emotion-head", "an emotion head of the open network, from labelled clips", add_head_arguments, run_head
    ),
    Verb("synthetic-emotions", "a synthetic set for emotions", add_synthetic_arguments, run_synthetic),
)
