"""What hides a mouth is learned from single pictures and goes with the weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from expnet.model.networks.opencv_engine.estimator import LightEstimator
from expnet.model.networks.person import PersonReader
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.networks.weights.weights_file import load_all
from expnet.training import hidden_mouth
from expnet.training.hidden_mouth import COVERED, FROM_THE_FRONT, MOSTLY, Mouths, learn, table
from expnet.training.synthetic import generate


@pytest.fixture(scope="module")
def reader() -> PersonReader:
    return PersonReader(load_all(OPEN_WEIGHTS)[2], {})


def mouths(reader: PersonReader, seed: int) -> Mouths:
    """2,000 faces whose first input tells how much of their lips can be seen."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(0, 1, (2000, len(reader.tensors["mean"])))
    lips = np.clip(0.9 - 0.5 * normal[:, 0], 0, 1)
    inputs = normal * reader.tensors["deviation"] + reader.tensors["mean"]
    return Mouths(inputs.astype(np.float32), lips, rng.uniform(0, 60, 2000), rng.random(2000) < 0.1)


def test_a_natural_mouth_is_never_hidden_and_a_turned_one_only_if_most_of_it_is(reader: PersonReader) -> None:
    m = mouths(reader, 0)
    assert not m.hidden[m.natural].any()
    front = ~m.natural & (m.yaw < FROM_THE_FRONT)
    np.testing.assert_array_equal(m.hidden[front], m.lips[front] < COVERED)
    turned = ~m.natural & (m.yaw >= FROM_THE_FRONT)
    np.testing.assert_array_equal(m.hidden[turned], m.lips[turned] < MOSTLY)


def test_hidden_lips_are_learned(reader: PersonReader) -> None:
    seen, new = (replace(mouths(reader, seed), yaw=np.zeros(2000), natural=np.zeros(2000, bool)) for seed in range(2))
    taught = PersonReader(reader.tensors | learn(reader, seen), {})
    assert ((taught.mouth_hidden_of(new.inputs) > 0.5) == new.hidden).mean() > 0.85
    assert "partly hidden" in table(taught, new)


@pytest.mark.slow
def test_the_command_writes_weights_that_tell_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["generate", str(tmp_path), "--shards", "1", "--per-shard", "64"])
    generate.main()
    out = tmp_path / "out.safetensors"
    hidden_mouth.main([str(OPEN_WEIGHTS), str(tmp_path), "--out", str(out)])
    assert "visible, natural pictures" in capsys.readouterr().out
    assert LightEstimator.load(out).person is not None
    before, after = load_all(OPEN_WEIGHTS), load_all(out)
    for old, new in ((before[1], after[1]), (before[2], after[2])):
        assert old.keys() == new.keys()
        changed = {name for name in old if not np.array_equal(old[name], new[name])}
        assert changed <= {"hidden.weight", "hidden.bias"}


def test_a_folder_without_pictures_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        hidden_mouth.main([str(OPEN_WEIGHTS), str(tmp_path), "--out", str(tmp_path / "out.safetensors")])
    assert "no shards" in capsys.readouterr().err
