"""Running kernels: values into the state buffer, machine code, values and activation records out of it.

A kernel is called through ctypes with the interpreter lock held; it gives the lock up at its first poll, so a short
kernel pays nothing for it. Arrays are given to it as headers that point at their typed storage; arrays that it has
created become arrays of the machine when they are reached from a result or a register, all others are freed.
"""

from __future__ import annotations

import ctypes
import threading
from array import array as Buffer  # noqa: N812 - an array is a value of the machine here
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from stoffel.compiler.kernels import buffer
from stoffel.compiler.kernels.types import SCALARS
from stoffel.runtime import elements
from stoffel.runtime.frames import NO_UPVALUES, ActivationRecord
from stoffel.runtime.kernel_outcomes import KernelLeft, Mismatch
from stoffel.runtime.values import Array, TypedArray, Value

if TYPE_CHECKING:
    from stoffel.compiler.kernels.machine_code import Loaded
    from stoffel.runtime.code import Code
    from stoffel.runtime.state import VMState

KINDS: Final = {scalar.name: cls for cls, scalar in SCALARS.items()}
"""Python class by the code of a scalar type."""
CODES: Final = {cls: scalar.name for cls, scalar in SCALARS.items()}
OPAQUE: Final = "opaque"
NESTING: Final = 4
"""Depth to which arrays of arrays are typed."""
BUDGET: Final = 1 << 28
"""Bytes that a kernel may allocate in one run; then it leaves, which frees what nothing refers to."""
NATIVE_STACK: Final = 1 << 20
"""Bytes of the host's stack that nested native calls may use: an eighth of what threads usually have."""
WORK_PER_ARRAY: Final = 50
"""VM instructions that take as long in compiled code as making the header of an array that a kernel is given."""
FUEL_PER_EXIT: Final = 8
"""Fuel for each safepoint that is to be passed where leaving is forced (``CompiledTier.every``)."""
_FRAME_BYTES: Final = 256
_BYTES_PER_INSTRUCTION: Final = 16
"""A native frame is assumed to take no more than :data:`_FRAME_BYTES` and this for each VM instruction of the kernel:
a value can need a place on the stack, twice if it is also kept for leaving."""
_HEADERS: Final = 64

_Word = ctypes.c_int64


def code_of_value(value: Value, depth: int = 0) -> str:
    """Return the code of the type with which a value enters a kernel."""
    scalar = CODES.get(type(value))
    if scalar is not None:
        return scalar
    if type(value) is TypedArray:
        return "[" + (CODES[value.kind] if len(value.buffer) else "?")
    if type(value) is Array and depth < NESTING:
        if not value.items:
            return "[?"
        first = code_of_value(value.items[0], depth + 1)
        return OPAQUE if first in ("nil", OPAQUE) else f"[{first}"
    return OPAQUE


class RunnableSite:
    """A site with what the interpreter needs of its function."""

    __slots__ = ("code", "codes", "outer", "places", "resume", "slots")

    def __init__(
        self, code: Code, slots: list[int], resume: int, codes: list[str], places: list[str], outer: bool
    ) -> None:
        self.code = code
        self.slots = slots
        self.outer = outer
        self.resume = resume
        self.codes = codes
        self.places = places


class RunnableKernel:
    """A kernel in memory, bound to one machine.

    ``values`` and ``result`` are codes of types; ``depth`` is 0 if native calls can nest without a bound. ``entry`` is
    the instruction at which it takes over a record, None if it runs calls. ``work`` is the fuel used so far, about one
    unit for each VM instruction; ``left`` counts runs that ended in leaving.
    """

    __slots__ = (
        "cached",
        "constants",
        "depth",
        "entries",
        "entry",
        "frame_words",
        "function",
        "left",
        "loaded",
        "mismatches",
        "name",
        "nesting",
        "result",
        "sites",
        "tags",
        "values",
        "work",
    )

    def __init__(self, name: str, loaded: Loaded, meta: dict[str, Any], sites: list[RunnableSite]) -> None:
        self.name = name
        self.loaded = loaded
        self.function = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(loaded.address)
        self.values: list[str] = meta["values"]
        self.result: str = meta["result"]
        self.tags: list[str] = meta["tags"]
        self.constants: list[str] = meta["constants"]
        self.depth: int = meta["depth"]
        self.sites = sites
        self.frame_words = max((2 + 2 * (len(site.codes) + len(site.places)) for site in sites), default=2)
        size = _FRAME_BYTES + _BYTES_PER_INSTRUCTION * meta["instructions"]
        self.nesting = max(NATIVE_STACK // size, 8) if self.depth == 0 else self.depth
        self.cached: bool = meta["cached"]
        self.entry: int | None = meta["entry"]
        self.entries = 0
        self.left = 0
        self.mismatches = 0
        self.work = 0

    def as_dict(self) -> dict[str, Any]:
        """Return what it is and did, as plain data."""
        return {
            "entry": self.entry,
            "types": self.values,
            "result": self.result,
            "cached": self.cached,
            "runs": self.entries,
            "left": self.left,
            "mismatches": self.mismatches,
            "instructions_run": self.work,
        }


class _Memory:
    """One state buffer with its frame records and headers; taken from a pool for each run."""

    __slots__ = ("address", "doubles", "frames", "frames_address", "headers", "headers_address", "state")

    def __init__(self) -> None:
        words = buffer.VALUES + 4096
        self.state = (_Word * words)()
        self.address = ctypes.addressof(self.state)
        self.doubles = (ctypes.c_double * words).from_buffer(self.state)
        self.headers = (_Word * (_HEADERS * buffer.HEADER_WORDS))()
        self.headers_address = ctypes.addressof(self.headers)
        self.frames = (_Word * 0)()
        self.frames_address = 0
        library = ctypes.pythonapi
        for index, function in (
            (buffer.MALLOC, library.PyMem_RawMalloc),
            (buffer.FREE, library.PyMem_RawFree),
            (buffer.SAVE_THREAD, library.PyEval_SaveThread),
            (buffer.RESTORE_THREAD, library.PyEval_RestoreThread),
            (buffer.CHECK_SIGNALS, library.PyErr_CheckSignals),
            (buffer.FMOD, _fmod()),
        ):
            self.state[index] = ctypes.cast(function, ctypes.c_void_p).value or 0
        self.state[buffer.SLICE] = buffer.FUEL_PER_SLICE

    def make_room(self, words: int) -> None:
        """Make room for so many words of frame records."""
        if len(self.frames) < words:
            self.frames = (_Word * words)()
            self.frames_address = ctypes.addressof(self.frames)


def _fmod() -> Any:
    from ctypes.util import find_library

    try:
        return ctypes.CDLL(None).fmod
    except (AttributeError, OSError, TypeError):
        return ctypes.CDLL(find_library("m") or find_library("msvcrt")).fmod


class _Run:
    """One run of a kernel: which header stands for which array."""

    __slots__ = ("arrays", "base", "entered", "holds", "kernel", "made", "memory", "opaques", "outer", "state", "views")

    def __init__(self, state: VMState, kernel: RunnableKernel, memory: _Memory, outer: ActivationRecord | None) -> None:
        self.state = state
        self.kernel = kernel
        self.memory = memory
        self.outer = outer
        self.arrays: dict[int, Array] = {}
        """Arrays of the machine by the address of their header."""
        self.made: dict[int, tuple[int, str]] = {}
        """Address of the header and code, by id() of the array: one array has one header."""
        self.entered: list[tuple[int, Array, str, bytes]] = []
        """Headers that the kernel was given: address, array, code, and what its rows were if it is one of arrays."""
        self.holds: list[Any] = []
        """What must live until the end of the run."""
        self.views: list[memoryview] = []
        self.opaques: list[Value] = []
        self.base = 0

    # Entering

    def give(self, index: int, code: str, value: Value) -> None:
        """Put a value into the state buffer. Raises Mismatch."""
        if code == "float":
            self.memory.doubles[buffer.VALUES + index] = value
        elif code == OPAQUE:
            self.memory.state[buffer.VALUES + index] = len(self.opaques)
            self.opaques.append(value)
        elif code[0] == "[":
            self.memory.state[buffer.VALUES + index] = self._header(code, value)
        elif code != "nil":
            self.memory.state[buffer.VALUES + index] = value

    def _header(self, code: str, array: Value) -> int:
        known = self.made.get(id(array))
        if known is not None:
            if known[1] != code:
                raise Mismatch
            return known[0]
        kind = KINDS.get(code[1:])
        before = b""
        if kind is not None:
            if not isinstance(array, Array) or elements.specialise(array, kind) is not kind:
                raise Mismatch
            data, length = array.buffer.buffer_info()
            # A buffer that is exported keeps its size and place, whatever another thread does.
            self.views.append(memoryview(array.buffer))
        else:
            if type(array) is TypedArray and not len(array.buffer):
                array.generalise()
            if type(array) is not Array:
                raise Mismatch
            if code == "[?":
                if array.items:
                    raise Mismatch
                data = length = 0
            else:
                rows = Buffer("q", [self._header(code[1:], item) for item in array.items])
                data, length = rows.buffer_info()
                before = rows.tobytes()
                self.holds.append(rows)
        address = self._new_header(data, length)
        self.arrays[address] = array
        self.made[id(array)] = address, code
        self.entered.append((address, array, code, before))
        return address

    def _new_header(self, data: int, length: int) -> int:
        position = len(self.entered)
        words: Any
        if position < _HEADERS:
            words = self.memory.headers
            start = position * buffer.HEADER_WORDS
            address = self.memory.headers_address + start * 8
        else:
            words = (_Word * buffer.HEADER_WORDS)()
            start = 0
            address = ctypes.addressof(words)
            self.holds.append(words)
        words[start + buffer.DATA] = data
        words[start + buffer.LENGTH] = length
        words[start + buffer.CAPACITY] = length
        words[start + buffer.OWNED] = 0
        return address

    # Leaving

    def take(self, code: str, word: int) -> Value:
        """Return the value that a word stands for."""
        if code == "int64":
            return word
        if code == "float":
            return ctypes.c_double.from_buffer(_Word(word)).value
        if code == "boolean":
            return word != 0
        if code[0] == "[":
            return self._array_at(word, code)
        if code == OPAQUE:
            return self.kernel.constants[-1 - word] if word < 0 else self.opaques[word]
        if code == "uint64":
            word &= (1 << 64) - 1
        return int.__new__(KINDS[code], word)

    def _array_at(self, address: int, code: str) -> Array:
        """Return the array that a header stands for, which becomes one of the machine if the kernel has created it."""
        array = self.arrays.get(address)
        if array is None:
            header = (_Word * buffer.HEADER_WORDS).from_address(address)
            identity = self.base + header[buffer.NUMBER]
            data, length = header[buffer.DATA], header[buffer.LENGTH]
            kind = KINDS.get(code[1:])
            if kind is None or not length:
                array = self.arrays[address] = Array(identity, [])
                if length:
                    array.items.extend(self._rows_at(data, length, code))
            else:
                storage: Buffer[Any] = Buffer(elements.FORMATS[kind])
                storage.frombytes(ctypes.string_at(data, length * storage.itemsize))
                array = self.arrays[address] = elements.typed(identity, kind, storage)
        return array

    def _rows_at(self, data: int, length: int, code: str) -> list[Array]:
        return [self._array_at(address, code[1:]) for address in (_Word * length).from_address(data)]

    def finish(self) -> None:
        """Give the arrays that the kernel was entered with what it has made of them."""
        self._release_views()
        for address, array, code, before in self.entered:
            header = (_Word * buffer.HEADER_WORDS).from_address(address)
            data, length = header[buffer.DATA], header[buffer.LENGTH]
            if code[1:] not in KINDS:
                if length and ctypes.string_at(data, length * 8) != before:
                    array.items[:] = self._rows_at(data, length, code)
            elif header[buffer.OWNED]:
                elements.replace_buffer(array, data, length)
            if header[buffer.OWNED]:
                ctypes.pythonapi.PyMem_RawFree(ctypes.c_void_p(data))

    def _release_views(self) -> None:
        for view in self.views:
            view.release()

    def records(self) -> list[ActivationRecord]:
        """Return the records of the native calls that were left, oldest first."""
        memory = self.memory
        end = (memory.state[buffer.FRAMES] - memory.frames_address) // 8
        position = 0
        result = []
        while position < end:
            record, position = self._record(memory.frames, position)
            result.append(record)
        result.reverse()
        return result

    def _record(self, words: Any, position: int) -> tuple[ActivationRecord, int]:
        """Return the record that the frame record at *position* stands for, and where the next one is."""
        site = self.kernel.sites[words[position]]
        flag = words[position + 1]
        arguments, position = self._values(site.codes, words, position + 2)
        values, position = self._values(site.places, words, position)
        count = site.code.register_count
        record = self.outer if site.outer else None
        if record is None:
            record = ActivationRecord(self.state, site.code, arguments, NO_UPVALUES, None)
        record.registers[:] = values[:count]
        if site.slots:
            record.spill = dict(zip(site.slots, values[count:], strict=False))
        record.stack = values[count + len(site.slots) :]
        record.flag = flag
        record.jump(site.resume)
        return record, position

    def _values(self, codes: list[str], words: Any, position: int) -> tuple[list[Value], int]:
        values: list[Value] = []
        for code in codes:
            if code == "nil":
                values.append(None)
            elif code[0] == "=":
                values.append(code[1:])
            elif code == "mixed":
                tagged = self.kernel.tags[words[position]]
                values.append(None if tagged == "nil" else self.take(tagged, words[position + 1]))
                position += 2
            else:
                values.append(self.take(code, words[position]))
                position += 1
        return values, position


class Kernels:
    """Runs the kernels of one machine. ``every`` makes them leave soon: shows that leaving is exact."""

    def __init__(self, state: VMState) -> None:
        self.state = state
        self._attention = 0
        self.every = 0
        self._pool: list[_Memory] = []
        self._running: list[_Memory] = []

    def ask_attention(self, wanted: bool) -> None:
        """Make a kernel that runs leave at its next poll; may be called from any thread."""
        self._attention = int(wanted)
        for memory in self._running.copy():
            memory.state[buffer.ATTENTION] = int(wanted)

    def run(
        self, kernel: RunnableKernel, values: Sequence[Value], room: int, outer: ActivationRecord | None = None
    ) -> Value | KernelLeft:
        """Run a kernel; *room* is how many records its calls may stack up, *outer* the record that it takes over.

        Returns its result, or a KernelLeft whose records are to go on in the interpreter. Raises Mismatch, nothing
        having happened, if the values are not of the types that it is made for.
        """
        memory = self._pool.pop() if self._pool else _Memory()
        run = _Run(self.state, kernel, memory, outer)
        state = memory.state
        try:
            for index, code in enumerate(kernel.values):
                run.give(index, code, values[index])
        except (Mismatch, RecursionError):
            run._release_views()
            self._pool.append(memory)
            kernel.mismatches += 1
            raise Mismatch from None
        nesting = min(room, kernel.nesting)
        memory.make_room(kernel.frame_words * (nesting + 2))
        state[buffer.FRAMES] = memory.frames_address
        fuel = self.every * FUEL_PER_EXIT if self.every else buffer.FIRST_FUEL
        state[buffer.FUEL] = fuel
        state[buffer.USED] = fuel - buffer.FUEL_PER_SLICE
        state[buffer.CREATED] = state[buffer.CHAIN] = 0
        state[buffer.BUDGET] = BUDGET
        state[buffer.DEPTH] = nesting
        state[buffer.MODE] = 0
        state[buffer.IS_MAIN] = threading.current_thread() is threading.main_thread()
        if outer is not None:
            state[buffer.FLAG] = outer.flag
        interruption: BaseException | None = None
        self._running.append(memory)
        # Whoever asks after this line finds the memory among those running.
        state[buffer.ATTENTION] = self._attention
        try:
            kernel.function(memory.address)
        except BaseException as error:
            # A signal handler has raised: the kernel has left for it.
            interruption = error
        self._running.remove(memory)
        kernel.entries += 1
        # A kernel that was left at a poll has used up its slice, and no other has begun.
        unused = state[buffer.FUEL]
        kernel.work += state[buffer.USED] + (buffer.FUEL_PER_SLICE - unused if unused >= 0 else 0)
        kernel.work -= WORK_PER_ARRAY * len(run.entered)
        created = state[buffer.CREATED]
        if created:
            run.base = self._take_ids(created)
        result: Value | KernelLeft
        if state[buffer.STATUS]:
            kernel.left += 1
            result = KernelLeft(run.records(), interruption)
        else:
            code = kernel.tags[state[buffer.TAG]] if kernel.result == "mixed" else kernel.result
            if code[0] == "=":
                result = code[1:]
            else:
                result = None if code == "nil" else run.take(code, state[buffer.RESULT])
        run.finish()
        if state[buffer.CHAIN]:
            state[buffer.MODE] = 1
            kernel.function(memory.address)
        self._pool.append(memory)
        return result

    def _take_ids(self, count: int) -> int:
        """Use up as many ids of tables as the kernel has created, and return the first."""
        first: int = self.state.objects.next_id()
        deque(islice(self.state.objects.next_id.__self__, count - 1), maxlen=0)  # type: ignore[attr-defined]
        return first
