"""``stoffel trace``: run a program and show chosen events, one after the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TextIO

from stoffel.cli import report, status
from stoffel.cli.arguments import SYNTAX, parse_argument
from stoffel.cli.files import check_output, decode, program_name, read_source
from stoffel.cli.interruption import watching
from stoffel.cli.limits import OPTIONS as LIMITS
from stoffel.cli.limits import limits_of, status_of
from stoffel.cli.options import Command, Option, Parsed, UsageError
from stoffel.cli.run import DEFAULT_ENTRY, Collected, Stdout, error_of, hints, store_path
from stoffel.errors import LoadError, SaveError, VMError, escaped

if TYPE_CHECKING:
    from stoffel.isa.program import Program
    from stoffel.tracing.tracer import Choice, Entry

_EVENTS: Final = "instruction"
_MOST: Final = 10**15


class _Lines(Collected):
    """The sink of a run whose trace is JSON lines: a printed line is one of them."""

    def __init__(self, put: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self._put = put

    def write(self, text: str) -> None:
        self._put({"event": "output", "text": text})


class _Unwritten(BaseException):
    """The trace cannot be written: ends the run from inside a hook."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error


def run(parsed: Parsed) -> int:
    """Run the program with a hook on the events that are wanted; returns the exit status."""
    from stoffel.embedding.vm import VirtualMachine
    from stoffel.tracing.tracer import Stopped, Tracer

    path, *words = parsed.operands
    options = parsed.options
    arguments = [parse_argument(word, position) for position, word in enumerate(words, 1)]
    limits = limits_of(options)
    output = options.get("--output")
    if output is not None:
        check_output(output, path)
    source = read_source(path)
    program = decode(source)
    if not program.functions:
        raise LoadError("the program has no functions", category="data", path=program_name(path))
    choice = _choice(options, program)
    with _opened(output, json="--json" in options) as put:
        lines = _Lines(put) if "--json" in options and output is None else None
        sink = lines or Stdout()
        machine = VirtualMachine(output=sink, storage=store_path(options), limits=limits)
        try:
            machine.load(program)
        except VMError as error:
            report.complain(f"stoffel: {report.one_line(program_name(path))}: {report.one_line(error)}")
            return status.BAD_FILE
        tracer = Tracer(choice, program, _writer(put, json="--json" in options))
        machine.register_hook(choice.classes, tracer)
        entry = options.get("--entry", DEFAULT_ENTRY)
        end: dict[str, Any] = {"event": "end", "events": 0, "result": None, "error": None}
        code = status.OK
        with watching(machine) as interruption:
            try:
                from stoffel.model.text import diagnostic

                end["result"] = diagnostic(machine.execute(entry, *arguments))
            except Stopped:
                end["event"] = "stopped"
            except KeyboardInterrupt:
                end["error"], code = interruption.as_error(), interruption.status
            except VMError as error:
                if sink.gone is not None:
                    raise sink.gone from None
                end["error"], code = error_of(error), status_of(error)
                if lines is None:
                    report.complain_failure(error, *hints(program, entry, error))
        end["events"] = max(tracer.count - choice.after, 0)
        if "--json" in options:
            put(end)
        if lines is None:
            _tell(end, interruption.lines() if code == interruption.status and end["error"] else [])
    return code


def _tell(end: dict[str, Any], interrupted: list[str]) -> None:
    """Say, to people, how the run ended."""
    if end["result"] is not None:
        report.put(escaped(end["result"]) + "\n")
    elif end["event"] == "stopped":
        report.complain(f"stoffel: stopped after {report.count(end['events'], 'event')}")
    elif end["error"] is not None and end["error"]["kind"] == "Interrupted":
        report.flush()
        report.complain(*interrupted)


def _writer(put: Callable[[Any], None], *, json: bool) -> Callable[[Entry], None]:
    if json:
        return lambda entry: put(entry.as_dict())
    return lambda entry: put(entry.as_line())


@contextmanager
def _opened(path: str | None, *, json: bool) -> Iterator[Callable[[Any], None]]:
    """Open where the trace goes: *path*, else standard output for JSON and standard error for people.

    Each line is written when it happens. Raises SaveError if *path* cannot be written.
    """
    stream: TextIO | None
    if path is not None:
        try:
            stream = open(path, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115, PTH123
        except (OSError, ValueError) as error:
            raise SaveError(f"{path}: cannot write the file: {getattr(error, 'strerror', None) or error}") from None
    else:
        stream = sys.stdout if json else sys.stderr
    if stream is None:
        raise SaveError("there is no standard output for the trace: name a file by --output")
    try:
        yield _put(stream, json=json)
    except _Unwritten as unwritten:
        if isinstance(unwritten.error, BrokenPipeError):
            raise unwritten.error from None
        reason = unwritten.error.strerror or unwritten.error
        raise SaveError(f"{path or 'the trace'}: cannot write the trace: {reason}") from None
    finally:
        if path is not None:
            with suppress(OSError):
                stream.close()


def _put(stream: TextIO, *, json: bool) -> Callable[[Any], None]:
    written: Callable[[Any], str] = str
    if json:
        from json import dumps as written

    def put(record: Any) -> None:
        try:
            stream.write(f"{written(record)}\n")
        except OSError as error:
            raise _Unwritten(error) from None

    return put


def _choice(options: dict[str, str], program: Program) -> Choice:
    """Return what is to be traced. Raises UsageError for what cannot be."""
    from stoffel.model.builtins.table import BY_NAME
    from stoffel.tracing.condition import Condition
    from stoffel.tracing.tracer import Choice, check_functions, check_names, classes_named

    try:
        classes = classes_named(options.get("--events", _EVENTS))
        functions = frozenset(name.strip() for name in options.get("--function", "").split(",") if name.strip())
        check_functions(functions, program, frozenset(BY_NAME))
        condition = Condition(options["--when"]) if "--when" in options else None
        if condition is not None:
            check_names(condition, program, classes)
        after, place = _start(options.get("--after", "0"), program)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return Choice(
        classes,
        functions,
        frozenset(_register(name.strip()) for name in options.get("--register", "").split(",") if name.strip()),
        condition,
        _number(options, "--depth"),
        after,
        place,
        _number(options, "--stop-after"),
    )


def _number(options: dict[str, str], flag: str) -> int | None:
    text = options.get(flag)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16 and 1 <= int(text) <= _MOST):
        raise UsageError(f"{flag} must be a number of at least 1, not '{text}'")
    return int(text)


def _register(name: str) -> int:
    if not (name[:1] == "r" and name[1:].isascii() and name[1:].isdigit() and len(name) < 8):
        raise UsageError(f"--register names registers, as in r0,r3, not '{name}'")
    return int(name[1:])


def _start(text: str, program: Program) -> tuple[int, tuple[str, int | None] | None]:
    """Return how many events are left out at the start, and the place that must have been reached.

    *text* is a number of events, a function, ``function:instruction`` or ``file:line``. Raises ValueError.
    """
    from stoffel.tracing.tracer import check_functions

    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text), None
    name, colon, number = text.rpartition(":")
    if not colon or not (number.isascii() and number.isdigit() and len(number) < 10):
        check_functions(frozenset({text}), program, frozenset())
        return 0, (text, None)
    if all(function.name != name for function in program.functions):
        for function in program.functions:
            table = function.line_table
            if table is not None and os.path.basename(table.file) == os.path.basename(name):  # noqa: PTH119
                for index in range(len(function.instructions)):
                    if table.line_of(index) == int(number):
                        return 0, (function.name, index)
        files = {f.line_table.file for f in program.functions if f.line_table is not None}
        if any(os.path.basename(file) == os.path.basename(name) for file in files):  # noqa: PTH119
            raise ValueError(f"line {number} of {name} has no instruction")
    check_functions(frozenset({name}), program, frozenset())
    function = next(function for function in program.functions if function.name == name)
    if int(number) >= len(function.instructions):
        raise ValueError(f"function {name} has {len(function.instructions)} instructions, not one with index {number}")
    return 0, (name, int(number))


COMMAND: Final = Command(
    name="trace",
    summary="Run a program and show what it does, event by event.",
    operands=("FILE", "[ARG...]"),
    options=(
        Option("--entry", f"Function to run ({DEFAULT_ENTRY} unless given).", value="NAME"),
        Option("--events", f"Events to show, commas between, see below ({_EVENTS} unless given).", value="LIST"),
        Option("--function", "Only what happens in these functions, or calls them; commas between.", value="NAMES"),
        Option("--register", "Only what is about these registers, as in r0,r3.", value="LIST"),
        Option("--when", "Only where this holds, as in 'r1 > 5 and depth < 3', see below.", value="CONDITION"),
        Option("--depth", "Only what happens in at most N calls inside each other.", value="N"),
        Option("--after", "Leave out N events, or all until FUNCTION[:INSTRUCTION] or FILE:LINE.", value="START"),
        Option("--stop-after", "End the run after N events.", value="N"),
        Option("--output", "Write the trace to FILE, not to standard error.", value="FILE", short="-o"),
        Option("--json", "JSON lines, on standard output: an object for each event, each printed line, and the end."),
        Option("--local-store", "Keep LocalStorage in the SQLite file PATH.", value="PATH"),
        *LIMITS,
    ),
    details="""\
Events:
  instruction, after                an instruction is about to run, has run
  read, write                       MOV has read a register, a register has changed
  push, pop                         a value goes to the argument stack, a call takes it
  call, return                      of VM functions, closures and builtins
  closure                           a closure is made
  upvalue-read, upvalue-write, field-read, field-write, element-read, element-write
  all                               all of these
call, return, closure and those of upvalues, fields and elements cost little; the others have it run ten times slower.

A condition compares names and values: r0, r1 ... and the names of parameters and variables are those of the function
that runs; value, previous, key, name, register, target, arguments, result those of the event; depth, event, flag,
function, instruction and line tell where it is. and, or, not, == != < <= > >= in, + - * / // % and parentheses are
understood. Where a name has no value, the condition does not hold.

"""
    + SYNTAX
    + """

Exit status: as that of run; 0 after --stop-after.""",
    examples=(
        ("stoffel trace hello.stfl", "every instruction, with what it reads"),
        ("stoffel trace --events=call,return --depth=2 life.stflb", "the calls of main, and theirs"),
        ("stoffel trace --events=write --register=r1 --when 'value > 100' life.stflb", "where r1 becomes large"),
        ("stoffel trace --after=step --stop-after=50 life.stflb", "fifty instructions from the first call of step on"),
        ("stoffel trace --events=all --json -o trace.jsonl life.stflb", "everything, for a program"),
    ),
    run=run,
)
