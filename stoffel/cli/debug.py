"""``stoffel debug``: run a program, stop where it is wanted, look, go on, go back."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from stoffel.cli import report, status
from stoffel.cli.arguments import SYNTAX, parse_argument
from stoffel.cli.cache import CACHE, directory
from stoffel.cli.files import decode, program_name, read_source
from stoffel.cli.options import Command, Option, Parsed, UsageError
from stoffel.cli.profile import sources_of
from stoffel.cli.run import DEFAULT_ENTRY, names_of, store_path
from stoffel.embedding.engine import MODES, mode_named
from stoffel.errors import LoadError, SaveError, VMError, nearest

if TYPE_CHECKING:
    from stoffel.debug.session import Session

DEFAULT_MODE: Final = "off"


def run(parsed: Parsed) -> int:
    """Debug the program; returns the exit status."""
    path, *words = parsed.operands
    options = parsed.options
    source = read_source(path)
    program = decode(source)
    if not program.functions:
        raise LoadError("the program has no functions", category="data", path=program_name(path))
    entry = options.get("--entry", DEFAULT_ENTRY)
    names = [function.name for function in program.functions]
    if entry not in names:
        close = nearest(entry, names)
        meant = f"; did you mean {close}?" if close else ""
        raise UsageError(f"there is no function {entry}: choose one with --entry: {names_of(program)}{meant}")
    from stoffel.debug.expressions import DebugError
    from stoffel.debug.session import Quit, Session
    from stoffel.debug.terminal import Terminal

    def convert(words: list[str]) -> list[Any]:
        try:
            return [parse_argument(word, position) for position, word in enumerate(words, 1)]
        except UsageError as error:
            raise DebugError(str(error)) from None

    arguments = [parse_argument(word, position) for position, word in enumerate(words, 1)]
    texts = {name: text.splitlines() for name, text in sources_of(source, program).items()}
    script, interactive = _script(options, path)
    front = Terminal(script, report.put, texts, convert, interactive=interactive)
    if interactive:
        import readline  # noqa: F401 - gives input() its history
    try:
        session = Session(
            program,
            entry,
            arguments,
            front,
            jit=mode_named(options.get("--jit", DEFAULT_MODE)),
            storage=store_path(options),
            cache=directory(options),
        )
    except VMError as error:
        report.complain(f"stoffel: {report.one_line(program_name(path))}: {report.one_line(error)}")
        return status.BAD_FILE
    front.session = session
    with pausing(session), suppress(Quit):
        session.run()
    return status.OK


def _script(options: dict[str, str], path: str) -> tuple[Iterator[str], bool]:
    """Return the commands that are given, and whether a person is asked for more."""
    lines: list[str] = []
    if "-x" in options or "--script" in options:
        name = options["--script"]
        try:
            with open(name, encoding="utf-8") as file:  # noqa: PTH123 - as elsewhere here
                lines += file.read().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise SaveError(f"{name}: cannot read the commands: {reason}") from None
    if "--command" in options:
        lines += options["--command"].splitlines()
    is_terminal = path != "-" and report.is_terminal(sys.stdin)
    if lines or is_terminal or path == "-" or sys.stdin is None:
        return iter(lines), is_terminal
    return iter(sys.stdin), False


@contextmanager
def pausing(session: Session) -> Iterator[None]:
    """Have Ctrl-C stop the program at its next instruction; twice, where nothing stops, it ends the debugger."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def handle(_number: int, _frame: object) -> None:
        if not session.is_running:
            raise KeyboardInterrupt
        session.pause()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


COMMAND: Final = Command(
    name="debug",
    summary="Run a program step by step, forwards and backwards.",
    operands=("FILE", "[ARG...]"),
    options=(
        Option("--entry", f"Function to run ({DEFAULT_ENTRY} unless given).", value="NAME"),
        Option("--command", "Carry out the debugger's command TEXT; may be repeated.", value="TEXT", repeats=True),
        Option("--script", "Carry out the commands in FILE.", value="FILE", short="-x"),
        Option("--local-store", "Keep LocalStorage in the SQLite file PATH.", value="PATH"),
        Option(
            "--jit",
            f"How functions without breakpoints run ({DEFAULT_MODE} unless given): {', '.join(MODES)}.",
            value="MODE",
            implied="auto",
            choices=tuple(MODES),
        ),
        CACHE,
    ),
    details="""\
The program stops before its first instruction; help lists the commands, which are called as those of pdb. Without a
terminal they are read from standard input, and the end of them quits.

"""
    + SYNTAX
    + """

Exit status: 0 fine, 2 wrong command line, 3 the file is bad or refused.""",
    examples=(
        ("stoffel debug life.stfl", "at a prompt"),
        ("stoffel debug --command 'b step' --command c --command w life.stfl", "the calls at a breakpoint"),
    ),
    run=run,
)
