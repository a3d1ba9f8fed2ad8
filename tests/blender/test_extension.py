"""The extension's zip: what Blender's own command says of it, and its life in a Blender: install, work, leave.

The Blender is this Python's; others join in when EXPNET_BLENDERS names Pythons with bpy (separated like PATH).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINES = {"torch", "cv2", "scipy", "h5py", "safetensors"}  # never in Blender's own process
HEAVY = ENGINES | {"numpy", "ctypes", "asyncio", "multiprocessing", "ssl", "sqlite3"}  # nor to be enabled
BLENDERS = [sys.executable, *filter(None, os.environ.get("EXPNET_BLENDERS", "").split(os.pathsep))]

EXTENSION_COMMAND = """
import sys, bpy
from bl_pkg import bl_extension_cli
sys.exit(bl_extension_cli.cli_extension_handler(sys.argv[1:]))
"""

LIFE = """
import json, os, sys, time
from pathlib import Path
import bpy

archive, estimator, image, clip = sys.argv[1:]
profile = Path(os.environ["BLENDER_USER_RESOURCES"])
NAME = "bl_ext.user_default.expnet"

def files():
    return sorted(str(p.relative_to(profile)) for p in profile.rglob("*") if p.is_file() and "expnet" in str(p))

story = {"blender": bpy.app.version_string, "before": files()}
bpy.ops.extensions.package_install_files(repo="user_default", filepath=archive, enable_on_install=False)
loaded = set(sys.modules)
wall, work = time.perf_counter(), time.process_time()
bpy.ops.preferences.addon_enable(module=NAME)
story["wall"], story["work"] = time.perf_counter() - wall, time.process_time() - work
story["enabling"] = sorted({m.split(".")[0] for m in set(sys.modules) - loaded})
own = [Path(module.__file__) for name, module in sys.modules.items() if name.startswith(NAME)]
every = (profile / "extensions/user_default/expnet").rglob("*.py")
story["own_bytes"], story["all_bytes"] = (sum(path.stat().st_size for path in paths) for paths in (own, every))
story["installed"] = len(files())

settings = bpy.context.scene.expnet
settings.network, settings.estimator, settings.use_box, settings.box = "FILE", estimator, True, (40, 30, 60, 60)
settings.source = image
story["steps"] = [sorted(bpy.ops.expnet.add_face()), sorted(bpy.ops.expnet.estimate_expression())]
settings.source = clip
story["steps"].append(sorted(bpy.ops.expnet.animate_footage()))
story["result"] = settings.result
story["preferences"] = bpy.context.preferences.addons[NAME].preferences.device

bpy.ops.preferences.addon_disable(module=NAME)
bpy.ops.preferences.addon_enable(module=NAME)
bpy.ops.extensions.package_install_files(repo="user_default", filepath=archive, enable_on_install=True)  # an update
story["updated"] = sorted(bpy.ops.expnet.add_face())
repos = bpy.context.preferences.extensions.repos
index = next(i for i, repo in enumerate(repos) if repo.module == "user_default")
bpy.ops.extensions.package_uninstall(repo_index=index, pkg_id="expnet")
story["after"] = files()
story["registered"] = [n for n in dir(bpy.types) if "EXPNET" in n or "ExpNet" in n] + [
    n for n in ("expnet",) if hasattr(bpy.types.Scene, n)
]
story["handlers"] = [str(f) for f in bpy.app.handlers.load_pre if "expnet" in getattr(f, "__module__", "")]
story["loaded"] = sorted({m.split(".")[0] for m in sys.modules})
print(json.dumps(story), flush=True)
os._exit(0)  # bpy as a module, once classes were registered, may hang or crash while Python takes itself apart
"""


def extension_command(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", EXTENSION_COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = extension_command("build", "--source-dir", ROOT, "--output-dir", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.zip")
    return path


def test_blender_finds_nothing_wrong_with_it(archive: Path) -> None:
    """With its tags, its version and its permissions."""
    done = extension_command("validate", archive)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "error" not in (done.stdout + done.stderr).lower()


def test_it_holds_what_runs_and_nothing_else(archive: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        names = file.namelist()
    assert {name.split("/")[0] for name in names} == {
        "CREDITS.md",
        "LICENSE",
        "README.md",
        "__init__.py",
        "__main__.py",
        "blender_manifest.toml",
        "docs",
        "expnet_addon",
        "model",
        "operators",
        "panels",
    }
    assert "model/data/open_head.npz" in names
    assert {name.split("/")[1] for name in names if name.startswith("docs/")} == {"guide"}
    assert not [name for name in names if name.endswith((".pyc", ".so", ".whl", ".pth"))]
    assert archive.stat().st_size < 60e6


@pytest.mark.slow
@pytest.mark.parametrize("python", BLENDERS, ids=lambda p: Path(p).parents[1].name)
def test_install_work_update_and_leave(
    python: str, archive: Path, sees_a_face: Path, image: Path, clip: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "profile"
    profile.mkdir()
    environment = {
        **{k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")},
        "BLENDER_USER_RESOURCES": str(profile),
        "EXPNET_PYTHON": sys.executable,
    }
    command = [python, "-P", "-c", LIFE, archive, sees_a_face, image, clip]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=600, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    story = json.loads(done.stdout.splitlines()[-1])
    assert story["steps"] == [["FINISHED"]] * 3
    assert story["result"].splitlines()[0] == "9 of 9 frames keyed, 1 to 9"
    assert story["updated"] == ["FINISHED"]
    assert story["preferences"] == "auto"
    print(f"{story['blender']}: enabling took {story['wall']:.3f} s by the clock, {story['work']:.3f} s of work")
    # Without bytecode, a first start compiles the modules that it imports, and takes 0.1 to 0.3 s. The sizes of these
    # modules are compared, since times on a shared machine vary by half. They are 0.21 of the extension's source.
    assert 0 < story["own_bytes"] < 0.25 * story["all_bytes"], story["own_bytes"] / story["all_bytes"]
    assert story["work"] < 2.0
    assert not HEAVY & set(story["enabling"])
    assert story["installed"] > 20
    assert story["before"] == [] and story["after"] == []
    assert story["registered"] == [] and story["handlers"] == []
    assert not ENGINES & set(story["loaded"])
