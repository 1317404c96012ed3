"""Names of kernels for native tools: the map file by which ``perf`` names machine code that is in no file.

Linux's ``perf`` (and tools that do as it does) reads ``/tmp/perf-PID.map``: a line for each function with address, size
and name. CPython writes there too, from 3.12 on, if it is asked to.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from stoffel.compiler.kernels import SYMBOL
from stoffel.notices import say_once

VARIABLE: Final = "STOFFEL_PERF"
"""Environment variable that asks for the map."""
_PREFIX: Final = "stoffel::"
_ELF64: Final = b"\x7fELF\x02\x01"
_SYMBOL_TABLE: Final = 2
_FUNCTION: Final = 2


def is_wanted() -> bool:
    """Return whether the map is asked for: by the environment variable, or of Python itself (``-X perf``)."""
    if os.environ.get(VARIABLE, "0") not in ("", "0"):
        return True
    active = getattr(sys, "is_stack_trampoline_active", None)
    return "perf" in sys._xoptions or (active is not None and active())


def activate() -> None:
    """Have CPython name Python functions in the map as well, code objects of VM functions among them, if it can."""
    start = getattr(sys, "activate_stack_trampoline", None)
    if start is None or sys.is_stack_trampoline_active():  # type: ignore[attr-defined] # 3.12
        return
    try:
        start("perf")
    except (ValueError, RuntimeError) as error:
        say_once(f"this Python does not name its functions for perf: {error}")


def note(address: int, object_code: bytes, functions: Sequence[str]) -> None:
    """Write the functions of a kernel at *address* into the map; *functions* are those that it was made of, in order.

    Where the file cannot be written, or the object code is not of the kind that perf knows, nothing is.
    """
    symbols = {name: (section, value, size) for name, section, value, size in _symbols(object_code)}
    if SYMBOL not in symbols:
        return
    own, start, _ = symbols[SYMBOL]
    lines = []
    for name, (section, value, size) in symbols.items():
        made_of = re.match(r"f(\d+)", name)
        if section == own and size and (made_of or name == SYMBOL):
            function = functions[int(made_of[1]) if made_of else 0]
            shown = "".join(char if char.isprintable() and char != " " else "?" for char in function)
            lines.append((address + value - start, size, f"{_PREFIX}{shown}"))
    try:
        _write(lines)
    except OSError as error:
        say_once(f"the map for perf cannot be written: {error.strerror}")


def _write(lines: list[tuple[int, int, str]]) -> None:
    import ctypes

    # CPython's own function keeps the lines of threads apart, its own lines too.
    entry = getattr(ctypes.pythonapi, "PyUnstable_WritePerfMapEntry", None)
    if entry is not None:
        for address, size, name in lines:
            entry(ctypes.c_void_p(address), ctypes.c_uint(size), ctypes.c_char_p(name.encode(errors="replace")))
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    file = os.open(f"/tmp/perf-{os.getpid()}.map", flags, 0o600)  # noqa: S108 - where perf looks
    try:
        text = "".join(f"{address:x} {size:x} {name}\n" for address, size, name in lines)
        os.write(file, text.encode(errors="replace"))
    finally:
        os.close(file)


def _symbols(data: bytes) -> Iterator[tuple[str, int, int, int]]:
    """Yield name, section, value and size of the functions of an ELF object file of 64 bits, little-endian."""
    if not data.startswith(_ELF64):
        return
    (sections_at,) = struct.unpack_from("<Q", data, 40)
    entry_size, count = struct.unpack_from("<HH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, sections_at + index * entry_size) for index in range(count)]
    for header in headers:
        if header[1] != _SYMBOL_TABLE:
            continue
        offset, size, link, step = header[4], header[5], header[6], header[9]
        names_at = headers[link][4]
        for at in range(offset, offset + size, step):
            name, info, _, section, value, length = struct.unpack_from("<IBBHQQ", data, at)
            if info & 0xF == _FUNCTION and section:
                begin = names_at + name
                yield data[begin : data.index(b"\0", begin)].decode(), section, value, length
