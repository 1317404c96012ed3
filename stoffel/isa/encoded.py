"""Instructions as they stand in a ``.stflb`` file, and the sequence that shows them decoded.

A function may hold eight million instructions. :class:`InstructionScanner` checks them in one pass without making an
object per instruction; :class:`EncodedInstructions` decodes the ones that somebody looks at. Sizes and operand layout
follow the rows of the instruction table.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, overload

from stoffel.isa.instruction import Instruction
from stoffel.isa.scalars import constant_key
from stoffel.isa.table import ROWS, Op, OperandKind

CHUNK: Final = 1 << 15
"""Instructions between two flushes of what the scanner has set aside; bounds its memory."""

NAME_LIMIT: Final = 1 << 16
"""Most distinct names of a kind that the scanner keeps. A function has fewer labels than this, so if it jumps to an
unknown one, the first such jump is among the kept names."""

MEMO_LIMIT: Final = 1 << 14
"""Most decoded instructions that the functions of one file keep for sharing."""

_INVALID_NAME: Final = {
    OperandKind.LABEL: "Invalid UTF-8 in label",
    OperandKind.FUNCTION: "Invalid UTF-8 in function name",
}


class Encoding(NamedTuple):
    """How one instruction is encoded: opcode byte, then either fixed 32-bit fields or one name."""

    op: Op
    fields: struct.Struct
    """The opcode and the fixed operands."""
    registers: tuple[int, ...]
    """Positions of register operands."""
    constant: int | None
    """Position of the constant index."""
    name: OperandKind | None
    """Kind of the name that is the only operand."""

    @property
    def size(self) -> int:
        """Bytes of the instruction without the name."""
        return self.fields.size


def _encoding(op: Op) -> Encoding:
    names = [operand.kind for operand in op.operands if operand.kind.is_name]
    if names and len(op.operands) > 1:
        raise LookupError(f"{op.name}: the file format has no instruction with a name beside other operands")
    letters = "".join("i" if operand.kind is OperandKind.OFFSET else "I" for operand in op.operands if not names)
    return Encoding(
        op,
        struct.Struct("<B" + letters),
        tuple(index for index, operand in enumerate(op.operands) if operand.kind.is_register),
        op.position(OperandKind.CONSTANT),
        names[0] if names else None,
    )


ENCODINGS: Final[tuple[Encoding, ...]] = tuple(_encoding(op) for op in ROWS)
_ENCODING_OF: Final[dict[int, Encoding]] = {encoding.op.code: encoding for encoding in ENCODINGS}


class ScanError(Exception):
    """The instructions are malformed at byte *offset*; *message* is None when the data end too early."""

    def __init__(self, message: str | None, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class InstructionScanner:
    """Finds and checks the instructions of the functions of one file."""

    __slots__ = ("_data", "_pool", "_fixed", "_collect", "_groups", "_memo")

    def __init__(self, data: bytes, pool: tuple[Any, ...]) -> None:
        self._data = data
        self._pool = pool
        self._memo: dict[bytes, Instruction] = {}
        # By opcode: the size of an instruction without a name (0: it has one; -1: no such opcode), and where to set
        # its operands aside. Instructions of one layout share a list.
        self._fixed = [-1] * 256
        self._groups: dict[tuple[object, ...], tuple[Encoding, list[bytes]]] = {}
        self._collect: list[Any] = [None] * 256
        for encoding in ENCODINGS:
            code = encoding.op.code
            self._fixed[code] = 0 if encoding.name else encoding.size
            layout = (encoding.size, encoding.registers, encoding.constant)
            if not encoding.name:
                self._collect[code] = self._groups.setdefault(layout, (encoding, []))[1].append

    def scan(self, position: int, count: int) -> tuple[EncodedInstructions, int]:
        """Return the *count* instructions that begin at byte *position*, and the position behind them.

        Raises ScanError at the first that is malformed. Constant indices are not compared with the pool here.
        """
        data, fixed, collect = self._data, self._fixed, self._collect
        total = len(data)
        offsets = array("I" if total < 1 << 32 else "Q")
        add = offsets.append
        names: dict[OperandKind, dict[bytes, str]] = {kind: {} for kind in _INVALID_NAME}
        known = {encoding.op.code: names[encoding.name] for encoding in ENCODINGS if encoding.name}
        highest = constant = -1
        for done in range(0, count, CHUNK):
            try:
                # The tight loop: everything that the fixed-size instructions need is set aside and judged by the chunk.
                for _ in range(min(CHUNK, count - done)):
                    add(position)
                    code = data[position]
                    size = fixed[code]
                    if size > 0:
                        start = position + 1
                        position += size
                        collect[code](data[start:position])
                    elif size == 0:
                        start = position + 3
                        end = start + (data[position + 1] | data[position + 2] << 8)
                        if data[start:end] not in known[code]:
                            self._add_name(code, position, end, known[code])
                        position = end
                    else:
                        raise ScanError(f"Unknown opcode: {code}", position)
            except IndexError:
                raise ScanError(None, offsets[-1]) from None
            if position > total:
                raise ScanError(None, offsets[-1])
            top, index = self._flush()
            highest = max(highest, top)
            constant = max(constant, index)
        add(position)
        labels = tuple(names[OperandKind.LABEL].values())
        return EncodedInstructions(data, offsets, self._pool, highest, constant, labels, self._memo), position

    def _add_name(self, code: int, position: int, end: int, known: dict[bytes, str]) -> None:
        """Check a name that has not been seen yet; it ends at *end*, its instruction begins at *position*."""
        if end > len(self._data):
            raise ScanError(None, position)
        start = position + 3
        raw = self._data[start:end]
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            kind = _ENCODING_OF[code].name
            assert kind is not None
            raise ScanError(_INVALID_NAME[kind], start + error.start) from None
        if len(known) < NAME_LIMIT:
            known[raw] = text

    def _flush(self) -> tuple[int, int]:
        """Return the highest register and the highest constant index set aside (-1: none), and forget them."""
        highest = constant = -1
        for encoding, operands in self._groups.values():
            if not operands:
                continue
            words = array("I")
            words.frombytes(b"".join(operands))
            operands.clear()
            if _SWAP:
                words.byteswap()
            step = len(encoding.op.operands)
            for index in encoding.registers:
                highest = max(highest, max(words[index::step]))
            if encoding.constant is not None:
                constant = max(constant, max(words[encoding.constant :: step]))
        return highest, constant


_SWAP: Final = struct.pack("=H", 1) != struct.pack("<H", 1)


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return one is other or list(map(constant_key, one)) == list(map(constant_key, other))


class EncodedInstructions(Sequence[Instruction]):
    """The instructions of a function over the bytes of its file, decoded on demand.

    Equal instructions of one file are mostly the same object. *pool* is the constant pool of the file; LDI shows
    the constant, not its index.
    """

    __slots__ = ("_data", "_offsets", "pool", "_highest", "_constant", "_labels", "_memo")

    def __init__(
        self,
        data: bytes,
        offsets: array[int],
        pool: tuple[Any, ...],
        highest: int,
        constant: int,
        labels: tuple[str, ...],
        memo: dict[bytes, Instruction],
    ) -> None:
        self._data = data
        self._offsets = offsets
        self.pool = pool
        self._highest = highest
        self._constant = constant
        self._labels = labels
        self._memo = memo

    def highest_register(self) -> int:
        """Return the highest register operand, -1 if there is none. Costs nothing."""
        return self._highest

    def jump_labels(self) -> tuple[str, ...]:
        """Return the distinct labels that instructions name, by first use (of more than 65 536, the first ones)."""
        return self._labels

    def raw(self) -> bytes:
        """Return the instructions as they stand in the file."""
        return self._data[self._offsets[0] : self._offsets[-1]]

    def bad_constant(self) -> tuple[int, int, int] | None:
        """Return instruction index, constant index and byte offset of the first LDI beyond the pool, or None."""
        if self._constant < len(self.pool):
            return None
        for index, offset in enumerate(self._offsets[:-1]):
            encoding = _ENCODING_OF[self._data[offset]]
            if encoding.constant is not None:
                constant = encoding.fields.unpack_from(self._data, offset)[1 + encoding.constant]
                if constant >= len(self.pool):
                    return index, constant, offset
        raise AssertionError("the scanner has seen such an index")

    def _decode(self, raw: bytes) -> Instruction:
        encoding = _ENCODING_OF[raw[0]]
        operands: tuple[Any, ...]
        if encoding.name is not None:
            operands = (raw[3:].decode(),)
        else:
            operands = encoding.fields.unpack(raw)[1:]
            at = encoding.constant
            if at is not None:
                operands = (*operands[:at], self.pool[operands[at]], *operands[at + 1 :])
        found = Instruction._from_trusted(encoding.op, operands)
        if len(self._memo) >= MEMO_LIMIT:
            self._memo.clear()
        self._memo[raw] = found
        return found

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> Instruction: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Instruction, ...]: ...

    def __getitem__(self, index: int | slice) -> Instruction | tuple[Instruction, ...]:
        count = len(self._offsets) - 1
        if isinstance(index, slice):
            return tuple(self[at] for at in range(*index.indices(count)))
        if not -count <= index < count:
            raise IndexError("instruction index out of range")
        if index < 0:
            index += count
        raw = self._data[self._offsets[index] : self._offsets[index + 1]]
        return self._memo.get(raw) or self._decode(raw)

    def __iter__(self) -> Iterator[Instruction]:
        data, known, decode = self._data, self._memo.get, self._decode
        ends = iter(self._offsets)
        start = next(ends)
        for end in ends:
            raw = data[start:end]
            start = end
            yield known(raw) or decode(raw)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
            return NotImplemented
        if self is other:
            return True
        if len(self) != len(other):
            return False
        if isinstance(other, EncodedInstructions) and self.raw() == other.raw() and _same(self.pool, other.pool):
            return True
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # equal to tuples, whose hash would cost decoding everything

    def __repr__(self) -> str:
        return f"<{len(self)} encoded instructions>"
