"""The verifier of code objects: it accepts what CPython compiles and refuses seeded corruptions."""

from __future__ import annotations

import dis
import importlib.util
import inspect
import opcode
import sys
from collections.abc import Iterator
from types import CodeType, SimpleNamespace
from typing import Any

import pytest

import stoffel
from stoffel.compiler.cpython.verifier import Analysis, check, check_unit, decode, exception_table
from stoffel.compiler.emission.deopt_points import BEFORE, Held, Site, Unit
from stoffel.jit.translating import Translator
from tests.machines import loaded

MODULES = [
    "argparse",
    "ast",
    "base64",
    "bisect",
    "calendar",
    "codecs",
    "collections",
    "configparser",
    "copy",
    "csv",
    "datetime",
    "difflib",
    "enum",
    "fractions",
    "functools",
    "gettext",
    "heapq",
    "inspect",
    "linecache",
    "locale",
    "logging",
    "mimetypes",
    "optparse",
    "os",
    "pathlib",
    "pickle",
    "platform",
    "pprint",
    "random",
    "shutil",
    "statistics",
    "string",
    "tarfile",
    "textwrap",
    "tokenize",
    "traceback",
    "types",
    "typing",
    "uuid",
    "weakref",
    "zipfile",
]


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """Yield *code* and everything nested in it, but no generators and coroutines."""
    if not code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_of(constant)


def is_ours(fault: str) -> bool:
    """Return whether a complaint is about more than CPython's own code may do.

    CPython 3.11 reads locals that may be unassigned (it looks); newer ones save locals around comprehensions, and prove
    by more than looking at single instructions that a local lends its value for long enough.
    """
    return (
        "LOAD_FAST_AND_CLEAR" not in fault
        and " lends " not in fault
        and not ("unassigned" in fault and sys.version_info < (3, 12))
    )


@pytest.mark.parametrize("module", MODULES)
def test_stdlib_module_compiled_by_cpython_is_accepted(module: str) -> None:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    code = spec.loader.get_code(module)  # type: ignore[union-attr]
    wrong = {
        nested.co_qualname: faults
        for nested in codes_of(code)
        if (faults := [fault for fault in check(nested) if is_ours(fault)])
    }
    assert wrong == {}


MOST_CACHES = 20
"""Bytes of the most inline caches that an instruction has (LOAD_METHOD in CPython 3.11)."""


def width(name: str) -> int:
    caches = opcode._inline_cache_entries  # type: ignore[attr-defined]
    return caches[dis.opmap[name]] if sys.version_info < (3, 13) else caches.get(name, 0)


def code(*instructions: str | tuple[str, int], stack: int = 4, table: bytes = b"") -> CodeType:
    """Return a function of parameter ``a`` with locals ``b`` and ``c``, made of exactly these instructions."""

    def template(a: int) -> None:  # its constants are None and 7, its name is `print`
        print(7)
        b = c = 0  # noqa: F841 - the names are what is wanted

    raw = bytearray()
    for item in ("RESUME", *instructions):
        name, argument = (item, 0) if isinstance(item, str) else item
        raw += bytes([dis.opmap[name], argument]) + bytes(2 * width(name))
    return template.__code__.replace(co_code=bytes(raw), co_stacksize=stack, co_exceptiontable=table)


def cells(*instructions: str | tuple[str, int]) -> CodeType:
    """Return a function like that of :func:`code` with a free variable, which is local number 3."""
    return code(*instructions).replace(co_freevars=("d",))


IF_TRUE = "POP_JUMP_FORWARD_IF_TRUE" if sys.version_info < (3, 12) else "POP_JUMP_IF_TRUE"
A, B = ("LOAD_FAST", 0), ("LOAD_FAST", 1)
NONE = ("LOAD_CONST", 0)
LENT = ("LOAD_FAST_BORROW", 0)
FIRST = 1 + width("RESUME")
"""The unit after RESUME."""


def table(size: int, target: int, last: int = 0) -> bytes:
    """Return an exception table: so many units after RESUME go to one further on, with nothing kept on the stack."""
    return bytes([128 | FIRST, size, FIRST + target, last])


def test_plain_function_is_accepted() -> None:
    assert check(code(A, NONE, ("IS_OP", 0), "RETURN_VALUE")) == []
    assert check(cells(("COPY_FREE_VARS", 1), ("LOAD_DEREF", 3), "RETURN_VALUE")) == []


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (code(), "control falls off the end"),
        (code(A), "control falls off the end"),
        (code("RETURN_VALUE"), "needs 1 values, the stack has 0"),
        (code("POP_TOP", NONE, "RETURN_VALUE"), "needs 1 values, the stack has 0"),
        (code(A, ("BINARY_OP", 0), "RETURN_VALUE"), "needs 2 values, the stack has 1"),
        (code(A, A, "STORE_SUBSCR", NONE, "RETURN_VALUE"), "needs 3 values, the stack has 2"),
        (code(A, ("COPY", 2), "RETURN_VALUE"), "needs 2 values, the stack has 1"),
        (code(A, A, A, "RETURN_VALUE", stack=2), "2 is declared"),
        (code(B, "RETURN_VALUE"), "may be unassigned: b"),
        (code(A, (IF_TRUE, 2), A, ("STORE_FAST", 1), B, "RETURN_VALUE"), "may be unassigned: b"),
        (code(("DELETE_FAST", 0), A, "RETURN_VALUE"), "may be unassigned: a"),
        (code(A, (IF_TRUE, 1), A, A, "RETURN_VALUE"), "deep at"),
        (code(A, ("JUMP_FORWARD", 200)), "where no instruction starts"),
        (code(A, ("JUMP_BACKWARD", 99)), "where no instruction starts"),
        (code(A, ("LOAD_ATTR", 0), ("JUMP_BACKWARD", 3 + width("JUMP_BACKWARD"))), "where no instruction starts"),
        (code(A, ("JUMP_BACKWARD", 2 + width("JUMP_BACKWARD"))), "deep at"),
        (code(("LOAD_CONST", 99), "RETURN_VALUE"), "has no constant 99"),
        (code(("LOAD_GLOBAL", 98), "RETURN_VALUE"), "has no name 98"),
        (code(("LOAD_FAST", 77), "RETURN_VALUE"), "has no local 77"),
        (code(("STORE_FAST", 77), "RETURN_VALUE"), "has no local 77"),
        (cells(("LOAD_DEREF", 3), "RETURN_VALUE"), "may be unassigned: cell 3"),
        (cells(("COPY_FREE_VARS", 1), ("LOAD_DEREF", 0), "RETURN_VALUE"), "has no cell 0"),
        (cells(("COPY_FREE_VARS", 2), NONE, "RETURN_VALUE"), "copies 2 of 1 cells"),
        (code(NONE, "RETURN_VALUE", table=bytes([1, 2, 3, 0])), "no entry where one must begin"),
        (code(NONE, "RETURN_VALUE", table=bytes([128 | FIRST, 2])), "middle of an entry"),
        (code(NONE, "RETURN_VALUE", table=table(9, 1)), "empty or out of order"),
        (code(NONE, "RETURN_VALUE", table=table(0, 1)), "empty or out of order"),
        (code(NONE, "RETURN_VALUE", table=table(1, 8)), f"target {2 * FIRST + 16} is not the start"),
        (code(NONE, "RETURN_VALUE", table=table(2, 0, 4)), "wants 2 values"),
        (code(NONE, "RETURN_VALUE", "RETURN_VALUE", table=table(2, 2)), ""),
        (
            code(NONE, ("STORE_FAST", 1), B, "RETURN_VALUE", B, "RETURN_VALUE", table=table(2, 4)),
            "may be unassigned: b",
        ),
    ],
)
def test_corruption_is_refused(broken: CodeType, sentence: str) -> None:
    faults = check(broken)
    if sentence:
        assert any(sentence in fault for fault in faults), faults
    else:
        assert faults == []


@pytest.mark.skipif(sys.version_info < (3, 14), reason="every value that is loaded owns a reference")
@pytest.mark.parametrize(
    ("instructions", "safe"),
    [
        ((LENT, "RETURN_VALUE"), True),
        ((LENT, NONE, ("IS_OP", 0), "RETURN_VALUE"), True),
        ((("LOAD_FAST_BORROW_LOAD_FAST_BORROW", 0), ("BINARY_OP", 0), "RETURN_VALUE"), True),
        ((NONE, LENT, ("STORE_FAST", 1), "RETURN_VALUE"), False),
        ((LENT, NONE, ("STORE_FAST", 0), "RETURN_VALUE"), False),
        ((LENT, ("DELETE_FAST", 0), "RETURN_VALUE"), False),
        ((LENT, ("COPY", 1), ("IS_OP", 0), "RETURN_VALUE"), False),
        ((LENT, ("LOAD_ATTR", 1), ("CALL", 0), "RETURN_VALUE"), False),
        ((LENT, ("JUMP_FORWARD", 0), "RETURN_VALUE"), False),
        ((LENT, A, (IF_TRUE, 0), "RETURN_VALUE"), False),
    ],
)
def test_what_is_borrowed_is_taken_off_while_the_local_keeps_it(instructions: tuple[Any, ...], safe: bool) -> None:
    faults = check(code(*instructions))
    assert (faults == []) is safe
    assert all("LOAD_FAST_BORROW at" in fault and " lends " in fault for fault in faults)


def test_unknown_bytes_are_refused() -> None:
    unknown = next(number for number in range(255, 0, -1) if number not in dis.opmap.values())
    template = code(NONE, "RETURN_VALUE")
    assert "unknown instruction" in check(template.replace(co_code=bytes([unknown, 0])))[0]
    assert "is the last instruction" in check(template.replace(co_code=bytes([dis.EXTENDED_ARG, 0])))[0]
    # CPython itself would clear the cache behind the end of a real code object when it is asked for its code.
    short: Any = SimpleNamespace(co_code=bytes([dis.opmap["BINARY_OP"], 0]))
    with pytest.raises(ValueError, match="no room for its cache"):
        decode(short)


def test_generators_are_refused() -> None:
    def generator() -> Iterator[int]:
        yield 1

    assert check(generator.__code__) == ["generators and coroutines are not supported"]


def test_decoding_agrees_with_dis() -> None:
    for function in (dis.dis, inspect.getsource, check, codes_of):
        mine = [(item.at, item.name, item.argument) for item in decode(function.__code__)]
        theirs = [
            (item.offset, item.opname, item.arg or 0)
            for item in dis.get_instructions(function.__code__)
            if item.opname not in ("EXTENDED_ARG", "CACHE")
        ]
        assert [(at, name) for at, name, _ in mine] == [(at, name) for at, name, _ in theirs]
        assert [a for _, _, a in mine if a] == [a for _, _, a in theirs if a]


def test_exception_table_agrees_with_dis() -> None:
    for function in (dis.dis, inspect.getsourcefile, inspect.getmodule):
        theirs = [tuple(entry) for entry in dis._parse_exception_table(function.__code__)]  # type: ignore[attr-defined]
        assert [tuple(entry) for entry in exception_table(function.__code__)] == theirs


def test_locals_are_assigned_where_every_way_assigns_them() -> None:
    analysis = Analysis(code(A, (IF_TRUE, 2), A, ("STORE_FAST", 1), A, "RETURN_VALUE"))
    assert analysis.faults == []
    assert [analysis.is_assigned(len(analysis.instructions) - 1, name) for name in ("a", "b", "zzz")] == [
        True,
        False,
        False,
    ]


PROGRAM = """
function main()
.registers 4
    LDI r0, 0
    LDI r1, 100
again:
    LDI r2, 1
    ADD r0, r0, r2
    CMP r0, r1
    JMPLT again
    RET r0
end
"""


def units(text: str, entry: str = "main") -> list[Unit]:
    """Return the units that running a program makes."""
    machine = loaded(stoffel.VirtualMachine(jit="always"), text)
    machine.execute(entry)
    return list(machine.state.tier.units.by_code.values())


def test_every_single_byte_change_of_a_unit_is_survived_by_the_checker() -> None:
    (unit,) = units(PROGRAM)
    raw = unit.code.co_code
    # Where an instruction at the end wants a cache, CPython clears what comes after the code.
    room = bytes([dis.opmap["NOP"], 0]) * 16
    verdicts = set()
    for position in range(len(raw)):
        if position % 2 == 0 and position >= len(raw) - MOST_CACHES:
            # CPython 3.11 and 3.12 read no co_code in which caches do not fit: they write beyond its end.
            continue
        for change in (1, 4, 64):
            damaged = bytearray(raw + room)
            damaged[position] ^= change
            verdicts.add(bool(check(unit.code.replace(co_code=bytes(damaged)))))
    assert verdicts == {True, False}


def test_site_that_names_an_unassigned_local_is_found() -> None:
    (unit,) = units(PROGRAM)
    assert check_unit(unit) == []
    found = False
    for line in unit.lines:
        for way, site in list(line.sites.items()):
            line.sites[way] = Site(site.resume, (*site.spots, Held("nowhere")), site.flag)
            found |= any("local nowhere" in fault for fault in check_unit(unit))
            del line.sites[way]
            found |= any("has no site" in fault for fault in check_unit(unit)) or way == BEFORE
            line.sites[way] = site
    assert found
    assert check_unit(unit) == []


def test_load_from_a_cell_without_a_handler_is_found() -> None:
    (unit,) = units(PROGRAM)
    assert check_unit(unit) == []
    assert unit.polled
    unit.code = unit.code.replace(co_exceptiontable=b"")
    assert any("LOAD_DEREF" in fault and "has no handler" in fault for fault in check_unit(unit))


def test_units_are_checked_throughout_the_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Unit] = []
    assert Translator.inspect is not None
    monkeypatch.setattr(Translator, "inspect", staticmethod(seen.append))
    assert units(PROGRAM) == seen
