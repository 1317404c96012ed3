"""Worker: runs one program in one way, again and again, timed.

For each line ``N REPETITIONS`` of standard input it runs ``bench(N)`` so often and prints ``SECONDS RESULT``; it ends
with its input. Usage: ``python -m benchmarks.worker KIND PROGRAM [LEVEL]``, where KIND is ``python`` (the hand-written
version), ``numba``, ``unhooked`` (the interpreter without its hook checks), or a value of the machine's ``jit``. PyPy
runs this file too, so it keeps to the syntax of Python 3.9.
"""

from __future__ import annotations

import gc
import importlib
import sys
import time
from collections.abc import Callable
from typing import Any

PACKAGES = {"python": "benchmarks.python", "numba": "benchmarks.peers.numba_versions"}
"""Where the versions in Python are, by kind of worker."""


def machine_bench(mode: str, name: str, level: str) -> Callable[[int], str]:
    """Return ``bench`` of a program on a fresh machine; its result is the text form of the value."""
    import stoffel
    from benchmarks.catalogue import BY_NAME
    from benchmarks.programs import read

    machine = stoffel.VirtualMachine(jit=mode)
    machine.load(read(BY_NAME[name].path(level)))

    def bench(n: int) -> str:
        return stoffel.diagnostic(machine.execute("bench", n))

    return bench


def find(kind: str, name: str, level: str) -> Callable[[int], Any]:
    """Return the function to time."""
    if kind in PACKAGES:
        bench: Callable[[int], Any] = importlib.import_module(PACKAGES[kind] + "." + name).bench
        return bench
    if kind == "unhooked":
        from benchmarks import unhooked

        unhooked.install()
        return machine_bench("off", name, level)
    return machine_bench(kind, name, level)


def serve(bench: Callable[[int], Any]) -> None:
    """Answer requests until there are no more."""
    for line in sys.stdin:
        n, repetitions = map(int, line.split())
        result = None
        gc.collect()
        start = time.perf_counter()
        for _ in range(repetitions):
            result = bench(n)
        seconds = time.perf_counter() - start
        print(f"{seconds:.9f} {result}", flush=True)


if __name__ == "__main__":
    serve(find(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "O0"))
