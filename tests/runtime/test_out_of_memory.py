"""A lack of memory is one error, with one place, wherever it is noticed."""

import subprocess
import sys
from pathlib import Path

import pytest

from stoffel import Limits, VirtualMachine, VMError, assemble
from stoffel.compiler.emission import global_names
from stoffel.runtime.budget import Budget
from tests.ways import WAYS

ROOT = Path(__file__).parents[2]

PROGRAM = """
function main()
    LDI r1, "ab"
    LDI r2, 0
    LDI r3, 1
    LDI r4, 6
    CALL create_array
    MOV r5, r0
again:
    ADD r1, r1, r1
    PUSHARG r5
    PUSHARG r1
    CALL append
    PUSHARG r5
    CALL wrap
    PUSHARG r5
    PUSHARG r0
    CALL append
    ADD r2, r2, r3
    CMP r2, r4
    JMPLT again
    PUSHARG r5
    CALL len
    RET r0
end
function wrap(values)
    PUSHARG r0
    CALL copy
    MOV r1, r0
    PUSHARG r1
    CALL to_string
    RET r1
end
"""


def outcomes(way, monkeypatch):
    """Fail each allocation in turn; return how each run ended, then that of the run in which none has failed."""
    machine = way.machine(cache="off")
    machine.load(assemble(PROGRAM))
    allocate = Budget.allocate
    found = []
    for failing in range(1, 1000):
        made = [0]

        def counting(budget, units, made=made, failing=failing):
            made[0] += 1
            if made[0] == failing:
                raise MemoryError
            allocate(budget, units)

        monkeypatch.setattr(Budget, "allocate", counting)
        try:
            result = machine.execute("main", limits=Limits(allocation=1 << 40))
        except VMError as error:
            found.append((failing, str(error), str(error.kind), error.function, error.instruction, error.stack))
        else:
            assert result == 12
            return found
        finally:
            monkeypatch.undo()
        # The machine is as usable as before.
        assert machine.execute("len", "abc") == 3
    raise AssertionError("each allocation has failed")


def test_whichever_allocation_fails_the_error_is_the_same_and_tells_the_place(monkeypatch):
    expected = outcomes(WAYS[0], monkeypatch)
    assert len(expected) > 30
    assert {(text, kind) for _, text, kind, *_ in expected} == {("Out of memory", "Runtime")}
    assert all(stack and stack[-1] == (function, index) for *_, function, index, stack in expected[1:])
    for way in WAYS[1:]:
        assert outcomes(way, monkeypatch) == expected


REAL = """
import resource, sys, stoffel
from stoffel.compiler.kernels.codegen import llvm
import stoffel.jit.code_tier, stoffel.compiler.pipeline
llvm.why_not()
sources = {
    "string": '''
function main(n)
    LDI r1, "0123456789abcdef"
    LDI r2, 0
    LDI r3, 1
again:
    ADD r1, r1, r1
    ADD r2, r2, r3
    CMP r2, r0
    JMPLT again
    RET r2
end
''',
    "in a call": '''
function main(n)
    LDI r1, "0123456789abcdef"
    LDI r2, 0
    LDI r3, 1
    MOV r4, r0
again:
    PUSHARG r1
    CALL twice
    MOV r1, r0
    ADD r2, r2, r3
    CMP r2, r4
    JMPLT again
    RET r2
end
function twice(text)
    ADD r0, r0, r0
    RET r0
end
''',
    "builtin": '''
function main(n)
    MOV r2, r0
    LDI r0, 0
    LDI r3, 60000000
    PUSHARG r0
    PUSHARG r3
    CALL range
    MOV r1, r0
again:
    PUSHARG r1
    PUSHARG r1
    CALL array_concat
    PUSHARG r0
    PUSHARG r1
    CALL array_concat
    JMP again
end
''',
}
resource.setrlimit(resource.RLIMIT_AS, (900 << 20,) * 2)
for name, source in sources.items():
    machine = stoffel.VirtualMachine(jit=sys.argv[1], cache="off")
    machine.load(stoffel.assemble(source))
    for n in (2,) * 5 + (60, 60):
        if n == 2 and name == "builtin":
            continue
        try:
            machine.execute("main", n)
        except stoffel.VMError as error:
            print(name, str(error), error.kind, error.stack)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does")
def test_a_real_lack_of_memory_has_the_same_place_in_every_tier():
    told = {}
    for mode in ("off", "always", "kernels", "no-kernels"):
        done = subprocess.run(
            [sys.executable, "-c", REAL, mode], cwd=ROOT, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stderr
        told[mode] = done.stdout
    assert told["off"].splitlines() == [
        *["string Out of memory Runtime (('main', 3),)"] * 2,
        *["in a call Out of memory Runtime (('main', 5), ('twice', 0))"] * 2,
        *["builtin Out of memory Runtime (('main', 5),)"] * 2,
    ]
    assert set(told.values()) == {told["off"]}


def test_a_call_that_is_made_directly_tells_the_place_too():
    machine = VirtualMachine(jit="always", cache="off")
    machine.load(assemble("function main(x)\n NOP\n ADD r0, r0, r0\n RET r0\nend"))
    for _ in range(5):
        machine.execute("main", 2)
    tier = machine.state.tier
    assert machine.state.direct

    def fail(operation):
        raise MemoryError

    tier.units.namespace[global_names.OVERFLOW] = fail
    with pytest.raises(VMError) as raised:
        machine.execute("main", (1 << 63) - 1)
    assert (str(raised.value), raised.value.stack) == ("Out of memory", (("main", 1),))
