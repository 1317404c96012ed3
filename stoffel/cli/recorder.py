"""Which types the calls and loops of a program see: it runs in the interpreter for a while, and is looked at."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stoffel.compiler.analysis.facts import kind_of
from stoffel.compiler.analysis.layout import layout_of
from stoffel.embedding.vm import VirtualMachine
from stoffel.errors import VMError
from stoffel.jit.kernels.marshalling import code_of_value
from stoffel.jit.policy.warmup import WarmUp
from stoffel.model.code import UNWATCHED, Code

if TYPE_CHECKING:
    from stoffel.isa.program import Program
    from stoffel.model.values import Value
    from stoffel.runtime.frames import ActivationRecord

SECONDS: Final = 1.0
"""How long the program runs at most."""
_MOST_SEEN: Final = 200
"""Times that a loop is looked at each time that it comes round; after that it is now and then."""
_BETWEEN_LOOKS: Final = 20_000
"""Instructions between two looks at such a loop."""


class Seen(NamedTuple):
    """The types of some values: *kinds* as the translator knows them, *codes* as the kernel tier does."""

    kinds: tuple[int, ...]
    codes: tuple[str, ...]


def seen(values: list[Value]) -> Seen:
    """Return the types of values."""
    return Seen(tuple(map(kind_of, values)), tuple(map(code_of_value, values)))


class Stopped(BaseException):
    """The program has run long enough."""


class Recorder(WarmUp):
    """Stands where the compiled tier stands, compiles nothing, and notes the types of what it is asked about.

    ``calls`` counts the argument types by function, ``loops`` the types of all places by function and instruction.
    """

    def __init__(self, state: Any, until: float) -> None:
        super().__init__(state, 0.0)
        self.calls: dict[str, Counter[Seen]] = {}
        self.loops: dict[tuple[str, int], Counter[Seen]] = {}
        self._until = until

    def call(
        self,
        frame: ActivationRecord,  # noqa: ARG002
        callee: Code,
        arguments: list[Value],
        upvalues: list[tuple[str, Value]],  # noqa: ARG002
    ) -> bool | None:
        """Note the types of a call; the interpreter runs it."""
        self._look(callee)
        self.calls.setdefault(callee.name, Counter())[seen(arguments)] += 1
        return None

    def called_by_host(self, callee: Code, arguments: list[Value]) -> None:
        """Leave it to :meth:`enter`, which is asked next."""

    def enter(self, frame: ActivationRecord) -> bool:
        """Note the types of a record that begins, or that has jumped back; the interpreter goes on with it."""
        code = frame.code
        self._look(code)
        if frame.next_instruction == 0 or code.name not in self.calls:
            self.calls.setdefault(code.name, Counter())[seen(frame.arguments)] += 1
        layout = code.layout or layout_of(code, code.instructions())
        spill = frame.spill or {}
        values = [*frame.registers, *(spill.get(slot) for slot in layout.slots), *frame.stack]
        counter = self.loops.setdefault((code.name, frame.next_instruction), Counter())
        counter[seen(values)] += 1
        if counter.total() >= _MOST_SEEN:
            code.hot = code.heat + _BETWEEN_LOOKS
        return False

    def _look(self, code: Code) -> None:
        if code.hot >= UNWATCHED:
            code.hot = code.heat
        if perf_counter() > self._until:
            raise Stopped


def record(program: Program, entry: str, arguments: list[Any]) -> Recorder:
    """Run the program for a while on a machine of its own, output left out, and return what was seen.

    Raises VMError only if the program cannot be loaded; it ends the run as the program's end does.
    """
    machine = VirtualMachine(jit="no-kernels", output=_nowhere, cache="off")
    machine.load(program)
    recorder = Recorder(machine.state, perf_counter() + SECONDS)
    if not machine.state.tier.counts_heat:
        return recorder  # no Python that is compiled for
    machine.state.tier = recorder
    with suppress(VMError, Stopped):
        machine.execute(entry, *arguments)
    return recorder


def _nowhere(line: str) -> None:
    """Drop a printed line."""
