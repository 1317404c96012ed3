"""How a builtin is implemented: a plain Python function, put to its row of the table.

A builtin is a foreign function of the machine's own. Its function receives the machine's state and the arguments, and
returns a value. It fails by raising :class:`~stoffel.model.foreign.CallbackError` with a plain text, or lets the
VMError of a machine service pass; the caller adds ``Foreign function NAME failed:``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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

    def add(self, name: str, call: Call) -> Builtin:
        """Have *call*, which receives the argument list as it is and checks its length, implement the builtin *name*.

        Return its row. Raises LookupError if the family has no row of that name.
        """
        row = self._rows.get(name)
        if row is None:
            raise LookupError(f"the table of builtins has no row '{name}' here")
        self._functions[name] = ForeignFunction(name, call, row)
        return row

    def builtin(self, name: str) -> Callable[[Implementation], Implementation]:
        """Have the decorated function implement the builtin *name*; it is called with as many arguments as declared."""

        def declare(implementation: Implementation) -> Implementation:
            def call(state: VMState, arguments: list[Any]) -> Value:
                given = len(arguments)
                if given < minimum:
                    raise CallbackError(row.too_few)
                if given > declared and row.more != "taken like the last one":
                    if row.more == "refused":
                        raise CallbackError(row.too_many)
                    arguments = arguments[:declared]
                return implementation(state, *arguments)

            row = self.add(name, call)
            minimum = row.minimum
            declared = len(row.parameters)
            return implementation

        return declare

    def complete(self, who: str) -> tuple[ForeignFunction, ...]:
        """Return the functions in the order of the rows; raises LookupError, naming *who*, if one is missing."""
        missing = [name for name in self._rows if name not in self._functions]
        if missing:
            raise LookupError(f"{who}: missing {missing}")
        return tuple([self._functions[name] for name in self._rows])


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
