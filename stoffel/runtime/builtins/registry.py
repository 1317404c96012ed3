"""How a builtin is declared: a plain Python function with its name and arity.

A builtin is a foreign function of the machine's own. Its function receives the machine's state and the arguments, and
returns a value. It fails by raising :class:`~stoffel.runtime.foreign.CallbackError` with a plain text, or lets the
VMError of a machine service pass; the caller adds ``Foreign function NAME failed:``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stoffel.runtime.foreign import CallbackError, ForeignFunction
from stoffel.runtime.values import Value

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

Implementation = Callable[..., Value]


class Family:
    """The builtins of one file, in order of declaration."""

    def __init__(self) -> None:
        self.functions: list[ForeignFunction] = []

    def builtin(
        self,
        name: str,
        minimum: int = 0,
        maximum: int | None = None,
        *,
        expects: str = "",
        at_most: str = "",
        takes: int | None = None,
    ) -> Callable[[Implementation], Implementation]:
        """Declare the decorated function as the builtin *name*.

        Fewer than *minimum* arguments fail with ``NAME expects EXPECTS``, more than *maximum* with ``NAME expects
        AT_MOST`` (*expects* if empty). The first *takes* arguments are passed on, all of them if it is None.
        """

        def declare(implementation: Implementation) -> Implementation:
            def call(state: VMState, arguments: list[Any]) -> Value:
                given = len(arguments)
                if given < minimum:
                    raise CallbackError(f"{name} expects {expects}")
                if maximum is not None and given > maximum:
                    raise CallbackError(f"{name} expects {at_most or expects}")
                if takes is not None and given > takes:
                    arguments = arguments[:takes]
                return implementation(state, *arguments)

            self.functions.append(ForeignFunction(name, call))
            return implementation

        return declare
