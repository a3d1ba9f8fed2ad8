"""The extension's zip, installed in a profile of its own: in whatever Blender runs these tests, and nowhere else.

``python3 dev.py test`` names the zip in EXPNET_ZIP and, for a Blender without torch,
the worker's Python in EXPNET_PYTHON.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

NAME = "bl_ext.user_default.expnet"


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The installed and enabled extension."""
    archive = os.environ.get("EXPNET_ZIP")
    if not archive:
        pytest.skip("EXPNET_ZIP does not name the extension's zip: run python3 dev.py test")
    os.environ["BLENDER_USER_RESOURCES"] = str(tmp_path_factory.mktemp("profile"))
    import bpy

    bpy.ops.extensions.package_install_files(repo="user_default", filepath=archive, enable_on_install=True)
    yield importlib.import_module(NAME)
    bpy.ops.preferences.addon_disable(module=NAME)


@pytest.fixture
def clip() -> Path:
    """The clip in the box; the tests read its first frames."""
    path = Path(__file__).resolve().parents[2] / "model/data/demo_clip.mp4"
    if not path.is_file():
        pytest.skip("there is no clip in the box")
    return path
