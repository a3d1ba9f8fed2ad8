#!/usr/bin/env python3
"""The panel in a real Blender, with mouse and keyboard: install, Add Face, Estimate, Animate, Cancel, the take's
settings, the Movie Clip editor, several faces, the authors' networks; and after each of them undo and redo.

    python3 tests/gui/run.py FOLDER --image FACE.jpg --clip CLIP.mp4 [--release FOLDER] [--out docs/guide]

FOLDER holds a Debian with blender, xvfb, libgl1-mesa-dri, libegl1, libgl1, xdotool, imagemagick, python3-torch,
python3-opencv and python3-safetensors (debootstrap; about 2.5 GB). The extension is the zip in dist/
(``dev.py build``). Needs root, for chroot. The clip should last some seconds, so that there is something to cancel.
Every step is checked from inside Blender; the screenshots in --out are the user guide's.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SIZE = (1500, 1100)
PATIENCE = 600.0  # seconds; drawing by software on a busy machine


class Failed(Exception):
    """A step did not do what it should."""


class Debian:
    """The folder with Blender in it, with what its programs need mounted, and a work folder that both sides see."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        for kind, target in (
            (["-t", "proc", "proc"], "proc"),
            (["--bind", "/dev"], "dev"),
            (["-t", "tmpfs", "tmpfs"], "dev/shm"),
        ):
            point = folder / target
            if not os.path.ismount(point):
                subprocess.run(["mount", *kind, point], check=True)
                if target == "dev":  # else the tmpfs would appear on the real /dev/shm, too
                    subprocess.run(["mount", "--make-private", point], check=True)
                stack.callback(subprocess.run, ["umount", "-l", point], check=False)
        outside = Path(tempfile.mkdtemp(prefix="gui_", dir=folder / "tmp"))
        stack.callback(shutil.rmtree, outside, ignore_errors=True)
        self.outside = outside
        self.inside = Path("/tmp") / outside.name
        (outside / "home").mkdir()
        (outside / "dialogue").mkdir()
        self.environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": f"{self.inside}/home",
            "BLENDER_USER_RESOURCES": f"{self.inside}/profile",
            "TMPDIR": f"{self.inside}/home",
            "XDG_CACHE_HOME": "/root/.cache",  # keeps Mesa's compiled shaders from run to run
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "GUI_DIALOGUE": f"{self.inside}/dialogue",
            "OMP_NUM_THREADS": "1",
        }

    def bring(self, file: Path) -> str:
        """Copy a file in; its path in there."""
        shutil.copyfile(file, self.outside / file.name)
        return str(self.inside / file.name)

    def bring_folder(self, folder: Path) -> str:
        """The same for a folder."""
        shutil.copytree(folder, self.outside / folder.name)
        return str(self.inside / folder.name)

    def two_faces(self, clip: str) -> str:
        """A picture with the clip's first frame and, smaller, its mirror image."""
        out = f"{self.inside}/two.png"
        code = f"import cv2; cv2.imwrite({out!r}, cv2.VideoCapture({clip!r}).read()[1])"
        self.run("python3", "-c", code)
        self.run("convert", out, "(", "+clone", "-flop", "-resize", "70%", ")", "+append", out)
        return out

    def command(self, *words: object) -> list[str]:
        return [
            "chroot",
            str(self.folder),
            "env",
            "-i",
            *(f"{k}={v}" for k, v in self.environment.items()),
            *map(str, words),
        ]

    def run(self, *words: object) -> str:
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"{' '.join(map(str, words))}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def start(self, *words: object, log: str, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen:
        with (self.outside / log).open("wb") as output:
            return subprocess.Popen(self.command(*words), stdout=output, stderr=output, pass_fds=pass_fds)


class Screen:
    """Blender on a screen that nobody sees: its mouse, its keyboard, its pictures, and its answers."""

    def __init__(self, debian: Debian, stack: ExitStack) -> None:
        self.debian = debian
        self.asked = 0
        read, write = os.pipe()
        # 96 dpi makes Blender's scale exactly 1; -displayfd chooses a number that is free
        server = debian.start(
            "Xvfb", "-displayfd", write, "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "-dpi", "96",
            "+extension", "GLX", "-nolisten", "tcp", "-noreset", log="xvfb.log", pass_fds=(write,),
        )  # fmt: skip
        stack.callback(_end, server)
        os.close(write)
        with os.fdopen(read) as pipe:
            debian.environment["DISPLAY"] = f":{pipe.readline().strip()}"
        self.blender = debian.start(
            "blender", "--window-geometry", 0, 0, *SIZE, "--python", debian.bring(HERE / "inside.py"), log="blender.log"
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

    def xdotool(self, *words: object) -> None:
        self.debian.run("xdotool", *words)

    def point(self, x: float, y: float) -> None:
        """Two steps: Blender notices a pointer that moves, not one that is there."""
        self.xdotool("mousemove", int(x) - 3, int(y), "sleep", 0.05, "mousemove", int(x), int(y), "sleep", 0.15)

    def under(self, y: int, keys: str, x: int) -> str:
        """What ``keys`` copy at a place of the panel."""
        self.ask("bpy.context.window_manager.clipboard = ''")
        self.xdotool("mousemove", x - 3, y, "sleep", 0.04, "mousemove", x, y, "sleep", 0.1, "key", keys, "sleep", 0.08)
        return str(self.ask("result = bpy.context.window_manager.clipboard"))

    def find(self, text: str, keys: str, what: str, below: int = 0, across: float = 0.47) -> tuple[int, int]:
        """Where in the panel ``keys`` copy something with ``text`` in it; ``across`` is the share of its width."""
        left, top, right, bottom = self.ask("result = rectangle(sidebar()[2])")
        x = int(left + (right - left) * across)
        for y in range(max(top + 30, below), bottom, 11):
            if text in self.under(y, keys, x):
                return x, y
        raise Failed(f"there is no {what}")

    def find_button(self, operator: str, below: int = 0, across: float = 0.47) -> tuple[int, int]:
        """Where the panel's button of ``operator`` is: Ctrl-C over a button copies its Python command."""
        return self.find(f"expnet.{operator}(", "ctrl+c", f"button for {operator}", below, across)

    def find_property(self, path: str, below: int = 0, across: float = 0.47) -> tuple[int, int]:
        """Where a property is whose data path ends like this: Ctrl-Shift-Alt-C copies it."""
        return self.find(path, "ctrl+shift+alt+c", f"property {path}", below, across)

    def paste(self, at: tuple[int, int], value: str) -> None:
        """Ctrl-V over a number puts the clipboard's in."""
        self.ask(f"bpy.context.window_manager.clipboard = {value!r}")
        self.point(*at)
        self.xdotool("key", "ctrl+v", "sleep", 0.2)

    def open_section(self, operator: str, below: int) -> tuple[int, int]:
        """Click at the titles of closed sections, from ``below`` on, until the one with that button opens."""
        left, top, right, bottom = self.ask("result = rectangle(sidebar()[2])")
        x = int(left + (right - left) * 0.47)
        for title in range(below, bottom, 9):
            self.point(x, title)
            self.xdotool("click", 1, "sleep", 0.4)
            copied = [self.under(y, "ctrl+c", x) for y in range(title + 12, title + 48, 9)]
            for y, command in zip(range(title + 12, title + 48, 9), copied):
                if f"expnet.{operator}(" in command:
                    return x, y
            if any(copied) or self.under(title + 30, "ctrl+shift+alt+c", x):  # another section: close it again
                self.point(x, title)
                self.xdotool("click", 1, "sleep", 0.4)
        raise Failed(f"there is no section with a button for {operator}")

    def click(self, operator: str, at: tuple[int, int] | None = None) -> None:
        self.point(*(at or self.find_button(operator)))
        self.xdotool("click", 1)

    def over_view(self) -> None:
        """Put the pointer into the middle of the 3D view."""
        area = "sidebar()[1]"
        box = self.ask(f"result = rectangle(next(r for r in {area}.regions if r.type == 'WINDOW'))")
        left, top, right, bottom = box
        self.point((left + right) / 2 - 100, (top + bottom) / 2)

    def picture(self, name: str, out: Path) -> None:
        self.ask("sidebar()[1].tag_redraw()")
        time.sleep(1.0)  # one redraw by software
        self.debian.run("import", "-window", "root", self.debian.inside / name)
        shutil.copyfile(self.debian.outside / name, out / name)
        print(f"    {out / name}", flush=True)


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


RIG = "import bl_ext.user_default.expnet.expnet_addon.rig as rig; faces = rig.rigs_in(bpy.context.scene); "
KEYS = RIG + "data = faces[0].data.shape_keys.animation_data if faces else None; "
TASKS = "import bl_ext.user_default.expnet.expnet_addon.tasks as tasks; "
WORKER = TASKS + "import os, signal; worker = tasks.running._job.pid; "
SETTINGS = "settings = bpy.context.scene.expnet; "
PUSH = "; bpy.ops.ed.undo_push(message='by the test')"
LOOK = """
window, area, _ = sidebar()
region = next(r for r in area.regions if r.type == "WINDOW")
with bpy.context.temp_override(window=window, area=area, region=region):
    bpy.ops.view3d.view_axis(type="FRONT")
    bpy.ops.view3d.view_selected()
area.spaces.active.shading.color_type = "TEXTURE"
area.spaces.active.overlay.show_floor = False
"""
PREFERENCES = """
show("PREFERENCES")
bpy.context.preferences.active_section = "ADDONS"
bpy.context.window_manager.addon_search = "expnet"
window, area, region = sidebar()
with bpy.context.temp_override(window=window, area=area, region=region):
    bpy.ops.preferences.addon_expand(module="bl_ext.user_default.expnet")
preferences = bpy.context.preferences.addons["bl_ext.user_default.expnet"].preferences
"""


class Artist:
    """What an artist does, each checked from inside."""

    def __init__(self, screen: Screen, a: argparse.Namespace) -> None:
        self.screen = screen
        self.out: Path = a.out
        self.wrong: list[str] = []  # what does not keep from going on

    def check(self, condition: object, what: str) -> None:
        if not condition:
            raise Failed(what)

    def running(self) -> Any:
        return self.screen.ask(TASKS + "result = tasks.running is not None")

    def keyed(self) -> Any:
        return self.screen.ask(KEYS + "result = data is not None and data.action is not None")

    def state(self) -> dict:
        return self.screen.ask("result = state()")

    def start(self, operator: str, at: tuple[int, int] | None = None) -> None:
        """A report that hangs at the pointer may swallow the first click."""
        at = at or self.screen.find_button(operator)
        for _ in range(5):
            self.screen.click(operator, at)
            for _ in range(100):
                if self.running():
                    return
                time.sleep(0.05)
        raise Failed(f"{operator} does not start")

    def ends(self, what: str) -> None:
        until(lambda: not self.running(), what, self.screen.alive)

    def open_tab(self) -> None:
        until(lambda: self.screen.ask("result = open_tab()"), "the ExpNet tab", self.screen.alive)

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
        print(f"    {what}: undone and redone", flush=True)


def walk(screen: Screen, a: argparse.Namespace, image: str, clip: str) -> None:
    """The artist's first hour."""
    artist, out = Artist(screen, a), a.out
    check, state = artist.check, artist.state

    def step(text: str) -> None:
        print(text, flush=True)

    artist.open_tab()
    screen.ask("[bpy.data.objects.remove(o) for o in list(bpy.data.objects)]" + PUSH)
    if a.weights:
        weights = screen.debian.bring(a.weights)
        screen.ask(SETTINGS + f"settings.network = 'FILE'; settings.estimator = {weights!r}" + PUSH)
    if a.box:
        screen.ask(SETTINGS + f"settings.use_box = True; settings.box = {a.box}" + PUSH)

    step("Add Face")
    before = state()
    screen.click("add_face")
    until(lambda: screen.ask(RIG + "result = len(faces) == 1"), "the face", screen.alive)
    artist.undo_and_redo(before, "Add Face")
    screen.ask(LOOK)
    screen.picture("panel.png", out)

    step("Estimate Expression")
    screen.ask(SETTINGS + f"settings.source = {image!r}" + PUSH)
    before = state()
    artist.start("estimate_expression")
    artist.ends("the image")
    check(artist.keyed(), "the image left no keys")
    screen.over_view()
    screen.picture("estimate.png", out)
    artist.undo_and_redo(before, "Estimate Expression")
    screen.xdotool("key", "ctrl+z")
    until(lambda: not artist.keyed(), "undo", screen.alive)

    step("Animate from Footage, ESC")
    screen.ask(SETTINGS + f"settings.source = {clip!r}" + PUSH)
    before = state()
    animate = screen.find_button("animate_footage")
    artist.start("animate_footage", animate)
    screen.ask(WORKER + "os.kill(worker, signal.SIGSTOP)")
    screen.over_view()
    screen.xdotool("key", "Escape")
    artist.ends("ESC")
    check(state() == before, "a cancelled run left something")

    step("Animate from Footage, Cancel")
    artist.start("animate_footage", animate)
    until(lambda: screen.ask(TASKS + "result = '/s' in tasks.running.status"), "progress with its speed", screen.alive)
    screen.ask(WORKER + "os.kill(worker, signal.SIGSTOP)")  # the mouse takes longer than the clip
    screen.picture("progress.png", out)
    screen.click("cancel", screen.find_button("cancel", below=animate[1]))
    artist.ends("Cancel")
    check(state() == before, "a cancelled run left something")

    step("Animate from Footage, its worker killed")
    artist.start("animate_footage", animate)
    screen.ask(WORKER + "os.kill(worker, signal.SIGKILL)")
    artist.ends("the end of a killed worker")
    check(state() == before, "a killed worker left something")
    screen.over_view()  # the red report hangs at the pointer until it leaves

    step("Animate from Footage, the face deleted meanwhile")
    artist.start("animate_footage", animate)
    screen.ask(WORKER + "os.kill(worker, signal.SIGSTOP)")
    screen.ask(RIG + "bpy.data.objects.remove(faces[0])" + PUSH)
    screen.ask(WORKER + "os.kill(worker, signal.SIGCONT)")
    artist.ends("the clip")
    check(screen.ask("result = len(bpy.data.actions)") == 0, "keys were written for a face that is gone")
    screen.over_view()
    screen.xdotool("key", "ctrl+z", "sleep", 0.5)
    check(screen.ask(RIG + "result = len(faces) == 1"), "undo did not bring the face back")

    step("Animate from Footage")
    before = state()
    artist.start("animate_footage", animate)
    artist.ends("the clip")
    check(artist.keyed(), "the clip left no keys")
    print("    " + str(screen.ask(SETTINGS + "result = settings.result")).replace("\n", "; "))
    artist.undo_and_redo(before, "Animate from Footage")
    middle = "scene = bpy.context.scene; scene.frame_set((scene.frame_start + scene.frame_end) // 2)"
    screen.ask(middle + "; sidebar()[1].spaces.active.region_3d.view_perspective = 'CAMERA'" + PUSH)
    screen.picture("animate.png", out)

    step("The take's settings")
    gain = screen.find_property(".gain", below=animate[1], across=0.8)
    before = state()
    screen.paste(gain, "0.5")
    artist.undo_and_redo(before, "a gain")
    before = state()
    screen.click("neutral_from_frame", screen.find_button("neutral_from_frame", below=gain[1]))
    until(lambda: state() != before, "the neutral", screen.alive)
    artist.undo_and_redo(before, "Neutral from Current Frame")
    before = state()
    decimate = screen.find_property("expnet.decimate", below=gain[1])
    screen.point(*decimate)
    screen.xdotool("click", 1)
    until(lambda: state() != before, "fewer keys", screen.alive)
    artist.undo_and_redo(before, "Fewer keys")
    screen.picture("take.png", out)

    step("A second face")
    first = screen.ask(KEYS + "result = data.action.name")
    screen.ask("bpy.ops.expnet.add_face(); bpy.context.object.location.x = 0.3" + PUSH)
    artist.start("animate_footage", animate)
    artist.ends("the clip, for the second face")
    names = screen.ask(RIG + "result = [f.data.shape_keys.animation_data.action.name for f in faces]")
    check(first in names and len(set(names)) == 2, f"two faces, but the actions are {names}")
    screen.ask("bpy.data.objects.remove(bpy.context.object)" + PUSH)

    step("The Movie Clip editor")
    screen.ask(f"show('CLIP_EDITOR'); sidebar()[1].spaces.active.clip = bpy.data.movieclips.load({clip!r})" + PUSH)
    artist.open_tab()
    before = state()
    artist.start("estimate_expression")
    artist.ends("the frame")
    check("at frame" in str(screen.ask(SETTINGS + "result = settings.result")), "no frame of the clip was read")
    screen.picture("clip_editor.png", out)
    artist.undo_and_redo(before, "Estimate Expression in the Movie Clip editor")

    step("The preferences")
    screen.ask(PREFERENCES)
    if a.release:
        release = screen.debian.bring_folder(a.release)
        screen.ask(PREFERENCES.replace("bpy.ops.preferences.addon_expand", "(lambda module: None)")
                   + f"preferences.release_folder = {release!r}")  # fmt: skip
        artist.start("import_weights", screen.find_button("import_weights"))
        artist.ends("the import")
        report = "result = bpy.context.preferences.addons['bl_ext.user_default.expnet'].preferences.import_report"
        check("Found" in str(screen.ask(report)), "nothing was imported")
        print("    " + str(screen.ask(report)).splitlines()[0])
    screen.picture("preferences.png", out)

    step("Several faces in the picture")
    screen.ask("show('VIEW_3D')")
    artist.open_tab()
    two = screen.debian.two_faces(clip)
    screen.ask(SETTINGS + f"settings.source = {two!r}" + PUSH)
    artist.start("find_faces", screen.open_section("find_faces", below=screen.find_button("animate_footage")[1] + 16))
    artist.ends("the faces")
    print("    " + str(screen.ask(SETTINGS + "result = settings.result")))
    screen.picture("faces.png", out)

    step("The file closed meanwhile")
    screen.ask(SETTINGS + f"settings.source = {clip!r}" + PUSH)
    artist.start("animate_footage")
    screen.ask("bpy.ops.wm.read_homefile()")
    check(not artist.running(), "the run goes on in another file")

    heavy = "import sys; result = sorted({'torch', 'cv2', 'scipy'} & set(sys.modules))"
    check(screen.ask(heavy) == [], "Blender imported what only the worker may")
    log = (screen.debian.outside / "blender.log").read_text()
    check(not artist.wrong, "; ".join(artist.wrong))
    check("Traceback" not in log, f"a traceback in Blender's log:\n{log[-3000:]}")
    screen.ask("bpy.app.timers.register(lambda: bpy.ops.wm.quit_blender() and None, first_interval=0.2)")
    screen.blender.wait(timeout=60)
    check(screen.blender.returncode == 0, f"Blender left with status {screen.blender.returncode}")


def install(debian: Debian, archive: Path) -> None:
    inside = debian.bring(archive)
    debian.run("blender", "--command", "extension", "validate", inside)
    debian.run("blender", "--command", "extension", "install-file", "-r", "user_default", "-e", inside)
    # the splash screen would swallow the first click
    debian.run(
        "blender", "-b", "--python-expr",
        "import bpy; bpy.context.preferences.view.show_splash = False; bpy.ops.wm.save_userpref()",
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a Debian with Blender in it")
    parser.add_argument("--image", type=Path, required=True, help="a picture of a face")
    parser.add_argument("--clip", type=Path, required=True, help="a movie of a face, some seconds long")
    parser.add_argument("--release", type=Path, help="a folder with files of the ExpNet release, to be imported")
    parser.add_argument("--zip", type=Path, help="the extension (default: the one in dist/)")
    parser.add_argument("--weights", type=Path, help="other weights than those in the box")
    parser.add_argument("--box", type=int, nargs=4, help="where the face is, in pixels")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "guide", help="folder for the screenshots")
    a = parser.parse_args()
    archive = a.zip or next((ROOT / "dist").glob("expnet-*.zip"), None)
    if archive is None:
        print("There is no zip in dist/: run python3 dev.py build first", file=sys.stderr)
        return 2
    a.out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        debian = Debian(a.folder.resolve(), stack)
        try:
            install(debian, archive)
            walk(Screen(debian, stack), a, debian.bring(a.image), debian.bring(a.clip))
        except Failed as error:
            print(f"FAILED: {error}", file=sys.stderr)
            print((debian.outside / "blender.log").read_text()[-3000:], file=sys.stderr)
            debian.run("import", "-window", "root", debian.inside / "failed.png")
            shutil.copyfile(debian.outside / "failed.png", Path(tempfile.gettempdir()) / "expnet_gui_failed.png")
            return 1
    print("Everything did what it should")
    return 0


if __name__ == "__main__":
    sys.exit(main())
