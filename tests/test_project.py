"""What must agree between the files that describe the project: versions, packages, what ships."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MANIFEST = tomllib.loads((ROOT / "blender_manifest.toml").read_text())


def test_pip_and_blender_speak_of_the_same_version() -> None:
    assert PROJECT["project"]["version"] == MANIFEST["version"]


def test_the_licence_is_the_same_everywhere() -> None:
    assert MANIFEST["license"] == ["SPDX:" + PROJECT["project"]["license"]]
    assert (ROOT / "LICENSE").read_text().split()[:4] == ["GNU", "GENERAL", "PUBLIC", "LICENSE"]


def test_pip_installs_every_package_of_the_tree() -> None:
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    top = {"model", "expnet_addon", "operators", "panels", "training", "benchmarks"}
    found = {"expnet"}
    for part in top:
        for init in (ROOT / part).rglob("__init__.py"):
            found.add(".".join(["expnet", *init.parent.relative_to(ROOT).parts]))
    assert listed == found


def test_what_blender_runs_ships_and_nothing_else() -> None:
    excluded = {pattern.strip("/") for pattern in MANIFEST["build"]["paths_exclude_pattern"]}
    assert {"tests", "training", "benchmarks", "docs", "dev.py", "pyproject.toml"} <= excluded
    assert not {"model", "expnet_addon", "operators", "panels", "__init__.py", "LICENSE"} & excluded


def test_the_package_imports_without_blender() -> None:
    """This suite runs where ``import bpy`` fails; in an environment with bpy it must not have been imported either."""
    if sys.modules.get("bpy") is not None:
        pytest.skip("bpy was imported by an earlier test")
    import expnet.model

    assert Path(expnet.model.__file__).is_relative_to(ROOT)
    assert sys.modules.get("bpy") is None


def test_no_path_or_host_of_a_machine_is_in_the_text_files() -> None:
    """Code that names a machine works on no other one."""
    for path in ROOT.rglob("*"):
        inside = path.relative_to(ROOT).parts
        if inside[0].startswith(".") or inside[0] in {"build", "dist", "runs", "demo"} or "__pycache__" in inside:
            continue
        if path.suffix in {".py", ".toml", ".md"} and path != Path(__file__):
            text = path.read_text(encoding="utf-8")
            for trace in ("/work/shared", "/work/main", "/tmp/envs"):
                assert trace not in text, f"{path.relative_to(ROOT)} mentions {trace}"
