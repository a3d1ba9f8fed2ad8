#!/usr/bin/env python3
"""The extension in a real Blender, with mouse and keyboard. One command, on a machine without a screen:

    python3 tests/gui/run.py FOLDER [--release FOLDER] [--out docs/guide]

FOLDER holds a Debian with blender, xvfb, libgl1-mesa-dri, libegl1, libgl1, xdotool, imagemagick, python3-torch,
python3-opencv, python3-safetensors and python3-scipy (debootstrap; about 2.5 GB). The extension is the zip in dist/
(``dev.py build``). Needs root, for chroot. The chapters, each of which ``--only`` can name:

    story      the guide's: Try It, two clips, an edit by hand, takes, the time to draw the sidebar, a render
    tools      after the story: F8, Compare, a key switched off, Confidence, Mirror Pose
    capture    Add Face, Estimate, Animate, Cancel and ESC, the take, the Movie Clip editor, several faces, File > New
    character  Try It, Drive My Character, Match Names, the table, presets, Retarget, Remove Retarget
    actor      Actor's Face, from a picture
    everyone   two people in a clip: Find People, names, Animate People
    live       from a file: Pause, Neutral, Record, Stop
    own_head   Find Points, Click Points, Make Keys, the question about keys that are there
    engine     the preferences: Install Runtime, Use This Python, Test, the authors' networks
    leaving    disable, enable, uninstall: nothing stays

Every step is checked from inside Blender, and what changes the scene is undone and redone. The screenshots in --out are
the user guide's.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import actor
import capture
import character
import engine
import everyone
import leaving
import live
import own_head
import story
import tools
from artist import Artist
from debian import Debian, Failed
from screen import Screen

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "model" / "data" / "demo_clip.mp4"
SURPRISE = 48  # a frame of it
CHAPTERS = {
    "story": story.walk,
    "tools": tools.walk,
    "capture": capture.walk,
    "character": character.walk,
    "actor": actor.walk,
    "everyone": everyone.walk,
    "live": live.walk,
    "own_head": own_head.walk,
    "engine": engine.walk,
    "leaving": leaving.walk,
}


def install(debian: Debian, archive: Path) -> None:
    inside = debian.bring(archive)
    debian.run("blender", "--command", "extension", "validate", inside)
    debian.run("blender", "--command", "extension", "install-file", "-r", "user_default", "-e", inside)
    # the splash screen would swallow the first click
    debian.run(
        "blender", "-b", "--python-expr",
        "import bpy; view = bpy.context.preferences.view; view.show_splash = view.use_save_prompt = False; "
        "bpy.ops.wm.save_userpref()",
    )  # fmt: skip


def play(artist: Artist, chapters: list[str]) -> None:
    screen, check = artist.screen, artist.check
    for name in chapters:
        print(f"== {name}", flush=True)
        CHAPTERS[name](artist)
        log = (screen.debian.outside / "blender.log").read_text()
        check("Traceback" not in log, f"a traceback in Blender's log:\n{log[-3000:]}")
    heavy = "import sys; result = sorted({'torch', 'cv2', 'scipy'} & set(sys.modules))"
    check(screen.ask(heavy) == [], "Blender imported what only the worker may")
    check(not artist.wrong, "; ".join(artist.wrong))
    screen.over_view()
    screen.xdotool("key", "ctrl+q")
    screen.blender.wait(timeout=60)
    check(screen.blender.returncode == 0, f"Blender left with status {screen.blender.returncode}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a Debian with Blender in it")
    parser.add_argument("--image", type=Path, help="a picture of a face (default: one out of the built-in clip)")
    parser.add_argument("--clip", type=Path, default=DEMO, help="a movie of a face (default: the built-in clip)")
    parser.add_argument(
        "--clips", type=Path, nargs=2, help="the story's two movies (default: the clip, and its mirror)"
    )
    parser.add_argument("--release", type=Path, help="a folder with files of the ExpNet release, to be imported")
    parser.add_argument("--zip", type=Path, help="the extension (default: the one in dist/)")
    parser.add_argument("--weights", type=Path, help="other weights than those in the box")
    parser.add_argument("--box", type=int, nargs=4, help="where the face is, in pixels")
    parser.add_argument("--only", nargs="+", choices=CHAPTERS, default=list(CHAPTERS), help="some of the chapters")
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
            clip = debian.bring(a.clip)
            a.clips_inside = [debian.bring(each) for each in a.clips] if a.clips else [clip, debian.mirrored(clip)]
            image = debian.bring(a.image) if a.image else debian.frame(clip, SURPRISE)
            play(Artist(Screen(debian, stack), a, image, clip), a.only)
        except Failed as error:
            print(f"FAILED: {error}", file=sys.stderr)
            print((debian.outside / "blender.log").read_text()[-3000:], file=sys.stderr)
            debian.run("import", "-window", "root", debian.inside / "failed.png")
            shutil.copyfile(
                debian.outside / "failed.png", Path(tempfile.gettempdir()) / f"expnet_gui_failed_{a.folder.name}.png"
            )
            return 1
    print("Everything did what it should")
    return 0


if __name__ == "__main__":
    sys.exit(main())
