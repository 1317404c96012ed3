"""Text output, conversion to text, type names and assertions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.model.builtins.basics import TEXT
from stoffel.model.foreign import CallbackError
from stoffel.model.text import display
from stoffel.model.values import Value, type_name
from stoffel.runtime.builtins.registry import Family

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

FAMILY = Family(*TEXT)


@FAMILY.builtin("print")
def print_(state: VMState, *values: Value) -> None:
    """Write the display forms, joined by one space, as one line to the output sink."""
    state.write_line(" ".join([display(value) for value in values]))


@FAMILY.builtin("to_string")
def to_string(_state: VMState, value: Value) -> str:
    """Return the display form."""
    return display(value)


@FAMILY.builtin("type")
def type_(_state: VMState, value: Value) -> str:
    """Return the name of the value's type."""
    return type_name(value)


@FAMILY.builtin("assert")
def assert_(_state: VMState, condition: Value, message: Value = None) -> None:
    """Fail with *message* unless *condition* is true."""
    if type(condition) is not bool:
        raise CallbackError(f"assert condition must be a bool, found {type_name(condition)}")
    if not condition:
        raise CallbackError(message if type(message) is str else "assertion failed")


FUNCTIONS: Final = FAMILY.complete(__name__)
