#!/usr/bin/env python3
"""Set up and run expnet from a checkout; needs nothing but Python.

    python3 dev.py demo [CLIP]     a clip of a face -> shot.blend, shot.mp4, shot.csv
    python3 dev.py test [-k EXPR]  everything CI runs
    python3 dev.py lint            its first part: ruff, mypy and the import contracts
    python3 dev.py build           the extension's zips, in dist/: a plain one, and three with OpenCV
    python3 dev.py bench [NAME]    speed and size, measured here

What it installs goes into .venv* folders of the checkout. Blender's bpy wheels decide the Python: 3.11 (bpy 5.0) or
3.13 (bpy 5.2). As root on Debian or Ubuntu the system libraries that bpy loads are installed too.
"""

from __future__ import annotations

import argparse
import ctypes
import glob
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent
HERE = "{}.{}".format(*sys.version_info)  # this Python's version
# The interpreter that environments are made from: in a virtual environment, the one that it was made from.
BASE = getattr(sys, "_base_executable", sys.executable)
PYTHONS = ("3.11", "3.13")  # in order of preference
# mypy is clean with the types of numpy 1, which bpy 5.0 needs. Those of numpy 2 differ.
TYPED = "3.11"
NOT_TYPED = f"mypy checks the types of numpy 1: run dev.py with Python {TYPED} to check types"

# soname -> Debian package, for everything that bpy links or opens and does not bring along
SYSTEM_LIBRARIES = {
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libuuid.so.1": "libuuid1",
    "libgomp.so.1": "libgomp1",
}
# Mesa opens its software renderer by path, not by soname.
MESA_DRIVERS = ("/usr/lib/*/dri/swrast_dri.so", "/usr/lib/*/libgallium-*.so", "/usr/lib*/dri/swrast_dri.so")

# Blender's own command line for extensions, from the bpy module.
EXTENSION_COMMAND = (
    "import sys, bpy; from bl_pkg import bl_extension_cli;"
    "sys.exit(bl_extension_cli.cli_extension_handler(sys.argv[1:]))"
)
# The wheel that the light engine needs, by Blender's name of the platform. The last one that runs with numpy 1 (Blender
# up to 5.0) and with numpy 2; abi3: for every Python.
OPENCV = "opencv-python-headless==4.11.0.86"
OPENCV_PLATFORMS = {
    "linux-x64": "manylinux2014_x86_64",
    "windows-x64": "win_amd64",
    "macos-arm64": "macosx_13_0_arm64",
}
# pytest where `import bpy` fails, as it does where Blender is not installed.
PYTEST_WITHOUT_BPY = "import sys; sys.modules['bpy'] = None; import pytest; sys.exit(pytest.main(sys.argv[1:]))"


# What an interpreter says of itself: its version, and the interpreter that its environment was made from
ASK_FOR_BASE = "import sys; print('{}.{}'.format(*sys.version_info), getattr(sys, '_base_executable', sys.executable))"


class SetupError(Exception):
    """The machine lacks something: one line that says what, and what to do."""


# ---------------------------------------------------------------------------------------------------------- set-up


def find_python(version: str) -> str | None:
    """Return a working interpreter of that version: this one, one on PATH, or one of pyenv's.

    Of a virtual environment it is the interpreter that the environment was made from.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [
        BASE if version == HERE else None,
        shutil.which(f"python{version}"),
        *sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python{version}")), reverse=True),
    ]
    for python in filter(None, candidates):
        ask = [python, "-c", ASK_FOR_BASE]
        try:  # a pyenv shim may be on PATH with nothing behind it
            answer = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            continue
        found, _, base = answer.stdout.strip().partition(" ")
        if found == version:
            return base
    return None


def use_right_python() -> None:
    """Go on in Python 3.11 or 3.13, whichever there is; in another Python only to say what is missing."""
    if HERE in PYTHONS:
        return
    for version in PYTHONS:
        python = find_python(version)
        if python:
            print(f"Python {HERE} has no bpy wheel; going on with {python}", flush=True)
            os.execv(python, [python, str(Path(__file__).resolve()), *sys.argv[1:]])
    raise SetupError(
        f"This is Python {HERE}, and Blender's bpy wheels are for 3.11 and 3.13: install python3.11 or python3.13 "
        "with its venv module, and run dev.py with it"
    )


def install_system_libraries() -> None:
    """Install what bpy needs from the system (root on Debian and Ubuntu), or say how to."""
    if not sys.platform.startswith("linux"):
        return
    missing = {package for soname, package in SYSTEM_LIBRARIES.items() if not _loads(soname)}
    if not any(glob.glob(pattern) for pattern in MESA_DRIVERS):  # noqa: PTH207  the patterns are absolute
        missing.add("libgl1-mesa-dri")
    try:
        import ensurepip  # noqa: F401  Debian packs it apart
    except ImportError:
        missing.add(f"python{HERE}-venv")
    if not missing:
        return
    packages = sorted(missing)
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if not shutil.which("apt-get"):
        raise SetupError(
            f"System libraries are missing; Debian calls their packages {' '.join(packages)}: install them"
        )
    if os.geteuid() != 0:
        raise SetupError(f"System libraries are missing: sudo apt-get update && sudo {shlex.join(install)}")
    print(f"Installing system libraries: {' '.join(packages)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "-q", "update"], install):
        if subprocess.run(command, env=environment, check=False).returncode:
            raise SetupError(f"'{shlex.join(command)}' failed: see its lines above")


def _loads(soname: str) -> bool:
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def environment(name: str, requirements: list[str], python: str = BASE) -> Path:
    """Return the interpreter of a virtual environment with these requirements; make the environment if it is missing.

    A marker, written last, holds what it was made from. An incomplete or outdated environment is made again.
    """
    folder = ROOT / name
    inside = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    made_from = json.dumps([os.path.realpath(python), requirements, _dependencies(), str(ROOT)])
    marker = folder / "made-from"
    stamp = hashlib.sha256(made_from.encode()).hexdigest()
    if marker.is_file() and marker.read_text() == stamp and inside.exists():
        return inside
    print(f"Setting up {name} with {python}: {' '.join(requirements)} (minutes, and gigabytes)", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    quiet = [] if sys.stdout.isatty() else ["-qq"]
    # One command for everything: in two, the second one would lift numpy over the bound of the first one's bpy.
    install = [str(inside), "-m", "pip", "install", "--disable-pip-version-check", *quiet, *requirements]
    for command in ([python, "-m", "venv", str(folder)], install):
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise SetupError(f"'{shlex.join(command)}' failed: see its lines above")
    marker.write_text(stamp)
    return inside


def _dependencies() -> dict:
    """Return what pyproject.toml says about what is installed."""
    import tomllib  # from Python 3.11 on; dev.py starts in older ones, to say so

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {key: project["project"][key] for key in ("dependencies", "optional-dependencies", "scripts")}


def main_environment() -> Path:
    """Return the one for everything: bpy, torch, the tests' tools, and expnet itself out of this checkout."""
    install_system_libraries()
    return environment(".venv", ["-e", ".[dev]"])


# -------------------------------------------------------------------------------------------------------- commands


def demo(arguments: argparse.Namespace) -> int:
    truth = ROOT / "model/data/demo_clip_truth.npz"
    clip = Path(arguments.clip or ROOT / "model/data/demo_clip.mp4").resolve()
    out = Path(arguments.out).resolve()
    python = main_environment()
    out.mkdir(parents=True, exist_ok=True)
    blend, video, table, performance = (out / f"shot.{kind}" for kind in ("blend", "mp4", "csv", "npz"))
    command: list = [python, "-P", "-m", "expnet", "animate", clip, "--out", blend, "--render", video]
    command += ["--performance", table]
    compared = not arguments.clip and arguments.estimator == "open"  # others' coefficients mean other things
    if compared:
        command += ["--performance", performance]
    if arguments.frames:
        command += ["--last", arguments.frames - 1]
    for option, source in (("--estimator", arguments.estimator), ("--face-model", arguments.face_model)):
        if source != "open":
            command += [option, Path(source).resolve()]
    status = run(command)
    if status:
        return status
    print(f"\nThe animated head    {blend}")
    print(f"Beside the footage   {video}")
    print(f"The coefficients     {table}", flush=True)
    if not compared:
        return 0
    print("\nHow close it came to the face that was rendered:", flush=True)
    return run([python, "-P", "-m", "expnet.model.performance.accuracy", performance, truth])


def build(arguments: argparse.Namespace) -> int:
    python = main_environment()
    return build_extension(python) or build_with_opencv(python)


def build_extension(python: Path) -> int:
    """Make the zip with Blender's own command, let it check it, and say how large it is."""
    dist = ROOT / "dist"
    dist.mkdir(exist_ok=True)
    for old in dist.glob("expnet-*.zip"):
        old.unlink()
    status = run([*blender_extension(python), "build", "--source-dir", ROOT, "--output-dir", dist])
    return status or checked(python, extension_zip())


def build_with_opencv(python: Path) -> int:
    """Make a zip for each platform that brings OpenCV's wheel: with it the light engine runs at once, offline.

    numpy is never brought, for Blender has its own. Where the wheels cannot be fetched the plain zip has to do.
    """
    wheels, staging = ROOT / "build/wheels", ROOT / "build/with-opencv"
    shutil.rmtree(staging, ignore_errors=True)
    with zipfile.ZipFile(extension_zip()) as plain:
        plain.extractall(staging)
    (staging / "wheels").mkdir()
    for tag in OPENCV_PLATFORMS.values():
        fetch = ["download", "--only-binary=:all:", "--no-deps", "--platform", tag, "--implementation", "cp"]
        fetch += ["--abi", "abi3", "--python-version", "3.11", "--dest", wheels, OPENCV]
        quiet = ["-qq", "--disable-pip-version-check", "--retries", "1"]
        if run([python, "-m", "pip", *fetch, *quiet], stderr=subprocess.DEVNULL):
            print(f"{OPENCV} for {tag} cannot be fetched: there is only the plain zip", flush=True)
            return 0
        (wheel,) = wheels.glob(f"{OPENCV.replace('==', '-').replace('-', '_', 2)}-*{tag}.whl")
        shutil.copy(wheel, staging / "wheels")
    manifest = staging / "blender_manifest.toml"
    manifest.write_text(with_wheels(manifest.read_text(), sorted((staging / "wheels").iterdir())))
    command = [*blender_extension(python), "build", "--split-platforms"]
    status = run([*command, "--source-dir", staging, "--output-dir", ROOT / "dist"])
    for archive in sorted((ROOT / "dist").glob("expnet-*.zip")):
        if archive != extension_zip():
            status = status or checked(python, archive)
    return status


def with_wheels(manifest: str, wheels: list[Path]) -> str:
    """Return a manifest that names these wheels, which lie in wheels/, and the platforms that they are for."""
    lines = [
        f"platforms = {json.dumps(list(OPENCV_PLATFORMS))}",
        f"wheels = {json.dumps([f'./wheels/{wheel.name}' for wheel in wheels], indent=2)}",
    ]
    head, table, rest = manifest.partition("\n[")  # before the first table
    return "\n".join([head.rstrip(), "", *lines, ""]) + table + rest


def checked(python: Path, archive: Path) -> int:
    status = run([*blender_extension(python), "validate", archive])
    print(f"{archive}  {archive.stat().st_size / 1e6:.1f} MB", flush=True)
    return status


def blender_extension(python: Path) -> list:
    return [python, "-P", "-c", EXTENSION_COMMAND]


def extension_zip() -> Path:
    """Return the one for every platform; the others' names are longer."""
    return min((ROOT / "dist").glob("expnet-*.zip"), key=lambda path: len(path.name))


def bench(arguments: argparse.Namespace) -> int:
    return run([main_environment(), "-P", "-m", "expnet.benchmarks.table", *arguments.name])


def run(command: list, **options) -> int:
    """Run a command to its end, its output on ours; its exit code."""
    return subprocess.run([str(word) for word in command], check=False, **options).returncode


# ----------------------------------------------------------------------------------------------------------- tests


class Count(NamedTuple):
    passed: int = 0
    failed: int = 0
    skipped: int = 0


Step = tuple[str, Callable[[], Count]]


def lint(arguments: argparse.Namespace) -> int:
    """Run the checks that read the code and run none of it."""
    return take_steps(lint_steps(main_environment()))


def test(arguments: argparse.Namespace) -> int:
    """Run the checks of `lint`, the tests in every Blender that there is a Python for, the build and the demo."""
    python = main_environment()
    return take_steps(chosen_tests(python, arguments.k) if arguments.k else all_steps(python, arguments))


def take_steps(steps: Iterator[Step]) -> int:
    """Take the steps one after another, print a summary, and return the exit code."""
    started = time.monotonic()
    results: list[tuple[str, Count, float]] = []
    for name, count in steps:
        print(f"\n=== {name}", flush=True)
        start = time.monotonic()
        results.append((name, count(), time.monotonic() - start))
    return summary(results, started)


def chosen_tests(python: Path, expression: str) -> Iterator[Step]:
    yield "tests without Blender", lambda: suite(without_bpy(python), "-k", expression)
    yield "tests in Blender", lambda: suite(pytest(python), "tests/blender", "-k", expression)


def lint_steps(python: Path) -> Iterator[Step]:
    tools, package = python.parent, package_view()
    mypy = [tools / "mypy", "--config-file", "pyproject.toml", "-p", "expnet"]
    yield "ruff check", lambda: check([tools / "ruff", "check"])
    yield "ruff format", lambda: check([tools / "ruff", "format", "--check"])
    yield "types", lambda: check(mypy, MYPYPATH=package) if HERE == TYPED else skipped(NOT_TYPED)
    yield "import contracts", lambda: check([tools / "lint-imports", "--no-cache"], PYTHONPATH=package)


def skipped(why: str) -> Count:
    """Return a step that is not taken, and say why."""
    print(why, flush=True)
    return Count(skipped=1)


def all_steps(python: Path, arguments: argparse.Namespace) -> Iterator[Step]:
    yield from lint_steps(python)
    package = package_view()
    yield "tests without Blender", lambda: suite(without_bpy(python))
    others = other_blenders()
    named = os.pathsep.join(others.values())
    yield "tests in Blender", lambda: suite(pytest(python), "tests/blender", EXPNET_BLENDERS=named)
    for name, other in others.items():
        yield f"tests in Blender {name}", lambda o=other: suite(pytest(o), *BPY_ONLY, crashes=1, PYTHONPATH=package)
    yield "checkpoints by TensorFlow", lambda: by_tensorflow(python)
    yield "without torch", lambda: suite(pytest(environment(".venv-light", LIGHT)), *WITHOUT_TORCH, PYTHONPATH=package)
    yield "the extension's zips", lambda: Count(passed=1) if build(arguments) == 0 else Count(failed=1)
    small = ["demo", "--out", ROOT / "build/demo", "--frames", "24"]
    yield "the demo, short", lambda: check([sys.executable, ROOT / "dev.py", *small])


def pytest(python: Path | str) -> list:
    return [python, "-P", "-m", "pytest", *PYTEST_OPTIONS]


def without_bpy(python: Path) -> list:
    files = sorted(ROOT.glob("tests/test_*.py"))
    folders = ("tests/model", "tests/training", "tests/research")
    return [python, "-P", "-c", PYTEST_WITHOUT_BPY, *PYTEST_OPTIONS, *folders, *files]


NO_TEST_MATCHED = 5  # pytest's exit status
PYTEST_OPTIONS = ("-q", "--durations=10")
# Tests of the scene that need no worker, hence no torch
SCENE_PARTS = ("rig", "animation", "footage", "scene", "rendering", "gltf")
BPY_ONLY = (
    *(f"tests/blender/scene/test_{part}.py" for part in SCENE_PARTS),
    *(f"tests/blender/capture/test_{part}.py" for part in ("takes", "take_list", "hand_edits", "head_motion")),
    "tests/blender/characters",
)
# What the light engine runs in, and the tests of what it does
LIGHT = ["numpy<2", OPENCV, "pytest", "hypothesis"]
WITHOUT_TORCH = (
    *(f"tests/model/networks/test_{part}.py" for part in ("light", "engines")),
    *(f"tests/model/sight/test_{part}.py" for part in ("candidates", "tracking", "video")),
)
# Blender, its Python, the numpy that fits
OTHER_BLENDERS = (("4.2.23", "3.11", "numpy<2"), ("4.5.15", "3.11", "numpy<2"), ("5.2.*", "3.13", "numpy"))


def other_blenders() -> dict[str, str]:
    """Return the other Blenders that there is a Python for, each in an environment of its own; their interpreters."""
    found = {}
    for blender, version, numpy in OTHER_BLENDERS:
        base = find_python(version)
        if base is None:
            print(f"There is no Python {version} here: nothing is tested in Blender {blender}", flush=True)
            continue
        name = blender.rstrip(".*")
        found[name] = str(environment(f".venv-bpy-{name}", [f"bpy=={blender}", numpy, "pytest", "hypothesis"], base))
    return found


# The authors' files are TensorFlow's; it writes such files for our reader, in an environment that nothing else needs.
TENSORFLOW = ["tensorflow-cpu==2.21.0", "cramjam>=2.8", "google-crc32c>=1.5"]


def by_tensorflow(python: Path) -> Count:
    """Checkpoints of the official release's sizes and names, by TensorFlow itself, imported by us."""
    writer, folder = environment(".venv-tensorflow", TENSORFLOW), ROOT / "build/release"
    shutil.rmtree(folder, ignore_errors=True)
    written = check([writer, "tests/official/write_checkpoints.py", "release", folder])
    if written.failed:
        return written
    read = suite(pytest(python), "tests/official", EXPNET_RELEASE=folder)
    shutil.rmtree(folder)  # most of a gigabyte
    return read


def package_view() -> Path:
    """Make a folder that shows the checkout under the package's name, for tools that read files and not imports."""
    view = ROOT / "build/view"
    shutil.rmtree(view, ignore_errors=True)
    (view / "expnet").mkdir(parents=True)
    for part in [ROOT / "__init__.py", *sorted(ROOT.glob("*/__init__.py"))]:
        shown = part if part.parent == ROOT else part.parent
        (view / "expnet" / shown.name).symlink_to(shown)
    return view


def check(command: list, **variables) -> Count:
    """Return a command that counts as one test."""
    return Count(passed=1) if run(command, cwd=ROOT, env=_with(variables)) == 0 else Count(failed=1)


def suite(command: list, *more: str, crashes: int = 0, **variables) -> Count:
    """Return a pytest run, shown as it goes, counted by its closing line.

    It may crash that many times and is run again. Blender 4.2 and 4.5 crash in one of ten runs or so, in code of their
    own: loading a movie clip, exporting glTF. A test that fails is not run again.
    """
    last = ""
    with subprocess.Popen(
        [str(word) for word in [*command, *more]],
        cwd=ROOT,
        env=_with(variables),
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            last = line if re.search(r"\d+ \w+.* in [\d.]+s", line) else last
    if process.returncode < 0 and crashes:
        print(f"\nBlender crashed (signal {-process.returncode}): these tests run once more", flush=True)
        return suite(command, *more, crashes=crashes - 1, **variables)
    found = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error|errors|skipped)", last)}
    failed = found.get("failed", 0) + found.get("error", 0) + found.get("errors", 0)
    if process.returncode not in (0, NO_TEST_MATCHED) and not failed:  # Blender may crash and take pytest along
        failed = 1
    return Count(found.get("passed", 0), failed, found.get("skipped", 0))


def _with(variables: dict) -> dict:
    return {**os.environ, **{name: str(value) for name, value in variables.items()}}


def summary(results: list[tuple[str, Count, float]], started: float) -> int:
    print("\n=== summary")
    for name, count, seconds in results:
        verdict = "FAILED" if count.failed else "ok" if count.passed else "skipped"
        numbers = f"{count.passed:5} passed {count.failed:3} failed {count.skipped:3} skipped"
        print(f"{verdict:8}{name:32}{numbers} {seconds:7.0f} s")
    total = Count(*(sum(column) for column in zip(*(count for _, count, _ in results))))
    minutes = (time.monotonic() - started) / 60
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped in {minutes:.1f} min")
    return 0 if total.passed and not total.failed else 1


# ------------------------------------------------------------------------------------------------------------ main


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="demo | test | lint | build | bench")
    one = commands.add_parser("demo", help="a clip of a face -> shot.blend, shot.mp4, shot.csv")
    one.add_argument("clip", nargs="?", metavar="CLIP", help="a movie; without it, the built-in clip")
    one.add_argument("--out", default="demo", help="the folder to write to (demo)")
    one.add_argument("--frames", type=int, help="only that many frames")
    one.add_argument("--estimator", default="open", metavar="open|FOLDER", help="the authors' networks, imported")
    one.add_argument("--face-model", default="open", metavar="open|PATH", help="the head that is animated")
    one.set_defaults(act=demo)
    one = commands.add_parser("test", help="everything CI runs")
    one.add_argument("-k", metavar="EXPR", help="only the tests that match, as pytest's -k")
    one.set_defaults(act=test)
    commands.add_parser("lint", help="ruff, mypy and the import contracts").set_defaults(act=lint)
    commands.add_parser("build", help="the extension's zips, in dist/").set_defaults(act=build)
    one = commands.add_parser("bench", help="speed and size, measured here")
    one.add_argument("name", nargs="*", metavar="NAME", help="only these")
    one.set_defaults(act=bench)
    arguments = parser.parse_args()
    try:
        use_right_python()
        return arguments.act(arguments)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
