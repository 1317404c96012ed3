"""Host objects that programs hold by handle: typed, shared, each with a lock of its own."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from stoffel.errors import ErrorKind, VMError
from stoffel.model.values import Foreign, Value

Kind = TypeVar("Kind")


class _Kept:
    """A host object with its lock."""

    __slots__ = ("__weakref__", "item", "lock")

    def __init__(self, item: object) -> None:
        self.item = item
        self.lock = threading.RLock()


_kept: Final[weakref.WeakValueDictionary[int, _Kept]] = weakref.WeakValueDictionary()
"""Everything that machines keep, by identity: an object that several have, clones perhaps, has one lock for all."""


class ForeignObjects:
    """The foreign objects of one machine, numbered from 1."""

    __slots__ = ("_items", "_lock", "_mark", "_next_id")

    def __init__(self) -> None:
        self._items: dict[int, _Kept] = {}
        self._lock = threading.Lock()
        self._mark = object()
        self._next_id = 1

    def renew_after_fork(self) -> None:
        """Forget who held locks: other threads' hold on objects has ended with them."""
        self._lock = threading.Lock()
        for kept in self._items.values():
            kept.lock = threading.RLock()

    def register(self, item: object) -> Foreign:
        """Keep *item* and return the handle by which programs know it."""
        with self._lock:
            handle = Foreign(self._next_id, self._mark)
            self._items[handle.id] = _kept.setdefault(id(item), _Kept(item))
            self._next_id += 1
        return handle

    def get(self, handle: Value, kind: type[Kind]) -> Kind | None:
        """Return the object behind *handle* if it is of *kind*; None for another type, or one of another machine."""
        known = type(handle) is Foreign and self._owns(handle)
        kept = self._items.get(handle.id) if known else None  # type: ignore[union-attr]
        return kept.item if kept is not None and isinstance(kept.item, kind) else None

    @contextmanager
    def locked(self, handle: Value, kind: type[Kind]) -> Iterator[Kind]:
        """Hold the object's lock, which is one for all machines that have it, and give the object.

        Raises VMError (kind ForeignObject) if *handle* is no Foreign handle, not of an object of *kind*, or of another
        machine.
        """
        if type(handle) is not Foreign:
            raise VMError("Expected foreign object", ErrorKind.FOREIGN_OBJECT)
        kept = self._find(handle)
        if kept is None or not isinstance(kept.item, kind):
            raise VMError(f"Foreign object {handle.id} is not a {kind.__name__}", ErrorKind.FOREIGN_OBJECT)
        with kept.lock:
            yield kept.item

    def remove(self, handle: Foreign) -> bool:
        """Forget the object behind *handle*; return whether it existed. Raises VMError for one of another machine."""
        with self._lock:
            return self._find(handle) is not None and self._items.pop(handle.id, None) is not None

    def _find(self, handle: Foreign) -> _Kept | None:
        if not self._owns(handle):
            raise VMError(f"Foreign object {handle.id} belongs to another machine", ErrorKind.FOREIGN_OBJECT)
        return self._items.get(handle.id)

    def _owns(self, handle: Foreign) -> bool:
        return handle.owner is None or handle.owner is self._mark
