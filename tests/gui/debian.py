"""A Debian in a folder, with the real Blender in it: what it needs mounted, what comes in, what runs there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path


class Failed(Exception):
    """A step did not do what it should."""


REPEAT = """
import cv2, sys
movie = cv2.VideoCapture(sys.argv[1])
frames = [frame for read, frame in iter(movie.read, (False, None)) if read]
size = frames[0].shape[1::-1]
out = cv2.VideoWriter(sys.argv[2], cv2.VideoWriter_fourcc(*"mp4v"), movie.get(cv2.CAP_PROP_FPS), size)
for i in range(int(sys.argv[3])):
    out.write(frames[i % len(frames)])
out.release()
"""
MIRROR = """
import cv2, sys
movie = cv2.VideoCapture(sys.argv[1])
frames = [cv2.flip(frame, 1) for read, frame in iter(movie.read, (False, None)) if read]
size = frames[0].shape[1::-1]
out = cv2.VideoWriter(sys.argv[2], cv2.VideoWriter_fourcc(*"mp4v"), movie.get(cv2.CAP_PROP_FPS), size)
for frame in frames:
    out.write(frame)
out.release()
"""

BESIDE = """
import cv2, sys
movie = cv2.VideoCapture(sys.argv[1])
frames = [frame for read, frame in iter(movie.read, (False, None)) if read]
pairs = [cv2.hconcat([frame, cv2.convertScaleAbs(cv2.flip(frame, 1), alpha=0.7)]) for frame in frames]
out = cv2.VideoWriter(sys.argv[2], cv2.VideoWriter_fourcc(*"mp4v"), movie.get(cv2.CAP_PROP_FPS), pairs[0].shape[1::-1])
for pair in pairs:
    out.write(pair)
out.release()
"""


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
        outside = Path(tempfile.mkdtemp(prefix="artist_", dir=folder / "home"))
        stack.callback(shutil.rmtree, outside, ignore_errors=True)
        self.outside = outside
        self.inside = Path("/home") / outside.name
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
        """Return the same for a folder."""
        shutil.copytree(folder, self.outside / folder.name)
        return str(self.inside / folder.name)

    def frame(self, clip: str, number: int) -> str:
        """Return a picture with one of the clip's frames."""
        out = f"{self.inside}/face.png"
        read = f"movie = cv2.VideoCapture({clip!r}); movie.set(cv2.CAP_PROP_POS_FRAMES, {number})"
        self.run("python3", "-c", f"import cv2; {read}; cv2.imwrite({out!r}, movie.read()[1])")
        return out

    def longer(self, clip: str, frames: int = 600) -> str:
        """Return the clip some times over, so that there is something to cancel."""
        out = f"{self.inside}/long_take.mp4"
        self.run("python3", "-c", REPEAT, clip, out, frames)
        return out

    def mirrored(self, clip: str) -> str:
        """Return the clip, left and right exchanged."""
        out = f"{self.inside}/mirrored.mp4"
        self.run("python3", "-c", MIRROR, clip, out)
        return out

    def two_people(self, clip: str) -> str:
        """Return a clip with the person of this one, and beside them their mirror image, darker."""
        out = f"{self.inside}/talk.mp4"
        self.run("python3", "-c", BESIDE, clip, out)
        return out

    def two_faces(self, clip: str) -> str:
        """Return a picture with the clip's first frame and, smaller, its mirror image."""
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
