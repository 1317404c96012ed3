"""Instructions, operands and constants as text assembly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from stoffel.isa.quoting import format_name, quote
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.table import BY_CODE, Op, OperandKind, complete


def format_instruction(op: Op, operands: tuple[Any, ...]) -> str:
    """Return an instruction as one line of text assembly, without padding: ``ADD r0, r1, r2``."""
    text = format_operands(op, operands)
    return f"{op.name} {text}" if text else op.name


def format_constant(value: object) -> str:
    """Return a constant as text assembly.

    A value that no file can hold, such as a table handle put into an instruction by a Python program, is shown as the
    name of its type in angle brackets, which the assembler refuses.
    """
    write = _CONSTANTS.get(type(value))
    return f"<{type(value).__name__}>" if write is None else write(value)


def _format_float(value: float) -> str:
    if value == value:
        text = repr(value)
        return text if text.endswith("inf") else text + "f"
    from stoffel.isa.literals import NAN_BITS, bits_of_float

    bits = bits_of_float(value)
    return "nan" if bits == NAN_BITS else f"nan:0x{bits:016x}"


def _integer_writer(suffix: str) -> Callable[[Any], str]:
    return lambda value: f"{int(value)}{suffix}"


_CONSTANTS: Final[dict[type, Callable[[Any], str]]] = {
    **{cls: _integer_writer(kind.suffix) for cls, kind in INTEGER_KINDS.items()},
    float: _format_float,
    bool: lambda value: "true" if value else "false",
    str: quote,
    type(None): lambda _: "()",
}

_WRITERS: Final[dict[str, Callable[[Any], str]]] = complete(
    {
        "TARGET": "r{}".format,
        "SOURCE": "r{}".format,
        "OFFSET": "sp{:+d}".format,
        "CONSTANT": format_constant,
        "SLOT": "slot{}".format,
        "LABEL": format_name,
        "FUNCTION": format_name,
    },
    OperandKind.__members__,
    "disassembler",
)
"""How an operand of each kind is written."""

_ROW_WRITERS: Final = {
    code: tuple(_WRITERS[operand.kind.name] for operand in row.operands) for code, row in BY_CODE.items()
}


def format_operands(op: Op, operands: tuple[Any, ...]) -> str:
    """Return the operands of an instruction as text assembly: ``r0, r1, r2``."""
    return ", ".join([write(value) for write, value in zip(_ROW_WRITERS[op.code], operands, strict=True)])
