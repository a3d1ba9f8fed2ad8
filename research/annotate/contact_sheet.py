"""The contact sheet of annotated tracks: an HTML page without other files, where failures are ticked."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...model.files import write_whole

THUMBNAIL = 112  # pixels
POINT = (80, 255, 80)  # BGR

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Annotated tracks</title>
<style>body{{font:14px sans-serif;margin:1em;background:#222;color:#ddd}}
section{{margin:0 0 .8em;padding:.4em;background:#333;border-radius:4px}}section.no{{opacity:.55}}
img{{width:{size}px;height:{size}px;margin:.2em .2em 0 0}}small{{color:#aaa}}
button{{font-size:1em;padding:.4em 1em}}</style>
<h1>{kept} of {count} tracks</h1>
<p>Points are the landmarks of the fitted head. Tick what failed, save the list, put it into this folder as {list_name}
and run the same command again. <button onclick="save()">Save {list_name}</button></p>
{rows}
<script>function save(){{
const names=[...document.querySelectorAll("input:checked")].map(i=>i.value).join("\\n")+"\\n";
const a=document.createElement("a");a.href=URL.createObjectURL(new Blob([names],{{type:"text/plain"}}));
a.download="{list_name}";a.click();}}</script></html>
"""


@dataclass(frozen=True, eq=False)
class Shown:
    """A track on the sheet: its pictures (S, S, 3) with landmarks (68, 2) in them, both sides from 0 to 1.

    ``squared`` is |i|², ``share`` the distance of points from the fit in sides of the crop, ``reason`` why the track is
    left out, or empty.
    """

    title: str
    frames: int
    squared: float
    share: float
    reason: str
    pictures: tuple[tuple[NDArray[np.uint8], NDArray[np.float64]], ...]


def write_sheet(path: Path, tracks: Sequence[Shown], list_name: str) -> None:
    rows = "\n".join(_row(track) for track in tracks)
    kept = sum(not track.reason for track in tracks)
    page = PAGE.format(size=THUMBNAIL, kept=kept, count=len(tracks), rows=rows, list_name=html.escape(list_name))
    write_whole(path, page.encode())


def _row(track: Shown) -> str:
    name = html.escape(track.title, quote=True)
    by_hand = " checked" if track.reason.startswith("left out") else ""
    text = f"{track.frames} frames, |i|² {track.squared:.0f}, points {100 * track.share:.1f}% of the width off"
    reason = f" – <b>left out: {html.escape(track.reason)}</b>" if track.reason else ""
    images = "".join(_image(picture, points) for picture, points in track.pictures)
    return (
        f'<section class="{"no" if track.reason else "yes"}"><label><input type="checkbox" value="{name}"{by_hand}> '
        f"{name}</label> <small>{text}{reason}</small><div>{images}</div></section>"
    )


def _image(picture: NDArray[np.uint8], points: NDArray[np.float64]) -> str:
    small = cv2.resize(picture, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    for x, y in points * THUMBNAIL - 0.5:
        cv2.circle(small, (round(float(x)), round(float(y))), 1, POINT, -1)
    code = base64.b64encode(cv2.imencode(".jpg", small)[1].tobytes()).decode("ascii")
    return f'<img src="data:image/jpeg;base64,{code}" alt="">'
