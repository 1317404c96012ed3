"""IPython and Jupyter: ``%load_ext stoffel`` gives the magics ``%%stfl``, ``%%stfasm`` and ``%stoffel_profile``.

A cell is compiled, its ``main`` runs, what it prints appears, and its result is the cell's. The machine of the last
cell stays: ``stoffel_machine`` in the notebook, and ``%stoffel_profile`` runs a function of it.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final, Protocol

from stoffel.cli.arguments import parse_argument
from stoffel.cli.options import Command, Option, Parsed, UsageError, help_text, parse
from stoffel.embedding.engine import MODES, mode_named
from stoffel.embedding.vm import VirtualMachine
from stoffel.errors import CompileError, StoffelError, VMError, backtrace_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from stoffel.isa.program import Program
    from stoffel.profiling.profile import Profile

MACHINE: Final = "stoffel_machine"
"""Name under which a notebook finds the machine of its last cell."""


class Shell(Protocol):
    """What is used of IPython's shell."""

    user_ns: dict[str, Any]

    def register_magic_function(self, func: Callable[..., object], magic_kind: str, magic_name: str) -> object:
        """Have ``%NAME`` or ``%%NAME`` call *func*."""


def _nothing(_parsed: Parsed) -> int:
    return 0


_JIT: Final = Option("--jit", "How functions run (auto unless given).", value="MODE", choices=tuple(MODES))
_CELL: Final = Command(
    name="cell",
    summary="Compile the cell and run a function of it.",
    operands=("[ARG...]",),
    options=(Option("--entry", "Function to run (main unless given).", value="NAME"), _JIT),
    run=_nothing,
)
_PROFILE: Final = Command(
    name="profile",
    summary="Run a function of the last cell and show where its time goes.",
    operands=("FUNCTION", "[ARG...]"),
    options=(),
    run=_nothing,
)


class Magics:
    """The magics of one shell."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def stfl(self, line: str, cell: str) -> Any:
        """Run a StoffelLang cell: ``%%stfl [--jit MODE] [--entry NAME] [ARG...]``."""
        from stoffel.lang.compiler import compile_bytes

        return self._run(line, lambda: compile_bytes(cell.encode(), "cell.stfl"))

    def stfasm(self, line: str, cell: str) -> Any:
        """Run a cell of text assembly: ``%%stfasm [--jit MODE] [--entry NAME] [ARG...]``."""
        from stoffel.isa.assembler import assemble

        return self._run(line, lambda: assemble(cell, path="cell.stfasm"))

    def stoffel_profile(self, line: str) -> Profile | None:
        """Profile a function of the last cell: ``%stoffel_profile FUNCTION [ARG...]``."""
        machine = self._shell.user_ns.get(MACHINE)
        if not isinstance(machine, VirtualMachine):
            print("there is no program yet: run a cell that begins with %%stfl or %%stfasm")  # noqa: T201
            return None
        parsed = _parsed(_PROFILE, line)
        if parsed is None:
            return None
        name, *words = parsed.operands
        with machine.profile() as profile:
            _executed(machine, name, words)
        print(profile.text())  # noqa: T201
        return profile

    def _run(self, line: str, compiled: Callable[[], Program]) -> Any:
        parsed = _parsed(_CELL, line)
        if parsed is None:
            return None
        try:
            program = compiled()
        except CompileError as error:
            print("\n".join(error.rendered()))  # noqa: T201
            return None
        except StoffelError as error:
            print(f"stoffel: {error}")  # noqa: T201
            return None
        machine = VirtualMachine(jit=mode_named(parsed.options.get("--jit", "auto")))
        machine.load(program)
        self._shell.user_ns[MACHINE] = machine
        return _executed(machine, parsed.options.get("--entry", "main"), parsed.operands)


def _parsed(command: Command, line: str) -> Parsed | None:
    """Return what the words after a magic mean; None, after saying so, if they mean nothing or ask for help."""
    try:
        parsed = parse(command, shlex.split(line))
    except (UsageError, ValueError) as error:
        print(f"stoffel: {error}")  # noqa: T201
        return None
    if "--help" in parsed.options:
        print(help_text(command))  # noqa: T201
        return None
    return parsed


def _executed(machine: VirtualMachine, name: str, words: list[str]) -> Any:
    """Run a function and return its result as a Python value; a failure is shown with its calls, and gives None."""
    try:
        arguments = [parse_argument(word, position) for position, word in enumerate(words, 1)]
        return machine.to_python(machine.execute(name, *arguments))
    except UsageError as error:
        print(f"stoffel: {error}")  # noqa: T201
    except VMError as error:
        print("\n".join([f"stoffel: {error}", *backtrace_lines(error)]))  # noqa: T201
    return None


def load_ipython_extension(shell: Shell) -> None:
    """Register the magics with IPython's *shell*: what ``%load_ext stoffel`` calls."""
    magics = Magics(shell)
    shell.register_magic_function(magics.stfl, "cell", "stfl")
    shell.register_magic_function(magics.stfasm, "cell", "stfasm")
    shell.register_magic_function(magics.stoffel_profile, "line", "stoffel_profile")
