"""A Stoffel virtual machine in Python with a just-in-time compiler.

The names below are the public interface; each is imported by its first use, so that a program pays only for what it
needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stoffel.version import VERSION

if TYPE_CHECKING:
    from stoffel.columns.errors import ColumnError, RowError
    from stoffel.columns.vectorized import vectorize
    from stoffel.embedding.context import ForeignContext
    from stoffel.embedding.vm import VirtualMachine
    from stoffel.errors import AssemblyError, CompileError, ErrorKind, LoadError, SaveError, StoffelError, VMError
    from stoffel.isa.assembler import assemble
    from stoffel.isa.disassembler import disassemble
    from stoffel.isa.function import Function
    from stoffel.isa.instruction import Instruction
    from stoffel.isa.program import Program
    from stoffel.isa.reader import load
    from stoffel.isa.scalars import I8, I16, I32, U8, U16, U32, U64
    from stoffel.lang.compiler import compile  # noqa: A004 - read as `stoffel.compile`
    from stoffel.model.text import diagnostic, display
    from stoffel.model.values import Array, Closure, Foreign, Object
    from stoffel.runtime.hooks import HookContext
    from stoffel.runtime.limits import Limits

__version__ = VERSION

I64 = int
"""I64 values are Python ints; the other widths have classes of their own."""

_HOMES = {
    "AssemblyError": "stoffel.errors",
    "CompileError": "stoffel.errors",
    "ErrorKind": "stoffel.errors",
    "LoadError": "stoffel.errors",
    "SaveError": "stoffel.errors",
    "StoffelError": "stoffel.errors",
    "VMError": "stoffel.errors",
    "assemble": "stoffel.isa.assembler",
    "disassemble": "stoffel.isa.disassembler",
    "Function": "stoffel.isa.function",
    "Instruction": "stoffel.isa.instruction",
    "Program": "stoffel.isa.program",
    "load": "stoffel.isa.reader",
    "I8": "stoffel.isa.scalars",
    "I16": "stoffel.isa.scalars",
    "I32": "stoffel.isa.scalars",
    "U8": "stoffel.isa.scalars",
    "U16": "stoffel.isa.scalars",
    "U32": "stoffel.isa.scalars",
    "U64": "stoffel.isa.scalars",
    "ForeignContext": "stoffel.embedding.context",
    "HookContext": "stoffel.runtime.hooks",
    "Limits": "stoffel.runtime.limits",
    "diagnostic": "stoffel.model.text",
    "display": "stoffel.model.text",
    "Array": "stoffel.model.values",
    "Closure": "stoffel.model.values",
    "Foreign": "stoffel.model.values",
    "Object": "stoffel.model.values",
    "VirtualMachine": "stoffel.embedding.vm",
    "compile": "stoffel.lang.compiler",
    "vectorize": "stoffel.columns.vectorized",
    "ColumnError": "stoffel.columns.errors",
    "RowError": "stoffel.columns.errors",
    "load_ipython_extension": "stoffel.notebook",
    "events": "stoffel.runtime",
}

__all__ = [
    "AssemblyError",
    "Array",
    "Closure",
    "ColumnError",
    "CompileError",
    "ErrorKind",
    "Foreign",
    "ForeignContext",
    "Function",
    "HookContext",
    "I8",
    "I16",
    "I32",
    "I64",
    "Instruction",
    "Limits",
    "LoadError",
    "Object",
    "Program",
    "RowError",
    "SaveError",
    "StoffelError",
    "U8",
    "U16",
    "U32",
    "U64",
    "VMError",
    "VirtualMachine",
    "assemble",
    "compile",
    "diagnostic",
    "disassemble",
    "display",
    "events",
    "load",
    "vectorize",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'stoffel' has no attribute {name!r}")
    if name == "events":
        value = importlib.import_module("stoffel.runtime.events")
    else:
        value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
