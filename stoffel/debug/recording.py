"""What a run takes from outside (random bytes, local storage), recorded: a run again from its start gets the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Recording:
    """Results of calls in order; :meth:`rewind` has the next calls answered from them."""

    def __init__(self) -> None:
        self._results: list[tuple[Any, Exception | None]] = []
        self._position = 0

    def rewind(self) -> None:
        """Go back to the first result."""
        self._position = 0

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call *function*, or return what it returned the last time; its errors are recorded as well."""
        if self._position == len(self._results):
            try:
                self._results.append((function(*arguments), None))
            except Exception as error:
                self._results.append((None, error))
        result, failure = self._results[self._position]
        self._position += 1
        if failure is not None:
            raise failure.with_traceback(None)
        return result


class RecordedStorage:
    """A backend of local storage whose calls are recorded: what is replayed is neither read nor written again."""

    def __init__(self, storage: Any, recording: Recording) -> None:
        self._storage = storage
        self._recording = recording

    def store(self, key: bytes, value: bytes) -> None:
        """Keep *value* under *key*."""
        self._recording.call(self._storage.store, key, value)

    def retrieve(self, key: bytes) -> bytes | None:
        """Return what is kept under *key*."""
        found: bytes | None = self._recording.call(self._storage.retrieve, key)
        return found

    def delete(self, key: bytes) -> bool:
        """Forget *key*."""
        return bool(self._recording.call(self._storage.delete, key))

    def exists(self, key: bytes) -> bool:
        """Tell whether something is kept under *key*."""
        return bool(self._recording.call(self._storage.exists, key))
