"""Text of one LLVM function: fresh names, blocks, the memory slots of places, and the ways out."""

from __future__ import annotations

from typing import Final

from stoffel.compiler.kernels.analysis.types import DOUBLE, INTEGER, NOWHERE, POINTER
from stoffel.compiler.kernels.codegen import buffer
from stoffel.compiler.kernels.codegen.support import TBAA_FRAMES, TBAA_HEADER, TBAA_STATE, UNLIKELY

LLVM: Final = {INTEGER: "i64", DOUBLE: "double", POINTER: "ptr", NOWHERE: "i64"}
"""LLVM type of the values of a bank."""


class Writer:
    """Collects the instructions of one function.

    Every place of the activation record has a stack slot in each bank that its values need; LLVM turns the slots into
    registers (Cytron et al., "Efficiently computing static single assignment form", 1991), so that writing a kernel
    needs no thought about joins.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.allocas: dict[str, str] = {}
        self._count = 0

    def fresh(self, hint: str) -> str:
        """Return a new name, of a value or of a block to be begun later."""
        self._count += 1
        return f"%{hint}{self._count}"

    def line(self, text: str) -> None:
        """Add a line."""
        self.lines.append("  " + text)

    def value(self, text: str, hint: str = "t") -> str:
        """Add an instruction with a result and return the result's name."""
        name = self.fresh(hint)
        self.lines.append(f"  {name} = {text}")
        return name

    def label(self, name: str) -> None:
        """Begin a block."""
        self.lines.append(f"{name[1:]}:")

    def slot(self, bank: str, place: int | str) -> str:
        """Return the stack slot of a place in a bank ("t" for the tags of mixed places)."""
        name = f"%{bank}.{place}"
        self.allocas[name] = "i64" if bank == "t" else LLVM[bank]
        return name

    def load(self, bank: str, place: int | str) -> str:
        """Return the value of a place."""
        return self.value(f"load {LLVM[bank]}, ptr {self.slot(bank, place)}")

    def store(self, bank: str, place: int | str, value: str) -> None:
        """Set a place."""
        self.line(f"store {LLVM[bank]} {value}, ptr {self.slot(bank, place)}")

    def tag(self, place: int | str) -> str:
        """Return the tag of a mixed place."""
        return self.value(f"load i64, ptr {self.slot('t', place)}")

    def set_tag(self, place: int | str, tag: str) -> None:
        """Set the tag of a mixed place."""
        self.line(f"store i64 {tag}, ptr {self.slot('t', place)}")

    def word(self, base: str, index: int) -> str:
        """Return the address of a word."""
        return self.value(f"getelementptr inbounds i64, ptr {base}, i64 {index}", "w")

    def state(self, index: int, kind: str = "i64") -> str:
        """Return a word of the state buffer."""
        return self.value(f"load {kind}, ptr {self.word('%S', index)}, {TBAA_STATE}")

    def set_state(self, index: int, value: str, kind: str = "i64") -> None:
        """Set a word of the state buffer."""
        self.line(f"store {kind} {value}, ptr {self.word('%S', index)}, {TBAA_STATE}")

    def header(self, array: str, index: int, more: str = "") -> str:
        """Return a word of an array's header."""
        return self.value(f"load i64, ptr {self.word(array, index)}, {TBAA_HEADER}{more}")

    def set_header(self, array: str, index: int, value: str) -> None:
        """Set a word of an array's header."""
        self.line(f"store i64 {value}, ptr {self.word(array, index)}, {TBAA_HEADER}")

    def data(self, array: str) -> str:
        """Return the address of an array's elements."""
        return self.value(f"load ptr, ptr {self.word(array, buffer.DATA)}, {TBAA_HEADER}")

    def unless(self, bad: str, leave: str) -> None:
        """Go to the block *leave* if *bad*, which is unlikely, else on."""
        following = self.fresh("ok")
        self.line(f"br i1 {bad}, label {leave}, label {following}, {UNLIKELY}")
        self.label(following)

    def write_word(self, address: str, index: int, value: str, kind: str = "i64") -> None:
        """Write one word of a frame record."""
        self.line(f"store {kind} {value}, ptr {self.word(address, index)}, {TBAA_FRAMES}")

    def as_word(self, bank: str, value: str) -> str:
        """Return a value as a 64-bit integer."""
        if bank == DOUBLE:
            return self.value(f"bitcast double {value} to i64")
        if bank == POINTER:
            return self.value(f"ptrtoint ptr {value} to i64")
        return value

    def from_word(self, bank: str, value: str) -> str:
        """Return the value that :meth:`as_word` made a 64-bit integer of."""
        if bank == DOUBLE:
            return self.value(f"bitcast i64 {value} to double")
        if bank == POINTER:
            return self.value(f"inttoptr i64 {value} to ptr")
        return value


class Site:
    """Where a kernel may be left: what the runtime needs to rebuild the activation record from the frame record.

    ``function`` is the VM function's name, ``resume`` the instruction at which the interpreter goes on. ``codes`` are
    the types of the parameters at entry and ``places`` those of all places now. ``outer`` says that the frame is the
    outermost of an entry in mid-function: its record exists and still has the parameters. ``closure`` is the code of
    the kind of closure that runs, "" in a plain call.

    A frame record has the site's number, the compare flag, the parameters (a closure is followed by its words as they
    were at entry), the closure that runs and its upvalues, then one word for each place, two (tag and word) where the
    type is mixed.
    """

    __slots__ = ("closure", "codes", "function", "outer", "places", "resume")

    def __init__(
        self, function: str, resume: int, codes: list[str], places: list[str], outer: bool, closure: str = ""
    ) -> None:
        self.function = function
        self.resume = resume
        self.codes = codes
        self.places = places
        self.outer = outer
        self.closure = closure
