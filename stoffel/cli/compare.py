"""``stoffel compare``: run a program in every way there is and show the first thing that differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from stoffel.cli import report, status
from stoffel.cli.arguments import SYNTAX, parse_argument
from stoffel.cli.files import program_name, read_program
from stoffel.cli.limits import OPTIONS as LIMITS
from stoffel.cli.limits import limits_of
from stoffel.cli.options import Command, Option, Parsed, UsageError
from stoffel.cli.run import DEFAULT_ENTRY, hints, store_path
from stoffel.errors import LoadError, VMError

if TYPE_CHECKING:
    from stoffel.cli.ways import Failure, Inputs, Outcome, Place
    from stoffel.isa.program import Program

_WIDTH: Final = 32
"""Longest result or error shown in the table."""
_SHOWN_TABLES: Final = 20
"""Lines of table contents shown."""


class Difference(NamedTuple):
    """The first thing that differs between the interpreter and another way, and lines of context."""

    what: str
    expected: str
    got: str
    context: list[str]


def run(parsed: Parsed) -> int:
    """Run the program in every way and report; returns the exit status."""
    import tempfile

    path, *words = parsed.operands
    options = parsed.options
    arguments = [parse_argument(word, position) for position, word in enumerate(words, 1)]
    seed = _seed(options.get("--seed", "0"))
    limits = limits_of(options)
    program = read_program(path)
    if not program.functions:
        raise LoadError("the program has no functions", category="data", path=program_name(path))
    from stoffel.cli import ways

    entry = options.get("--entry", DEFAULT_ENTRY)
    hooks = "--hooks" in options
    ways.load_translator()
    with tempfile.TemporaryDirectory(prefix="stoffel-") as directory:
        inputs = ways.Inputs(program, entry, arguments, seed, store_path(options), directory, limits)
        try:
            reference = ways.observe(ways.REFERENCE, inputs, (), None)
        except VMError as error:
            report.complain(f"stoffel: {report.one_line(program_name(path))}: {report.one_line(error)}")
            return status.BAD_FILE
        failure = reference.failure
        if failure is not None and not failure.stack:
            report.complain(f"stoffel: {report.one_line(failure.text)}", *hints(program, entry, VMError(failure.text)))
            return status.FAILED
        if hooks:
            for name in ways.traces_of(ways.REFERENCE, reference.lines):
                reference.traces[name] = ways.Trace()
                ways.run(ways.REFERENCE, inputs, hooks=name, trace=reference.traces[name])
        outcomes = [reference]
        differences: list[Difference | None] = [None]
        with report.Progress("way", len(ways.WAYS)) as progress:
            progress.done = 1  # the reference
            for way in ways.WAYS[1:]:
                progress.step(way.name)
                traces = ways.traces_of(way, reference.lines) if hooks else ()
                outcome = ways.observe(way, inputs, traces, reference)
                outcomes.append(outcome)
                differences.append(find_difference(inputs, reference, outcome))
    if "--json" in options:
        _put_json(outcomes, differences)
    else:
        report.put("\n".join(_report(outcomes, differences)) + "\n")
    return status.FAILED if any(differences) else status.OK


def _seed(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise UsageError(f"--seed must be an integer of at most 18 digits, not '{text}'")
    return int(text)


# Finding the first difference


def find_difference(inputs: Inputs, expected: Outcome, got: Outcome) -> Difference | None:
    """Return the first thing that differs, in the order in which it happens in a run, or None."""
    return (
        _different_line(inputs, expected, got)
        or _different_end(inputs.program, expected, got)
        or _different_content("tables", expected.tables, got.tables)
        or _different_content("storage", expected.stored, got.stored)
        or _different_trace(inputs, expected, got)
    )


def _first(left: list[str], right: list[str]) -> int | None:
    """Return the index of the first difference of two lists, or None if they are equal."""
    if left == right:
        return None
    shorter = min(len(left), len(right))
    return next((index for index in range(shorter) if left[index] != right[index]), shorter)


def _item(items: list[str], index: int) -> str:
    return report.one_line(items[index]) if index < len(items) else "nothing"


def _different_line(inputs: Inputs, expected: Outcome, got: Outcome) -> Difference | None:
    from stoffel.cli import ways

    index = _first(expected.lines, got.lines)
    if index is None:
        return None
    context = [
        f"line {number + 1}: {report.one_line(expected.lines[number])}"
        for number in range(max(index - ways.PRECEDING, 0), index)
    ]
    for outcome in (expected, got):
        # The line is found again by a second run, so that comparing costs nothing where nothing differs.
        place = ways.run(outcome.way, inputs, locate_line=index).printed_at
        if place is not None:
            context += [f"in the way '{outcome.way.name}' it is printed by", *_listing(inputs.program, place)]
    return Difference(f"printed line {index + 1}", _item(expected.lines, index), _item(got.lines, index), context)


def _different_end(program: Program, expected: Outcome, got: Outcome) -> Difference | None:
    if expected.failure == got.failure and expected.result == got.result:
        return None
    if expected.failure is None and got.failure is None:
        return Difference("result", _end(expected), _end(got), [])
    what = "error" if expected.failure is not None and got.failure is not None else "end of the run"
    context: list[str] = []
    for outcome in (expected, got):
        failure = outcome.failure
        if failure is not None:
            context.append(f"calls in the way '{outcome.way.name}', innermost last:")
            error = VMError(failure.text)
            error.stack = failure.stack
            context += report.call_stack(error)
            if failure.function is not None and failure.instruction is not None:
                context += _listing_at(program, failure.function, failure.instruction)
    return Difference(what, _end(expected), _end(got), context)


def _end(outcome: Outcome) -> str:
    if outcome.failure is None:
        return report.one_line(f"result {outcome.result}")
    return f"error {_failure(outcome.failure)}"


def _failure(failure: Failure) -> str:
    place = "" if failure.function is None else f" (function {failure.function}, instruction {failure.instruction})"
    return report.one_line(f"{failure.kind}: {failure.text}{place}")


def _different_content(what: str, expected: list[str], got: list[str]) -> Difference | None:
    from stoffel.cli import ways

    index = _first(expected, got)
    if index is None:
        return None
    before = [report.one_line(line) for line in expected[max(index - ways.PRECEDING, 0) : index]]
    return Difference(what, _item(expected, index), _item(got, index), before)


def _different_trace(inputs: Inputs, expected: Outcome, got: Outcome) -> Difference | None:
    from stoffel.cli import ways

    for name, trace in got.traces.items():
        index = trace.difference
        if index < 0:
            continue
        wanted = ways.Trace(wanted=index)
        ways.run(expected.way, inputs, hooks=name, trace=wanted)
        before = [report.one_line(text) for text in trace.before]
        for found in (wanted, trace):
            if found.place is not None:
                before += _listing(inputs.program, found.place)
        expected_text = report.one_line(wanted.text) if wanted.difference >= 0 else "the run ended"
        return Difference(f"event {index + 1}, {name}", expected_text, report.one_line(trace.text), before)
    return None


def _listing(program: Program, place: Place) -> list[str]:
    return _listing_at(program, place.function, place.instruction)


def _listing_at(program: Program, name: str, index: int) -> list[str]:
    """Return the instructions around one of them, which is marked."""
    from stoffel.cli import ways

    if name not in program.functions:
        return []
    instructions = program.functions[name].instructions
    first = max(index - ways.PRECEDING, 0)
    return [f"  function {report.one_line(name)}"] + [
        report.one_line(f"  {'>' if number == index else ' '} {number:6}  {instructions[number]}")
        for number in range(first, min(index + 3, len(instructions)))
    ]


# Reports


def _report(outcomes: list[Outcome], differences: list[Difference | None]) -> list[str]:
    reference = outcomes[0]
    rows = [("way", "time", "speed-up", "units", "kernels", "exits", "lines", "tables", "end", "")]
    for outcome, difference in zip(outcomes, differences, strict=True):
        verdict = "" if outcome is reference else ("same" if difference is None else f"DIFFERS: {difference.what}")
        rows.append(
            (
                outcome.way.name,
                f"{1000 * outcome.seconds:.2f} ms",
                f"{_speedup(reference, outcome):.2f}",
                str(outcome.units),
                str(outcome.kernels),
                str(outcome.exits),
                str(len(outcome.lines)),
                str(len(outcome.tables)),
                _cut(_end(outcome)),
                verdict,
            )
        )
    lines = [line.removeprefix("  ") for line in report.table(rows, left=(0, 8, 9))]
    lines += ["", _end(reference)]
    lines += [f"  {report.one_line(line)}" for line in reference.tables[:_SHOWN_TABLES]]
    if len(reference.tables) > _SHOWN_TABLES:
        lines.append(f"  ... {len(reference.tables) - _SHOWN_TABLES} more lines ...")
    for name, trace in reference.traces.items():
        lines.append(f"{report.count(len(trace.numbers), 'event')} with {name}, digest {trace.digest}")
    found = [(outcome, difference) for outcome, difference in zip(outcomes, differences, strict=True) if difference]
    if not found:
        return [*lines, f"all {len(outcomes)} ways agree"]
    outcome, difference = found[0]
    return [
        *lines,
        "",
        f"First difference, in the way '{outcome.way.name}': {difference.what}",
        f"  expected  {difference.expected}",
        f"  got       {difference.got}",
        *(f"  {line}" for line in difference.context),
    ]


def _speedup(reference: Outcome, outcome: Outcome) -> float:
    return reference.seconds / outcome.seconds if outcome.seconds else 0.0


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."


def _put_json(outcomes: list[Outcome], differences: list[Difference | None]) -> None:
    import json

    found = {
        "agree": not any(differences),
        "ways": [
            {
                "way": outcome.way.name,
                "seconds": outcome.seconds,
                "speedup": _speedup(outcomes[0], outcome),
                "result": outcome.result,
                "error": outcome.failure
                and {
                    "kind": outcome.failure.kind,
                    "message": outcome.failure.text,
                    "function": outcome.failure.function,
                    "instruction": outcome.failure.instruction,
                },
                "output": "".join(line + "\n" for line in outcome.lines),
                "tables": outcome.tables,
                "storage": outcome.stored,
                "traces": {
                    name: {"events": len(trace.numbers), "digest": trace.digest}
                    for name, trace in outcome.traces.items()
                },
                "stats": outcome.statistics,
                "difference": difference and difference._asdict(),
            }
            for outcome, difference in zip(outcomes, differences, strict=True)
        ],
    }
    report.put(json.dumps(found, ensure_ascii=False) + "\n")


COMMAND: Final = Command(
    name="compare",
    summary="Run a program in the interpreter and compiled, and show what differs.",
    operands=("FILE", "[ARG...]"),
    options=(
        Option("--entry", f"Function to run ({DEFAULT_ENTRY} unless given).", value="NAME"),
        Option("--hooks", "Compare all events that hooks see, too."),
        Option("--json", "Print one JSON object with everything that was seen."),
        Option("--local-store", "Give each run a copy of the LocalStorage in the SQLite file PATH.", value="PATH"),
        *LIMITS,
        Option("--seed", "Seed of the program's randomness, the same for each run (0 unless given).", value="N"),
    ),
    details=SYNTAX
    + """

Exit status: 0 all ways agree (also on an error), 1 something differs or the program cannot be started,
2 wrong command line, 3 the file is bad or refused, 130 interrupted, 141 the reader of the output went away.""",
    examples=(
        ("stoffel compare life.stflb 5", "main(5) in every tier"),
        ("stoffel compare --hooks life.stflb", "all events too"),
    ),
    run=run,
)
