"""A verifier of CPython code objects: what must hold so that running one cannot crash the process.

CPython trusts its compiler: a code object that pops from an empty evaluation stack or reads a local that was never
assigned is undefined behaviour, not an exception. :func:`check` proves the absence of both by a forward data-flow
analysis over the instructions, as a Java class-file verifier does (Lindholm and Yellin, "The Java Virtual Machine
Specification", 1997, section 4.9). It is for tests; running a program does not need it.
"""

from __future__ import annotations

import dis
import inspect
import opcode
from collections.abc import Callable
from types import CodeType
from typing import Any, Final, NamedTuple

from stoffel.compiler.cpython.opcodes import ITERATOR, VERSION
from stoffel.compiler.emission.deopt_points import BEFORE, DURING, LOOP, Held, Length, Order, Site, Sum, Unit
from stoffel.compiler.emission.global_names import LEAVE

_EXTENDED: Final = dis.opmap["EXTENDED_ARG"]
_CACHES: Final[dict[int, int]] = {
    code: (
        opcode._inline_cache_entries[code]  # type: ignore[attr-defined]
        if VERSION < (3, 13)
        else opcode._inline_cache_entries.get(name, 0)  # type: ignore[attr-defined]
    )
    for name, code in dis.opmap.items()
    if code < 256
}
_NAMES: Final = {code: name for name, code in dis.opmap.items() if code < 256 and name != "CACHE"}
_CONST: Final = frozenset(dis.hasconst)
_NAME: Final = frozenset(dis.hasname)
_LOCAL: Final = frozenset(dis.haslocal) | frozenset(dis.hasfree)
_CELL: Final = frozenset(code for name, code in dis.opmap.items() if name.endswith("DEREF"))
_JUMP: Final = frozenset(dis.hasjrel)
_ENDS: Final = frozenset({"RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE"})
_GOES: Final = frozenset({"JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT"})
_NAME_SHIFT: Final = {
    "LOAD_GLOBAL": 1,
    "LOAD_ATTR": 0 if VERSION < (3, 12) else 1,
    "LOAD_SUPER_ATTR": 2,
    "IMPORT_NAME": 0 if VERSION < (3, 15) else 2,
}
_UNSUPPORTED: Final = frozenset({"LOAD_FAST_AND_CLEAR"})
"""Instructions whose effect on locals is not followed; the translator never writes them."""
_RESUMABLE: Final = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

_POPS: Final[dict[str, Callable[[int], int]]] = {
    **dict.fromkeys(("POP_TOP", "STORE_FAST", "LOAD_ATTR", "LOAD_METHOD", "RETURN_VALUE"), lambda _: 1),
    **dict.fromkeys(("UNARY_INVERT", "UNARY_NOT", "UNARY_NEGATIVE", "TO_BOOL", "STORE_FAST_LOAD_FAST"), lambda _: 1),
    **dict.fromkeys(("PUSH_EXC_INFO", "POP_EXCEPT", "STORE_GLOBAL", "STORE_NAME", "GET_ITER"), lambda _: 1),
    **dict.fromkeys(("BINARY_OP", "COMPARE_OP", "IS_OP", "CONTAINS_OP", "BINARY_SUBSCR"), lambda _: 2),
    **dict.fromkeys(("STORE_FAST_STORE_FAST", "STORE_ATTR", "LIST_APPEND"), lambda _: 2),
    "STORE_SUBSCR": lambda _: 3,
    **dict.fromkeys(("BUILD_LIST", "BUILD_TUPLE", "BUILD_SET", "COPY", "SWAP"), lambda argument: argument),
    "PRECALL": lambda argument: argument + 2,
    # In 3.11 the arguments count as gone after PRECALL.
    "CALL": lambda argument: 2 if VERSION < (3, 12) else argument + 2,
    "RERAISE": lambda argument: argument + 1,
    **dict.fromkeys(("FOR_ITER", "POP_ITER"), lambda _: ITERATOR),
    "END_FOR": lambda _: 2 if VERSION == (3, 12) else 1,
}
"""How many values must be on the evaluation stack; for other instructions the net effect alone is looked at."""


_KEEPS: Final = frozenset(
    {
        "LOAD_FAST",
        "LOAD_FAST_LOAD_FAST",
        "LOAD_FAST_BORROW",
        "LOAD_FAST_BORROW_LOAD_FAST_BORROW",
        "LOAD_CONST",
        "LOAD_DEREF",
    }
)
"""Instructions that leave locals, and what is on the stack, as they are."""
_TAKES: Final = frozenset(
    {
        *("BINARY_OP", "COMPARE_OP", "IS_OP", "CONTAINS_OP", "UNARY_INVERT", "UNARY_NOT", "STORE_SUBSCR", "STORE_ATTR"),
        *("LOAD_ATTR", "BUILD_LIST", "BUILD_TUPLE", "CALL", "POP_JUMP_IF_TRUE", "POP_JUMP_IF_FALSE", "RETURN_VALUE"),
    }
)
"""Instructions that have, of what they take off the stack, nothing later but by a reference of their own."""


class Instruction(NamedTuple):
    """One instruction: ``offset`` is that of its first EXTENDED_ARG, ``at`` its own, ``end`` that of what follows."""

    offset: int
    at: int
    end: int
    name: str
    code: int
    argument: int


class Range(NamedTuple):
    """An entry of the exception table: offsets from ``start`` up to ``end`` go to ``target`` with ``depth`` values."""

    start: int
    end: int
    target: int
    depth: int
    lasti: bool


def decode(code: CodeType) -> list[Instruction]:
    """Return the instructions of *code*. Raises ValueError, which says what is wrong, for bytes that are none."""
    raw = code.co_code
    if len(raw) % 2:
        raise ValueError("the code has an odd number of bytes")
    result = []
    offset = 0
    while offset < len(raw):
        start, argument = offset, raw[offset + 1]
        while raw[offset] == _EXTENDED:
            offset += 2
            if offset >= len(raw):
                raise ValueError(f"EXTENDED_ARG at {start} is the last instruction")
            argument = argument << 8 | raw[offset + 1]
        name = _NAMES.get(raw[offset])
        if name is None:
            raise ValueError(f"unknown instruction {raw[offset]} at {offset}")
        at = offset
        offset += 2 + 2 * _CACHES[raw[at]]
        if offset > len(raw):
            raise ValueError(f"{name} at {at} has no room for its cache")
        result.append(Instruction(start, at, offset, name, raw[at], argument))
    return result


def exception_table(code: CodeType) -> list[Range]:
    """Return the exception table of *code*. Raises ValueError if it cannot be read."""
    table = code.co_exceptiontable
    position = 0

    def number(*, first: bool = False) -> int:
        nonlocal position
        value = 0
        while True:
            if position >= len(table):
                raise ValueError("the exception table ends in the middle of an entry")
            byte = table[position]
            if bool(byte & 128) != first:
                raise ValueError(f"the exception table has no entry where one must begin, at byte {position}")
            position += 1
            first = False
            value = value << 6 | byte & 63
            if not byte & 64:
                return value

    result = []
    while position < len(table):
        start = 2 * number(first=True)
        end = start + 2 * number()
        target, last = 2 * number(), number()
        result.append(Range(start, end, target, last >> 1, bool(last & 1)))
    return result


class Analysis:
    """The data-flow analysis of one code object.

    ``faults`` are sentences. ``assigned`` has, for each instruction that can be reached, the set of locals (bits) that
    are assigned on every way to it, ``depths`` the number of values on the evaluation stack.
    """

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.faults: list[str] = []
        self.instructions: list[Instruction] = []
        self.assigned: dict[int, int] = {}
        self.depths: dict[int, int] = {}
        self.ranges: list[Range] = []
        self.size = code.co_nlocals + len(set(code.co_cellvars) - set(code.co_varnames)) + len(code.co_freevars)
        if code.co_flags & _RESUMABLE:
            self.faults.append("generators and coroutines are not supported")
            return
        try:
            self.instructions = decode(code)
            self.ranges = exception_table(code)
        except ValueError as error:
            self.faults.append(str(error))
            return
        self._index = {instruction.offset: index for index, instruction in enumerate(self.instructions)}
        # A range may begin or end between an EXTENDED_ARG, which cannot raise, and its instruction.
        self._bounds = {instruction.at: index for index, instruction in enumerate(self.instructions)} | self._index
        self._handlers: dict[int, Range] = {}
        self._check_ranges()
        for instruction in self.instructions:
            self._check_operand(instruction)
        if not self.instructions:
            self.faults.append("there are no instructions")
        if not self.faults:
            self._flow()
        if not self.faults:
            self._check_borrowed()

    def _check_ranges(self) -> None:
        size = len(self.code.co_code)
        previous = 0
        for entry in self.ranges:
            if not previous <= entry.start < entry.end <= size:
                self.faults.append(f"exception table range {entry.start} to {entry.end} is empty or out of order")
                return
            previous = entry.end
            for what, offset in (("start", entry.start), ("end", entry.end), ("target", entry.target)):
                starts = self._index if what == "target" else self._bounds
                if offset not in starts and not (what == "end" and offset == size):
                    self.faults.append(f"exception table {what} {offset} is not the start of an instruction")
                    return
            last = self._bounds[entry.end] if entry.end < size else len(self.instructions)
            for index in range(self._bounds[entry.start], last):
                self._handlers[index] = entry

    def _check_operand(self, instruction: Instruction) -> None:
        name, argument, code = instruction.name, instruction.argument, instruction.code
        fault = ""
        if code in _CONST and argument >= len(self.code.co_consts):
            fault = "constant"
        elif code in _NAME and argument >> _NAME_SHIFT.get(name, 0) >= len(self.code.co_names):
            fault = "name"
        elif code in _LOCAL and any(local >= self.size for local, _ in _locals_of(name, argument)):
            fault = "local"
        elif code in _CELL and argument < self.code.co_nlocals and self._name(argument) not in self.code.co_cellvars:
            fault = "cell"
        elif name == "COPY_FREE_VARS" and argument != len(self.code.co_freevars):
            self.faults.append(f"{name} at {instruction.at} copies {argument} of {len(self.code.co_freevars)} cells")
        elif name in _UNSUPPORTED:
            self.faults.append(f"{name} at {instruction.at} is not supported")
        if fault:
            self.faults.append(f"{name} at {instruction.at} has no {fault} {argument}")

    def _target(self, instruction: Instruction) -> int:
        """Return the index that a jump goes to; -1, and a fault, if it is not the start of an instruction."""
        distance = 2 * instruction.argument
        offset = instruction.end + (-distance if "BACKWARD" in instruction.name else distance)
        index = self._index.get(offset)
        if index is None:
            self.faults.append(f"{instruction.name} at {instruction.at} jumps to {offset}, where no instruction starts")
            return -1
        return index

    def _flow(self) -> None:
        code = self.code
        arguments = code.co_argcount + code.co_kwonlyargcount
        arguments += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
        self._waiting = [0]
        self.assigned[0], self.depths[0] = (1 << arguments) - 1, 0
        targets = {
            index: self._target(instruction)
            for index, instruction in enumerate(self.instructions)
            if instruction.code in _JUMP
        }
        if self.faults:
            return
        while self._waiting and not self.faults:
            index = self._waiting.pop()
            while index >= 0:
                index = self._step(index, targets)

    def _check_borrowed(self) -> None:
        """Look that what is borrowed from a local is taken off again while the local keeps it for certain.

        That is so if on the way there is nothing but loads, and instructions that take off what was loaded later.
        """
        for start, lowest in self.depths.items():
            first = self.instructions[start]
            if "BORROW" not in first.name:
                continue
            index, top = start, lowest + first.name.count("BORROW")
            while True:
                index += 1
                _, _, _, name, code, argument = self.instructions[index]
                takes = name in _TAKES and not (name == "LOAD_ATTR" and argument & 1)
                if takes and top - _taken(name, argument) <= lowest:
                    break
                if code in _JUMP or not (takes or name in _KEEPS):
                    self.faults.append(f"{first.name} at {first.at} lends what {name} may find gone")
                    break
                top += dis.stack_effect(code, argument if code >= dis.HAVE_ARGUMENT else None)

    def _reach(self, index: int, assigned: int, depth: int) -> bool:
        """Note that the instruction at *index* can run in this state; return whether it has to be looked at (again)."""
        if index not in self.depths:
            self.assigned[index], self.depths[index] = assigned, depth
            return True
        if self.depths[index] != depth:
            at = self.instructions[index].at
            self.faults.append(f"the stack is {self.depths[index]} or {depth} deep at {at}")
            return False
        merged = self.assigned[index] & assigned
        if merged == self.assigned[index]:
            return False
        self.assigned[index] = merged
        return True

    def _step(self, index: int, targets: dict[int, int]) -> int:
        """Follow one instruction; return the index of the next if that is to be followed at once, else -1."""
        instruction = self.instructions[index]
        _, at, _, name, code, argument = instruction
        assigned, depth = self.assigned[index], self.depths[index]
        handler = self._handlers.get(index)
        if handler is not None:
            if depth < handler.depth:
                self.faults.append(f"the handler at {handler.target} wants {handler.depth} values, {at} has {depth}")
                return -1
            target = self._index[handler.target]
            if self._reach(target, assigned, handler.depth + handler.lasti + 1):
                self._waiting.append(target)
        pops = _POPS.get(name)
        if pops is not None and depth < pops(argument):
            self.faults.append(f"{name} at {at} needs {pops(argument)} values, the stack has {depth}")
            return -1
        if depth > self.code.co_stacksize:
            self.faults.append(f"the stack is {depth} deep at {at}, more than the {self.code.co_stacksize} declared")
            return -1
        if code in _LOCAL or name == "COPY_FREE_VARS":
            assigned = self._locals(instruction, assigned)
        if index in targets:
            reached = depth + dis.stack_effect(code, argument, jump=True)
            if reached < 0:
                self.faults.append(f"{name} at {at} takes more than the stack has")
                return -1
            if self._reach(targets[index], assigned, reached):
                self._waiting.append(targets[index])
        if name in _GOES or name in _ENDS:
            return -1
        depth += dis.stack_effect(code, argument if code >= dis.HAVE_ARGUMENT else None, jump=False)
        if depth < 0:
            self.faults.append(f"{name} at {at} takes more than the stack has")
            return -1
        if depth > self.code.co_stacksize:
            self.faults.append(f"{name} at {at} makes the stack {depth} deep, {self.code.co_stacksize} is declared")
            return -1
        if index + 1 == len(self.instructions):
            self.faults.append(f"control falls off the end after {name} at {at}")
            return -1
        return index + 1 if self._reach(index + 1, assigned, depth) else -1

    def _locals(self, instruction: Instruction, assigned: int) -> int:
        name, argument = instruction.name, instruction.argument
        if name == "COPY_FREE_VARS":
            return assigned | ((1 << argument) - 1) << (self.size - argument)
        for local, effect in _locals_of(name, argument):
            if effect == "load" and not assigned >> local & 1:
                self.faults.append(
                    f"{name} at {instruction.at} reads a local that may be unassigned: {self._name(local)}"
                )
                return assigned
            assigned = assigned & ~(1 << local) if effect == "delete" else assigned | 1 << local
        return assigned

    def _name(self, local: int) -> str:
        return self.code.co_varnames[local] if local < self.code.co_nlocals else f"cell {local}"

    def is_assigned(self, index: int, name: str) -> bool:
        """Return whether local *name* has a value whenever the instruction at *index* runs."""
        names = self.code.co_varnames
        return name in names and bool(self.assigned[index] >> names.index(name) & 1)


def _locals_of(name: str, argument: int) -> tuple[tuple[int, str], ...]:
    """Return the locals that an instruction touches, in order, and how."""
    first, _, second = name.replace("_BORROW", "").partition("_FAST_")
    if second in ("LOAD_FAST", "STORE_FAST"):
        return (argument >> 4, first.lower()), (argument & 15, second.partition("_")[0].lower())
    if name in ("LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_CLOSURE") or name.endswith("DEREF"):
        # The DEREF instructions look whether the cell is empty, not whether there is one.
        return ((argument, "load"),)
    if name == "DELETE_FAST":
        return ((argument, "delete"),)
    # STORE_FAST and MAKE_CELL assign; LOAD_FAST_CHECK looks before it reads.
    return ((argument, "store"),)


def _taken(name: str, argument: int) -> int:
    """Return how many values an instruction takes off the stack; those that are not listed are jumps on a Bool."""
    pops = _POPS.get(name)
    return 1 if pops is None else pops(argument)


def check(code: CodeType) -> list[str]:
    """Return what is wrong with *code*, one sentence for each fault found; the empty list if it is safe to run.

    Proved are: every instruction is known; constants, names, locals and jump targets exist; the exception table is in
    order; the evaluation stack has the same depth on every way to an instruction, is never popped when empty and never
    deeper than declared; no local is read before it is assigned, also on the ways of exceptions; control does not run
    past the end. Generators and coroutines are refused.
    """
    return Analysis(code).faults


def check_unit(unit: Unit) -> list[str]:
    """Return what is wrong with the code object of *unit*, and with its sites.

    Wherever the unit can be left, the Python locals that rebuild the activation record must have been assigned: at the
    calls of :data:`LEAVE`, at calls during which a site says how the frame is seen, and where an opened access or a
    cell that has been emptied raises.
    """
    analysis = Analysis(unit.code)
    if analysis.faults:
        return analysis.faults
    lines = _line_of_each(unit.code, analysis.instructions)
    locals_of = _LocalsOfSites(unit.code)
    faults = []
    for index, instruction in enumerate(analysis.instructions):
        number = lines[index]
        if index not in analysis.depths:
            continue
        if not 1 <= number <= len(unit.lines):
            faults.append(f"{instruction.name} at {instruction.at} is on line {number} of {len(unit.lines)}")
            continue
        sites = unit.line(number).sites
        handler = analysis._handlers.get(index)
        wanted = []
        if handler is not None and not handler.lasti:
            needed = LOOP if instruction.name == "LOAD_DEREF" else BEFORE
            if needed in sites:
                wanted.append(sites[needed])
            else:
                faults.append(f"{instruction.name} at {instruction.at} may raise, and line {number} has no site for it")
        elif instruction.name == "LOAD_DEREF":
            faults.append(f"LOAD_DEREF at {instruction.at} has no handler")
        if instruction.name == "CALL" and not (handler is not None and handler.lasti):
            way = _way_left(unit.code, analysis.instructions, index)
            if way is not None and way not in sites:
                faults.append(f"line {number} leaves in way {way}, for which it has no site")
            elif way is not None:
                wanted.append(sites[way])
            elif DURING in sites:
                wanted.append(sites[DURING])
        for site in wanted:
            if locals_of.mask(site) & ~analysis.assigned[index]:
                faults.extend(
                    f"local {name} of a site of line {number} may be unassigned at {instruction.at}"
                    for name in locals_of.names(site)
                    if not analysis.is_assigned(index, name)
                )
    return faults


def _line_of_each(code: CodeType, instructions: list[Instruction]) -> list[int]:
    spans = [(start, end, line or 0) for start, end, line in code.co_lines()]
    result = []
    position = 0
    for instruction in instructions:
        while not spans[position][0] <= instruction.at < spans[position][1]:
            position += 1
        result.append(spans[position][2])
    return result


def _way_left(code: CodeType, instructions: list[Instruction], index: int) -> int | None:
    """Return the way in which a CALL leaves compiled code, None if it calls something else."""
    before = index - (2 if instructions[index - 1].name == "PRECALL" else 1)
    callee, way = instructions[before - 1], instructions[before]
    if callee.name != "LOAD_GLOBAL" or code.co_names[callee.argument >> 1] != LEAVE or way.name != "LOAD_CONST":
        return None
    value = code.co_consts[way.argument]
    return value if type(value) is int else None


class _LocalsOfSites:
    """The locals that the sites of one code object read: sites are many and long, and differ little."""

    def __init__(self, code: CodeType) -> None:
        self._bits = {name: 1 << index for index, name in enumerate(code.co_varnames)}
        self._nowhere = 1 << len(code.co_varnames)
        self._of_spot: dict[Any, int] = {}
        self._of_site: dict[int, int] = {}

    def mask(self, site: Site) -> int:
        """Return the locals as a set of bits; a local that the code does not have is a bit that is never assigned."""
        known = self._of_site.get(id(site))
        if known is None:
            known = 0
            for spot in self._spots(site):
                bit = self._of_spot.get(spot)
                if bit is None:
                    named = isinstance(spot, Held | Length | Sum)
                    bit = self._of_spot[spot] = self._bits.get(spot.name, self._nowhere) if named else 0
                known |= bit
            self._of_site[id(site)] = known
        return known

    def names(self, site: Site) -> list[str]:
        """Return the names of the locals."""
        return sorted({spot.name for spot in self._spots(site) if isinstance(spot, Held | Length | Sum)})

    def _spots(self, site: Site) -> set[Any]:
        spots: set[Any] = set(site.spots)
        if isinstance(site.flag, Order):
            spots |= {site.flag.left, site.flag.right}
        elif isinstance(site.flag, Held):
            spots.add(site.flag)
        return spots
