"""A function with what is inlined into it: one numbering of instructions and registers, and whose each of them is."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, NamedTuple

from stoffel.errors import escaped
from stoffel.isa.instruction import Instruction
from stoffel.isa.table import Flow, OperandKind
from stoffel.model.code import Code
from stoffel.model.values import Shape


class Inlined:
    """One call that is inlined: where its instructions and places are.

    ``call`` is the index of the CALL, ``base`` that of the first instruction of ``code``; ``outer`` is the inlined
    call that the CALL belongs to, None for the function itself, and ``depth`` the number of such calls with this one.
    Its registers begin at place ``first``; the arguments as they were bound at ``bound``; ``flag`` holds the compare
    flag of the caller, ``closure`` the closure that runs (-1 for a plain call). ``end`` is the place after all those.
    ``shape`` is the one that the closure is expected to have.
    """

    __slots__ = ("base", "bound", "call", "closure", "code", "depth", "end", "first", "flag", "outer", "shape")

    def __init__(
        self, code: Code, base: int, call: int, first: int, outer: Inlined | None, shape: Shape | None = None
    ) -> None:
        self.code = code
        self.base = base
        self.call = call
        self.outer = outer
        self.depth: int = 1 if outer is None else outer.depth + 1
        self.shape = shape
        self.first = first
        self.bound = first + code.register_count
        self.flag = self.bound + len(code.parameters)
        self.closure = -1 if shape is None else self.flag + 1
        self.end = self.flag + (1 if shape is None else 2)

    @property
    def result(self) -> int:
        """The place that the result goes to: register 0 of the caller."""
        return 0 if self.outer is None else self.outer.first

    @property
    def captured(self) -> tuple[str, ...] | None:
        """Upvalue names of the closure that runs, None for a plain call."""
        return None if self.shape is None else self.shape[1]


class Splice:
    """A function with what is inlined into it.

    ``own`` are the instructions of the function; ``instructions`` are those, a RET of register 0 that stands for its
    end, and the chunks, each with such an end. ``registers`` is the number of registers with those of the chunks.
    ``by_call`` finds an inlined call by the index of its CALL.
    """

    __slots__ = ("_bases", "by_call", "chunks", "code", "inlined", "instructions", "layout", "own", "registers")

    def __init__(self, code: Code, instructions: list[Instruction]) -> None:
        self.code = code
        self.own = instructions
        self.instructions = instructions
        self.registers = code.register_count
        self.inlined: list[Inlined] = []
        self.by_call: dict[int, Inlined] = {}
        self.chunks: list[list[Instruction]] = []
        self.layout: Any = None
        """The numbering of places, made by the compiler; None until then."""
        self._bases: list[int] = []

    def at(self, index: int) -> Inlined | None:
        """Return the inlined call that instruction *index* belongs to, None for the function itself."""
        position = bisect_right(self._bases, index)
        return self.inlined[position - 1] if position else None

    def position(self, index: int) -> tuple[Code, int]:
        """Return the function that instruction *index* belongs to, and its index there."""
        inlined = self.at(index)
        return (self.code, index) if inlined is None else (inlined.code, index - inlined.base)

    def positions(self, index: int) -> list[tuple[Code, int]]:
        """Return the same for the CALLs around *index* too, outermost first."""
        result = []
        inlined = self.at(index)
        while inlined is not None:
            result.append((inlined.code, index - inlined.base))
            index, inlined = inlined.call, inlined.outer
        result.append((self.code, index))
        result.reverse()
        return result

    def text(self, index: int) -> str:
        """Return instruction *index* as a line of a listing; those of inlined calls are indented and named."""
        inlined = self.at(index)
        if inlined is None:
            return f"{index:6}  {self.instructions[index]}"
        own, instructions = index - inlined.base, inlined.code.function.instructions
        # The end of a function is no instruction of it.
        text = str(instructions[own]) if own < len(instructions) else "RET r0"
        return f"{own:6}  {'  ' * inlined.depth}{text}  ; {escaped(inlined.code.name)}"

    def follow(self, index: int, known: dict[int, Any]) -> int | None:
        """Take from *known*, the registers that hold constants, what a CALL or RET changes; return the flag after it.

        Returns None for a flag that is not known.
        """
        called = self.by_call.get(index)
        if called is not None:
            for place in range(called.first, called.end):
                known.pop(place, None)
            return 0
        inlined = self.at(index)
        instruction = self.instructions[index]
        if instruction.op.flow is Flow.CALL:
            known.pop(0 if inlined is None else inlined.first, None)
            return None
        assert inlined is not None
        (source,) = instruction.operands
        if source in known:
            known[inlined.result] = known[source]
        else:
            known.pop(inlined.result, None)
        return None

    def add(self, inlined: Inlined, instructions: list[Instruction]) -> None:
        """Append the chunk of an inlined call."""
        assert inlined.base == len(self.instructions)
        chunk = [renumbered(instruction, inlined.first) for instruction in instructions]
        chunk.append(Instruction("RET", inlined.first))
        self.instructions.extend(chunk)
        self.inlined.append(inlined)
        self.chunks.append(chunk)
        self._bases.append(inlined.base)
        self.by_call[inlined.call] = inlined
        self.registers = max(self.registers, inlined.end)


def renumbered(instruction: Instruction, first: int) -> Instruction:
    """Return *instruction* with its registers counted from *first*."""
    row = instruction.op
    operands = tuple(
        value + first if operand.kind in (OperandKind.SOURCE, OperandKind.TARGET) else value
        for operand, value in zip(row.operands, instruction.operands, strict=True)
    )
    return Instruction._from_trusted(row, operands)


class Callee(NamedTuple):
    """What a CALL is known to run: a function, and the shape of the closure if it is called as one."""

    code: Code
    shape: Shape | None = None
