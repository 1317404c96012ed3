"""Faults of profiles, coverage and the JIT log: a wrong place, a time counted twice, a call lost from a stack."""

from __future__ import annotations

from tests.faults.faults import Fault

READING = "stoffel/profiling/reading.py"
SAMPLING = "stoffel/profiling/sampler.py"
STACKS = "stoffel/profiling/stacks.py"
COVERAGE = "stoffel/profiling/coverage.py"
COUNTING = "stoffel/profiling/counting.py"
FORMATS = "stoffel/profiling/formats.py"
LEAVING = "stoffel/jit/deoptimisation.py"
EXITS = "stoffel/jit/exits.py"
BLOCKS = "stoffel/compiler/flow/blocks.py"

PROFILING_FAULTS: tuple[Fault, ...] = (
    Fault("copies of compiled records are calls too", READING, "end -= len(compiled) if copied", "end -= 0 if copied"),
    Fault(
        "an inlined call is not seen",
        READING,
        "in unit.positions(unit.line(line).index)",
        "in [unit.position(unit.line(line).index)]",
    ),
    Fault("after a jump the instruction before it is seen", READING, "stack[-1] = frame, index + 1", "pass"),
    Fault("another machine's runs are this one's", READING, 'if variables.get("state") is state:', "if True:"),
    Fault("a kernel stands beside the record that it runs", READING, "            stack.pop()\n", "            pass\n"),
    Fault("only one end of a deep stack is read", READING, "begin = end - INNERMOST", "begin = end"),
    Fault("a sample that failed loses its time", SAMPLING, "            self._last = last\n", ""),
    Fault("time between runs is that of the next", SAMPLING, "if not runs or last is None", "if last is None"),
    Fault("a recursion counts an instruction twice", STACKS, "for place in set(stack):", "for place in stack:"),
    Fault("stacks have no bound", STACKS, "if len(self.frames) >= MOST_NODES:", "if False:"),
    Fault("a call is counted twice", COUNTING, "self.calls += 1", "self.calls += 2"),
    Fault("what ran is not noted", COUNTING, "steps.counts[index] = 1", "steps.counts[index] = 0"),
    Fault("what never ran is compiled", COVERAGE, "not found.counts[index]\n", "False\n"),
    Fault("after coverage units are left still", COVERAGE, "_tell_compiler(state, None)", "pass"),
    Fault("a block goes on after a jump that never ran", BLOCKS, "ends is not None and ends(index)", "False"),
    Fault("nothing is compiled anew for what ran", EXITS, "        self.units.forget(host)\n", ""),
    Fault("pprof has stacks outermost first", FORMATS, "in reversed(path[:-1])", "in path[:-1]"),
    Fault(
        "what was guessed is what was seen",
        LEAVING,
        "kinds_text(guessed), kinds_text(found)",
        "kinds_text(found), kinds_text(found)",
    ),
    Fault("a guess that held is told", LEAVING, "if kinds[position] != kind", "if True"),
)
