"""What a host pays at the border: calls into the machine, and out of it, in nanoseconds.

All cases are timed in one process, one after the other in each round, and of all rounds the best counts. In each mode:
``execute`` and ``machine.function`` of a function of two instructions; a foreign function that a loop of the program
calls; one that calls back; one that looks at the records; and what it takes to hand over a list of 1000 integers and
take it back. Beside them stand wasmtime-py and lupa (Lua) where they are installed, which do the same work.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from benchmarks.sections import Options, isolated
from benchmarks.table import significant, table

if TYPE_CHECKING:
    from stoffel.embedding.engine import ModeName

TITLE: Final = "Embedding: nanoseconds at the border between host and machine"

MODES: Final[tuple[ModeName, ...]] = ("off", "auto", "always")
CASES: Final = ("execute", "function", "foreign call", "calls back", "looks at records", "1000 in", "1000 out")
CALLS: Final = 2000
"""Calls of one sample, and turns of the loops that call out."""
WARM_UP: Final = 1.5
"""Seconds for which everything runs before it is timed: hot code has been compiled then."""
ROUNDS: Final = 15
QUICK: Final = "quick"

PROGRAM: Final = """
function add(a, b)
    ADD     r0, r0, r1
    RET     r0
end
function loop(n: int64)
    MOV     r4, r0
    LDI     r1, 0
    LDI     r5, 1
again:
    PUSHARG r1
    CALL    host
    ADD     r1, r1, r5
    CMP     r1, r4
    JMPLT   again
    RET     r1
end
"""

Case = tuple[str, str, Callable[[], object], int]
"""Who, what, the work, and how often it does what is timed."""


def _stoffel(mode: ModeName) -> Iterator[Case]:
    import stoffel

    hosts: dict[str, Callable[[Any], object]] = {
        "foreign call": lambda _: None,
        "calls back": lambda context: context.call("add", 1, 2),
        "looks at records": lambda context: len(context.vm.state.frames),
    }
    machines = {}
    for name in ("", *hosts):
        machine = machines[name] = stoffel.VirtualMachine(jit=mode, cache="off")
        machine.load(stoffel.assemble(PROGRAM))
        if name:
            machine.register_foreign_function("host", hosts[name])
    execute, function = machines[""].execute, machines[""].function("add")

    def executes() -> None:
        for _ in range(CALLS):
            execute("add", 1, 2)

    def calls() -> None:
        for _ in range(CALLS):
            function(1, 2)

    yield mode, "execute", executes, CALLS
    yield mode, "function", calls, CALLS
    for name in hosts:
        yield mode, name, lambda machine=machines[name]: machine.execute("loop", CALLS), CALLS  # type: ignore[misc]
    numbers = list(range(1000))
    array = machines[""].create_array(numbers)
    yield mode, "1000 in", lambda: machines[""].create_array(numbers), 1
    yield mode, "1000 out", lambda: machines[""].to_python(array), 1


def _lua() -> Iterator[Case]:
    import lupa

    lua = lupa.LuaRuntime()
    add = lua.eval("function(a, b) return a + b end")
    loop = lua.eval("function(n, host) for i = 0, n - 1 do host(i) end end")

    def calls() -> None:
        for _ in range(CALLS):
            add(1, 2)

    yield "lupa", "function", calls, CALLS
    yield "lupa", "foreign call", lambda: loop(CALLS, lambda _: None), CALLS
    yield "lupa", "calls back", lambda: loop(CALLS, lambda _: add(1, 2)), CALLS


def _wasm() -> Iterator[Case]:
    import wasmtime

    text = """
    (module
      (import "" "host" (func $host (param i64)))
      (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
      (func (export "loop") (param $n i64) (local $i i64)
        (loop $again
          (call $host (local.get $i))
          (local.set $i (i64.add (local.get $i) (i64.const 1)))
          (br_if $again (i64.lt_s (local.get $i) (local.get $n))))))
    """
    store = wasmtime.Store()
    module = wasmtime.Module(store.engine, text)
    host = wasmtime.Func(store, wasmtime.FuncType([wasmtime.ValType.i64()], []), lambda _: None)
    exports = wasmtime.Instance(store, module, [host]).exports(store)
    add, loop = exports["add"], exports["loop"]

    def calls() -> None:
        for _ in range(CALLS):
            add(store, 1, 2)

    yield "wasmtime", "function", calls, CALLS
    yield "wasmtime", "foreign call", lambda: loop(store, CALLS), CALLS


def one(warm_up: float, rounds: int) -> dict[str, dict[str, float]]:
    """Time everything that is there; return nanoseconds by who and what."""
    cases: list[Case] = [case for mode in MODES for case in _stoffel(mode)]
    for peer in (_lua, _wasm):
        try:
            cases.extend(peer())
        except ImportError:
            continue
    for _, _, work, _ in cases:
        end = time.perf_counter() + warm_up
        while time.perf_counter() < end:
            work()
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for who, what, work, count in cases:
            start = time.perf_counter()
            work()
            taken = (time.perf_counter() - start) / count * 1e9
            row = best.setdefault(who, {})
            row[what] = min(row.get(what, taken), taken)
    return best


def measure(options: Options) -> dict[str, Any]:
    """Measure in a process of its own."""
    return {"nanoseconds": isolated(__name__, *([QUICK] if options.quick else []))}


def lines(data: dict[str, Any]) -> list[str]:
    """Return the table: a row for each case, a column for each mode and peer."""
    found = data["nanoseconds"]
    rows = [[case, *(significant(row[case]) if case in row else "" for row in found.values())] for case in CASES]
    result = table(["ns", *found], rows)
    missing = [name for name in ("lupa", "wasmtime") if name not in found]
    if missing:
        result.append(f"not installed: {', '.join(missing)}")
    return result


if __name__ == "__main__":
    print(json.dumps(one(0.01, 1) if QUICK in sys.argv[1:] else one(WARM_UP, ROUNDS)))
