"""What compiled code assumes about the machine it runs on, and what running has taught about guesses."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from stoffel.compiler.analysis.facts import I64, NUMBERS, Fact
from stoffel.model.code import Code
from stoffel.model.foreign import ForeignFunction

if TYPE_CHECKING:
    from collections.abc import Callable

    from stoffel.compiler.flow.blocks import Graph
    from stoffel.compiler.flow.spliced import Callee, Splice
    from stoffel.isa.instruction import Instruction

LARGE = 2000
"""Instructions of a function from which on it is translated in the cheaper way: without guesses about the bounds of
integers, and without narrowing the ranges that loops widened."""
INSTRUCTIONS_PER_MISS = 400
"""Instructions whose translation costs about as much as being left at a guess that has failed some more times."""
MISSES_BEFORE_GENERIC = 3
"""Guesses at one instruction that may fail, each time corrected, before it is written without a guess."""


class Feedback:
    """What was seen where guesses in one VM function failed."""

    __slots__ = ("_absent", "_fresh", "_generic", "_kinds", "_misses", "_open", "unseen", "usual", "wrong_bounds")

    def __init__(self) -> None:
        self._generic: set[int] = set()
        self._absent: set[int] = set()
        self._kinds: dict[tuple[int, int], int] = {}
        self._misses: dict[int, int] = {}
        self._fresh: set[int] = set()
        self._open = 0
        self.usual = I64
        """The kind guessed for operands that nothing is known about: that of the numbers with which a guess failed."""
        self.unseen: Callable[[int], bool] | None = None
        """Says of an instruction whether it has never run, and is to be left to the interpreter; None if none is."""
        self.wrong_bounds = 0
        """Times that a value which entered was not within the bounds guessed for it."""

    def is_generic(self, index: int) -> bool:
        """Return whether instruction *index* is to be written without guesses."""
        return index in self._generic

    def is_absent(self, index: int) -> bool:
        """Return whether the field that instruction *index* reads was found absent."""
        return index in self._absent

    def note_absent(self, index: int) -> None:
        """Note that the field that instruction *index* reads was absent."""
        self._absent.add(index)

    def seen(self, index: int, position: int) -> int:
        """Return the kinds seen in a source of an instruction when a guess about it failed, 0 if none did."""
        return self._kinds.get((index, position), 0)

    def miss(self, index: int, kinds: list[int]) -> None:
        """Note that a guess at *index* failed with operands of these kinds."""
        for position, kind in enumerate(kinds):
            key = index, position
            self._kinds[key] = self._kinds.get(key, 0) | kind
        if len(set(kinds)) == 1 and kinds[0] & NUMBERS:
            self.usual = kinds[0]
        self._open += 1
        if index in self._fresh:
            return
        self._fresh.add(index)
        self._misses[index] = self._misses.get(index, 0) + 1
        if self._misses[index] >= MISSES_BEFORE_GENERIC:
            self._generic.add(index)

    def is_due(self, size: int) -> bool:
        """Return whether a function of *size* instructions is to be compiled anew for the guesses that have failed.

        A long function is left more often before that, so that what is learned is worth its translation.
        """
        if self._open * INSTRUCTIONS_PER_MISS < size:
            return False
        self._open = 0
        self._fresh.clear()
        return True


class Signature(NamedTuple):
    """What calls are specialised on: the kinds of the arguments, and the upvalue names of the closure that is called.

    ``captured`` is None for a plain call.
    """

    masks: tuple[int, ...]
    captured: tuple[str, ...] | None = None


class Environment(Protocol):
    """The machine as the compiler sees it."""

    def resolve(self, name: str) -> Code | ForeignFunction | None:
        """Return what CALL *name* calls whatever its arguments are, or None if that is not settled."""

    def signature_of(self, callee: Code, masks: tuple[int, ...], captured: tuple[str, ...] | None) -> Signature:
        """Return what calls of *callee* with arguments of these kinds are specialised on.

        That is those kinds, or more general ones where there are too many signatures already.
        """

    def result_of(self, callee: Code, signature: Signature) -> Fact:
        """Return what is known about the result of such calls of *callee*."""

    def unit_name(self, callee: Code, signature: Signature) -> str:
        """Return the name of the global that holds the unit for such calls of *callee*."""

    def graph(self, code: Code, entry: int) -> Graph:
        """Return the blocks of *code* from one entry."""

    def instructions_of(self, code: Code) -> list[Instruction]:
        """Return the instructions of *code*, the same objects each time."""

    def splice(self, code: Code) -> Splice:
        """Return *code* with what is inlined into it at present."""

    def stop_inlining(self, code: Code, name: str | None = None) -> bool:
        """Inline the function called *name* into *code* no more, or if it is not there nothing that is there now.

        Returns False if nothing is inlined into *code*.
        """

    def spliced_graph(self, code: Code, entry: int) -> Graph:
        """Return the blocks of *code*, with what is inlined into it, from one entry."""

    def closure_at(self, code: Code, index: int) -> Callee | None:
        """Return what the CALL of ``call_closure`` at *index* is to be inlined for, None if it is not."""

    def note_closure(self, code: Code, index: int, callee: Callee) -> None:
        """Note what the CALL of ``call_closure`` at *index* was seen to call; one that calls several is not inlined."""

    def counter_name(self, code: Code) -> str:
        """Return the name of the global that counts calls of *code*, "" if they are not counted."""

    def feedback(self, code: Code) -> Feedback:
        """Return what was seen in *code*."""
