"""The release's list of faces, as people really write it, and what is wrong with it in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from expnet.model.errors import InputError
from expnet.model.official.box_list import read_box_list

HEADER = "ID,FILE,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in ("a.jpg", "ü b.jpg"):
        (tmp_path / "images" / name).touch()
    return tmp_path


def written(folder: Path, rows: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
    path = folder / "input.csv"
    path.write_bytes((header + rows).encode(encoding))
    return path


def test_a_list_as_the_release_has_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(folder, "0,images/a.jpg,135.5,87,111,253\nsecond, images/ü b.jpg ,1e1,-5,20,30\n\n")
    monkeypatch.chdir("/")  # files are sought beside the list, wherever one stands
    first, second = read_box_list(path)
    assert (first.name, first.box) == ("0", (135.5, 87.0, 111.0, 253.0))
    assert (second.name, second.image, second.box) == ("second", folder / "images/ü b.jpg", (10.0, -5.0, 20.0, 30.0))


def test_columns_in_another_order_more_of_them_and_a_byte_order_mark(folder: Path) -> None:
    header = "FILE,ID,FACE_HEIGHT,FACE_WIDTH,FACE_Y,FACE_X,NAME\r\n"
    path = written(folder, f"{folder}/images/a.jpg,x,4,3,2,1,'Ann, B.'\r\n".replace("'", '"'), header, "utf-8-sig")
    [face] = read_box_list(path)
    assert face.box == (1, 2, 3, 4) and face.image == folder / "images/a.jpg"


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("0,images/a.jpg,1,2,30\n", "row 2 has 5 columns, not 6"),
        ("0,images/a.jpg,1,2,30,40\n1,images/b.jpg,1,2,30,40\n", "row 3: there is no image 'images/b.jpg'"),
        ("0,images/a.jpg,1,two,30,40\n", "row 2: FACE_Y is 'two', which is no number"),
        ("0,images/a.jpg,nan,2,30,40\n", "row 2: FACE_X is nan"),
        ("0,images/a.jpg,1,2,1e300,40\n", "row 2: FACE_WIDTH is 1e300"),
        ("0,images/a.jpg,1,2,0,40\n", "row 2: a face of 0 x 40 pixels is not possible"),
        ("0,images/a.jpg,1,2,30,40\n\n0,images/a.jpg,1,2,30,40\n", "row 4: the ID '0' is that of row 2 too"),
        ("../../x,images/a.jpg,1,2,30,40\n", "row 2: the ID '../../x' cannot be a file's name"),
        (",images/a.jpg,1,2,30,40\n", "row 2: the ID '' cannot be a file's name"),
        ('0,"images/a.jpg,1,2,30,40\n', "broken list of faces"),
        ("", "lists no faces"),
    ],
)
def test_a_bad_row_is_named(folder: Path, rows: str, complaint: str) -> None:
    path = written(folder, rows)
    with pytest.raises(InputError) as caught:
        read_box_list(path)
    assert str(path) in str(caught.value) and complaint in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_no_list(folder: Path) -> None:
    with pytest.raises(InputError, match="row 1 has no column FILE"):
        read_box_list(written(folder, "", "ID;FILE;FACE_X;FACE_Y;FACE_WIDTH;FACE_HEIGHT\n".replace("ID;", "ID,")))
    (folder / "input.csv").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe\x00")
    with pytest.raises(InputError, match="codec can't decode"):
        read_box_list(folder / "input.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_box_list(folder / "images")
