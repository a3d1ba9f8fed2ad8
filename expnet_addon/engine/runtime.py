"""The full engine's runtime: its location, packages, validity and removal.

The runtime's folder (``bpy.utils.extension_path_user``) is kept when the extension is updated. It contains only:

    runtime/installed.json    the environment in use and its contents; written last, atomically
    runtime/env-1/            a virtual environment made by Blender's own Python
    runtime/downloads/        pip's cache during the installation; kept after a failure, for the next attempt
    runtime/temporary/        pip's temporary files;  .removed-…: folders that are being deleted

An environment is created at its final path, because its scripts and ``pyvenv.cfg`` contain the path, and Python does
not support moving one. An environment that ``installed.json`` does not name is incomplete and never used. So the old
environment stays valid until the new one is complete.

Standard library only; ``installation`` installs the runtime.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from ...model.errors import InputError
from ...model.files import exists, is_dir, is_file, write_whole

MARKER = "installed.json"
DOWNLOADS = "downloads"
TEMPORARY = "temporary"
FORMAT = "expnet-runtime-1"
REMOVED = ".removed-"
DELETE = """
import os, shutil, sys
for path in sys.argv[1:]:
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        os.unlink(path)
"""


@dataclass(frozen=True)
class Build:
    """A build of torch: ``index`` is pip's index URL (empty: PyPI); the sizes are those of the whole runtime."""

    name: str
    label: str
    index: str
    download_mb: int
    disk_mb: int

    @property
    def sizes(self) -> str:
        return f"{_megabytes(self.download_mb)} to download, {_megabytes(self.disk_mb)} on disk"


@dataclass(frozen=True)
class Packages:
    """The packages to install. torch is separate, because it may have its own index; ``modules`` must then import."""

    torch: tuple[str, ...]
    others: tuple[str, ...]
    modules: tuple[str, ...]


# numpy 1 and a compatible OpenCV on 3.11, newer ones from 3.13 on. The tests run with these two sets.
PACKAGES = Packages(
    torch=("torch>=2.4,<3",),
    others=(
        "numpy>=1.26,<2; python_version<'3.12'",
        "numpy>=2,<3; python_version>='3.12'",
        "opencv-python-headless>=4.11,<4.12; python_version<'3.12'",
        "opencv-python-headless>=4.12,<4.14; python_version>='3.12'",
        "safetensors>=0.4,<1",
        "scipy>=1.11,<2",
        "h5py>=3.10,<4",
        "av>=15,<19",
    ),
    modules=("torch", "numpy", "cv2", "safetensors", "scipy", "h5py", "av"),
)


@dataclass(frozen=True)
class Installed:
    """A complete runtime: its interpreter, its build of torch, ``{module: version}`` and its size."""

    python: str
    build: str
    python_version: str
    versions: dict[str, str]
    megabytes: int

    def __str__(self) -> str:
        torch = f"torch {self.versions['torch']}, " if "torch" in self.versions else ""
        return f"{torch}Python {self.python_version}, {_megabytes(self.megabytes)}"


def builds(system: str = sys.platform, machine: str = "") -> tuple[Build, ...]:
    """List the builds for this machine, the default first.

    The sizes are rounded up. The CPU build's is measured with torch 2.13 on Linux, the others are sums of wheel sizes.
    """
    machine = machine or platform.machine()
    if system == "darwin":
        return (Build("mps", "Apple Graphics (Metal)", "", 230, 900),) if machine == "arm64" else ()
    index = "https://download.pytorch.org/whl/"
    return (
        Build("cpu", "Processor", index + "cpu", 390, 1400),
        Build("cuda", "NVIDIA Graphics (CUDA 12.8)", index + "cu128", 4100, 7600),
    )


def build_named(name: str) -> Build:
    for build in builds():
        if build.name == name:
            return build
    raise InputError(f"There is no torch for '{name}' on this machine: choose another build, or 'Use This Python'")


def folder() -> Path | None:
    """Return the runtime's folder, which may not exist; None if expnet is not installed as an extension."""
    bpy = sys.modules.get("bpy")
    if bpy is None:
        return None
    try:
        return Path(bpy.utils.extension_path_user(__package__.removesuffix(".expnet_addon.engine"), path="runtime"))
    except ValueError:
        return None


def installed(root: Path | None) -> Installed | None:
    """Return the runtime in ``root``, if it is complete and its Python still exists; else None."""
    if root is None:
        return None
    try:
        marker = json.loads((root / MARKER).read_text(encoding="utf-8"))
        if marker["format"] != FORMAT:
            return None
        environment = root / Path(marker["environment"]).name
        found = Installed(
            str(environment_python(environment)),
            str(marker["build"]),
            str(marker["python"]),
            {str(module): str(version) for module, version in marker["versions"].items()},
            int(marker["megabytes"]),
        )
        # The Blender whose Python made the environment may have been removed
        return found if is_file(found.python) and is_dir(_home(environment)) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def python() -> str:
    """Return the interpreter of this extension's runtime, or an empty string."""
    found = installed(folder())
    return found.python if found else ""


def environment_python(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def new_environment(root: Path) -> Path:
    """Return a free path in ``root`` for a new environment. Incomplete environments are removed first."""
    clear(root, keep_downloads=True)
    root.mkdir(parents=True, exist_ok=True)
    taken = {entry.name for entry in root.iterdir()}
    number = next(n for n in range(1, len(taken) + 2) if f"env-{n}" not in taken)
    return root / f"env-{number}"


def write_marker(
    root: Path, environment: Path, build: str, python_version: str, versions: dict[str, str], megabytes: int
) -> None:
    """Make ``environment`` the runtime, and remove the previous one."""
    marker = {
        "format": FORMAT,
        "environment": environment.name,
        "build": build,
        "python": python_version,
        "versions": versions,
        "megabytes": megabytes,
    }
    write_whole(root / MARKER, json.dumps(marker, indent=1).encode())
    clear(root)


def clear(root: Path, keep_downloads: bool = False) -> None:
    """Remove everything in ``root`` except a complete runtime; without one also ``root``."""
    if not is_dir(root):
        return
    found = installed(root)
    keep = {MARKER, Path(found.python).parents[1].name} if found else set()
    keep |= {DOWNLOADS} if keep_downloads else set()
    entries = list(root.iterdir())
    unwanted = [entry for entry in entries if entry.name not in keep]
    _take_away([root] if len(unwanted) == len(entries) else unwanted)


def remove(root: Path) -> None:
    """Remove the runtime and all downloads. Raises InputError if its files are in use."""
    if exists(root):
        _take_away([root])
    if exists(root):
        raise InputError(f"'{root}' is in use: close the other Blenders and remove it again")


def _take_away(paths: list[Path]) -> None:
    """Rename ``paths`` at once, and delete them in a separate process.

    Deleting a gigabyte in twenty thousand files would block Blender. Files that are in use (Windows) stay.
    """
    moved: list[str] = []
    for path in paths:
        away = path.with_name(f"{REMOVED}{os.urandom(4).hex()}")
        try:
            path.replace(away)
            moved.append(str(away))
        except OSError:
            continue
    if not moved:
        return
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", DELETE, *moved],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=os.name == "posix",  # it continues when Blender is closed
    )
    threading.Thread(target=process.wait, daemon=True).start()  # so that no zombie stays


def _home(environment: Path) -> Path:
    """Return the folder of the Python that made the environment, as its ``pyvenv.cfg`` says."""
    for line in (environment / "pyvenv.cfg").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "home":
            return Path(value.strip())
    return environment / "no home is named"


def _megabytes(count: int) -> str:
    return f"{count / 1000:.1f} GB" if count >= 1000 else f"{count} MB"
