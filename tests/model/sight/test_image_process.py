"""A picture that ends the decoder's process, or keeps it busy for ever, is one that cannot be decoded."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.sight import image_process
from expnet.model.sight.image_process import ImageReader
from expnet.model.sight.images import read_image
from expnet.model.sight.stills import Still, see_stills
from expnet.model.sight.video import open_clip

# What the child does before it serves: its decoder dies of some pictures, and never returns from others.
_ODD_DECODER = """
images = importlib.import_module("expnet.model.sight.image_process")
good = images.read_image
def odd(path):
    if "deadly" in str(path) or str(path).endswith(".PNG"):
        import os
        os.kill(os.getpid(), 11)
    if "endless" in str(path):
        import time
        time.sleep(1000)
    if "wrong" in str(path):
        return 1 / 0
    return good(path)
images.read_image = odd
"""


@pytest.fixture
def odd_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    first, last = image_process._CODE.strip().rsplit("\n", 1)
    monkeypatch.setattr(image_process, "_CODE", f"{first}\n{_ODD_DECODER}\n{last}\n")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"shot_{i:02d}.png" for i in range(1, 6)]
    for i, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((48, 64, 3), 40 * i, np.uint8))
    return paths


def test_pictures_are_those_that_this_process_reads(pictures: list[Path], tmp_path: Path) -> None:
    grey = tmp_path / "grey.jpg"
    cv2.imwrite(str(grey), np.arange(30, dtype=np.uint8).reshape(5, 6))
    (tmp_path / "none.png").write_bytes(b"no picture")
    with ImageReader() as images:
        for path in (*pictures, grey):
            assert np.array_equal(images.read(path), read_image(path))
        with pytest.raises(InputError, match=r"none.png: not an image that can be read"):
            images.read(tmp_path / "none.png")
        assert np.array_equal(images.read(grey), read_image(grey)), "and it goes on"


@pytest.mark.usefixtures("odd_decoder")
def test_a_picture_that_ends_the_decoder_is_refused_and_the_next_one_read(pictures: list[Path], tmp_path: Path) -> None:
    deadly = tmp_path / "deadly.png"
    deadly.write_bytes(pictures[0].read_bytes())
    with ImageReader() as images:
        for _ in range(2):
            with pytest.raises(InputError, match=r"deadly.png: the decoder ends, .* save it again as PNG"):
                images.read(deadly)
            assert images.read(pictures[3]).max() == 120


@pytest.mark.usefixtures("odd_decoder")
def test_a_picture_that_is_decoded_for_ever_is_refused(
    pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ImageReader() as images:
        images.read(pictures[0])
        monkeypatch.setattr(image_process, "SECONDS", 0.05)
        with pytest.raises(InputError, match=r"takes longer than 0.05 s"):
            images.read(tmp_path / "endless.png")
        monkeypatch.setattr(image_process, "SECONDS", 60.0)
        assert images.read(pictures[1]).max() == 40


@pytest.mark.usefixtures("odd_decoder")
def test_a_fault_of_ours_is_no_damage_of_the_picture(tmp_path: Path) -> None:
    with ImageReader() as images, pytest.raises(RuntimeError, match="ZeroDivisionError: division by zero"):
        images.read(tmp_path / "wrong.png")


def test_where_no_process_can_be_started_this_one_reads(pictures: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_process, "_CODE", "import sys; sys.exit(1)")
    with ImageReader() as images:
        assert [images.read(path).max() for path in pictures] == [0, 40, 80, 120, 160]


@pytest.mark.usefixtures("odd_decoder")
@pytest.mark.parametrize("bad", [(0,), (2,), (4,), (0, 1, 3)])
def test_a_sequence_outlives_its_deadly_pictures(pictures: list[Path], tmp_path: Path, bad: tuple[int, ...]) -> None:
    """A suffix in capitals does not part a sequence, and marks the bad ones here."""
    for i in bad:
        pictures[i].rename(pictures[i].with_suffix(".PNG"))
    with open_clip(tmp_path) as clip:
        found = {frame.index: int(frame.image.max()) for frame in clip}
        placement, (unread, line) = clip.placement(), clip.shortfall()
    good = [i for i in range(5) if i not in bad]
    assert found == {i: 40 * i for i in good} and placement.frames.tolist() == good
    assert unread == len(bad) and "cannot be decoded" in line and "the decoder ends" in line


class _SeesNothing:
    at_once = 4
    finding = None


@pytest.mark.usefixtures("odd_decoder")
def test_stills_outlive_it_too(pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deadly.png").write_bytes(pictures[0].read_bytes())
    seen: list[int] = []

    def looked_for(image: np.ndarray, *_: object) -> None:
        seen.append(int(image.max()))
        raise InputError("no face")

    monkeypatch.setattr("expnet.model.sight.stills.looked_for", looked_for)
    stills = [Still(pictures[1]), Still(tmp_path / "deadly.png"), Still(pictures[2])]
    told = [str(error) for error in see_stills(stills, _SeesNothing())]  # type: ignore[arg-type]
    assert seen == [40, 80] and [line[:7] for line in told[::2]] == ["no face"] * 2
    assert "the decoder ends" in told[1]
