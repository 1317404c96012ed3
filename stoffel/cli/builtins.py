"""``stoffel builtins``: the builtins as the table declares them, all of them or one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from stoffel.cli import report, status
from stoffel.cli.options import Command, Parsed, UsageError, suggestion

if TYPE_CHECKING:
    from stoffel.model.builtins.declaration import Builtin


def run(parsed: Parsed) -> int:
    """List all builtins, or tell everything about the one that is named; raises UsageError if there is none."""
    from stoffel.model.builtins.table import BY_NAME, LIBRARY, MPC

    if parsed.operands:
        name = parsed.operands[0]
        if name not in BY_NAME:
            raise UsageError(f"there is no builtin '{name}'{suggestion(name, list(BY_NAME))}")
        lines = list(description(BY_NAME[name]))
    else:
        lines = []
        for family in (*LIBRARY, *MPC):
            lines += [f"{family.title}:", *[f"  {row.signature}" for row in family.rows], ""]
        lines.append("stoffel builtins NAME tells more about one.")
    report.put("".join(f"{line}\n" for line in lines))
    return status.OK


def description(row: Builtin) -> Iterator[str]:
    """Yield what the table says about one builtin, line by line."""
    yield f"{row.signature} -> {row.result.words}"
    yield row.summary
    if row.parameters:
        yield "\nArguments:"
        width = max(len(parameter.name) for parameter in row.parameters)
        for parameter in row.parameters:
            left_out = ", may be left out" if parameter.optional else ""
            yield f"  {parameter.name:<{width}}  {parameter.kinds.words}{left_out}"
    yield f"\nMore arguments are {row.more}."
    yield f"Effects: {', '.join(sorted(row.effects)) or 'none'}."
    if row.receiver:
        yield f"CALL {row.method} means it too where the first argument is a {row.receiver}."
    yield f"Compiled code: {_tiers(row)}."
    if charges := list(_charges(row)):
        yield f"Charged in limited runs: {'; '.join(charges)}."
    errors = [*([row.too_few] if row.minimum else []), *([] if row.maximum is None else [row.too_many]), *row.errors]
    if errors:
        yield "\nErrors:"
        yield from (f"  {text}" for text in dict.fromkeys(errors))
    yield "\nExample:"
    *before, last = row.example.split("; ")
    yield from (f"  {statement}" for statement in before)
    yield f"  {last}  # {row.gives}"


def _charges(row: Builtin) -> Iterator[str]:
    """Yield the formulas of what a limited run pays for a call."""
    from stoffel.runtime.limits import ELEMENTS_PER_INSTRUCTION

    if row.work != "0":
        yield f"an instruction per {ELEMENTS_PER_INSTRUCTION} of {row.work}"
    if row.text != "0":
        yield f"a string of {row.text} bytes"
    if row.makes is not None:
        yield f"a table of {row.makes} elements"
    if row.grows != "0":
        yield f"{row.grows} elements added"


def _tiers(row: Builtin) -> str:
    """Return in words which of the compiled tiers have the builtin in code of their own."""
    from stoffel.compiler.analysis import calls
    from stoffel.compiler.kernels.analysis import builtin_types, closure_calls

    code = "expanded in code objects" if row.name in calls.NATIVE else "called from code objects"
    kernels = row.name in builtin_types.NATIVE | closure_calls.NATIVE
    return f"{code}, {'expanded in kernels' if kernels else 'left to the interpreter by kernels'}"


COMMAND: Final = Command(
    name="builtins",
    summary="List the builtins, or tell everything about one.",
    operands=("[NAME]",),
    options=(),
    examples=(
        ("stoffel builtins", "list them"),
        ("stoffel builtins array_push", "tell everything about one"),
    ),
    run=run,
)
