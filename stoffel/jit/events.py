"""What the compiled tier does, while it does it: the events of a JIT log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stoffel.notices import say_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from stoffel.jit.reports import ExitPlace
    from stoffel.model.code import Code

ALWAYS_TOLD: Final = 4
"""Entries into the same code that are told one by one; from then on one is told when their number has doubled."""
MOST_PLACES: Final = 1000
"""Different exits that are counted apart."""


class JitEvent(NamedTuple):
    """One thing that the compiled tier did.

    ``time`` is in seconds since the machine began to count. ``kind`` is one of

    * ``"compiled"``: a function, or a loop of it, has become a code object; ``"kernel"``: machine code;
    * ``"refused"``: it is left to the interpreter; ``"no kernel"``: it has no kernel, or no other one;
    * ``"entered"``: a run goes on in compiled code; ``"left"``: it goes on in the interpreter;
    * ``"dropped"``: compiled code is used no more.

    ``function``, ``instruction`` and ``line`` (of the source) say where; the last two are None where that is not known.
    ``text`` is a sentence, ``seconds`` what it took (None for what takes next to nothing), and ``details`` what the
    sentence tells as plain data.
    """

    time: float
    kind: str
    function: str
    instruction: int | None
    line: int | None
    text: str
    seconds: float | None
    details: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, the details among the rest."""
        found = self._asdict()
        details = found.pop("details")
        return {**found, **details}


class Exit(NamedTuple):
    """Where compiled code was left, and why: ``reason`` is the sort of reason.

    ``expected`` and ``seen`` tell of a guess that failed, ``cause`` what asked for attention; they are empty otherwise.
    """

    code: Code
    instruction: int
    reason: str
    expected: str = ""
    seen: str = ""
    cause: str = ""

    @property
    def explanation(self) -> str:
        """The reason in as many words as are known."""
        if self.expected:
            return f"expected {self.expected}, saw {self.seen}"
        return f"{self.reason}: {self.cause}" if self.cause else self.reason

    def as_dict(self) -> ExitPlace:
        """Return it as plain data."""
        return {
            "function": self.code.name,
            "instruction": self.instruction,
            "line": line_of(self.code, self.instruction),
            "reason": self.reason,
            "expected": self.expected or None,
            "seen": self.seen or None,
            "cause": self.cause or None,
        }


def line_of(code: Code, instruction: int | None) -> int | None:
    """Return the line of the source that an instruction comes from, None if that is not known."""
    table = code.function.line_table
    return None if table is None or instruction is None else table.line_of(instruction)


def tell(listeners: list[Callable[[JitEvent], object]], event: JitEvent) -> None:
    """Tell *event* to all listeners. One that fails is told no more: no run fails for a log."""
    for listener in listeners.copy():
        try:
            listener(event)
        except Exception as error:
            listeners.remove(listener)
            say_once(f"a listener to JIT events has failed and is told no more: {type(error).__name__}: {error}")
