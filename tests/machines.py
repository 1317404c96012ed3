"""What tests of the machine share: running assembly and looking at failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import stoffel
from stoffel import VirtualMachine, VMError


def loaded(machine: VirtualMachine, text: str) -> VirtualMachine:
    """Return *machine* with the functions of assembly *text*."""
    machine.load(stoffel.assemble(text))
    return machine


def failure(call: Callable[..., Any], *arguments: Any) -> VMError:
    """Return the VMError that the call must raise."""
    with pytest.raises(VMError) as caught:
        call(*arguments)
    return caught.value


def told(error: VMError) -> tuple[str, str]:
    """Return kind and text of an error."""
    return error.kind.value, str(error)
