"""Programs and functions as pickles: the bytes of a ``.stflb`` file with the line tables that no such file holds.

What such a file cannot hold as it is (a name that is too long, a constant that is no machine value, a field that an
older version drops) is pickled part by part instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stoffel.errors import LoadError, SaveError
from stoffel.isa.function import Function
from stoffel.isa.lines import LineTable
from stoffel.isa.program import Program
from stoffel.isa.reader import load


def reduce_program(program: Program) -> tuple[Any, ...]:
    """Return what ``Program.__reduce__`` does."""
    lines = [function.line_table for function in program.records]
    data = _as_file(program)
    if data is not None:
        return _program, (data, lines if any(lines) else None)
    return _program_of_parts, (program.records, program.constants, program.manifest, program.version)


def reduce_function(function: Function) -> tuple[Any, ...]:
    """Return what ``Function.__reduce__`` does."""
    data = _as_file(Program([function]))
    if data is not None:
        return _function, (data, function.line_table)
    fields = {name: getattr(function, name) for name in Function.__slots__}
    fields["labels"] = dict(function.labels)
    fields["instructions"] = tuple(function.instructions)
    return _function_of_parts, (fields,)


def _as_file(program: Program) -> bytes | None:
    """Return the bytes of *program*, None unless they mean the same."""
    try:
        data = program.to_bytes()
        return data if load(data) == program else None
    except (SaveError, LoadError):
        return None


def _with_lines(function: Function, lines: LineTable | None) -> Function:
    return function if lines is None else function.with_lines(lines)


def _program(data: bytes, lines: Sequence[LineTable | None] | None) -> Program:
    program = load(data)
    if lines is None:
        return program
    records = map(_with_lines, program.records, lines)
    return Program(records, constants=program.constants, manifest=program.manifest, version=program.version)


def _program_of_parts(records: Sequence[Function], constants: Sequence[Any], manifest: Any, version: int) -> Program:
    return Program(records, constants=constants, manifest=manifest, version=version)


def _function(data: bytes, lines: LineTable | None) -> Function:
    return _with_lines(load(data).records[0], lines)


def _function_of_parts(fields: dict[str, Any]) -> Function:
    return Function(**fields)
