"""One function of a program for kernels while it is made, and which register holds what."""

from __future__ import annotations

from typing import Final

from .body import Body
from .vocabulary import COMPARE, FLOATS, SCRATCH, TEMPORARY

NUMBERS: Final = (1, 2, 3)
INDEX: Final = 4
FLOATING: Final = (5, 6)
TRUTH: Final = 7
ELEMENT: Final = 8
ROWS: Final = (9, 10)
TABLE: Final = 11
BOOK: Final = 12
FIRST, SECOND = TEMPORARY


class NumericBody(Body):
    """A function of such a program: ``element`` is the kind of what its arrays hold."""

    element: type = int
    passes: str = ""
    """Name of the function that it may call, as ``name(row, element)``."""

    def item(self) -> None:
        """Put some element into its register."""
        if self.element is self.kind and self.odds(1, 2):
            self.emit("MOV", ELEMENT, self.chooser.choice(NUMBERS))
        elif self.element is float:
            if self.odds(1, 2):
                self.emit("MOV", ELEMENT, self.chooser.choice(FLOATING))
            else:
                self.emit("LDI", ELEMENT, self.chooser.choice(FLOATS))
        elif self.element is bool:
            if self.odds(1, 2):
                self.emit("MOV", ELEMENT, TRUTH)
            else:
                self.emit("LDI", ELEMENT, bool(self.chooser.randrange(2)))
        else:
            self.emit("LDI", ELEMENT, self.integer(self.element))

    def index(self, array: int, skip: str) -> None:
        """Put the index of an element of *array* into its register, or jump to *skip* if there is none."""
        self.call(self.chooser.choice(("len", "array_length")), array)
        self.emit(COMPARE, SCRATCH, self.load_at(FIRST, 0))
        self.emit("JMPEQ", skip)
        self.emit("MOD", INDEX, self.chooser.choice(self.loops), SCRATCH)
        if self.odds(1, 3):
            self.emit("SUB", INDEX, INDEX, SCRATCH)  # counted from the end
        elif self.odds(1, 40):
            self.emit("SUB", INDEX, SCRATCH, self.load(self.chooser.randrange(2)))  # the end itself, perhaps

    def unless_longer(self, array: int, most: int, skip: str) -> None:
        self.call("len", array)
        self.emit(COMPARE, SCRATCH, self.load_at(FIRST, most))
        self.emit("JMPGT", skip)
