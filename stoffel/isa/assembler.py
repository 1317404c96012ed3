"""Text assembly to programs. The language is described in ``docs/assembly.md``; ``disassemble`` writes it.

The parser works line by line on the tokens of ``stoffel.isa.lexer`` and stops at the first error, unless all of them
are wanted. What operands look like follows from the operand kinds of the instruction table.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from stoffel.errors import AssemblyError, nearest
from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.layout import CURRENT_VERSION
from stoffel.isa.lexer import DIRECTIVE, FINISH, NEWLINE, STRING, WORD, Lexer
from stoffel.isa.lines import LineTable
from stoffel.isa.manifest import BACKENDS, CURVES, SHARE_KINDS, U64_MAX, Client, Demand, Manifest, ShareType
from stoffel.isa.operands import SYNTAX, U16_MAX, U32_MAX, OperandParser, sample
from stoffel.isa.program import Program
from stoffel.isa.quoting import format_name
from stoffel.isa.table import BY_NAME, Op, OperandKind
from stoffel.isa.types import UNKNOWN, Type

_LINES_REMEMBERED: Final = 1 << 16
_MOST_MISTAKES: Final = 100
"""Mistakes that are told of one text; after so many it probably is no assembly."""
_OUTSIDE: Final = re.compile(r"^[ \t\r]*(?=(?i:function)\b|\.)", re.MULTILINE)
"""What may stand outside a function."""


def assemble(text: str | bytes, *, path: str = "<assembly>") -> Program:
    """Return the program that *text* (bytes are UTF-8) describes in text assembly.

    *path* is what errors call the text. Raises AssemblyError, with line and column, at the first mistake.
    """
    return _Parser(_decoded(text, path), path).program()


def mistakes(text: str | bytes, *, path: str = "<assembly>") -> list[AssemblyError]:
    """Return all mistakes in text assembly, in the order of their lines; of very many only the first ones.

    After a mistake reading goes on with the next line. Parameters as :func:`assemble`.
    """
    found: list[AssemblyError] = []
    try:
        _Parser(_decoded(text, path), path, found).program()
    except AssemblyError as error:
        found.append(error)
    return sorted(found, key=lambda error: (error.line, error.column))


def _decoded(text: str | bytes, path: str) -> str:
    if isinstance(text, bytes):
        text = _decode(text, path)
    elif not isinstance(text, str):
        raise TypeError(f"assembly must be a str or bytes, not {type(text).__name__}")
    return text.removeprefix("\ufeff")


def _decode(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line_start = before.rfind(b"\n") + 1
        column = len(before[line_start:].decode("utf-8")) + 1
        message = f"byte 0x{data[error.start]:02x} is not UTF-8 text"
        raise AssemblyError(message, path=path, line=before.count(b"\n") + 1, column=column) from None


class _Draft:
    """A function while its body is read."""

    __slots__ = ("name", "start", "body", "offsets", "labels", "jumps", "undefined", "registers", "upvalues", "parent")

    def __init__(self, name: str, start: int) -> None:
        self.name = name
        self.start = start
        self.body: list[Instruction] = []
        self.offsets = array("Q")
        """Offset in the source of each instruction of the body, or of the start of its line."""
        self.labels: dict[str, tuple[int, int]] = {}
        """Label -> instruction index, offset of the definition in the source."""
        self.jumps: dict[str, int] = {}
        """Label -> offset of the first jump to it."""
        self.undefined: set[str] = set()
        self.registers: int | None = None
        self.upvalues: tuple[str, ...] | None = None
        self.parent: str | None = None


class _Parser(OperandParser):
    def __init__(self, source: str, path: str, mistakes: list[AssemblyError] | None = None) -> None:
        super().__init__(Lexer(source, path))
        self.mistakes = mistakes
        self.version: int | None = None
        self.constants: list[Any] | None = None
        self.backend: str | None = None
        self.curve: str | None = None
        self.clients: list[Client] = []
        self.demand: Demand | None = None
        self.functions: list[Function] = []
        self.defined: dict[str, tuple[Function, int]] = {}
        # Instructions by the text of their line: compiled programs repeat few lines many times.
        self.known_lines: dict[str, Instruction] = {}
        # A line and where it begins: the line of the latest instruction of a table.
        self.latest_line = 1, 0

    # Program --------------------------------------------------------------------------------------------------------

    def program(self) -> Program:
        lexer = self.lexer
        while True:
            while lexer.kind == NEWLINE:
                lexer.advance()
            if lexer.kind == FINISH:
                break
            try:
                if lexer.kind == WORD and lexer.value.lower() == "function":
                    self.function()
                elif lexer.kind == DIRECTIVE:
                    self.directive(_PROGRAM_DIRECTIVES, "before a function")(self)
                    self.end_of_line()
                else:
                    raise lexer.expected(f"'function' or one of {', '.join(_PROGRAM_DIRECTIVES)}")
            except AssemblyError as error:
                self.note(error)
                lexer.skip_line()
                outside = _OUTSIDE.search(lexer.source, lexer.end)
                lexer.end = len(lexer.source) if outside is None else outside.end()
        return Program(
            self.functions,
            constants=self.constants,
            manifest=Manifest(self.backend or BACKENDS[0], self.curve or CURVES[0], self.clients, self.demand),
            version=CURRENT_VERSION if self.version is None else self.version,
        )

    def note(self, error: AssemblyError) -> None:
        """Note a mistake after which reading goes on; raise it if only one is wanted, or there are too many."""
        if self.mistakes is None or len(self.mistakes) + 1 >= _MOST_MISTAKES:
            raise error
        self.mistakes.append(error)

    def directive(self, known: dict[str, Handler], where: str) -> Handler:
        """Return the handler of the directive that is the current token, and step over it."""
        lexer = self.lexer
        handler = known.get(lexer.value)
        if handler is None:
            hint = _nearest(lexer.value, known)
            raise lexer.error(f"unknown directive {lexer.found()} {where}{hint}; expected one of {', '.join(known)}")
        lexer.advance()
        return handler

    def once(self, present: object, name: str) -> None:
        if present is not None:
            raise self.lexer.error(f"{name} is given a second time; expected at most one")

    def version_directive(self) -> None:
        self.once(self.version, ".version")
        self.version = self.integer(CURRENT_VERSION, "a format version")

    def constants_directive(self) -> None:
        self.once(self.constants, ".constants")
        self.constants = self.listed(self.constant)

    def backend_directive(self) -> None:
        self.once(self.backend, ".backend")
        self.backend = self.one_of(BACKENDS)

    def curve_directive(self) -> None:
        self.once(self.curve, ".curve")
        self.curve = self.one_of(CURVES)

    def client_directive(self) -> None:
        lexer = self.lexer
        slot = self.integer(U64_MAX, "a client slot")
        shares: dict[str, list[ShareType]] = {}
        while lexer.kind == WORD:
            direction = lexer.value
            if direction not in ("inputs", "outputs") or direction in shares:
                raise lexer.expected("'inputs' or 'outputs', each at most once")
            lexer.advance()
            shares[direction] = self.listed(self.share_type)
        self.clients.append(Client(slot, **shares))

    def share_type(self) -> ShareType:
        lexer = self.lexer
        start = lexer.start
        kinds = {kind.name: kind for kind in SHARE_KINDS}
        if lexer.kind != WORD or lexer.value not in kinds:
            raise lexer.expected(f"a share type ({', '.join(kinds)})")
        kind = kinds[lexer.value]
        lexer.advance()
        self.mark("(", "'(' before the sizes")
        sizes: list[int] = []
        for what in kind.fields:
            if sizes:
                self.mark(",", f"',' and then {what}")
            sizes.append(self.integer(U32_MAX, what))
        self.mark(")", "')'")
        try:
            return ShareType(kind.name, *sizes)
        except ValueError as error:
            raise lexer.error(str(error), start) from None

    def demand_directive(self) -> None:
        self.once(self.demand, ".demand")
        lexer = self.lexer
        amounts: dict[str, Any] = {}
        while lexer.kind == WORD:
            name = lexer.value
            if name not in Demand.__slots__ or name in amounts:
                raise lexer.expected(f"one of {', '.join(Demand.__slots__)}, each at most once")
            lexer.advance()
            amounts[name] = True if name == "dynamic" else self.integer(U64_MAX, f"the number of {name}")
        self.demand = Demand(**amounts)

    # Function -------------------------------------------------------------------------------------------------------

    def function(self) -> None:
        lexer = self.lexer
        start = lexer.start
        known = 0 if self.mistakes is None else len(self.mistakes)
        draft = _Draft("", start)
        parameters: list[tuple[str, Type]] = []
        result = UNKNOWN
        try:
            lexer.advance()
            draft.name = self.name("a function name")
            parameters = self.listed(self.parameter)
            if lexer.kind == "->":
                result = lexer.type()
            self.end_of_line()
        except AssemblyError as error:
            self.note(error)
            lexer.skip_line()
        self.body(draft)
        if draft.registers is None:
            used = _highest_register(draft.body) + 1
            draft.registers = min(max(used, len(parameters)), U16_MAX)  # a hint; the field in a file has 16 bits
        for label, at in draft.jumps.items():
            if label not in draft.labels and label not in draft.undefined:
                hint = _nearest(label, draft.labels)
                self.note(
                    lexer.error(f"unknown label {format_name(label)}{hint}; expected one that the function defines", at)
                )
        if self.mistakes is not None and len(self.mistakes) > known:
            return
        function = Function(
            draft.name,
            draft.body,
            parameters=[name for name, _ in parameters],
            parameter_types=[kind for _, kind in parameters],
            return_type=result,
            upvalues=draft.upvalues or (),
            registers=draft.registers,
            labels={label: target for label, (target, _) in draft.labels.items()},
            parent=draft.parent,
            line_table=LineTable(lexer.path, self.lines(draft.offsets)),
        )
        first, first_at = self.defined.setdefault(draft.name, (function, start))
        if first != function:
            self.note(
                lexer.error(
                    f"duplicate function {format_name(draft.name)} has conflicting definitions; expected another name, "
                    f"or the same as in line {self.line(first_at)}",
                    start,
                )
            )
            return
        self.functions.append(function)

    def parameter(self) -> tuple[str, Type]:
        name = self.name("a parameter name")
        return name, self.lexer.type() if self.lexer.kind == ":" else UNKNOWN

    def body(self, draft: _Draft) -> None:
        """Read the lines up to and including ``end``."""
        lexer = self.lexer
        while True:
            try:
                if lexer.kind == NEWLINE:
                    self.skip_known_lines(draft)
                    lexer.advance()
                elif lexer.kind in (WORD, STRING):
                    if self.statement(draft):
                        return
                elif lexer.kind == DIRECTIVE:
                    self.directive(_FUNCTION_DIRECTIVES, "in a function")(self, draft)
                    self.end_of_line()
                elif lexer.kind == FINISH:
                    raise lexer.expected(f"'end' of the function begun in line {self.line(draft.start)}")
                else:
                    raise lexer.expected("an instruction, a label and ':', a directive or 'end'")
            except AssemblyError as error:
                self.note(error)
                if lexer.kind == FINISH or (lexer.kind == WORD and lexer.value.lower() == "function"):
                    return
                lexer.skip_line()

    def skip_known_lines(self, draft: _Draft) -> None:
        """Take the lines after the current line break for as long as they are instructions seen before."""
        lexer = self.lexer
        source, end, known = lexer.source, lexer.end, self.known_lines
        while True:
            stop = source.find("\n", end)
            instruction = known.get(_code_of(source, end, stop)) if stop >= 0 else None
            if instruction is None:
                lexer.end = end
                return
            draft.body.append(instruction)
            draft.offsets.append(end)
            end = stop + 1

    def statement(self, draft: _Draft) -> bool:
        """Read a label definition, an instruction or ``end``; return whether it was ``end``."""
        lexer = self.lexer
        kind, value, start, end = lexer.kind, lexer.value, lexer.start, lexer.end
        lexer.advance()
        if lexer.kind == ":":
            lexer.advance()
            self.define(draft, value, len(draft.body), start)
            return False
        word = value.upper() if kind == WORD and value.isascii() else ""
        if word == "END":
            self.end_of_line()
            return True
        row = BY_NAME.get(word)
        if row is None:
            lexer.kind, lexer.value, lexer.start, lexer.end = kind, value, start, end
            if word == "FUNCTION":
                raise lexer.expected(f"'end' of the function begun in line {self.line(draft.start)}")
            hint = _nearest(word, (*BY_NAME, "END"))
            raise lexer.error(f"expected an instruction, a label and ':', or 'end', found {lexer.found()}{hint}")
        instruction = self.instruction(row, draft)
        draft.body.append(instruction)
        draft.offsets.append(start)
        self.end_of_line(row)
        if lexer.kind == NEWLINE:
            self.remember(instruction, start)
        return False

    def remember(self, instruction: Instruction, start: int) -> None:
        """Keep an instruction that began at *start* and ends at the current line break, if it fills its line."""
        lexer = self.lexer
        if len(self.known_lines) < _LINES_REMEMBERED and instruction.op.position(OperandKind.LABEL) is None:
            line = lexer.source.rfind("\n", 0, start) + 1
            code = _code_of(lexer.source, line, lexer.start)
            if '"' not in code and not lexer.source[line:start].strip():
                self.known_lines[code] = instruction

    def instruction(self, row: Op, draft: _Draft) -> Instruction:
        operands: list[Any] = []
        for operand in row.operands:
            if operands:
                if self.lexer.kind != ",":
                    raise self.lexer.expected(
                        f"',' and then {SYNTAX[operand.kind.name].expected}, as in '{sample(row)}'"
                    )
                self.lexer.advance()
            operands.append(self.operand(operand.kind, draft.jumps))
        return Instruction._from_trusted(row, tuple(operands))

    def define(self, draft: _Draft, label: str, target: int, start: int) -> None:
        _, first = draft.labels.setdefault(label, (target, start))
        if first != start:
            raise self.lexer.error(
                f"label {format_name(label)} is defined a second time; expected a name other than that in line "
                f"{self.line(first)}",
                start,
            )

    def registers_directive(self, draft: _Draft) -> None:
        self.once(draft.registers, ".registers")
        draft.registers = self.integer(U16_MAX, "a register count")

    def upvalues_directive(self, draft: _Draft) -> None:
        self.once(draft.upvalues, ".upvalues")
        draft.upvalues = tuple(self.listed(lambda: self.name("an upvalue name")))

    def parent_directive(self, draft: _Draft) -> None:
        self.once(draft.parent, ".parent")
        draft.parent = self.name("the name of the parent function")

    def label_directive(self, draft: _Draft) -> None:
        start = self.lexer.start
        label = self.name("a label")
        self.define(draft, label, self.integer(U32_MAX, "an instruction index"), start)

    def undefined_directive(self, draft: _Draft) -> None:
        draft.undefined.add(self.name("a label"))

    def lines(self, offsets: Iterable[int]) -> Sequence[int]:
        """Return the lines of *offsets*, which ascend from one call to the next too."""
        source = self.lexer.source
        line, position = self.latest_line
        result = array("I")
        for offset in offsets:
            line += source.count("\n", position, offset)
            position = offset
            result.append(line)
        self.latest_line = line, position
        return result

    def line(self, position: int) -> int:
        return self.lexer.source.count("\n", 0, position) + 1


Handler = Callable[..., None]

_PROGRAM_DIRECTIVES: Final[dict[str, Handler]] = {
    ".version": _Parser.version_directive,
    ".constants": _Parser.constants_directive,
    ".backend": _Parser.backend_directive,
    ".curve": _Parser.curve_directive,
    ".client": _Parser.client_directive,
    ".demand": _Parser.demand_directive,
}
_FUNCTION_DIRECTIVES: Final[dict[str, Handler]] = {
    ".registers": _Parser.registers_directive,
    ".upvalues": _Parser.upvalues_directive,
    ".parent": _Parser.parent_directive,
    ".label": _Parser.label_directive,
    ".undefined": _Parser.undefined_directive,
}


def _code_of(source: str, start: int, stop: int) -> str:
    """Return the line from *start* to *stop* without comment and surrounding blanks.

    Wrong if a semicolon stands in a string literal, so a result that has a quote must not be used as a key.
    """
    comment = source.find(";", start, stop)
    return source[start : stop if comment < 0 else comment].strip(" \t\r")


def _highest_register(body: list[Instruction]) -> int:
    return max(
        (
            value
            for instruction in body
            for operand, value in zip(instruction.op.operands, instruction.operands, strict=True)
            if operand.kind.is_register
        ),
        default=-1,
    )


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the name in *known* that is most like *name*, or nothing."""
    close = nearest(name, known)
    return f" (did you mean {format_name(close) if close[0] != '.' else close}?)" if close else ""
