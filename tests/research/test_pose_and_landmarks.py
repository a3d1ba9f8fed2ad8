"""Yaw, pitch, roll and NME on a folder with ground truth, tiny."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from expnet.model.builtin import OPEN
from expnet.model.errors import InputError
from expnet.research.pose_and_landmarks.ground_truth import read_known
from expnet.research.pose_and_landmarks.measure import measure
from expnet.research.pose_and_landmarks.protocol import angles_of, landmark_errors, pose_errors, rotation_of
from expnet.research.pose_and_landmarks.synthetic import make


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("poses") / "faces"
    make(folder, 6, 7)
    return folder


def test_angles_of_a_rotation_are_those_it_was_made_from() -> None:
    angles = np.radians([[10, 40, -20], [-30, -80, 15]])
    made = np.array([rotation_of(*row) for row in angles])
    assert angles_of(made) == pytest.approx(np.degrees(angles[:, [1, 0, 2]]))


def test_faces_beyond_99_degrees_do_not_count() -> None:
    truth = np.array([rotation_of(0, 0.1, 0), rotation_of(np.radians(120), 0, 0)])
    errors = pose_errors(np.array([rotation_of(0, 0.2, 0), np.eye(3)]), truth)
    assert errors.faces == 1
    assert errors.yaw == pytest.approx(np.degrees(0.1))
    assert errors.mean == pytest.approx(np.degrees(0.1) / 3)


def test_the_nme_is_by_the_box_and_by_ranges_of_yaw() -> None:
    truth = np.zeros((3, 68, 2))
    truth[:, 0] = [40, 90]  # boxes of 40 by 90 pixels: 60
    errors = landmark_errors(truth + [0, 3.0], truth, np.array([0.0, -45.0, 20.0]))
    assert errors.by_yaw[:2] == pytest.approx((5.0, 5.0))
    assert errors.faces == (2, 1, 0)
    assert errors.mean == pytest.approx(5.0)


def test_the_open_network_is_measured_on_synthetic_faces(faces: Path, tmp_path: Path) -> None:
    text = measure(faces, tmp_path, [OPEN], "cpu", "true")
    row = next(line for line in text.splitlines() if line.startswith("| open | 6"))
    assert float(row.split("|")[-2]) < 8
    assert (tmp_path / "results.md").read_text().strip() == text
    assert len((tmp_path / "errors.csv").read_text().splitlines()) == 7


def test_aflws_mat_files_are_read_as_the_table(faces: Path, tmp_path: Path) -> None:
    table = read_known(faces)
    for face in table[:2]:
        yaw, pitch, roll = np.radians(angles_of(face.rotation))
        points = np.vstack([face.landmarks.T + 1, np.zeros(68)])
        (tmp_path / face.image.name).write_bytes(face.image.read_bytes())
        savemat(
            tmp_path / f"{face.image.stem}.mat",
            {"Pose_Para": np.array([[pitch, yaw, roll, 0, 0, 0, 1.0]]), "pt3d_68": points},
        )
    for mine, theirs in zip(read_known(tmp_path), table):
        assert mine.rotation == pytest.approx(theirs.rotation)
        assert mine.landmarks == pytest.approx(theirs.landmarks)


def test_bad_tables_and_folders_are_one_line(faces: Path, tmp_path: Path) -> None:
    table = tmp_path / "bad.csv"
    table.write_text("image,yaw\na.png,1\n")
    with pytest.raises(InputError, match="column pitch is missing"):
        read_known(table)
    whole = (faces / "table.csv").read_text().splitlines()
    table.write_text("\n".join([whole[0], "a.png,nan," + whole[1].split(",", 2)[2]]))
    with pytest.raises(InputError, match="line 2"):
        read_known(table)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no picture"):
        read_known(tmp_path / "none")
    (tmp_path / "none" / "a.png").write_bytes((faces / "00000.png").read_bytes())
    with pytest.raises(InputError, match="ground truth"):
        read_known(tmp_path / "none")
    with pytest.raises(InputError, match="something already"):
        make(faces, 1, 0)
