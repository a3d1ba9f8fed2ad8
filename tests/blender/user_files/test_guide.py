"""The built-in guide, as the browser gets it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from expnet.expnet_addon.user_files import guide
from expnet.model.errors import InputError


def shown(markdown: str) -> str:
    return guide.html_of(markdown, {"install"}, "file:///guide/")


def test_what_the_guide_uses_of_markdown_becomes_html() -> None:
    assert shown("# A <b>\n\n**bold** and *slanted\nwords*, `*code*`") == (
        "<h1>A &lt;b&gt;</h1>\n<p><b>bold</b> and <i>slanted\nwords</i>, <code>*code*</code></p>"
    )
    assert shown("![Face](a.png)") == '<p><img src="file:///guide/a.png" alt="Face"></p>'
    assert shown("[how](install.md#x), [else](../farm.md), [site](https://a.b/)") == (
        '<p><a href="install.html#x">how</a>, else, <a href="https://a.b/">site</a></p>'
    )
    assert shown("- one\n  more\n- two") == "<ul><li>one\n  more</li><li>two</li></ul>"
    assert shown("| a | b |\n|---|---|\n| 1 | 2 |") == (
        "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
    )
    assert shown("    x < y") == "<pre>x &lt; y</pre>"


def test_every_page_is_written_with_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guide, "user_folder", lambda: tmp_path)
    first = guide.written_guide()
    assert first == tmp_path / "guide" / "README.html"
    pages = sorted(first.parent.glob("*.html"))
    assert [page.stem for page in pages] == sorted(page.stem for page in guide.GUIDE.glob("*.md"))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for source in re.findall(r'<img src="file://([^"]*)"', text):
            assert Path(source).is_file(), source
        for target in re.findall(r'<a href="([^":#]*)', text):
            assert (page.parent / target).is_file(), target
        for mark in ("**", "](", "<p>|", "<p>- "):
            assert mark not in re.sub(r"<(code|pre)>.*?</\1>", "", text, flags=re.S), (page.name, mark)


def test_without_a_guide_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guide, "GUIDE", tmp_path)
    with pytest.raises(InputError, match="not part of this installation"):
        guide.written_guide()
