"""Stress: subject-disjoint folds, statistics over windows, phases left out, and the command on simulated recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from expnet.expnet_addon.headless import main
from expnet.model.errors import InputError
from expnet.research.stress.measure import folds_of
from expnet.research.stress.recordings import COEFFICIENTS, GAZE, POSE, features_of, read_table
from expnet.research.stress.synthetic import recording


def test_no_subject_is_in_two_folds_and_all_frames_are_tested_once() -> None:
    subject = np.repeat([f"S{i}" for i in range(11)], 3)
    folds = folds_of(subject, 5, 0)
    assert (np.sum(folds, 0) == 1).all()
    assert all(not set(subject[a]) & set(subject[~a]) for a in folds)
    assert any((a != b).any() for a, b in zip(folds, folds_of(subject, 5, 1)))


def test_the_statistics_are_those_of_the_window_and_frames_without_a_face_take_no_part() -> None:
    performance = recording(0, 0, "speech")
    confidence = performance.confidence.copy()
    confidence[100:110] = 0
    eta = performance.eta.copy()
    eta[100:110] = np.nan
    performance = replace(performance, confidence=confidence, eta=eta)
    found = features_of(performance, 5.0, 30.0, window=2.0, step=1.0)
    assert {kind: values.shape for kind, values in found.items()} == {
        COEFFICIENTS: (25, 87), POSE: (25, 18), GAZE: (25, 6)
    }  # fmt: skip
    assert all(np.isfinite(values).all() for values in found.values())
    window = eta[190:210]  # about 20 s
    assert np.allclose(found[COEFFICIENTS][15, :29], window.mean(0))
    assert np.allclose(found[COEFFICIENTS][15, 29:58], window.std(0))
    plain = features_of(performance, 5.0, 30.0, window=0.0, step=1.0)
    assert np.allclose(plain[COEFFICIENTS][15], eta[200])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recording,subject,phase\n", "column stress is missing"),
        ("recording,subject,phase,stress\na.npz,S,rest,2\n", "neither 0 nor 1"),
        ("recording,subject,phase,stress\na.npz,,rest,1\n", "line 2"),
        ("recording,subject,phase,stress\na.npz,S,rest,1\n", "the same label"),
        ("recording,subject,phase,stress,start,end\na.npz,S,rest,1,5,4\n", "ends before"),
        ("recording,subject,phase,stress,start\na.npz,S,rest,1,now\n", "broken table"),
    ],
)
def test_a_wrong_table_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=said) as raised:
        read_table(table, ())
    assert "\n" not in str(raised.value)


def test_the_command_finds_simulated_stress_and_can_leave_speech_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, out = tmp_path / "made", tmp_path / "out"
    assert main(["research", "synthetic-stress", str(made), "--subjects", "6"]) == 0
    assert main(["research", "synthetic-stress", str(made), "--subjects", "6"]) == 2
    options = ["--out", str(out), "--folds", "3", "--repeats", "2", "--step", "2"]
    capsys.readouterr()
    assert main(["research", "stress", str(made / "table.csv"), *options]) == 0
    shown = capsys.readouterr().out
    assert "| speech (stress) | " in shown
    mean = float(shown.splitlines()[-1].split("|")[-2].split("%")[0])
    assert 60 < mean <= 100
    assert {p.name for p in out.iterdir()} == {"results.md", "accuracies.csv"}
    assert main(["research", "stress", str(made / "table.csv"), *options, "--without", "speech"]) == 0
    assert "speech" not in capsys.readouterr().out
    assert main(["research", "stress", str(made / "table.csv"), *options, "--without", "sleep"]) == 2
    assert "no phase sleep" in capsys.readouterr().err
    assert main(["research", "stress", str(made / "table.csv"), "--out", str(out), "--folds", "7"]) == 2
    assert "too few for 7" in capsys.readouterr().err
    (made / "S01_rest.npz").write_bytes(b"no performance")
    assert main(["research", "stress", str(made / "table.csv"), *options]) == 2
    assert capsys.readouterr().err.count("expnet: ") == 1
