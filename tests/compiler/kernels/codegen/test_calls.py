"""Native calls: how deep they nest."""

from __future__ import annotations

import subprocess
import sys

from tests.compiler.kernels.programs import ROOT, expanded

DOWN = expanded(
    """
function main(n)
MOV r2, r0
LDI r1, 0
CMP r2, r1
JMPEQ end
LDI r1, 1
SUB r1, r2, r1
r0 = main(r1)
ADD r0, r0, r2
RET r0
end:
RET r1
end
"""
)
"""The sum of the integers up to n, by recursion."""


def test_native_calls_do_not_nest_deeper_than_the_stack_of_the_host_allows() -> None:
    """In a process of its own, which would end: without a bound the calls need at least 4 MB."""
    code = f"""
import threading
from stoffel import VirtualMachine, assemble

def run():
    print(made.execute("main", 60_000), made.jit_statistics()["functions"]["main"]["kernels"][0]["left"] > 0)

made = VirtualMachine(jit="kernels")
made.load(assemble({DOWN!r}))
threading.stack_size(2 << 20)
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1800030000 True\n", "")
