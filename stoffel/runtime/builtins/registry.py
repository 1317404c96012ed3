"""How a builtin is implemented: a plain Python function, put to its row of the table.

A builtin is a foreign function of the machine's own. Its function receives the machine's state and the arguments, and
returns a value. It fails by raising :class:`~stoffel.model.foreign.CallbackError` with a plain text, or lets the
VMError of a machine service pass; the caller adds ``Foreign function NAME failed:``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stoffel.isa.table import complete
from stoffel.model.builtins.declaration import Builtin
from stoffel.model.foreign import CallbackError, ForeignFunction
from stoffel.model.values import Value

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

Implementation = Callable[..., Value]
Call = Callable[["VMState", list[Any]], Value]


class Family:
    """The builtins of one file: the *rows* that it implements, and the functions that it has for them."""

    __slots__ = ("_functions", "_rows")

    def __init__(self, *rows: Builtin) -> None:
        self._rows = {row.name: row for row in rows}
        self._functions: dict[str, ForeignFunction] = {}

    def add(self, name: str, call: Call) -> None:
        """Have *call*, which receives the argument list as it is and checks its length, implement the builtin *name*.

        A name without a row is noticed by :meth:`complete`.
        """
        self._functions[name] = ForeignFunction(name, call, self._rows.get(name))

    def builtin(self, name: str) -> Callable[[Implementation], Implementation]:
        """Have the decorated function implement the builtin *name*; it is called with as many arguments as declared."""

        def declare(implementation: Implementation) -> Implementation:
            row = self._rows.get(name)
            if row is None:
                self.add(name, implementation)
                return implementation
            minimum = row.minimum
            declared = len(row.parameters)

            def call(state: VMState, arguments: list[Any]) -> Value:
                given = len(arguments)
                if given != declared:
                    if given < minimum:
                        raise CallbackError(row.too_few)
                    if given > declared and row.more != "taken like the last one":
                        if row.more == "refused":
                            raise CallbackError(row.too_many)
                        arguments = arguments[:declared]
                return implementation(state, *arguments)

            self.add(name, call)
            self._functions[name].direct = implementation
            return implementation

        return declare

    def complete(self, who: str) -> tuple[ForeignFunction, ...]:
        """Return the functions in the order of the rows.

        Raises LookupError, naming *who*, if a row has no function or a function no row.
        """
        return tuple(complete(self._functions, self._rows, who).values())


def later(row: Builtin, module: str) -> ForeignFunction:
    """Return the function of a builtin that few programs call: the file *module* that has it is loaded when one does.

    The file has its functions as ``FUNCTIONS``.
    """

    def call(state: VMState, arguments: list[Any]) -> Value:
        if result.call is call:
            functions: tuple[ForeignFunction, ...] = __import__(module, fromlist=["FUNCTIONS"]).FUNCTIONS
            result.call = next(found.call for found in functions if found.name == row.name)
        return result.call(state, arguments)

    result = ForeignFunction(row.name, call, row)
    return result
