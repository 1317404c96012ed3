"""Compiling that is interrupted, as by Ctrl-C, at any place: the machine goes on as if it had not begun."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from stoffel import VirtualMachine
from tests.machines import loaded

PROGRAM = """
function add(a, b)
ADD r0, r0, r1
RET r0
end
function down(n)
LDI r1, 0
CMP r0, r1
JMPEQ done
LDI r1, 1
SUB r1, r0, r1
PUSHARG r1
CALL down
PUSHARG r0
PUSHARG r1
CALL add
RET r0
done:
RET r1
end
function bump(by)
LDI r1, "count"
PUSHARG r1
CALL get_upvalue
ADD r2, r0, r0
LDI r1, "count"
PUSHARG r1
PUSHARG r2
CALL set_upvalue
RET r2
end
function main(count)
LDI r1, "bump"
LDI r2, "count"
PUSHARG r1
PUSHARG r2
CALL create_closure
MOV r3, r0
LDI r4, 0
LDI r5, 1
LDI r6, 4
loop:
PUSHARG r3
PUSHARG r4
CALL call_closure
PUSHARG r0
CALL down
ADD r4, r4, r5
CMP r4, r6
JMPLT loop
RET r0
end
"""


class Interruption:
    """Counts the calls of functions while it is the profile function, and raises at one of them."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.calls = 0

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and "stoffel" in frame.f_code.co_filename:
            self.calls += 1
            if self.calls == self.at:
                raise KeyboardInterrupt


def run(machine: VirtualMachine, interruption: Interruption) -> Any:
    sys.setprofile(interruption)
    try:
        return machine.execute("main", 1)
    except KeyboardInterrupt:
        return None
    finally:
        sys.setprofile(None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it may come in a destructor
@pytest.mark.parametrize("jit", ["always", "kernels"])
def test_a_machine_whose_compiling_was_interrupted_goes_on_as_if_it_had_not_begun(jit: str) -> None:
    expected = loaded(VirtualMachine(jit="off"), PROGRAM).execute("main", 1)
    counting = Interruption(None)
    assert run(loaded(VirtualMachine(jit=jit), PROGRAM), counting) == expected
    interrupted = 0
    for at in range(1, counting.calls, max(counting.calls // 150, 1)):
        machine = loaded(VirtualMachine(jit=jit), PROGRAM)
        interrupted += run(machine, Interruption(at)) is None
        assert machine.execute("main", 1) == expected
        assert machine.jit_statistics()["functions"]["main"]["units"] > 0
    assert interrupted > 50
