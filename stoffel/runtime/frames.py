"""Activation records: everything one running VM function has of its own. Dumb data, no behaviour of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from stoffel.model.values import Closure, Operand, Value

if TYPE_CHECKING:
    from stoffel.model.code import Code
    from stoffel.runtime.state import VMState

NO_UPVALUES: Final[list[tuple[str, Value]]] = []
"""Shared by all records without upvalues; never changed, because writing needs an entry to be found first."""


class Captures:
    """The upvalues of a plain call in compiled code, where the call of a closure has the closure.

    ``upvalues`` belong to the one call, so ``shared`` is False: writing one changes nothing else.
    """

    __slots__ = ("shared", "upvalues")

    def __init__(self, upvalues: tuple[tuple[str, Value], ...]) -> None:
        self.upvalues = upvalues
        self.shared = False


class ActivationRecord:
    """One call in progress.

    The instruction pointer is the position of ``cursor``, a list iterator over the function's bound instructions: the
    loop advances it for nothing, a jump sets it, and it needs no write-back before a call or an error.
    """

    __slots__ = ("arguments", "closure", "code", "cursor", "flag", "registers", "spill", "stack", "state", "upvalues")

    state: VMState
    code: Code
    cursor: Iterator[Any]
    registers: list[Operand]
    arguments: list[Operand]
    """The arguments as bound at entry (the locals); never changed."""
    stack: list[Operand]
    spill: dict[int, Value] | None
    flag: int
    upvalues: list[tuple[str, Value]]
    closure: Closure | None

    def __init__(
        self,
        state: VMState,
        code: Code,
        arguments: list[Value],
        upvalues: list[tuple[str, Value]],
        closure: Closure | None,
    ) -> None:
        self.state = state
        self.code = code
        self.cursor = iter(code.steps if state.tier is None else code.counted)
        self.registers = arguments + code.blank
        self.arguments = arguments
        self.stack = []
        self.spill = None
        self.flag = 0
        self.upvalues = upvalues
        self.closure = closure

    @property
    def function(self) -> str:
        """Name of the function."""
        return self.code.name

    @property
    def next_instruction(self) -> int:
        """Index of the instruction that runs next (one past a CALL that is in progress)."""
        code = self.code
        # Those that the cursor goes over: the others may not have been bound, which takes long.
        steps = code.steps if self.state.tier is None else code.counted
        return len(steps) - self.cursor.__length_hint__()  # type: ignore[attr-defined, no-any-return]

    def jump(self, index: int) -> None:
        """Make the instruction at *index* the next one."""
        self.cursor.__setstate__(index)  # type: ignore[attr-defined]

    def local(self, name: str) -> tuple[bool, Value]:
        """Return whether a parameter *name* exists and the value it was bound to (the last of that name)."""
        position = self.code.position_of(name)
        return (True, self.arguments[position]) if position >= 0 else (False, None)

    @property
    def locals(self) -> dict[str, Value]:
        """The parameters by name, as bound at entry."""
        return dict(zip(self.code.parameters, self.arguments, strict=True))

    def upvalue(self, name: str) -> tuple[bool, Value]:
        """Return whether an upvalue *name* exists and its value (the last of that name)."""
        for entry in reversed(self.upvalues):
            if entry[0] == name:
                return True, entry[1]
        return False, None

    def __repr__(self) -> str:
        return f"<ActivationRecord {self.code.name}:{self.next_instruction}>"
