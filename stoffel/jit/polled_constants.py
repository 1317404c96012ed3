"""Constants that loops load from cells: an empty one stops them, so looking for attention takes nothing."""

from __future__ import annotations

import threading
from types import CellType
from typing import Any

from stoffel.compiler.emission import global_names
from stoffel.isa.scalars import constant_key


class PolledConstants:
    """The cells of one machine; *namespace* are the globals of its units, which say whether attention is asked for."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._cells: dict[tuple[type, object], tuple[CellType, object]] = {}
        self._lock = threading.RLock()
        self._emptied: bool | None = False
        """Whether the cells are empty; None if they may differ, because filling them was interrupted."""

    def renew_after_fork(self) -> None:
        """Forget who held the lock, in a forked process."""
        self._lock = threading.RLock()
        self._emptied = None

    def follow(self) -> None:
        """Empty or fill all cells, as the global that asks for attention says; any thread may call this."""
        with self._lock:
            # It may be asked for anew by who waits for the lock, or by a signal handler in the middle of this.
            while self._emptied is not (now := self._namespace[global_names.ATTENTION]):
                self._emptied = None
                for key in list(self._cells):
                    self._fill(key, now)
                self._emptied = now

    def cell(self, value: object) -> CellType:
        """Return the cell from which loops load a constant; it is empty while attention is asked for."""
        key = constant_key(value)
        with self._lock:
            if key not in self._cells:
                self._cells[key] = CellType(), value
                self._fill(key, self._namespace[global_names.ATTENTION])
            return self._cells[key][0]

    def _fill(self, key: tuple[type, object], empty: bool) -> None:
        cell, value = self._cells[key]
        if empty:
            del cell.cell_contents
        else:
            cell.cell_contents = value
