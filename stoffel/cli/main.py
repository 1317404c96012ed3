"""The ``stoffel`` command: find the command, run it, turn every failure into one clear line and an exit status."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import Final

from stoffel.cli import report, status
from stoffel.version import VERSION

OBJECTS_BETWEEN_COLLECTIONS: Final = 50_000
"""New objects after which Python looks for garbage in cycles. By default these are so few that a tenth of the time of
``stoffel run hello`` went into looking, mostly while modules are loaded, and next to nothing is found."""

TRACEBACK_VARIABLE: Final = "STOFFEL_TRACEBACK"
"""Environment variable that makes an internal error show its Python traceback."""


def entry() -> None:
    """Run the command line of this process and exit: the console script."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])
    try:
        # The program's text is UTF-8 whatever the terminal says, and every line leaves as soon as it is complete.
        if sys.stdout is not None:
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = status.INTERRUPTED
    _settle()
    builder = sys.modules.get("stoffel.jit.kernels.builder")
    if builder is not None and builder.is_at_work():
        # Nobody needs the kernel in the making any more: leaving by the normal way would wait for LLVM.
        os._exit(code)
    sys.exit(code)


def _settle() -> None:
    """Make the interpreter's last flush harmless: what could not be written so far is dropped, not complained about."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None or stream.closed:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def main(argv: Sequence[str]) -> int:
    """Carry out the command line *argv* (without the program's name) and return the exit status."""
    from stoffel.errors import AssemblyError, CompileError, LoadError, SaveError, StoffelError

    try:
        code = _dispatch(argv)
        report.flush()
    except KeyboardInterrupt:
        return status.INTERRUPTED
    except BrokenPipeError:
        return status.PIPE_CLOSED
    except CompileError as error:
        report.complain(*error.rendered(colour=report.has_colours()))
        return status.BAD_FILE
    except (LoadError, AssemblyError, SaveError) as error:
        report.complain(f"stoffel: {report.one_line(error)}")
        return status.BAD_FILE
    except (report.OutputError, StoffelError) as error:
        report.complain(f"stoffel: {report.one_line(error)}")
        return status.FAILED
    except MemoryError:
        report.complain("stoffel: out of memory")
        return status.FAILED
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        report.complain(
            f"stoffel: internal error: {type(error).__name__}: {report.one_line(error)} "
            f"(a bug in Stoffel; set {TRACEBACK_VARIABLE}=1 to see where)"
        )
        return status.INTERNAL
    return code


def _dispatch(argv: Sequence[str]) -> int:
    from stoffel.cli.options import COMMANDS, HELP, UsageError, command_named, help_text, parse, suggestion

    if not argv:
        report.complain(*_overview().splitlines())
        return status.USAGE
    first, *rest = argv
    if first in (HELP.flag, HELP.short) or (first == "help" and not rest):
        report.put(_overview())
        return status.OK
    if first in ("--version", "-V"):
        report.put(f"stoffel {VERSION} on Python {sys.version.split()[0]}\n")
        return status.OK
    if first == "help":
        first, rest = rest[0], [HELP.flag]
    if first not in COMMANDS:
        sort = "option" if first.startswith("-") else "command"
        report.complain(
            f"stoffel: unknown {sort} '{report.one_line(first)}'{suggestion(first, COMMANDS)} (see stoffel --help)"
        )
        return status.USAGE
    command = command_named(first)
    try:
        parsed = parse(command, rest)
        if HELP.flag in parsed.options:
            report.put(help_text(command))
            return status.OK
        return command.run(parsed)
    except UsageError as error:
        report.complain(f"stoffel {first}: {report.one_line(error)} (see stoffel {first} --help)")
        return status.USAGE


def _overview() -> str:
    from stoffel.cli.options import COMMANDS, command_named

    lines = ["Usage: stoffel COMMAND [OPTION...] FILE...", "", "Commands:"]
    lines += [f"  {name:<10} {command_named(name).summary}" for name in COMMANDS]
    lines += [
        "",
        "FILE is a .stfl source, or a .stflb program or .stfasm text assembly, told apart by their content;",
        "- is standard input.",
        "stoffel COMMAND --help tells more; stoffel --version names the version.",
        "",
        "Exit status: 0 fine, 1 the program failed, 2 wrong command line, 3 a file is bad.",
    ]
    return "\n".join(lines) + "\n"
