"""Threads of our own, where there are any to be had, and the stacks of threads."""

from __future__ import annotations

import sys
import threading
from typing import Final

STACK: Final = 8 << 20
"""Bytes of stack of a thread of ours: LLVM works in it, whatever size the host has chosen for its own threads."""
LEAST_STACK: Final = 256 << 10
"""Bytes that a thread's stack is taken to have where the platform does not tell."""

_lock = threading.RLock()


def renew_after_fork() -> None:
    """Forget who held the lock, in a forked process."""
    global _lock
    _lock = threading.RLock()


def start(thread: threading.Thread) -> bool:
    """Start *thread*; return False if no thread is to be had, at the end of the process or within its limits."""
    with _lock:
        usual = threading.stack_size()
        try:
            threading.stack_size(STACK)
            thread.start()
        except (RuntimeError, MemoryError, ValueError, OSError):
            return False
        finally:
            threading.stack_size(usual)
    return True


class _Stack(threading.local):
    """Lowest address and size of the stack of the thread that looks; 0 and 0 before it was measured."""

    lowest = 0
    size = 0


_stack: Final = _Stack()


def stack_of_thread() -> tuple[int, int]:
    """Return the lowest address of this thread's stack, 0 if the platform does not tell, and its size in bytes."""
    if not _stack.size:
        try:
            _stack.lowest, _stack.size = _measured()
        except (AttributeError, OSError, ValueError, ImportError):
            _stack.lowest, _stack.size = 0, LEAST_STACK
    return _stack.lowest, _stack.size


def _measured() -> tuple[int, int]:
    import ctypes

    library = ctypes.CDLL(None)
    itself = library.pthread_self
    itself.restype = ctypes.c_void_p
    thread = ctypes.c_void_p(itself())
    if sys.platform == "darwin":
        library.pthread_get_stackaddr_np.restype = ctypes.c_void_p
        library.pthread_get_stacksize_np.restype = ctypes.c_size_t
        size = library.pthread_get_stacksize_np(thread)
        return library.pthread_get_stackaddr_np(thread) - size, size
    attributes = (ctypes.c_char * 256)()
    lowest, bytes_ = ctypes.c_void_p(), ctypes.c_size_t()
    if library.pthread_getattr_np(thread, attributes):
        raise OSError("the stack of this thread is not known")
    library.pthread_attr_getstack(attributes, ctypes.byref(lowest), ctypes.byref(bytes_))
    library.pthread_attr_destroy(attributes)
    if not lowest.value or not bytes_.value:
        raise OSError("the stack of this thread is not known")
    return lowest.value, bytes_.value
