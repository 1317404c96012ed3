"""Reading the stack of VM calls of a machine from another thread, whatever tier each call is in.

Nothing is asked of the machine, and nothing that runs notices. Interpreted calls are in the machine's list of records;
calls in code objects are Python frames of their thread, whose line numbers tell the instruction and the inlined calls
around it; a kernel says that it runs. Between one run and another that a foreign function has started are the frames of
that function.
"""

from __future__ import annotations

import dis
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Final

from stoffel import profiling
from stoffel.isa.table import Flow
from stoffel.jit.policy.warmup import tier_of
from stoffel.model.code import Code
from stoffel.model.foreign import ForeignFunction
from stoffel.profiling.stacks import CODE_OBJECT, COMPILING, FOREIGN, INTERPRETER, KERNEL, LEFT_OUT, Frame, Place
from stoffel.runtime import interpreter
from stoffel.runtime.calls import call_foreign

if TYPE_CHECKING:
    from collections.abc import Collection

    from stoffel.compiler.emission.deopt_points import Unit
    from stoffel.runtime.frames import ActivationRecord
    from stoffel.runtime.state import VMState

OUTERMOST: Final = 100
INNERMOST: Final = 300
"""Interpreted calls at each end of a run that are read: a recursion may be a quarter of a million deep."""

PACKAGE: Final = Path(profiling.__file__).parents[1]
_COMPILES: Final = "compiles"
_LEAVES: Final = "leaves"
_KERNEL: Final = "kernel"
_CALLS: Final = "calls"
_WORK: Final = {
    "compiler/pipeline.py": _COMPILES,
    "compiler/analysis/interprocedural.py": _COMPILES,
    "jit/kernels/builder.py": _COMPILES,
    "jit/store": _COMPILES,
    "jit/deoptimisation.py": _LEAVES,
    "jit/kernels/running.py": _KERNEL,
    "jit/kernels/marshalling.py": _KERNEL,
    "jit/kernels/memory.py": _KERNEL,
}
"""What the frames of Python code in these places are at work for; the outermost above a VM call decides."""


def _after_jumps() -> frozenset[int]:
    """Return the lines of the interpreter's loop at which a taken jump has set the cursor already."""
    lines = set()
    line = 0
    for instruction in dis.get_instructions(interpreter.run_plain):
        line = instruction.positions.lineno if instruction.positions and instruction.positions.lineno else line
        if instruction.argval == "__setstate__":
            lines.add(line)
    return frozenset(lines)


_AFTER_JUMPS: Final = _after_jumps()
_LOOPS: Final = (interpreter.run_plain.__code__, interpreter.run_watched.__code__, interpreter.run_hooked.__code__)


class Reader:
    """Reads the stacks of one machine; *boundaries* are the code objects of the functions that start its runs.

    Each of these has the machine's state in a local ``state`` while a run is in progress, and in ``callee`` the foreign
    function that it calls, if it is one.
    """

    def __init__(self, state: VMState, boundaries: Collection[CodeType]) -> None:
        self._state = state
        self._boundaries = boundaries
        self._work_of_files: dict[str, str | None] = {}

    def read(self, innermost: FrameType) -> list[Place]:
        """Return the stack of calls of the thread whose innermost Python frame is given, outermost call first.

        It is empty in the moment in which one tier hands a call to another.
        """
        state = self._state
        by_code = tier_of(state).code_objects
        # The compiled calls of each run, innermost first, and what was called to start it.
        runs: list[list[tuple[Unit, int]]] = [[]]
        entries: list[object] = []
        work: str | None = None
        reached = False
        frame: FrameType | None = innermost
        while frame is not None:
            code = frame.f_code
            if code.co_filename.startswith("<stoffel:"):
                unit = by_code.get(code)
                if unit is not None:
                    runs[-1].append((unit, frame.f_lineno))
                    if not reached and work is None and frame is not innermost:
                        work = _CALLS
                    reached = True
            elif code in self._boundaries:
                variables = frame.f_locals
                if variables.get("state") is state:
                    runs.append([])
                    entries.append(variables.get("callee"))
                    reached = True
            elif not reached:
                if code in _LOOPS:
                    reached = True
                elif code is call_foreign.__code__:
                    work = _CALLS
                else:
                    work = self._work_of(code.co_filename) or work
            frame = frame.f_back
        # What is outside the outermost run is no part of it.
        runs.pop()
        runs.reverse()
        entries.reverse()
        jumped = innermost.f_code is interpreter.run_plain.__code__ and innermost.f_lineno in _AFTER_JUMPS
        stack: list[Place] = []
        for number, frames in enumerate(runs):
            if number:
                self._add_foreign(stack)
            entry = entries[number]
            if isinstance(entry, ForeignFunction):
                stack.append((Frame(entry.name, FOREIGN), 0))
            self._add_run(stack, number, frames, number == len(runs) - 1, jumped)
        if not stack:
            return stack
        if work is _CALLS:
            self._add_foreign(stack)
        elif work is _KERNEL:
            self._add_kernel(stack)
        elif work is _COMPILES:
            stack.append((COMPILING, 0))
        return stack

    def _work_of(self, file: str) -> str | None:
        """Return what a frame of Python code in *file* is at work for, if the file tells."""
        if file not in self._work_of_files:
            found = _COMPILES if file.startswith("<frozen importlib") else None
            path = Path(file)
            if path.is_relative_to(PACKAGE):
                inner = f"{path.relative_to(PACKAGE).as_posix()}/"
                found = next((work for part, work in _WORK.items() if inner.startswith(f"{part}/")), None)
            self._work_of_files[file] = found
        return self._work_of_files[file]

    def _add_run(
        self, stack: list[Place], number: int, frames: list[tuple[Unit, int]], is_last: bool, jumped: bool
    ) -> None:
        """Add the calls of one run: those that are interpreted, and below them those in code objects."""
        state = self._state
        compiled = [place for unit, line in reversed(frames) for place in unit.positions(unit.line(line).index)]
        if number < len(state.runs):
            records = state.records
            begin = state.runs[number][0]
            end = len(records) if is_last or number + 1 >= len(state.runs) else state.runs[number + 1][0]
            if not is_last:
                # Below a run that a foreign function has started are copies of the records of compiled calls.
                copied = [record.code for record in records[end - len(compiled) : end]]
                end -= len(compiled) if copied == [code for code, _ in compiled] else 0
            if end - begin > OUTERMOST + INNERMOST:
                stack.extend(map(_interpreted, records[begin : begin + OUTERMOST]))
                stack.append((LEFT_OUT, 0))
                begin = end - INNERMOST
            stack.extend(map(_interpreted, records[begin:end]))
            if jumped and is_last and end > begin:
                frame, index = stack[-1]
                stack[-1] = frame, index + 1
        stack.extend([(Frame(code.name, CODE_OBJECT), index) for code, index in compiled])

    def _add_foreign(self, stack: list[Place]) -> None:
        """Add the foreign function that the innermost call is in, if it is in one."""
        if not stack or stack[-1][0].tier is FOREIGN:
            return
        frame, index = stack[-1]
        code = self._state.functions.get(frame.function)
        if type(code) is not Code or not 0 <= index < len(code.function.instructions):
            return
        instruction = code.function.instructions[index]
        if instruction.op.flow is Flow.CALL:
            name = instruction.operands[0]
            if type(self._state.functions.get(name)) is not Code:
                stack.append((Frame(name, FOREIGN), 0))

    def _add_kernel(self, stack: list[Place]) -> None:
        """Add the kernel that runs; one that has taken over a record stands in its place."""
        kernels = tier_of(self._state).kernels
        running = [] if kernels is None else list(kernels.kernels.running.values())
        if not running:
            return
        kernel = running[-1]
        frame = Frame(kernel.code.name, KERNEL)
        if kernel.entry is not None and stack and stack[-1][0] == (kernel.code.name, INTERPRETER):
            stack.pop()
        stack.append((frame, kernel.entry or 0))


def _interpreted(record: ActivationRecord) -> Place:
    return Frame(record.code.name, INTERPRETER), max(record.next_instruction - 1, 0)
