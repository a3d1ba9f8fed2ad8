"""Cancel jobs at random moments by INT, TERM and KILL, and print what is left behind as a table. Linux only.

    python -m expnet.benchmarks.cancel [--cancels 200] [--seed 0] [--longest SECONDS]

Each cancel starts ``expnet animate`` or ``expnet batch`` on the shipped clip, every fourth time as an image sequence,
with its own folder for temporary files, and sends the signal after a random time. Left behind means: a process of the
job that still runs ten seconds later, any file in the temporary folder, and half-written files next to the outputs.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ..model.files import is_partial
from ..model.networks.weights.open_pack import DATA

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
GRACE = 10.0  # seconds after which nothing may be left


def cancel(number: int, folder: Path, wait: float, by: signal.Signals) -> list[str]:
    """Return what one cancel leaves behind."""
    temporary, footage, out = (folder / name for name in ("temporary", "footage", "out"))
    for each in (temporary, footage, out):
        each.mkdir()
    for i in range(2):
        shutil.copy(DATA / "demo_clip.mp4", footage / f"clip{i}.mp4")
    clip = footage / "clip0.mp4" if number % 4 else _pictures(footage / "pictures")
    words = ["animate", str(clip), "--out", str(out / "a.blend"), "--render", str(out / "a.mp4")]
    if number % 2:
        words = ["batch", str(footage), "--out", str(out), "--jobs", "1", "--csv"]
    environment = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "expnet", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.send_signal(by)
        process.wait()
    deadline = time.monotonic() + GRACE
    while (left := _left(temporary, out)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in _processes(temporary):
        os.kill(pid, signal.SIGKILL)
    return [*left, f"exit code {process.returncode}"] if left else []


def _pictures(folder: Path) -> Path:
    """Write the clip as an image sequence, which another process decodes."""
    import cv2

    folder.mkdir()
    reader, number = cv2.VideoCapture(str(DATA / "demo_clip.mp4")), 0
    while True:
        found, image = reader.read()
        if not found:
            return folder
        number += 1
        cv2.imwrite(str(folder / f"{number:04d}.jpg"), image)


def _left(temporary: Path, out: Path) -> list[str]:
    partial = [path.name for path in out.rglob("*") if is_partial(path)]
    return [f"process {pid}" for pid in _processes(temporary)] + [p.name for p in temporary.iterdir()] + partial


def _processes(temporary: Path) -> Iterator[int]:
    """Yield the processes whose environment names the temporary folder."""
    wanted = os.fsencode(temporary)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            running = (entry / "stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
            if running and wanted in (entry / "environ").read_bytes():
                yield int(entry.name)
        except OSError:
            continue


def main() -> None:
    """Print a row for each signal; exit status 1 where something is left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cancels", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=12.0, help="seconds until the signal, at most")
    a = parser.parse_args()
    rng = random.Random(a.seed)
    counts = {by: [0, 0] for by in SIGNALS}
    for number in range(a.cancels):
        by = SIGNALS[number // 2 % len(SIGNALS)]
        with tempfile.TemporaryDirectory(prefix="expnet-cancel-") as folder:
            wait = rng.uniform(0.1, a.longest)
            left = cancel(number, Path(folder), wait, by)
        counts[by][0] += 1
        counts[by][1] += bool(left)
        if left:
            print(f"{number}: {'batch' if number % 2 else 'animate'}, {by.name} after {wait:.1f} s: {', '.join(left)}")
    print(f"{'signal':<10}{'cancels':>9}{'left behind':>13}")
    for by, (cancels, bad) in counts.items():
        print(f"{by.name:<10}{cancels:>9}{bad:>13}")
    sys.exit(1 if any(bad for _, bad in counts.values()) else 0)


if __name__ == "__main__":
    main()
