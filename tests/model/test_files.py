"""Files appear complete or not at all."""

import os
import stat
from pathlib import Path

import pytest

from expnet.model.errors import InputError
from expnet.model.files import atomic_folder, atomic_path, is_file, is_partial, write_whole


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "shot.blend"
    with atomic_path(path) as partial:
        partial.write_bytes(b"half")
        assert not path.exists() and is_partial(partial) and partial.suffix == ".blend"
    assert path.read_bytes() == b"half" and [p.name for p in tmp_path.iterdir()] == ["shot.blend"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "shot.blend"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_path(path) as partial:
        partial.with_name(f"{partial.name}@").write_bytes(b"as Blender leaves it on a full disk")
        raise RuntimeError
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["shot.blend"]


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    folder = tmp_path / "above" / "out"
    with atomic_folder(folder) as partial:
        (partial / "a.txt").write_text("whole")
        assert not folder.exists()
    assert [file.name for file in folder.iterdir()] == ["a.txt"] and list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "out") as partial:
        (partial / "a.txt").write_text("half")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_folder_with_content_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    refused = pytest.raises(InputError, match="out: cannot be written: .*: choose another place")
    with refused, atomic_folder(tmp_path / "out"):
        pass
    assert [file.name for file in tmp_path.rglob("*.txt")] == ["mine.txt"]


def test_a_name_of_255_bytes_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 125 + "a.npz")
    assert len(os.fsencode(path.name)) == 255
    write_whole(path, b"x")
    assert path.read_bytes() == b"x"


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        write_whole(tmp_path / "nowhere" / "a.npz", b"x")


@pytest.mark.skipif(os.name != "posix", reason="umask")
@pytest.mark.parametrize("umask", [0o022, 0o007, 0o077])
def test_the_umask_is_obeyed(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with atomic_path(tmp_path / "a.npz") as partial:
            os.close(os.open(partial, os.O_CREAT | os.O_WRONLY, 0o600))  # as safetensors does
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.npz").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("name", ["missing", "", 300 * "x", "nul\0byte"])
def test_a_name_that_no_file_has_is_no_file(tmp_path: Path, name: str) -> None:
    assert not is_file(f"{tmp_path}/{name}")


def test_a_file_is_a_file_and_a_folder_is_none(tmp_path: Path) -> None:
    (tmp_path / "shot.blend").touch()
    assert is_file(tmp_path / "shot.blend") and not is_file(tmp_path)
