"""The functions of one machine as the compiler takes them: instructions, blocks, what is inlined, what was seen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from stoffel.compiler.analysis.environment import Feedback
from stoffel.compiler.flow import blocks, inlining
from stoffel.compiler.flow.spliced import Callee, Splice
from stoffel.isa.instruction import Instruction
from stoffel.isa.table import Flow
from stoffel.model.code import Code

if TYPE_CHECKING:
    from stoffel.compiler.analysis.environment import Environment
    from stoffel.jit.statistics import Statistics


class Functions:
    """The part of the compiler's Environment that is about functions by themselves, and what is inlined into them.

    ``hosts`` has for each function those into which it is inlined.
    """

    def __init__(self, statistics: Statistics) -> None:
        self.statistics = statistics
        self.hosts: dict[Code, set[Code]] = {}
        self._feedback: dict[Code, Feedback] = {}
        self._instructions: dict[Code, list[Instruction]] = {}
        self._heads: dict[Code, frozenset[int]] = {}
        self._graphs: dict[tuple[Code, int], blocks.Graph] = {}
        self._splices: dict[Code, Splice] = {}
        self._spliced_graphs: dict[Code, dict[int, blocks.Graph]] = {}
        self._kept_apart: dict[Code, set[Code]] = {}
        """Functions that are not inlined into another one, by that one: with them it was refused."""
        self._closures: dict[tuple[Code, int], Callee | None] = {}

    def instructions_of(self, code: Code) -> list[Instruction]:
        """Return the instructions of *code*, the same objects each time."""
        instructions = self._instructions.get(code)
        if instructions is None:
            instructions = self._instructions[code] = code.instructions()
        return instructions

    def heads_of(self, code: Code) -> frozenset[int]:
        """Return where a record may be taken over: at the start and at the targets of back-edges."""
        heads = self._heads.get(code)
        if heads is None:
            labels = code.function.labels
            targets = {0} if self.instructions_of(code) else set()
            for index, instruction in enumerate(self.instructions_of(code)):
                if instruction.op.flow is Flow.JUMP and labels[instruction.operands[0]] <= index:
                    targets.add(labels[instruction.operands[0]])
            heads = self._heads[code] = frozenset(targets)
        return heads

    def can_enter(self, code: Code, entry: int) -> bool:
        """Return whether a unit may take over a record of *code* there."""
        return entry in self.heads_of(code) and not (self.unseen is not None and self.unseen(code, entry))

    def graph(self, code: Code, entry: int) -> blocks.Graph:
        """Return the blocks of *code* from one entry."""
        if self.unseen is not None:
            # It ends where the function has not run further, which changes.
            return blocks.build(self.instructions_of(code), code.function.labels, entry, partial(self.unseen, code))
        graph = self._graphs.get((code, entry))
        if graph is None:
            graph = self._graphs[code, entry] = blocks.build(self.instructions_of(code), code.function.labels, entry)
        return graph

    def splice(self, code: Code) -> Splice:
        """Return *code* with what is inlined into it at present."""
        splice = self._splices.get(code)
        if splice is None:
            instructions = self.instructions_of(code)
            # Where calls are counted each has its unit.
            counts = self.statistics.counts_calls
            splice = (
                Splice(code, instructions)
                if counts
                else inlining.splice(code, instructions, cast("Environment", self), self._kept_apart.get(code, ()))
            )
            self._splices[code] = splice
            for inlined in splice.inlined:
                self.hosts.setdefault(inlined.code, set()).add(code)
        return splice

    def stop_inlining(self, code: Code, name: str | None = None) -> bool:
        """Inline the function called *name* into *code* no more, or if it is not there nothing that is there now.

        Returns False if nothing is inlined into *code*.
        """
        inlined = {inlined.code for inlined in self.splice(code).inlined}
        named = {callee for callee in inlined if callee.name == name}
        self._kept_apart.setdefault(code, set()).update(named or inlined)
        self.unsplice(code)
        return bool(inlined)

    def unsplice(self, code: Code) -> None:
        """Inline into *code* anew when it is next translated."""
        self._splices.pop(code, None)
        self._spliced_graphs.pop(code, None)

    def spliced_graph(self, code: Code, entry: int) -> blocks.Graph:
        """Return the blocks of *code*, with what is inlined into it, from one entry."""
        splice = self.splice(code)
        if not splice.inlined:
            return self.graph(code, entry)
        graphs = self._spliced_graphs.setdefault(code, {})
        if entry not in graphs or self.unseen is not None:
            graphs[entry] = inlining.graph(splice, entry, self.unseen)
        return graphs[entry]

    def closure_at(self, code: Code, index: int) -> Callee | None:
        """Return what the CALL of ``call_closure`` at *index* is to be inlined for, None if it is not."""
        return None if self.feedback(code).is_generic(index) else self._closures.get((code, index))

    def note_closure(self, code: Code, index: int, callee: Callee) -> None:
        """Note what the CALL of ``call_closure`` at *index* was seen to call; one that calls several is not inlined."""
        key = code, index
        known = self._closures.get(key, callee)
        if key in self._closures and (known is None or known == callee):
            return
        if known == callee and not inlining.suits(callee.code, cast("Environment", self), [code]):
            return
        self._closures[key] = callee if known == callee else None
        for host, splice in list(self._splices.items()):
            if host is code or any(inlined.code is code for inlined in splice.inlined):
                self.unsplice(host)

    @property
    def unseen(self) -> Callable[[Code, int], bool] | None:
        """Says of an instruction whether it has never run, and is to be left to the interpreter; None if none is."""
        return self.statistics.unseen

    def feedback(self, code: Code) -> Feedback:
        """Return what was seen in *code*."""
        feedback = self._feedback.get(code)
        if feedback is None:
            feedback = self._feedback[code] = Feedback()
        feedback.unseen = None if self.unseen is None else partial(self.unseen, code)
        return feedback

    def forget(self, code: Code) -> None:
        """Inline into *code* anew when it is next translated, and nowhere what it was inlined into."""
        self.unsplice(code)
        self.hosts.pop(code, None)

    def forget_all(self) -> None:
        """Find out all anew but what was seen: a name may mean something else."""
        for table in (self._graphs, self._splices, self._spliced_graphs, self.hosts, self._closures):
            table.clear()
