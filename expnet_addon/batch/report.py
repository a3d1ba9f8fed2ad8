"""report.html: one row for each clip of a batch, with an image, its confidence over time and its gaps.

It is one file without scripts and external resources, so it can be sent and opened anywhere.
"""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from ...model.errors import printable
from ...model.files import is_file, write_whole
from .records import REPORT, Record, load_record, thumbnail_path
from .shots import Shot

STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #3a9d5d; --bad: #c8503c; --part: #e0b400; }
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; }
td, th { padding: .5rem .75rem; border-bottom: 1px solid var(--line); vertical-align: middle; }
img { width: 96px; height: 96px; object-fit: cover; border-radius: 6px; display: block; }
svg { display: block; } polyline { fill: none; stroke: var(--good); stroke-width: 1.5; }
rect { fill: var(--bad); opacity: .25; } .error { color: var(--bad); }
tr.part { background: color-mix(in srgb, var(--part) 25%, transparent); } .dim { opacity: .65; }
"""
WIDTH, HEIGHT = 240, 36


def write_report(out: Path, shots: Sequence[Shot]) -> Path:
    """Write ``out``/report.html from the existing records; clips without a record are shown as waiting."""
    records = {shot: load_record(out, shot) for shot in shots}
    done = [r for r in records.values() if r and not r.error]
    partly = [r for r in done if r.damage]
    failed = [r for r in records.values() if r and r.error]
    whole = len(done) - len(partly)
    waiting = len(shots) - len(done) - len(failed)
    frames, seconds = sum(r.frames for r in done), sum(r.total_seconds for r in done)
    summary = f"{whole} of {len(shots)} clips done"
    summary += f", {len(partly)} in part only" if partly else ""
    summary += f", {len(failed)} failed" if failed else ""
    summary += f", {waiting} waiting" if waiting else ""
    summary += f" · {frames} frames · {frames / seconds:.0f} frames/s for each process" if seconds else ""
    rows = "\n".join(_row(out, shot, records[shot]) for shot in shots)
    page = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>expnet batch</title>"
        f"<style>{STYLE}</style></head><body><h1>expnet batch</h1><p>{summary}</p>"
        "<table><tr><th></th><th>clip</th><th>frames</th><th>curves</th>"
        "<th>confidence over time</th><th>no face in frames</th>"
        f"<th>frames/s</th><th>files</th></tr>\n{rows}\n</table></body></html>\n"
    )
    path = out / REPORT
    write_whole(path, page.encode("utf-8", "replace"))
    return path


def _row(out: Path, shot: Shot, record: Record | None) -> str:
    name = f"{_text(shot.name)}<br><span class='dim'>{_text(Path(shot.clip).name)}</span>"
    if record is None:
        return f"<tr><td></td><td>{name}</td><td colspan='6' class='dim'>waiting</td></tr>"
    if record.error:
        return f"<tr><td></td><td>{name}</td><td colspan='6' class='error'>{_text(record.error)}</td></tr>"
    gaps = ", ".join(f"{a}–{b}" if b > a else f"{a}" for a, b in record.missing[:8])
    gaps += f" and {len(record.missing) - 8} more" if len(record.missing) > 8 else ""
    files = " ".join(
        f"<a href='{html.escape(quote(os.fsencode(n)))}'>{_text(Path(n).suffix)}</a>" for n in record.outputs
    )
    speed = f"{record.frames / record.total_seconds:.0f}" if record.total_seconds else ""
    curves = "fitted to the whole clip" if record.fitted else "frame by frame"
    damage = f"<br>{html.escape(record.damage)}" if record.damage else ""
    return (
        f"<tr{' class=part' if damage else ''}><td>{_picture(thumbnail_path(out, shot))}</td><td>{name}</td>"
        f"<td>{record.seen} of {record.frames}<br><span class='dim'>at {record.fps:g}/s</span>{damage}</td>"
        f"<td>{curves}</td><td>{_curve(record)}</td><td>{gaps or '<span class=dim>none</span>'}</td>"
        f"<td>{speed}</td><td>{files}</td></tr>"
    )


def _text(text: str) -> str:
    """Escape a name or a message for HTML."""
    return html.escape(printable(text))


def _picture(path: Path) -> str:
    if not is_file(path):
        return ""
    return f"<img alt='' src='data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}'>"


def _curve(record: Record) -> str:
    """Return the SVG of the confidence curve; frames without a face have a red background."""
    values, frames = record.confidence, max(record.frames, 1)
    step = WIDTH / max(len(values) - 1, 1)
    points = " ".join(f"{i * step:.1f},{HEIGHT - 2 - (HEIGHT - 4) * v:.1f}" for i, v in enumerate(values))
    gaps = "".join(
        f"<rect x='{WIDTH * a / frames:.1f}' width='{max(WIDTH * (b + 1 - a) / frames, 1):.1f}' height='{HEIGHT}'/>"
        for a, b in record.missing
    )
    size = f"viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}'"
    return f"<svg {size}>{gaps}<polyline points='{points}'/></svg>"
