"""The face at rest against people's hand-set points: on points and heads whose measures are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_KEYS, mirror_open_alpha
from expnet.model.formats import open_face_model
from expnet.training.evaluation import hand_set, rest
from expnet.training.evaluation.brow_lines import Places, shown
from expnet.training.evaluation.proportions import average_alpha, mouth_width
from expnet.training.synthetic.shape import landmarks_of, sample_alpha, turned_eyes
from expnet.training.synthetic.surface import build_surface


def face() -> np.ndarray:
    """189 points in pixels, two of them a millimetre, rows downwards: pupils 63 mm apart, a brow 20 mm up, 8 thick."""
    points = np.zeros((189, 2))
    points[[0, 1]] = (-31.5, 3), (31.5, 3)
    points[[18, 22, 23, 27]] = (-44, 0), (-17, 0), (17, 0), (44, 0)
    points[list(hand_set.UPPER_LIDS)], points[list(hand_set.LOWER_LIDS)] = [(-31, 7), (31, 7)], [(-31, -3), (31, -3)]
    upper = np.array([(58, 20), (50, 24), (40, 24), (30, 24), (16, 24), (14, 20)])
    lower = np.array([(58, 20), (50, 16), (16, 16), (14, 20)])
    for outlines, brow in ((hand_set.UPPER_BROWS, upper), (hand_set.LOWER_BROWS, lower)):
        points[list(outlines[0])], points[list(outlines[1])] = brow * [-1, 1], brow[::-1]
    return np.array([300, 400]) + 2 * points * [1, -1]


def written(path: Path, points: np.ndarray) -> Path:
    path.write_text(f"{len(points)}\n" + "".join(f"{x}\t{y}\n" for x, y in points) + "1\n0\n3\n0 1 2\n")
    return path


def test_points_set_by_hand_are_read(tmp_path: Path):
    read = hand_set.read_points(written(tmp_path / "a.tem", face()))
    assert np.array_equal(read, face())
    assert list(hand_set.read_folder(tmp_path)) == ["a"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "188\n" + "1 2\n" * 188,
        "999999999999\n1 2\n",
        "189\n" + "1 2\n" * 188,
        "189\n" + "1 2 3\n" * 189,
        "189\n" + "1 nan\n" * 189,
        "189\n" + "1 1e300\n" * 189,
        "189\n" + "a b\n" * 189,
        "189\n" + "1 2\n" * 188 + "1 2 3\n",
        "189\n" * 500_000,
    ],
)
def test_a_file_of_other_points_is_refused_with_one_line(tmp_path: Path, text: str):
    path = tmp_path / "a.tem"
    path.write_text(text)
    with pytest.raises(InputError, match=r"a\.tem") as caught:
        hand_set.read_points(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_or_folder_is_said_in_one_line(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be read"):
        hand_set.read_points(tmp_path / "none.tem")
    with pytest.raises(InputError, match="no folder"):
        hand_set.read_folder(tmp_path / "none")
    with pytest.raises(InputError, match=r"no \.tem files"):
        hand_set.read_folder(tmp_path)


@pytest.mark.parametrize("degrees", [0, -12, 20])
def test_measures_are_in_mm_however_large_and_askew_the_picture_is(degrees: int):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = rest.of_points(hand_set.in_mm(1.7 * face() @ turn.T))
    assert [found[row] for row in rest.BROW_ROWS] == pytest.approx([20] * 4)
    assert found[rest.GAP] == pytest.approx(28) and found["eye opening"] == pytest.approx(10)
    assert found["eye length"] == pytest.approx(27)


def test_the_numbers_in_the_project_are_of_the_same_measures():
    people = rest.known_people()
    assert people.faces > 50
    assert list(people.mean) == list(people.spread) == list(rest.of_points(hand_set.in_mm(face())))


def test_a_point_lies_on_the_outermost_of_triangles_that_overlap():
    flat = np.array([[0, 0], [4, 0], [0, 4], [0, 0], [4, 0], [0, 4]], float)
    vertices = np.column_stack([flat, [1, 1, 1, 5, 6, 5]])
    places = Places.build(np.array([[0, 1, 2], [3, 4, 5], [0, 1, 1]]), flat, vertices[:, 2])
    assert places.on(vertices, np.array([[2.0, 1.0]])) == pytest.approx(np.array([[2, 1, 5.5]]))


@pytest.fixture(scope="module")
def surface():
    return build_surface(open_face_model("open"))


def test_painted_brows_are_found_on_the_skin_and_move_with_it(surface):
    marks, still = shown(surface, 0, {})
    assert marks.shape == (70, 3) and still is not None
    raised, lowered = (shown(surface, 0, keys)[1] for keys in (rest.RAISED, rest.LOWERED))
    for right_or_left in still:
        assert 5 < right_or_left[:, 0].min() < 25 and 45 < right_or_left[:, 0].max() < 75
    moved = rest.movement(still, raised, lowered)
    assert moved["raise: the brow's middle rises"] > 3
    assert moved["frown: the brow's head sinks"] > 0.5 and moved["frown: the heads come nearer by"] > 3
    assert all(np.array_equal(a, b) for a, b in zip(still, shown(surface, 0, {})[1], strict=True))


def test_the_average_head_has_peoples_mean_proportions(surface):
    """All measures, the brow line of landmarks 17-26 included: the head that artists get, without painted brows."""
    people = rest.known_people()
    head = turned_eyes(surface, surface.model.vertices(surface.model.average_alpha))
    found = rest.of_landmarks(landmarks_of(surface, head))
    for row, mean in people.mean.items():
        assert found[row] == pytest.approx(mean, abs=rest.MEAN_BAR), row


def test_the_stored_alphas_are_what_their_command_computes_and_symmetric(surface):
    average, direction = surface.model.average_alpha, surface.mouth_width
    np.testing.assert_allclose(average_alpha(surface, rest.known_people().mean), average, atol=2e-3)
    np.testing.assert_allclose(mouth_width(surface, average), direction, atol=2e-3)
    for stored in (average, direction):
        np.testing.assert_array_equal(mirror_open_alpha(stored), stored)


def test_mouth_widths_vary_as_much_as_peoples(surface):
    rng = np.random.default_rng(0)
    heads = surface.model.vertices(np.stack([sample_alpha(rng, surface) for _ in range(200)]))
    widths = [rest.of_landmarks(landmarks_of(surface, turned_eyes(surface, head)))["mouth width"] for head in heads]
    assert np.std(widths) == pytest.approx(rest.known_people().spread["mouth width"], rel=rest.SPREAD_BAR)


def test_another_head_keeps_its_own_mean(surface):
    other = build_surface(replace(surface.model, name="other", average_alpha=None))
    assert not other.average_alpha.any() and not other.mouth_width.any()
    assert other.average_alpha.shape == other.mouth_width.shape == surface.average_alpha.shape


def test_brow_keys_at_full_strength_move_the_heads_skin_as_far_as_people_move_theirs(surface):
    still, raised, frowning = (rest.skin_lines(surface, keys) for keys in ({}, rest.RAISED, rest.LOWERED))
    moved = rest.movement(still, raised, frowning)
    for what, (least, most) in rest.ASKED.items():
        assert least <= moved[what] <= most, what


def test_each_brow_key_moves_the_part_of_the_brow_that_it_is_named_for(surface):
    """The head's landmarks 22 (by the nose) to 26 (by the temple) of the left brow, mm."""
    points = surface.model.landmarks[22:27]
    inner, outer, down = (
        surface.model.expression[OPEN_KEYS.index(key), points] for key in ("browInnerUp", "browOuterUp_L", "browDown_L")
    )
    assert inner[0, 1] > 4 and inner[0, 1] > 2 * inner[4, 1]
    assert outer[3, 1] > 4 and outer[3, 1] > 2 * outer[0, 1]
    assert down[0, 1] < -4 and down[0, 0] < -2, "its head comes down and towards the nose"


def test_the_section_holds_engine_and_head_to_people(surface):
    section = rest.of_model(surface.model, heads=6)
    means, spreads, moves = section.tables
    assert [row[0] for row in means.rows] == [row[0] for row in spreads.rows] == list(rest.known_people().mean)
    assert all(isinstance(cell, float) for row in means.rows for cell in (row[1], row[2], row[5]))
    assert {score.what.split(":")[0] for score in section.scores} == {"engine", "head"}
    assert all(score.bar is not None for score in section.scores)
    assert len(moves.rows) == 7
