"""Contact sheets as in Figures 5 to 7 of Chang et al. 2018: photographs and the heads that methods make of them."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ...model.camera import Crop
from ...model.errors import InputError
from ...model.files import make_folder, write_whole
from ...model.networks.cutting import cut
from ...model.sight.images import read_image
from ...model.sight.sequences import is_image
from ..pictures import Image, shrunk
from .methods import Method, Reading, methods, read
from .shaded import BACKGROUND, View, shaded

TILE = 224  # pixels
ROOM = 1.35  # sides of the face's crop that a photograph's tile shows
CAPTION = 18  # pixels above a tile
ROWS = 6  # of a PNG
FRONT, PHOTO = "front", "photo"


@dataclass(frozen=True)
class SheetOptions:
    """What to draw. ``pose``: heads from the ``front``, or turned as in the ``photo``."""

    photos: tuple[Path, ...]
    out: Path
    estimators: tuple[str, ...]
    face_model: str
    landmarks: str | None
    scales: tuple[float, ...]
    pose: str
    device: str


@dataclass(frozen=True, eq=False)
class Row:
    """A photograph's tiles, one per column, and by method and scale the motion against the first scale, mm."""

    name: str
    tiles: list[Image]
    shifts: dict[tuple[str, float], float | None]


def write_sheets(options: SheetOptions) -> str:
    """Write sheet_NN.png and index.html into ``out`` and return a table. Raises InputError."""
    photos = _photographs(options.photos)
    chosen = methods(options.estimators, options.face_model, options.landmarks, options.device)
    views = {id(method): View.of(method.model) for method in chosen}
    rows = [_row(path, chosen, views, options) for path in tqdm(photos, desc="photographs")]
    columns = [
        name
        for scale in options.scales
        for name in (f"x{scale:g}", *(f"{method.name}, x{scale:g}" for method in chosen))
    ]
    make_folder(options.out)
    for old in options.out.glob("sheet_*.png"):
        old.unlink()
    for page, first in enumerate(range(0, len(rows), ROWS), 1):
        write_whole(options.out / f"sheet_{page:02d}.png", _png(_sheet(rows[first : first + ROWS], columns)))
    table = _table(rows, chosen, options.scales)
    write_whole(options.out / "index.html", _page(rows, columns, table).encode())
    return table


def _photographs(sources: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for source in sources:
        here = sorted(p for p in source.iterdir() if is_image(p)) if source.is_dir() else [source]
        if not here:
            raise InputError(f"{source}: holds no images: give photographs, or folders of them")
        found += here
    return found


def _row(path: Path, chosen: Sequence[Method], views: dict[int, View], options: SheetOptions) -> Row:
    picture = read_image(path)
    tiles: list[Image] = []
    shifts: dict[tuple[str, float], float | None] = {}
    first: dict[str, Reading] = {}
    for scale in options.scales:
        image = shrunk(picture, scale)
        readings = []
        for method in chosen:
            known = first.get(method.name)
            seen = read(method, image, path, scale, known.alpha if known else None)
            if seen is not None:
                first.setdefault(method.name, seen)
            shifts[method.name, scale] = _shift(method, first.get(method.name), seen)
            readings.append(seen)
        tiles.append(_photograph(image, next((r.crop for r in readings if r is not None), None)))
        tiles += [_head(m, views[id(m)], seen, options.pose) for m, seen in zip(chosen, readings)]
    return Row(path.name, tiles, shifts)


def _shift(method: Method, first: Reading | None, seen: Reading | None) -> float | None:
    """Return how far the face's vertices lie from where the first scale put them, root mean square, mm."""
    if first is None or seen is None:
        return None
    moved = method.model.expression_displacement(seen.eta - first.eta)
    skin = method.model.regions.get("skin")
    return float(np.sqrt((moved[skin if skin is not None else slice(None)] ** 2).sum(1).mean()))


def _photograph(image: Image, crop: Crop | None) -> Image:
    """Return the face as the method sees it: enlarged without smoothing, so that its pixels show."""
    if crop is None:
        height, width = image.shape[:2]
        crop = Crop((width - 1) / 2, (height - 1) / 2, float(max(height, width)))
    shown = Crop(crop.cx, crop.cy, crop.side * ROOM)
    pixels = max(8, round(shown.side))
    if pixels >= TILE:
        return np.asarray(cut(image, shown, TILE), np.uint8)
    tile: Image = cv2.resize(cut(image, shown, pixels), (TILE, TILE), interpolation=cv2.INTER_NEAREST)
    return tile


def _head(method: Method, view: View, seen: Reading | None, pose: str) -> Image:
    if seen is None:
        tile: Image = np.full((TILE, TILE, 3), BACKGROUND, np.uint8)
        cv2.putText(tile, "no face", (TILE // 2 - 36, TILE // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (90, 90, 90), 1)
        return tile
    turned = seen.rotation if pose == PHOTO else np.eye(3)
    return shaded(view, method.model.vertices(seen.alpha, seen.eta), turned, TILE)


def _sheet(rows: Sequence[Row], columns: Sequence[str]) -> Image:
    sheet: Image = np.full((CAPTION + (TILE + CAPTION) * len(rows), TILE * len(columns), 3), 255, np.uint8)
    for j, name in enumerate(columns):
        _write(sheet, name, j * TILE + 4, 13)
    for i, row in enumerate(rows):
        top = CAPTION + i * (TILE + CAPTION)
        sheet[top : top + TILE] = np.concatenate(row.tiles, 1)
        _write(sheet, row.name, 4, top + TILE + 13)
    return sheet


def _write(sheet: Image, text: str, x: int, y: int) -> None:
    plain = text.encode("ascii", "replace").decode()  # OpenCV's fonts have no other characters
    cv2.putText(sheet, plain, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)


def _png(image: Image) -> bytes:
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def _table(rows: Sequence[Row], chosen: Sequence[Method], scales: Sequence[float]) -> str:
    lines = [
        "| method | scale | faces found | face moved against the first scale, mm |",
        "| --- | ---: | ---: | ---: |",
    ]
    for method in chosen:
        for scale in scales:
            known = [s for row in rows if (s := row.shifts[method.name, scale]) is not None]
            moved = "–" if scale == scales[0] or not known else f"{np.mean(known):.2f}"
            lines.append(f"| {method.name} | {scale:g} | {len(known)} of {len(rows)} | {moved} |")
    return "\n".join(lines)


def _page(rows: Sequence[Row], columns: Sequence[str], table: str) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("", *columns))
    body = "".join(
        f"<tr><th>{html.escape(row.name)}</th>"
        + "".join(f'<td><img src="data:image/png;base64,{base64.b64encode(_png(t)).decode()}"></td>' for t in row.tiles)
        + "</tr>\n"
        for row in rows
    )
    return (
        '<!doctype html><meta charset="utf-8"><title>Expressions</title>'
        "<style>body{font:13px sans-serif}td{padding:0}img{width:160px;display:block}th{font-weight:normal}</style>\n"
        f"<table><tr>{head}</tr>\n{body}</table>\n<pre>{html.escape(table)}</pre>\n"
    )
