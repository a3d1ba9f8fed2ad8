"""The guide that comes with the extension, as pages for the browser. No bpy.

Its pages are Markdown in ``docs/guide``. The browser shows HTML, which is written into the user's folder; pictures stay
where they are. Only what the guide's pages use of Markdown is understood.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

from ...model.errors import InputError
from ...model.files import write_whole
from .face_models import user_folder

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"
FIRST = "README"
STYLE = (
    "body { font: 16px/1.5 sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em; color: #222 }"
    " img { max-width: 100% } table { border-collapse: collapse } td, th { border: 1px solid #bbb; padding: .2em .6em }"
    " pre, code { background: #f2f2f2 } pre { padding: .6em; overflow: auto }"
)


def written_guide() -> Path:
    """Write the guide's pages as HTML, and return the first one. Raises InputError if there is no guide."""
    pages = sorted(GUIDE.glob("*.md"))
    if not pages:
        raise InputError("The guide is not part of this installation: it is in the folder docs/guide of the sources")
    folder = user_folder() / "guide"
    folder.mkdir(parents=True, exist_ok=True)
    names = {page.stem for page in pages}
    for page in pages:
        write_whole(folder / f"{page.stem}.html", _page(page, names).encode())
    return folder / f"{FIRST}.html"


def _page(page: Path, names: set[str]) -> str:
    body = html_of(page.read_text(encoding="utf-8"), names, page.parent.as_uri() + "/")
    return f'<!DOCTYPE html><meta charset="utf-8"><title>ExpNet</title><style>{STYLE}</style>\n{body}\n'


def html_of(markdown: str, pages: set[str], pictures: str) -> str:
    """Return HTML of Markdown: headings, paragraphs, lists, tables, code, emphasis, links and pictures.

    Links to ``pages`` lead to their HTML, links to other files of the sources become plain text. ``pictures`` is the
    address of the folder with the pictures.
    """
    blocks = re.split(r"\n\s*\n", markdown.strip("\n"))
    return "\n".join(_block(block.strip("\n"), pages, pictures) for block in blocks)


def _block(block: str, pages: set[str], pictures: str) -> str:
    lines = block.splitlines()
    heading = re.match(r"(#+) (.*)", block)
    if heading and len(lines) == 1:
        return f"<h{len(heading[1])}>{_inline(heading[2], pages, pictures)}</h{len(heading[1])}>"
    if heading:
        rest = "\n".join(lines[1:])
        return _block(lines[0], pages, pictures) + "\n" + _block(rest, pages, pictures)
    if all(line.startswith("    ") for line in lines):
        return "<pre>" + html.escape("\n".join(line[4:] for line in lines)) + "</pre>"
    if lines[0].startswith("|"):
        return _table(lines, pages, pictures)
    item = re.compile(r"(-|\d+\.) ")
    starts = [i for i, line in enumerate(lines) if item.match(line)]
    if starts:
        kind = "ul" if lines[starts[0]].startswith("-") else "ol"
        ends = [*starts[1:], len(lines)]
        items = ["\n".join(lines[a:b]) for a, b in zip(starts, ends, strict=True)]
        shown = "".join(f"<li>{_inline(item.sub('', one, count=1), pages, pictures)}</li>" for one in items)
        before = "\n".join(lines[: starts[0]])
        first = re.match(r"\d+", lines[starts[0]])
        number = f' start="{first[0]}"' if first else ""
        lead = f"<p>{_inline(before, pages, pictures)}</p>\n" if before else ""
        return f"{lead}<{kind}{number}>{shown}</{kind}>"
    return f"<p>{_inline(block, pages, pictures)}</p>"


def _table(lines: list[str], pages: set[str], pictures: str) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    shown = []
    for i, row in enumerate(rows):
        if all(re.fullmatch(r":?-+:?", cell) for cell in row):
            continue
        kind = "th" if i == 0 else "td"
        shown.append("<tr>" + "".join(f"<{kind}>{_inline(c, pages, pictures)}</{kind}>" for c in row) + "</tr>")
    return f"<table>{''.join(shown)}</table>"


def _inline(text: str, pages: set[str], pictures: str) -> str:
    """Return HTML of the text in a block; what stands in backquotes stays as it is."""
    parts = re.split(r"`([^`]*)`", text)
    return "".join(
        f"<code>{html.escape(part)}</code>" if i % 2 else _emphasised(part, pages, pictures)
        for i, part in enumerate(parts)
    )


def _emphasised(text: str, pages: set[str], pictures: str) -> str:
    def link(found: re.Match[str]) -> str:
        words, target = found[1], found[2]
        name, _, place = target.partition("#")
        if target.startswith(("https://", "http://")):
            return f'<a href="{target}">{words}</a>'
        if name.endswith(".md") and name[:-3] in pages:
            return f'<a href="{name[:-3]}.html{"#" + place if place else ""}">{words}</a>'
        return words

    text = html.escape(text)
    text = re.sub(r"!\[([^\]]*)\]\(([^)]*)\)", lambda m: f'<img src="{pictures}{m[2]}" alt="{m[1]}">', text)
    text = re.sub(r"\[([^\]]*)\]\(([^)]*)\)", link, text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text, flags=re.S)
    return re.sub(r"\*(.+?)\*", r"<i>\1</i>", text, flags=re.S)
