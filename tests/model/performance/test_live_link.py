"""Live Link Face's CSV: we write what the app writes, what it writes we read, and hostile files are one line."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_BASIS, OPEN_KEYS, arkit_weights, open_bounds
from expnet.model.performance.channels import ARKIT, LOOK
from expnet.model.performance.face_performance import FacePerformance
from expnet.model.performance.live_link import (
    ANGLES,
    COLUMNS,
    SHAPES,
    eta_from_arkit,
    is_live_link,
    read_live_link,
    read_performance,
    timecode,
    write_live_link,
)
from expnet.model.performance.performance_files import save_performance
from expnet.model.rotations import euler_degrees

LOW, HIGH = open_bounds().T


def performance(
    frames: int = 50, fps: float = 30.0, missing: tuple[int, ...] = (), first: float = 0.0
) -> FacePerformance:
    times = first + np.arange(frames) / fps
    yaw, pitch = 0.4 * np.sin(times), 0.2 * np.cos(2 * times)
    zero, one = np.zeros(frames), np.ones(frames)
    turn = np.moveaxis(
        np.array([[np.cos(yaw), zero, np.sin(yaw)], [zero, one, zero], [-np.sin(yaw), zero, np.cos(yaw)]]), -1, 0
    )
    nod = np.moveaxis(
        np.array([[one, zero, zero], [zero, np.cos(pitch), np.sin(pitch)], [zero, -np.sin(pitch), np.cos(pitch)]]),
        -1,
        0,
    )
    parts = {
        "eta": LOW + (0.5 + 0.5 * np.sin(3 * times[:, None] + np.arange(29))) * (HIGH - LOW),
        "gaze": 0.3 * np.stack([np.sin(times), np.cos(times)], 1),
        "rotation": nod @ turn,
        "translation": np.tile([10.0, 0.0, -600.0], (frames, 1)),
        "crop": np.tile([320.0, 180.0, 200.0, 0.0], (frames, 1)),
    }
    confidence = np.ones(frames)
    confidence[list(missing)] = 0
    for values in parts.values():
        values[list(missing)] = np.nan
    return FacePerformance(
        times=times, confidence=confidence, alpha=np.zeros(3), expression_keys=OPEN_KEYS, basis=OPEN_BASIS,
        source="clip.mp4", fps=fps, image_size=(640, 360), **parts,
    )  # fmt: skip


# What the app writes as its first line, without the two columns before the values.
APP = (
    "EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,EyeSquintLeft,EyeWideLeft,"
    "EyeBlinkRight,EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,EyeSquintRight,EyeWideRight,"
    "JawForward,JawRight,JawLeft,JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,"
    "MouthSmileLeft,MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,"
    "MouthStretchLeft,MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,MouthShrugUpper,"
    "MouthPressLeft,MouthPressRight,MouthLowerDownLeft,MouthLowerDownRight,MouthUpperUpLeft,MouthUpperUpRight,"
    "BrowDownLeft,BrowDownRight,BrowInnerUp,BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,CheekSquintLeft,"
    "CheekSquintRight,NoseSneerLeft,NoseSneerRight,TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,"
    "LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll"
)


class TestWriting:
    def test_the_columns_are_the_apps(self, tmp_path):
        write_live_link(performance(), tmp_path / "shot.csv")
        lines = (tmp_path / "shot.csv").read_text().splitlines()
        assert lines[0] == f"Timecode,BlendshapeCount,{APP}"
        assert len(COLUMNS) == 63
        assert {len(line.split(",")) for line in lines} == {63}
        assert all(line.split(",")[1] == "61" for line in lines[1:])

    def test_the_values_are_arkits(self, tmp_path):
        p = performance()
        write_live_link(p, tmp_path / "shot.csv")
        with (tmp_path / "shot.csv").open() as file:
            rows = list(csv.DictReader(file))
        for name in ("EyeBlinkLeft", "EyeWideRight", "MouthSmileLeft", "JawRight", "MouthLeft"):
            wanted = arkit_weights(p.eta, [name[0].lower() + name[1:]])[:, 0]
            np.testing.assert_allclose([float(row[name]) for row in rows], wanted, atol=1e-6)
        yaw, pitch, roll = np.radians(euler_degrees(p.rotation[7]))
        assert [float(rows[7][f"Head{turn}"]) for turn in ("Yaw", "Pitch", "Roll")] == pytest.approx(
            [yaw, pitch, -roll], abs=1e-6
        )
        assert float(rows[7]["LeftEyePitch"]) == pytest.approx(p.gaze[7, 1], abs=1e-6)
        assert {float(row["TongueOut"]) for row in rows} == {0.0}

    @pytest.mark.parametrize("seconds, fps, code", [
        (0, 30, "00:00:00:00.000"), (29 / 30, 30, "00:00:00:29.000"), (1, 30, "00:00:01:00.000"),
        (3661.5, 24, "01:01:01:12.000"), (0.0125, 60, "00:00:00:00.750"), (1 / 29.97, 29.97, "00:00:00:01.001"),
        (30 / 29.97, 29.97, "00:00:01:00.030"), (0.9999999, 25, "00:00:01:00.000"), (86400, 25, "00:00:00:00.000"),
    ])  # fmt: skip
    def test_time_code(self, seconds, fps, code):
        assert timecode(seconds, fps) == code

    def test_a_frame_without_a_face_has_no_values(self, tmp_path):
        write_live_link(performance(missing=(4,)), tmp_path / "shot.csv")
        line = (tmp_path / "shot.csv").read_text().splitlines()[5]
        assert line == "00:00:00:04.000,0" + "," * 61

    def test_another_basis_is_refused(self, tmp_path):
        foreign = replace(
            performance(), basis="3ddfa-29", expression_keys=tuple(f"expression_{i:02d}" for i in range(29))
        )
        with pytest.raises(InputError, match="basis"):
            write_live_link(foreign, tmp_path / "shot.csv")
        assert not list(tmp_path.iterdir())


class TestThereAndBack:
    @pytest.mark.parametrize(
        "fps, given",
        [(30.0, None), (25.0, None), (24.0, None), (60.0, None), (29.97003, 29.97003), (23.976, 23.976)]
        + [(fps, None) for fps in (1.0, 5.0, 10.0, 12.0, 15.0, 18.6, 20.0, 22.5, 23.976, 29.97003, 48.0, 100.0, 120.0)],
    )
    def test_a_performance_survives(self, tmp_path, fps, given):
        p = performance(frames=130, fps=fps, missing=(5, 6))
        write_live_link(p, tmp_path / "shot.csv")
        again = read_live_link(tmp_path / "shot.csv", given)
        assert again.fps == pytest.approx(fps, rel=1e-5)
        np.testing.assert_allclose(again.times, p.times, atol=1e-4)
        np.testing.assert_array_equal(again.seen, p.seen)
        np.testing.assert_allclose(again.eta, p.eta, atol=1e-6)
        np.testing.assert_allclose(again.gaze, p.gaze, atol=1e-6)
        np.testing.assert_allclose(again.rotation, p.rotation, atol=1e-6)

    @pytest.mark.parametrize("fps", [10.0, 18.6, 24.0, 29.97003, 60.0])
    def test_less_than_a_second_survives_too(self, tmp_path, fps):
        p = performance(frames=6, fps=fps)
        write_live_link(p, tmp_path / "shot.csv")
        again = read_live_link(tmp_path / "shot.csv")
        np.testing.assert_allclose(again.times, p.times, atol=1e-4)
        assert again.fps == pytest.approx(fps, rel=1e-3)

    @pytest.mark.parametrize("fps", [0.001, 1e5, float("nan")])
    def test_an_absurd_rate_is_refused(self, tmp_path, fps):
        with pytest.raises(InputError, match="not a rate"):
            write_live_link(replace(performance(), fps=fps), tmp_path / "shot.csv")
        assert not list(tmp_path.iterdir())

    def test_what_was_read_is_a_performance_like_any_other(self, tmp_path):
        write_live_link(performance(missing=(3,)), tmp_path / "shot.csv")
        save_performance(read_live_link(tmp_path / "shot.csv"), tmp_path / "shot.npz")
        assert len(read_performance(tmp_path / "shot.npz").times) == 50

    @given(st.lists(st.floats(0, 1), min_size=52, max_size=52))
    def test_any_weights_become_keys_inside_their_bounds(self, weights):
        eta = eta_from_arkit(np.array([weights]))[0]
        assert np.isfinite(eta).all() and (eta >= LOW - 1e-6).all() and (eta <= HIGH + 1e-6).all()


def recording(path, rows: list[dict[str, float]], codes: list[str], header: str = APP) -> None:
    """Return a file of the app with values that are 0 but for the given ones."""
    names = header.split(",")
    lines = [f"Timecode,BlendshapeCount,{header}"]
    for code, row in zip(codes, rows):
        lines.append(",".join([code, "61", *(str(row.get(name, 0.0)) for name in names)]))
    path.write_text("\n".join(lines) + "\n")


CODES = ["09:59:59:58.117", "09:59:59:59.120", "10:00:00:00.125", "10:00:00:01.119"]


class TestReading:
    def test_an_iphones_shapes_become_our_keys(self, tmp_path):
        shapes = {
            "EyeBlinkLeft": 0.9, "EyeWideRight": 0.5, "MouthSmileLeft": 0.4, "NoseSneerLeft": 0.2,
            "NoseSneerRight": 0.4, "JawLeft": 0.3, "EyeLookUpLeft": 0.5, "EyeLookUpRight": 0.5, "HeadYaw": 0.25,
        }  # fmt: skip
        recording(tmp_path / "phone.csv", [shapes] * 4, CODES)
        p = read_live_link(tmp_path / "phone.csv")
        eta = dict(zip(OPEN_KEYS, p.eta[0]))
        assert {k: round(float(v), 4) for k, v in eta.items() if v} == {
            "lid_L": 0.9, "lid_R": -0.175, "mouthSmile_L": 0.4, "noseSneer": 0.3, "jawSide": 0.3,
        }  # fmt: skip
        assert p.gaze[0] == pytest.approx([0, LOOK / 2])
        assert euler_degrees(p.rotation)[0] == pytest.approx([np.degrees(0.25), 0, 0])
        assert p.fps == 60
        np.testing.assert_allclose(p.times, np.array([0, 1.003, 2.008, 3.002]) / 60, atol=1e-6)

    def test_lips_that_meet_over_an_open_jaw_come_nearer_than_without(self, tmp_path):
        weights = np.zeros((2, 52))
        weights[:, ARKIT.index("jawOpen")] = 0.4
        weights[1, ARKIT.index("mouthClose")] = 0.4
        apart, closed = eta_from_arkit(weights)
        assert closed[OPEN_KEYS.index("jawOpen")] < apart[OPEN_KEYS.index("jawOpen")]
        assert closed[OPEN_KEYS.index("mouthShrugLower")] == pytest.approx(0.8)

    def test_jaw_and_mouth_may_be_swapped(self, tmp_path):
        recording(tmp_path / "phone.csv", [{"JawLeft": 0.5, "MouthSmileLeft": 0.5}] * 4, CODES)
        eta = read_live_link(tmp_path / "phone.csv", swap_sides=True).eta[0]
        assert (eta[OPEN_KEYS.index("jawSide")], eta[OPEN_KEYS.index("mouthSmile_L")]) == (-0.5, 0.5)

    def test_degrees_of_other_tools_are_told_from_radians(self, tmp_path):
        recording(tmp_path / "phone.csv", [{"HeadYaw": 30.0}] * 4, CODES)
        assert euler_degrees(read_live_link(tmp_path / "phone.csv").rotation)[0, 0] == pytest.approx(30)

    def test_columns_in_another_order_or_missing(self, tmp_path):
        recording(tmp_path / "phone.csv", [{"JawOpen": 0.5}] * 4, CODES, header="MouthPucker,JawOpen,Unknown")
        p = read_live_link(tmp_path / "phone.csv")
        assert p.eta[0, OPEN_KEYS.index("jawOpen")] == 0.5

    def test_eyes_angles_where_there_are_no_looks(self, tmp_path):
        recording(
            tmp_path / "phone.csv",
            [{"LeftEyeYaw": 0.2, "RightEyeYaw": 0.1}] * 4,
            CODES,
            header="JawOpen,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll",
        )
        assert read_live_link(tmp_path / "phone.csv").gaze[0, 0] == pytest.approx(0.15)

    def test_over_midnight_and_written_twice(self, tmp_path):
        codes = ["23:59:59:58.000", "23:59:59:59.000", "23:59:59:59.000", "00:00:00:00.000"]
        recording(tmp_path / "phone.csv", [{}] * 4, codes)
        np.testing.assert_allclose(read_live_link(tmp_path / "phone.csv").times * 60, [0, 1, 2])

    def test_it_is_known_by_its_content(self, tmp_path):
        recording(tmp_path / "phone.txt", [{}] * 4, CODES)
        assert is_live_link(tmp_path / "phone.txt")
        assert not is_live_link(tmp_path / "none.csv")
        save_performance(performance(), tmp_path / "ours.csv")
        with pytest.raises(InputError, match="of our own performances, give the .npz"):
            read_performance(tmp_path / "ours.csv")


GOOD = f"Timecode,BlendshapeCount,{APP}\n"
ZEROS = ",".join(["0.0"] * 61)


@pytest.mark.parametrize("content, said", [
    (b"", "not a CSV"),
    (b"\x89PNG\r\n\x1a\n\xff\xfe", "'utf-8' codec"),
    (b"PK\x03\x04", "not a CSV"),
    (b"Timecode,BlendshapeCount\n00:00:00:00.000,0\n", "not a CSV"),
    (b"frame,time,jawOpen\n0,0,0\n", "not a CSV"),
    (b"Timecode,Jawopen,JAWOPEN\n00:00:00:00.0,1,1\n", "twice"),
    (GOOD.encode(), "no frames"),
    ((GOOD + f"00:00:00:00.000,61,{ZEROS},7\n").encode(), "line 2 has 64 columns"),
    ((GOOD + "00:00:00:00.000,61,0.5\n").encode(), "line 2 has 3 columns"),
    ((GOOD + f"yesterday,61,{ZEROS}\n").encode(), "no time code"),
    ((GOOD + f"00:00:00:00.000,61,{ZEROS}\n00:00:00:01.0,61,a,{ZEROS[4:]}\n").encode(), "line 3: 'a' is no number"),
    ((GOOD + f"00:00:00:00.000,61,nan,{ZEROS[4:]}\n").encode(), "not finite"),
    ((GOOD + f"00:00:00:00.000,61,1e300,{ZEROS[4:]}\n").encode(), "far beyond"),
    ((GOOD + f"00:00:00:00.000,61,,{ZEROS[4:]}\n").encode(), "'' is no number"),
    ((GOOD + "00:00:00:00.000,0" + "," * 61 + "\n").encode(), "no frame in it has a face"),
    ((GOOD + f"00:00:00:05.000,61,{ZEROS}\n" * 9).encode(), "does not go on"),
    ((GOOD + f"٠٠:00:00:05.000,61,{ZEROS}\n").encode(), "no time code"),
    ((GOOD + f'"00:00:00:05.000,61,{ZEROS}\n' + "x" * 200_000).encode(), "larger|columns|time code|line of more"),
    (("Timecode,JawOpen\n" + "00:00:00:00," + "9" * 5000 + "\n").encode(), "not finite|no number"),
], ids=range(19))  # fmt: skip
def test_a_hostile_file_is_one_line(tmp_path, content, said):
    path = tmp_path / "phone.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as refusal:
        read_live_link(path)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_and_a_senseless_rate_are_said(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_live_link(tmp_path / "none.csv")
    recording(tmp_path / "phone.csv", [{}] * 4, CODES)
    with pytest.raises(InputError, match="is not a rate"):
        read_live_link(tmp_path / "phone.csv", fps=0.0)


assert len(SHAPES) == 52 and len(ANGLES) == 9
