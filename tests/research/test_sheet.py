"""Contact sheets: one view for all methods, a face that changes with eta, and the command on two pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.expnet_addon.headless import main
from expnet.model.builtin import OPEN
from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.formats import open_face_model, save_face_model
from expnet.model.worker.chosen_estimator import EstimatorCache
from expnet.model.worker.messages import EstimatorOptions
from expnet.research.label.landmark_method import eta_of_landmarks, landmarks_in
from expnet.research.label.noise import in_sigmas
from expnet.research.sheet.shaded import BACKGROUND, View, shaded


def test_a_head_is_in_the_middle_and_its_expression_changes_the_picture() -> None:
    model = open_face_model(OPEN)
    view, front = View.of(model), np.eye(3)
    rest = shaded(view, model.neutral, front, 64)
    eta = np.zeros(len(OPEN_KEYS))
    eta[OPEN_KEYS.index("jawOpen")] = 1
    opened = shaded(view, model.vertices(eta=eta), front, 64)
    assert (rest[0, 0] == BACKGROUND).all()
    assert (rest[28:36, 28:36] != BACKGROUND).any(-1).all()
    changed = np.abs(rest.astype(int) - opened).max(-1) > 20
    assert changed[40:].sum() > 20 * max(1, changed[:20].sum())  # the jaw, not the scalp


def test_landmarks_of_a_file_move_with_the_scale_and_give_the_expression_back(tmp_path: Path) -> None:
    model = open_face_model(OPEN)
    assert model.landmarks is not None
    eta = np.zeros(len(OPEN_KEYS))
    eta[OPEN_KEYS.index("jawOpen")] = 0.6
    at = model.vertices(eta=eta)[model.landmarks].astype(float) + [0, 0, -800]
    focal = 50 / 36 * 400
    points = np.stack([199.5 - focal * at[:, 0] / at[:, 2], 199.5 + focal * at[:, 1] / at[:, 2]], 1)
    rows = "\n".join(f"{x + 1} {y + 1}" for x, y in points)
    (tmp_path / "a.pts").write_text(f"n_points: 68\n{{\n{rows}\n}}\n")
    half = landmarks_in(".pts", np.zeros((200, 200, 3), np.uint8), tmp_path / "a.png", 0.5)
    assert np.allclose(half, (points + 0.5) / 2 - 0.5)
    found = eta_of_landmarks(model, half, np.zeros(99), (200, 200))
    assert found[OPEN_KEYS.index("jawOpen")] == pytest.approx(0.6, abs=0.1)


def test_the_command_writes_a_picture_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    assert main(["research", "photographs", str(photos), "--count", "1"]) == 0
    cv2.imwrite(str(photos / "none.png"), np.zeros((40, 40, 3), np.uint8))
    options = ["--out", str(out), "--scales", "1", "0.5"]
    capsys.readouterr()
    assert main(["research", "sheet", str(photos), *options]) == 0
    assert "| open | 0.5 | 1 of 2 |" in capsys.readouterr().out
    assert {p.name for p in out.iterdir()} == {"index.html", "sheet_01.png"}
    page = (out / "index.html").read_text()
    assert page.count("<img") == 8
    assert "none.png" in page
    assert cv2.imread(str(out / "sheet_01.png")).shape == (18 + 2 * 242, 4 * 224, 3)
    assert main(["research", "sheet", str(photos / "00000.png"), *options, "--landmarks", ".pts"]) == 0
    assert "| landmarks, Eq. (2) | 0.5 | 1 of 1 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--landmarks", ".txt"], "landmarks are read from"),
        (["--landmarks", "nobody"], "plug-in nobody is unknown"),
        (["--estimator", "missing.safetensors"], "missing.safetensors"),
    ],
)
def test_wrong_input_is_one_line(
    tmp_path: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    for more in (options, []):
        assert main(["research", "sheet", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), *more]) == 2
        shown = capsys.readouterr().err
        assert (said if more else "a.png") in shown
        assert shown.count("expnet: ") == 1
    assert main(["research", "sheet", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_a_network_of_another_basis_is_drawn_on_its_own_head(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the authors' networks are on the Basel Face Model: dense components, no regions."""
    head = open_face_model(OPEN)
    dense = replace(in_sigmas(head), name="basel-like", basis="expnet-29", regions={}, gaze_lids=None, uv=None)
    save_face_model(dense, tmp_path / "basel.npz")
    assert main(["research", "photographs", str(tmp_path / "photos"), "--count", "1"]) == 0
    own = EstimatorCache().get(EstimatorOptions())

    class Official:
        basis, expression_keys, finding = "expnet-29", dense.expression_keys, own.finding

        def read(self, *arguments):
            read = own.read(*arguments)
            return replace(read, eta=np.ones((1, 29)), basis=self.basis, expression_keys=self.expression_keys)

    monkeypatch.setattr(EstimatorCache, "get", lambda _, options: own if options.estimator == OPEN else Official())
    both = ["--out", str(tmp_path / "out"), "--scales", "1", "--estimator", OPEN, "--estimator", "release"]
    photo = str(tmp_path / "photos" / "00000.png")
    assert main(["research", "sheet", photo, *both]) == 2
    assert "with --face-model" in capsys.readouterr().err
    assert main(["research", "sheet", photo, *both, "--face-model", str(tmp_path / "basel.npz")]) == 0
    assert "| release | 1 | 1 of 1 |" in capsys.readouterr().out
    shape = cv2.imread(str(tmp_path / "out" / "sheet_01.png")).shape
    assert shape[1] == 3 * 224
