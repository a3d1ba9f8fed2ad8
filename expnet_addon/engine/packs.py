"""The networks and heads to choose from: their files and licences.

The open pack ships with the extension. The official pack uses the user's own files: the authors' networks, converted by
``import-weights``, and the Basel Face Model of their release.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...model.builtin import OPEN
from ...model.files import exists, is_file
from ...model.official import FILE as OFFICIAL_FILE
from ...model.official import imported_networks
from ...model.worker.messages import FineTuneResult, ImportWeightsResult
from . import requests
from .tasks import Task

EXPNET = "expression"  # as in model/official/layouts.py, and its checkpoint as in release.py; both import more than
EXPNET_FILE = "ini_exprNet_model.ckpt"  # Blender has


@dataclass(frozen=True)
class Choice:
    """A network or a head: its name, ``open`` or its path, and its licence in one line.

    ``missing`` is the reason why it cannot be used and the remedy; empty if it can be used.
    """

    name: str
    path: str
    license: str
    missing: str = ""


OPEN_NETWORK = Choice("Open Network", OPEN, "Free for any use, commercial too")
OPEN_HEAD = Choice("Open Head", OPEN, "Free for any use, commercial too")


def official_network(folder: str) -> Choice:
    """Describe the authors' networks, converted, in ``folder``."""
    missing = ""
    if not folder:
        missing = "Import the official weights in the extension's preferences first"
    elif not is_file(Path(folder) / OFFICIAL_FILE):
        missing = f"There is no {OFFICIAL_FILE} in '{folder}': import the official weights in the preferences"
    elif EXPNET not in (found := imported_networks(folder)):
        there = f"Only {', '.join(sorted(found))} was imported" if found else f"{OFFICIAL_FILE} is broken"
        missing = f"{there}: import the weights again, with {EXPNET_FILE} in the release's folder"
    return Choice("Official ExpNet", folder, "For your own research only, never to be passed on", missing)


def official_head(file: str) -> Choice:
    """Describe the Basel Face Model of the ExpNet release."""
    missing = ""
    if not file:
        missing = "Name BaselFaceModel_mod.mat in the extension's preferences first"
    elif not is_file(file):
        missing = f"There is no face model at '{file}': correct it in the extension's preferences"
    return Choice("Basel Face Model", file, "Research only, by the Basel Face Model's own terms", missing)


def own_network(path: str) -> Choice:
    missing = "" if path else "Choose the weights first"
    if path and not exists(path):
        missing = f"There are no weights at '{path}'"
    return Choice("Own Weights", path, "See the licence of these weights", missing)


def own_head(path: str) -> Choice:
    missing = "" if path else "Choose the face model's file first"
    return Choice("Own Face Model", path, "See the licence of this face model", missing)


def import_weights(
    folder: str, out: str, half: bool, keep: Callable[[str, str | None], None]
) -> Task[ImportWeightsResult]:
    """Convert the release in ``folder`` into the folder ``out`` (empty: the same).

    ``keep(pack, face model or None)`` is called with the paths of both.
    """

    def write(reply: ImportWeightsResult, job: object) -> str:
        keep(str(Path(reply.out).parent), reply.face_model)
        return import_report(reply)

    return Task("Import Weights", requests.import_weights(folder, out or None, half), write)


def import_report(reply: ImportWeightsResult) -> str:
    """Return a report of the found and the missing files, a line each."""
    titles = ", ".join(reply.networks)
    lines = [f"Found: {titles}" + (", BaselFaceModel_mod" if reply.face_model else "")]
    lines += [f"Missing: {name}: {adds}" for name, adds in reply.missing]
    lines += [f"Not used: {Path(name).name}: {why}" for name, why in reply.passed_over]
    return "\n".join([*lines, official_network("").license])


def fine_tune(
    clips: Sequence[str], out: str, estimator: str, lens_mm: float, keep: Callable[[str], None]
) -> Task[FineTuneResult]:
    """Fine-tune ``estimator`` on one actor's clips. ``keep(weights)`` is called if the new weights are better."""

    def write(reply: FineTuneResult, job: object) -> str:
        if reply.kept:
            keep(out)
        return fine_tune_report(reply, out)

    return Task("Fine-Tune", requests.fine_tune(clips, out, estimator, lens_mm), write)


def fine_tune_report(reply: FineTuneResult, out: str) -> str:
    """Return what became of the weights, and how they do on frames that they were not trained on, a line each."""
    before, after = reply.before, reply.after
    lines = [
        f"{Path(out).name}: written, from {reply.frames} frames"
        if reply.kept
        else f"Not written, the weights stay as they are. On held-out frames: {', '.join(reply.worse)}",
        f"Distance from the whole clip's curves: {before.agreement:.3f} before, {after.agreement:.3f} after",
        f"Difference from the mirror image: {before.mirror:.3f} before, {after.mirror:.3f} after",
        f"Difference from moved views: {before.shift:.3f} before, {after.shift:.3f} after",
        f"Distance from the located points: {100 * before.points:.2f}% before, {100 * after.points:.2f}% after",
        f"Jitter: {before.jitter:.3f} before, {after.jitter:.3f} after",
        f"Motion: {before.motion:.2f} before, {after.motion:.2f} after",
        f"Curves: {reply.curves}",
        f"Video of footage, before and after: {reply.video}",
    ]
    return "\n".join(lines)
