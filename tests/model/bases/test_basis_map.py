"""A head whose keys are known mixtures of the open ones, with some motion that no open key has, and its maps."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from expnet.model.bases.basis_map import BasisMap, arkit_performance, converted, load_maps, save_maps
from expnet.model.errors import InputError
from expnet.model.face.semantics import ICT_BASIS, OPEN_BASIS, OPEN_KEYS, open_bounds
from expnet.model.performance.face_performance import FacePerformance

from .other_head import OPEN, an_other_head, maps_to_it


@pytest.fixture(scope="module")
def to_open() -> BasisMap:
    return maps_to_it()[0]


@pytest.fixture(scope="module")
def from_open() -> BasisMap:
    return maps_to_it()[1]


@pytest.fixture(scope="module")
def expressions() -> np.ndarray:
    """Open expressions, (300, 29), a few keys at a time."""
    rng = np.random.default_rng(0)
    low, high = open_bounds().T
    return rng.uniform(low, high, (300, 29)) * (rng.random((300, 29)) < 0.15)


def face_mm(eta: np.ndarray, regions: tuple[str, ...] = ("lips", "lid_upper_L", "lid_lower_R", "brow_L")) -> np.ndarray:
    """Root mean square motion (F,) of the open head's moving parts, mm."""
    chosen = np.concatenate([OPEN.regions[r] for r in regions])
    moved = np.tensordot(eta, OPEN.expression[:, chosen].astype(float), 1)
    return np.sqrt((moved**2).sum(-1).mean(-1))


def performance(eta: np.ndarray, basis: str = OPEN_BASIS, keys: tuple[str, ...] = OPEN_KEYS) -> FacePerformance:
    frames = len(eta)
    return FacePerformance(
        times=np.arange(frames) / 25,
        eta=eta,
        gaze=np.zeros((frames, 2)),
        rotation=np.tile(np.eye(3), (frames, 1, 1)),
        translation=np.tile([0.0, 0, -600], (frames, 1)),
        crop=np.tile([50.0, 50, 60, 0], (frames, 1)),
        confidence=np.ones(frames),
        alpha=np.zeros(4),
        expression_keys=keys,
        basis=basis,
        source="clip.mp4",
        fps=25,
        image_size=(100, 100),
    )


def test_the_mixtures_are_found(to_open: BasisMap) -> None:
    """What each foreign key does, in open keys: right to about a tenth of its motion where lids, lips and brows are."""
    head = an_other_head()
    error, motion = face_mm(to_open.matrix.T - head.mixing), face_mm(head.mixing)
    assert np.sqrt((error**2).sum() / (motion**2).sum()) < 0.12


def test_zero_of_a_basis_need_not_be_a_neutral_face(to_open: BasisMap, from_open: BasisMap) -> None:
    """The mean expression that comes with a Basel model is no neutral; it shifts the head, too, which is pose."""
    rest = an_other_head().rest
    assert face_mm(to_open.offset - rest) < 0.15 * face_mm(rest)
    neutral = from_open.expression(np.zeros(29))
    assert np.abs(neutral).max() > 0.2
    assert face_mm(to_open.expression(neutral)) < 0.2 * face_mm(rest)


def test_there_and_back_is_the_same_expression(expressions: np.ndarray) -> None:
    """All of it where both heads can do the same; a tenth that only the other one does costs about as much."""
    for outside, error, agreement in ((0.0, 0.06, 0.97), (0.1, 0.17, 0.75)):
        to_open, from_open = maps_to_it(outside)
        back = to_open.expression(from_open.expression(expressions))
        assert face_mm(back - expressions).mean() < error * face_mm(expressions).mean()
        assert np.corrcoef(back.ravel(), expressions.ravel())[0, 1] > agreement


def test_what_is_lost_is_what_was_strange(to_open: BasisMap) -> None:
    head = an_other_head()
    assert to_open.unexplained.mean() == pytest.approx(head.outside, abs=0.03)
    assert to_open.unexplained.min() > head.outside / 2
    assert (to_open.lips_mm > 0).all() and to_open.lips_mm.max() < 3


def test_the_table_has_a_line_for_each_key(to_open: BasisMap) -> None:
    lines = str(to_open).splitlines()
    assert lines[0] == "expnet-29 -> open-29"
    assert [line.split()[0] for line in lines[2:-1]] == list(to_open.from_keys)


def test_what_comes_out_is_inside_the_bounds(to_open: BasisMap) -> None:
    wild = np.random.default_rng(1).normal(0, 3, (200, 29))
    eta = to_open.expression(wild)
    low, high = open_bounds().T
    assert (eta >= low).all() and (eta <= high).all()
    assert ((eta == low) | (eta == high)).any()


def test_inside_the_bounds_it_is_the_best_there_is(to_open: BasisMap) -> None:
    """Not merely cut off: where a key ends, others that move alike take over."""
    wild = np.random.default_rng(1).normal(0, 3, (50, 29))
    free = wild @ to_open.matrix.T + to_open.offset
    low, high = open_bounds().T

    def cost(eta: np.ndarray) -> np.ndarray:
        return np.einsum("fi,ij,fj->f", eta - free, to_open.metric, eta - free)

    found = to_open.expression(wild)
    best = cost(found)
    assert (best < 0.9 * cost(np.clip(free, low, high))).mean() > 0.9
    rng = np.random.default_rng(2)
    for _ in range(50):
        near = np.clip(found + rng.normal(0, 0.02, (50, 29)), low, high)
        assert (cost(near) >= best - 1e-3).all()


def test_frames_without_a_face_stay_empty(to_open: BasisMap) -> None:
    eta = np.zeros((3, 29))
    eta[1] = np.nan
    out = to_open.expression(eta)
    assert np.isnan(out[1]).all() and np.isfinite(out[[0, 2]]).all()


def test_a_pose_puts_the_other_head_where_this_one_was_seen(from_open: BasisMap) -> None:
    rotation = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    rotation *= np.linalg.det(rotation)
    translation = np.array([30.0, -20, -700])
    points = OPEN.mean[OPEN.landmarks].astype(float)
    there = from_open.scale * points @ from_open.rotation.T + from_open.translation
    turned, moved = from_open.pose(rotation, translation)
    here, other = points @ rotation.T + translation, there @ turned.T + moved
    assert np.allclose(here[:, :2] / here[:, 2:], other[:, :2] / other[:, 2:])


def test_a_performance_changes_its_basis(from_open: BasisMap, to_open: BasisMap, expressions: np.ndarray) -> None:
    there = converted(performance(expressions), from_open)
    assert (there.basis, there.expression_keys) == ("expnet-29", to_open.from_keys)
    assert there.alpha.shape == (4,)  # the other head's identity
    again = converted(there, to_open)
    assert again.basis == OPEN_BASIS
    assert np.allclose(again.translation, [0, 0, -600]) and np.allclose(again.rotation, np.eye(3))
    with pytest.raises(InputError, match="basis 'expnet-29'"):
        converted(there, from_open)


def test_the_other_persons_shape_goes_along(to_open: BasisMap) -> None:
    """The mean of the other model is a person of its own: its identity is not zero on the open head."""
    alpha = to_open.identity(np.zeros(4))
    assert alpha.shape == (99,)
    chosen = OPEN.regions["lips"]
    assert np.linalg.norm(OPEN.identity_offset(alpha)[chosen], axis=1).mean() > 1


def test_an_ict_head_is_driven_by_meaning() -> None:
    eta = np.zeros((2, 29))
    eta[1, OPEN_KEYS.index("mouthSmile_L")] = 0.7
    shown = arkit_performance(performance(eta), ("mouthSmile_L", "mouthSmile_R", "tongueOut"))
    assert shown.basis == ICT_BASIS
    assert shown.eta.tolist() == [[0, 0, 0], [0.7, 0, 0]]


# Files ---------------------------------------------------------------------------------------------------------------


def test_maps_are_kept_exactly(to_open: BasisMap, from_open: BasisMap, tmp_path: Path) -> None:
    save_maps([to_open, from_open], tmp_path / "maps.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["maps.npz"]
    again = load_maps(tmp_path / "maps.npz")
    assert [m.from_basis for m in again] == ["expnet-29", "open-29"]
    assert (again[0].matrix == to_open.matrix).all() and again[1].to_keys == from_open.to_keys


def damaged(path: Path, **changes: object) -> Path:
    with np.load(path) as file:
        arrays: dict[str, object] = {name: file[name] for name in file.files}
    np.savez(path, **{**arrays, **changes})  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"matrix_0": np.zeros((29, 28))},
        {"matrix_0": np.full((29, 29), np.nan)},
        {"scale_0": np.float64(0)},
        {"bounds_0": np.tile([1.0, 0], (29, 1))},
        {"header": np.frombuffer(b"{}", np.uint8)},
        {"header": np.frombuffer(json.dumps({"format": "expnet-basis-map-1", "maps": [{}]}).encode(), np.uint8)},
        {"matrix_0": np.array([{}], object)},
    ],
    ids=["shape", "nan", "scale", "bounds", "header", "names", "objects"],
)
def test_a_damaged_map_is_one_line(change: dict[str, object], to_open: BasisMap, tmp_path: Path) -> None:
    save_maps([to_open], tmp_path / "maps.npz")
    with pytest.raises(InputError, match=r"maps\.npz: broken map") as caught:
        load_maps(damaged(tmp_path / "maps.npz", **change))
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"\x80\x04}\x94.")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("header.npy", b"\0" * 10)
    for name in ("a.npz", "b.npz", "none.npz"):
        with pytest.raises(InputError):
            load_maps(tmp_path / name)
