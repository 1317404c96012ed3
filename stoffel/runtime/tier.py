"""The tier of a machine that compiles nothing."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from types import CodeType

    from stoffel.model.code import Code
    from stoffel.model.values import Value
    from stoffel.runtime.frames import ActivationRecord, Tier


class NoStatistics:
    """The statistics of a machine that compiles nothing: nobody is told, and nothing is counted."""

    def __init__(self) -> None:
        self.counts_calls = False
        self.listeners: list[Callable[[Any], object]] = []
        self.unseen: Callable[[Code, int], bool] | None = None
        self.pinned: Container[Code] = ()

    def called(self, code: Code) -> None:
        """Count nothing."""

    def as_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


class NoTier:
    """The tier of a machine that compiles nothing: there is no compiled code, and every call is the interpreter's."""

    is_suspended = False
    every = 0
    kernels: Final = None
    code_objects: Final[Mapping[CodeType, Any]] = MappingProxyType({})
    statistics: Any

    def __init__(self) -> None:
        # Of the object, not of the class: every call reads it, and CPython finds it sooner there.
        self.counts_heat = False
        self.statistics = NoStatistics()

    def recall(self, remember: Callable[[], Any]) -> None:
        """Prepare for nothing."""

    def ask_attention(self) -> None:
        """There is no compiled code to stop."""

    def clear_attention(self) -> None:
        """There is no compiled code to stop."""

    def meanings_changed(self) -> None:
        """There is no compiled code that relies on any."""

    def renew_after_fork(self) -> None:
        """There are no threads."""

    def snapshot(self) -> list[ActivationRecord]:
        """Return no records: no compiled code is suspended."""
        return []

    def suspend(self) -> Any:
        """Put nothing aside: no compiled code is suspended."""

    def resume(self, suspension: Any, records: list[ActivationRecord]) -> None:
        """Take nothing back."""

    def call(
        self,
        frame: ActivationRecord,  # noqa: ARG002
        callee: Code,  # noqa: ARG002
        arguments: list[Value],  # noqa: ARG002
        upvalues: list[tuple[str, Value]],  # noqa: ARG002
    ) -> bool | None:
        """Leave the call to the interpreter."""
        return None

    def called_by_host(self, callee: Code, arguments: list[Value]) -> None:
        """Count nothing."""

    def closure_called(self, callee: Code) -> None:
        """Count nothing."""

    def enter(self, frame: ActivationRecord) -> bool:  # noqa: ARG002
        """Leave the record to the interpreter."""
        return False


class Interpreted(NoTier):
    """Stands for the compiled tier of a machine, *compiled*, while a run goes on in the interpreter all the way."""

    def __init__(self, compiled: Tier) -> None:
        super().__init__()
        self.compiled = compiled
        self.statistics = compiled.statistics

    def ask_attention(self) -> None:
        """As there: runs around may have compiled code."""
        self.compiled.ask_attention()

    def clear_attention(self) -> None:
        """As there."""
        self.compiled.clear_attention()

    def meanings_changed(self) -> None:
        """As there."""
        self.compiled.meanings_changed()

    def renew_after_fork(self) -> None:
        """As there."""
        self.compiled.renew_after_fork()
