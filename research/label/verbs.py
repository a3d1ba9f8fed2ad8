"""The verbs of ``expnet research`` that make and use expression labels."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...model.builtin import OPEN
from ...model.errors import InputError
from ..arguments import positive
from ..verb import Verb

SUBJECT_HELP = "who an image shows: its folder, the name up to the first _, each image its own, or a CSV image,subject"


def _label_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="images, also in subfolders")
    parser.add_argument("--out", type=Path, required=True, help="folder for the labels; a stopped run continues there")
    parser.add_argument(
        "--landmarks", default=".pts", help="suffix of the landmark files (.pts, .json, .csv) or a plug-in's name"
    )
    parser.add_argument(
        "--pose", choices=("given", "solved"), default="solved", help="the network's pose, or solved with eta (default)"
    )
    parser.add_argument("--subjects", default="folder", help=SUBJECT_HELP)
    parser.add_argument("--lens-mm", type=float, default=50.0, help="lens on a 36 mm sensor (default 50)")
    parser.add_argument("--estimator", default=OPEN, metavar="open|PATH", help="what reads alpha and pose (open)")
    parser.add_argument("--face-model", default=OPEN, metavar="open|PATH", help="the head that belongs to it (open)")
    parser.add_argument("--cluster", choices=("ray",), help="read the images on a Ray cluster")
    parser.add_argument("--address", help="of a running Ray cluster; without it, this machine's cores")


def _label(a: argparse.Namespace) -> None:
    from .label import LabelOptions, label

    if a.address and not a.cluster:
        raise InputError("--address is that of a Ray cluster: add --cluster ray")
    options = LabelOptions(
        a.folder,
        a.out,
        a.landmarks,
        a.pose,
        a.subjects,
        a.lens_mm,
        _absolute(a.estimator),
        _absolute(a.face_model),
        a.cluster is not None,
        a.address,
    )
    print(label(options))


def _absolute(source: str) -> str:
    return source if source == OPEN else str(Path(source).absolute())


def _noise_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder for noise.csv and noise.png")
    parser.add_argument("--faces", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)


def _noise(a: argparse.Namespace) -> None:
    from .noise import write_noise_study

    print(f"seed {a.seed}\n{write_noise_study(a.out, a.faces, a.seed)}")


def _photographs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--noise", type=float, default=1.5, help="of the landmarks, pixels (default 1.5)")
    parser.add_argument("--seed", type=int, default=0)


def _photographs(a: argparse.Namespace) -> None:
    from ..synthetic_photographs import write_photographs

    write_photographs(a.out, a.count, a.seed, a.noise)
    print(f"seed {a.seed}: {a.count} photographs in {a.out}")


def _renders_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, help="shards of seed 0 and 1 that training.synthetic.generate wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for the labels; a stopped run continues there")
    parser.add_argument("--noise", type=float, default=3.0, help="of the landmarks, pixels (default 3)")
    parser.add_argument(
        "--alpha", choices=("read", "true", "mean"), default="read", help="read from the picture, known, or 0 (read)"
    )
    parser.add_argument("--shards", type=positive, metavar="N", help="label N shards of seed 0 (default: all)")
    parser.add_argument("--seed", type=int, default=0)


def _renders(a: argparse.Namespace) -> None:
    from .render_labels import RenderLabels, label_renders

    if not 0 <= a.noise < 100:
        raise InputError(f"--noise {a.noise} is not between 0 and 100 pixels")
    print(label_renders(a.data, a.out, RenderLabels(a.noise, a.alpha, a.seed), a.shards))


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("labels", type=Path, help="what label, annotate or label-renders wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures and the run")
    parser.add_argument("--config", type=Path, help="a recipe (default: the paper's ResNet-101, configs/paper.toml)")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--every", type=int, default=500, help="steps between evaluations and checkpoints")
    parser.add_argument("--subjects", default="folder", help=SUBJECT_HELP)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from a stopped run")


def _train(a: argparse.Namespace) -> None:
    from .train_expnet import TrainOptions, train_expnet

    print(train_expnet(TrainOptions(a.labels, a.out, a.config, a.steps, a.every, a.subjects, a.seed, a.resume)))


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("labels", type=Path)
    parser.add_argument(
        "--truth", type=Path, help="CSV with the columns image and the 29 keys; label-renders' labels hold it already"
    )
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--subjects", default="folder", help=SUBJECT_HELP)
    parser.add_argument("--seed", type=int, default=0, help="the seed of train-expnet, which holds people out")


def _compare(a: argparse.Namespace) -> None:
    from .compare import compare

    print(compare(a.labels, a.truth, a.weights, a.subjects, a.seed))


LABEL_VERBS = (
    Verb(
        "photographs",
        "Render photographs with landmark files and true expressions",
        _photographs_arguments,
        _photographs,
    ),
    Verb("label", "Label photographs with expressions from their landmarks, Eq. (2)", _label_arguments, _label),
    Verb("label-renders", "Label rendered faces by Eq. (2) from noisy landmarks", _renders_arguments, _renders),
    Verb("label-noise", "Measure how well Eq. (2) recovers expressions from noisy landmarks", _noise_arguments, _noise),
    Verb("train-expnet", "Train a network on such labels by the paper's recipe", _train_arguments, _train),
    Verb("compare-labels", "Compare a network with its labels, where the truth is known", _compare_arguments, _compare),
)
