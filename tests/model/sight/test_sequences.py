"""Image sequences: which files are which frames, and what is asked back instead of guessed."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.sight.images import read_image
from expnet.model.sight.sequences import images_in, numbered, sequence_of, sequence_pattern, shown_file
from expnet.model.sight.video import open_clip


def write(folder: Path, *names: str) -> None:
    for name in names:
        data = cv2.imencode(".png", np.full((8, 8, 3), 90, np.uint8))[1].tobytes()
        (folder / name).write_bytes(data)


def frames(folder: Path, pattern: str = "") -> dict[int, str]:
    """Which file is on which frame."""
    found = sequence_of(folder / pattern if pattern else folder)
    return {number - found.first: path.name for number, path in found.files}


class TestNumbers:
    def test_a_hole_stays_a_hole(self, tmp_path: Path) -> None:
        write(tmp_path, *(f"shot_{n:04d}.png" for n in [*range(1, 11), *range(16, 31)]))
        with open_clip(tmp_path) as clip:
            assert [frame.index for frame in clip] == [*range(10), *range(15, 30)]
            assert clip.notes() == ["5 numbers missing in the sequence: those frames have no keys"]
            assert clip.placement().holes == 5

    def test_what_shows_in_a_hole_is_the_file_before(self, tmp_path: Path) -> None:
        write(tmp_path, "a_1.png", "a_2.png", "a_5.png", "a_6.png")
        assert [sequence_of(tmp_path).file_at(n).name for n in (0, 1, 2, 3, 4, 9)] == [
            "a_1.png", "a_2.png", "a_2.png", "a_2.png", "a_5.png", "a_6.png",
        ]  # fmt: skip

    def test_every_second_number_is_a_rate_that_is_said(self, tmp_path: Path) -> None:
        write(tmp_path, *(f"shot_{n}.png" for n in range(1, 20, 2)))
        with open_clip(tmp_path) as clip:
            times = [frame.time for frame in clip]
            (note,) = clip.notes()
        assert times == pytest.approx(np.arange(0, 20, 2) / 24)
        assert note.startswith("The files' numbers go up by 2: at 24 numbers a second that is 12 images a second")
        with open_clip(tmp_path, fps=48) as clip:
            assert len(list(clip)) == 10 and clip.notes() == []

    def test_nine_comes_before_ten(self, tmp_path: Path) -> None:
        write(tmp_path, "shot_9.png", "shot_10.png", "shot_11.png")
        assert frames(tmp_path) == {0: "shot_9.png", 1: "shot_10.png", 2: "shot_11.png"}

    def test_the_counter_need_not_be_the_last_number(self, tmp_path: Path) -> None:
        write(tmp_path, *(f"shot_{n:03d}_v2.png" for n in range(5, 9)))
        assert list(frames(tmp_path)) == [0, 1, 2, 3]

    def test_the_counter_may_be_the_suffix(self, tmp_path: Path) -> None:
        write(tmp_path, "plate.0001", "plate.0002", "plate.0004")
        assert list(frames(tmp_path)) == [0, 1, 3]

    def test_names_that_do_not_count_follow_each_other(self, tmp_path: Path) -> None:
        write(tmp_path, "angry.png", "happy.png", "neutral.png")
        assert frames(tmp_path) == {0: "angry.png", 1: "happy.png", 2: "neutral.png"}

    @pytest.mark.parametrize("pattern", ["shot_####.png", "shot_%04d.png"])
    def test_a_pattern_chooses_one_of_several(self, tmp_path: Path, pattern: str) -> None:
        write(tmp_path, "shot_0001.png", "shot_0003.png", "other_0001.png", "other_0002.png")
        assert frames(tmp_path, pattern) == {0: "shot_0001.png", 2: "shot_0003.png"}
        assert shown_file(str(tmp_path / pattern)) == str(tmp_path / "shot_0001.png")


class TestQuestions:
    @pytest.mark.parametrize(
        "names",
        [
            ("a_1.png", "a_2.png", "b_1.png", "b_2.png"),
            ("a_1.png", "a_2.png", "a_1.exr", "a_2.exr"),
            ("take1_01.png", "take1_02.png", "take2_01.png", "take2_02.png"),
            ("portrait.png", "portrait.jpg"),
            ("a_1.png", "a_2.png", "b_7.png"),
        ],
    )
    def test_more_than_one_sequence_is_one_line_with_both(self, tmp_path: Path, names: tuple[str, ...]) -> None:
        write(tmp_path, *names)
        with pytest.raises(InputError, match="more than one image sequence") as refusal:
            sequence_of(tmp_path)
        named = re.findall(r"'([^'/]+)'", str(refusal.value))
        assert len(set(named) & set(names)) == 2 and "\n" not in str(refusal.value)

    def test_a_number_in_two_files(self, tmp_path: Path) -> None:
        write(tmp_path, "a_1.png", "a_01.png", "a_2.png")
        with pytest.raises(InputError, match=r"'a_0?1.png' and 'a_0?1.png' in .* are both frame 1"):
            sequence_of(tmp_path)

    def test_no_images(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("not a frame")
        with pytest.raises(InputError, match="holds no images"):
            sequence_of(tmp_path)


class TestWhatIsNoFrame:
    def test_hidden_files_thumbnails_and_a_cover(self, tmp_path: Path) -> None:
        write(tmp_path, "shot_1.png", "shot_2.png", "._shot_1.png", ".shot_3.png", "shot_1_thumb.png", "thumbnail.png")
        write(tmp_path, "cover.png", "Thumbs.db", "shot_2.thumb.png")
        (tmp_path / ".thumbnails").mkdir()
        assert frames(tmp_path) == {0: "shot_1.png", 1: "shot_2.png"}

    def test_a_name_that_only_contains_the_word(self, tmp_path: Path) -> None:
        write(tmp_path, "thumbelina_1.png", "thumbelina_2.png")
        assert len(frames(tmp_path)) == 2


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)


class TestFormatsThatAreNotRead:
    @pytest.mark.parametrize("name, start, kind", [
        ("a.heic", HEIC, "HEIC"), ("a.avif", HEIC.replace(b"heic", b"avif"), "AVIF"), ("a.jpg", HEIC, "HEIC"),
        ("a.dng", b"II*\0" + bytes(64), "DNG"),
    ])  # fmt: skip
    def test_are_named(self, tmp_path: Path, name: str, start: bytes, kind: str) -> None:
        path = tmp_path / name
        path.write_bytes(start)
        for read in (read_image, open_clip, lambda given: open_clip(given.parent)):
            with pytest.raises(InputError, match=f"{name}: {kind} images are not read: save it as JPEG or PNG"):
                read(path)

    def test_are_not_left_out_of_a_folder(self, tmp_path: Path) -> None:
        write(tmp_path, "IMG_1.png")
        (tmp_path / "IMG_2.heic").write_bytes(HEIC)
        assert [path.name for path in images_in(tmp_path)] == ["IMG_1.png", "IMG_2.heic"]


class TestPattern:
    @pytest.mark.parametrize(
        "path, pattern, number",
        [("/a/shot_0012.png", "/a/shot_####.png", 12), ("./shot_3.png", "./shot_#.png", 3)],
    )
    def test_there_and_back(self, path: str, pattern: str, number: int) -> None:
        assert sequence_pattern(path) == (pattern, number)
        assert numbered(pattern, number) == path
