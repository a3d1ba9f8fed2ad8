"""Blender on a virtual screen: its mouse, its keyboard, its pictures, and its answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from debian import Debian, Failed

INSIDE = Path(__file__).resolve().parent / "inside.py"
SIZE = (1500, 1100)
PAGES = 5  # that a find turns to: as shown, the top, and three below it
PATIENCE = 600.0  # seconds; drawing by software on a busy machine

ROWS = 8  # places of the panel that are tried at once
# All that is copied, until it is asked for
LISTEN = """
copied = bpy.app.driver_namespace.setdefault("gui_copied", [])
copied.clear()
bpy.context.window_manager.clipboard = ""
def listen():
    text = bpy.context.window_manager.clipboard
    if text not in copied:
        copied.append(text)
    return 0.02 if bpy.app.driver_namespace["gui_listens"] else None
bpy.app.driver_namespace["gui_listens"] = True
bpy.app.timers.register(listen)
"""
HEARD = """
bpy.app.driver_namespace["gui_listens"] = False
result = [*bpy.app.driver_namespace["gui_copied"], bpy.context.window_manager.clipboard]
"""


class Screen:
    """Blender on a virtual screen: its mouse, its keyboard, its pictures, and its answers."""

    def __init__(self, debian: Debian, stack: ExitStack) -> None:
        self.debian = debian
        self.asked = 0
        read, write = os.pipe()
        # -r: a busy machine is slow between the press of a key and its release, and the key would repeat.
        # 96 dpi makes Blender's scale exactly 1; -displayfd chooses a number that is free
        server = debian.start(
            "Xvfb", "-displayfd", write, "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "-dpi", "96",
            "+extension", "GLX", "-nolisten", "tcp", "-noreset", "-r", log="xvfb.log", pass_fds=(write,),
        )  # fmt: skip
        stack.callback(_end, server)
        os.close(write)
        with os.fdopen(read) as pipe:
            debian.environment["DISPLAY"] = f":{pipe.readline().strip()}"
        self.blender = debian.start(
            "blender", "--window-geometry", 0, 0, *SIZE, "--python", debian.bring(INSIDE), log="blender.log"
        )
        stack.callback(_end, self.blender)

    def ask(self, code: str) -> Any:
        """Run Python inside Blender; what it leaves in ``result``."""
        self.asked += 1
        ask = self.debian.outside / "dialogue" / f"{self.asked:05d}.ask"
        ask.with_suffix(".new").write_text(code)
        ask.with_suffix(".new").rename(ask)
        answer = ask.with_suffix(".answer")
        until(answer.exists, f"an answer to: {code}", self.alive)
        content = json.loads(answer.read_text())
        if "error" in content:
            raise Failed(content["error"])
        return content["result"]

    def alive(self) -> None:
        if self.blender.poll() is not None:
            log = (self.debian.outside / "blender.log").read_text()[-3000:]
            raise Failed(f"Blender ended with status {self.blender.returncode}:\n{log}")

    def xdotool(self, *words: object) -> str:
        return self.debian.run("xdotool", *words)

    def point(self, x: float, y: float) -> None:
        """Two steps: Blender notices a pointer that moves, not one that is there."""
        self.xdotool("mousemove", int(x) - 3, int(y), "sleep", 0.05, "mousemove", int(x), int(y), "sleep", 0.15)

    def under(self, y: int, keys: str, x: int, patience: int = 1) -> str:
        """Return what ``keys`` copy at a place of the panel. A busy machine needs more ``patience``."""
        self.ask("bpy.context.window_manager.clipboard = ''")
        there, copied = 0.1 * patience, 0.08 * patience
        self.xdotool("mousemove", x - 3, y, "sleep", 0.04, "mousemove", x, y)
        self.xdotool("sleep", there, "key", keys, "sleep", copied)
        return str(self.ask("result = bpy.context.window_manager.clipboard"))

    def find(
        self, text: str, keys: str, what: str, below: int = 0, across: float = 0.47, ends: bool = False
    ) -> tuple[int, int]:
        """Find the place in the panel where ``keys`` copy something with ``text`` in it, or that ``ends`` with it.

        ``across`` is the share of the panel's width.
        """
        left, top, right, bottom = self.ask("result = rectangle(sidebar()[2])")
        x = int(left + (right - left) * across)
        for patience in (1, 4):
            for page in range(PAGES):
                if page == 1:
                    self.to_top()  # the sidebar is longer than the window
                elif page:
                    self.scroll(5, 8)
                rows = range(max(top + 30, below), bottom, 15)
                for y in self._likely(text, rows, keys, x, ends) if patience == 1 else rows:
                    if self._copies(text, y, keys, x, patience, ends):
                        return x, y
                if below:  # a place that is known is on the page that is shown
                    break
        raise Failed(f"there is no {what}")

    def _likely(self, text: str, rows: range, keys: str, x: int, ends: bool) -> Iterator[int]:
        """Yield the rows near which ``keys`` copy it. Some rows are tried at once, for each question takes time."""
        for start in range(0, len(rows), ROWS):
            few = rows[start : start + ROWS]
            self.ask(LISTEN)
            words: list[object] = []
            for y in few:
                words += ["mousemove", x - 3, y, "sleep", 0.03, "mousemove", x, y, "sleep", 0.12, "key", keys]
                words += ["sleep", 0.08]
            self.xdotool(*words, "sleep", 0.2)
            if any(_says(copied, text, ends) for copied in self.ask(HEARD)):
                yield from few

    def _copies(self, text: str, y: int, keys: str, x: int, patience: int, ends: bool) -> bool:
        """Whether ``keys`` copy it there. A slow answer may be that of the place before, so it is asked twice."""
        return all(_says(self.under(y, keys, x, wait), text, ends) for wait in (patience, 4))

    def find_button(self, operator: str, below: int = 0, across: float = 0.47) -> tuple[int, int]:
        """Where the panel's button of ``operator`` is: Ctrl-C over a button copies its Python command."""
        return self.find(f"expnet.{operator}(", "ctrl+c", f"button for {operator}", below, across)

    def find_property(self, path: str, below: int = 0, across: float = 0.47) -> tuple[int, int]:
        """Where a property is whose data path ends like this: Ctrl-Shift-Alt-C copies it."""
        return self.find(path, "ctrl+shift+alt+c", f"property {path}", below, across, ends=True)

    def type(self, at: tuple[int, int], value: str) -> None:
        """Double-click a field and type, which replaces its content."""
        self.point(*at)
        self.xdotool("click", "--repeat", 2, "--delay", 60, 1, "sleep", 0.3, "key", "ctrl+a", "sleep", 0.1)
        self.xdotool("type", "--delay", 40, value)
        self.xdotool("key", "Return", "sleep", 0.4)

    def paste(self, at: tuple[int, int], value: str) -> None:
        """Ctrl-V over a number puts the clipboard's in."""
        self.ask(f"bpy.context.window_manager.clipboard = {value!r}")
        self.point(*at)
        self.xdotool("key", "ctrl+v", "sleep", 0.2)

    def middle(self) -> float:
        """Where across the screen the panel's buttons and titles are."""
        left, _, right, _ = self.ask("result = rectangle(sidebar()[2])")
        return float(left + (right - left) * 0.47)

    def click(self, operator: str, at: tuple[int, int] | None = None) -> None:
        self.point(*(at or self.find_button(operator)))
        self.xdotool("click", 1, "sleep", 0.1)

    def to_top(self) -> None:
        self.scroll(4)

    def to_bottom(self) -> None:
        self.scroll(5)

    def scroll(self, wheel: int, notches: int = 60) -> None:
        """Turn the wheel over the sidebar, by default until its end.

        Over the margin, for a list would scroll itself; and high up, for what is below the last section is the view's.
        """
        left, top, _, _ = self.ask("result = rectangle(sidebar()[2])")
        self.point(left + 11, top + 25)
        self.xdotool("click", "--repeat", notches, "--delay", 10, wheel, "sleep", 0.5)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.xdotool("key", key, "sleep", 0.4)

    def over_view(self) -> None:
        """Put the pointer into the large editor, low down, where no report hangs."""
        area = "sidebar()[1]"
        box = self.ask(f"result = rectangle(next(r for r in {area}.regions if r.type == 'WINDOW'))")
        left, top, right, bottom = box
        self.point((left + right) / 2 - 100, top + (bottom - top) * 0.85)

    def dismiss(self) -> None:
        """Close an error's report: it stays until the pointer has left it, in 5.2 until Escape.

        Not while a job runs, because Escape would cancel it.
        """
        self.over_view()
        self.xdotool("key", "Escape", "sleep", 0.3)

    def grey(self, box: tuple[int, int, int, int]) -> bytes:
        """Return the brightness of a part of the screen, a byte for each pixel, row by row."""
        left, top, right, bottom = box
        crop = ("-crop", f"{right - left}x{bottom - top}+{left}+{top}", "+repage", "-colorspace", "Gray", "-depth", "8")
        self.debian.run("import", "-window", "root", *crop, f"gray:{self.debian.inside}/grey")
        return (self.debian.outside / "grey").read_bytes()

    def picture(self, name: str, out: Path, box: tuple[int, int, int, int] | None = None) -> None:
        """Return the screen, or of it ``box``: left, top, right, bottom."""
        self.ask("sidebar()[1].tag_redraw()")
        time.sleep(2.0)  # sections open and close slowly, and it is drawn by software
        left, top, right, bottom = box or (0, 0, *SIZE)
        crop = ("-crop", f"{right - left}x{bottom - top}+{left}+{top}", "+repage")
        self.debian.run("import", "-window", "root", *crop, self.debian.inside / name)
        shutil.copyfile(self.debian.outside / name, out / name)
        print(f"    {out / name}", flush=True)


def _says(copied: str, text: str, ends: bool) -> bool:
    return copied.endswith(text) if ends else text in copied


def until(condition: Callable[[], object], what: str, alive: Callable[[], None] = lambda: None) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        alive()
        if time.monotonic() > deadline:
            raise Failed(f"waited {PATIENCE:.0f} s in vain for {what}")
        time.sleep(0.05)


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
