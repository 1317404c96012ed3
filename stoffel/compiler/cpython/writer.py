"""Writing code objects: one method for each thing that generated code does, for every CPython that is known.

For one that is not among those of ``stoffel.compiler.cpython.versions`` nothing is ever assembled.
"""

from __future__ import annotations

from array import array
from types import CellType, CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from stoffel.compiler.cpython.opcodes import (
    BINARY,
    BORROWED,
    COMPARE,
    IF_FALSE,
    IF_TRUE,
    ITERATOR,
    LOAD_CONST,
    LOADED,
    OLD,
    OWNED,
    PAIRS,
    SUBSCRIPT,
    VERSION,
)
from stoffel.compiler.cpython.versions import why_not
from stoffel.threads import with_room

if TYPE_CHECKING:
    from stoffel.compiler.cpython.assembler import Attempt, Jump, Position

_IN_CELLS: Final = (int, float, bool, type)
"""Types of constants that may be in cells."""

Label: TypeAlias = int
"""A target of jumps, to be placed once."""


_makers: Final[dict[int, tuple[CodeType, int]]] = {}


def prepare(cells: int) -> None:
    """Have :func:`function_of` ready for functions with so many cells: from then on it cannot fail."""
    if cells not in _makers:
        with_room(lambda: _add_maker(cells))


def _add_maker(cells: int) -> None:
    """Note the code of a function that makes one with so many cells of its own, and which constant is its code."""
    names = ",".join(f"c{number:03}" for number in range(cells))
    code = compile(f"def maker({names}):\n def make(): return lambda: [{names}]", "<maker>", "exec")
    for _ in range(2):
        code = next(value for value in code.co_consts if isinstance(value, CodeType))
    _makers[cells] = code, next(index for index, value in enumerate(code.co_consts) if isinstance(value, CodeType))


def function_of(code: CodeType, namespace: dict[str, Any], cells: tuple[CellType, ...] = ()) -> FunctionType:
    """Return a Python function that runs *code* with these globals and, for its free variables, these cells.

    It is made as Python makes the functions of a program: since 3.13 calls of functions made in any other way are not
    specialised, which takes a third longer.
    """
    prepare(len(cells))
    maker, place = _makers[len(cells)]
    constants = (*maker.co_consts[:place], code, *maker.co_consts[place + 1 :])
    made: FunctionType = FunctionType(maker.replace(co_consts=constants), namespace, closure=cells)()
    return made


class Load(NamedTuple):
    """A constant that is loaded, at ``position``, after ``depth`` locals or their classes, from ``since`` on."""

    since: Position
    position: Position
    depth: int
    value: object


class Writer:
    """Writes one code object, instruction by instruction.

    ``line`` is the line number that the next instructions get. Conditional jumps go forwards only. The depth of the
    evaluation stack is followed, and must be the same on all ways to a label.
    """

    def __init__(self, name: str, filename: str, arguments: list[str]) -> None:
        refusal = why_not()
        if refusal is not None:
            raise RuntimeError(refusal)
        # Here, not above: the library is loaded when the first code object is written.
        from stoffel.compiler.cpython.assembler import UNPLACED, assembled

        self._assembled = assembled
        self._name = name
        self._filename = filename
        self._argument_count = len(arguments)
        # Code objects compare by content, file name excepted, and units are found by theirs: make every one different.
        self._constants: list[Any] = [filename]
        self._names: dict[str, int] = {}
        self._locals: dict[str, int] = {}
        self._loads: dict[str, bytes] = {}
        self._stores: dict[str, bytes] = {}
        self._single = self._boundary = -1
        self._constant_loads: dict[int, bytes] = {}
        self._integers: dict[int, int] = {}
        for argument in arguments:
            self._new_local(argument)
        self._code = bytearray()
        self._jumps: list[Jump] = []
        self._unplaced = UNPLACED
        self._labels: list[Position] = []
        self._depths: list[int | None] = []
        # One function may have a million of them.
        self._line_starts = array("q")
        self._line_numbers = array("q")
        self._attempts: list[Attempt] = []
        self._load_class = bytes(1)
        self._cells: list[tuple[Load, Label]] = []
        self._handler: Label | None = None
        self._cleanup: Label | None = None
        self._reraise: Label | None = None
        self._try: Position | None = None
        self._depth: int | None = 0
        self._deepest = 0
        self._written_line = 0
        self.line = 1
        self._add(0, "RESUME", 0)

    # What everything is written with

    def _add(self, effect: int, name: str, argument: int | None = None) -> None:
        self._write(effect, self._assembled(name, argument))

    def _write(self, effect: int, piece: bytes) -> None:
        """Write an assembled instruction that pushes *effect* values more than it pops."""
        if self.line != self._written_line:
            self._line_starts.append(len(self._code))
            self._line_numbers.append(self.line)
            self._written_line = self.line
        self._code += piece
        depth = self._depth
        assert depth is not None, "code that nothing reaches"
        if effect:
            self._depth = depth = depth + effect
            if depth > self._deepest:
                self._deepest = depth

    def _jump(self, effect: int, name: str, label: Label, *, ends: bool = False, reached: int | None = None) -> None:
        """Write a jump; *reached* is its effect on the stack where it jumps, if that is another than where not."""
        assert self._depth is not None, "code that nothing reaches"
        there = self._depth + (effect if reached is None else reached)
        self._jumps.append((len(self._code), name, label))
        self._write(effect, self._assembled(name, 0))
        known = self._depths[label]
        assert known is None or known == there, "ways with different stacks meet"
        self._depths[label] = there
        if ends:
            self._depth = None

    def _use(self, count: int, effect: int, name: str, argument: int | None = None) -> None:
        """Write an instruction that takes the *count* values on top of the stack, and takes them off."""
        if BORROWED:
            self._borrow(count)
        self._add(effect, name, argument)

    def _borrow(self, count: int) -> None:
        """Have up to *count* values on top, which the next instruction takes off, borrowed from locals.

        That is safe for those that have just been loaded: nothing between stores a local, or is jumped from.
        """
        code = self._code
        at = len(code) - 2
        while count > 0 and at >= 0:
            pushed = LOADED.get(code[at])
            if pushed is not None and pushed <= count:
                code[at] = BORROWED.get(code[at], code[at])
                count -= pushed
            elif code[at] == LOAD_CONST:
                count -= 1
            else:
                return
            at -= 2

    def _fast(self, effect: int, kind: str, name: str, piece: bytes) -> None:
        """Write a load or a store of a local, in one instruction with the one before if there is one for both."""
        if not PAIRS:
            self._write(effect, piece)
            return
        code = self._code
        end = len(code)
        number = self._locals[name]
        if number > 15:
            self._write(effect, piece)
        elif (
            self._single == end
            and self._boundary != end
            and self.line == self._written_line
            and ((pair := PAIRS.get((code[end - 2], kind))) is not None)
        ):
            first = code[end - 1]
            del code[end - 2 :]
            self._write(effect, self._assembled(pair, first << 4 | number))
        else:
            self._write(effect, piece)
            self._single = len(code)

    def _new_local(self, name: str) -> None:
        number = self._locals[name] = len(self._locals)
        self._loads[name] = self._assembled("LOAD_FAST", number)
        self._stores[name] = self._assembled("STORE_FAST", number)

    def _new_constant(self, value: Any) -> bytes:
        """Return how a constant is loaded. Of equal ones, which may differ (1 and True), only ints share a place."""
        number = len(self._constants)
        if type(value) is int:
            number = self._integers.setdefault(value, number)
        if number == len(self._constants):
            self._constants.append(value)
            piece = self._constant_loads[id(value)] = self._assembled("LOAD_CONST", number)
            return piece
        return self._assembled("LOAD_CONST", number)

    def _name_number(self, name: str) -> int:
        return self._names.setdefault(name, len(self._names))

    def label(self) -> Label:
        """Return a new label, to be placed once."""
        self._labels.append(self._unplaced)
        self._depths.append(None)
        return len(self._labels) - 1

    def place(self, label: Label) -> None:
        """Put *label* here."""
        self._labels[label] = self.position
        known = self._depths[label]
        if self._depth is None:
            # What is reached from below only, by a jump backwards, is reached with an empty stack.
            self._depth = known or 0
        assert known is None or known == self._depth, "ways with different stacks meet"
        self._depths[label] = self._depth

    # Constants in cells

    @property
    def position(self) -> Position:
        """Where the next instruction comes; that it begins there is certain from now on."""
        self._boundary = len(self._code)
        return self._boundary

    @property
    def depth(self) -> int:
        """How many values are on the evaluation stack."""
        return self._depth or 0

    @property
    def goes_on(self) -> bool:
        """Whether what is written next can be reached from what was written last."""
        return self._depth is not None

    def leading_constant(self, since: Position) -> Load | None:
        """Return the constant that the code since *since* loads before anything else than locals and their classes.

        None if it does not. The evaluation stack must have been empty there.
        """
        code, at, depth = self._code, since, 0
        while at < len(code):
            if code[at] == LOAD_CONST:
                value = self._constants[code[at + 1]]
                return Load(since, at, depth, value) if type(value) in _IN_CELLS else None
            if code[at] in LOADED:
                depth += LOADED[code[at]]
                at += 2
            elif code.startswith(self._load_class, at):
                at += len(self._load_class)
            else:
                return None
        return None

    def load_from_cell(self, load: Load) -> tuple[Label, Label]:
        """Have a constant, whose load has been written, loaded from a cell of the function.

        Returns the label to which control goes if that raises, to be placed with :meth:`repeat`, and one behind it.
        """
        empty, go_on = self.label(), self.label()
        self._cells.append((load, empty))
        self._depths[empty], self._depths[go_on] = 1, load.depth + 1
        self._labels[go_on] = load.position + 2
        return empty, go_on

    def repeat(self, load: Load, empty: Label, go_on: Label, function: str) -> None:
        """Write what happens where a constant could not be loaded from its cell.

        The global *function* is called with the exception. Unless it returns true the exception goes on.
        """
        if self._cleanup is None or self._reraise is None:
            self._cleanup, self._reraise = self.label(), self.label()
        self.place(empty)
        began = self.position
        self._add(1, "PUSH_EXC_INFO")
        self.begin_call(function)
        self._add(1, "COPY", 3)
        self.end_call(1)
        self.if_false(self._reraise)
        self._attempts.append((began, self.position, self._cleanup, 1, True))
        self.pop()
        self._add(-1, "POP_EXCEPT")
        again = self._code[load.since : load.position]
        # A jump comes before the values are taken off.
        again[::2] = bytes(OWNED.get(code, code) for code in again[::2])
        self._write(load.depth, bytes(again))
        self.constant(load.value)
        self.jump_back(go_on)

    @property
    def in_cells(self) -> tuple[object, ...]:
        """The constants that are loaded from cells, in the order of the free variables."""
        return tuple(load.value for load, _ in self._cells)

    # Values

    def load(self, name: str) -> None:
        """Push a local; what stores it may be written later."""
        if name not in self._loads:
            self._new_local(name)
        self._fast(1, "LOAD_FAST", name, self._loads[name])

    def store(self, name: str) -> None:
        """Pop into a local."""
        if name not in self._stores:
            self._new_local(name)
        self._fast(-1, "STORE_FAST", name, self._stores[name])

    def constant(self, value: Any) -> None:
        """Push a constant."""
        self._write(1, self._constant_loads.get(id(value)) or self._new_constant(value))

    def load_global(self, name: str) -> None:
        """Push a global."""
        self._add(1, "LOAD_GLOBAL", self._name_number(name) << 1)

    def attribute(self, name: str) -> None:
        """Replace the top by its attribute."""
        self._use(1, 0, "LOAD_ATTR", self._name_number(name) << (0 if OLD else 1))

    def duplicate(self, position: int = 1) -> None:
        """Push the value at *position* from the top (1) once more."""
        self._add(1, "COPY", position)

    def class_of(self) -> None:
        """Replace a machine value by its class."""
        # Quicker than a call of type; values of the machine do not lie about their class.
        start = len(self._code)
        self.attribute("__class__")
        self._load_class = bytes(self._code[start:])

    def pop(self) -> None:
        """Drop the top."""
        self._add(-1, "POP_TOP")

    # Operations

    def binary(self, operator: str) -> None:
        """Pop two operands, push the result; *operator* is an instruction's name or ``/ // %``."""
        self._use(2, -1, "BINARY_OP", BINARY[operator])

    def compare(self, operator: str) -> None:
        """Pop two operands, push the Bool result of ``< <= == != > >=``."""
        self._use(2, -1, "COMPARE_OP", COMPARE[operator])

    def identical(self, *, inverted: bool = False) -> None:
        """Pop two operands, push whether they are (not) the same object."""
        self._use(2, -1, "IS_OP", int(inverted))

    def contains(self) -> None:
        """Pop item and container (the top), push whether the item is in it."""
        self._use(2, -1, "CONTAINS_OP", 0)

    def complement(self) -> None:
        """Replace an int by its bitwise complement."""
        self._use(1, 0, "UNARY_INVERT")

    def negate_bool(self) -> None:
        """Replace a Bool by its negation."""
        self._use(1, 0, "UNARY_NOT")

    def subscript(self) -> None:
        """Pop container and key, push the item."""
        if VERSION < (3, 14):
            self._add(-1, "BINARY_SUBSCR")
        else:
            self._use(2, -1, "BINARY_OP", SUBSCRIPT)

    def store_subscript(self) -> None:
        """Pop value, container and key (the top), and store."""
        self._use(3, -3, "STORE_SUBSCR")

    def new_list(self, count: int) -> None:
        """Pop *count* values, push a list of them."""
        self._use(count, 1 - count, "BUILD_LIST", count)

    def new_dict(self) -> None:
        """Push an empty dict."""
        self._add(1, "BUILD_MAP", 0)

    def store_attribute(self, name: str) -> None:
        """Pop a value and an object (the top), set the object's attribute."""
        self._use(2, -2, "STORE_ATTR", self._name_number(name))

    def new_tuple(self, count: int) -> None:
        """Pop *count* values, push a tuple of them."""
        self._use(count, 1 - count, "BUILD_TUPLE", count)

    # Calls

    def begin_call(self, name: str) -> None:
        """Push the global function *name* for a call; the arguments follow, then :meth:`end_call`."""
        self._add(2, "LOAD_GLOBAL", self._name_number(name) << 1 | 1)

    def begin_method(self, name: str) -> None:
        """Replace the top by its method for a call."""
        if OLD:
            self._add(1, "LOAD_METHOD", self._name_number(name))
        else:
            self._add(1, "LOAD_ATTR", self._name_number(name) << 1 | 1)

    def end_call(self, count: int) -> None:
        """Call with the *count* arguments on top, push the result."""
        if OLD:
            self._add(0, "PRECALL", count)
        self._use(count, -1 - count, "CALL", count)

    # Control

    def jump(self, label: Label) -> None:
        """Jump forwards."""
        self._jump(0, "JUMP_FORWARD", label, ends=True)

    def jump_back(self, label: Label) -> None:
        """Jump backwards."""
        self._jump(0, "JUMP_BACKWARD", label, ends=True)

    def if_true(self, label: Label) -> None:
        """Pop a Bool, jump forwards if it is true."""
        self._jump_if(IF_TRUE, label)

    def if_false(self, label: Label) -> None:
        """Pop a Bool, jump forwards if it is false."""
        self._jump_if(IF_FALSE, label)

    def _jump_if(self, name: str, label: Label) -> None:
        if BORROWED:
            self._borrow(1)
        self._jump(-1, name, label)
        if VERSION >= (3, 14):
            # Costs nothing: the jump steps over it, unless sys.monitoring asks for events of branches.
            self._add(0, "NOT_TAKEN")

    # Iteration

    def get_iterator(self) -> None:
        """Replace a range by an iterator over it."""
        self._add(ITERATOR - 1, "GET_ITER")
        if ITERATOR == 2:
            # The other half is for sequences, which need no iterator.
            self.pop()

    def next_or(self, label: Label) -> None:
        """Push the next item of the iterator on top, or jump forwards to *label*, which ``place_exhausted`` places.

        Once the item is taken, :meth:`drop_iterator` comes next.
        """
        if ITERATOR == 2:
            self._add(1, "PUSH_NULL")
        self._jump(1, "FOR_ITER", label, reached=-1 if OLD else 1)

    def drop_iterator(self) -> None:
        """Take off the iterator that ``next_or`` has asked."""
        if ITERATOR == 2:
            self._add(-2, "POP_ITER")
        else:
            self.pop()

    def place_exhausted(self, label: Label) -> None:
        """Put *label* here, and take the exhausted iterator off."""
        self.place(label)
        # From 3.12 on, specialised forms of FOR_ITER jump over END_FOR, and expect it there.
        if not OLD:
            self._add(-2 if VERSION < (3, 13) else -1, "END_FOR")
        if VERSION >= (3, 14):
            self._add(-ITERATOR, "POP_ITER")
        elif VERSION >= (3, 13):
            self.pop()

    def give_back(self) -> None:
        """Return the top."""
        self._use(1, -1, "RETURN_VALUE")
        self._depth = None

    # Exceptions

    def begin_try(self) -> None:
        """From here to :meth:`end_try` exceptions go to the handler; the evaluation stack must be empty on entry."""
        assert not self._depth, "a handler would lose what is on the evaluation stack"
        if self._handler is None:
            self._handler = self.label()
        self._try = self.position

    def end_try(self) -> None:
        """End what :meth:`begin_try` began."""
        assert self._try is not None
        assert self._handler is not None
        began = self._try
        if self._attempts and self._attempts[-1][1] == began:
            began = self._attempts.pop()[0]
        self._attempts.append((began, self.position, self._handler, 0, False))
        self._try = None

    def finish_handler(self, function: str) -> None:
        """Write the handler, if any ``try`` needs it: it calls the global *function* with the exception.

        When the function returns the exception goes on. The handled exception is taken off on the way out, as in code
        that CPython compiles.
        """
        began = len(self._code)
        cleanup = self._cleanup
        if self._handler is not None:
            # The exception itself is on the stack.
            self._depths[self._handler] = 1
            self.place(self._handler)
            self._add(1, "PUSH_EXC_INFO")
            self.begin_call(function)
            self._add(1, "COPY", 3)
            self.end_call(1)
            self.pop()
            if cleanup is None:
                cleanup = self.label()
        if cleanup is None:
            return
        if self._reraise is not None:
            self.place(self._reraise)
        self._add(-1, "RERAISE", 0)
        self._attempts.append((began, len(self._code), cleanup, 1, True))
        self._depth = None
        # Here it is above the handled one and the place it came from.
        self._depths[cleanup] = 3
        self.place(cleanup)
        self._add(1, "COPY", 3)
        self._add(-1, "POP_EXCEPT")
        self._add(-1, "RERAISE", 1)
        self._depth = None

    def finish(self) -> CodeType:
        """Return the code object."""
        from stoffel.compiler.cpython.assembler import code_object

        return code_object(
            self._code,
            self._jumps,
            self._labels,
            (self._line_starts, self._line_numbers),
            self._attempts,
            [(load.position, label) for load, label in self._cells],
            name=self._name,
            filename=self._filename,
            stack_size=self._deepest,
            argument_count=self._argument_count,
            constants=self._constants,
            names=list(self._names),
            local_names=list(self._locals),
        )
