"""Records that a foreign function has kept are, when the call has failed, as the interpreter leaves them."""

from __future__ import annotations

from typing import Any

import pytest

from stoffel import VirtualMachine, VMError
from tests.machines import loaded

PROGRAM = """
function inner(a)
    LDI r1, 7
    PUSHARG r0
    PUSHARG r1
    CALL fail
    RET r0
end
function main(n)
    LDI r1, 1
    LDI r2, 0
    MOV r3, r0
again:
    PUSHARG r3
    CALL inner
    SUB r3, r3, r1
    CMP r3, r2
    JMPGT again
    RET r0
end
function other()
    CALL keep
    RET r0
end
"""


class Host:
    """A machine with foreign functions that keep the innermost record that they see."""

    def __init__(self, jit: str, error: BaseException) -> None:
        self.machine = VirtualMachine(jit=jit, cache="off")
        self.kept: list[Any] = []
        self.error = error
        self.machine.register_foreign_function("fail", lambda context: self.fail(context.arguments))
        self.machine.register_foreign_function("keep", lambda context: self.keep())
        loaded(self.machine, PROGRAM)

    def keep(self) -> int:
        self.kept.append(self.machine.state.frames[-1])
        return 9

    def fail(self, arguments: tuple[Any, ...]) -> int:
        self.keep()
        self.machine.execute("other")
        self.keep()
        if arguments[0] < 3:
            raise self.error
        return 1

    def states(self) -> list[Any]:
        """Run once more; return what each kept record of the call that fails holds, and its position."""
        with pytest.raises((VMError, KeyboardInterrupt)):
            self.machine.execute("main", 9)
        kept, self.kept = self.kept, []
        # The one between them is of a call that has returned: a snapshot.
        failed = kept[-3], kept[-1]
        return [(one.function, one.stack, one.registers, one.next_instruction) for one in failed]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=["error", "interrupt"])
@pytest.mark.parametrize("jit", ["always", "kernels", "auto"])
def test_the_arguments_are_put_back(jit: str, error: BaseException) -> None:
    host, reference = Host(jit, error), Host("off", error)
    for _ in range(3):
        expected = reference.states()
        assert [stack for _, stack, _, _ in expected] == [[2, 7], [2, 7]]
        assert host.states() == expected


@pytest.mark.parametrize("jit", ["always", "kernels"])
def test_records_of_calls_that_have_returned_keep_their_empty_stack(jit: str) -> None:
    host = Host(jit, ValueError("no"))
    with pytest.raises(VMError):
        host.machine.execute("main", 9)
    assert [record.stack for record in host.kept[:-3]] == [[]] * (len(host.kept) - 3)
