"""What synthetic faces look like: skin, paint, hair, lashes and what is worn or held before them."""

import numpy as np
import pytest

from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.formats import open_face_model
from expnet.training.synthetic.brows import sample_brows
from expnet.training.synthetic.hair import STRAND, comb_lashes, sample_beard, sample_hair
from expnet.training.synthetic.held import _hand_on_lips, sample_held
from expnet.training.synthetic.paint import PAINT, TEXELS, Mask, lay, paint_skin
from expnet.training.synthetic.patches import joined, tubes
from expnet.training.synthetic.skin import sample_look
from expnet.training.synthetic.surface import build_surface
from expnet.training.synthetic.worn import sample_glasses, sample_headwear


@pytest.fixture(scope="module")
def surface():
    return build_surface(open_face_model("open"))


def keyed(**values):
    eta = np.zeros(len(OPEN_KEYS), np.float32)
    for name, value in values.items():
        eta[OPEN_KEYS.index(name)] = value
    return eta


def look_of(surface, seed, eta):
    """Somebody's looks, brows included."""
    brows = sample_brows(np.random.default_rng([seed, 1]), surface, eta)
    return sample_look(np.random.default_rng(seed), surface, eta, brows)


def chart(surface, vertex):
    """Row and column of a vertex in the paint."""
    column, row = (surface.coords[vertex] * PAINT).astype(int)
    return row, column


def test_skin_runs_evenly_from_very_light_to_very_dark(surface):
    rest = keyed()
    skins = np.array([look_of(surface, i, rest).skin_color for i in range(300)])
    assert (skins[:, 2] > skins[:, 0]).mean() > 0.99  # BGR: redder than blue
    share, _ = np.histogram(np.log(skins.mean(1)), np.log([0.1, 0.17, 0.29, 0.49, 0.95]))
    assert share.min() > 0.15 * len(skins)


def test_paint_is_laid_over_what_is_there():
    paint = np.zeros((PAINT, PAINT, 4), np.uint8)
    lay(paint, Mask(np.full((4, 4), 255, np.uint8), 10, 20), np.array([0.2, 0.4, 0.6]), 1.0)
    assert (paint[10:14, 20:24] == [51, 102, 153, 255]).all() and paint.any(2).sum() == 16
    lay(paint, Mask(np.full((4, 4), 255, np.uint8), 10, 20), np.array([1.0, 1.0, 1.0]), 0.5)
    assert np.abs(paint[12, 22].astype(int) - [153, 178, 204, 255]).max() <= 1
    lay(paint, Mask(np.full((9, 9), 255, np.uint8), PAINT - 3, -5), np.ones(3), 1.0)  # over the edge: cut off


def test_brows_are_painted_where_brows_are_and_differ_from_person_to_person(surface):
    marks = surface.model.landmarks[17:27]
    cover = []
    for i in range(60):
        paint = look_of(surface, i, keyed()).paint
        cover.append(
            np.mean([paint[r - 5 : r + 5, c - 5 : c + 5, 3].mean() for r, c in (chart(surface, m) for m in marks)])
        )
    assert np.mean(cover) > 40 and np.std(cover) > 15
    assert min(cover) < 15  # some have hardly any


def test_brows_lie_higher_and_lower_from_person_to_person(surface):
    """Were they all at one place, a network would take low ones for drawn down, as ours did."""
    green, unfolded = np.array([0.0, 1.0, 0.0]), np.zeros(len(surface.furrow_lines))
    heights = []
    for i in range(150):
        rng = np.random.default_rng(i)
        paint = paint_skin(
            rng, surface, np.array([0.4, 0.4, 0.8]), hair=green, freckled=0, beard=0, furrows=unfolded, dimpled=0,
            brows=sample_brows(rng, surface, keyed()), lashes=0, liner=0, shade=(0, 0),
        ).astype(int)  # fmt: skip
        rows = np.maximum(paint[..., 1] - paint[..., [0, 2]].max(2) - 20, 0).sum(1)  # of the hair's colour: brows alone
        if rows.sum() > 1000:  # faint ones say nothing
            heights.append((rows * np.arange(PAINT)).sum() / rows.sum() / TEXELS[0])
    assert len(heights) > 120 and np.std(heights) > 2.2, "millimetres"


def test_knit_brows_fold_the_skin_between_them_and_come_closer(surface):
    between = chart(surface, surface.model.landmarks[27])
    rows, columns = slice(between[0] + 35, between[0] + 75), slice(between[1] - 18, between[1] + 18)
    calm, knit = (
        np.mean([look_of(surface, i, eta).paint[rows, columns, 3].mean() for i in range(30)])
        for eta in (keyed(), keyed(browDown_L=1, browDown_R=1))
    )
    assert knit > 1.5 * calm
    gaps = []
    for eta in (keyed(), keyed(browDown_L=1, browDown_R=1)):
        heads = [sample_brows(np.random.default_rng(i), surface, eta).landmarks()[[4, 5], 0] for i in range(30)]
        gaps.append(np.ptp(heads, axis=1) / TEXELS[1])
    nearer = gaps[0] - gaps[1]  # beyond what the head's key does, mm
    assert nearer.min() >= 0 and 0.5 < nearer.mean() < 2


@pytest.mark.parametrize("keys", [{}, {"browDown_L": 1, "browDown_R": 1}], ids=["at rest", "frowning"])
def test_landmarks_17_to_26_follow_the_painted_brows(surface, keys):
    """Return how far the painted hairs lie above the line through their labels, in millimetres of the chart.

    For the whole brow, and for 5 mm to each side of every label.
    """
    whole, at_labels = [], []
    for i in range(60):
        brows = sample_brows(np.random.default_rng(i), surface, keyed(**keys))
        labels = brows.landmarks()
        for mask, shift, points in zip(brows.masks, brows.shifts, (labels[5:], labels[:5]), strict=True):
            rows, columns = (np.arange(n) for n in mask.cover.shape)
            columns += mask.column + shift[1]
            line = np.interp(columns, *points.T)
            above = ((rows + mask.row + shift[0])[:, None] - line) / TEXELS[0]
            whole.append(np.average(above, weights=mask.cover))
            near = [np.abs(columns - x) <= 5 * TEXELS[1] for x in points[:, 0]]
            at_labels.append([np.average(above[:, n], weights=mask.cover[:, n]) for n in near])
    assert np.abs(whole).max() < 1.5
    off = np.abs(at_labels)
    assert off[:, 1:4].max() < 1.5 and off.mean(0).max() < 1.5 and off.max() < 2.5  # ends are ragged


def test_looks_do_not_hang_on_the_expression_apart_from_what_it_folds(surface):
    one, other = (look_of(surface, 5, e) for e in (keyed(), keyed(mouthSmile_L=1, jawOpen=1)))
    np.testing.assert_array_equal(one.albedo, other.albedo)
    np.testing.assert_array_equal(one.eyes, other.eyes)
    assert one.lashes == other.lashes


def test_make_up_stays_on_the_lid_that_shuts(surface):
    lids = np.concatenate([surface.region("lid_upper_L"), surface.region("lid_upper_R")])
    darkest = []
    for i in range(40):
        look = look_of(surface, i, keyed())
        darkest.append((look.albedo[lids] / look.skin_color).mean(1).min())
    assert np.mean(np.array(darkest) < 0.4) > 0.25  # lined or shadowed
    assert np.mean(np.array(darkest) > 0.6) > 0.15  # bare


def test_lashes_are_combed_about_their_roots(surface):
    vertices = surface.model.neutral.astype(np.float32).copy()
    rows = surface.region("lashes_L").reshape(-1, STRAND)
    roots, tips = (vertices[rows[:, k : k + 2]].mean(1) for k in (0, STRAND - 2))
    comb_lashes(surface, vertices, 0.5, 1.0, 0.0)
    np.testing.assert_allclose(vertices[rows[:, :2]].mean(1), roots, atol=1e-4)
    shorter = np.linalg.norm(vertices[rows[:, -2:]].mean(1) - roots, axis=1)
    np.testing.assert_allclose(shorter, 0.5 * np.linalg.norm(tips - roots, axis=1), rtol=1e-3)


def test_lashes_turn_with_their_lid_and_hang_before_the_lower_one_when_it_is_shut(surface):
    model, shut = surface.model, keyed(lid_L=1, lid_R=1)
    rows = surface.region("lashes_L").reshape(-1, STRAND)[8:-8]  # away from the eye's corners
    rise = []
    for eta in (keyed(lid_L=-0.3, lid_R=-0.3), keyed(), shut):
        vertices = model.vertices(np.zeros((1, len(model.identity)), np.float32))[0] + (
            eta @ model.expression.reshape(len(eta), -1)
        ).reshape(-1, 3).astype(np.float32)
        before = [np.linalg.norm(vertices[rows[:, -1]] - vertices[rows[:, 0]], axis=1)]
        comb_lashes(surface, vertices, 1.0, 1.0, -0.2)
        way = vertices[rows[:, -2:]].mean(1) - vertices[rows[:, :2]].mean(1)
        rise.append(np.degrees(np.arctan2(way[:, 1], way[:, 2])).mean())
        after = np.linalg.norm(vertices[rows[:, -1]] - vertices[rows[:, 0]], axis=1)
        np.testing.assert_allclose(after, before[0], rtol=0.05)  # as long as before
    wide, rest, closed = rise
    assert wide > rest > 15 and closed < -10


def test_lashes_are_seen_from_above_and_from_below(surface):
    lashes = np.concatenate([surface.region("lashes_L"), surface.region("lashes_R")])
    corners = surface.triangles[: surface.inner]
    own = corners[np.isin(corners, lashes).all(1)]
    assert len(np.unique(np.sort(own, 1), axis=0)) == len(own) / 2


def test_it_is_dark_under_the_lashes_of_a_shut_lid_only(surface):
    edge = [chart(surface, surface.model.landmarks[k]) for k in (46, 47)]  # of the left lower lid
    cover = []
    for eta in (keyed(), keyed(lid_L=1)):
        paints = [look_of(surface, i, eta).paint for i in range(40)]
        cover.append(np.mean([p[r - 3 : r, c - 3 : c + 3, 3].mean() for p in paints for r, c in edge]))
    assert cover[1] > cover[0] + 20


def drawn(surface, rng):
    vertices, normals = surface.model.neutral.astype(np.float32), surface.normals
    color = np.array([0.1, 0.2, 0.3])
    worn, pressed = sample_headwear(rng, surface, vertices)
    patches = worn + sample_hair(rng, surface, vertices, normals, color, pressed)
    patches += sample_beard(rng, surface, vertices, normals, color, 1.0)
    frames, lenses = sample_glasses(rng, vertices, surface)
    assert all(lens.shape[1] == 3 for lens in lenses)
    return patches + frames + sample_held(rng, color, vertices[surface.model.landmarks[48:60]].mean(0))


def test_everything_grown_worn_and_held_is_sound_geometry(surface):
    count = 0
    for i in range(150):
        for patch in drawn(surface, np.random.default_rng(i)):
            count += 1
            assert np.isfinite(patch.points).all() and np.abs(patch.points).max() < 600
            assert len(patch.albedo) == len(patch.points)
            assert patch.albedo.min() >= 0 and patch.albedo.max() <= 2
            if len(patch.triangles):
                assert patch.triangles.min() >= 0 and patch.triangles.max() < len(patch.points)
    assert count > 300


def test_hair_leaves_the_face_free(surface):
    face = surface.model.neutral[surface.model.landmarks[27:68]].astype(np.float64)
    for i in range(40):
        cap, *_ = sample_hair(
            np.random.default_rng(i), surface, surface.model.neutral, surface.normals, np.ones(3), True
        ) or [None]
        if cap is not None:
            seen = cap.points[np.unique(cap.triangles)]
            assert np.linalg.norm(seen[:, None] - face[None], axis=2).min() > 4


def test_tubes_join_into_one_patch():
    ends = np.array([[0.0, 0, 0], [0, 50, 0]])
    one = tubes(ends[:1], ends[1:], np.array([5.0]), np.ones(3))
    both = joined([one, tubes(ends, ends + [10, 0, 0], np.array([3.0, 4.0]), np.ones(3), flat=True)])
    assert len(both.points) == len(one.points) + 2 * 4 * 8
    assert np.abs(one.points[:, [0, 2]]).max() <= 5 + 1e-6 and one.points[:, 1].max() <= 55 + 1e-6
    assert both.triangles.max() == len(both.points) - 1


def test_a_hand_on_the_lips_touches_them(surface):
    """Its fingers or nails lie within a few millimetres of the mouth, most of them before it."""
    mouth = surface.model.neutral[surface.model.landmarks[48:60]].mean(0).astype(np.float64)
    gaps, before = [], []
    for i in range(40):
        hand = _hand_on_lips(np.random.default_rng(i), mouth, np.ones(3))
        nearest = np.linalg.norm(hand.points - mouth, axis=1).argmin()
        gaps.append(np.linalg.norm(hand.points[nearest] - mouth))
        over = np.linalg.norm(hand.points[:, :2] - mouth[:2], axis=1) < 15
        before.append(hand.points[over, 2].max(initial=-99) > mouth[2])
    assert np.median(gaps) < 10 and max(gaps) < 35
    assert np.mean(before) > 0.8
