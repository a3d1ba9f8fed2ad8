"""Films of synthetic people, and the figures over time on curves whose answer is known."""

from pathlib import Path

import numpy as np
import pytest

from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.formats import open_face_model
from expnet.model.networks.torch_engine.estimator import Estimator
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.sight.video import open_clip
from expnet.training.evaluation import temporal
from expnet.training.evaluation.film import FPS, SIZE, Coding, cast, film, write_clip
from expnet.training.evaluation.temporal import DEFAULT, STRENGTHS, Curves
from expnet.training.synthetic.surface import build_surface

LID, JAW, BROW = (OPEN_KEYS.index(k) for k in ("lid_L", "jawOpen", "browInnerUp"))


@pytest.fixture(scope="module")
def surface():
    return build_surface(open_face_model("open"))


@pytest.fixture(scope="module")
def people(surface):
    return list(cast(surface, 2))


def doing(**keys: float) -> np.ndarray:
    eta = np.zeros(29, np.float32)
    for key, value in keys.items():
        eta[OPEN_KEYS.index(key)] = value
    return eta


def test_somebody_stays_who_they_are_whatever_their_face_does(surface, people):
    eta = np.stack([doing(), doing(jawOpen=1, browInnerUp=1), doing(lid_L=1, lid_R=1, mouthShrugLower=1), doing()])
    for person in people:
        pictures = np.array(film(person, surface, eta, np.zeros((4, 2), np.float32)), int)
        np.testing.assert_array_equal(pictures[0], pictures[3])
        around = np.abs(pictures[:, : SIZE // 8] - pictures[0, : SIZE // 8]).mean((1, 2, 3))
        assert around.max() < 6, "hair, light and room are the same; exposure may follow a little"
        assert np.abs(pictures[1] - pictures[0]).max() > 60, "but the mouth is open"


def test_the_cast_is_different_people_with_their_faces_in_sight(surface, people):
    assert [p.seed for p in people] == [p.seed for p in cast(surface, 2)]
    assert people[0].seed != people[1].seed and np.abs(people[0].alpha - people[1].alpha).max() > 0.5


@pytest.mark.parametrize("coding", temporal.CODINGS, ids=lambda c: c.name)
def test_a_film_is_coded_and_comes_back_noisy_at_its_rate(tmp_path: Path, coding: Coding):
    ramp = np.repeat(np.linspace(40, 210, SIZE, dtype=np.uint8)[None, :, None], SIZE, 0).repeat(3, 2)
    write_clip(tmp_path / "shot.mp4", [ramp] * 6, coding, np.random.default_rng(0))
    with open_clip(tmp_path / "shot.mp4") as clip:
        frames = [f.image.astype(int) for f in clip]
    assert len(frames) == 6 and clip.rate == FPS
    assert np.abs(frames[3] - ramp).mean() < 6
    assert np.abs(frames[3] - frames[2]).mean() > 0, "every frame has noise of its own"


def test_what_is_acted_talks_blinks_and_stays_in_bounds():
    eta = temporal.script(np.random.default_rng(0))
    assert eta.shape == (temporal.ACTING, 29) and eta.min() >= 0 and eta.max() <= 1
    for middle, _ in temporal.BLINKS:
        assert eta[middle - 1 : middle + 2, LID].max() > 0.8
    assert (eta[:, LID] > 0.5).sum() < 14, "and the eyes are open in between"
    mouth = [i for i, k in enumerate(OPEN_KEYS) if k.startswith(("mouth", "jaw"))]
    assert eta[:, mouth].std(0).max() > 0.1


def curves(eta: np.ndarray, smoothed: np.ndarray, truth: np.ndarray | None = None) -> Curves:
    return Curves(
        temporal.ACTED, eta if truth is None else truth, {s: smoothed if s == DEFAULT else eta for s in STRENGTHS}
    )


def test_figures_of_curves_that_are_late_flat_or_too_far():
    truth = temporal.script(np.random.default_rng(1)).astype(float)
    late = np.roll(truth, 2, axis=0)
    assert temporal.lag([curves(truth, late)], "lids", DEFAULT) == pytest.approx(2, abs=0.1)
    assert temporal.lag([curves(truth, truth)], "mouth and jaw", DEFAULT) == pytest.approx(0, abs=0.01)
    half = curves(truth, 0.5 * truth)
    assert temporal.depths([half], DEFAULT) == pytest.approx([0.5] * 6)
    assert temporal.left([half], "mouth and jaw", DEFAULT) == pytest.approx(0.5)
    assert temporal.agreement([half], "lids", DEFAULT) == pytest.approx(1)
    assert temporal.overshoot(curves(truth, truth), DEFAULT) == 0
    assert temporal.overshoot(curves(truth, 1.2 * truth), DEFAULT) > 0.1


def test_jitter_is_the_change_from_frame_to_frame():
    rng = np.random.default_rng(2)
    drift = np.linspace(0, 0.3, 400)[:, None] + np.zeros(29)
    tremble = drift + rng.normal(0, 0.01, (400, 29))
    assert temporal.jitter([curves(tremble, drift)], 0) == pytest.approx(0.01 * np.sqrt(2), rel=0.05)
    assert temporal.jitter([curves(tremble, drift)], DEFAULT) == pytest.approx(0, abs=1e-9)


@pytest.mark.skipif(not OPEN_WEIGHTS.is_file(), reason="no weights in the box")
def test_the_section_end_to_end_on_one_person(monkeypatch):
    class Subject:
        weights, model, estimator = OPEN_WEIGHTS, open_face_model("open"), Estimator.load("open", "cpu")

    monkeypatch.setattr(temporal, "PEOPLE", 1)
    section = temporal.measure(Subject())
    values = {s.what: s.value for s in section.scores}
    assert values["clips in which the face was lost"] == 0
    assert values["still face: jitter, smoothed"] < values["still face: jitter, raw"]
    (acting,) = (table for table in section.tables if table.title == "Acting")
    assert acting.columns[-1] == "fitted, distance" and all(0 < row[-1] < 0.2 for row in acting.rows)
    assert values["blinks: depth that smoothing leaves, mean"] > 0.9
    assert values["lids: lag, smoothed"] < 0.5
    assert [len(t.rows) for t in section.tables] == [4, 3, 5]
