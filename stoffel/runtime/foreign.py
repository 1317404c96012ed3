"""Foreign functions: Python callables that VM programs can call, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stoffel.runtime.values import Value

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState


class CallbackError(Exception):
    """A foreign function refuses, with a plain text; the machine adds ``Foreign function NAME failed:``."""


class ForeignFunction:
    """A registered Python callable. *call* receives the machine's state and the arguments, and returns a value."""

    __slots__ = ("call", "name")

    name: str
    call: Callable[[VMState, list[Value]], Value]

    def __init__(self, name: str, call: Callable[[VMState, list[Value]], Value]) -> None:
        self.name = name
        self.call = call

    def __repr__(self) -> str:
        return f"<ForeignFunction {self.name}>"
