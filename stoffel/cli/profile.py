"""``stoffel profile``: run a program and show where its time goes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

from stoffel.cli import report, status
from stoffel.cli.arguments import SYNTAX, parse_argument
from stoffel.cli.cache import CACHE, directory
from stoffel.cli.files import check_output, decode, program_name, read_source
from stoffel.cli.interruption import watching
from stoffel.cli.limits import OPTIONS as LIMITS
from stoffel.cli.limits import limits_of, status_of
from stoffel.cli.options import Command, Option, Parsed, UsageError
from stoffel.cli.run import DEFAULT_ENTRY, Collected, Stdout, error_of, hints, store_path
from stoffel.embedding.engine import MODES, mode_named
from stoffel.errors import LoadError, SaveError, VMError, escaped

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from stoffel.cli.files import Source
    from stoffel.isa.program import Program
    from stoffel.profiling.coverage import Coverage
    from stoffel.profiling.profile import Profile

DEFAULT_MODE: Final = "auto"
COVERED_MODES: Final = ("no-kernels", "off")
"""Modes in which coverage can be recorded, the usual one first."""
DEFAULT_RATE: Final = "100"


def run(parsed: Parsed) -> int:
    """Run the program, print its result and its profile; returns the exit status."""
    from stoffel.embedding.vm import VirtualMachine

    path, *words = parsed.operands
    options = parsed.options
    arguments = [parse_argument(word, position) for position, word in enumerate(words, 1)]
    limits = limits_of(options)
    covers = "--coverage" in options
    rate = _rate(options.get("--rate", DEFAULT_RATE))
    mode = options.get("--jit", COVERED_MODES[0] if covers else DEFAULT_MODE)
    if covers and mode not in COVERED_MODES:
        raise UsageError(
            f"--coverage goes with --jit={' or '.join(COVERED_MODES)}: a kernel does not tell what runs in it"
        )
    if covers and "--exact" in options:
        raise UsageError("--coverage tells what --exact counts: give one of them")
    output = options.get("--output")
    if output is not None:
        _check_name(output, covers)
        check_output(output, path)
        _check_place(output)
    source = read_source(path)
    program = decode(source)
    if not program.functions:
        raise LoadError("the program has no functions", category="data", path=program_name(path))
    collected = Collected() if "--json" in options else None
    sink = collected or Stdout()
    machine = VirtualMachine(
        jit=mode_named(mode),
        output=sink,
        storage=store_path(options),
        cache=directory(options),
        limits=limits,
    )
    try:
        machine.load(program)
    except VMError as error:
        report.complain(f"stoffel: {report.one_line(program_name(path))}: {report.one_line(error)}")
        return status.BAD_FILE
    entry = options.get("--entry", DEFAULT_ENTRY)
    result: Any = None
    failure: VMError | None = None
    interrupted = False
    watched: AbstractContextManager[Profile | Coverage] = (
        machine.coverage() if covers else machine.profile(exact="--exact" in options, rate=rate)
    )
    with watched as profile, watching(machine) as interruption:
        try:
            result = machine.execute(entry, *arguments)
        except VMError as error:
            failure = error
        except KeyboardInterrupt:
            interrupted = True
    profile.sources.update(sources_of(source, program))
    if sink.gone is not None:
        raise sink.gone from None
    if collected is None:
        if failure is not None:
            report.complain_failure(failure)
            report.complain(*hints(program, entry, failure))
        elif interrupted:
            report.flush()
            report.complain(*interruption.lines())
        else:
            from stoffel.model.text import diagnostic

            report.put(escaped(diagnostic(result)) + "\n")
    if collected is None:
        _put_report(profile)
    else:
        told = None if failure is None else error_of(failure)
        told = interruption.as_error() if interrupted else told
        _put_json(collected, profile, result, told)
    if output is not None:
        report.flush()
        profile.save(output)
    if interrupted:
        return interruption.status
    return status.OK if failure is None else status_of(failure)


def _rate(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= 1000):
        raise UsageError(f"--rate must be a number of samples a second from 1 to 1000, not '{text}'")
    return int(text)


def _check_name(path: str, covers: bool) -> None:
    """Raise UsageError unless the end of *path* tells what is to be written."""
    from stoffel.profiling.coverage import check_ending
    from stoffel.profiling.formats import format_of

    try:
        (check_ending if covers else format_of)(path)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _check_place(path: str) -> None:
    """Raise SaveError if nothing can be written at *path*: before the program runs, not after."""
    folder = os.path.dirname(path) or "."  # noqa: PTH120 - pathlib costs start-up time, as below
    if not os.path.isdir(folder):  # noqa: PTH112
        raise SaveError(f"{path}: cannot write the file: there is no directory {folder}")
    if os.path.isdir(path):  # noqa: PTH112
        raise SaveError(f"{path}: cannot write the file: it is a directory")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):  # noqa: PTH110
        raise SaveError(f"{path}: cannot write the file: Permission denied")


def sources_of(source: Source, program: Program) -> dict[str, str]:
    """Return the texts that the functions of *program* come from, as far as they are at hand."""
    found = {}
    folder, name = os.path.split(source.name)
    for file in {function.line_table.file for function in program.functions if function.line_table is not None}:
        data = source.data
        if file not in (source.name, name):
            try:
                data = read_source(os.path.join(folder, file)).data  # noqa: PTH118 - as above
            except (LoadError, UsageError):
                continue
        found[file] = data.decode("utf-8", "replace")
    return found


def _put_report(profile: Profile | Coverage) -> None:
    report.put(f"\n{profile.text(colours=report.has_colours(sys.stdout))}")


def _put_json(collected: Collected, profile: Profile | Coverage, result: Any, error: dict[str, Any] | None) -> None:
    import json

    from stoffel.model.text import diagnostic

    found = {
        "output": "".join(collected.pieces),
        "result": None if error else diagnostic(result),
        "error": error,
        **profile.as_dict(),
    }
    report.put(json.dumps(found) + "\n")


COMMAND: Final = Command(
    name="profile",
    summary="Run a program and show where its time goes, in every tier.",
    operands=("FILE", "[ARG...]"),
    options=(
        Option("--entry", f"Function to run ({DEFAULT_ENTRY} unless given).", value="NAME"),
        Option("--output", "Write the profile to FILE too, see below.", value="FILE", short="-o"),
        Option("--json", "Print one JSON object with output, result, error and profile, and nothing else."),
        Option("--exact", "Also count every instruction and call: runs in the interpreter."),
        Option("--coverage", "Show which instructions ran instead; -o FILE.info writes it for lcov."),
        Option("--rate", f"Samples a second ({DEFAULT_RATE} unless given).", value="HZ"),
        Option("--local-store", "Keep LocalStorage in the SQLite file PATH.", value="PATH"),
        Option(
            "--jit",
            f"How functions run ({DEFAULT_MODE} unless given): {', '.join(MODES)}.",
            value="MODE",
            implied=DEFAULT_MODE,
            choices=tuple(MODES),
        ),
        CACHE,
        *LIMITS,
    ),
    details="""\
The end of FILE's name tells what is written:
  .html             a page with flame graph, tables and annotated listings; it needs nothing else
  .speedscope.json  for https://www.speedscope.app
  .folded           stacks as lines, for flamegraph.pl and inferno
  .pstats           for Python's pstats, SnakeViz and gprof2dot
  .pb.gz            for pprof
  .info, .lcov      with --coverage: lines of the source that ran, for lcov and editors

"""
    + SYNTAX
    + """

Exit status: as that of run. What was seen is shown and written when the program fails or is interrupted, too.""",
    examples=(
        ("stoffel profile life.stflb", "where the time goes, as a table"),
        ("stoffel profile -o life.html life.stflb", "the same as a page with a flame graph"),
        ("stoffel profile --coverage life.stflb", "which instructions ran"),
    ),
    run=run,
)
