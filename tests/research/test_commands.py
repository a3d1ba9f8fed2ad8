"""``expnet research`` says one line where it is not installed, and costs the other verbs nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from expnet.expnet_addon.command_line import research
from expnet.expnet_addon.command_line.parser import parser
from expnet.expnet_addon.headless import main
from expnet.research import commands


def test_the_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["research", "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: expnet research")
    assert all(verb.name in shown for verb in commands.VERBS)


def test_each_verb_has_a_help_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in commands.VERBS:
        assert main(["research", verb.name, "--help"]) == 0
        assert f"expnet research {verb.name}" in capsys.readouterr().out


def test_an_unknown_verb_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["research", "alchemy"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_other_verbs_do_not_import_it() -> None:
    """Nor does any verb's help import what only run needs."""
    code = (
        "import sys; from expnet.expnet_addon.command_line.parser import parser; "
        "parser().parse_args(['estimate', 'a.png']); print('expnet.research' in sys.modules); "
        "from expnet.expnet_addon.headless import main; main(['research', '--help']); "
        "print([name for name in ('torch', 'cv2', 'sklearn', 'optuna', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("False", "[]")


@pytest.mark.parametrize(
    ("missing", "said"), [("expnet.research", "the extension does not have"), ("sklearn", "needs sklearn")]
)
def test_where_it_is_not_installed_one_line_says_what_to_do(
    missing: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(name: str, package: str) -> None:
        raise ModuleNotFoundError(name=missing)

    monkeypatch.setattr(research.importlib, "import_module", fails)
    assert main(["research", "emotions", "folder"]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "expnet[research]" in shown
    assert shown.count("\n") == 1


def test_a_library_that_a_verb_misses_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def misses(_: object) -> None:
        raise ModuleNotFoundError(name="optuna.samplers")

    nothing: Callable[[object], None] = lambda _: None  # noqa: E731
    monkeypatch.setattr(commands, "VERBS", (commands.Verb("one", "does little", nothing, misses),))
    assert main(["research", "one"]) == 2
    shown = capsys.readouterr().err
    assert "this needs optuna" in shown
    assert shown.count("\n") == 1


def test_arguments_reach_the_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[object] = []
    verb = commands.Verb("one", "does little", lambda p: p.add_argument("--n", type=int), lambda a: got.append(a.n))  # type: ignore[func-returns-value, return-value, arg-type]
    monkeypatch.setattr(commands, "VERBS", (verb,))
    arguments = parser().parse_args(["research", "one", "--n", "3"])
    arguments.run(arguments)
    assert got == [3]


LONG = "x" * 300


@pytest.mark.parametrize(
    "words",
    [
        ["emotions", LONG, "--out", "out"],
        ["emotions", "HERE", "--out", LONG],
        ["synthetic-emotions", LONG, "--clips", "7"],
        ["label", LONG, "--out", "out"],
        ["label", "HERE", "--out", LONG],
        ["label-noise", "--out", LONG, "--faces", "1"],
        ["train-expnet", LONG, "--out", "out", "--steps", "1"],
        ["train-expnet", "HERE", "--out", LONG, "--steps", "1"],
        ["compare-labels", LONG, "--truth", "a.csv", "--weights", "a.safetensors"],
        ["compare-labels", "HERE", "--truth", LONG, "--weights", LONG],
    ],
    ids=lambda words: " ".join(word.replace(LONG, "LONG") for word in words),
)
def test_a_name_that_no_file_can_have_is_one_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.png").write_bytes(b"no picture")
    assert main(["research", *("here" if word == "HERE" else word for word in words)]) == 2
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if line and not line.startswith("pictures:")]  # a progress bar
    assert len(lines) == 1 and lines[0].startswith("expnet: ")
