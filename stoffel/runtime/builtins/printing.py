"""Text output, conversion to text, type names and assertions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stoffel.model.foreign import CallbackError
from stoffel.model.text import display
from stoffel.model.values import Value, type_name
from stoffel.runtime.builtins.registry import Family

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

FAMILY = Family(quiet=True)


@FAMILY.builtin("print", quiet=False)
def print_(state: VMState, *values: Value) -> None:
    """Write the display forms, joined by one space, as one line to the output sink."""
    state.write_line(" ".join([display(value) for value in values]))


@FAMILY.builtin("to_string", 1, 1, expects="1 argument")
def to_string(_state: VMState, value: Value) -> str:
    """Return the display form."""
    return display(value)


@FAMILY.builtin("type", 1, 1, expects="1 argument")
def type_(_state: VMState, value: Value) -> str:
    """Return the name of the value's type."""
    return type_name(value)


@FAMILY.builtin("assert", 1, expects="1 or 2 arguments: condition and optional message", takes=2)
def assert_(_state: VMState, condition: Value, message: Value = None) -> None:
    """Fail with *message* unless *condition* is true."""
    if type(condition) is not bool:
        raise CallbackError(f"assert condition must be a bool, found {type_name(condition)}")
    if not condition:
        raise CallbackError(message if type(message) is str else "assertion failed")
