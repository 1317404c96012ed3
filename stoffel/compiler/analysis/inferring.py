"""What the parts of inference that have files of their own see of it: calls, inlined calls, what tables hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from stoffel.compiler.analysis.environment import Environment, Feedback
    from stoffel.compiler.analysis.facts import Fact
    from stoffel.compiler.analysis.ir import FlowState, Node
    from stoffel.compiler.flow.decoding import Layout
    from stoffel.compiler.flow.spliced import Inlined
    from stoffel.model.code import Code


class Inferring(Protocol):
    """One analysis of one graph; :class:`.Inference` is it."""

    code: Code
    captured: tuple[str, ...] | None
    """Upvalue names of the closure that runs, None if they are not known or there is none."""
    layout: Layout
    environment: Environment
    calls: dict[int, tuple[tuple[Fact, ...], Node]]
    """Calls that depend on nothing but their arguments, by index: the facts about these, and the node."""

    def inlined_at(self, index: int) -> Inlined | None:
        """Return the inlined call that an instruction belongs to, None for the function itself."""

    def feedback_at(self, index: int) -> tuple[Feedback, int]:
        """Return what was seen of the function that an instruction belongs to, and its index there."""

    def is_generic(self, index: int) -> bool:
        """Return whether an instruction is to be written without guesses."""

    def define(self, state: FlowState, place: int, fact: Fact) -> None:
        """Note what is known of a place that changes."""

    def guarded(self, fact: Fact, kind: int) -> Fact:
        """Return what is known of a value after a guard for *kind*."""
