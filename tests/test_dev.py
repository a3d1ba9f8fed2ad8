"""dev.py: setting up on a machine that has little, and counting what the tests said."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def dev() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Return the smallest package that pip installs."""
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def test_this_python_is_found_and_a_missing_one_is_not(dev: ModuleType) -> None:
    found = dev.find_python("{}.{}".format(*sys.version_info))
    assert Path(found).resolve() == Path(sys.executable).resolve()
    assert dev.find_python("2.99") is None


def test_another_python_is_told_what_to_do(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "HERE", "3.9")
    monkeypatch.setattr(dev, "find_python", lambda version: None)
    with pytest.raises(dev.SetupError, match=r"This is Python 3\.9.*install python3\.11 or python3\.13"):
        dev.use_right_python()


def test_without_root_the_apt_command_is_named(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(dev, "SYSTEM_LIBRARIES", {"libmissing.so.7": "libmissing7"})
    monkeypatch.setattr(dev, "MESA_DRIVERS", ("/",))
    monkeypatch.setattr(dev.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(dev.shutil, "which", lambda name: "/usr/bin/apt-get")
    with pytest.raises(dev.SetupError, match="sudo apt-get install -y --no-install-recommends libmissing7$"):
        dev.install_system_libraries()


@pytest.mark.slow
def test_an_environment_is_made_once_and_a_half_made_one_again(
    dev: ModuleType, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    requirements = ["--no-index", str(wheel)]
    python = dev.environment(".venv", requirements)
    assert list(tmp_path.glob(".venv/lib/*/site-packages/tiny.py"))

    witness = tmp_path / ".venv/witness"
    witness.touch()
    assert dev.environment(".venv", requirements) == python
    assert witness.exists()

    (tmp_path / ".venv/made-from").unlink()
    dev.environment(".venv", requirements)
    assert not witness.exists()


@pytest.fixture
def checkout(wheel: Path, tmp_path: Path) -> tuple[Path, list[str]]:
    """Return a checkout with an environment, and the command that asks dev.py for that environment from inside it."""
    for name in ("dev.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    ask = ["-c", f"import dev; print(dev.environment('.venv', {['--no-index', str(wheel)]}))"]
    subprocess.run([sys.executable, *ask], cwd=tmp_path, check=True)
    (tmp_path / ".venv/witness").touch()
    inside = tmp_path / ".venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    return tmp_path, [str(inside), *ask]


@pytest.mark.slow
def test_the_environments_own_python_uses_the_environment(checkout: tuple[Path, list[str]]) -> None:
    """As after activating .venv."""
    folder, command = checkout
    answer = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    assert answer.splitlines() == [command[0]]
    assert (folder / ".venv/witness").exists()


@pytest.mark.slow
def test_the_environments_own_python_makes_an_outdated_environment_again(checkout: tuple[Path, list[str]]) -> None:
    folder, command = checkout
    (folder / ".venv/made-from").write_text("of another pyproject.toml")
    answer = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    assert answer.splitlines()[-1] == command[0]
    assert not (folder / ".venv/witness").exists()
    assert list(folder.glob(".venv/lib/*/site-packages/tiny.py"))


@pytest.mark.slow
def test_a_python_found_in_an_environment_is_the_one_it_was_made_from(
    dev: ModuleType, checkout: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = checkout
    version = "{}.{}".format(*sys.version_info)
    monkeypatch.setattr(dev, "HERE", "3.9")
    monkeypatch.setattr(dev.shutil, "which", lambda name: str(folder / ".venv/bin/python"))
    found = dev.find_python(version)
    assert Path(found).resolve() == Path(sys.executable).resolve()
    assert not Path(found).is_relative_to(folder)


def test_a_failed_set_up_leaves_nothing(dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    with pytest.raises(dev.SetupError, match="failed"):
        dev.environment(".venv", ["--no-index", str(tmp_path / "absent.whl")])
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    ("script", "counted"),
    [
        ("print('12 passed, 3 skipped, 1 warning in 4.50s')", (12, 0, 3)),
        ("print('1 failed, 11 passed, 2 errors in 0.10s'); raise SystemExit(1)", (11, 3, 0)),
        ("print('collected 4 items'); import os; os.abort()", (0, 1, 0)),  # Blender may take pytest along
        ("print('7 deselected in 0.01s'); raise SystemExit(5)", (0, 0, 0)),
    ],
)
def test_a_suite_is_counted_by_its_closing_line(dev: ModuleType, script: str, counted: tuple[int, ...]) -> None:
    assert dev.suite([sys.executable, "-c", script]) == counted


@pytest.mark.parametrize(("crashing", "counted"), [(1, (5, 0, 0)), (2, (0, 1, 0))])
def test_a_suite_that_crashes_is_run_once_more(
    dev: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], crashing: int, counted: tuple[int, ...]
) -> None:
    script = f"""
import os, pathlib
runs = pathlib.Path({str(tmp_path / "runs")!r})
runs.write_text(runs.read_text() + "." if runs.exists() else ".")
if len(runs.read_text()) <= {crashing}:
    os.abort()
print("5 passed in 0.10s")
"""
    assert dev.suite([sys.executable, "-c", script], crashes=1) == counted
    assert "Blender crashed (signal 6): these tests run once more" in capsys.readouterr().out


def test_a_suite_that_fails_is_not_run_again(dev: ModuleType, tmp_path: Path) -> None:
    script = f"open({str(tmp_path / 'runs')!r}, 'a').write('.'); print('1 failed in 0.10s'); raise SystemExit(1)"
    assert dev.suite([sys.executable, "-c", script], crashes=1).failed == 1
    assert (tmp_path / "runs").read_text() == "."


def test_one_failure_fails_the_whole(dev: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    results = [("lint", dev.Count(passed=1), 0.5), ("tests", dev.Count(7, 1, 2), 3.0)]
    assert dev.summary(results, started=0.0) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("8 passed, 1 failed, 2 skipped in ")
