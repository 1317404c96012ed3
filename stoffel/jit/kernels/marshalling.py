"""One run of a kernel: values of the machine into its memory, and back.

Arrays are given to a kernel as headers that point at their typed storage, objects as records of words. Tables that it
has created become tables of the machine when they are reached from a result or a register; all others are freed.
"""

from __future__ import annotations

import ctypes
from array import array as Buffer  # noqa: N812 - an array is a value of the machine here
from typing import TYPE_CHECKING, Any, Final

from stoffel.compiler.kernels.analysis.types import FIELD_LIMIT, SCALARS, fields_of
from stoffel.compiler.kernels.codegen import buffer
from stoffel.jit.kernels.memory import HEADERS, Memory
from stoffel.jit.kernels.outcomes import Mismatch
from stoffel.jit.kernels.runnable import TYPES, variants_of, words_of
from stoffel.model import elements
from stoffel.model.values import Array, Closure, Object, Operand, TypedArray, Value, new_array, new_object
from stoffel.runtime.builtins.closures import replace
from stoffel.runtime.frames import NO_UPVALUES, ActivationRecord

if TYPE_CHECKING:
    from stoffel.jit.kernels.runnable import RunnableKernel
    from stoffel.runtime.state import VMState

KINDS: Final = {scalar.name: cls for cls, scalar in SCALARS.items()}
"""Python class by the code of a scalar type."""
CODES: Final = {cls: scalar.name for cls, scalar in SCALARS.items()}
OPAQUE: Final = "opaque"
NESTING: Final = 4
"""Depth to which arrays of arrays are typed."""

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
    if type(value) is Object and depth < NESTING and len(value.fields) <= FIELD_LIMIT:
        fields = []
        for name, item in value.fields.items():
            code = code_of_value(item, depth + 1)
            if type(name) is not str or code in ("nil", OPAQUE):
                return OPAQUE
            fields.append(f"{len(name)}:{name}{code}")
        return "{" + ",".join(fields) + "}"
    if type(value) is Closure and not depth:
        return _code_of_closure(value)
    return OPAQUE


def _code_of_closure(closure: Closure) -> str:
    if len(closure.upvalues) > FIELD_LIMIT:
        return OPAQUE
    upvalues = []
    for name, item in closure.upvalues:
        code = code_of_value(item, 1)
        if code in ("nil", OPAQUE):
            return OPAQUE
        upvalues.append(f"{len(name)}:{name}{code}")
    if len(set(closure.shape[1])) < len(upvalues):
        # The machine reads the last of two with one name, and writes the first back.
        return OPAQUE
    return f"({len(closure.function)}:{closure.function}{{{','.join(upvalues)}}})"


_FIELDS: Final[dict[str, list[tuple[str, str]]]] = {}


def _fields_of(code: str) -> list[tuple[str, str]]:
    """Return names and codes of the fields of a record type."""
    fields = _FIELDS.get(code)
    if fields is None:
        if len(_FIELDS) >= TYPES:
            _FIELDS.clear()
        fields = _FIELDS[code] = fields_of(code)[0]
    return fields


class Run:
    """One run of a kernel: which header stands for which array."""

    __slots__ = (
        "base",
        "closures",
        "done",
        "entered",
        "given",
        "holds",
        "ids",
        "kernel",
        "lent",
        "made",
        "memory",
        "opaques",
        "outer",
        "owned",
        "result",
        "state",
        "tables",
        "taken",
    )

    owned: list[Any]
    """Headers whose elements the kernel has allocated: to be freed."""
    result: Any
    """What the run came to, when ``taken`` is True: a value or a KernelLeft."""

    def __init__(self, state: VMState, kernel: RunnableKernel, memory: Memory, outer: ActivationRecord | None) -> None:
        self.state = state
        self.kernel = kernel
        self.memory = memory
        self.outer = outer
        self.tables: dict[int, Array | Object] = {}
        """Tables of the machine by the address of what stands for them."""
        self.made: dict[int, tuple[int, str]] = {}
        """Address of the header and code, by id() of the array: one array has one header."""
        self.entered: list[tuple[int, Any, str, bytes]] = []
        """Headers that the kernel was given: address, array, code, and what its rows were if it is one of arrays."""
        self.given: list[tuple[int, Closure]] = []
        """Closures that the kernel was given, with their addresses."""
        self.closures: dict[tuple[int, int], Closure] = {}
        """Closures of the machine by address and the number of times that it had been written."""
        self.holds: list[Any] = []
        """What must live until the end of the run."""
        self.lent: list[TypedArray] = []
        self.opaques: list[Value] = []
        self.base = 0
        """Id of the first table that the kernel has created."""
        self.ids: list[int] | None = None
        """Holds that id when ids are used up, None as long as that was not begun."""
        self.taken = False
        """Whether everything is taken over, the result too."""
        self.done = False
        """Whether everything is freed as well."""

    # Entering

    def give(self, index: int, code: str, value: Operand) -> None:
        """Put a value into the state buffer. Raises Mismatch."""
        if code == "float":
            self.memory.doubles[buffer.VALUES + index] = value
        elif code == OPAQUE:
            self.memory.state[buffer.VALUES + index] = len(self.opaques)
            self.opaques.append(value)
        elif code[0] in "[{":
            self.memory.state[buffer.VALUES + index] = self._address(code, value)
        elif code[0] == "(":
            self.memory.state[buffer.VALUES + index] = self._closure(code, value)
        elif code != "nil":
            self.memory.state[buffer.VALUES + index] = value

    def _closure(self, code: str, closure: Value) -> int:
        """Return the address of what stands for a closure."""
        if type(closure) is not Closure:
            raise Mismatch
        known = self.made.get(id(closure))
        if known is not None:
            if known[1] != code:
                raise Mismatch
            return known[0]
        names = closure.shape[1]
        for variant in variants_of(code):
            function, upvalues = variant
            if function == closure.function and tuple([name for name, _ in upvalues]) == names:
                break
        else:
            raise Mismatch
        words = (_Word * self.kernel.closure_words)()
        words[buffer.VARIANT] = self.kernel.closures.index(variant)
        for position, ((_, kind), (_, value)) in enumerate(zip(upvalues, closure.upvalues, strict=True)):
            words[buffer.UPVALUES + position] = self._word(kind, value)
        address = ctypes.addressof(words)
        self.holds.append(words)
        self.made[id(closure)] = address, code
        self.closures[address, 0] = closure
        self.given.append((address, closure))
        return address

    def check_closures(self) -> None:
        """Raise Mismatch if a closure that the kernel may write to is also where it does not look."""
        for _, closure in self.given:
            if any(value is closure for value in self.opaques):
                raise Mismatch
        for _, closure in self.given:
            closure.shared = True

    def _address(self, code: str, table: Value) -> int:
        """Return the address of what stands for a table."""
        known = self.made.get(id(table))
        if known is None:
            return self._header(code, table) if code[0] == "[" else self._fields(code, table)
        if known[1] != code:
            raise Mismatch
        return known[0]

    def _fields(self, code: str, record: Value) -> int:
        if type(record) is not Object:
            raise Mismatch
        described = _fields_of(code)
        count = len(record.fields)
        words = (_Word * (buffer.FIELDS + len(described)))()
        if count > len(described) or list(record.fields) != [name for name, _ in described[:count]]:
            raise Mismatch
        words[buffer.MASK] = (1 << count) - 1
        address = ctypes.addressof(words)
        self._enter(address, record, code)
        self.holds.append(words)
        for number, ((_, kind), value) in enumerate(zip(described, record.fields.values(), strict=False)):
            words[buffer.FIELDS + number] = self._word(kind, value)
        self.entered.append((address, record, code, bytes(words)))
        return address

    def _word(self, code: str, value: Operand) -> int:
        """Return the word for a field. Raises Mismatch for a value of another type."""
        if code[0] in "[{":
            return self._address(code, value)
        if CODES.get(type(value)) != code:
            raise Mismatch
        if code == "float":
            return _Word.from_buffer(ctypes.c_double(value)).value
        return int(value)

    def _enter(self, address: int, table: Array | Object, code: str) -> None:
        self.tables[address] = table
        self.made[id(table)] = address, code

    def _header(self, code: str, array: Value) -> int:
        kind = KINDS.get(code[1:])
        before = b""
        if kind is not None:
            if not isinstance(array, Array) or elements.specialise(array, kind) is not kind:
                raise Mismatch
            # In a signal handler, a kernel that was interrupted may have it.
            if type(array) is not TypedArray or not elements.lend(array):
                raise Mismatch
            self.lent.append(array)
            data, length = array.buffer.buffer_info()
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
                rows = Buffer("q", [self._address(code[1:], item) for item in array.items])
                data, length = rows.buffer_info()
                before = rows.tobytes()
                self.holds.append(rows)
        address = self._new_header(data, length)
        self._enter(address, array, code)
        self.entered.append((address, array, code, before))
        return address

    def _new_header(self, data: int, length: int) -> int:
        position = len(self.entered)
        words: Any
        if position < HEADERS:
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
        if code[0] in "[{":
            return self._table_at(word, code)
        if code[0] == "(":
            return self._closure_of(word, self._closure_words(word))
        if code == OPAQUE:
            return self.kernel.constants[-1 - word] if word < 0 else self.opaques[word]
        if code == "uint64":
            word &= (1 << 64) - 1
        return int.__new__(KINDS[code], word)

    def _closure_words(self, address: int) -> Any:
        return (_Word * self.kernel.closure_words).from_address(address)

    def _closure_of(self, address: int, words: Any) -> Closure:
        """Return the closure at an address as it is or was when *words* were there: one object each time it changes."""
        key = address, words[buffer.WRITTEN]
        closure = self.closures.get(key)
        if closure is None:
            function, described = self.kernel.closures[words[buffer.VARIANT]]
            upvalues = [
                (name, self.take(kind, words[position]))
                for position, (name, kind) in enumerate(described, buffer.UPVALUES)
            ]
            closure = self.closures[key] = Closure(function, tuple(upvalues))
        return closure

    def _upvalues(self, described: list[tuple[str, str]], words: list[int]) -> list[tuple[str, Value]]:
        return [(name, self.take(code, word)) for (name, code), word in zip(described, words, strict=True)]

    def _table_at(self, address: int, code: str) -> Array | Object:
        """Return the table at an address, which becomes one of the machine if the kernel has created it.

        It is noted when it is complete, so that an interruption leaves none half made; no table contains itself.
        """
        table = self.tables.get(address)
        if table is not None:
            return table
        return self._array_at(address, code) if code[0] == "[" else self._object_at(address, code)

    def _object_at(self, address: int, code: str) -> Object:
        words = (_Word * (buffer.FIELDS + len(_fields_of(code)))).from_address(address)
        record = new_object(self.base + words[buffer.IDENTITY])
        self._set_fields(record, words, code)
        self.tables[address] = record
        return record

    def _set_fields(self, record: Object, words: Any, code: str) -> None:
        described = _fields_of(code)[: words[buffer.MASK].bit_length()]
        for position, (name, kind) in enumerate(described, buffer.FIELDS):
            record.fields[name] = self.take(kind, words[position])

    def _array_at(self, address: int, code: str) -> Array:
        header = (_Word * buffer.HEADER_WORDS).from_address(address)
        identity = self.base + header[buffer.NUMBER]
        data, length = header[buffer.DATA], header[buffer.LENGTH]
        kind = KINDS.get(code[1:])
        if kind is None or not length:
            array = self.tables[address] = new_array(identity, self._rows_at(data, length, code) if length else [])
            return array
        storage: Buffer[Any] = Buffer(elements.FORMATS[kind])
        storage.frombytes(ctypes.string_at(data, length * storage.itemsize))
        typed = self.tables[address] = elements.typed(identity, kind, storage)
        return typed

    def _rows_at(self, data: int, length: int, code: str) -> list[Value]:
        return [self._table_at(address, code[1:]) for address in (_Word * length).from_address(data)]

    def finish(self) -> None:
        """Give the arrays that the kernel was entered with what it has made of them; replace changed closures."""
        self.owned = []
        for address, closure in self.given:
            words = self._closure_words(address)
            if words[buffer.WRITTEN]:
                replace(self.state, closure, self._closure_of(address, words))
        for address, array, code, before in self.entered:
            if code[0] == "{":
                words = (_Word * (buffer.FIELDS + len(_fields_of(code)))).from_address(address)
                if bytes(words) != before:
                    self._set_fields(array, words, code)
                continue
            header = (_Word * buffer.HEADER_WORDS).from_address(address)
            data, length = header[buffer.DATA], header[buffer.LENGTH]
            if code[1:] not in KINDS:
                if length and ctypes.string_at(data, length * 8) != before:
                    array.items[:] = self._rows_at(data, length, code)
            elif header[buffer.OWNED]:
                elements.replace_buffer(array, data, length)
            if header[buffer.OWNED]:
                self.owned.append(header)
        self.give_back()

    def free(self) -> None:
        """Free the elements that the kernel has allocated for arrays that it was entered with."""
        if self.owned:
            release = ctypes.pythonapi.PyMem_RawFree
            while self.owned:
                data = ctypes.c_void_p(self.owned[-1][buffer.DATA])
                # An interruption may come after the call, when it must not be there any more.
                del self.owned[-1]
                release(data)

    def give_back(self) -> None:
        """Let ordinary code do everything with the arrays again; can be called again after an interruption."""
        while self.lent:
            elements.give_back(self.lent[-1])
            del self.lent[-1]

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
        arguments, position = self._values(site.codes, words, position + 2, bound=True)
        closure, upvalues = None, NO_UPVALUES
        if site.closure is not None:
            described = site.closure[1]
            address = words[position]
            closure = self._closure_of(address, self._closure_words(address))
            own = words[position + 1 : position + 1 + len(described)]
            position += 1 + len(described)
            # Compiled code takes a record over where its upvalues are the very values of the closure.
            same = own == self._closure_words(address)[buffer.UPVALUES : buffer.UPVALUES + len(own)]
            upvalues = list(closure.upvalues) if same else self._upvalues(described, own)
        values, position = self._values(site.places, words, position)
        count = site.code.register_count
        record = self.outer if site.outer else None
        if record is None:
            record = ActivationRecord(self.state, site.code, arguments, upvalues, closure)
        elif site.closure is not None:
            record.upvalues, record.closure = upvalues, closure
        record.registers[:] = values[:count]
        if site.slots:
            record.spill = dict(zip(site.slots, values[count:], strict=False))
        record.stack = values[count + len(site.slots) :]
        record.flag = flag
        record.jump(site.resume)
        return record, position

    def _values(self, codes: list[str], words: Any, position: int, *, bound: bool = False) -> tuple[list[Value], int]:
        """Return values of types and where the words behind them are; *bound*: closures as they were at entry."""
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
            elif bound and code[0] == "(":
                end = position + 1 + words_of(code)
                values.append(self._closure_of(words[position], words[position + 1 : end]))
                position = end
            else:
                values.append(self.take(code, words[position]))
                position += 1
        return values, position
