"""What must agree between the files that describe the project: versions, packages, what ships."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MANIFEST = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
TOP = ("model", "expnet_addon", "operators", "panels", "training", "research", "benchmarks")


def test_the_version_is_written_once_in_blenders_manifest() -> None:
    assert "version" not in PROJECT["project"]
    assert PROJECT["project"]["dynamic"] == ["version"]
    said = subprocess.run(
        [sys.executable, "-P", "setup.py", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines()[-1] == MANIFEST["version"]


def test_the_changes_of_the_manifests_version_are_described() -> None:
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert any(heading.startswith((f"## {MANIFEST['version']}", "## Unreleased")) for heading in headings)


def test_a_new_major_version_of_a_dependency_is_not_installed_unseen() -> None:
    """Tools of the developers alone may be newer; what users install has an upper bound, once."""
    extras = PROJECT["project"]["optional-dependencies"]
    installed = [*PROJECT["project"]["dependencies"], *extras["blender"], *extras["ray"], *extras["research"]]
    bounded = [re.split(r"[<>=;\[ ]", line)[0] for line in installed if "<" in line or "==" in line]
    assert not [line for line in installed if re.split(r"[<>=;\[ ]", line)[0] not in bounded]
    pinned = (ROOT / "constraints.txt").read_text()
    for line in installed:
        name = re.split(r"[<>=;\[ ]", line)[0]
        assert re.search(rf"^{re.escape(name)}==", pinned, re.MULTILINE | re.IGNORECASE), f"{name} is in no constraint"


def test_the_manifest_asks_for_files_and_network() -> None:
    permissions = MANIFEST["permissions"]
    assert set(permissions) == {"files", "network"}
    assert all(reason and len(reason) <= 64 and not reason.endswith(".") for reason in permissions.values())


def test_the_licence_is_the_same_everywhere() -> None:
    assert MANIFEST["license"] == ["SPDX:" + PROJECT["project"]["license"]]
    assert (ROOT / "LICENSE").read_text().split()[:4] == ["GNU", "GENERAL", "PUBLIC", "LICENSE"]


def test_pip_installs_every_package_of_the_tree() -> None:
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    found = {"expnet"}
    for part in TOP:
        for init in (ROOT / part).rglob("__init__.py"):
            found.add(".".join(["expnet", *init.parent.relative_to(ROOT).parts]))
    assert listed == found


WHEEL = """
from setuptools import Distribution
from setuptools.config.pyprojecttoml import apply_configuration
distribution = Distribution({"script_name": "setup.py"})
apply_configuration(distribution, "pyproject.toml")
command = distribution.get_command_obj("build_py")
command.build_lib = "wheel"
command.ensure_finalized()
print(*command.get_outputs(include_bytecode=False), sep="\\n")
"""


def test_the_wheel_holds_every_module_and_the_data_that_modules_read() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", WHEEL], cwd=ROOT, capture_output=True, text=True, check=True)
    packed = {Path(name).relative_to("wheel/expnet").as_posix() for name in done.stdout.splitlines()}
    ours = [ROOT / top for top in TOP]
    modules = {file.relative_to(ROOT).as_posix() for folder in ours for file in folder.rglob("*.py")}
    assert modules <= packed
    beside = {file.relative_to(ROOT).as_posix() for folder in ours for file in folder.rglob("*") if file.is_file()}
    data = {name for name in beside - modules if "__pycache__" not in name}
    assert {"training/evaluation/clips.toml", "training/open_head/alpha_coordinates.npy"} <= data
    assert data <= packed


def test_no_module_imports_itself_in_a_circle() -> None:
    """Imports inside functions count, those for type checkers do not. A CycleError names the modules."""
    graph = grimp.build_graph("expnet", exclude_type_checking_imports=True, cache_dir=None)
    below = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    del below["expnet"]  # register() imports all, but only Blender calls it
    assert len(below) > 200
    order = list(TopologicalSorter({module: found - {"expnet"} for module, found in below.items()}).static_order())
    assert order.index("expnet.model.errors") < order.index("expnet.expnet_addon.headless")


def test_what_blender_runs_ships_and_nothing_else() -> None:
    excluded = {pattern.strip("/") for pattern in MANIFEST["build"]["paths_exclude_pattern"]}
    assert {"tests", "training", "research", "benchmarks", "dev.py", "pyproject.toml", "setup.py"} <= excluded
    assert {f"docs/{each.name}" for each in (ROOT / "docs").iterdir() if each.is_dir()} - excluded == {"docs/guide"}
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
