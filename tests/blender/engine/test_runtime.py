"""The full engine's runtime: a real environment, filled by a real pip, from a folder with small wheels.

The wheels hold a library of one line each, in place of torch and the others; so no network is needed, and no 200 MB.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from expnet.expnet_addon.engine import installation, jobs, runtime
from expnet.expnet_addon.engine import status as engine_status
from expnet.expnet_addon.engine.installation import Installation
from expnet.expnet_addon.engine.jobs import WorkerFault
from expnet.expnet_addon.engine.runtime import Build, Packages
from expnet.model.errors import InputError
from expnet.model.worker.messages import PingResult

BUILD = Build("cpu", "Processor", "", download_mb=1, disk_mb=30)
SMALL = Packages(torch=("little-torch>=2",), others=("little-cv2",), modules=("little_torch", "little_cv2"))


def write_wheel(folder: Path, name: str, version: str, code: str) -> Path:
    """Return a wheel as ``pip`` reads it: the module, and who it is."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{module}.py", code)
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", f"{module}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels with a space")
    write_wheel(folder, "little-torch", "2.5", "__version__ = '2.5+cpu'\n")
    write_wheel(folder, "little-cv2", "4.11", "__version__ = '4.11'\n")
    return folder


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Path:
    """Return a runtime that is installed. Tests that change it copy it."""
    root = tmp_path_factory.mktemp("profile") / "runtime"
    install(root, wheels)
    return root


def install(root: Path, wheels: Path, packages: Packages = SMALL) -> tuple[dict, list[str]]:
    """All steps; the reply and the progress messages."""
    reported: list[str] = []
    installing = Installation(root, BUILD, str(wheels), packages)
    try:
        return installing.wait(lambda progress: reported.append(str(progress))), reported
    finally:
        installing.close()


def copy(whole: Path, root: Path) -> None:
    shutil.copytree(whole, root, symlinks=True, ignore=shutil.ignore_patterns(".removed-*"))


def names(folder: Path) -> set[str]:
    """Return what is there; what is on its way out does not count."""
    return {e.name for e in folder.iterdir() if not e.name.startswith(".removed-")} if folder.exists() else set()


def test_an_environment_of_its_own_is_made_and_says_what_is_in_it(whole: Path) -> None:
    found = runtime.installed(whole)
    assert found is not None
    assert found.versions == {"little_torch": "2.5+cpu", "little_cv2": "4.11"}
    assert found.build == "cpu"
    assert names(whole) == {"installed.json", "env-1"}  # no downloads, nothing temporary
    reported = subprocess.run(
        [found.python, "-c", "import sys, little_torch; print(sys.prefix)"], capture_output=True, text=True, check=True
    )
    assert Path(reported.stdout.strip()).resolve() == (whole / "env-1").resolve()


def test_it_comes_before_this_python_and_after_the_one_named(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime was asked for; what this Python has just happens to be there."""
    monkeypatch.setattr(runtime, "folder", lambda: whole)
    found = runtime.installed(whole)
    assert found is not None and jobs.worker_python() == found.python
    assert jobs.worker_python(sys.executable) == sys.executable


def test_outside_an_installed_extension_there_is_none() -> None:
    assert runtime.folder() is None and runtime.python() == ""
    with pytest.raises(InputError, match="installed in Blender"):
        installation.install(None, BUILD, online=True)


def test_a_second_one_takes_the_firsts_place_when_it_is_whole(whole: Path, wheels: Path, tmp_path: Path) -> None:
    root = tmp_path / "runtime"
    copy(whole, root)
    installing = Installation(root, BUILD, str(wheels), SMALL)
    before = runtime.installed(root)
    assert before is not None and "env-1" in before.python  # still good while the other is made
    installing.wait()
    installing.close()
    after = runtime.installed(root)
    assert after is not None and "env-2" in after.python
    assert names(root) == {"installed.json", "env-2"}


def test_cancelled_in_the_middle_it_leaves_nothing_and_no_process(
    wheels: Path, tmp_path: Path, poll_until: Callable
) -> None:
    root = tmp_path / "runtime"
    installing = Installation(root, BUILD, str(wheels), SMALL)
    while installing.progress.message != "Getting pip":
        installing.poll(timeout=0.05)
    pid = installing.pid
    installing.close()
    assert not root.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    installing.close()
    poll_until(lambda: not list(tmp_path.iterdir()))  # deleted beside Blender


def test_a_half_made_one_is_not_used_and_is_cleared_away(whole: Path, tmp_path: Path) -> None:
    """Blender was killed while pip was at work: everything may be there but the marker."""
    root = tmp_path / "runtime"
    copy(whole, root)
    (root / "installed.json").unlink()
    assert runtime.installed(root) is None
    assert runtime.new_environment(root) == root / "env-1"
    assert names(root) == set()


@pytest.mark.parametrize("damage", ["half a marker", "another format", "no python", "its blender is gone"])
def test_a_damaged_one_is_not_used(damage: str, whole: Path, tmp_path: Path) -> None:
    root = tmp_path / "runtime"
    copy(whole, root)
    marker = root / "installed.json"
    if damage == "half a marker":
        marker.write_text(marker.read_text()[:40])
    elif damage == "another format":
        marker.write_text(json.dumps({**json.loads(marker.read_text()), "format": "something else"}))
    elif damage == "no python":
        runtime.environment_python(root / "env-1").unlink()
    else:
        (root / "env-1/pyvenv.cfg").write_text("home = /opt/blender-that-was-removed/python/bin\n")
    assert runtime.installed(root) is None


def test_what_pip_cannot_find_is_told_in_one_line_and_the_next_try_succeeds(wheels: Path, tmp_path: Path) -> None:
    root = tmp_path / "runtime"
    lacking = Packages(("little-torch",), ("no-such-package-anywhere",), ())
    with pytest.raises(WorkerFault, match="No matching distribution found for no-such-package-anywhere") as caught:
        install(root, wheels, lacking)
    assert "\n" not in str(caught.value) and "little_torch" in caught.value.details
    assert runtime.installed(root) is None
    assert not [name for name in names(root) if name.startswith("env")]
    install(root, wheels)
    assert runtime.installed(root) is not None


def test_a_library_that_does_not_load_is_found_before_it_is_used(wheels: Path, tmp_path: Path) -> None:
    folder = tmp_path / "wheels"
    shutil.copytree(wheels, folder)
    write_wheel(folder, "little-torch", "2.6", "raise ImportError('libcudart.so.12: cannot open shared object file')\n")
    with pytest.raises(WorkerFault, match=r"checking.*libcudart.so.12"):
        install(tmp_path / "runtime", folder)
    assert runtime.installed(tmp_path / "runtime") is None


def test_offline_it_is_refused_without_wheels(tmp_path: Path, wheels: Path) -> None:
    root = tmp_path / "runtime"
    with pytest.raises(InputError, match="Allow Online Access") as caught:
        installation.install(root, BUILD, online=False)
    assert "\n" not in str(caught.value) and not root.exists()
    installation.install(root, BUILD, online=False, wheels=str(wheels))  # a task, not yet started
    assert not root.exists()


def test_a_folder_without_wheels_and_a_full_disk_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder with wheels"):
        installation.check(tmp_path, BUILD, True, str(tmp_path))
    huge = Build("cuda", "", "", download_mb=10**9, disk_mb=10**9)
    with pytest.raises(InputError, match="GB are free"):
        installation.check(tmp_path / "not" / "yet", huge, True, "")


def test_a_python_without_pip_is_told_how_to_get_one(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Debian's, whose Blender uses the system's Python."""
    monkeypatch.setattr(installation.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(installation.sysconfig, "get_config_var", lambda name: None)
    with pytest.raises(InputError, match="python3-venv"):
        Installation(tmp_path / "runtime", BUILD, str(wheels), SMALL)
    assert not (tmp_path / "runtime").exists()


def test_removed_it_leaves_nothing(whole: Path, tmp_path: Path, poll_until: Callable) -> None:
    root = tmp_path / "runtime"
    copy(whole, root)
    runtime.remove(root)
    assert not root.exists()
    runtime.remove(root)
    poll_until(lambda: not list(tmp_path.iterdir()))


def test_every_machine_is_offered_what_it_can_run() -> None:
    assert [b.name for b in runtime.builds("linux", "x86_64")] == ["cpu", "cuda"]
    assert [b.name for b in runtime.builds("win32", "AMD64")] == ["cpu", "cuda"]
    assert [b.name for b in runtime.builds("darwin", "arm64")] == ["mps"]
    assert runtime.builds("darwin", "x86_64") == ()  # torch has left it
    with pytest.raises(InputError, match="Use This Python"):
        runtime.build_named("tpu")


def test_pips_lines_become_progress(tmp_path: Path, wheels: Path) -> None:
    installing = Installation(tmp_path / "runtime", BUILD, str(wheels), SMALL)
    reported = []
    for line in (
        "Collecting torch<3,>=2.4",
        "  Downloading https://somewhere/torch-2.13.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl (192.0 MB)",
        "Progress 48000000 of 192000000",
        "Processing /a folder/of wheels/sympy-1.14.0-py3-none-any.whl (from torch<3,>=2.4)",
        "Installing collected packages: mpmath, sympy, torch",
    ):
        installing._take(line)
        reported.append(str(installing.progress))
    installing.close()
    assert reported == [
        "Looking for torch<3,>=2.4",
        "Downloading torch 2.13.0",
        "Downloading torch 2.13.0 (MB) 48/192",
        "Processing sympy 1.14.0",
        "Unpacking 3 packages",
    ]


def test_another_python_is_asked_what_it_has() -> None:
    """The one that runs this test has everything."""
    line = engine_status.check_python(sys.executable).run()
    assert f"Python {sys.version.split()[0]}: torch 2" in line and "processor" in line
    assert "Missing" not in line


def test_what_it_lacks_is_named_with_the_command_that_gets_it() -> None:
    reply = PingResult(
        python="3.12.1",
        executable="/usr/bin/python3",
        packages={"torch": None, "cv2": "4.10.0", "safetensors": None, "h5py": None, "scipy": None},
        engines=("light",),
        devices=("cpu",),
        gpus=0,
    )
    assert engine_status.ping_text(reply).splitlines() == [
        "Python 3.12.1: opencv-python-headless 4.10.0; processor",
        "The light engine only. Missing for the full one: torch, safetensors "
        "('/usr/bin/python3' -m pip install torch safetensors)",
    ]


def test_the_panel_names_the_engine_before_and_after_a_test() -> None:
    before = engine_status.status("", "cpu")
    assert before.ready and before.line.startswith("Full engine, torch 2")
    reported = engine_status.test("", "cpu").run()
    assert reported == engine_status.status("", "cpu").line
    assert reported.startswith("Full engine, torch 2") and reported.endswith("ms a frame")


def test_without_any_engine_the_panel_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "NEEDED", {"full": ("no_such_module_anywhere",)})
    monkeypatch.delenv("EXPNET_PYTHON", raising=False)
    monkeypatch.setattr(engine_status, "_last", {})
    status = engine_status.status("", "auto")
    assert not status.ready and "Install Runtime" in status.line


ARTIST = """
import importlib, json, os, sys
from pathlib import Path
import bpy

wheels, = sys.argv[1:]
NAME = "bl_ext.user_default.expnet"
bpy.ops.preferences.addon_enable(module=NAME)
addon = sys.modules[NAME + ".expnet_addon.engine.runtime"]
installation = importlib.import_module(NAME + ".expnet_addon.engine.installation")
installation.PACKAGES = addon.Packages(("little-torch",), ("little-cv2",), ("little_torch", "little_cv2"))
preferences = bpy.context.preferences.addons[NAME].preferences
story = {}

def press(operator):
    try:
        return sorted(operator())
    except RuntimeError as error:
        return str(error).strip().splitlines()[0]

story["offline"] = press(bpy.ops.expnet.install_runtime)
story["nothing to remove"] = press(bpy.ops.expnet.remove_runtime)
story["before"] = addon.folder().exists()
preferences.wheel_folder = wheels
story["installed"] = press(bpy.ops.expnet.install_runtime)
story["report"] = preferences.engine_report
story["where"] = str(addon.folder())
bpy.ops.preferences.addon_disable(module=NAME)
bpy.ops.preferences.addon_enable(module=NAME)
story["python"] = sys.modules[NAME + ".expnet_addon.engine.jobs"].worker_python()
story["removed"] = press(bpy.ops.expnet.remove_runtime)
story["after"] = addon.folder().exists()
story["test"] = press(bpy.ops.expnet.test_engine)
print(json.dumps(story), flush=True)
os._exit(0)  # bpy as a module, once classes were registered, may hang or crash while Python takes itself apart
"""


@pytest.mark.slow
def test_in_the_preferences(tmp_path: Path, wheels: Path) -> None:
    """The extension in a Blender: refused offline, installed from a folder, used, removed."""
    profile = tmp_path / "profile"
    extensions = profile / "extensions" / "user_default"
    extensions.mkdir(parents=True)
    (extensions / "expnet").symlink_to(Path(jobs.__file__).parents[2], target_is_directory=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "EXPNET_PYTHON")}
    environment["BLENDER_USER_RESOURCES"] = str(profile)
    done = subprocess.run(
        [sys.executable, "-P", "-c", ARTIST, wheels],
        capture_output=True, text=True, check=False, timeout=580, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    story = json.loads(done.stdout.splitlines()[-1])
    assert "Allow Online Access" in story["offline"]
    assert "There is no runtime" in story["nothing to remove"]
    assert story["before"] is False and story["after"] is False
    assert story["installed"] == ["FINISHED"]
    assert story["report"].startswith("The full engine is installed: ")
    assert Path(story["where"]).is_relative_to(profile)
    assert Path(story["python"]).is_relative_to(story["where"])
    assert story["removed"] == ["FINISHED"]
    assert story["test"] == ["FINISHED"]  # by this Python again, which has torch
