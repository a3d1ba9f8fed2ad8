"""The error that all readings of a person share is learned from many pictures of each, and goes with the weights."""

from pathlib import Path

import numpy as np
import pytest

from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.networks.opencv_engine.estimator import LightEstimator
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.networks.weights.weights_file import load_all
from expnet.training import offset
from expnet.training.offset import Readings, learn, table
from expnet.training.synthetic import people

BROW, JAW, LID = map(OPEN_KEYS.index, ("browInnerUp", "jawOpen", "lid_L"))


def readings(seed: int) -> Readings:
    """400 people with high or low brows at rest, which their first input tells: half of it is read as a raise.

    All their jaws are read as too open by the same amount, and their left lids as too low.
    """
    rng = np.random.default_rng(seed)
    true = rng.uniform(0, 1, (400, 12, 29))
    height = rng.normal(0, 0.4, (400, 1))
    inputs = rng.normal(0, 0.3, (400, 12, 40))
    inputs[..., 0] += height
    eta = true + rng.normal(0, 0.05, true.shape)
    eta[..., BROW] += 0.5 * height
    eta[..., [JAW, LID]] += 0.2
    return Readings(inputs.astype(np.float32), eta.astype(np.float32), true.astype(np.float32))


def test_the_height_of_brows_at_rest_is_no_raise() -> None:
    learned, new = learn(readings(0)), readings(1)
    told = new.inputs.mean(1) @ learned["offset.weight"].T + learned["offset.bias"]
    error = new.eta - new.true
    before, after = (np.abs(each[..., BROW]).mean() for each in (error, error + told[:, None]))
    assert after < 0.7 * before
    rows = [line.split() for line in table(new, learned).splitlines()[1:]]
    assert [row[0] for row in rows] == ["1", "3", "12"]
    assert float(rows[-1][2]) > float(rows[-1][1])


@pytest.mark.parametrize("key", ["jawOpen", "lid_L"])
def test_lips_and_lids_that_are_shut_stay_shut(key: str) -> None:
    learned, k = learn(readings(0)), OPEN_KEYS.index(key)
    assert not learned["offset.weight"][k].any() and learned["offset.bias"][k] == 0


@pytest.mark.slow
def test_the_command_writes_weights_that_tell_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["people", str(tmp_path), "--shards", "1", "--people", "8", "--pictures", "4"])
    people.main()
    out = tmp_path / "out.safetensors"
    offset.main([str(OPEN_WEIGHTS), str(tmp_path), "--out", str(out)])
    assert "with the offset" in capsys.readouterr().out
    assert LightEstimator.load(out).person is not None
    before, after = load_all(OPEN_WEIGHTS), load_all(out)
    for old, new in ((before[1], after[1]), (before[2], after[2])):
        changed = {name for name in new if name not in old or not np.array_equal(old[name], new[name])}
        assert changed <= {"offset.weight", "offset.bias"}


def test_a_folder_without_people_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        offset.main([str(OPEN_WEIGHTS), str(tmp_path), "--out", str(tmp_path / "out.safetensors")])
    assert "no shards of people" in capsys.readouterr().err
