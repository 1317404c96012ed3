"""Programs made of StoffelLang sources, kept on disk by what is in them, so that the next run need not compile.

An entry counts only for the same text, the same texts of all files that it imports, and the same compiler (a digest of
its files). It lies beside the kernels, in one of :data:`SLOTS` files, where a later program takes the place of an
earlier one; whom such files are trusted from is said in :mod:`stoffel.jit.store.files`.
"""

from __future__ import annotations

import marshal
import os
from array import array
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from stoffel.jit.store import files
from stoffel.jit.store.digest import digest_of_files, sha256
from stoffel.version import VERSION

if TYPE_CHECKING:
    from stoffel.isa.program import Program

SLOTS: Final = 1024
SUFFIX: Final = ".program"
_LARGEST: Final = 4 << 20
"""Bytes of the largest entry that is kept."""
_LANGUAGE: Final = os.path.join(os.path.dirname(os.path.dirname(__file__)), "lang")


def compiled(name: str, data: bytes, setting: str | None) -> Program:
    """Return the program of the source *data*, which errors call *name*; *setting* names the directory of those kept.

    Raises CompileError or LoadError.
    """
    place = files.directory(setting).directory
    if place is None:
        from stoffel.lang.compiler import compile_bytes

        return compile_bytes(data, name)
    key = _key(name, data)
    path = os.path.join(place, f"{crc32(key) % SLOTS:03x}{SUFFIX}")
    found = _load(path, key)
    if found is None:
        found = _compile(name, data, path, key)
    return found


def _key(name: str, data: bytes) -> bytes:
    where = os.path.abspath(os.path.dirname(name))
    text = "\0".join((VERSION, digest_of_files(_LANGUAGE), where, name))
    return bytes(sha256(os.fsencode(text) + b"\0" + data).digest())


def _load(path: str, key: bytes) -> Program | None:
    """Return the program that is kept at *path* under *key*, None if there is none that still holds."""
    try:
        handle = files.open_to_read(path)
        with open(handle, "rb", buffering=0) as file:
            if files.distrust(os.fstat(handle)) is not None:
                return None
            data = file.read(_LARGEST + 1)
        if data[:32] != key or data[32:64] != sha256(data[64:]).digest():
            return None
        imported, binary, tables = marshal.loads(data[64:])  # noqa: S302 - ours and undamaged, as far as is known
        if any(_digest(name) != digest for name, digest in imported):
            return None
    except (OSError, ValueError, EOFError, TypeError):
        return None
    from stoffel.isa.lines import LineTable
    from stoffel.isa.program import Functions, Program
    from stoffel.isa.reader import read

    program = read(binary)
    records = []
    for function, (file, lines, variables) in zip(program.records, tables, strict=True):
        numbers = array("I")
        numbers.frombytes(lines)
        records.append(function.with_lines(LineTable(file, numbers, variables)))
    return Program._from_trusted(
        tuple(records), Functions(records), program.constants, program.manifest, program.version
    )


def _compile(name: str, data: bytes, path: str, key: bytes) -> Program:
    from stoffel.isa.writer import write
    from stoffel.lang.compiler import compile_bytes
    from stoffel.lang.modules import Loader

    loader = Loader()
    program = compile_bytes(data, name, loader)
    tables: list[tuple[str, bytes, dict[int, str]]] = []
    for function in program.records:
        table = function.line_table
        if table is None:
            return program
        tables.append((table.file, array("I", table.lines).tobytes(), dict(table.variables)))
    imported = [(module.source.path, _digest(module.source.path)) for module in loader.modules.values()]
    content: Any = (imported, write(program), tables)
    data = marshal.dumps(content)
    if len(data) < _LARGEST:
        files.keep(path, key + sha256(data).digest() + data)
    return program


def _digest(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return bytes(sha256(file.readall()).digest())


def kept(directory: str | None) -> list[str]:
    """Return the paths of all programs that are kept in *directory*. Raises OSError if it cannot be read."""
    try:
        names = [] if directory is None else os.listdir(directory)
    except FileNotFoundError:
        return []
    found = [name for name in names if name[3:].startswith(SUFFIX) and not name[:3].strip("0123456789abcdef")]
    return [os.path.join(directory or "", name) for name in found]


def forget(directory: str | None) -> int:
    """Remove all programs that are kept in *directory*; return how many there were. Raises OSError."""
    paths = kept(directory)
    for path in paths:
        files.remove(path)
    return len(paths)
