"""What CALL NAME means: functions by exact name, methods by the type of their receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stoffel.errors import VMError
from stoffel.model.tables import ABSENT, field
from stoffel.model.values import Object, Operand, Value, type_name

if TYPE_CHECKING:
    from stoffel.model.code import Code
    from stoffel.model.foreign import ForeignFunction
    from stoffel.runtime.frames import RunState


def receiver_type(value: Operand) -> str:
    """Return the type by which methods are found: an Object's ``"__type"`` field if that is a string."""
    if isinstance(value, Object):
        declared = field(value, "__type")
        if declared is not ABSENT and type(declared) is str:
            return declared
    return type_name(value)


def resolve(state: RunState, name: str, arguments: list[Value]) -> Code | ForeignFunction:
    """Return the function that CALL *name* means for these arguments; raises VMError (kind Runtime) if there is none.

    With a dot the name is that of a function, and if it is also that of a registered method the receiver is checked.
    Without one an exact function name wins over methods.
    """
    methods = state.methods
    receiver, dot, method = name.partition(".")
    if dot:
        if methods.get(receiver, method) is not None:
            actual = _receiver(arguments, name)
            if actual != receiver:
                raise VMError(f"Method '{method}' expected receiver type '{receiver}', got '{actual}'")
        function = state.functions.get(name)
    else:
        function = state.functions.get(name)
        if function is None and methods.knows(name):
            actual = _receiver(arguments, name)
            canonical = methods.get(actual, name)
            if canonical is None:
                raise VMError(f"Method '{name}' not found for receiver type '{actual}'")
            name = canonical
            function = state.functions.get(name)
    if function is None:
        raise VMError(f"Function '{name}' not found")
    return function


def _receiver(arguments: list[Value], method: str) -> str:
    if not arguments:
        raise VMError(f"Method '{method}' requires a receiver argument")
    return receiver_type(arguments[0])
