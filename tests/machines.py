"""What tests of the machine share: running assembly and looking at failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import stoffel
from stoffel import VirtualMachine, VMError

SUM = """\
function sum(n)
    LDI r1, 0
    LDI r2, 0
    LDI r3, 1
loop:
    CMP r2, r0
    JMPEQ done
    ADD r1, r1, r2
    ADD r2, r2, r3
    JMP loop
done:
    RET r1
end
"""
"""``sum(n)`` adds the integers below *n* in a loop."""
SUM_BY_CALL = (
    SUM
    + """\
function main(n)
    PUSHARG r0
    CALL sum
    RET r0
end
"""
)
"""``main(n)`` calls ``sum(n)``."""


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
