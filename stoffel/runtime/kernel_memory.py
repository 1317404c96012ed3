"""The memory that a kernel and the runtime share during one run."""

from __future__ import annotations

import ctypes
from typing import Any, Final

from stoffel.compiler.kernels import buffer

VALUE_LIMIT: Final = 2048
"""Values that a kernel can be entered with: those of all registers and spill slots in mid-function."""
HEADERS: Final = 64
"""Arrays that a kernel can be given without more memory for their headers."""

_Word = ctypes.c_int64


class Memory:
    """One state buffer with its frame records and headers; taken from a pool for each run."""

    __slots__ = ("address", "doubles", "frames", "frames_address", "headers", "headers_address", "state")

    def __init__(self) -> None:
        words = buffer.VALUES + VALUE_LIMIT
        self.state = (_Word * words)()
        self.address = ctypes.addressof(self.state)
        self.doubles = (ctypes.c_double * words).from_buffer(self.state)
        self.headers = (_Word * (HEADERS * buffer.HEADER_WORDS))()
        self.headers_address = ctypes.addressof(self.headers)
        self.frames = (_Word * 0)()
        self.frames_address = 0
        library = ctypes.pythonapi
        for index, function in (
            (buffer.MALLOC, library.PyMem_RawMalloc),
            (buffer.FREE, library.PyMem_RawFree),
            (buffer.SAVE_THREAD, library.PyEval_SaveThread),
            (buffer.RESTORE_THREAD, library.PyEval_RestoreThread),
            (buffer.CHECK_SIGNALS, library.PyErr_CheckSignals),
            (buffer.FMOD, _fmod()),
        ):
            self.state[index] = ctypes.cast(function, ctypes.c_void_p).value or 0
        self.state[buffer.SLICE] = buffer.FUEL_PER_SLICE

    def make_room(self, words: int) -> None:
        """Make room for so many words of frame records."""
        if len(self.frames) < words:
            self.frames = (_Word * words)()
            self.frames_address = ctypes.addressof(self.frames)


def _fmod() -> Any:
    from ctypes.util import find_library

    try:
        return ctypes.CDLL(None).fmod
    except (AttributeError, OSError, TypeError):
        return ctypes.CDLL(find_library("m") or find_library("msvcrt")).fmod
