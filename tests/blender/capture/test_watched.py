"""What the reader sees is shown while it reads."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import numpy as np
import pytest

from expnet.expnet_addon.capture import watched
from expnet.expnet_addon.capture.icons import decoded
from expnet.model.worker.protocol import Look

RED_ABOVE_BLUE = np.array([[[255, 0, 0]] * 2, [[0, 0, 255]] * 2], np.uint8)


@pytest.fixture(autouse=True)
def forgets() -> Iterator[None]:
    yield
    watched.forget()


def look(*keys: tuple[str, float]) -> Look:
    return Look(base64.b64encode(RED_ABOVE_BLUE.tobytes()).decode(), 2, keys)


def test_a_look_becomes_an_icon_and_a_line_until_the_task_ends() -> None:
    shown = watched._watched.icons  # their numbers are 0 in a Blender without a window
    assert shown.shown == () and watched.keys() == ""
    watched.show(look(("jawOpen", 0.5), ("smile_L", 0.25)))
    assert len(shown.shown) == 1
    assert watched.keys() == "jawOpen 0.50\nsmile_L 0.25"
    watched.show(None)  # progress without a look, as most of it
    assert len(shown.shown) == 1
    watched.forget()
    assert shown.shown == () and watched.icon() == 0 and watched.keys() == ""


def test_pictures_stand_upright() -> None:
    pixels = decoded(look().pixels, 2)
    assert pixels[0, 0].tolist() == [0, 0, 1, 1] and pixels[1, 0].tolist() == [1, 0, 0, 1]
