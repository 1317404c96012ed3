"""How a builtin is declared: a plain Python function with its name and arity.

A builtin is a foreign function of the machine's own. Its function receives the machine's state and the arguments, and
returns a value. It fails by raising :class:`~stoffel.model.foreign.CallbackError` with a plain text, or lets the
VMError of a machine service pass; the caller adds ``Foreign function NAME failed:``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stoffel.model.foreign import CallbackError, ForeignFunction
from stoffel.model.values import Value

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

Implementation = Callable[..., Value]


class Family:
    """The builtins of one file, in order of declaration; *quiet* as in :class:`ForeignFunction`, for all of them."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.functions: list[ForeignFunction] = []
        self.quiet = quiet

    def add(self, name: str, call: Callable[[VMState, list[Any]], Value], *, quiet: bool | None = None) -> None:
        """Declare *call*, which receives the argument list as it is, as the builtin *name*."""
        self.functions.append(ForeignFunction(name, call, standard=True, quiet=self.quiet if quiet is None else quiet))

    def builtin(
        self,
        name: str,
        minimum: int = 0,
        maximum: int | None = None,
        *,
        expects: str = "",
        at_most: str = "",
        takes: int | None = None,
        quiet: bool | None = None,
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

            self.add(name, call, quiet=quiet)
            return implementation

        return declare
