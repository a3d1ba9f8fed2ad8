"""What an artist does, each checked from inside Blender."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from debian import Failed
from screen import Screen, until

EXTENSION = "bl_ext.user_default.expnet"
RIG = f"import {EXTENSION}.expnet_addon.scene.rig as rig; faces = rig.rigs_in(bpy.context.scene); "
RUN_SO_FAR = "result = [(o.bl_idname, o.as_pointer()) for o in bpy.context.window_manager.operators]"
KEYS = RIG + "data = faces[0].data.shape_keys.animation_data if faces else None; "
TASKS = f"import {EXTENSION}.expnet_addon.engine.tasks as tasks; "
WORKER = TASKS + "import os, signal; worker = tasks.under_way()._job.pid; "
SETTINGS = "settings = bpy.context.scene.expnet; "
PUSH = "; bpy.ops.ed.undo_push(message='by the test')"
LEFT = "import os, tempfile; result = [n for n in os.listdir(tempfile.gettempdir()) if n.startswith('expnet-')]"
ALIVE = "import os; result = os.path.exists('/proc/%d') and open('/proc/%d/stat').read().split(')')[-1].split()[0]"


class Artist:
    """What an artist does, each checked from inside."""

    def __init__(self, screen: Screen, a: argparse.Namespace, image: str, clip: str) -> None:
        self.screen = screen
        self.options = a
        self.out: Path = a.out
        self.image, self.clip = image, clip  # inside
        self.wrong: list[str] = []  # what does not keep from going on

    def step(self, text: str) -> None:
        print(text, flush=True)

    def picture(self, name: str, box: tuple[int, int, int, int] | None = None) -> None:
        self.screen.picture(name, self.out, box)

    def check(self, condition: object, what: str) -> None:
        if not condition:
            raise Failed(what)

    def running(self) -> Any:
        return self.screen.ask(TASKS + "result = tasks.under_way() is not None")

    def keyed(self) -> Any:
        return self.screen.ask(KEYS + "result = data is not None and data.action is not None")

    def state(self) -> dict:
        return self.screen.ask("result = state()")

    def start(self, operator: str, at: tuple[int, int] | None = None) -> None:
        """Click the button until the operator starts.

        A report at the pointer may swallow the first click. An operator may be finished before the test looks: then
        Blender lists it among the operators that have run.
        """
        at = at or self.screen.find_button(operator)
        before = self.screen.ask(RUN_SO_FAR)
        for _ in range(5):
            self.screen.click(operator, at)
            for _ in range(100):
                if self.running() or self.screen.ask(RUN_SO_FAR) != before:
                    return
                time.sleep(0.05)
            self.screen.dismiss()
        raise Failed(f"{operator} does not start")

    def start_or_refuse(self, operator: str, at: tuple[int, int]) -> None:
        """One click, and the end of what it began, if anything."""
        self.screen.over_view()
        self.screen.click(operator, at)
        self.ends(operator)

    def ends(self, what: str) -> None:
        until(lambda: not self.running(), what, self.screen.alive)

    def open_tab(self) -> None:
        until(lambda: self.screen.ask("result = open_tab()"), "the ExpNet tab", self.screen.alive)

    def nothing_changed(self, before: dict, what: str, says: str) -> None:
        """Nothing but the panel's line, which has to tell what happened."""
        now = self.state()
        said = now["settings"].pop("result")
        before = {**before, "settings": {k: v for k, v in before["settings"].items() if k != "result"}}
        odd = [name for name in {**now, **before} if now.get(name) != before.get(name)]
        self.check(not odd, f"{what} left something: {', '.join(sorted(odd))}")
        self.check(says in said, f"{what} left the line '{said}'")
        print(f"    {what}: '{said}'", flush=True)

    def undo_and_redo(self, before: dict, what: str) -> None:
        """Back to the state before, and to the one after again, exactly."""
        after = self.state()
        self.check(after != before, f"{what} did nothing")
        self.screen.over_view()
        for keys, wanted in (("ctrl+z", before), ("ctrl+shift+z", after)):
            self.screen.xdotool("key", keys, "sleep", 0.5)
            now = self.state()
            odd = [name for name in {**now, **wanted} if now.get(name) != wanted.get(name)]
            if odd:
                self.wrong.append(f"{keys} after {what}: {', '.join(sorted(odd))} differ")
                print(f"    {self.wrong[-1]}", flush=True)
                for name in odd:
                    print(f"        {str(wanted.get(name))[:300]}\n        {str(now.get(name))[:300]}", flush=True)
        print(f"    {what}: undone and redone", flush=True)

    def changes(self, do: Callable[[], None], what: str) -> None:
        """Check that what ``do`` clicks changes the scene, and can be undone and redone."""
        before = self.state()
        self.insist(do, lambda: self.state() != before, what)
        self.undo_and_redo(before, what)

    def insist(self, do: Callable[[], None], done: Callable[[], object], what: str) -> None:
        """Click again until it works: a report at the pointer or a busy machine may swallow a click or a key."""
        for _ in range(4):
            do()
            deadline = time.monotonic() + 15
            while time.monotonic() < deadline:
                if done():
                    return
                time.sleep(0.05)
            self.screen.press("Escape")  # a menu that stays open
            self.screen.over_view()
        raise Failed(f"waited in vain for {what}")

    def presses(self, operator: str, what: str = "", across: float = 0.47, below: int = 0) -> tuple[int, int]:
        """Click a button that changes the scene; where it was."""
        at = self.screen.find_button(operator, below, across)
        self.changes(lambda: self.screen.click(operator, at), what or operator)
        return at

    def worker(self) -> int:
        return int(self.screen.ask(WORKER + "result = worker"))

    def nothing_left(self, worker: int) -> None:
        """No process and no file of a run that was cancelled."""
        until(lambda: self.screen.ask(ALIVE % (worker, worker)) in (False, "Z"), "the worker's end", self.screen.alive)
        until(lambda: self.screen.ask(LEFT) == [], "an empty temporary folder", self.screen.alive)

    def new_file(self) -> None:
        """File > New > General, by the keyboard."""
        self.screen.over_view()
        self.screen.press("ctrl+n", "Return")

    def empty_scene(self) -> None:
        """File > New > General, with the tab open and without the startup objects."""
        self.new_file()
        until(lambda: self.screen.ask("result = 'Cube' in bpy.data.objects"), "the startup scene", self.screen.alive)
        self.open_tab()
        self.screen.ask("[bpy.data.objects.remove(o) for o in list(bpy.data.objects)]" + PUSH)

    def add_face(self) -> None:
        """Add Face, in a scene without one."""
        self.screen.click("add_face")
        until(lambda: self.screen.ask(RIG + "result = len(faces) == 1"), "the face", self.screen.alive)
