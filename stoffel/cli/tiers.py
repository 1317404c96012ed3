"""What the compiled tiers did, as tables for people: the end of ``stoffel run --stats`` or ``--count-calls``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from stoffel.cli import report

if TYPE_CHECKING:
    from stoffel.jit.reports import ExitReport, FunctionReport, JitStatistics

_TITLES: Final = ("function", "tier", "calls", "units", "compile time", "code size", "loop entries")
_CALLS: Final = 2
"""The column that is there only if calls were counted."""
_KERNEL_TITLES: Final = ("kernel", "signature", "code", "runs", "left", "instructions")
_EXITS: Final = 10
"""Places shown at which compiled code was left for one reason."""
_SIGNATURE_WIDTH: Final = 60
"""Longest signature of a kernel shown in the table."""


def statistics_lines(statistics: JitStatistics) -> list[str]:
    """Return what ``vm.jit_statistics()`` says as lines of text."""
    if statistics["mode"] == "off":
        return ["compiled tier: off (see --jit)"]
    if "functions" not in statistics:
        return [f"compiled tier: {statistics['mode']}, but this Python is not one that it knows"]
    lines = [f"compiled tier: {statistics['mode']}"]
    functions = statistics["functions"]
    if any(
        counters["units"] or counters["refusal"] or counters["kernels"] or counters["kernel_refusal"]
        for counters in functions.values()
    ):
        rows = [_TITLES, *(_row(name, counters) for name, counters in functions.items())]
        if all(counters["calls"] is None for counters in functions.values()):
            rows = [row[:_CALLS] + row[_CALLS + 1 :] for row in rows]
        lines += report.table(rows, left=(0, 1))
    else:
        lines.append("  no function was worth compiling")
    lines += _kernel_lines(functions)
    lines.append(f"  entered {_times(statistics['runs'])}")
    for reason, number in statistics["deoptimisations"].items():
        lines.append(f"  left {_times(number)}: {reason}")
        exits = [found for found in statistics.get("exits", ()) if found["reason"] == reason]
        lines += [f"    {exit_line(found)}" for found in exits[:_EXITS]]
        if len(exits) > _EXITS:
            lines.append(f"    ... and at {report.count(len(exits) - _EXITS, 'more place')}")
    if statistics["records_rebuilt"]:
        lines.append(f"  {report.count(statistics['records_rebuilt'], 'activation record')} rebuilt")
    for name, counters in functions.items():
        if counters["inlined"]:
            lines.append(f"  {report.one_line(name)} inlines {', '.join(map(report.one_line, counters['inlined']))}")
        if counters["refusal"]:
            lines.append(
                f"  {report.one_line(name)} is left to the interpreter: {report.one_line(counters['refusal'])}"
            )
        if counters["kernel_refusal"]:
            which = "no other kernel" if counters["kernels"] else "no kernel"
            lines.append(f"  {report.one_line(name)} has {which}: {report.one_line(counters['kernel_refusal'])}")
    return lines


def exit_line(found: ExitReport) -> str:
    """Return where compiled code was left as a line: an item of ``exits`` of ``vm.jit_statistics()``."""
    if found["expected"]:
        why = f": expected {found['expected']}, saw {found['seen']}"
    else:
        why = f": {found['cause']}" if found["cause"] else ""
    place = f"step {found['instruction']} of {report.one_line(found['function'])}"
    line = f", line {found['line']}" if found["line"] else ""
    return f"left at {place}{line} ({_times(found['times'])}){why}"


def _row(name: str, counters: FunctionReport) -> tuple[str, ...]:
    return (
        report.one_line(name),
        counters["tier"],
        str(counters["calls"]),
        str(counters["units"]),
        f"{1000 * counters['compile_seconds']:.2f} ms",
        report.count(counters["code_size"], "byte"),
        str(counters["loop_entries"]),
    )


def _kernel_lines(functions: dict[str, Any]) -> list[str]:
    """Return the table of the kernels, and what it took to have them ready."""
    rows: list[tuple[str, ...]] = [_KERNEL_TITLES]
    for name, counters in functions.items():
        rows.extend(_kernel_row(report.one_line(name), kernel) for kernel in counters["kernels"])
    if len(rows) == 1:
        return []
    seconds = sum(counters["kernel_seconds"] for counters in functions.values())
    size = sum(counters["kernel_size"] for counters in functions.values())
    return [
        *report.table(rows, left=(0, 1, 2)),
        f"  {report.count(len(rows) - 1, 'kernel')} ready in {1000 * seconds:.2f} ms, {report.count(size, 'byte')}",
    ]


def _kernel_row(name: str, kernel: dict[str, Any]) -> tuple[str, ...]:
    entry = kernel["entry"]
    signature = signature_text(kernel["types"], kernel["result"], full=entry is None)
    if len(signature) > _SIGNATURE_WIDTH:
        signature = signature[: _SIGNATURE_WIDTH - 3] + "..."
    return (
        f"{name} at instruction {entry}" if entry else name,
        report.one_line(signature),
        "cached" if kernel["cached"] else "built",
        str(kernel["runs"]),
        str(kernel["left"]),
        str(kernel["instructions_run"]),
    )


def signature_text(codes: Sequence[str], result: str, *, full: bool = True) -> str:
    """Return types of values and result of a kernel: ``(int64, list[float]) -> int64``.

    Without *full* values are left out that are Unit, as most registers are at the start of a loop.
    """
    shown: Iterable[str] = codes if full else (code for code in codes if code != "nil")
    return f"({', '.join(map(type_text, shown))}) -> {type_text(result)}"


def type_text(code: str) -> str:
    """Return the type that a code of the kernel tier names, written as in text assembly where it has a name there."""
    from stoffel.compiler.kernels.analysis.types import notation, type_of_code

    return notation(type_of_code(code))


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
