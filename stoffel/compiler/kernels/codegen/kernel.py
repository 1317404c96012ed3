"""A kernel as text: its LLVM IR and the tables that its numbers point into."""

from __future__ import annotations

from stoffel.compiler.kernels.analysis.types import Cell, Type, VariantKey, variant_code
from stoffel.compiler.kernels.codegen.llvm_writer import Site


class Kernel:
    """The IR of a kernel and what the runtime needs to enter and leave it.

    ``sites`` by number; ``tags`` are the codes of types by tag, ``constants`` the strings that negative opaque indexes
    stand for (-1 is the first), ``closures`` the codes of kinds of closure by number; ``values`` are the codes of what
    it is entered with, ``result`` of what it returns. ``instructions`` counts the VM instructions in it; ``depth`` is
    the number of native calls that it nests, 0 if there is no bound.
    """

    def __init__(self, values: list[str], result: str, depth: int) -> None:
        self.ir = ""
        self.sites: list[Site] = []
        self.tags: list[str] = []
        self.constants: list[str] = []
        self.closures: list[str] = []
        self.values = values
        self.result = result
        self.depth = depth
        self.instructions = 0
        self.functions: list[str] = []

    def tag(self, kind: Type) -> int:
        """Return the tag of a type."""
        code = kind.code
        if code not in self.tags:
            self.tags.append(code)
        return self.tags.index(code)

    def variant(self, key: VariantKey, cells: list[Cell]) -> int:
        """Return the number of a kind of closure."""
        code = variant_code(key, cells)
        if code not in self.closures:
            self.closures.append(code)
        return self.closures.index(code)

    def constant(self, text: str) -> int:
        """Return the opaque index of a constant."""
        if text not in self.constants:
            self.constants.append(text)
        return -1 - self.constants.index(text)
