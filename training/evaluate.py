"""Evaluate the network: ``python -m expnet.training.evaluate WEIGHTS DATA``.

DATA holds the held-out synthetic faces (shards of seed 1). Prints one section after the other as tables: what was
measured, how, and whether it reaches the project's bounds. A section without its inputs is not run and is reported as
such. ``--against OLD`` measures other weights in the same way and reports line by line which are better. Weights ship
only if they beat the last ones on every line. ``--docs docs`` writes docs/ACCURACY.md with its plots; it requires all
sections to be run, or ``--partial``, with which the others stay as the page has them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..model.builtin import OPEN
from ..model.errors import InputError
from ..model.formats import open_face_model
from .dataset import ShardFolder
from .evaluation import (
    ablations,
    ceiling,
    consistency,
    everyone,
    finder,
    hand,
    held_out,
    identity,
    judge,
    other_renderer,
    real_faces,
    rest,
    scale,
    speed,
    temporal,
    uncertainty,
    video,
)
from .evaluation.measures import LID_REGIONS, correlations, load_network, predict, region_error, rotation_error, summary
from .evaluation.page import Entry, write_page
from .evaluation.section import Section, as_text
from .evaluation.subject import Subject

__all__ = [
    "LID_REGIONS", "SECTIONS", "correlations", "load_network", "main", "predict", "region_error", "rotation_error",
    "summary",
]  # fmt: skip


@dataclass(frozen=True)
class Input:
    """An option of the command: an input of a section other than the held-out pictures.

    It may be given ``many`` times as NAME=FILE. Without an ``optional`` one the section has fewer numbers.
    """

    option: str
    placeholder: str
    help: str
    many: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Measured:
    """A section and its call: ``measure(subject, *inputs)``."""

    name: str
    measure: Callable[..., Section]
    inputs: tuple[Input, ...] = ()

    @property
    def command(self) -> str:
        needs = "".join(f" --{i.option} {i.placeholder}" + " …" * i.many for i in self.inputs)
        return f"python -m expnet.training.evaluate WEIGHTS DATA --only {self.name}{needs}"


PICTURES = Input("pictures", "FOLDER", "real pictures of faces")
FOOTAGE = Input("footage", "FOLDER", "real clips; what was seen in them stands in training/evaluation/clips.toml")
TRAINING = Input("training", "FOLDER", "training pictures (shards of seed 0), for what their labels tell")
ABLATION = Input("ablation", "NAME=WEIGHTS", "weights trained without one ingredient; once for each", many=True)
RENDERED = Input("rendered", "FOLDER", "what benchmarks/other_renderer.py rendered")
REAL_FACES = Input(
    "real-faces", "FOLDER", "people with neutral/ and smiling/ faces, and .tem files of points set by hand"
)
PORTRAITS = Input("portraits", "FOLDER", "real portraits of people who do not raise or lower their brows")
JUDGE = Input("judge", "NPZ", "an independent network's scores of clips in --footage (training/evaluation/judge.py)")
CUTOUTS = Input("cutouts", "FOLDER", "heads cut out for scenes, seed 1 (training/synthetic/cutouts.py)")
SECTIONS = (
    Measured("held_out", held_out.measure, (replace(TRAINING, optional=True),)),
    Measured("ceiling", ceiling.measure, (TRAINING,)),
    Measured("other_renderer", other_renderer.measure, (RENDERED,)),
    Measured("rest", rest.measure, (replace(REAL_FACES, optional=True),)),
    Measured("real_faces", real_faces.measure, (REAL_FACES, replace(PORTRAITS, optional=True))),
    Measured("scale", scale.measure),
    Measured("consistency", consistency.measure, (PICTURES, FOOTAGE)),
    Measured("video", video.measure, (FOOTAGE,)),
    Measured("hand", hand.measure, (FOOTAGE,)),
    Measured("judge", judge.measure, (JUDGE, FOOTAGE)),
    Measured("everyone", everyone.measure, (FOOTAGE,)),
    Measured("temporal", temporal.measure),
    Measured("finder", finder.measure, (CUTOUTS, PICTURES, FOOTAGE)),
    Measured("identity", identity.measure),
    Measured("uncertainty", uncertainty.measure),
    Measured(
        "ablations", ablations.measure, (ABLATION, replace(RENDERED, optional=True), replace(FOOTAGE, optional=True))
    ),
    Measured("speed", speed.measure),
)


def main(arguments: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(arguments)
    torch.set_num_threads(args.threads)
    try:
        return _evaluate(args)
    except (InputError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--against", type=Path, metavar="OLD", help="the weights to beat")
    parser.add_argument("--only", nargs="+", choices=[s.name for s in SECTIONS], metavar="SECTION")
    parser.add_argument("--docs", type=Path, help="folder in which to write ACCURACY.md and accuracy/*.svg")
    parser.add_argument("--partial", action="store_true", help="write --docs though sections are not run: they stay")
    parser.add_argument("--threads", type=int, default=1)
    for need in {i.option: i for s in SECTIONS for i in s.inputs}.values():
        how = {"type": _named, "action": "append"} if need.many else {"type": Path}
        parser.add_argument(f"--{need.option}", metavar=need.placeholder, help=need.help, **how)
    return parser


def _named(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not name or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=WEIGHTS")
    return name, Path(path)


def _evaluate(args: argparse.Namespace) -> int:
    data = ShardFolder(args.data, seed=1)
    subject = Subject(args.weights, data.all(), open_face_model(OPEN))
    old = replace(subject, weights=args.against) if args.against else None
    missing, chosen = [], []
    for section in SECTIONS:
        given = [getattr(args, i.option.replace("-", "_")) for i in section.inputs]
        lacking = any(g is None and not i.optional for g, i in zip(given, section.inputs, strict=True))
        if lacking or (args.only and section.name not in args.only):
            missing.append(section.name)
        else:
            chosen.append((section, given))
    if args.docs and missing and not args.partial:
        raise InputError(
            f"{args.docs}: not written, for these sections are not run: {', '.join(missing)}. Give their inputs "
            "(--help lists them), or --partial to keep what the page says of them"
        )
    entries: dict[str, Entry] = {}
    for section, given in chosen:
        found = section.measure(subject, *given)
        before = section.measure(old, *given) if old and found.scores else None
        entries[section.name] = Entry(found, section.command, before)
        print(as_text(found, before), flush=True)
    if missing:
        print(f"Not run: {', '.join(missing)}")
    _conclude(list(entries.values()))
    if args.docs:
        names = [section.name for section in SECTIONS]
        write_page(args.docs, entries, args.weights, len(data.shards), subject.held_out["image"].shape[1], names)
    return 0


def _conclude(entries: Sequence[Entry]) -> None:
    short = [s.what for e in entries for s in e.section.scores if s.met is False]
    print(f"Targets missed: {'; '.join(short) or 'none'}")
    if any(e.before for e in entries):
        verdicts = [
            (s.what, s.against({b.what: b for b in e.before.scores}.get(s.what)))
            for e in entries if e.before for s in e.section.scores
        ]  # fmt: skip
        worse = [what for what, verdict in verdicts if verdict == "worse"]
        better = sum(verdict == "better" for _, verdict in verdicts)
        print(f"Better than before on {better} of {len(verdicts)} lines; worse on: {'; '.join(worse) or 'none'}")


if __name__ == "__main__":
    sys.exit(main())
