"""``expnet estimate``: the faces in pictures, as tables, JSON and meshes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from ...model.errors import InputError
from ...model.official.box_list import read_box_list
from ...model.sight.sequences import check_there, images_in
from ..engine import requests
from ..engine.jobs import Job
from ..engine.requests import Listed
from ..unattended.options import preferred_python, seeing_of
from ..unattended.outputs import appearing, check_folder, check_outputs
from ..unattended.terminal import bar, print_notes
from .estimate_tables import csv_text, table


def estimate(a: argparse.Namespace) -> None:
    listed = [face for given in a.images for face in _listed(given, a.box)]
    wanted = {a.json: (".json",), a.csv: (".csv",)}
    check_outputs([*a.images, *(face.image for face in listed)], {path: ends for path, ends in wanted.items() if path})
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
    if a.csv:
        with appearing(a.csv) as part:
            part.write_text(csv_text(estimates), encoding="utf-8", newline="")
    print(table(estimates))
    print_notes(reply)
    failed = [e for e in estimates if "error" in e]
    if failed:
        name, why = Path(failed[0]["image"]).name, failed[0]["error"]
        more = f" ({len(failed)} of {len(estimates)} images failed)" if len(estimates) > 1 else ""
        raise InputError(f"{why if name in why else f'{name}: {why}'}{more}")


def _listed(given: str, box: Sequence[float] | None) -> list[Listed]:
    """The images that an argument stands for: itself, those of a folder, or the rows of a list."""
    if Path(given).is_dir():
        return [Listed(str(image), image.stem, box) for image in images_in(Path(given))]
    if Path(given).suffix.lower() != ".csv":
        check_there(given, "image")
        return [Listed(given, Path(given).stem, box)]
    check_there(given, "list")
    if box:
        raise InputError(f"'{given}' says where the faces are: leave --box out")
    return [Listed(str(face.image), face.name, face.box) for face in read_box_list(given)]
