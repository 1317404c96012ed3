"""What tests of the machine share: running assembly and looking at failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import stoffel
from stoffel import VirtualMachine, VMError
from stoffel.jit.code_tier import CompiledTier

Make = Callable[..., VirtualMachine]
"""Makes a machine in one way of running, with the functions of an assembly text if one is given."""

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


class Stop(Exception):
    """Raised by a hook to end a run that would not end by itself."""


def seen_from_outside(machine: VirtualMachine, look: Callable[[Any], Any], *arguments: Any) -> Any:
    """Run ``main``, which calls ``start`` and then does not end, and return what *look* makes of the first event.

    Another thread switches the hook on, a little after ``start`` was called.
    """
    seen: list[Any] = []

    def stop(event: Any, context: Any) -> None:
        seen.append(look(context))
        raise Stop

    hook = machine.register_hook(stoffel.events.BeforeInstructionExecute, stop)
    machine.disable_hook(hook)
    started = threading.Event()
    machine.register_foreign_function("start", lambda context: started.set())
    switch = threading.Thread(target=lambda: (started.wait(), time.sleep(0.02), machine.enable_hook(hook)))
    switch.start()
    with pytest.raises(VMError):
        machine.execute("main", *arguments)
    switch.join()
    (found,) = seen
    return found


def sampler(machine: VirtualMachine, function: str, instruction: int) -> Callable[[int], None]:
    """Return what samples a machine, whose loop heads are entered from now on, as often as it is told.

    Each time a record of *function* is found at *instruction*.
    """
    tier = machine.state.tier
    assert isinstance(tier, CompiledTier)
    tier.every = 1
    tier._load_kernels()
    kernels = tier.kernels
    assert kernels is not None
    record: Any = SimpleNamespace(code=machine.state.functions[function], next_instruction=instruction)
    return lambda ticks: kernels.sample([record], ticks)
