"""Host objects that programs hold by handle: typed, shared, each with a lock of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from stoffel.errors import ErrorKind, VMError
from stoffel.model.values import Foreign, Value

Kind = TypeVar("Kind")


class ForeignObjects:
    """The foreign objects of one machine, numbered from 1."""

    __slots__ = ("_items", "_lock", "_next_id")

    def __init__(self) -> None:
        self._items: dict[int, tuple[object, threading.RLock]] = {}
        self._lock = threading.Lock()
        self._next_id = 1

    def renew_after_fork(self) -> None:
        """Forget who held locks: other threads' hold on objects has ended with them."""
        self._lock = threading.Lock()
        for identity, (item, _) in list(self._items.items()):
            self._items[identity] = item, threading.RLock()

    def register(self, item: object) -> Foreign:
        """Keep *item* and return the handle by which programs know it."""
        with self._lock:
            handle = Foreign(self._next_id)
            self._items[handle.id] = (item, threading.RLock())
            self._next_id += 1
        return handle

    def get(self, handle: Value, kind: type[Kind]) -> Kind | None:
        """Return the object behind *handle* if it is of *kind*; None for another type, or an unknown handle."""
        entry = self._items.get(handle.id) if type(handle) is Foreign else None
        return entry[0] if entry is not None and isinstance(entry[0], kind) else None

    @contextmanager
    def locked(self, handle: Value, kind: type[Kind]) -> Iterator[Kind]:
        """Hold the object's lock and give the object.

        Raises VMError (kind ForeignObject) if *handle* is no Foreign handle, or not of an object of *kind*.
        """
        if type(handle) is not Foreign:
            raise VMError("Expected foreign object", ErrorKind.FOREIGN_OBJECT)
        item, lock = self._items.get(handle.id, (None, None))
        if lock is None or not isinstance(item, kind):
            raise VMError(f"Foreign object {handle.id} is not a {kind.__name__}", ErrorKind.FOREIGN_OBJECT)
        with lock:
            yield item

    def remove(self, handle: Foreign) -> bool:
        """Forget the object behind *handle*; return whether it existed."""
        with self._lock:
            return self._items.pop(handle.id, None) is not None
