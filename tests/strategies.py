"""Hypothesis strategies for whole programs: every instruction of the table, every constant kind, types, manifests.

The programs are well-formed as files (they can be written in their version and read back equal) but make no sense as
computations; nothing here is meant to be run.
"""

from __future__ import annotations

import struct
from functools import cache

from hypothesis import strategies as st

from stoffel.isa import types
from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.layout import CURRENT_VERSION
from stoffel.isa.manifest import BACKENDS, CURVES, SHARE_KINDS, Client, Demand, Manifest, ShareType
from stoffel.isa.program import Program
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.table import ROWS, OperandKind
from stoffel.isa.types import Type

U16_MAX = (1 << 16) - 1
U32_MAX = (1 << 32) - 1
U64_MAX = (1 << 64) - 1


def _edged(maximum: int, *, minimum: int = 0) -> st.SearchStrategy[int]:
    """Integers, small ones and the two ends often."""
    return st.one_of(
        st.integers(max(minimum, 0), min(20, maximum)),
        st.sampled_from([minimum, maximum]),
        st.integers(minimum, maximum),
    )


@cache
def texts(max_size: int = 12) -> st.SearchStrategy[str]:
    """Any text that UTF-8 can hold."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=max_size)


@cache
def names() -> st.SearchStrategy[str]:
    """Names as people write them, and names that need quotes or could be taken for something else."""
    return st.one_of(
        st.from_regex(r"[a-z_][a-z0-9_]{0,6}(\.[a-z]{1,3})?", fullmatch=True),
        st.sampled_from(
            [
                "",
                "main",
                "r0",
                "ADD",
                "end",
                "int64",
                "list",
                "true",
                "nan",
                "a b",
                "a:b",
                "fn",
                "1",
                "-",
                '"',
                "\n",
                "é",
            ]
        ),
        texts(),
    )


@cache
def registers() -> st.SearchStrategy[int]:
    return _edged(U32_MAX)


@cache
def floats() -> st.SearchStrategy[float]:
    """Floats of any bits, NaN payloads included."""
    bits = st.one_of(
        st.sampled_from([0x7FF0000000000001, 0xFFF8000000000000, 0x7FF8000000000123, 1 << 63, 0x7FF0000000000000]),
        st.integers(0, U64_MAX),
    ).map(lambda word: struct.unpack("<d", struct.pack("<Q", word))[0])
    return st.one_of(st.floats(), bits)


@cache
def constants() -> st.SearchStrategy[object]:
    """A constant of any kind."""
    integers = [_edged(kind.maximum, minimum=kind.minimum).map(cls) for cls, kind in INTEGER_KINDS.items()]
    return st.one_of(st.none(), st.booleans(), floats(), texts(), *integers)


@cache
def type_descriptors(max_leaves: int = 6) -> st.SearchStrategy[Type]:
    """A type of any form."""
    leaves = st.one_of(
        st.sampled_from([types.FLOAT, types.STRING, types.BOOL, types.NIL, types.VOID, types.UNKNOWN]),
        st.builds(lambda width, signed: types.integer(width, signed=signed), _edged(255, minimum=1), st.booleans()),
        st.builds(types.fixed, _edged(255, minimum=1)),
        st.builds(types.fixed, st.just(64)),
        st.builds(types.object_type, names()),
        st.builds(types.variable, names()),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(types.secret, inner),
            st.builds(types.list_of, inner),
            st.builds(types.dict_of, inner, inner),
            st.builds(lambda name, args: types.generic(name, *args), names(), st.lists(inner, max_size=3)),
        ),
        max_leaves=max_leaves,
    )


@st.composite
def share_types(draw: st.DrawFn) -> ShareType:
    kind = draw(st.sampled_from(SHARE_KINDS))
    bits = draw(_edged(U32_MAX, minimum=1))
    return ShareType(kind.name, bits, draw(_edged(bits - 1)) if len(kind.fields) == 2 else 0)


@st.composite
def manifests(draw: st.DrawFn, version: int = CURRENT_VERSION) -> Manifest:
    """A manifest that a file of *version* can hold."""
    if version < 2:
        return Manifest()
    shares = st.lists(share_types(), max_size=3)
    clients = draw(st.lists(st.builds(Client, _edged(U64_MAX), shares, shares), max_size=2))
    backend = draw(st.sampled_from(BACKENDS)) if version >= 3 else BACKENDS[0]
    curve = draw(st.sampled_from(CURVES)) if version >= 4 else CURVES[0]
    amount = _edged(U64_MAX)
    demand = draw(st.builds(Demand, amount, amount, amount, amount, st.booleans())) if version >= 8 else Demand()
    return Manifest(backend, curve, clients, demand)


@st.composite
def instructions(draw: st.DrawFn, labels: list[str], callees: st.SearchStrategy[str] | None = None) -> Instruction:
    """An instruction of any row; jumps go to *labels* (no jumps if there are none)."""
    row = draw(_ROWS if labels else _ROWS_WITHOUT_LABEL)
    operands: list[object] = []
    for operand in row.operands:
        if operand.kind is OperandKind.LABEL:
            operands.append(draw(st.sampled_from(labels)))
        elif operand.kind is OperandKind.FUNCTION and callees is not None:
            operands.append(draw(callees))
        else:
            operands.append(draw(_OPERANDS[operand.kind]))
    return Instruction(row.name, *operands)


_ROWS = st.sampled_from(ROWS)
_ROWS_WITHOUT_LABEL = st.sampled_from([row for row in ROWS if row.position(OperandKind.LABEL) is None])
_OPERANDS: dict[OperandKind, st.SearchStrategy[object]] = {
    OperandKind.TARGET: registers(),
    OperandKind.SOURCE: registers(),
    OperandKind.SLOT: registers(),
    OperandKind.OFFSET: _edged((1 << 31) - 1, minimum=-(1 << 31)),
    OperandKind.CONSTANT: constants(),
    OperandKind.FUNCTION: names(),
}


@st.composite
def functions(draw: st.DrawFn, name: str | None = None, version: int = CURRENT_VERSION, max_size: int = 12) -> Function:
    """A function that a file of *version* can hold; its labels stand anywhere up to the end."""
    labels = draw(st.lists(names(), unique=True, max_size=4))
    body = draw(st.lists(instructions(labels), max_size=max_size))
    parameters = draw(st.lists(names(), max_size=3))
    typed = version >= 5
    return Function(
        draw(names()) if name is None else name,
        body,
        parameters=parameters,
        upvalues=draw(st.lists(names(), max_size=2)),
        registers=draw(_edged(U16_MAX)),
        labels={label: draw(st.integers(0, len(body))) for label in labels},
        parent=draw(st.none() | names()),
        parameter_types=[draw(type_descriptors()) for _ in parameters] if typed else None,
        return_type=draw(type_descriptors()) if typed else None,
    )


@st.composite
def programs(
    draw: st.DrawFn,
    *,
    versions: st.SearchStrategy[int] | None = None,
    max_functions: int = 3,
    max_size: int = 12,
    pools: bool = True,
    duplicates: bool = True,
) -> Program:
    """A program of any version.

    *pools* lets the constant pool have an order of its own, unused and duplicate entries; *duplicates* lets a function
    be recorded twice.
    """
    version = draw(st.integers(0, CURRENT_VERSION) if versions is None else versions)
    found = [
        draw(functions(name, version, max_size))
        for name in draw(st.lists(names(), unique=True, max_size=max_functions))
    ]
    if duplicates and found and draw(st.integers(0, 7)) == 0:
        found.append(draw(st.sampled_from(found)))
    pool = draw(st.none() | st.lists(constants(), max_size=4)) if pools else None
    return Program(found, constants=pool, manifest=draw(manifests(version)), version=version)
