"""Fit to Whole Clip: the take is fitted, says so, is one undo step, and a network without points is one line."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from expnet.expnet_addon.capture import takes
from expnet.expnet_addon.scene import current_take
from expnet.model.networks.weights.open_pack import DATA

pytestmark = pytest.mark.usefixtures("registered")


@pytest.fixture
def head(empty_scene: bpy.types.Scene) -> bpy.types.Object:
    assert bpy.ops.expnet.add_face() == {"FINISHED"}
    settings = empty_scene.expnet
    settings.source, settings.use_range, settings.last = str(DATA / "demo_clip.mp4"), True, 7
    return bpy.context.object


@pytest.mark.slow
def test_a_fitted_take_says_that_it_is(empty_scene: bpy.types.Scene, head: bpy.types.Object) -> None:
    settings = empty_scene.expnet
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    plain = takes.performance_of(head)
    assert not current_take.take_of(head).expnet.fitted and "Fitted" not in settings.result
    settings.fit = True
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    fitted = takes.performance_of(head)
    assert current_take.take_of(head).expnet.fitted and fitted.fitted
    assert "Fitted to the whole clip" in settings.result
    assert abs(fitted.eta - plain.eta).max() > 1e-3
    assert len(current_take.takes_of(head)) == 1


def test_a_network_without_points_is_one_line_and_changes_nothing(
    empty_scene: bpy.types.Scene, head: bpy.types.Object, sees_a_face: Path
) -> None:
    settings = empty_scene.expnet
    settings.network, settings.estimator, settings.fit = "FILE", str(sees_a_face), True
    with pytest.raises(RuntimeError, match="locates no points"):
        bpy.ops.expnet.animate_footage()
    assert current_take.take_of(head) is None
    assert settings.result.count("\n") == 0
