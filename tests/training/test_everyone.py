"""The measurement of everyone in real clips: what it composes, and what counts as right."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from expnet.training.evaluation.everyone import CODING, SHOT, in_turn, rightly
from expnet.training.evaluation.film import write_clip


def grey(folder: Path, name: str, level: int, frames: int) -> Path:
    picture = np.full((64, 96, 3), level, np.uint8)
    write_clip(folder / name, [picture] * frames, CODING, np.random.default_rng(0))
    return folder / name


def seen(frames: str) -> Any:
    return SimpleNamespace(performance=SimpleNamespace(seen=np.array([frame == "x" for frame in frames])))


def test_shots_alternate_until_one_clip_ends(tmp_path: Path) -> None:
    dark, bright = grey(tmp_path, "dark.mp4", 60, 3 * SHOT), grey(tmp_path, "bright.mp4", 180, 2 * SHOT + 5)
    pictures, whose = in_turn(dark, bright)
    assert whose.tolist() == [0] * SHOT + [1] * SHOT + [0] * SHOT + [1] * SHOT
    levels = np.array([picture.mean() for picture in pictures])
    assert levels[whose == 0].max() < 120 < levels[whose == 1].min()


def test_frames_of_another_person_and_without_a_face_are_not_right() -> None:
    whose = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    assert rightly([seen("xxxx...."), seen("....xxxx")], whose) == 1
    assert rightly([seen("xxxxx..."), seen(".....xx.")], whose) == 6 / 8
    assert rightly([seen("xxxxxxxx")], whose) == 0.5
