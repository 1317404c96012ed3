"""What goes wrong with columns: a row that fails, and columns that cannot be what a function is called with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stoffel.errors import StoffelError, VMError


class ColumnError(StoffelError, ValueError):
    """Columns cannot be used: their number, their lengths, a type that no machine value has. Nothing was run."""


class RowError(VMError):
    """One row failed: *row* is its number, *values* what the function was called with, by parameter.

    ``message`` is exactly the text of the machine; ``str(error)`` says which row and which values besides. The rest
    is as in the VMError that the row's run raised, which is the cause.
    """

    def __init__(self, message: str, row: int, values: Mapping[str, Any], function: str) -> None:
        shown = ", ".join(f"{name}={value!r}" for name, value in values.items())
        super().__init__(f"row {row}: {message}, in {function}({shown})")
        self.message = message
        self.row = row
        self.values = dict(values)
        self.called = function

    @classmethod
    def of(cls, error: BaseException, row: int, values: Mapping[str, Any], function: str) -> RowError:
        """Return the error of a row whose run raised *error*."""
        made = cls(str(error), row, values, function)
        made.__dict__.update({key: value for key, value in error.__dict__.items() if key != "notes"})
        made.__cause__ = error
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        state = super().__reduce__()[2]
        return RowError, (self.message, self.row, self.values, self.called), state
