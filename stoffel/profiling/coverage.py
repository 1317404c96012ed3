"""Coverage: which instructions of a program ran, in the interpreter and in code objects.

The interpreter notes each instruction when it runs first. Compiled code contains what has run so far: where it comes to
anything else it is left, the interpreter runs that and notes it, and the function is compiled anew. So a program runs
nearly as fast as without, and nothing is missed that needs no code of its own (constants, moves, jumps).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stoffel.isa.writer import write_file
from stoffel.jit.events import line_of
from stoffel.jit.policy.warmup import tier_of
from stoffel.model.code import Code
from stoffel.profiling.counting import CountedSteps, counted, noting

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState


ENDINGS: Final = (".info", ".lcov")
"""Ends of the names of tracefiles."""


class FunctionCoverage(NamedTuple):
    """Which instructions of one function ran: how many there are, and the indices of those that did not."""

    name: str
    instructions: int
    missing: list[int]

    @property
    def ran(self) -> int:
        """Number of instructions that ran."""
        return self.instructions - len(self.missing)


class Coverage:
    """Which instructions of the functions of a machine ran."""

    def __init__(self, codes: dict[str, Code], steps: dict[str, CountedSteps]) -> None:
        self.sources: dict[str, str] = {}
        """Texts of sources by the file's name as line tables have it, where somebody has put them here."""
        self._codes = codes
        self._steps = steps

    def has_run(self, function: str, index: int) -> bool:
        """Return whether an instruction ran."""
        counts = self._steps[function].counts
        return index < len(counts) and counts[index] > 0

    def functions(self) -> list[FunctionCoverage]:
        """Return what ran of all functions, in the order in which the machine has them."""
        found = []
        for name, code in self._codes.items():
            size = len(code.function.instructions)
            found.append(FunctionCoverage(name, size, [i for i in range(size) if not self.has_run(name, i)]))
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data for JSON."""
        return {"functions": [{**row._asdict(), "ran": row.ran} for row in self.functions()]}

    def lcov(self) -> str:
        """Return the lines of the sources as an lcov tracefile; a line ran if one of its instructions did.

        Functions whose source is not known are not in it.
        """
        files: dict[str, tuple[dict[int, bool], list[tuple[int, str, bool]]]] = {}
        for row in self.functions():
            code = self._codes[row.name]
            table = code.function.line_table
            if table is None or not row.instructions:
                continue
            lines, functions = files.setdefault(table.file, ({}, []))
            functions.append((line_of(code, 0) or 0, row.name, row.ran > 0))
            for index in range(row.instructions):
                line = line_of(code, index)
                if line is not None:
                    lines[line] = lines.get(line, False) or self.has_run(row.name, index)
        text = []
        for file, (lines, functions) in files.items():
            text += ["TN:", f"SF:{file}"]
            text += [f"FN:{line},{name}" for line, name, _ in functions]
            text += [f"FNDA:{int(ran)},{name}" for _, name, ran in functions]
            text += [f"FNF:{len(functions)}", f"FNH:{sum(ran for *_, ran in functions)}"]
            text += [f"DA:{line},{int(ran)}" for line, ran in sorted(lines.items())]
            text += [f"LF:{len(lines)}", f"LH:{sum(lines.values())}", "end_of_record"]
        return "".join(f"{line}\n" for line in text)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an lcov tracefile to *path*, whose name ends with ``.info`` or ``.lcov``.

        Raises ValueError for another name, SaveError if the file system refuses.
        """
        check_ending(os.fspath(path))
        write_file(path, self.lcov().encode("utf-8", "backslashreplace"))

    def text(self, *, colours: bool = False) -> str:
        """Return a table of the functions, and listings of those of which not everything ran, with ``!`` there.

        What did not run is red with *colours*.
        """
        from stoffel.profiling.text import shown, table

        rows = self.functions()
        ran, size = sum(row.ran for row in rows), sum(row.instructions for row in rows)
        lines = [f"{ran} of {size} instructions ran ({_share(ran, size)})", ""]
        lines += table(
            [
                ["function", "instructions", "ran", ""],
                *(
                    [shown(row.name), str(row.instructions), str(row.ran), _share(row.ran, row.instructions)]
                    for row in rows
                ),
            ],
            left=(0,),
        )
        for row in rows:
            if row.missing and row.ran:
                code = self._codes[row.name]
                missing = set(row.missing)
                lines += ["", shown(row.name)]
                for index, instruction in enumerate(code.function.instructions):
                    line = line_of(code, index)
                    text = f"{index:6}  {instruction!s:<40}{f'  line {line}' if line else ''}".rstrip()
                    red = colours and index in missing
                    text = f"\033[31m! {text}\033[0m" if red else f"{'!' if index in missing else ' '} {text}"
                    lines.append(text)
        return "\n".join(lines) + "\n"


def check_ending(path: str) -> None:
    """Raise ValueError unless *path* ends as the name of a tracefile does."""
    if not path.endswith(ENDINGS):
        raise ValueError(f"the name of a file for coverage ends with {' or '.join(ENDINGS)}: {path}")


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "-"


@contextmanager
def covered(state: VMState, has_kernels: bool) -> Iterator[Coverage]:
    """Note what runs while entered; see ``VirtualMachine.coverage``."""
    if has_kernels:
        raise ValueError('a kernel does not tell what runs in it: coverage needs jit "off" or "no-kernels"')
    with counted(state, noting, compiling=True) as steps:
        codes = {name: code for name in steps if type(code := state.functions[name]) is Code}
        coverage = Coverage(codes, steps)
        _tell_compiler(state, lambda code, index: _is_unseen(steps, code, index))
        try:
            yield coverage
        finally:
            _tell_compiler(state, None)


def _is_unseen(steps: dict[str, CountedSteps], code: Code, index: int) -> bool:
    found = steps.get(code.name)
    if found is None or index >= len(code.function.instructions):
        return False  # the end of a function is no instruction of it
    return index >= len(found.counts) or not found.counts[index]


def _tell_compiler(state: VMState, unseen: Callable[[Code, int], bool] | None) -> None:
    """Have the compiler know what has not run, and forget what it has made without that."""
    tier = tier_of(state)
    tier.statistics.unseen = unseen
    tier.meanings_changed()
