"""The one door to the ``bytecode`` library, and the one place that knows CPython versions.

Everything else writes code through the methods of :class:`Writer`, whose names are ours. A CPython whose instruction
set is not known here is refused; nothing is ever assembled for it.
"""

from __future__ import annotations

import sys
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from bytecode import Instr, Label

KNOWN_VERSIONS: Final = ((3, 11), (3, 12), (3, 13))


def why_not() -> str | None:
    """Return why this Python cannot run compiled code, as a sentence, or None if it can."""
    if sys.implementation.name != "cpython":
        return f"the translator writes CPython bytecode, and this is {sys.implementation.name}"
    if sys.version_info[:2] not in KNOWN_VERSIONS:
        known = ", ".join(f"{major}.{minor}" for major, minor in KNOWN_VERSIONS)
        version = ".".join(map(str, sys.version_info[:2]))
        return f"the translator knows the bytecode of CPython {known}, and this is {version}"
    return None


class Writer:
    """Writes one code object, instruction by instruction.

    ``line`` is the line number that the next instructions get. Conditional jumps go forwards only.
    """

    def __init__(self, name: str, filename: str, arguments: list[str]) -> None:
        refusal = why_not()
        if refusal is not None:
            raise RuntimeError(refusal)
        import bytecode
        from bytecode.instr import InstrLocation, TryBegin, TryEnd

        self._bytecode = bytecode
        self._location = InstrLocation
        self._try_begin, self._try_end = TryBegin, TryEnd
        self._code = bytecode.Bytecode()
        self._code.name = name
        self._code.qualname = name
        self._code.filename = filename
        # Code objects compare by content, file name excepted, and units are found by theirs: make every one different.
        self._code.docstring = filename
        self._code.argcount = len(arguments)
        self._code.argnames = list(arguments)
        self._code.first_lineno = 1
        self._code.flags = bytecode.CompilerFlags.OPTIMIZED | bytecode.CompilerFlags.NEWLOCALS
        self._old_calls = sys.version_info < (3, 12)
        self._null_first = sys.version_info < (3, 13)
        self._locations: dict[int, Any] = {}
        self._handler: Label | None = None
        self._try: Any = None
        compare = bytecode.Compare
        cast = "_CAST" if sys.version_info >= (3, 13) else ""
        self._compare = {
            operator: getattr(compare, name + cast)
            for operator, name in (("<", "LT"), ("<=", "LE"), ("==", "EQ"), ("!=", "NE"), (">", "GT"), (">=", "GE"))
        }
        binary = bytecode.BinaryOp
        self._binary = {
            "ADD": binary.ADD,
            "SUB": binary.SUBTRACT,
            "MUL": binary.MULTIPLY,
            "/": binary.TRUE_DIVIDE,
            "//": binary.FLOOR_DIVIDE,
            "%": binary.REMAINDER,
            "AND": binary.AND,
            "OR": binary.OR,
            "XOR": binary.XOR,
            "SHL": binary.LSHIFT,
            "SHR": binary.RSHIFT,
        }
        self.line = 1
        self._if_true = "POP_JUMP_FORWARD_IF_TRUE" if self._old_calls else "POP_JUMP_IF_TRUE"
        self._if_false = "POP_JUMP_FORWARD_IF_FALSE" if self._old_calls else "POP_JUMP_IF_FALSE"
        self._add("RESUME", 0)

    def _add(self, name: str, argument: Any = None) -> None:
        location = self._locations.get(self.line)
        if location is None:
            location = self._locations[self.line] = self._location(self.line, self.line, None, None)
        if argument is None:
            self._code.append(self._bytecode.Instr(name, location=location))
        else:
            self._code.append(self._bytecode.Instr(name, argument, location=location))

    def label(self) -> Label:
        """Return a new label, to be placed once."""
        return self._bytecode.Label()

    def place(self, label: Label) -> None:
        """Put *label* here."""
        self._code.append(label)

    # Values

    def load(self, name: str) -> None:
        """Push a local."""
        self._add("LOAD_FAST", name)

    def store(self, name: str) -> None:
        """Pop into a local; a value that was just pushed from the same local is not moved."""
        self._add("STORE_FAST", name)

    def constant(self, value: Any) -> None:
        """Push a constant."""
        location = self._locations.get(self.line)
        if location is None:
            location = self._locations[self.line] = self._location(self.line, self.line, None, None)
        self._code.append(self._bytecode.Instr("LOAD_CONST", value, location=location))

    def load_global(self, name: str) -> None:
        """Push a global."""
        self._add("LOAD_GLOBAL", (False, name))

    def attribute(self, name: str) -> None:
        """Replace the top by its attribute."""
        self._add("LOAD_ATTR", name if self._old_calls else (False, name))

    def pop(self) -> None:
        """Drop the top."""
        self._add("POP_TOP")

    # Operations

    def binary(self, operator: str) -> None:
        """Pop two operands, push the result; *operator* is an instruction's name or ``/ // %``."""
        self._add("BINARY_OP", self._binary[operator])

    def compare(self, operator: str) -> None:
        """Pop two operands, push the Bool result of ``< <= == != > >=``."""
        self._add("COMPARE_OP", self._compare[operator])

    def identical(self, *, inverted: bool = False) -> None:
        """Pop two operands, push whether they are (not) the same object."""
        self._add("IS_OP", int(inverted))

    def contains(self) -> None:
        """Pop item and container (the top), push whether the item is in it."""
        self._add("CONTAINS_OP", 0)

    def complement(self) -> None:
        """Replace an int by its bitwise complement."""
        self._add("UNARY_INVERT")

    def negate_bool(self) -> None:
        """Replace a Bool by its negation."""
        self._add("UNARY_NOT")

    def subscript(self) -> None:
        """Pop container and key, push the item."""
        self._add("BINARY_SUBSCR")

    def store_subscript(self) -> None:
        """Pop value, container and key (the top), and store."""
        self._add("STORE_SUBSCR")

    def new_list(self, count: int) -> None:
        """Pop *count* values, push a list of them."""
        self._add("BUILD_LIST", count)

    def store_attribute(self, name: str) -> None:
        """Pop a value and an object (the top), set the object's attribute."""
        self._add("STORE_ATTR", name)

    def new_tuple(self, count: int) -> None:
        """Pop *count* values, push a tuple of them."""
        self._add("BUILD_TUPLE", count)

    # Calls

    def begin_call(self, name: str) -> None:
        """Push the global function *name* for a call; the arguments follow, then :meth:`end_call`."""
        self._add("LOAD_GLOBAL", (True, name))

    def begin_method(self, name: str) -> None:
        """Replace the top by its method for a call."""
        if self._old_calls:
            self._add("LOAD_METHOD", name)
        else:
            self._add("LOAD_ATTR", (True, name))

    def end_call(self, count: int) -> None:
        """Call with the *count* arguments on top, push the result."""
        if self._old_calls:
            self._add("PRECALL", count)
        self._add("CALL", count)

    # Control

    def jump(self, label: Label) -> None:
        """Jump forwards."""
        self._add("JUMP_FORWARD", label)

    def jump_back(self, label: Label) -> None:
        """Jump backwards."""
        self._add("JUMP_BACKWARD", label)

    def if_true(self, label: Label) -> None:
        """Pop a Bool, jump forwards if it is true."""
        self._add(self._if_true, label)

    def if_false(self, label: Label) -> None:
        """Pop a Bool, jump forwards if it is false."""
        self._add(self._if_false, label)

    def give_back(self) -> None:
        """Return the top."""
        self._add("RETURN_VALUE")

    # Exceptions

    def begin_try(self) -> None:
        """From here to :meth:`end_try` exceptions go to the handler; the evaluation stack must be empty on entry."""
        if self._handler is None:
            self._handler = self.label()
        self._try = self._try_begin(self._handler, push_lasti=False)
        self._code.append(self._try)

    def end_try(self) -> None:
        """End what :meth:`begin_try` began."""
        self._code.append(self._try_end(self._try))
        self._try = None

    def finish_handler(self, function: str) -> None:
        """Write the handler, if any ``try`` needs it: it calls the global *function* with the exception.

        When the function returns the exception goes on. The handled exception is taken off on the way out, as in code
        that CPython compiles.
        """
        if self._handler is None:
            return
        cleanup = self.label()
        self.place(self._handler)
        attempt = self._try_begin(cleanup, push_lasti=True)
        self._code.append(attempt)
        self._add("PUSH_EXC_INFO")
        self.begin_call(function)
        self._add("COPY", 3)
        self.end_call(1)
        self.pop()
        self._add("RERAISE", 0)
        self._code.append(self._try_end(attempt))
        self.place(cleanup)
        self._add("COPY", 3)
        self._add("POP_EXCEPT")
        self._add("RERAISE", 1)

    def instructions(self) -> list[Instr]:
        """Return the instructions written so far (labels and pseudo-instructions left out)."""
        return [item for item in self._code if isinstance(item, self._bytecode.Instr)]

    def finish(self) -> CodeType:
        """Return the code object."""
        return self._code.to_code()
