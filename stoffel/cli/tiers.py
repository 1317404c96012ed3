"""What the compiled tier did, as a table for people: the end of ``stoffel run --stats``."""

from __future__ import annotations

from typing import Any, Final

from stoffel.cli import report

_TITLES: Final = ("function", "tier", "units", "compile time", "code size", "loop entries")


def statistics_lines(statistics: dict[str, Any]) -> list[str]:
    """Return what ``vm.jit_statistics()`` says as lines of text."""
    if statistics["mode"] == "off":
        return ["compiled tier: off (see --jit)"]
    if "functions" not in statistics:
        return [f"compiled tier: {statistics['mode']}, but this Python is not one that it knows"]
    lines = [f"compiled tier: {statistics['mode']}"]
    functions = statistics["functions"]
    if functions:
        rows = [_TITLES, *(_row(name, counters) for name, counters in functions.items())]
        lines += report.table(rows, left=(0, 1))
    else:
        lines.append("  no function was worth compiling")
    lines.append(f"  entered {_times(statistics['runs'])}")
    for reason, number in statistics["deoptimisations"].items():
        lines.append(f"  left {_times(number)}: {reason}")
    if statistics["records_rebuilt"]:
        lines.append(f"  {report.count(statistics['records_rebuilt'], 'activation record')} rebuilt")
    for name, counters in functions.items():
        if counters["refusal"]:
            lines.append(
                f"  {report.one_line(name)} is left to the interpreter: {report.one_line(counters['refusal'])}"
            )
    return lines


def _row(name: str, counters: dict[str, Any]) -> tuple[str, ...]:
    return (
        report.one_line(name),
        counters["tier"],
        str(counters["units"]),
        f"{1000 * counters['compile_seconds']:.2f} ms",
        report.count(counters["code_size"], "byte"),
        str(counters["loop_entries"]),
    )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
