"""Kernels: numeric functions and loops of a program in machine code.

Here is what those who only run them need to know, too.
"""

from typing import Final

SYMBOL: Final = "kernel"
"""Name of the function in machine code that the runtime calls."""
INSTRUCTION_LIMIT: Final = 4000
"""Instructions of all instances of one kernel: more take too long to compile."""
MODERATE: Final = 1500
"""The same for a run of which it is not known that it goes on for long: LLVM takes 0.3 ms for each instruction."""
CHARACTERS_OF_AN_INSTRUCTION: Final = 800
"""LLVM IR of an instruction in an ordinary function. What is nested deeper has more, because more is kept for leaving;
LLVM's time follows from the IR (one microsecond a character)."""
