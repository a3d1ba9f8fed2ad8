"""Speed beside MediaPipe's face mesh: ``python -m expnet.benchmarks.beside_mediapipe PYTHON CLIP [FRAMES] [ROUNDS]``.

PYTHON is the interpreter of an environment of its own with ``mediapipe==0.10.21``. CLIP is repeated to FRAMES frames
(4720) at 360p, and to FRAMES * 0.6 at 720p. Each program is a whole process, start included: ``expnet animate`` with
the full and with the light engine, and the mesh in video mode with refined landmarks, fed by OpenCV. All are kept to
the same two cores. The programs alternate for ROUNDS rounds (3).

Wall time is right on a quiet machine only. Processor time (user and system) is nearly independent of other work. The
table has the smallest of both over the rounds, and their ratios to MediaPipe's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av

FRAMES, ROUNDS = 4720, 3
SIZES = {"360p": (640, 360, 1.0), "720p": (1280, 720, 0.6)}  # and the share of the frames
CORES = 2
MESH = """
import sys
import cv2
import mediapipe
mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=False, max_num_faces=1, refine_landmarks=True)
capture = cv2.VideoCapture(sys.argv[1])
frames = seen = 0
while True:
    there, image = capture.read()
    if not there:
        break
    frames += 1
    seen += mesh.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).multi_face_landmarks is not None
print(frames, seen)
"""


class Taken(NamedTuple):
    """Seconds: on the clock, and of all processors together."""

    wall: float
    processor: float


def main(python: str, clip: str, frames: str = str(FRAMES), rounds: str = str(ROUNDS)) -> int:
    print("| clip | program | wall s | processor s | wall, times MediaPipe's | processor, times MediaPipe's |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, (width, height, share) in SIZES.items():
            count = round(share * int(frames))
            path = Path(folder) / f"{name}.mp4"
            repeated(Path(clip), path, count, (width, height))
            least = {
                program: Taken(*map(min, zip(*taken, strict=True)))
                for program, taken in measured(commands(python, path, Path(folder)), int(rounds)).items()
            }
            mesh = least["MediaPipe"]
            for program, taken in least.items():
                ratios = f"{taken.wall / mesh.wall:.2f} | {taken.processor / mesh.processor:.2f}"
                what = f"{count} frames of {name} | {program} | {taken.wall:.1f} | {taken.processor:.1f}"
                print(f"| {what} | {ratios} |", flush=True)
    return 0


def commands(python: str, clip: Path, folder: Path) -> dict[str, list[str]]:
    """Return the programs by name."""
    animate = [sys.executable, "-P", "-m", "expnet", "animate", str(clip), "--device", "cpu"]
    out = ["--performance", str(folder / "performance.npz")]
    return {
        "full engine": [*animate, "--runtime", "full", *out],
        "light engine": [*animate, "--runtime", "light", *out],
        "MediaPipe": [python, "-P", "-c", MESH, str(clip)],
    }


def measured(programs: dict[str, list[str]], rounds: int) -> dict[str, list[Taken]]:
    """Run the programs in turn."""
    taken: dict[str, list[Taken]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, command in programs.items():
            taken[name].append(time_of(command))
    return taken


def time_of(command: list[str]) -> Taken:
    """Run a command to its end on the first cores. Raises RuntimeError where it fails."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(process.pid, sorted(os.sched_getaffinity(0))[:CORES])
        _, status, used = os.wait4(process.pid, 0)  # of the process and of its children
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{command[0]} failed: {said.read().decode(errors='replace')[-500:]}")
    return Taken(wall, used.ru_utime + used.ru_stime)


def repeated(clip: Path, out: Path, count: int, size: tuple[int, int]) -> None:
    """Write ``count`` frames of a clip as H.264 of a size (width, height), from the start again after its end."""
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"crf": "20", "preset": "veryfast"}
        for number, frame in zip(range(count), endless(clip), strict=False):
            picture = frame.reformat(*size, "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 24)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def endless(clip: Path) -> Iterator[av.VideoFrame]:
    while True:
        with av.open(str(clip)) as container:
            yield from container.decode(video=0)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4, 5):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
