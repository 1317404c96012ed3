"""What must come to its end although a signal handler (Ctrl-C) raises in the middle of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

_Argument = TypeVar("_Argument")

ATTEMPTS: Final = 100
"""Times that something is tried before it is taken not to be signals that interrupt it."""


def complete(action: Callable[[_Argument], None], argument: _Argument) -> None:
    """Call *action* until it comes to its end; raise then what has interrupted it, the last if that were several.

    After an interruption at any place the action must be able to begin anew. Python looks for signals after calls, at
    the start of functions and at jumps backwards, nowhere else.
    """
    interruption: BaseException | None = None
    for _ in range(ATTEMPTS):
        try:
            action(argument)
            break
        except BaseException as error:
            interruption = error
    if interruption is not None:
        raise interruption
