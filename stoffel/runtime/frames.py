"""Activation records, and what the functions that run them see of their machine and of its compiled tier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

from stoffel.model.code import Code
from stoffel.model.values import Closure, Operand, Value

if TYPE_CHECKING:
    from stoffel.isa.instruction import Instruction
    from stoffel.model.foreign import ForeignFunction
    from stoffel.model.tables import ObjectStore
    from stoffel.runtime.budget import Budget
    from stoffel.runtime.events import Event
    from stoffel.runtime.methods import MethodRegistry

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


class CallCounter(Protocol):
    """What the runtime asks of the statistics of a compiled tier."""

    counts_calls: bool

    def called(self, code: Code) -> None:
        """Count a call that no compiled code counts."""


class Tier(Protocol):
    """What the runtime asks of a compiled tier, which may be one that has compiled nothing yet."""

    @property
    def counts_heat(self) -> bool:
        """Whether the interpreter counts heat, and comes with calls and hot loops; the same for all of a run."""

    @property
    def statistics(self) -> CallCounter: ...

    @property
    def is_suspended(self) -> bool:
        """Whether compiled code waits for the call that is in progress."""

    def ask_attention(self) -> None:
        """Have compiled code look at the hooks at its next safepoint."""

    def clear_attention(self) -> None:
        """Take that back."""

    def meanings_changed(self) -> None:
        """Drop compiled code that relies on what a name meant."""

    def renew_after_fork(self) -> None:
        """Have new locks and threads in a forked process."""

    def snapshot(self) -> list[ActivationRecord]:
        """Return copies of the records of suspended compiled code."""

    def suspend(self) -> Any:
        """Put aside the compiled code that waits for a run inside it; return it, None if there is none."""

    def resume(self, suspension: Any, records: list[ActivationRecord]) -> None:
        """Take back what :meth:`suspend` has returned, and the records that its code had to be given meanwhile."""

    def call(
        self, frame: ActivationRecord, callee: Code, arguments: list[Value], upvalues: list[tuple[str, Value]]
    ) -> bool | None:
        """Run a call compiled, and return as ``call_function`` does; return None if the interpreter is to run it."""

    def called_by_host(self, callee: Code, arguments: list[Value]) -> None:
        """Count a call by the host, whose run is about to begin."""

    def closure_called(self, callee: Code) -> None:
        """Count the call of a closure."""

    def enter(self, frame: ActivationRecord) -> bool:
        """Go on with the current record in compiled code; return whether it did."""


class RunState:
    """The part of a machine's state that its runs read and change; :class:`.VMState` is the whole."""

    __slots__ = (
        "attention",
        "base",
        "budget",
        "cursor",
        "functions",
        "hooked",
        "max_call_depth",
        "methods",
        "objects",
        "records",
        "result",
        "stopped",
        "tier",
        "wanted",
        "watches_calls",
        "watches_instructions",
        "watches_returns",
        "watches_tables",
    )

    attention: bool
    """Whether the run has to look at the hooks at its next safepoint; any thread may set it."""
    base: int
    """Index of the oldest record of the innermost run."""
    budget: Budget | None
    """What is left of the limits of the run, None if it has none."""
    cursor: tuple[str, int] | None
    """Function and index of the instruction in progress, kept while hooks are active."""
    functions: dict[str, Code | ForeignFunction]
    hooked: bool
    """Whether a hook is enabled; changes at safepoints only, as what follows."""
    wanted: frozenset[type]
    """Classes of the events that the run produces: those that some hook may want."""
    watches_calls: bool
    """Whether one of these comes before a call."""
    watches_returns: bool
    """Whether one of these comes after a call."""
    watches_instructions: bool
    """Whether one of these comes with instructions, not only with calls, closures and tables."""
    watches_tables: bool
    """Whether one of these is of a table."""
    max_call_depth: int
    methods: MethodRegistry
    objects: ObjectStore
    records: list[ActivationRecord]
    """The records that the interpreter runs, oldest first; compiled code in progress has none until somebody asks."""
    result: Operand
    """What the run has returned."""
    stopped: str | None
    """Why the run has to end at its next safepoint, with an error of kind Limit; None unless it has to."""
    tier: Tier

    @property
    def frames(self) -> list[ActivationRecord]:
        """The activation records of the runs in progress, oldest first.

        While compiled code is suspended in a call this includes a snapshot of its records.
        """
        tier = self.tier
        return self.records + tier.snapshot() if tier.is_suspended else self.records

    def instruction_at(self, function: str, index: int) -> Instruction | None:
        """Return the instruction at *index* of a VM function, or None if there is none."""
        code = self.functions.get(function)
        if type(code) is not Code or code.source is None or not 0 <= index < len(code.source):
            return None
        return code.source[index]

    def fire(self, event: Event) -> None:
        """Offer an event to the hooks; raises VMError (kind Hook) if a callback fails."""
        raise NotImplementedError


class ActivationRecord:
    """One call in progress.

    The instruction pointer is the position of ``cursor``, a list iterator over the function's bound instructions: the
    loop advances it for nothing, a jump sets it, and it needs no write-back before a call or an error.
    """

    __slots__ = ("arguments", "closure", "code", "cursor", "flag", "registers", "spill", "stack", "state", "upvalues")

    state: RunState
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
        state: RunState,
        code: Code,
        arguments: list[Value],
        upvalues: list[tuple[str, Value]],
        closure: Closure | None,
    ) -> None:
        self.state = state
        self.code = code
        self.cursor = iter(code.counted if state.tier.counts_heat else code.steps)
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
        steps = code.counted if self.state.tier.counts_heat else code.steps
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
