"""The ways of running a program that must not differ, and what is seen of a run: the work of ``stoffel compare``."""

from __future__ import annotations

import random
import shutil
from array import array
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stoffel.embedding.engine import ModeName
from stoffel.embedding.vm import VirtualMachine
from stoffel.errors import LoadError, VMError
from stoffel.jit.policy.warmup import tier_of
from stoffel.model.tables import entries
from stoffel.model.text import diagnostic
from stoffel.model.values import Array, Closure, Object
from stoffel.runtime.events import AfterInstructionExecute, BeforeInstructionExecute

if TYPE_CHECKING:
    from stoffel.isa.program import Program
    from stoffel.runtime.hooks import HookContext
    from stoffel.runtime.limits import Limits

REPETITIONS: Final = 3
"""Times that a quick run is repeated for its best time."""
QUICK: Final = 0.1
"""Seconds of a run that is not repeated."""
PRECEDING: Final = 4
"""Lines, events and instructions that are shown before a difference."""


MEMORY: Final = ":memory:"
"""The storage that begins empty and lasts as long as its machine."""


class Way(NamedTuple):
    """One way of running: the mode of the engine, and at every how many safepoints compiled code is left (0: none)."""

    name: str
    jit: ModeName
    every: int = 0


REFERENCE: Final = Way("interpreter", "off")
WAYS: Final = (
    REFERENCE,
    Way("auto", "auto"),
    Way("always", "always"),
    Way("always, exit at every safepoint", "always", 1),
    Way("always, exit at every 2nd", "always", 2),
    Way("always, exit at every 7th", "always", 7),
    Way("kernels", "kernels"),
    Way("kernels, exit at every safepoint", "kernels", 1),
)
"""All ways; the first is what the others are compared with."""


class Inputs(NamedTuple):
    """What every way is given.

    A program, the function to run and its arguments, the *seed* of its randomness, the path of a LocalStorage that is
    copied for each run (None for no storage), a directory for the copy and for machine code, and what each run may
    take.
    """

    program: Program
    entry: str
    arguments: list[Any]
    seed: int
    store: str | None
    directory: str
    limits: Limits | None = None


class Failure(NamedTuple):
    """An error of a run as it is compared."""

    kind: str
    text: str
    function: str | None
    instruction: int | None
    stack: tuple[tuple[str, int], ...]


class Place(NamedTuple):
    """An instruction in progress, and the number of activation records then."""

    function: str
    instruction: int
    depth: int


class Trace:
    """The events of a run, kept as one number each, so that long runs can be compared.

    *expected* are the numbers of another run: at the first event that differs its text and place, and the texts before
    it, are kept. *wanted* asks to keep those of the event with that number.
    """

    def __init__(self, expected: array[int] | None = None, wanted: int = -1) -> None:
        self.numbers: array[int] = array("Q")
        self.difference = -1
        self.text = ""
        self.place: Place | None = None
        self.before: list[str] = []
        self._expected = expected
        self._wanted = wanted
        self._recent: deque[tuple[Any, Place]] = deque(maxlen=PRECEDING)
        self._instructions: dict[tuple[str, str, int], int] = {}

    def note(self, event: Any, context: HookContext) -> None:
        """Take in one event: the callback of the hook."""
        function, instruction = context.cursor or ("", 0)
        place = Place(function, instruction, context.call_depth)
        if isinstance(event, BeforeInstructionExecute | AfterInstructionExecute):
            # Most events are of this kind, and their text follows from the place.
            key = type(event).__name__, function, instruction
            number = self._instructions.get(key, 0)
            if not number:
                number = self._instructions[key] = _number(_event_text(event, place._replace(depth=0)))
            number = (number + place.depth) % (1 << 64)
        else:
            number = _number(_event_text(event, place))
        index = len(self.numbers)
        self.numbers.append(number)
        if self.difference >= 0:
            return
        differs = self._expected is not None and (index >= len(self._expected) or self._expected[index] != number)
        if differs or index == self._wanted:
            self._keep(index, _event_text(event, place))
            self.place = place
        self._recent.append((event, place))

    def _keep(self, index: int, text: str) -> None:
        self.difference = index
        self.text = text
        self.before = [_event_text(event, place) for event, place in self._recent]

    def finish(self) -> None:
        """Note that the run has ended: events that were expected and did not come are a difference too."""
        if self.difference < 0 and self._expected is not None and len(self.numbers) < len(self._expected):
            self._keep(len(self.numbers), "the run ended")

    @property
    def digest(self) -> str:
        """A short text that is the same for equal traces."""
        return blake2b(self.numbers.tobytes(), digest_size=6).hexdigest()


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _event_text(event: Any, place: Place) -> str:
    payload = ", ".join(map(_shown, event))
    return f"{place.function}:{place.instruction} depth {place.depth} {type(event).__name__}({payload})"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))})"
    try:
        return diagnostic(value)
    except TypeError:
        return str(value)  # an instruction, a call's target, the key of an object


class Outcome:
    """What was seen of one run.

    ``lines`` are the printed lines, ``tables`` the contents of everything reachable from the result, ``stored`` those
    of the LocalStorage afterwards, ``printed_at`` the place of the line that was asked for.
    """

    def __init__(self, way: Way) -> None:
        self.way = way
        self.seconds = 0.0
        self.result: str | None = None
        self.failure: Failure | None = None
        self.lines: list[str] = []
        self.tables: list[str] = []
        self.stored: list[str] = []
        self.statistics: Mapping[str, Any] = {}
        self.traces: dict[str, Trace] = {}
        self.printed_at: Place | None = None

    @property
    def units(self) -> int:
        """Translations made."""
        return sum(counters["units"] for counters in self.statistics.get("functions", {}).values())

    @property
    def kernels(self) -> int:
        """Kernels made."""
        return sum(len(counters["kernels"]) for counters in self.statistics.get("functions", {}).values())

    @property
    def exits(self) -> int:
        """Times that compiled code was left for the interpreter."""
        return sum(self.statistics.get("deoptimisations", {}).values())


THROUGHOUT: Final = "hooks on throughout"
"""Hook trace of the whole run."""
BY_TURNS: Final = "hooks on and off by turns at every printed line"
"""Hook trace that has compiled code left, and entered again, in the middle of the run."""


def run(
    way: Way, inputs: Inputs, *, hooks: str | None = None, trace: Trace | None = None, locate_line: int = -1
) -> Outcome:
    """Run the program on a fresh machine in the given way.

    *hooks* (:data:`THROUGHOUT` or :data:`BY_TURNS`) has every event noted in *trace*; *locate_line* asks where that
    line is printed. Raises LoadError if the storage cannot be copied and VMError if the program cannot be loaded.
    """
    outcome = Outcome(way)
    store = _copy_of_store(inputs)
    identity = 0

    def write(line: str) -> None:
        if len(outcome.lines) == locate_line:
            frames = machine.state.frames
            frame = frames[-1]
            outcome.printed_at = Place(frame.code.name, max(frame.next_instruction - 1, 0), len(frames))
        outcome.lines.append(line)
        if hooks == BY_TURNS:
            (machine.enable_hook if len(outcome.lines) % 2 else machine.disable_hook)(identity)

    kept = Path(inputs.directory) / "kernels"
    machine = VirtualMachine(jit=way.jit, output=write, storage=store, cache=kept, limits=inputs.limits)
    machine.state.random_bytes = random.Random(inputs.seed).randbytes  # noqa: S311 - the same bytes in every run
    tier = tier_of(machine.state)
    if way.every:
        tier.every = way.every
    machine.load(inputs.program)
    if hooks is not None:
        assert trace is not None
        identity = machine.register_hook(None, trace.note)
        if hooks == BY_TURNS:
            machine.disable_hook(identity)
    result: Any = None
    began = perf_counter()
    try:
        result = machine.execute(inputs.entry, *inputs.arguments)
    except VMError as error:
        outcome.failure = Failure(str(error.kind), str(error), error.function, error.instruction, error.stack)
    outcome.seconds = perf_counter() - began
    if outcome.failure is None:
        outcome.result = diagnostic(result)
        outcome.tables = contents(result)
    if trace is not None:
        trace.finish()
    outcome.statistics = machine.jit_statistics()
    if store is not None and store != MEMORY:
        outcome.stored = _stored(machine, store)
    return outcome


def load_translator() -> None:
    """Load what the first translation and the first kernel would load, so that no way is charged for it."""
    from stoffel.compiler.cpython.versions import is_cpython, why_not
    from stoffel.compiler.cpython.writer import Writer
    from stoffel.compiler.kernels.codegen import llvm

    if is_cpython():
        import stoffel.jit.code_tier  # noqa: F401 - loaded for the others

        llvm.why_not()
    if why_not() is None:
        Writer("loading", "<loading>", [])


def observe(way: Way, inputs: Inputs, traces: tuple[str, ...], reference: Outcome | None) -> Outcome:
    """Run in one way, once for everything but the hook traces, which hooks would slow down, then once for each trace.

    The events are compared with those of *reference* as they come. A quick run is repeated and the best time kept.
    """
    outcome = run(way, inputs)
    spent = outcome.seconds
    for _ in range(REPETITIONS):
        if spent > QUICK:
            break
        again = run(way, inputs).seconds
        spent += again
        outcome.seconds = min(outcome.seconds, again)
    for name in traces:
        trace = Trace(None if reference is None else reference.traces[name].numbers)
        run(way, inputs, hooks=name, trace=trace)
        outcome.traces[name] = trace
    return outcome


def traces_of(way: Way, lines: list[str]) -> tuple[str, ...]:
    """Return the hook traces worth comparing in the given way for a program that prints *lines*.

    With hooks on throughout nothing is compiled, so that safepoints make no difference; without lines there is nothing
    to switch at.
    """
    return (() if way.every else (THROUGHOUT,)) + ((BY_TURNS,) if lines else ())


def _copy_of_store(inputs: Inputs) -> str | None:
    """Return the path of a fresh copy of the storage: always the same one, since error texts may quote it."""
    if inputs.store is None or inputs.store == MEMORY:
        return inputs.store
    copy = Path(inputs.directory) / "store.sqlite"
    for suffix in ("", "-wal", "-journal", "-shm"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)
        original = Path(inputs.store + suffix)
        if original.exists():
            try:
                shutil.copyfile(original, copy.with_name(copy.name + suffix))
            except OSError as error:
                reason = f"cannot copy the storage: {error.strerror or error}"
                raise LoadError(reason, category="io", path=str(original)) from None
    return str(copy)


def _stored(machine: VirtualMachine, path: str) -> list[str]:
    """Return what is in the storage as text, in order of the keys; nothing if it is not a database."""
    import sqlite3

    close: Callable[[], None] | None = getattr(machine.state.storage, "close", None)
    if close is not None:
        close()
    if not Path(path).exists():
        return []
    rows: list[tuple[bytes, bytes]] = []
    connection = sqlite3.connect(path)
    with suppress(sqlite3.Error):
        rows = connection.execute("SELECT key, value FROM local_storage ORDER BY key").fetchall()
    connection.close()
    return [f"{ascii(bytes(key))[1:]}: {bytes(value).hex()}" for key, value in rows]


def contents(value: Any) -> list[str]:
    """Return one line for each entry of each table and each upvalue of each closure reachable from *value*.

    Every table and closure is described once, in the order in which they are reached.
    """
    lines: list[str] = []
    pending = deque([value])
    seen: set[int] = set()
    kept: list[Any] = []
    while pending:
        item = pending.popleft()
        if not isinstance(item, Array | Object | Closure) or id(item) in seen:
            continue
        seen.add(id(item))
        kept.append(item)  # so that no other object gets its id
        number = len(kept)
        if isinstance(item, Closure):
            pairs = [(f".{name}", captured) for name, captured in item.upvalues]
        else:
            try:
                found = entries(item)
            except VMError as error:
                lines.append(f"{number}. {item!r}: {error}")
                continue
            pairs = [(f"[{diagnostic(key)}]", stored) for key, stored in found]
            pending.extend(key for key, _ in found)
        lines.append(f"{number}. {item!r}: {len(pairs)} entries")
        lines.extend(f"{number}. {item!r}{where} = {diagnostic(stored)}" for where, stored in pairs)
        pending.extend(stored for _, stored in pairs)
    return lines
