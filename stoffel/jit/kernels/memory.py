"""The memory that a kernel and the runtime share during one run."""

from __future__ import annotations

import ctypes
from typing import Any, Final

from stoffel.compiler.kernels.codegen import buffer

VALUE_LIMIT: Final = 2048
"""Values that a kernel can be entered with: those of all registers and spill slots in mid-function."""
HEADERS: Final = 64
"""Arrays that a kernel can be given without more memory for their headers."""
BUDGET: Final = 1 << 28
"""Bytes that a kernel may allocate in one run; then it leaves, which frees what nothing refers to."""
NOT_RUN: Final = -1
"""In the place of the status as long as the kernel has not been called."""

_Word = ctypes.c_int64


class Memory:
    """One state buffer with its frame records and headers; taken from a pool for each run.

    ``words`` is the part of the buffer before the values, which each run begins with the content ``fresh``.
    """

    __slots__ = (
        "address",
        "doubles",
        "frames",
        "frames_address",
        "fresh",
        "headers",
        "headers_address",
        "state",
        "words",
    )

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
            (buffer.REALLOC, library.PyMem_RawRealloc),
            (buffer.FREE, library.PyMem_RawFree),
            (buffer.SAVE_THREAD, library.PyEval_SaveThread),
            (buffer.RESTORE_THREAD, library.PyEval_RestoreThread),
            (buffer.CHECK_SIGNALS, library.PyErr_CheckSignals),
            (buffer.FMOD, _fmod()),
        ):
            self.state[index] = ctypes.cast(function, ctypes.c_void_p).value or 0
        self.state[buffer.SLICE] = buffer.FUEL_PER_SLICE
        self.state[buffer.FUEL] = buffer.FIRST_FUEL
        self.state[buffer.USED] = buffer.FIRST_FUEL - buffer.FUEL_PER_SLICE
        self.state[buffer.BUDGET] = BUDGET
        self.state[buffer.STATUS] = NOT_RUN
        self.words = memoryview(self.state).cast("B").cast("q")[: buffer.VALUES]
        # One copy takes less time than setting the words that a run changes.
        self.fresh = memoryview(bytes(self.words)).cast("q")

    def make_room(self, words: int) -> None:
        """Make room for so many words of frame records."""
        if len(self.frames) < words:
            self.frames = (_Word * words)()
            self.frames_address = ctypes.addressof(self.frames)


def _fmod() -> Any:
    try:
        return ctypes.CDLL(None).fmod
    except (AttributeError, OSError, TypeError):
        # Looking for libraries may start processes, and costs as much as loading a kernel.
        from ctypes.util import find_library

        return ctypes.CDLL(find_library("m") or find_library("msvcrt")).fmod
