"""Programs as text assembly. The language is described in ``docs/assembly.md``; ``assemble`` reads it back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from stoffel.isa.function import Function
from stoffel.isa.manifest import Client, Demand, Manifest, ShareType
from stoffel.isa.operand_text import format_constant, format_operands
from stoffel.isa.program import Program, intern_constants
from stoffel.isa.quoting import format_name
from stoffel.isa.scalars import constant_key
from stoffel.isa.table import OperandKind
from stoffel.isa.types import UNKNOWN

_INDENT: Final = "    "
_NAME_WIDTH: Final = 8
_COMMENT_COLUMN: Final = 40


def disassemble(program: Program) -> str:
    """Return *program* as text assembly that gives an equal program when assembled.

    A program that was built in Python may hold what no file can; its text is for reading only (see
    :func:`.format_constant`).
    """
    lines = [_headline(program), f".version {program.version}"]
    lines.extend(_manifest(program.manifest))
    lines.extend(_pool(program))
    for function in program.records:
        lines.append("")
        lines.extend(_function(function))
    lines.append("")
    return "\n".join(lines)


def disassemble_function(function: Function) -> str:
    """Return *function* as text assembly."""
    return "\n".join((*_function(function), ""))


def _headline(program: Program) -> str:
    def counted(number: int, noun: str) -> str:
        return f"{number} {noun}{'' if number == 1 else 's'}"

    size = sum(len(function.instructions) for function in program.records)
    return f"; {counted(len(program.records), 'function')}, {counted(size, 'instruction')}"


def _function(function: Function) -> Iterator[str]:
    yield _header(function)
    yield f"{_INDENT}.registers {function.registers}"
    if function.upvalues:
        yield f"{_INDENT}.upvalues ({', '.join(map(format_name, function.upvalues))})"
    if function.parent is not None:
        yield f"{_INDENT}.parent {format_name(function.parent)}"
    labels = function.labels
    size = len(function.instructions)
    names: dict[int, list[str]] = {}
    for name, target in labels.items():
        if target > size:
            yield f"{_INDENT}.label {format_name(name)} {target}"
        else:
            names.setdefault(target, []).append(name)
    body: list[str] = []
    undefined: dict[str, None] = {}
    for index, instruction in enumerate(function.instructions):
        for name in names.get(index, ()):
            body.append(f"{format_name(name)}:")
        note = f"; {index}"
        position = instruction.op.position(OperandKind.LABEL)
        if position is not None:
            label = instruction.operands[position]
            target = labels.get(label, -1)
            if target < 0:
                undefined[label] = None
            else:
                note += f" -> {target}"
        code = f"{_INDENT}{instruction.op.name:<{_NAME_WIDTH}}{format_operands(instruction.op, instruction.operands)}"
        body.append(f"{code:<{_COMMENT_COLUMN - 1}} {note}")
    for name in undefined:
        yield f"{_INDENT}.undefined {format_name(name)}"
    yield from body
    for name in names.get(size, ()):
        yield f"{format_name(name)}:"
    yield "end"


def _header(function: Function) -> str:
    parameters = [
        format_name(name) + ("" if kind == UNKNOWN else f": {kind}")
        for name, kind in zip(function.parameters, function.parameter_types, strict=True)
    ]
    result = "" if function.return_type == UNKNOWN else f" -> {function.return_type}"
    return f"function {format_name(function.name)}({', '.join(parameters)}){result}"


def _pool(program: Program) -> Iterator[str]:
    """Yield the constant pool if it is not the one that the assembler would make."""
    usual = intern_constants(program.records)
    if list(map(constant_key, usual)) == list(map(constant_key, program.constants)):
        return
    if not program.constants:
        yield ".constants ()"
        return
    yield ".constants ("
    for index, value in enumerate(program.constants):
        yield f"{_INDENT + format_constant(value) + ',':<{_COMMENT_COLUMN - 1}} ; {index}"
    yield ")"


def _manifest(manifest: Manifest) -> Iterator[str]:
    """Yield the parts of *manifest* that differ from those of a file without one."""
    usual = Manifest()
    if manifest.backend != usual.backend:
        yield f".backend {format_name(manifest.backend)}"
    if manifest.curve != usual.curve:
        yield f".curve {format_name(manifest.curve)}"
    for client in manifest.clients:
        yield _client(client)
    if manifest.demand != usual.demand:
        yield _demand(manifest.demand)


def _client(client: Client) -> str:
    parts = [f".client {client.slot}"]
    for direction in ("inputs", "outputs"):
        shares: tuple[ShareType, ...] = getattr(client, direction)
        if shares:
            parts.append(f"{direction} ({', '.join(map(_share, shares))})")
    return " ".join(parts)


def _share(share: ShareType) -> str:
    fields = (share.bits, share.fraction)[: len(share.row.fields)]
    return f"{share.kind}({', '.join(map(str, fields))})"


def _demand(demand: Demand) -> str:
    parts = [".demand"]
    for name in Demand.__slots__:
        value = getattr(demand, name)
        if value is True:
            parts.append(name)
        elif value:
            parts.append(f"{name} {value}")
    return " ".join(parts)
