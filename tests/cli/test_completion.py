"""``stoffel completion``: what the shells offer, asked of the shells themselves where they are installed."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import pytest

from stoffel.cli.completion import SCRIPTS
from stoffel.cli.options import COMMANDS, HELP, command_named, parse
from stoffel.embedding.engine import MODES
from stoffel.model.builtins.table import BY_NAME
from tests.cli.conftest import Outcome

Stoffel = Callable[..., Outcome]


def shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def ask_bash(script: str, words: list[str], where: Path) -> list[str]:
    given = " ".join(f"'{word}'" for word in words)
    text = (
        f"{script}\nCOMP_WORDS=({given}); COMP_CWORD={len(words) - 1}; _stoffel; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run([shell("bash"), "-c", text], capture_output=True, text=True, check=True, cwd=where)
    assert done.stderr == ""
    return done.stdout.split()


def ask_fish(script: str, words: list[str], where: Path) -> list[str]:
    text = f"{script}\ncomplete -C '{' '.join(words)}'"
    environment = {"HOME": str(where), "PATH": "/usr/bin:/bin", "XDG_CONFIG_HOME": str(where / "config")}
    done = subprocess.run(
        [shell("fish"), "-c", text], capture_output=True, text=True, check=True, cwd=where, env=environment
    )
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("one.stfl", "two.stflb"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["pro"], ["profile"]),
        (["run", "o"], ["one.stfl"]),
        (["run", "one.stfl", "t"], ["two.stflb"]),
        (["run", "--local-store", "t"], ["two.stflb"]),
        (["build", "-o", "t"], ["two.stflb"]),
        (["build", "--emit", "a"], ["asm"]),
        (["cache", "c"], ["clear"]),
        (["builtins", "array_l"], [name for name in BY_NAME if name.startswith("array_l")]),
        (["run", "--coun"], ["--count-calls"]),
        (["lsp", "o"], []),
    ],
)
@pytest.mark.parametrize("ask", [ask_bash, ask_fish], ids=["bash", "fish"])
def test_shells_offer_what_fits(
    stoffel: Stoffel, ask: Callable[..., list[str]], place: Path, words: list[str], offered: list[str]
) -> None:
    script = stoffel("completion", ask.__name__.removeprefix("ask_")).out
    assert sorted(ask(script, ["stoffel", *words], place)) == sorted(offered)


def test_shells_offer_the_values_behind_an_equals_sign(stoffel: Stoffel, place: Path) -> None:
    # bash makes three words of it.
    found = ask_bash(stoffel("completion", "bash").out, ["stoffel", "run", "--jit", "="], place)
    assert sorted(found) == sorted(MODES)
    assert ask_bash(stoffel("completion", "bash").out, ["stoffel", "run", "--jit", "=", "al"], place) == ["always"]
    found = ask_fish(stoffel("completion", "fish").out, ["stoffel", "run", "--jit=a"], place)
    assert {"--jit=auto", "--jit=always"} <= set(found)


def test_zsh_takes_the_script(stoffel: Stoffel, tmp_path: Path) -> None:
    path = tmp_path / "_stoffel"
    path.write_text(stoffel("completion", "zsh").out)
    command = f"autoload -U compinit && compinit -u -D && source {path} && print -- $_comps[stoffel]"
    done = subprocess.run([shell("zsh"), "-f", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("_stoffel\n", "")


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_option_is_in_every_script(stoffel: Stoffel, name: str) -> None:
    status, script, err = stoffel("completion", name)
    assert (status, err) == (0, "")
    for command in map(command_named, COMMANDS):
        for option in (*command.options, HELP):
            assert (f"-l {option.flag[2:]} " if name == "fish" else option.flag) in script


def test_another_shell_is_an_error_that_names_those_that_are_known(stoffel: Stoffel) -> None:
    status, out, err = stoffel("completion", "bish")
    assert (status, out) == (2, "")
    assert "only bash, zsh, fish; did you mean bash?" in err or "only bash, zsh, fish; did you mean fish?" in err


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_of_help_are_command_lines_that_are_taken(stoffel: Stoffel, name: str) -> None:
    command = command_named(name)
    assert command.examples
    for line, text in command.examples:
        words = [*takewhile(lambda word: word != ">", shlex.split(line))]
        assert words[:2] == ["stoffel", name]
        parse(command, words[2:])
        assert f"  {line}" in stoffel(name, "--help").out
        assert text
