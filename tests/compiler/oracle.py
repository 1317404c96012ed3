"""Runs one case in several ways and says whether they can be told apart.

Everything that a program or its host can see is compared: result and arguments (tables by content, with the structure
of what is the same object), error (kind, text, function, instruction, stack of calls), printed lines, what a foreign
function finds in the activation records, and every hook event with its payload, depth and position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from stoffel import VirtualMachine, VMError, events
from stoffel.isa.instruction import Instruction
from stoffel.model.values import Array, Closure, Object, value_of
from stoffel.runtime.frames import ActivationRecord
from tests.edges import bits_of
from tests.limits import TimeUp, time_limit

from .generators import Case


class Way(NamedTuple):
    """A way of running.

    *jit* is the machine's mode, *every* forces an exit at every so many-th safepoint, *threshold* is the factor on the
    heat of compiling. *then* replaces *every* before the second of the two runs, which uses code that the first made.
    """

    name: str
    jit: str
    every: int = 0
    threshold: float | None = None
    then: int | None = None


INTERPRETER: Final = Way("interpreter", "off")
ALWAYS: Final = Way("always", "always")
COMPILED: Final = (
    ALWAYS,
    Way("every safepoint", "always", 1),
    Way("every 2nd safepoint", "always", 2),
    Way("always, then every safepoint", "always", then=1),
    Way("every 7th safepoint", "always", 7),
    Way("auto, warm soon", "auto", threshold=1e-5),
    Way("always, then every 3rd safepoint", "always", then=3),
    Way("auto, warm later", "auto", threshold=2e-4),
)

KERNELS: Final = Way("kernels", "kernels")
KERNELS_LEFT: Final = (
    Way("kernels left at every safepoint", "kernels", 1),
    Way("kernels, then left at every 2nd safepoint", "kernels", then=2),
    Way("kernels left at every 3rd safepoint", "kernels", 3),
    Way("kernels, then left at every safepoint", "kernels", then=1),
    Way("kernels left at every 7th safepoint", "kernels", 7),
)
"""Kernels for all that qualifies; making machine code takes so long that these have fewer programs."""


def way_for(seed: int) -> Way:
    """Return the way for the program made from *seed*.

    Ways take turns, so that many programs have all of them, in another order each time round.
    """
    return COMPILED[(seed + seed // len(COMPILED)) % len(COMPILED)]


SECONDS: Final = 10.0
"""A run that takes longer is a hang."""


class Difference(NamedTuple):
    """Where *way* first differs from the interpreter, and whether a run was stopped because it took too long."""

    case: Case
    way: Way
    what: str
    expected: Any
    found: Any
    stopped: bool

    def report(self) -> str:
        """Return a text for people."""
        return (
            f"{self.way.name}: {self.what} differs\n"
            f"  interpreter: {self.expected!r}\n  {self.way.name}: {self.found!r}\n{self.case.listing()}"
        )


class _Describer:
    """Turns values into plain data; objects with an identity are numbered in order of appearance."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.kept: list[Any] = []

    def value(self, value: Any) -> Any:
        kind = type(value)
        if kind is float:
            return "float", repr(value), bits_of(value)
        if not isinstance(value, Object | Array | Closure):
            return kind.__name__, value
        number = self.numbers.get(id(value))
        if number is not None:
            return "again", number
        self.numbers[id(value)] = len(self.numbers)
        self.kept.append(value)
        if isinstance(value, Closure):
            return "closure", value.function, [(name, self.value(item)) for name, item in value.upvalues]
        if isinstance(value, Object):
            return "object", value.id, self.entries(value.fields)
        storage = getattr(value, "items", None)
        items = value.prefix if storage is None else storage
        size = value.length if storage is None else len(items)
        kind = type(value)  # asking for the items has made an array with typed storage an ordinary one
        return "array", value.id, kind.__name__, size, [*map(self.value, items)], self.entries(value.extra or {})

    def entries(self, table: dict[Any, Any]) -> list[Any]:
        return [(self.value(value_of(key)), self.value(value)) for key, value in table.items()]

    def record(self, record: ActivationRecord) -> Any:
        spill = [(slot, self.value(value)) for slot, value in sorted((record.spill or {}).items()) if value is not None]
        return (
            record.function,
            record.next_instruction,
            record.flag,
            [*map(self.value, record.registers)],
            [*map(self.value, record.arguments)],
            [*map(self.value, record.stack)],
            spill,
            [(name, self.value(value)) for name, value in record.upvalues],
            self.value(record.closure),
        )


def describe(*values: Any) -> Any:
    """Return *values* as plain data that is equal exactly if they are alike."""
    describer = _Describer()
    return [*map(describer.value, values)]


def _brief(value: Any) -> Any:
    """Return part of an event as plain data: tables by id, for these events are many."""
    kind = type(value)
    if kind is float:
        return kind, repr(value), bits_of(value)  # NaN, and the sign of zero
    if kind is Instruction:
        return value.name, *map(_brief, value.operands)
    if issubclass(kind, tuple):
        return [*map(_brief, value)]
    if issubclass(kind, Object | Array | Closure):
        return repr(value)
    return kind, value


WATCHED: Final = (
    None,
    (events.BeforeFunctionCall, events.AfterFunctionCall),
    (events.UpvalueRead, events.UpvalueWrite, events.ClosureCreated, events.ArrayElementWrite),
    events.RegisterWrite,
)
"""What the hooks of a run are for, one after the other."""

HANG: Final = "hang"
"""Among the errors of a run that did not end in time."""


class Outcome(NamedTuple):
    """What one run has shown, in the order in which differences are looked for."""

    error: Any
    result: Any
    printed: list[str]
    seen: list[Any]
    trace: list[Any]
    arguments: Any

    @property
    def stopped(self) -> bool:
        """True if the run did not end in time: the rest shows how far it came, which differs from run to run."""
        return HANG in self.error


class _Host:
    """The host of one run: its foreign function ``act`` and its hooks."""

    def __init__(self, case: Case, machine: VirtualMachine) -> None:
        self.case = case
        self.plan = case.plan
        self.machine = machine
        self.calls = 0
        self.seen: list[Any] = []
        self.trace: list[Any] = []
        self.hooks: list[int] = []
        self.whole = 3
        self.patience = case.patience
        machine.register_foreign_function("act", self.act)
        self.add_hook()
        if not case.hooked:
            machine.disable_hook(self.hooks[0])

    def add_hook(self) -> None:
        # The first hook is for all events, those that a plan adds are for some classes of them too.
        self.hooks.append(self.machine.register_hook(WATCHED[len(self.hooks) % len(WATCHED)], self.observe))

    def observe(self, event: Any, context: Any) -> None:
        trace = self.trace
        trace.append((event.kind, _brief(tuple(event)), context.call_depth, context.cursor, context.compare_flag))
        if self.whole:
            self.whole -= 1
            describer = _Describer()
            trace.append([*map(describer.record, context.frames)])
        self.patience -= 1
        if self.patience <= 0:
            # Traces stay short, and compiled code is entered again in the middle of what was observed.
            self.patience = self.case.patience
            for hook in self.hooks:
                self.machine.disable_hook(hook)

    def act(self, context):  # type: ignore[no-untyped-def] # an annotation would change how it is called
        action = self.plan.get(self.calls)
        self.calls += 1
        machine = self.machine
        self.whole = 3
        if action == "enable":
            machine.enable_hook(self.hooks[-1])
        elif action == "disable":
            machine.disable_hook(self.hooks[-1])
        elif action == "register":
            self.add_hook()
        elif action == "unregister":
            machine.unregister_hook(self.hooks[-1])
        elif action == "look":
            describer = _Describer()
            self.seen.append([*map(describer.record, machine.state.frames)])
            self.seen.append(machine.state.current_instruction)
        elif action == "call":
            return context.call("back", 3)
        elif action == "fail":
            raise ValueError("planned")
        elif action == "value":
            return "text"
        elif action == "count":
            return self.calls
        return context.arguments[0] if context.arguments else None


def machine_for(case: Case, way: Way, printed: list[str]) -> VirtualMachine:
    """Return a machine that runs programs in the given way."""
    machine = VirtualMachine(jit=way.jit, output=printed.append)
    if case.depth is not None:
        machine.max_call_depth = case.depth
    tier = machine.state.tier
    if way.threshold is not None:
        tier.threshold = way.threshold
    if way.every:
        tier.every = way.every
    return machine


Inspect = Callable[[VirtualMachine], None]


def run(case: Case, way: Way, *, seconds: float = SECONDS, inspect: Inspect | None = None) -> Outcome:
    """Run *case* in one way, twice in a row, because the second run finds what the first has compiled."""
    printed: list[str] = []
    machine = machine_for(case, way, printed)
    machine.load(case.program)
    if not machine.has_function("back"):
        names = [function.name for function in case.program.functions if len(function.parameters) == 1]
        machine.register_function(_back(names[0] if names else "to_string"))
    host = _Host(case, machine)
    error: Any = []
    results: list[Any] = []
    arguments = [*case.arguments]
    with time_limit(seconds):
        try:
            for number in range(2):
                if number and way.then is not None:
                    machine.state.tier.every = way.then
                try:
                    results.append(machine.execute("main", *arguments))
                except VMError as failure:
                    error.append((failure.kind, str(failure), failure.function, failure.instruction, failure.stack))
                    error.append(failure.inner_kind)
        except TimeUp:
            error.append(HANG)
        except Exception as crash:
            error.append(f"crash: {crash!r}")
    if inspect is not None:
        inspect(machine)
    return Outcome(error, describe(*results), printed, host.seen, host.trace, describe(*arguments))


def _back(name: str) -> Any:
    from stoffel.isa.function import Function

    body = [("PUSHARG", 0), ("CALL", name), ("RET", 0)]
    return Function("back", [Instruction(*parts) for parts in body], parameters=["value"])


def compare(
    case: Case,
    ways: Sequence[Way] = COMPILED,
    *,
    seconds: float = SECONDS,
    inspect: Inspect | None = None,
) -> Difference | None:
    """Return the first difference between the interpreter and the given ways, or None."""
    expected = run(case, INTERPRETER, seconds=seconds)
    for way in ways:
        found = run(case, way, seconds=seconds, inspect=inspect)
        if found != expected:
            return _difference(case, way, expected, found)
    return None


def _difference(case: Case, way: Way, expected: Outcome, found: Outcome) -> Difference:
    for what in Outcome._fields:
        one, other = getattr(expected, what), getattr(found, what)
        if one != other:
            position, first, second = _first(one, other)
            return Difference(case, way, f"{what}{position}", first, second, expected.stopped or found.stopped)
    raise AssertionError("the outcomes are equal")


def _first(one: Any, other: Any, position: str = "") -> tuple[str, Any, Any]:
    """Return where two values first differ, and the parts there."""
    if isinstance(one, list | tuple) and type(one) is type(other):
        for index, (left, right) in enumerate(zip(one, other, strict=False)):
            if left != right:
                return _first(left, right, f"{position}[{index}]")
        if len(one) != len(other):
            index = min(len(one), len(other))
            return f"{position}[{index}:]", one[index : index + 3], other[index : index + 3]
    return position, one, other
