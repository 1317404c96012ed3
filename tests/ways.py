"""The ways of running a program that must be indistinguishable; behavioural tests run in each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from stoffel import VirtualMachine


class Way(NamedTuple):
    """One way: *name* for test ids, *machine* makes a VirtualMachine from the constructor's keyword arguments."""

    name: str
    machine: Callable[..., VirtualMachine]


def _interpreter(**options: Any) -> VirtualMachine:
    return VirtualMachine(jit="off", **options)


def _compiled(**options: Any) -> VirtualMachine:
    return VirtualMachine(jit="always", **options)


WAYS: tuple[Way, ...] = (Way("interpreter", _interpreter), Way("always", _compiled))
