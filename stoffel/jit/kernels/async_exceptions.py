"""Where a thread finds that another one has sent it an exception (``PyThreadState_SetAsyncExc``).

Notebooks and timeouts of tests do that. Kernels poll the place, since Python looks only when it executes bytecode.
"""

from __future__ import annotations

import ctypes
import threading
import time
from contextlib import suppress
from typing import Final

from stoffel.threads import start

PAUSE: Final = 0.0002
"""Seconds between two looks at whether the thread waits."""
WORDS: Final = 42
"""Words of a thread state that are looked at; the structure is longer in every CPython that is known."""

_nothing = ctypes.c_int64()


class _Marker(Exception):  # noqa: N818 - never raised
    """Looked for in memory."""


class _Here(threading.local):
    """The address for the thread that looks, 0 before it has."""

    address = 0


_here: Final = _Here()


ATTEMPTS: Final = 3
_found: list[int] = []
_failures: list[int] = []
"""What :func:`_offset` has found, once there was a thread to look with, and how often it found nothing, or too much."""


def address_of_exception() -> int:
    """Return the address of a word that is not 0 when an exception has been sent to this thread."""
    if not _here.address:
        offset = _offset()
        if offset is None:
            return ctypes.addressof(_nothing)
        _here.address = _thread_state() + offset
    return _here.address


def _thread_state() -> int:
    get = ctypes.pythonapi.PyThreadState_Get
    get.restype = ctypes.c_void_p
    return get() or 0


def _offset() -> int | None:
    """Return where the word is in a thread state, None if that is not to be found: sent to a thread that waits."""
    if _found or len(_failures) >= ATTEMPTS:
        return _found[0] if _found else None
    gate = threading.Lock()
    states: list[int] = []

    def wait() -> None:
        with suppress(_Marker):
            states.append(_thread_state())
            gate.acquire()

    gate.acquire()
    thread = threading.Thread(target=wait, name="stoffel waiting", daemon=True)
    if not start(thread):
        return None
    try:
        while not states:
            time.sleep(PAUSE)
        # Now it waits, or is about to; if the exception comes before, nothing is found, and this is tried again.
        time.sleep(PAUSE)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Marker))
        words = (ctypes.c_size_t * WORDS).from_address(states[0])[:]
    finally:
        # It is let through, not taken back: CPython 3.11 would look for it at every call from then on.
        gate.release()
    thread.join()
    if words.count(id(_Marker)) == 1:
        _found.append(words.index(id(_Marker)) * ctypes.sizeof(ctypes.c_size_t))
    else:
        _failures.append(0)
    return _found[0] if _found else None
