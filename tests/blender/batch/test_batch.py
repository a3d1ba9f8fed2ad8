"""``expnet batch``: which clips it finds, that it goes on after any interruption, that one bad clip stops nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

import expnet
from expnet.expnet_addon import headless
from expnet.expnet_addon.batch.lanes import do_shots
from expnet.expnet_addon.batch.records import Record, save_record
from expnet.expnet_addon.batch.report import write_report
from expnet.expnet_addon.batch.run import only_one
from expnet.expnet_addon.batch.serve import do_shot
from expnet.expnet_addon.batch.settings import ShotSettings
from expnet.expnet_addon.batch.shots import Shot, find_shots
from expnet.model.errors import InputError
from expnet.model.performance.performance_files import load_performance

DEMO = Path(expnet.__path__[0]) / "model" / "data" / "demo_clip.mp4"
SETTINGS = ShotSettings(device="cpu", last=7, outputs=(".npz",))


def image(path: Path) -> None:
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))


def names(shots: list[Shot]) -> list[str]:
    return [shot.name for shot in shots]


# Which clips ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """Return a folder as it comes from a set: movies by day, a sequence of pictures, things that are no footage."""
    folder = tmp_path / "footage"
    for name in ("day1/take1.mp4", "day1/take2.MOV", "day2/take1.mp4", ".trash/old.mp4", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    for i in range(3):
        image(folder / "day2" / "take3" / f"{i:04d}.png")
    image(folder / "day1" / "slate.jpg")
    return folder


def test_a_folders_movies_and_sequences_keep_their_places(footage: Path, tmp_path: Path) -> None:
    shots = find_shots([str(footage)], tmp_path / "out")
    assert names(shots) == ["day1/take1", "day1/take2", "day2/take1", "day2/take3"]
    assert shots[3].clip == str(footage / "day2" / "take3")


def test_a_pattern_gives_its_matches(footage: Path, tmp_path: Path) -> None:
    assert names(find_shots([str(footage / "**" / "take2.*")], tmp_path)) == ["take2"]
    assert names(find_shots([str(footage / "day2" / "take3")], tmp_path)) == ["take3"]


def test_clips_of_one_name_get_their_suffix_too(footage: Path, tmp_path: Path) -> None:
    shutil.copy(footage / "day1" / "take1.mp4", footage / "day1" / "take1.mov")
    assert names(find_shots([str(footage / "day1")], tmp_path)) == ["take1_mov", "take1_mp4", "take2"]


def test_clips_of_one_name_and_suffix_are_told_apart(footage: Path, tmp_path: Path) -> None:
    both = [str(footage / day / "take1.mp4") for day in ("day1", "day2")]
    shots = find_shots(both, tmp_path)
    assert len(set(names(shots))) == 2
    assert sorted(shot.clip for shot in shots) == both


def test_what_the_batch_writes_is_no_footage(footage: Path) -> None:
    (footage / "out").mkdir()
    (footage / "out" / "take1.mp4").write_bytes(b"")
    assert "out/take1" not in names(find_shots([str(footage)], footage / "out"))


def test_the_same_clip_twice_is_done_once(footage: Path, tmp_path: Path) -> None:
    assert len(find_shots([str(footage), str(footage / "day1" / "take1.mp4")], tmp_path)) == 4


@pytest.mark.parametrize("given", ["nothing", "*.mov", ""])
def test_no_clips_is_one_line(given: str, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="no clips"):
        find_shots([str(tmp_path / "nothing" / given)], tmp_path / "out")


# The whole way --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the first twelve frames of the built-in clip."""
    import cv2

    path = tmp_path_factory.mktemp("short") / "short.mp4"
    movie = cv2.VideoCapture(str(DEMO))
    frames = [movie.read()[1] for _ in range(12)]
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 24, (width, height))
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture
def clips(tmp_path: Path, short: Path) -> Path:
    """Two good clips and one that is none."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("first.mp4", "second.mp4"):
        shutil.copy(short, folder / name)
    (folder / "broken.mp4").write_text("not a movie")
    return folder


def batch(*arguments: object) -> int:
    return headless.main(["batch", *(str(a) for a in arguments)])


def record(out: Path, name: str) -> dict:
    return json.loads((out / "records" / f"{name}.json").read_text())


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.pictures = 0
        self.links: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pictures += tag == "img"
        self.links += [value for name, value in attrs if name == "href" and value]


@pytest.mark.slow
def test_every_clip_gets_its_files_and_a_bad_one_its_line(
    clips: Path, short: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert batch(clips, "--out", out, "--csv", "--jobs", 2, "--device", "cpu") == 3
    assert {p.name for p in out.iterdir() if p.is_file() and not p.name.startswith(".")} == {
        "first.blend", "first.npz", "first.csv", "second.blend", "second.npz", "second.csv", "report.html",
    }  # fmt: skip
    assert load_performance(out / "first.npz").seen.all()
    assert "broken.mp4: not a movie" in capfd.readouterr().err

    report = _Text()
    report.feed((out / "report.html").read_text())
    assert report.pictures == 2
    assert any("2 of 3 clips done, 1 failed" in word for word in report.words)
    assert any("not a movie" in word for word in report.words)

    before = {p: p.stat().st_mtime_ns for p in out.glob("*.blend")}
    shutil.copy(short, clips / "broken.mp4")  # the artist sends it again
    assert batch(clips, "--out", out, "--csv", "--device", "cpu") == 0
    assert (out / "broken.blend").is_file()
    assert {p: p.stat().st_mtime_ns for p in before} == before, "done clips are left alone"
    assert record(out, "broken")["error"] == ""


def test_a_clip_that_is_cut_off_is_not_called_done(
    short: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    av = pytest.importorskip("av")
    whole, clips, out = tmp_path / "whole.mkv", tmp_path / "clips", tmp_path / "out"
    with av.open(str(short)) as source, av.open(str(whole), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    clips.mkdir()
    (clips / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    assert batch(clips, "--out", out, "--device", "cpu") == 0
    told = capfd.readouterr()
    assert "0 of 1 clips done, 1 in part only" in told.out
    assert "in part  cut: The clip is damaged: " in told.err
    assert record(out, "cut")["unread"] > 0 and load_performance(out / "cut.npz").damage == record(out, "cut")["damage"]
    page = (out / "report.html").read_text()
    assert "<tr class=part>" in page and "0 of 1 clips done, 1 in part only" in page
    assert batch(clips, "--out", out, "--device", "cpu", "--strict") == 3, "and it is not done a second time"
    assert "in part only: repair them" in capfd.readouterr().err


def test_the_reports_links_lead_to_its_files(tmp_path: Path) -> None:
    """Whatever a clip is called."""
    shot = Shot(str(tmp_path / "take #1 100% <a>?.mp4"), "day 1/take #1 100% <a>?")
    made = [f"{shot.name}.blend", f"{shot.name}.npz"]
    save_record(tmp_path, shot, Record(shot.clip, shot.name, [0, 0], {}, made, frames=2, seen=2, total_seconds=1.0))
    report = _Text()
    report.feed(write_report(tmp_path, [shot]).read_text())
    assert [unquote(urlsplit(link).path) for link in report.links] == made
    assert "day 1/take #1 100% <a>?" in report.words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{tmp}/none"], "there are no clips in"),
        (["{clips}", "--estimator", "{tmp}/none"], "There is no estimator at"),
        (["{clips}", "--estimator", "{clips}/broken.mp4"], "broken.mp4"),  # once, not for every clip
        (["{clips}", "--face-model", "{tmp}/none.mat"], "There is no face model at"),
        (["{clips}", "--jobs", "0"], "one at least"),
        (["{clips}", "--address", "head:6379"], "add --cluster ray"),
        (["{clips}", "--fit", "--everyone"], "leave out --everyone"),
        (["{clips}", "--emotions"], "add --render"),
    ],
)
def test_a_batch_that_cannot_be_is_one_line(
    arguments: list[str], words: str, clips: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert batch(*(a.format(tmp=tmp_path, clips=clips) for a in arguments), "--out", tmp_path / "out") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert words in line
    assert not [file for kind in ("**/*.json", "*.html", "*.blend") for file in (tmp_path / "out").glob(kind)]


@pytest.mark.slow
def test_a_clip_is_fitted_as_a_whole_and_the_report_says_so(clips: Path, tmp_path: Path) -> None:
    out, shot = tmp_path / "out", Shot(str(clips / "first.mp4"), "first")
    plain = do_shot(out, shot, SETTINGS)
    read = load_performance(out / "first.npz")
    fitted = do_shot(out, shot, replace(SETTINGS, fit=True))
    assert (plain.error, fitted.error) == ("", "") and (plain.fitted, fitted.fitted) == (False, True)
    refined = load_performance(out / "first.npz")
    assert refined.fitted and not read.fitted and not np.allclose(refined.eta, read.eta, atol=1e-3)
    page = _Text()
    page.feed(write_report(out, [shot]).read_text())
    assert "fitted to the whole clip" in page.words
    assert ShotSettings.of_record(replace(SETTINGS, fit=True).recorded()).fit and "fit" not in SETTINGS.recorded()


@pytest.mark.slow
def test_other_settings_or_other_footage_are_done_again(clips: Path, tmp_path: Path) -> None:
    (clips / "broken.mp4").unlink()
    out, shot = tmp_path / "out", [Shot(str(clips / "first.mp4"), "first")]
    first, *_ = do_shots(out, shot, SETTINGS, 1)
    again, *_ = do_shots(out, shot, SETTINGS, 1)
    assert (again.frames, again.total_seconds) == (8, first.total_seconds), "nothing was done"
    other, *_ = do_shots(out, shot, replace(SETTINGS, last=3), 1)
    assert other.frames == 4
    os.utime(clips / "first.mp4")
    newer, *_ = do_shots(out, shot, replace(SETTINGS, last=3), 1)
    assert newer.clip_stamp != other.clip_stamp


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_killed_at_any_time_it_goes_on_where_it_was(
    clips: Path, short: Path, tmp_path: Path, poll_until: Callable
) -> None:
    (clips / "broken.mp4").unlink()
    for i in range(3):
        shutil.copy(short, clips / f"more{i}.mp4")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "expnet", "batch", str(clips), "--out", str(out), "--jobs", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    poll_until(lambda: list(out.glob("records/*.json")), 300)
    serving = _serving(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    poll_until(lambda: not any(map(_runs, serving)), 300)
    done = {p: p.stat().st_mtime_ns for p in out.glob("records/*.json")}
    assert 1 <= len(done) < 5
    for name in (
        ".4711ab.part.blend",
        ".4711ac.part.html",
    ):  # as a process leaves it, killed while it writes
        (out / name).write_bytes(b"half")

    assert batch(clips, "--out", out) == 0
    assert len(list(out.glob("*.blend"))) == len(list(out.glob("*.npz"))) == 5
    assert {p: p.stat().st_mtime_ns for p in done} == done
    assert not [p for p in out.rglob("*") if ".part" in p.name]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_process_that_dies_fails_its_clip_only(clips: Path, tmp_path: Path, poll_until: Callable) -> None:
    shots = [Shot(str(clips / f"{name}.mp4"), name) for name in ("first", "second")]
    records = do_shots(tmp_path, shots, replace(SETTINGS, outputs=(".npz", ".blend"), last=None), 1)
    import threading

    def kill() -> None:
        poll_until(lambda: _serving(os.getpid()))
        os.kill(_serving(os.getpid())[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    seen = list(records)
    killer.join()
    assert [bool(r.error) for r in seen] == [True, False]
    assert "killed (signal 9)" in seen[0].error


@pytest.mark.slow
def test_ray_makes_the_same_files_and_survives_a_killed_worker(
    clips: Path, short: Path, tmp_path: Path, poll_until: Callable
) -> None:
    pytest.importorskip("ray")
    for i in range(2):
        shutil.copy(short, clips / f"more{i}.mp4")
    here, there = tmp_path / "here", tmp_path / "there"
    assert batch(clips, "--out", here, "--csv") == 3

    command = [sys.executable, "-m", "expnet", "batch", clips, "--out", there, "--csv", "--cluster", "ray", "--jobs", 2]
    marked = os.environ | {"EXPNET_TEST": str(tmp_path)}
    process = subprocess.Popen([str(c) for c in command], stderr=subprocess.PIPE, text=True, env=marked)
    poll_until(lambda: list(there.glob("*.npz")) and _ray_workers(), 300)
    places = _listening(_ray_session(process.pid))
    here_only = {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert places and {place for place, _ in places} <= here_only, "nobody else reaches a cluster that is started here"
    os.kill(_ray_workers()[0], signal.SIGKILL)
    said = process.communicate(timeout=500)[1]
    assert process.returncode == 3, said
    assert record(there, "broken")["error"] == record(here, "broken")["error"]
    made = {p.name for p in here.iterdir()}
    assert {p.name for p in there.iterdir()} == made
    for name in ("first", "second", "more0", "more1"):
        for suffix in (".npz", ".csv"):  # a .blend holds addresses in memory, which differ every time
            assert (there / (name + suffix)).read_bytes() == (here / (name + suffix)).read_bytes(), name


def _ray_session(driver: int) -> set[int]:
    """Return the cluster's processes that ``driver`` has started: its descendants, also those that init adopted."""
    wanted = Path(f"/proc/{driver}/environ").read_bytes().split(b"\0")
    marked = [entry for entry in wanted if entry.startswith(b"EXPNET_TEST=")]
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if set(marked) & set((entry / "environ").read_bytes().split(b"\0")):
                found.add(int(entry.name))
        except OSError:
            continue
    return found


def _listening(pids: set[int]) -> list[tuple[str, int]]:
    """(address, port) on which processes listen."""
    sockets = {}
    for table, packed in (("tcp", "<I"), ("tcp6", "<4I")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":  # LISTEN
                address, port = fields[1].split(":")
                words = [int(address[i : i + 8], 16) for i in range(0, len(address), 8)]
                family = socket.AF_INET if table == "tcp" else socket.AF_INET6
                sockets[fields[9]] = socket.inet_ntop(family, struct.pack(packed, *words)), int(port, 16)
    found = []
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = str(descriptor.readlink())
            except OSError:
                continue
            if target.startswith("socket:[") and target[8:-1] in sockets:
                found.append(sockets[target[8:-1]])
    return found


def _ray_workers() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if entry.read_bytes().startswith(b"ray::_do_shot"):
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def _serving(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task").glob("*/children")
    pids = [int(pid) for file in children for pid in file.read_text().split()]
    return [pid for pid in pids if b"serve-shots" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_two_batches_do_not_share_a_folder(clips: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    with only_one(tmp_path / "out"):
        assert batch(clips, "--out", tmp_path / "out") == 2
    assert "another batch works in" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--jobs", "0"], "one at least"),
        (["--address", "head:6379"], "--cluster ray"),
        (["--face-model", "no_such_model.mat"], "no_such_model.mat"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str], words: str, clips: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert batch(clips, "--out", tmp_path / "out", *arguments) == 2
    said = [line for line in capfd.readouterr().err.splitlines() if line and "EGL" not in line]
    assert len(said) == 1 and words in said[0]
    assert not list((tmp_path / "out").glob("*.blend"))
