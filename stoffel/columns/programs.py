"""The program that a function of columns is from: given, or the file at a path."""

from __future__ import annotations

import os

from stoffel.errors import nearest
from stoffel.isa.function import Function
from stoffel.isa.program import Program


def program_of(given: Program | str | os.PathLike[str]) -> Program:
    """Return a program that is given as such, or as the path of a ``.stflb`` or ``.stfl`` file.

    Raises LoadError or CompileError.
    """
    if isinstance(given, Program):
        return given
    path = os.fspath(given)
    if path.endswith(".stfl"):
        from stoffel.lang.compiler import compile_file

        return compile_file(path)
    from stoffel.isa.reader import load

    return load(path)


def function_of(program: Program, entry: str) -> Function:
    """Return the function *entry* of a program. Raises ValueError if it is not there, or needs a closure."""
    if entry not in program.functions:
        near = nearest(str(entry), [function.name for function in program.functions])
        raise ValueError(f"the program has no function '{entry}'" + (f"; did you mean '{near}'?" if near else ""))
    function = program.functions[entry]
    if function.upvalues:
        raise ValueError(f"'{entry}' has upvalues: only a closure can be called, not the function alone")
    return function
