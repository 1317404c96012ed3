"""``stoffel run``: run a program on a fresh machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from time import thread_time
from typing import TYPE_CHECKING, Any, Final

from stoffel.cli import report, status
from stoffel.cli.arguments import SYNTAX, parse_argument
from stoffel.cli.cache import CACHE, directory
from stoffel.cli.files import decode, program_name, read_source
from stoffel.cli.interruption import stack_of, watching
from stoffel.cli.limits import OPTIONS as LIMITS
from stoffel.cli.limits import limits_of, status_of
from stoffel.cli.options import Command, Option, Parsed, UsageError
from stoffel.embedding.engine import MODES, ModeName, mode_named
from stoffel.errors import LoadError, VMError, escaped

if TYPE_CHECKING:
    from stoffel.cli.files import Source
    from stoffel.embedding.vm import VirtualMachine
    from stoffel.isa.program import Program
    from stoffel.jit.policy.run_history import History, Outcome
    from stoffel.jit.reports import JitStatistics

DEFAULT_ENTRY: Final = "main"
DEFAULT_MODE: Final = "off"
BARE_MODE: Final = "auto"
MODE_VARIABLE: Final = "STOFFEL_JIT"
"""Environment variable with the mode of runs that name none."""
_LISTED: Final = 20


class Stdout:
    """The sink of a plain run: standard output, where lines appear as they are printed.

    *gone* is the error that says that the reader went away: the machine makes an ordinary error of it, the command
    ends quietly.
    """

    def __init__(self) -> None:
        self.gone: BrokenPipeError | None = None

    def write(self, text: str) -> None:
        if sys.stdout is None:
            raise OSError("standard output is closed")
        try:
            sys.stdout.write(text)
        except BrokenPipeError as error:
            self.gone = error
            raise
        except OSError as error:
            raise OSError(error.strerror or str(error)) from None


class Collected:
    """The sink of a ``--json`` run: keeps the text."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.gone = None

    def write(self, text: str) -> None:
        self.pieces.append(text)


def store_path(options: dict[str, str]) -> str | None:
    """Return what the option ``--local-store`` says, None without it. Raises UsageError for an empty name."""
    path = options.get("--local-store")
    if path == "":
        raise UsageError("--local-store needs the path of a file")
    return path


def chosen_mode(options: dict[str, str]) -> ModeName:
    """Return the mode that ``--jit`` names, else ``STOFFEL_JIT``. Raises UsageError if that names none."""
    named = os.environ.get(MODE_VARIABLE) or DEFAULT_MODE
    if named not in MODES:
        raise UsageError(f"{MODE_VARIABLE} must be one of {', '.join(MODES)}, not {report.one_line(named)!r}")
    return mode_named(options.get("--jit", named))


def run(parsed: Parsed) -> int:
    """Run the program and print its result; returns the exit status."""
    from stoffel.embedding.vm import VirtualMachine

    path, *words = parsed.operands
    options = parsed.options
    arguments = [parse_argument(word, position) for position, word in enumerate(words, 1)]
    limits = limits_of(options)
    source = read_source(path)
    program = decode(source, directory(options))
    if not program.functions:
        raise LoadError("the program has no functions", category="data", path=program_name(path))
    collected = Collected() if "--json" in options else None
    sink = collected or Stdout()
    machine = VirtualMachine(
        jit=chosen_mode(options),
        output=sink,
        storage=store_path(options),
        cache=directory(options),
        limits=limits,
    )
    if "--count-calls" in options:
        machine.count_calls()
    try:
        machine.load(program)
    except VMError as error:
        report.complain(f"stoffel: {report.one_line(program_name(path))}: {report.one_line(error)}")
        return status.BAD_FILE
    entry = options.get("--entry", DEFAULT_ENTRY)
    with watching(machine) as interruption:
        try:
            with _logged(machine, options), learning(machine, source, options, [entry, *words]):
                result = machine.execute(entry, *arguments)
            failure: VMError | KeyboardInterrupt | None = None
        except (VMError, KeyboardInterrupt) as error:
            failure = error
    if isinstance(failure, KeyboardInterrupt):
        if collected is not None:
            _put_json(collected, None, interruption.as_error(), _statistics(machine, options))
        else:
            report.flush()
            report.complain(*interruption.lines())
            _complain_statistics(machine, options)
        return interruption.status
    if failure is not None:
        if sink.gone is not None:
            raise sink.gone from None
        if collected is not None:
            _put_json(collected, None, error_of(failure), _statistics(machine, options))
        else:
            report.complain_failure(failure, *hints(program, entry, failure))
            _complain_statistics(machine, options)
        return status_of(failure)
    if collected is not None:
        _put_json(collected, result, None, _statistics(machine, options))
    else:
        from stoffel.model.text import diagnostic

        report.put(escaped(diagnostic(result)) + "\n")
        _complain_statistics(machine, options)
    return status.OK


@contextmanager
def learning(machine: VirtualMachine, source: Source, options: dict[str, str], arguments: list[str]) -> Iterator[None]:
    """Prepare for a run by what the last one like it has come to, and note what this one comes to.

    One whose calls are counted is another run than those that come after it: nothing is noted.
    """
    if not machine.state.tier.counts_heat or not MODES[machine.jit].learns:
        yield
        return
    from stoffel.jit.policy import thresholds
    from stoffel.jit.policy.warmup import tier_of

    tier = tier_of(machine.state)

    @cache
    def history() -> History:
        from stoffel.jit.policy.run_history import open_history

        return open_history(directory(options), source.data, [machine.jit, *arguments])

    def known() -> Outcome | None:
        return history().read()

    tier.recall(known)
    began = thread_time()
    failure = None
    try:
        yield
    except VMError as error:
        failure = error
    tier = tier_of(machine.state)  # which may be another now
    is_short = tier.loading is None and thread_time() - began < thresholds.WORTH_TRYING
    if not is_short and not tier.statistics.counts_calls:
        from stoffel.jit.policy.warmup import outcome_of

        outcome = outcome_of(tier, began, history().read())
        if outcome is not None:
            history().write(outcome)
    if failure is not None:
        raise failure


def _logged(machine: VirtualMachine, options: dict[str, str]) -> AbstractContextManager[None]:
    if "--jit-log" not in options:
        return nullcontext()
    from stoffel.cli.jit_log import jit_log

    return jit_log(machine, options["--jit-log"])


def _wants_statistics(options: dict[str, str]) -> bool:
    return "--stats" in options or "--count-calls" in options


def _statistics(machine: VirtualMachine, options: dict[str, str]) -> JitStatistics | None:
    return machine.jit_statistics() if _wants_statistics(options) else None


def _complain_statistics(machine: VirtualMachine, options: dict[str, str]) -> None:
    """Show what the compiled tier did, if that was asked for, after everything that the program wrote."""
    if not _wants_statistics(options):
        return
    from stoffel.cli.tiers import statistics_lines

    report.flush()
    report.complain(*statistics_lines(machine.jit_statistics()))


def error_of(error: VMError) -> dict[str, Any]:
    """Return *error* as a run's JSON has it."""
    return {
        "kind": str(error.kind),
        "message": str(error),
        "function": error.function,
        "instruction": error.instruction,
        "stack": stack_of(error.backtrace),
    }


def _put_json(
    collected: Collected, result: Any, error: dict[str, Any] | None, statistics: JitStatistics | None
) -> None:
    import json

    from stoffel.model.text import diagnostic

    found: dict[str, Any] = {
        "output": "".join(collected.pieces),
        "result": None if error else diagnostic(result),
        "error": error,
    }
    if statistics is not None:
        found["stats"] = statistics
    report.put(json.dumps(found, ensure_ascii=False) + "\n")


def hints(program: Program, entry: str, error: VMError) -> list[str]:
    """Return what helps: the nearest name where one is unknown.

    Where a run failed before its first instruction it is the functions that there are, or the parameters of the entry.
    """
    from stoffel.isa.check import meant

    if error.stack:
        unknown = str(error).partition("Function '")[2].partition("' not found")
        if not unknown[1]:
            return []
        from stoffel.model.builtins.table import BY_NAME

        close = meant(unknown[0], {*BY_NAME, *(function.name for function in program.functions)})
        return [f"  {close[2:]}"] if close else []
    if entry in program.functions:
        from stoffel.cli.info import signature

        return [f"  the entry is {report.one_line(signature(program.functions[entry]))}"]
    close = meant(entry, [function.name for function in program.functions])
    return [f"  choose one of its functions with --entry: {names_of(program)}{close}"]


def names_of(program: Program) -> str:
    """Return the names of the functions of a program, of very many only the first ones."""
    names = [report.one_line(function.name) for function in program.functions]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


COMMAND: Final = Command(
    name="run",
    summary="Run a program: print its lines as they happen, then its result.",
    operands=("FILE", "[ARG...]"),
    options=(
        Option("--entry", f"Function to run ({DEFAULT_ENTRY} unless given).", value="NAME"),
        Option("--json", "Print one JSON object with output, result and error, and nothing else."),
        Option("--local-store", "Keep LocalStorage in the SQLite file PATH.", value="PATH"),
        Option(
            "--jit",
            f"How functions run, see below: {BARE_MODE} for the bare flag, else {MODE_VARIABLE} or {DEFAULT_MODE}.",
            value="MODE",
            implied=BARE_MODE,
            choices=tuple(MODES),
        ),
        CACHE,
        *LIMITS,
        Option("--stats", "Tell on standard error (with --json, under stats) what the compiler did."),
        Option("--count-calls", "The same, with how often each function was called: calls take longer."),
        Option(
            "--jit-log",
            "Log what the compiler does: to standard error, or to FILE (as JSON lines if it ends with .jsonl).",
            value="FILE",
            implied="-",
        ),
    ),
    details="\n".join(
        ["Modes of --jit:", *(f"  {name:<10}  {mode.summary}" for name, mode in MODES.items()), "", SYNTAX]
    )
    + """

Exit status: 0 fine, 1 the program failed, 2 wrong command line, 3 the file is bad or refused, 4 a limit was exceeded,
130 interrupted, 141 the reader of the output went away.""",
    examples=(
        ("stoffel run hello.stfl", "run main"),
        ("stoffel run --jit life.stflb 50", "run main(50), hot functions compiled"),
        ("stoffel run --entry area shapes.stfl 2 0.5", "run another function, with two arguments"),
        ("stoffel run --json --stats --jit life.stflb", "all that a program wants to know, as JSON"),
    ),
    run=run,
)
