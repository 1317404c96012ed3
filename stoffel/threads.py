"""Threads of our own, where there are any to be had, and the stacks of threads."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

STACK: Final = 8 << 20
"""Bytes of stack of a thread of ours: LLVM works in it, whatever size the host has chosen for its own threads."""
LEAST_STACK: Final = 256 << 10
"""Bytes that a thread's stack is taken to have where the platform does not tell."""

ROOM: Final = 1 << 20
"""Bytes of stack in which any module can be imported, parsed and compiled too."""

_lock = threading.RLock()
_ahead: Final[set[str]] = set()


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


def load_ahead(*packages: str) -> None:
    """Import all modules of *packages*, in a thread of ours, where the stack of this one may be too small for that.

    Modules are imported where they are used first. From 3.14 on CPython's parser refuses to work on a small stack, and
    so does an import of what has no bytecode on disk. It fails nothing: what cannot be imported says so where
    it is used.
    """
    if _ahead.issuperset(packages) or threading.current_thread() is threading.main_thread():
        return
    with_room(lambda: _import_all(packages))
    _ahead.update(packages)


def with_room(work: Callable[[], object]) -> None:
    """Do *work*, in a thread of ours where the stack of this one may be too small for Python's parser.

    What it raises is raised here, unless it is done in another thread: then it must not raise anything.
    """
    if threading.current_thread() is not threading.main_thread() and stack_of_thread()[1] < ROOM:
        thread = threading.Thread(target=work, name="stoffel parses", daemon=True)
        if start(thread):
            thread.join()
            return
    work()


def _import_all(names: tuple[str, ...]) -> None:
    import importlib
    import pkgutil

    for name in names:
        with suppress(Exception):
            path = getattr(importlib.import_module(name), "__path__", ())
            for module in pkgutil.walk_packages(path, f"{name}."):
                importlib.import_module(module.name)


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
    if "ctypes" not in sys.modules and threading.current_thread() is not threading.main_thread():
        # Here too there may be no room for it.
        imports = threading.Thread(target=_import_all, args=(("ctypes",),), name="stoffel imports", daemon=True)
        if start(imports):
            imports.join()
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
