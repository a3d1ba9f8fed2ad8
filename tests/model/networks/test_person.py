"""One alpha from all looks at one person."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from expnet.model.camera import Camera, Crop
from expnet.model.errors import InputError
from expnet.model.networks.estimate import FaceEstimate
from expnet.model.networks.opencv_engine.estimator import LightEstimator
from expnet.model.networks.person import INDEPENDENT, TOGETHER, Acquaintance, PersonReader, inputs, shapes
from expnet.model.networks.responses import Responses
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.networks.weights.weights_file import PERSON, load_all, load_weights, save_weights
from expnet.model.performance.face_performance import FacePerformance
from expnet.model.sight.tracking import perform
from expnet.model.sight.video import open_clip

from ..discs import DiscEstimator, FindDiscs, disc

WIDTHS = {"eta": 29, "gaze": 2, "rotation": 6, "crop": 3, "alpha": 99, "landmarks": 140, "eta_log_variance": 29,
          "face": 1}  # fmt: skip


def tensors(seed: int = 0, widths: dict[str, int] = WIDTHS) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    drawn = {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes(widths).items()}
    return {**drawn, "deviation": np.ones_like(drawn["deviation"]), "spread": np.abs(drawn["spread"])}


def reader() -> PersonReader:
    return PersonReader(tensors(), WIDTHS)


def outputs(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, (count, sum(WIDTHS.values()))).astype(np.float32)


def of_two_numbers(spread: float) -> PersonReader:
    """Return a reader of alpha unchanged: one number that varies by ``spread`` between people, by 1 between looks."""
    plain = {"spread": np.array([spread]), "alpha.weight": np.array([[spread]])}
    return PersonReader(plain, {})


def test_weights_of_before_do_not_tell_whether_the_mouth_is_hidden() -> None:
    former = {name: tensor for name, tensor in tensors().items() if not name.startswith("hidden.")}
    older = PersonReader.of("weights", former, WIDTHS)
    assert older is not None and older.mouth_hidden(outputs(3)) is None
    probability = reader().mouth_hidden(outputs(3))
    assert probability is not None and probability.shape == (3,)
    assert ((probability > 0) & (probability < 1)).all()
    with pytest.raises(InputError, match="hidden.bias"):
        PersonReader.of("weights", former | {"hidden.weight": tensors()["hidden.weight"]}, WIDTHS)


def test_weights_of_before_tell_no_offset() -> None:
    former = {name: tensor for name, tensor in tensors().items() if not name.startswith("offset.")}
    older = PersonReader.of("weights", former, WIDTHS)
    assert older is not None
    assert acquainted(older, outputs(3)).eta_moves.shape == (3, 0)
    with pytest.raises(InputError, match="offset.bias"):
        PersonReader.of("weights", former | {"offset.weight": tensors()["offset.weight"]}, WIDTHS)


def acquainted(own: PersonReader, looks: np.ndarray, weights: np.ndarray | None = None) -> Acquaintance:
    known = Acquaintance(own)
    known.add(looks, np.ones(len(looks)) if weights is None else weights)
    return known


def test_all_looks_move_by_the_mean_of_what_each_tells() -> None:
    looks, weights = outputs(5), np.array([1, 1, 0.5, 1, 0.0])
    told = reader().offsets(looks)[:, 0]
    moves = acquainted(reader(), looks, weights).eta_moves
    np.testing.assert_allclose(moves, np.tile(weights @ told / weights.sum(), (5, 1)), atol=1e-6)


def test_eta_moves_along_its_responses() -> None:
    """Where a response is twice as steep, what is shown moves twice as far."""
    knots = np.tile([-9.0, 0.0, 9.0], (29, 1))
    own = replace(reader(), responses=Responses(knots, np.maximum(knots, 0) * 2))
    looks = outputs(4)
    told, eta = own.offsets(looks).transpose(1, 0, 2)
    offset = told.mean(0)
    expected = 2 * (np.maximum(eta + offset, 0) - np.maximum(eta, 0))
    np.testing.assert_allclose(acquainted(own, looks).eta_moves, expected, atol=1e-6)


def test_parts_of_a_clip_move_together_once_they_are_one_persons() -> None:
    looks = outputs(6)
    whole = acquainted(reader(), looks)
    apart = Acquaintance.together([acquainted(reader(), looks[:2]), acquainted(reader(), looks[2:])])
    np.testing.assert_allclose(apart.eta_moves, whole.eta_moves, atol=1e-6)
    few = acquainted(reader(), looks[2:5])
    np.testing.assert_allclose(whole.part(slice(2, 5)).eta_moves, few.eta_moves, atol=1e-6)


def test_alpha_of_an_average_reading_is_peoples_mean_and_0_in_weights_of_before() -> None:
    average = np.column_stack([np.zeros((3, 99)), np.ones(3)])
    np.testing.assert_allclose(reader().alpha(average, np.ones(3)), tensors()["alpha.bias"])
    former = {name: tensor for name, tensor in tensors().items() if name != "alpha.bias"}
    older = PersonReader.of("weights", former, WIDTHS)
    assert older is not None and not older.alpha(average, np.ones(3)).any()


@given(st.floats(0.1, 10), st.integers(1, 20), st.floats(-2, 2))
def test_alpha_is_the_posterior_mean_of_a_gaussian(spread: float, count: int, reading: float) -> None:
    rows = np.tile([reading, 1.0], (count, 1))
    expected = reading * spread / (spread + 1 / count)
    assert of_two_numbers(spread).alpha(rows, np.ones(count))[0] == pytest.approx(expected)


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(0.1, 10)), min_size=1, max_size=8))
def test_looks_count_by_their_precision(looks: list[tuple[float, float]]) -> None:
    rows = np.array(looks)
    value, precision = rows.T
    mean, looks_in_all = precision @ value / precision.sum(), min(precision.sum(), 24.0)
    expected = mean * 2.0 / (2.0 + 1 / looks_in_all)
    assert of_two_numbers(2.0).alpha(rows, np.ones(len(rows)))[0] == pytest.approx(expected)


@given(st.floats(0.1, 10), st.floats(-3, 3), st.integers(1, 20), st.floats(-3, 3), st.integers(1, 20))
def test_the_evidence_for_one_person_is_a_ratio_of_likelihoods(
    spread: float, a: float, looks_a: int, b: float, looks_b: int
) -> None:
    var_a, var_b = spread + 1 / min(looks_a, INDEPENDENT), spread + 1 / min(looks_b, INDEPENDENT)
    one = multivariate_normal([0, 0], [[var_a, spread], [spread, var_b]]).logpdf([a, b])
    two = norm(0, np.sqrt(var_a)).logpdf(a) + norm(0, np.sqrt(var_b)).logpdf(b)
    evidence = of_two_numbers(spread).evidence(np.array([a]), looks_a, np.array([b]), looks_b)
    assert evidence == pytest.approx(one - two, abs=1e-6)


def test_the_place_where_one_person_becomes_another_is_found() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 2, (2, sum(WIDTHS.values())))
    looks = np.concatenate([np.tile(one, (9, 1)), np.tile(other, (7, 1))]) + rng.normal(0, 0.1, (16, len(one)))
    known = Acquaintance(reader())
    for row in looks.astype(np.float32):
        known.add(row[None], np.ones(1))
    of_change = known.evidence_of_change(around=4, between=0)
    assert known.place_of_change(2, 14) == 9 and of_change[9] < 0 < of_change[[4, 14]].min()
    halves = known.part(slice(5, 9)), known.part(slice(9, 13))
    np.testing.assert_allclose(of_change[9], halves[0].evidence(halves[1]), rtol=1e-9)
    apart = known.evidence_of_change(around=4, between=2)
    np.testing.assert_allclose(apart[9], known.part(slice(3, 7)).evidence(known.part(slice(11, 15))), rtol=1e-9)
    np.testing.assert_array_equal(np.isnan(apart), [True] * 3 + [False] * 11 + [True] * 2)
    by_look = known.evidence_by_look(known.part(slice(0, 9)))
    assert by_look[:9].min() > by_look[9:].max()


def test_a_part_of_the_looks_gives_the_alpha_of_those_looks() -> None:
    known, few = Acquaintance(reader()), Acquaintance(reader())
    rows = outputs(6)
    for i, row in enumerate(rows):
        known.add(row[None], np.ones(1))
        if 2 <= i < 5:
            few.add(row[None], np.ones(1))
    part = known.part(slice(2, 5))
    assert part.looks == 3 and known.looks == 6
    np.testing.assert_allclose(part.alpha, few.alpha, atol=1e-6)


def test_a_look_without_confidence_counts_for_nothing() -> None:
    readings = reader().readings(outputs(3))
    alone = reader().alpha(readings[:2], np.ones(2))
    np.testing.assert_allclose(reader().alpha(readings, np.array([1.0, 1.0, 0.0])), alone, atol=1e-6)


def test_a_picture_like_no_other_does_not_run_away() -> None:
    far = reader().readings(1e4 * outputs(1))
    assert np.isfinite(reader().alpha(far, np.ones(1))).all()


def test_what_is_read_does_not_depend_on_how_the_crop_lies() -> None:
    """The same points in a crop that is turned, moved and larger."""
    rng = np.random.default_rng(0)
    own = rng.uniform(-0.4, 0.4, (70, 2))
    read = []
    for dx, dy, log_scale, lean in ((0.0, 0.0, 0.0, 0.0), (0.1, -0.05, 0.3, 0.5)):
        c, s = np.cos(lean), np.sin(lean)
        points = 0.5 + np.array([dx, dy]) + np.exp(log_scale) * own @ np.array([[c, s], [-s, c]])
        # Leaning right on screen, the head's x axis points down there, its y axis right.
        columns = np.array([c, -s, 0, s, c, 0])
        rows = {name: np.zeros((1, width)) for name, width in WIDTHS.items()}
        rows |= {"landmarks": points.reshape(1, -1), "rotation": columns[None]}
        rows["crop"] = np.array([[dx, dy, log_scale]])
        read.append(inputs(rows)[0])
    crop = slice(31, 34)  # which is read unchanged
    for one in read:
        one[crop] = 0
    np.testing.assert_allclose(read[0], read[1], atol=1e-6)


def test_looks_are_read_in_parts() -> None:
    count = 2 * TOGETHER + 3
    known = Acquaintance(reader())
    for row in outputs(count):
        known.add(row[None], np.ones(1))
    expected = reader().alpha(reader().readings(outputs(count)), np.ones(count))
    np.testing.assert_allclose(known.alpha, expected, atol=1e-5)


# --- in a weights file ----------------------------------------------------------------------------------------------


def with_person(weights: Path, out: Path, person: dict[str, np.ndarray]) -> Path:
    header, network = load_weights(weights)
    save_weights(out, header, {**network, **{PERSON + name: tensor for name, tensor in person.items()}})
    return out


def test_weights_keep_the_person_beside_the_network(untrained_weights: Path, tmp_path: Path) -> None:
    path = with_person(untrained_weights, tmp_path / "with.safetensors", tensors())
    _, network, person = load_all(path)
    assert network.keys() == load_weights(untrained_weights)[1].keys()
    assert person.keys() == tensors().keys()


def with_person_in_the_box(folder: Path) -> Path:
    """Return the built-in weights, and a person for them who has learned nothing."""
    return with_person(OPEN_WEIGHTS, folder / "with.safetensors", tensors(0, {**WIDTHS, "points": 360}))


def test_both_engines_give_it_the_same(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from expnet.model.networks.torch_engine.estimator import Estimator

    path = with_person_in_the_box(tmp_path)
    with open_clip(OPEN_WEIGHTS.with_name("demo_clip.mp4")) as clip:
        images = [frame.image for frame in islice(clip, 2)]
    height, width = images[0].shape[:2]
    view = images, [Crop(width / 2, height / 2, height)] * 2, [Camera.for_image(width, height)] * 2
    full, light = Estimator.load(path, "cpu"), LightEstimator.load(path)
    seen = [estimator.estimate(*view).outputs for estimator in (full, light)]
    # Where the processor multiplies in 16 bits the full engine does.
    np.testing.assert_allclose(seen[0], seen[1], atol=0.1 if full._precision.itemsize == 2 else 1e-3)
    assert full.person is not None and light.person is not None
    np.testing.assert_array_equal(full.person.readings(seen[0]), light.person.readings(seen[0]))


def test_weights_without_it_work_as_before(untrained_weights: Path) -> None:
    assert LightEstimator.load(untrained_weights).person is None
    torch = pytest.importorskip("torch")
    from expnet.model.networks.torch_engine.estimator import Estimator

    assert Estimator.load(untrained_weights, str(torch.device("cpu"))).person is None


@pytest.mark.parametrize(
    ("name", "shape"), [("mean", (7,)), ("alpha.weight", (98, 99)), ("reading.weight", (1, 1)), ("more", (1,))]
)
def test_a_person_of_another_network_is_refused(
    untrained_weights: Path, tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    path = with_person(untrained_weights, tmp_path / "with.safetensors", {**tensors(), name: np.ones(shape)})
    with pytest.raises(InputError, match=name):
        LightEstimator.load(path)


# --- in a clip ------------------------------------------------------------------------------------------------------


class Knowing(DiscEstimator):
    """Reads discs, and whoever they belong to."""

    person = reader()

    def estimate(self, images: Sequence[np.ndarray], crops: Sequence[Crop], cameras: Sequence[Camera]) -> FaceEstimate:
        return replace(super().estimate(images, crops, cameras), outputs=outputs(len(images), self.looks))


def clip_of_discs(folder: Path, estimator: DiscEstimator, there: bool = True) -> FacePerformance:
    for i in range(4):
        picture = np.zeros((180, 320, 3), np.uint8)
        cv2.imwrite(str(folder / f"{i:03}.png"), disc(picture, 100, 90, 25, 0.5) if there else picture)
    with open_clip(folder, fps=24.0) as clip:
        return perform(clip, estimator, find=FindDiscs())


def test_a_clip_has_the_alpha_of_all_its_looks(tmp_path: Path) -> None:
    p, plain = (clip_of_discs(tmp_path, estimator) for estimator in (Knowing(), DiscEstimator()))
    assert p.alpha.shape == (99,) and np.ptp(p.alpha) > 0
    np.testing.assert_allclose(plain.alpha, plain.confidence.mean(), atol=1e-6, err_msg="without it, the mean")


def test_eta_of_a_clip_moves_by_the_offset_of_all_its_looks(tmp_path: Path) -> None:
    p, plain = (clip_of_discs(tmp_path, estimator) for estimator in (Knowing(), DiscEstimator()))
    moved = p.eta - plain.eta
    assert np.abs(moved).max() > 0.01
    np.testing.assert_allclose(moved, np.tile(moved[0], (4, 1)), atol=1e-9)


def test_a_clip_without_a_face_has_no_alpha(tmp_path: Path) -> None:
    assert clip_of_discs(tmp_path, Knowing(), there=False).alpha.shape == (0,)


def test_a_single_look_is_a_clip_of_one_look() -> None:
    rows = outputs(3)
    alphas = reader().alpha_by_look(rows)
    for row, alpha in zip(rows, alphas, strict=True):
        known = Acquaintance(reader())
        known.add(row[None], np.ones(1))
        np.testing.assert_allclose(alpha, known.alpha, rtol=1e-6, atol=1e-9)
