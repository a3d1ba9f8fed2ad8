"""``expnet estimate``: the faces in pictures, as a table, JSON and meshes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from ...model.errors import InputError
from ...model.official.box_list import read_box_list
from .. import requests
from ..clips import check_there
from ..jobs import Job
from ..requests import Listed
from .options import preferred_python, seeing_of
from .outputs import appearing, check_folder, check_outputs
from .terminal import bar, print_notes


def estimate(a: argparse.Namespace) -> None:
    listed = [face for given in a.images for face in _listed(given, a.box)]
    check_outputs([face.image for face in listed], {a.json: (".json",)} if a.json else {})
    if a.ply:
        check_folder(a.ply)
    request = requests.estimate_listed(listed, seeing_of(a), a.ply)
    with Job(request, preferred_python()) as job, bar() as shown:
        reply = job.wait(shown)
    estimates = [
        {**e, "id": face.name, "image": face.image} for face, e in zip(listed, reply["estimates"], strict=True)
    ]
    if a.json:
        with appearing(a.json) as part:
            part.write_text(
                json.dumps({"pack": reply["pack"], "notes": reply["notes"], "estimates": estimates}, indent=1)
            )
    print(_table(estimates))
    print_notes(reply)
    failed = [e for e in estimates if "error" in e]
    if failed:
        name, why = Path(failed[0]["image"]).name, failed[0]["error"]
        more = f" ({len(failed)} of {len(estimates)} images failed)" if len(estimates) > 1 else ""
        raise InputError(f"{why if name in why else f'{name}: {why}'}{more}")


def _listed(given: str, box: Sequence[float] | None) -> list[Listed]:
    """The images that an argument stands for: itself, or the rows of a list."""
    if Path(given).suffix.lower() != ".csv":
        check_there(given, "image")
        return [Listed(given, Path(given).stem, box)]
    check_there(given, "list")
    if box:
        raise InputError(f"'{given}' says where the faces are: leave --box out")
    return [Listed(str(face.image), face.name, face.box) for face in read_box_list(given)]


def _table(estimates: Sequence[dict]) -> str:
    """One image per column: the keys that are felt at all, then pose and confidence."""
    seen = [e for e in estimates if "error" not in e]
    if not seen:
        return ""
    keys = [k for k in seen[0]["eta"] if any(abs(e["eta"][k]) >= 0.05 for e in seen)]
    names = [_column(e) for e in seen]
    widths = [max(len(name), 7) for name in names]

    def row(name: str, cells: Sequence[str]) -> str:
        return f"{name:<18}" + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths))

    lines = [row("", names)]
    lines += [row(k, [f"{e['eta'][k]:.2f}" for e in seen]) for k in keys]
    lines += [row(name, [f"{e['gaze'][i]:.2f}" for e in seen]) for i, name in enumerate(("gaze yaw", "gaze pitch"))]
    lines += [row("distance mm", [f"{-e['translation'][2]:.0f}" for e in seen])]
    lines += [row("confidence", [f"{e['confidence']:.2f}" for e in seen])]
    return "\n".join(lines)


def _column(estimate: dict) -> str:
    """A list calls a face by its ID; otherwise it is called as its image."""
    name = Path(estimate["image"]).name
    return name if estimate["id"] == Path(name).stem else estimate["id"]
