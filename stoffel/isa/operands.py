"""Operands and other small pieces of text assembly: what follows from the operand kinds of the instruction table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from stoffel.isa.lexer import FINISH, NEWLINE, NUMBER, STRING, WORD, Lexer
from stoffel.isa.literals import NAN_BITS, float_of_bits, parse_number
from stoffel.isa.manifest import U64_MAX
from stoffel.isa.quoting import format_name
from stoffel.isa.table import Op, OperandKind, complete

U16_MAX: Final = (1 << 16) - 1
U32_MAX: Final = (1 << 32) - 1

Jumps = dict[str, int]
"""Label -> offset in the source of the first jump to it; filled while operands are read."""

_CONSTANT_WORDS: Final[dict[str, bool | float]] = {
    "true": True,
    "false": False,
    "nan": float_of_bits(NAN_BITS),
    "inf": float("inf"),
}


class OperandParser:
    """Reads pieces of a line from the current token of *lexer* on; raises AssemblyError for an unexpected one."""

    def __init__(self, lexer: Lexer) -> None:
        self.lexer = lexer

    def operand(self, kind: OperandKind, jumps: Jumps) -> Any:
        """Read an operand of *kind*; a label is noted in *jumps*."""
        return SYNTAX[kind.name].read(self, jumps)

    def register(self, _: Jumps) -> int:
        return self.numbered("r", "register")

    def slot(self, _: Jumps) -> int:
        return self.numbered("slot", "spill slot")

    def numbered(self, prefix: str, what: str) -> int:
        """Read a word such as ``r12``; its number must fit 32 bits."""
        lexer = self.lexer
        digits = lexer.value[len(prefix) :]
        if lexer.kind != WORD or lexer.value[: len(prefix)].lower() != prefix or not _is_decimal(digits):
            raise lexer.expected(f"a {what} such as {prefix}0")
        number = int(digits) if len(digits) <= 10 else U32_MAX + 1
        if number > U32_MAX:
            raise lexer.error(f"expected a {what} from {prefix}0 to {prefix}{U32_MAX}, found {lexer.found()}")
        lexer.advance()
        return number

    def offset(self, _: Jumps) -> int:
        lexer = self.lexer
        if lexer.kind != WORD or lexer.value.lower() != "sp":
            raise lexer.expected(SYNTAX["OFFSET"].expected)
        lexer.advance()
        text = lexer.value
        if lexer.kind != NUMBER or text[0] not in "+-" or not _is_decimal(text[1:]):
            raise lexer.expected("a signed number after 'sp', as in sp-1")
        if len(text) > 11 or not -(1 << 31) <= int(text) < 1 << 31:
            raise lexer.error(f"expected an offset from sp-2147483648 to sp+2147483647, found {lexer.found()}")
        lexer.advance()
        return int(text)

    def label(self, jumps: Jumps) -> str:
        start = self.lexer.start
        name = self.name("a label")
        jumps.setdefault(name, start)
        return name

    def function_name(self, _: Jumps) -> str:
        return self.name("a function name")

    def constant_operand(self, _: Jumps) -> Any:
        return self.constant()

    def constant(self) -> Any:
        lexer = self.lexer
        value: Any
        if lexer.kind == NUMBER:
            value = self.number()
        elif lexer.kind == STRING:
            value = lexer.value
        elif lexer.kind == WORD and lexer.value in _CONSTANT_WORDS:
            value = _CONSTANT_WORDS[lexer.value]
        elif lexer.kind == "(":
            lexer.advance()
            if lexer.kind != ")":
                raise lexer.expected("')' of the Unit constant '()'")
            value = None
        else:
            raise lexer.expected(SYNTAX["CONSTANT"].expected)
        lexer.advance()
        return value

    # Pieces ---------------------------------------------------------------------------------------------------------

    def name(self, what: str) -> str:
        lexer = self.lexer
        if lexer.kind not in (WORD, STRING):
            raise lexer.expected(f"{what} (quoted if it is not a plain word)")
        name = lexer.value
        lexer.advance()
        return name

    def one_of(self, names: tuple[str, ...]) -> str:
        lexer = self.lexer
        if lexer.kind not in (WORD, STRING) or lexer.value not in names:
            raise lexer.expected(f"one of {', '.join(map(format_name, names))}")
        name = lexer.value
        lexer.advance()
        return name

    def number(self) -> int | float:
        try:
            return parse_number(self.lexer.value)
        except ValueError as error:
            raise self.lexer.error(str(error)) from None

    def integer(self, maximum: int, what: str) -> int:
        lexer = self.lexer
        value = self.plain_integer()
        if value is None or value > maximum:
            raise lexer.expected(f"{what} from 0 to {maximum}")
        lexer.advance()
        return value

    def plain_integer(self) -> int | None:
        lexer = self.lexer
        if lexer.kind != NUMBER or not _is_decimal(lexer.value):
            return None
        return int(lexer.value) if len(lexer.value) <= 20 else U64_MAX + 1

    def mark(self, mark: str, what: str) -> None:
        if self.lexer.kind != mark:
            raise self.lexer.expected(what)
        self.lexer.advance()

    def listed(self, item: Callable[[], Any]) -> list[Any]:
        """Read ``( item, item, )``; line breaks may stand between the parts, and the last comma may be missing."""
        lexer = self.lexer
        self.mark("(", "'('")
        found: list[Any] = []
        self.line_breaks()
        while lexer.kind != ")":
            found.append(item())
            self.line_breaks()
            if lexer.kind != ")":
                self.mark(",", "',' or ')'")
                self.line_breaks()
        lexer.advance()
        return found

    def line_breaks(self) -> None:
        while self.lexer.kind == NEWLINE:
            self.lexer.advance()

    def end_of_line(self, row: Op | None = None) -> None:
        if self.lexer.kind not in (NEWLINE, FINISH):
            raise self.lexer.expected("the end of the line" + (f" after '{sample(row)}'" if row is not None else ""))


class OperandSyntax(NamedTuple):
    """How operands of one kind are written."""

    read: Callable[[OperandParser, Jumps], Any]
    expected: str
    sample: str


SYNTAX: Final[dict[str, OperandSyntax]] = complete(
    {
        "TARGET": OperandSyntax(OperandParser.register, "a register such as r0", "r0"),
        "SOURCE": OperandSyntax(OperandParser.register, "a register such as r0", "r1"),
        "OFFSET": OperandSyntax(OperandParser.offset, "an argument stack offset such as sp-1 or sp+0", "sp-1"),
        "CONSTANT": OperandSyntax(
            OperandParser.constant_operand, 'a constant such as 5, 5u8, 1.5f, true, "text" or ()', "5"
        ),
        "SLOT": OperandSyntax(OperandParser.slot, "a spill slot such as slot0", "slot0"),
        "LABEL": OperandSyntax(OperandParser.label, "a label", "label"),
        "FUNCTION": OperandSyntax(OperandParser.function_name, "a function name", "name"),
    },
    OperandKind.__members__,
    "assembler",
)
"""Syntax by the name of the operand kind."""


def sample(row: Op) -> str:
    """Return an example of how the instruction *row* is written, for errors and for the manual: ``ADD r0, r1, r1``."""
    return f"{row.name} {', '.join(SYNTAX[operand.kind.name].sample for operand in row.operands)}".rstrip()


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdecimal()
