"""``expnet estimate``: the faces in images, as tables, JSON and meshes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ...model.errors import InputError
from ...model.files import atomic_path, is_dir
from ...model.official.box_list import read_box_list
from ...model.sight.sequences import check_there, images_in
from ...model.worker.messages import EstimateResult, EstimatorOptions, ImageRequest, ImageResult, Pack
from ..batch.shots import MOVIES
from ..engine import requests
from ..engine.jobs import Job, WorkerFault
from ..engine.requests import box_of
from ..unattended.outputs import check_folder, check_outputs
from ..unattended.terminal import bar, print_notes
from ..unattended.worker_python import preferred_python
from .estimate_tables import csv_text, table

MAX_DEATHS = 20  # number of crashes after which the worker is considered broken
_NO_PACK = Pack("", "", "")


@dataclass(frozen=True)
class EstimateOptions:
    """The images to read and the files to write.

    ``images`` are files, folders of them, or lists of them with boxes (CSV). ``json``, ``csv`` and the folder ``ply``
    are written if they are given.
    """

    images: tuple[str, ...]
    json: Path | None = None
    csv: Path | None = None
    ply: Path | None = None
    estimator: EstimatorOptions = field(default_factory=EstimatorOptions)


def estimate(a: EstimateOptions) -> None:
    """Read the faces in images, print a table and write the files. Raises InputError, WorkerFault."""
    listed = [face for given in a.images for face in _listed(given, a.estimator.box)]
    wanted = {a.json: (".json",), a.csv: (".csv",)}
    check_outputs([*a.images, *(face.image for face in listed)], {path: ends for path, ends in wanted.items() if path})
    if a.ply:
        check_folder(a.ply)
    reply = _read(listed, a, MAX_DEATHS)
    estimates = [_entry(face, result) for face, result in zip(listed, reply.estimates, strict=True)]
    if a.json:
        with atomic_path(a.json) as part:
            part.write_text(
                json.dumps({"pack": asdict(reply.pack), "notes": reply.notes, "estimates": estimates}, indent=1)
            )
    if a.csv:
        with atomic_path(a.csv) as part:
            part.write_text(csv_text(estimates), encoding="utf-8", newline="")
    print(table(estimates))
    print_notes(reply.notes)
    failed = [e for e in estimates if "error" in e]
    if failed:
        name, why = Path(failed[0]["image"]).name, failed[0]["error"]
        more = f" ({len(failed)} of {len(estimates)} images failed)" if len(estimates) > 1 else ""
        raise InputError(f"{why if name in why else f'{name}: {why}'}{more}")


def _read(listed: Sequence[ImageRequest], a: EstimateOptions, deaths: int) -> EstimateResult:
    """Read the images; an image that crashes the worker, as by a decoder's fault, gets an error.

    The crash does not identify the image, so both halves of the list are read again. Raises WorkerFault after
    ``deaths`` crashes.
    """
    request = requests.estimate(listed, a.estimator, str(a.ply) if a.ply else None)
    try:
        with Job(request, preferred_python()) as job, bar() as shown:
            return job.wait(shown)
    except WorkerFault as fault:
        if len(listed) == 1 or not deaths or "was killed" not in str(fault):
            raise
    results: list[EstimateResult] = []
    middle = len(listed) // 2
    for half in (listed[:middle], listed[middle:]):
        try:
            results.append(_read(half, a, deaths - 1))
        except WorkerFault as fault:
            if len(half) > 1:
                raise
            error = f"{half[0].image}: {fault}: save it again as PNG"
            results.append(EstimateResult((ImageResult(half[0].image, None, error),), _NO_PACK, ()))
    good = next((result for result in results if result.pack != _NO_PACK), results[0])
    return replace(good, estimates=tuple(estimate for result in results for estimate in result.estimates))


def _entry(face: ImageRequest, result: ImageResult) -> dict[str, Any]:
    """Return an image's entry in tables and JSON: its numbers, or ``error``."""
    if result.face is None:
        return {"image": face.image, "error": result.error, "id": face.name}
    numbers = {name: value for name, value in asdict(result.face).items() if value is not None}
    return {"image": face.image, **numbers, "id": face.name}


def _listed(given: str, box: Sequence[float] | None) -> list[ImageRequest]:
    """List the images that an argument names: itself, those of a folder, or the rows of a list."""
    if is_dir(given):
        return [ImageRequest(str(image), image.stem, box_of(box)) for image in images_in(Path(given))]
    if Path(given).suffix.lower() != ".csv":
        check_there(given, "image")
        if Path(given).suffix.lower() in MOVIES:
            raise InputError(
                f"'{given}' is a movie: read it with expnet animate, or give one of its frames as an image"
            )
        return [ImageRequest(given, Path(given).stem, box_of(box))]
    check_there(given, "list")
    if box:
        raise InputError(f"'{given}' says where the faces are: leave --box out")
    return [ImageRequest(str(face.image), face.name, box_of(face.box)) for face in read_box_list(given)]
