"""What it takes until a program's first result comes from machine code, in a process that has made none yet.

Three ways: a kernel that is made (``cold``), one that an earlier process has left in the cache (``warm``), and numba's
own compiler on the version written by hand for it (``numba``), the import of numba apart. All run the smallest size,
so that what is timed is making the code. As a program, ``python -m benchmarks.sections.kernels WAY NAME LEVEL
DIRECTORY`` measures one and prints JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import time
from typing import Any, Final

from benchmarks import ways
from benchmarks.catalogue import BY_NAME
from benchmarks.sections import Options, SkippedError, isolated
from benchmarks.table import geometric_mean, milliseconds, table

TITLE: Final = "Making kernels: from a fresh process to the first result by machine code"

ROUNDS: Final = 3
WAYS: Final = ("cold", "warm", "numba")


def one(way: str, name: str, level: str, directory: str) -> dict[str, Any]:
    """Return the seconds of importing numba (0 for a kernel) and of everything else up to the first result."""
    n = BY_NAME[name].quick
    if way == "numba":
        start = time.perf_counter()
        importlib.import_module("numba")
        imported = time.perf_counter()
        importlib.import_module(f"benchmarks.peers.numba_versions.{name}").bench(n)
        return {"import": imported - start, "seconds": time.perf_counter() - imported}
    import stoffel
    from benchmarks.programs import read

    program = read(BY_NAME[name].path(level))
    start = time.perf_counter()
    machine = stoffel.VirtualMachine(jit="kernels", cache="off" if way == "cold" else directory)
    machine.load(program)
    machine.execute("bench", n)
    seconds = time.perf_counter() - start
    functions = machine.jit_statistics()["functions"].values()
    return {"import": 0.0, "seconds": seconds, "kernels": sum(len(function["kernels"]) for function in functions)}


def measure(options: Options) -> dict[str, Any]:
    """Measure every program that becomes kernels, each way in processes of its own; the best of the rounds."""
    if not ways.has_kernels():
        raise SkippedError(ways.NO_KERNELS)
    programs = []
    for benchmark in options.benchmarks:
        row: dict[str, Any] = {"name": benchmark.name}
        with tempfile.TemporaryDirectory(prefix="stoffel-cache-") as directory:
            isolated(__name__, "warm", benchmark.name, options.level, directory)  # fills the cache
            for way in WAYS:
                if way == "numba" and (
                    ways.missing(way) or not (ways.PEERS / "numba_versions" / f"{benchmark.name}.py").exists()
                ):
                    continue
                found = [
                    isolated(__name__, way, benchmark.name, options.level, directory)
                    for _ in range(1 if options.quick else ROUNDS)
                ]
                row[way] = min(found, key=lambda item: item["import"] + item["seconds"])
        if row["cold"]["kernels"]:
            programs.append(row)
    if not programs:
        raise SkippedError("none of the programs becomes a kernel")
    return {"programs": programs}


def lines(data: dict[str, Any]) -> list[str]:
    """Return the table."""
    programs = data["programs"]
    rows = []
    for row in programs:
        cells = [row["name"], *(milliseconds(row[way]["seconds"]) for way in ("cold", "warm"))]
        numba = row.get("numba")
        rows.append([*cells, *((milliseconds(numba[key]) for key in ("import", "seconds")) if numba else ("-", "-"))])
    result = table(["program", "made ms", "from the cache ms", "import numba ms", "numba's compiler ms"], rows)
    for way in WAYS:
        found = [row[way]["import"] + row[way]["seconds"] for row in programs if way in row]
        if found:
            result.append(f"{way}: geometric mean {milliseconds(geometric_mean(found))} ms over {len(found)} programs")
    return result


if __name__ == "__main__":
    print(json.dumps(one(*sys.argv[1:])))
