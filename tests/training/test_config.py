"""A recipe is read whole or refused with one line that says what to change."""

from pathlib import Path

import pytest

from expnet.model.errors import InputError
from expnet.training.config import load_config

GOOD = """
[network]
architecture = "compact"
channels = [8, 8, 16, 16, 32]
[input]
phases = [{ size = 64, until = 100 }, { size = 96 }]
[optimizer]
name = "adamw"
learning_rate = 1
batch = 16
[loss]
vertex = 0.5
"""


def load(tmp_path: Path, text: str):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return load_config(path)


def test_what_is_left_out_has_a_default(tmp_path):
    config = load(tmp_path, GOOD)
    assert config.network.size == 96 and config.network.channels == (8, 8, 16, 16, 32)
    assert config.network.blocks == (1, 2, 2, 2) and config.optimizer.learning_rate == 1.0
    assert config.schedule.kind == "flat-then-decay" and config.augment.erase == 0 and config.loss.coefficient == 0


def test_the_size_of_the_pictures_grows(tmp_path):
    pictures = load(tmp_path, GOOD).input
    assert [pictures.size_at(step) for step in (0, 99, 100, 10**6)] == [64, 64, 96, 96]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("batch = 16", "batch = 16\nnesterov = true", "nesterov is unknown"),
        ("batch = 16", 'batch = "16"', "not a whole number"),
        ("batch = 16", "", "[optimizer] batch is missing"),
        ("batch = 16", "batch = 1", "at least 2"),
        ('name = "adamw"', 'name = "lion"', "not one of 'muon', 'adamw', 'sgd'"),
        ('name = "adamw"', 'name = "muon"\nprecision = "fp16"', "not in fp16"),
        ("[8, 8, 16, 16, 32]", "[8, 8]", "channels has 2 entries, not 5"),
        ("[8, 8, 16, 16, 32]", "8", "channels is 8, not a list"),
        ('"compact"', '"transformer"', "architecture must be one of compact, glimpse, resnet101"),
        ('"compact"', '"compact"\nsize = 96', "size is that of the last"),
        ('"compact"\nchannels = [8, 8, 16, 16, 32]', '"resnet101"\noutputs = ["gaze"]', "lacks eta"),
        ('"compact"\nchannels = [8, 8, 16, 16, 32]', '"resnet101"\noutputs = ["eta", "mood"]', "'mood' is unknown"),
        ("[loss]", "[regularisation]\n[loss]", "[regularisation] is unknown"),
        ("[loss]\nvertex = 0.5", "", "[loss] is missing"),
        ("vertex = 0.5", "dense = 0.5", "landmarks and dense are learned together"),
        ("size = 96", "size = 90", "not a multiple of 32"),
        (", until = 100", "", "later `until`"),
        ("{ size = 96 }", "{ size = 96, until = 50 }", "later `until`"),
        ("[optimizer]", 'normalisation = "mean-image"\n[optimizer]', "needs architecture resnet101"),
        ("[loss]", "[loss", "not TOML"),
    ],
)
def test_a_mistake_is_named(tmp_path, old, new, says):
    assert old in GOOD
    with pytest.raises(InputError) as refused:
        load(tmp_path, GOOD.replace(old, new))
    assert says in str(refused.value) and "recipe.toml" in str(refused.value) and "\n" not in str(refused.value)


def test_a_missing_recipe_is_said_so(tmp_path):
    with pytest.raises(InputError, match="cannot read the recipe"):
        load_config(tmp_path / "none.toml")
