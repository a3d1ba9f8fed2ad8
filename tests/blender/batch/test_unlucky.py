"""What a batch meets in the wild: odd names, pipes, edited records, its own videos."""

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from expnet.expnet_addon import headless
from expnet.expnet_addon.batch.records import (
    Record,
    load_record,
    record_path,
    remove_leftovers,
    rendered_videos,
    save_record,
    stamp,
)
from expnet.expnet_addon.batch.report import write_report
from expnet.expnet_addon.batch.shots import Shot, check_name, find_shots
from expnet.expnet_addon.command_line.estimate_tables import csv_text
from expnet.model.errors import InputError

DEMO = Path(headless.__file__).parents[1] / "model" / "data" / "demo_clip.mp4"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="names and pipes as POSIX has them")


def test_names_of_240_bytes_leave_room_for_what_is_made_of_them(tmp_path: Path) -> None:
    names = ["x" * 236 + ".mp4", "é" * 118 + ".mp4", "é" * 117 + "à.mp4"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    shots = find_shots([str(tmp_path)], tmp_path / "out")
    assert len({shot.name for shot in shots}) == 3
    for shot in shots:
        save_record(tmp_path / "out", shot, Record(shot.clip, shot.name, [0, 0], {}))
        assert load_record(tmp_path / "out", shot) is not None
        assert len(os.fsencode(f"{shot.name}.blend1")) <= 255


def test_a_name_that_is_not_utf8_is_a_line_in_the_report(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4")).write_bytes(b"")
    (shot,) = find_shots([str(tmp_path)], tmp_path / "out")
    with pytest.raises(InputError, match="its name is not UTF-8: rename it") as refusal:
        check_name(shot.clip)
    save_record(tmp_path / "out", shot, Record(shot.clip, shot.name, [0, 0], {}, error=str(refusal.value)))
    assert "caf\\udce9.mp4" in write_report(tmp_path / "out", [shot]).read_text()


def test_pipes_are_no_footage(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "clip.mp4")
    (tmp_path / "frames").mkdir()
    for i in range(3):
        os.mkfifo(tmp_path / "frames" / f"{i}.png")
    with pytest.raises(InputError, match="no clips"):
        find_shots([str(tmp_path)], tmp_path / "out")
    with pytest.raises(InputError, match="a device or a pipe"):
        stamp(str(tmp_path / "clip.mp4"))


def test_links_in_a_circle_end_and_a_clip_is_found_once(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    (tmp_path / "day" / "take.mp4").write_bytes(b"")
    (tmp_path / "day" / "circle").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "day")
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere")
    assert len(find_shots([str(tmp_path)], tmp_path / "out")) == 1


def test_a_folder_that_cannot_be_read_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "System Volume Information").mkdir()
    (tmp_path / "take.mp4").write_bytes(b"")
    readable = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder.name.startswith("System"):
            raise PermissionError(13, "Permission denied")
        return readable(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    (shot,) = find_shots([str(tmp_path)], tmp_path / "out")
    assert shot.name == "take"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("System Volume Information: Permission denied")


@pytest.mark.slow
def test_a_folder_of_odd_names_is_done_and_what_cannot_be_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """From the footage to the report: names of 240 bytes, line breaks, formulas and HTML, pipes, an empty file."""
    footage, out = tmp_path / "footage", tmp_path / "out"
    footage.mkdir()
    good = ["x" * 236, "é" * 118, "new\nline", "=cmd", "<script>alert(1)<", "take #1 100%"]
    for name in good:
        shutil.copy(DEMO, footage / f"{name}.mp4")
    shutil.copy(DEMO, os.fsdecode(os.fsencode(footage) + b"/caf\xe9.mp4"))
    os.mkfifo(footage / "pipe.mp4")
    (footage / "empty.mp4").write_bytes(b"")
    (footage / "folder.mp4").mkdir()
    words = ["batch", str(footage), "--out", str(out), "--device", "cpu", "--csv", "--jobs", "1"]
    assert headless.main(words) == 3
    told = capfd.readouterr()
    assert f"{len(good)} of {len(good) + 2} clips done" in told.out
    failed = sorted(line for line in told.err.splitlines() if line.startswith("failed"))
    assert len(failed) == 2 and "its name is not UTF-8: rename it" in failed[0] and "the file is empty" in failed[1]
    assert len(list(out.glob("*.blend"))) == len(list(out.glob("*.csv"))) == len(good)
    assert (
        headless.main(words) == 3 and f"{len(good)} of {len(good) + 2} clips are done already" in capfd.readouterr().out
    )


def test_the_videos_of_an_earlier_call_are_no_clips(tmp_path: Path) -> None:
    (tmp_path / "take.mov").write_bytes(b"")
    (shot,) = find_shots([str(tmp_path)], tmp_path)
    (tmp_path / "take.mp4").write_bytes(b"")  # rendered into the same folder
    save_record(tmp_path, shot, Record(shot.clip, shot.name, [0, 0], {}, outputs=["take.blend", "take.mp4"]))
    assert find_shots([str(tmp_path)], tmp_path, rendered_videos(tmp_path)) == [shot]


@pytest.mark.parametrize(
    "change",
    [
        {"missing": "none"}, {"missing": [[1]]}, {"missing": [["<script>", 2]]}, {"confidence": ["0.5"]},
        {"confidence": [1e300]}, {"frames": "12"}, {"frames": -1}, {"fps": None}, {"outputs": [1]}, {"settings": []},
        {"seen": 10**400}, {"unknown": 1}, {"clip_stamp": [0.5]}, {"error": 3}, {"total_seconds": float("inf")},
    ],
)  # fmt: skip
def test_an_edited_record_counts_as_none(tmp_path: Path, change: dict[str, object]) -> None:
    shot = Shot("/take.mp4", "take")
    save_record(tmp_path, shot, Record(shot.clip, shot.name, [0, 0], {}, frames=2, seen=2, total_seconds=1.0))
    path = record_path(tmp_path, shot)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert load_record(tmp_path, shot) is None
    assert "1 waiting" in write_report(tmp_path, [shot]).read_text()


def test_the_report_escapes_whatever_it_shows(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>'\"><img src=x onerror=alert(1)>"
    done, failed = Shot(f"/{evil}.mp4", evil), Shot("/b.mp4", "b")
    save_record(tmp_path, done, Record(done.clip, evil, [0, 0], {}, [f"javascript:{evil}.{evil}"], total_seconds=1.0))
    save_record(tmp_path, failed, Record(failed.clip, "b", [0, 0], {}, error=evil))
    tags: list[tuple[str, list[tuple[str, str | None]]]] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            tags.append((tag, attributes))

    Parser().feed(write_report(tmp_path, [done, failed]).read_text())
    assert not {"script", "img"} & {tag for tag, _ in tags}
    assert [dict(a)["href"] for tag, a in tags if tag == "a"][0].startswith("javascript%3A")
    assert not [name for _, attributes in tags for name, _ in attributes if name.startswith("on")]


def test_leftovers_of_a_killed_call_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".0123ab.part.blend@").write_bytes(b"half")
    (tmp_path / ".hidden").write_bytes(b"the artist's")
    remove_leftovers(tmp_path, [Shot("/take.mp4", "take")])
    assert [p.name for p in tmp_path.iterdir()] == [".hidden"]


def test_names_are_no_formulas_in_a_spreadsheet() -> None:
    rows = [{"id": "=cmd|' /C calc'!A0", "image": "@x.png", "error": "-1+1\nx"}]
    (cells,) = csv.DictReader(io.StringIO(csv_text(rows)))
    assert [cells[name][0] for name in ("id", "image", "error")] == ["'"] * 3 and "\n" not in cells["error"]
