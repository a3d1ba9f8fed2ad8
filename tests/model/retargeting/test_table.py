"""From what was seen to channels, rows and presets: signed keys split, tables come back, bad ones are refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expnet.model.errors import InputError
from expnet.model.face.semantics import ARKIT_KEYS, OPEN_KEYS, arkit_weights, open_bounds
from expnet.model.performance.channels import ARKIT, CHANNELS, LOOK, SIGNALS, UNSEEN, channel_values, is_signed
from expnet.model.retargeting.row import BONE, OWN, Row
from expnet.model.retargeting.table import expression, load_preset, row_values, save_preset


def seen(**values: float) -> np.ndarray:
    """Signals (1, S) that are 0 but for the given ones."""
    out = np.zeros((1, len(SIGNALS)))
    for name, value in values.items():
        out[0, SIGNALS.index(name)] = value
    return out


def channel(name: str, **values: float) -> float:
    return float(channel_values(seen(**values), name)[0])


class TestChannels:
    def test_the_shapes_of_arkit_are_those_of_semantics(self):
        rng = np.random.default_rng(1)
        low, high = open_bounds().T
        eta = rng.uniform(low, high, (20, len(OPEN_KEYS)))
        values = np.concatenate([eta, np.zeros((20, 5))], 1)
        ours = np.stack([channel_values(values, name) for name in ARKIT_KEYS], 1)
        np.testing.assert_allclose(ours, arkit_weights(eta), atol=1e-6)

    def test_there_are_52_and_four_that_no_footage_moves(self):
        assert len(ARKIT) == len(set(ARKIT)) == 52
        assert [name for name in ARKIT if not CHANNELS[name]] == list(UNSEEN)

    def test_signed_keys_are_split(self):
        assert (channel("eyeBlinkLeft", lid_L=0.7), channel("eyeWideLeft", lid_L=0.7)) == (0.7, 0)
        assert channel("eyeWideRight", lid_R=-0.35) == pytest.approx(1)
        assert (channel("mouthLeft", mouthSide=-0.5), channel("mouthRight", mouthSide=-0.5)) == (0, 0.5)
        assert (channel("jawLeft", jawSide=0.25), channel("jawRight", jawSide=0.25)) == (0.25, 0)
        assert is_signed("jawSide") and is_signed("lid_L") and not is_signed("jawLeft")

    def test_a_gaze_to_its_own_left_looks_out_with_the_left_eye_and_in_with_the_right(self):
        looks = {name: channel(name, gazeYaw=LOOK) for name in ARKIT if name.startswith("eyeLook")}
        assert {name for name, weight in looks.items() if weight} == {"eyeLookOutLeft", "eyeLookInRight"}
        assert channel("eyeLookUpRight", gazePitch=LOOK / 2) == pytest.approx(0.5)

    def test_one_shape_for_both_sides_gets_their_mean(self):
        assert channel("mouthSmile", mouthSmile_L=1.0) == 0.5
        assert channel("cheekSquint", cheekSquint=0.8) == pytest.approx(0.8)
        assert channel("eyeBlink", lid_L=1.0, lid_R=-0.35) == 0.5

    def test_an_open_jaw_is_an_a_and_with_rounded_lips_it_is_less_of_one(self):
        assert channel("aa", jawOpen=0.5) > channel("aa", jawOpen=0.5, mouthFunnel=0.5)
        assert channel("oh", mouthFunnel=0.5) == 0.5


ROWS = [
    Row("eyeBlinkLeft", "shut", gain=1.3, low=0.0, high=0.9),
    Row("eyeBlinkLeft", "open", invert=True),
    Row("jawSide", "side", gain=2.0, offset=0.1, invert=True, low=-1.0),
    Row("aa", "a"),
    Row("sad", "sad", gain=0.7),
    Row("gazePitch", "eye", BONE, "ROTATION_X", gain=-1.0, low=-0.5, high=0.5),
]


class TestRows:
    def test_gain_offset_and_range(self):
        assert row_values(Row("jawOpen", "x", gain=2.0, offset=-0.1, high=0.8), seen(jawOpen=0.3))[0] == pytest.approx(
            0.5
        )
        assert row_values(Row("jawOpen", "x", gain=2.0, high=0.8), seen(jawOpen=0.9))[0] == 0.8

    def test_inverted_is_one_at_rest_or_the_other_side(self):
        assert row_values(Row("jawOpen", "x", invert=True), seen(jawOpen=0.25))[0] == 0.75
        assert row_values(Row("jawSide", "x", invert=True, low=-1.0), seen(jawSide=0.25))[0] == -0.25

    def test_frames_without_a_face_stay_empty(self):
        values = np.vstack([seen(jawOpen=0.5), np.full((1, len(SIGNALS)), np.nan)])
        for row in ROWS:
            assert np.isnan(row_values(row, values)).tolist() == [False, True]

    @given(st.lists(st.floats(-1, 1), min_size=len(SIGNALS), max_size=len(SIGNALS)), st.sampled_from(ROWS))
    def test_the_expression_of_a_driver_says_the_same(self, values, row):
        names = {signal: f"s{i}" for i, signal in enumerate(SIGNALS)}
        text = expression(row, names)
        assert len(text) < 256
        said = eval(text, {"min": min, "max": max, **{f"s{i}": v for i, v in enumerate(values)}})
        assert said == pytest.approx(row_values(row, np.array([values]))[0], abs=1e-4)


class TestPresets:
    def test_a_table_comes_back(self, tmp_path):
        rows = (*ROWS, Row("headYaw", "head", BONE, "ROTATION_Z", OWN, low=-math.pi, high=math.pi, enabled=False))
        save_preset(rows, tmp_path / "hero.json")
        assert load_preset(tmp_path / "hero.json") == rows

    def test_every_row_is_a_line_that_says_only_what_is_special(self, tmp_path):
        save_preset([Row("jawOpen", "mouth_open")], tmp_path / "hero.json")
        assert '  {"channel": "jawOpen", "target": "mouth_open"}\n' in (tmp_path / "hero.json").read_text()

    @pytest.mark.parametrize("row, said", [
        ({"channel": "jawOpen"}, "target"),
        ({"channel": "jawOpne", "target": "x"}, "'jawOpne' is unknown"),
        ({"target": "x"}, "channel None is unknown"),
        ({"channel": "jawOpen", "target": "x", "gian": 1}, "'gian' is unknown"),
        ({"channel": "jawOpen", "target": "x", "gain": "much"}, "no number"),
        ({"channel": "jawOpen", "target": "x", "gain": True}, "no number"),
        ({"channel": "jawOpen", "target": "x", "gain": math.inf}, "no number"),
        ({"channel": "jawOpen", "target": "x", "invert": 1}, "no true or false"),
        ({"channel": "jawOpen", "target": ["x"]}, "no text"),
        ({"channel": "jawOpen", "target": "x", "kind": "LATTICE"}, "it may be SHAPE_KEY, BONE"),
        ({"channel": "jawOpen", "target": "x", "kind": "BONE"}, "needs a component"),
        ({"channel": "jawOpen", "target": "x", "low": 2}, "above high"),
        ([1, 2], "no object"),
    ])  # fmt: skip
    def test_a_row_that_cannot_be_is_one_line(self, tmp_path, row, said):
        path = tmp_path / "hero.json"
        path.write_text(json.dumps({"format": "expnet-retarget-1", "rows": [row]}))
        with pytest.raises(InputError, match=said) as refusal:
            load_preset(path)
        assert "row 1" in str(refusal.value) and "\n" not in str(refusal.value)

    @pytest.mark.parametrize("content", [
        b"", b"{", b"[]", b"\x89PNG\r\n", b'{"format": "other", "rows": []}', b'{"format": "expnet-retarget-1"}',
        b'{"format": "expnet-retarget-1", "rows": {}}', b"[" * 100_000,
    ])  # fmt: skip
    def test_a_file_of_another_kind_is_one_line(self, tmp_path, content):
        path = tmp_path / "hero.json"
        path.write_bytes(content)
        with pytest.raises(InputError) as refusal:
            load_preset(path)
        assert "\n" not in str(refusal.value)

    def test_a_missing_file_is_said(self, tmp_path):
        with pytest.raises(InputError, match="preset cannot be read"):
            load_preset(tmp_path / "none.json")
