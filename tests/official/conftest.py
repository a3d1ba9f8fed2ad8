"""The official release in full size, written by TensorFlow: its folder, and what the command line makes of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from expnet.expnet_addon.headless import main
from expnet.model.official.weights import FILE


@pytest.fixture(scope="session")
def release() -> Path:
    folder = os.environ.get("EXPNET_RELEASE", "")
    if not folder:
        pytest.skip("EXPNET_RELEASE names no folder with checkpoints by TensorFlow; 'dev.py test' makes one")
    return Path(folder)


@pytest.fixture(scope="session")
def imported(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("imported")
    assert main(["import-weights", str(release), "--out", str(out)]) == 0
    assert [path.name for path in out.iterdir()] == [FILE]
    return out
