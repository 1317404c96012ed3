"""Files and their imports: reading them, checking them in order, and linking their functions into one program.

`import a.b` is the file ``a/b.stfl`` below the directory of the importing file; `import "path/x.stfl"` is that path,
seen from there. The functions of the first file keep their names. Those of other files are ``module.function`` in the
program, so that files cannot get into each other's way, and ``function`` besides, if nobody else has that name and some
closure is made, since closures are made from names.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, NamedTuple

from stoffel.errors import Diagnostic
from stoffel.isa.function import Function
from stoffel.isa.program import Program
from stoffel.lang import builtins, syntax
from stoffel.lang import typed_tree as typed
from stoffel.lang.checker import ENTRY, Checked, Checker
from stoffel.lang.diagnostics import SYNTAX, Failure, error
from stoffel.lang.functions import write_function
from stoffel.lang.lexer import tokenize
from stoffel.lang.parser import module_name, parse
from stoffel.lang.scopes import Exports
from stoffel.lang.source import Position, Source
from stoffel.lang.types import UNKNOWN

STANDARD: Final = "std"
"""Imports of this module and those below it are of the standard library, which is there anyway."""


class Module(NamedTuple):
    """A file that is checked."""

    key: str
    source: Source
    checked: Checked


class Problems(Exception):  # noqa: N818 - caught by the compiler, never seen outside
    """The program has errors: these."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__(len(diagnostics))
        self.diagnostics = diagnostics


def read_file(path: str) -> str:
    """Return the text of a source file. Raises OSError or UnicodeDecodeError."""
    with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123 - pathlib costs start-up time
        return file.read()


class Loader:
    """Reads and checks a file and what it imports."""

    def __init__(self, read: Callable[[str], str] = read_file) -> None:
        self.read = read
        self.modules: dict[str, Module] = {}
        self.prefixes: set[str] = set()
        self.sources: dict[str, Source] = {}
        self.errors: list[Diagnostic] = []
        self.late: list[Diagnostic] = []
        self.chain: list[tuple[str, str]] = []

    def load(self, source: Source, prefix: str = "") -> Checked:
        """Check *source*. Raises Problems with what is wrong in it or in a file that it imports."""
        self.sources.setdefault(source.file, source)
        try:
            tokens = tokenize(source)
        except Failure as failure:
            raise Problems([failure.diagnostic]) from None
        body, errors = parse(source, tokens, builtins.OBJECTS)
        imports: dict[Position, tuple[str, Exports]] = {}
        has_imports = any(isinstance(statement, syntax.Import) for statement in body)
        if errors:
            raise Problems(errors[:1] if has_imports else errors)
        for statement in body:
            if isinstance(statement, syntax.Import) and not (statement.path[0] == STANDARD and not statement.is_quoted):
                imports[statement.position] = self.exports(statement, source)
        checked = Checker(imports, prefix).run(body)
        self.errors += checked.errors
        self.late += checked.late
        return checked

    def exports(self, statement: syntax.Import, source: Source) -> tuple[str, Exports]:
        """Return the name before the point of calls, and what the module gives."""
        directory = os.path.dirname(source.path)  # noqa: PTH120 - pathlib costs start-up time
        if statement.is_quoted:
            parts = statement.path[0].split("/")
            key = module_name(statement.path[0])
        else:
            parts = [*statement.path[:-1], f"{statement.path[-1]}.stfl"]
            key = ".".join(statement.path)
        path = os.path.normpath(os.path.join(directory, *parts)) if parts[0] else os.sep.join(parts)  # noqa: PTH118
        is_possible = "\0" not in path  # which no path of a file has
        identity = os.path.realpath(path) if is_possible else path
        qualifier = statement.alias or (key if "." not in key else "")
        if identity in self.modules:
            return qualifier, self.modules[identity].checked.exports
        chain = [known for known, _ in self.chain]
        if identity in chain:
            names = [name for _, name in self.chain[chain.index(identity) :]]
            cycle = " -> ".join([*names, key])
            raise Problems(
                [error(SYNTAX, f"Circular import detected involving '{key}'", None, f"Import cycle: {cycle}")]
            )
        if not is_possible or not os.path.isfile(path):  # noqa: PTH113
            raise Problems(
                [
                    error(
                        SYNTAX,
                        f"Module '{key}' not found. Expected file at '{path}'",
                        statement.position,
                        "Check that the module path is correct and the file exists",
                    )
                ]
            )
        try:
            text = self.read(path)
        except (OSError, UnicodeDecodeError) as problem:
            reason = getattr(problem, "strerror", None) or "it is not valid UTF-8"
            message = f"Cannot read module '{key}' from '{path}': {reason}"
            raise Problems([error(SYNTAX, message, statement.position)]) from None
        self.chain.append((identity, key))
        inner = Source(text, path, self.file_name(path))
        checked = self.load(inner, f"{self.prefix(key)}.")
        self.chain.pop()
        self.modules[identity] = Module(key, inner, checked)
        return qualifier, checked.exports

    def prefix(self, key: str) -> str:
        """Return what stands before the names of a module's functions, another for each module."""
        number = 1
        prefix = key
        while prefix in self.prefixes:
            number += 1
            prefix = f"{key}_{number}"
        self.prefixes.add(prefix)
        return prefix

    def file_name(self, path: str) -> str:
        """Return what positions call the file *path*: its base name, or the whole path if that is taken."""
        name = os.path.basename(path)  # noqa: PTH119
        return path if name in self.sources else name


def link(entry: Checked, loader: Loader) -> Program:
    """Return the program of the first file and of the modules that it came to. Raises Problems."""
    problems: list[Diagnostic] = []
    functions: list[Function] = []
    main = entry.entry
    if main is None:
        start = entry.top_level[0].position if entry.top_level else Position("", 0, 0)
        top = typed.Function(start, ENTRY, (), (), UNKNOWN, entry.top_level)
        functions.append(write_function(top, entry.exports.objects, problems))
    for function in entry.functions:
        if function.name == main:
            functions.insert(0, write_function(function._replace(name=ENTRY), entry.exports.objects, problems))
        if function.name != ENTRY:
            functions.append(write_function(function, entry.exports.objects, problems))
    taken = {function.name for function in functions}
    inner = [
        (function, module.checked.exports.objects)
        for module in loader.modules.values()
        for function in module.checked.functions
    ]
    by_closure = any(
        instruction.operands[0] == "create_closure"
        for function in functions
        for instruction in function.instructions
        if instruction.op.name == "CALL"
    )
    for function, objects in inner:
        written = write_function(function, objects, problems)
        functions.append(written)
        by_closure = by_closure or any(
            one.op.name == "CALL" and one.operands[0] == "create_closure" for one in written.instructions
        )
    if by_closure:
        for function, objects in inner:
            name = function.name.rpartition(".")[2]
            if name not in taken and name not in builtins.RESERVED and name != ENTRY:
                taken.add(name)
                functions.append(write_function(function._replace(name=name), objects, []))
    if problems:
        raise Problems(unique(problems))
    return Program(functions)


def unique(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """Return *diagnostics* without repetitions: an entry with another name is written twice."""
    return list(dict.fromkeys(diagnostics))
