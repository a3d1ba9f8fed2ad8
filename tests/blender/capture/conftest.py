"""The extension as it is enabled in Blender."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import pytest

import expnet


@pytest.fixture
def registered(empty_scene: bpy.types.Scene) -> Iterator[None]:
    expnet.register()
    yield
    expnet.unregister()
