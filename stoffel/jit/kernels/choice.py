"""What is wanted as a kernel: what samples show to be hot, and what ran as one when the program was last run.

While compiled code runs, a clock asks it now and then to leave at its next safepoint. What is on the stack then is what
the time goes into (sampling): its functions and loops are wanted as kernels, and the next call or back-edge that the
interpreter comes to makes them. First only those that the cache on disk has; later, when the run has taken as long as
compiling would, all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from stoffel.compiler.kernels import INSTRUCTION_LIMIT, MODERATE
from stoffel.isa.table import Flow
from stoffel.jit.policy import thresholds
from stoffel.model.code import Code

if TYPE_CHECKING:
    from stoffel.jit.code_cache import Units
    from stoffel.runtime.frames import ActivationRecord

Subject = tuple[Code, int | None]
"""A function, and the instruction at which a kernel takes over a record of it, None for its calls."""


class Choice:
    """What one machine wants as kernels; *eager* wants everything.

    ``may_build`` says whether what the cache does not have is made, ``most`` how many instructions it may have;
    ``ticks`` counts the samples. ``made`` are the functions with kernels, ``recalled`` what had some in an earlier run,
    ``missed`` what was wanted while none was made, in that order, and not in the cache; ``starts`` counts how often a
    record was offered at its start, ``waits`` how often something else is still put off for what is recalled.
    *call_wanted* is told of each function whose calls are wanted from now on.
    """

    def __init__(self, units: Units, call_wanted: Callable[[Code], None], *, eager: bool) -> None:
        self.eager = self.may_build = eager
        self.most = INSTRUCTION_LIMIT if eager else MODERATE
        self.ticks = 0
        self.made: set[Code] = set()
        self.recalled: set[Subject] = set()
        self.missed: dict[Subject, None] = {}
        self._units = units
        self._call_wanted = call_wanted
        self._wanted: set[Subject] = set()
        self.starts: Counter[Code] = Counter()
        self.waits = 0

    def is_wanted(self, code: Code, entry: int | None) -> bool:
        """Return whether there should be a kernel of *code* from *entry*, None for its calls."""
        return self.eager or (code, entry) in self._wanted or (entry is None and code in self.made)

    def recall(self, kernels: Sequence[tuple[Code, int | None]]) -> None:
        """Want what had a kernel in an earlier run of the program."""
        self.may_build = True
        self.waits = thresholds.WAITS
        for code, entry in kernels:
            self.recalled.add((code, entry))
            self._want(code, entry)

    def is_waiting(self) -> bool:
        """Return whether a kernel of an earlier run may come first; each time that it is asked counts."""
        self.waits -= self.waits > 0
        return self.waits > 0

    def sample(self, records: Sequence[ActivationRecord], ticks: int) -> None:
        """Want a kernel of what is on the stack at so many *ticks* of the clock.

        One is wanted at a time, the outermost, because it contains what it calls. If it cannot be made, the next
        sample looks further in.
        """
        if ticks > thresholds.TICKS_BEFORE_BUILDING and not self.may_build:
            self.may_build = True
            # What the cache did not have has not been tried.
            self._wanted.clear()
        if ticks > thresholds.TICKS_BEFORE_LARGE:
            self.most = INSTRUCTION_LIMIT
        self.ticks = ticks
        counts = Counter(record.code for record in records)
        looked_at: set[tuple[Code, int]] = set()
        in_loop = False
        for position, record in enumerate(records):
            place = code, index = record.code, record.next_instruction
            if place in looked_at:
                continue
            looked_at.add(place)
            if position and (in_loop or counts[code] > 1) and (code, None) not in self._wanted:
                self._want(code, None)
                return
            if len(self._units.environment.instructions_of(code)) > self.most:
                in_loop = True
                continue
            head = self._head_around(code, index)
            in_loop = in_loop or head is not None
            if head is None:
                continue
            starts_again = not position and self.starts[code] > 1
            if not starts_again and (code, head) not in self._wanted:
                self._want(code, head)
                return
            if (code, 0) not in self._wanted:
                # Runs of it are short, and many: the loop is always entered from the start of a call.
                self._want(code, 0)
                self._want(code, None)
                return

    def _want(self, code: Code, entry: int | None) -> None:
        self._wanted.add((code, entry))
        if entry is None:
            self._call_wanted(code)

    def _head_around(self, code: Code, index: int) -> int | None:
        """Return where the innermost loop around an instruction begins, None if there is none.

        It is where the interpreter comes first; a kernel from there contains the loops around it as well.
        """
        heads = []
        for position, instruction in enumerate(self._units.environment.instructions_of(code)):
            if instruction.op.flow is Flow.JUMP:
                target = code.function.labels[instruction.operands[0]]
                if target <= index <= position + 1:
                    heads.append(target)
        return max(heads, default=None)
