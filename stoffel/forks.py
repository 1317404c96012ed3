"""Forks of the process: only the thread that forks goes on in the child, where our locks and threads are renewed.

What must not be cut in two by a fork (LLVM at work, modules being loaded) is a *step*: forking waits for it.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from stoffel import threads

LONGEST_WAIT: Final = 10.0
"""Seconds for which a fork waits for steps to end: longer than any kernel takes to be made."""


class Renewed(Protocol):
    """Something with locks or threads."""

    def renew_after_fork(self) -> None:
        """Have new ones: called in a forked process, in its one thread."""


_renewed: weakref.WeakSet[Renewed] = weakref.WeakSet()
_condition = threading.Condition(threading.RLock())
_steps: list[int] = []
"""Identities of the threads that are in the middle of a step."""
_cut = False
_holding = False


def renew(item: Renewed) -> None:
    """Have *item* renewed in processes that are forked while it exists."""
    _renewed.add(item)


def was_cut() -> bool:
    """Return whether a step was in progress after all, in another thread, when this process was forked."""
    return _cut


@contextmanager
def step() -> Iterator[None]:
    """Have forks wait until what runs inside has ended."""
    mine = threading.get_ident()
    with _condition:
        _steps.append(mine)
    try:
        yield
    finally:
        with _condition:
            _steps.remove(mine)
            _condition.notify_all()


def _before() -> None:
    global _holding
    mine = threading.get_ident()
    _condition.acquire()
    _condition.wait_for(lambda: not set(_steps) - {mine}, LONGEST_WAIT)
    _holding = True


def _after() -> None:
    global _holding
    if _holding:
        _holding = False
        _condition.release()


def _in_child() -> None:
    global _condition, _cut, _holding
    mine = threading.get_ident()
    _cut = _cut or bool(set(_steps) - {mine})
    _steps[:] = [thread for thread in _steps if thread == mine]
    _condition = threading.Condition(threading.RLock())
    _holding = False
    threads.renew_after_fork()
    for item in list(_renewed):
        item.renew_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_in_child)
