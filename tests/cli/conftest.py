"""Fixtures of the command-line tests: the command in this process, the command as a process, programs as files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stoffel.cli.main import main

ROOT = Path(__file__).parents[2]

HELLO = """\
function main()
    LDI r0, "Hello, world"
    PUSHARG r0
    CALL print
    LDI r0, 5
    RET r0
end
"""

ECHO = """\
function main(value)
    RET r0
end
"""

COUNTDOWN = """\
; down(n) calls itself n times and then divides by zero
function down(n)
    LDI r1, 0
    CMP r0, r1
    JMPEQ boom
    LDI r1, 1
    SUB r0, r0, r1
    PUSHARG r0
    CALL down
    RET r0
boom:
    DIV r0, r1, r1
    RET r0
end
function main(n)
    MOV r2, r0
    LDI r1, "before"
    PUSHARG r1
    CALL print
    PUSHARG r2
    CALL down
    RET r0
end
"""

TICKER = """\
; prints for ever
function main()
    LDI r1, "tick"
again:
    PUSHARG r1
    CALL print
    JMP again
end
"""

SPINNER = """\
; prints once and then loops for ever
function main()
    LDI r0, "started"
    PUSHARG r0
    CALL print
again:
    JMP again
end
"""


class Outcome(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str


def environment(**changes: str) -> dict[str, str]:
    """Return the environment for a child: this checkout first, Python's switches and the locale at their defaults."""
    dropped = ("PYTHON", "LC_", "STOFFEL_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(dropped) or name == "STOFFEL_CACHE_DIR"  # the tests' own, not the user's
    }
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **changes}


def default_signals() -> None:
    """Let the child see SIGINT even where the tests' own parent ignores it (as a shell's background jobs do)."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def stoffel(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command line in this process."""

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        status = main([str(word) for word in words])
        return Outcome(status, *capsys.readouterr())

    return run


@pytest.fixture
def start() -> Any:
    """Start a command line as a process with pipes; it is ended with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*words: object, env: dict[str, str] | None = None, **settings: Any) -> subprocess.Popen[bytes]:
        usual: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "preexec_fn": default_signals,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "stoffel", *map(str, words)],
            env=environment() if env is None else env,
            **{**usual, **settings},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def process(start: Any) -> Callable[..., Outcome]:
    """Run a command line as a process to its end; *input* are the bytes of standard input."""

    def run(*words: object, input: bytes | None = None, **settings: Any) -> Outcome:  # noqa: A002
        if input is not None:
            settings["stdin"] = subprocess.PIPE
        child = start(*words, **settings)
        out, err = child.communicate(input, timeout=120)
        return Outcome(child.returncode, (out or b"").decode(), (err or b"").decode())

    return run


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Path]:
    """Write text assembly into a file and return its path."""

    def write(text: str, name: str = "program.stfasm") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def hello(program: Callable[..., Path]) -> Path:
    return program(HELLO, "hello.stfasm")


@pytest.fixture
def echo(program: Callable[..., Path]) -> Path:
    """A program whose ``main`` returns its argument."""
    return program(ECHO, "echo.stfasm")


@pytest.fixture
def countdown(program: Callable[..., Path]) -> Path:
    """A program that prints a line, and fails n calls deep."""
    return program(COUNTDOWN, "countdown.stfasm")


@pytest.fixture
def ticker(program: Callable[..., Path]) -> Path:
    return program(TICKER, "ticker.stfasm")


@pytest.fixture
def spinner(program: Callable[..., Path]) -> Path:
    return program(SPINNER, "spinner.stfasm")
