"""The ways of running a program that must be indistinguishable; behavioural tests run in each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from stoffel import VirtualMachine


class Way(NamedTuple):
    """One way: *name* for test ids, *machine* makes a VirtualMachine from the constructor's keyword arguments.

    *forced* says that compiled code is left at every few safepoints, which makes a run many times longer. *turn* is
    given to ways that take turns in the ordinary suite: each runs every :data:`TURNS`-th program.
    """

    name: str
    machine: Callable[..., VirtualMachine]
    forced: bool = False
    turn: int | None = None


TURNS = 9
"""Programs of which a way that takes turns runs one."""


def _way(name: str, jit: str, every: int = 0, turn: int | None = None) -> Way:
    def machine(**options: Any) -> VirtualMachine:
        made = VirtualMachine(jit=jit, **options)
        if every:
            made.state.tier.every = every  # type: ignore[union-attr]
        return made

    return Way(name, machine, every > 0, turn)


KERNELS: Way = _way("kernels", "kernels")
WAYS: tuple[Way, ...] = (_way("interpreter", "off"), _way("always", "always"), KERNELS)
"""What behavioural tests run in."""
ALL_WAYS: tuple[Way, ...] = (
    *WAYS,
    _way("auto", "auto"),
    _way("left at every safepoint", "always", 1),
    _way("left at every 2nd safepoint", "always", 2),
    _way("left at every 7th safepoint", "always", 7),
    _way("kernels left at every safepoint", "kernels", 1, 0),
    _way("kernels left at every 2nd safepoint", "kernels", 2, 3),
    _way("kernels left at every 7th safepoint", "kernels", 7, 6),
)
"""What the conformance suite runs in."""
