"""What translation costs: microseconds per VM instruction, and whether it stays linear.

The time of translation is that of the first call of a fresh machine with jit "always" minus that of the second, which
holds for any compiler; of several fresh machines the best. It is processor time of the thread that translates: what
else the machine does hardly counts. It is divided by the instructions that were translated, each
once: those of the functions that became code objects, and those inlined into them, which are translated with every
function that calls them. Made-up functions of growing length show whether it is linear: they repeat the body that the
StoffelLang compiler gives to a small arithmetic loop with a condition in it. As a program, ``python -m
benchmarks.sections.translation LENGTH`` or ``... NAME LEVEL`` measures one of them and prints JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from benchmarks import ways
from benchmarks.catalogue import BY_NAME
from benchmarks.sections import Options, SkippedError, isolated
from benchmarks.table import geometric_mean, significant, table

if TYPE_CHECKING:
    from stoffel import Function, Program, VirtualMachine

TITLE: Final = "Translation: microseconds per VM instruction"

LENGTHS: Final = (1_000, 10_000, 100_000, 1_000_000)
QUICK_LENGTHS: Final = (1_000, 4_000)


def straight(length: int) -> Function:
    """Return a function ``bench(n)`` of about *length* instructions: arithmetic and a condition, repeated."""
    from stoffel import Function, Instruction

    def make(name: str, *operands: Any) -> Instruction:
        return Instruction(name, *operands)

    body = [make("MOV", 1, 0), make("LDI", 2, 1), make("MOV", 2, 2)]
    labels: dict[str, int] = {}
    block = 0
    while len(body) < length - 26:
        block += 1
        for name, *operands in (
            ("LDI", 4, 31),
            ("MUL", 4, 2, 4),
            ("ADD", 4, 4, 1),
            ("LDI", 5, 1000003),
            ("MOD", 4, 4, 5),
            ("MOV", 2, 4),
            ("LDI", 4, None),
            ("LDI", 4, 7),
            ("MOD", 4, 2, 4),
            ("LDI", 5, 3),
            ("CMP", 4, 5),
            ("JMPEQ", f"cmp_true_{block}"),
            ("LDI", 4, False),
            ("JMP", f"cmp_end_{block}"),
            (f"cmp_true_{block}",),
            ("LDI", 4, True),
            (f"cmp_end_{block}",),
            ("LDI", 5, False),
            ("CMP", 4, 5),
            ("JMPEQ", f"else_{block}"),
            ("LDI", 4, 5),
            ("ADD", 4, 2, 4),
            ("MOV", 2, 4),
            ("LDI", 4, None),
            ("JMP", f"end_if_{block}"),
            (f"else_{block}",),
            ("LDI", 4, None),
            ("MOV", 4, 4),
            (f"end_if_{block}",),
        ):
            if operands:
                body.append(make(str(name), *operands))
            else:
                labels[str(name)] = len(body)
    body.append(make("RET", 2))
    return Function("bench", body, parameters=["n"], labels=labels, registers=6)


LONG: Final = 50_000
"""Instructions of a function that is translated once only; all others are by so many fresh machines:"""
MACHINES: Final = 30
LONG_RUN: Final = 1 << 50
"""Heat of a function that has run for long enough for anything."""


def first_and_second(program: Program, n: int) -> tuple[float, float, VirtualMachine]:
    """Return the processor time of the first and second call of ``bench(n)`` of a fresh machine, and the machine."""
    from stoffel import VirtualMachine
    from stoffel.model.code import Code

    machine = VirtualMachine(jit="always")
    machine.load(program)
    # A long function is translated where it has run for as long as that takes only: here it has.
    for code in machine.state.functions.values():
        if isinstance(code, Code):
            code.heat = LONG_RUN
    times = []
    for _ in range(2):
        start = time.thread_time()
        machine.execute("bench", n)
        times.append(time.thread_time() - start)
    return times[0], times[1], machine


def translated(machine: VirtualMachine) -> tuple[int, int]:
    """Return how many instructions of functions were translated, each once, and how many inlined into them."""
    own: dict[str, int] = {}
    inlined: dict[str, int] = {}
    assert machine.state.tier is not None
    for unit in machine.state.tier.units.by_code.values():
        name = unit.function.name
        own[name] = len(unit.function.function.instructions)
        into = sum(len(call.code.function.instructions) for call in unit.inlined)
        inlined[name] = max(inlined.get(name, 0), into)
    return sum(own.values()), sum(inlined.values())


def one(*arguments: str) -> dict[str, Any]:
    """Measure one function or program, named as on the command line."""
    from benchmarks.programs import read
    from stoffel import Program

    if len(arguments) == 1:
        program = Program([straight(int(arguments[0]))])
        n = 1
    else:
        program = read(BY_NAME[arguments[0]].path(arguments[1]))
        n = BY_NAME[arguments[0]].quick
    # The first machine of all also imports the compiler.
    first_and_second(Program([straight(100)]), 1)
    size = sum(len(function.instructions) for function in program.functions)
    rounds = [first_and_second(program, n) for _ in range(1 if size >= LONG else MACHINES)]
    firsts, seconds, machines = zip(*rounds, strict=True)
    own, inlined = translated(machines[0])
    return {
        "instructions": own,
        "inlined": inlined,
        "seconds": min(firsts) - min(seconds),
        "cold": firsts[0] - min(seconds),
    }


def measure(options: Options) -> dict[str, Any]:
    """Measure made-up functions of all lengths, and every program."""
    if not ways.has_translator():
        raise SkippedError(ways.NO_TRANSLATOR)
    lengths = QUICK_LENGTHS if options.quick else LENGTHS
    return {
        "lengths": [isolated(__name__, str(length)) for length in lengths],
        "programs": [
            {"name": benchmark.name, **isolated(__name__, benchmark.name, options.level)}
            for benchmark in options.benchmarks
        ],
    }


def _per_instruction(row: dict[str, Any], time: str = "seconds") -> float:
    # What is below a microsecond in all is noise of the two calls, and may be negative.
    return float(max(row[time], 1e-6) / (row["instructions"] + row["inlined"]) * 1e6)


def lines(data: dict[str, Any]) -> list[str]:
    """Return the table."""
    rows = [
        [
            name,
            str(row["instructions"]),
            str(row["inlined"]),
            significant(row["seconds"] * 1e3),
            significant(_per_instruction(row)),
            significant(_per_instruction(row, "cold")),
        ]
        for name, row in (
            *(("made up", row) for row in data["lengths"]),
            *((row["name"], row) for row in data["programs"]),
        )
    ]
    result = table(["function", "instructions", "and inlined", "ms", "us per instruction", "in a new process"], rows)
    first, last = data["lengths"][0], data["lengths"][-1]
    growth = _per_instruction(last) / _per_instruction(first)
    result.append(
        f"per instruction, {last['instructions']} instructions cost {significant(growth)} times what"
        f" {first['instructions']} cost (1 is linear)"
    )
    if data["programs"]:
        mean = geometric_mean([_per_instruction(row) for row in data["programs"]])
        result.append(f"geometric mean over the programs: {significant(mean)} us per instruction")
    return result


if __name__ == "__main__":
    print(json.dumps(one(*sys.argv[1:])))
