"""What the last runs of the same program with the same arguments came to, so that the next need not be watched first.

Whether loading the translator pays, and which functions and loops deserve a kernel, is only known when much of a short
run is over. A run that is repeated mostly takes as long as the one before, so both ways to run it are timed, one after
the other, and from the third run on the quicker one is taken. Times and kernels are noted beside the kernels on disk:
one small text file for each of :data:`SLOTS` slots, where a later run takes the place of an earlier one. Nothing in it
is executed, and a wrong note costs time, never a result.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final, NamedTuple
from zlib import crc32

from stoffel.jit.policy import thresholds
from stoffel.jit.store import files

SLOTS: Final = 4096
SUFFIX: Final = ".history"
_FIRST_LINE: Final = "stoffel history 2"
_MOST_BYTES: Final = 1 << 16
_MOST_KERNELS: Final = 64
_UNKNOWN: Final = "-"
_SAME: Final = 0.2
"""Part by which a time differs from the one before if it is worth writing down."""
_CALL: Final = "call"


class Outcome(NamedTuple):
    """What runs came to, in seconds of processor time; None if unknown.

    ``interpreted`` is what one took without compiling, or the least that it can be where the translator was loaded in
    the middle; ``compiled`` what one took that compiled from its start. ``kernels`` are those that ran, were made, or
    would have been of use: the name of the function and the instruction at which the kernel takes over a loop, None if
    it runs calls.
    """

    interpreted: float | None = None
    compiled: float | None = None
    kernels: tuple[tuple[str, int | None], ...] = ()

    @property
    def paid(self) -> bool:
        """Whether the next run is to compile from its start."""
        if self.compiled is not None:
            return self.interpreted is None or self.compiled < self.interpreted
        return bool(self.kernels) or (self.interpreted is not None and self.interpreted >= thresholds.WORTH_TRYING)

    def is_like(self, other: Outcome | None) -> bool:
        """Return whether *other* says the same, as far as it matters."""
        return (
            other is not None
            and (self.paid, self.kernels) == (other.paid, other.kernels)
            and _alike(self.interpreted, other.interpreted)
            and _alike(self.compiled, other.compiled)
        )


def _alike(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= _SAME * max(one, other)


class History:
    """The note about runs that are the same as far as *content* (of the program's file) and *arguments* tell.

    It is in *directory*, which is made when there is something to keep; None keeps nothing.
    """

    __slots__ = ("_directory", "_key", "_known", "_path")

    def __init__(self, directory: str | None, content: bytes, arguments: list[str]) -> None:
        self._key = f"{len(content)} {crc32(content)} {arguments!a}"
        self._directory = directory
        self._path = os.path.join(directory or "", f"{crc32(self._key.encode()) % SLOTS:03x}{SUFFIX}")
        self._known: Outcome | None = None

    def read(self) -> Outcome | None:
        """Return what the last such run came to, None if that is not known. Raises nothing."""
        if self._directory is None:
            return None
        try:
            handle = files.open_to_read(self._path)
            try:
                data = os.read(handle, _MOST_BYTES)
            finally:
                os.close(handle)
            self._known = _decode(data.decode(), self._key)
        except (OSError, ValueError):
            return None
        return self._known

    def write(self, outcome: Outcome) -> None:
        """Keep *outcome* for the next such run, where that is possible."""
        if self._directory is None or outcome.is_like(self._known):
            return
        with suppress(ValueError):
            files.keep(self._path, _encode(outcome, self._key))


def open_history(setting: str | os.PathLike[str] | None, content: bytes, arguments: list[str]) -> History:
    """Return the note in the directory that *setting* names: as ``stoffel.jit.store.kernel_cache.open_cache``."""
    return History(files.directory(setting).directory, content, arguments)


def _encode(outcome: Outcome, key: str) -> bytes:
    """Return the text of the file. Raises ValueError for a name that it cannot hold."""
    times = [_UNKNOWN if seconds is None else f"{seconds:.6f}" for seconds in outcome[:2]]
    lines = [_FIRST_LINE, key, " ".join(times)]
    lines += [f"{_CALL if entry is None else entry} {name}" for name, entry in outcome.kernels[:_MOST_KERNELS]]
    if any("\n" in line for line in lines):
        raise ValueError("a name has several lines")
    return ("\n".join(lines) + "\n").encode()


def _decode(text: str, key: str) -> Outcome | None:
    """Return the outcome in *text*, None if it is about other runs. Raises ValueError for what was not written here."""
    first, about, times, *rest, end = text.split("\n")
    if (first, about, end) != (_FIRST_LINE, key, ""):
        return None
    interpreted, compiled = (None if word == _UNKNOWN else _seconds(word) for word in times.split(" "))
    kernels: list[tuple[str, int | None]] = []
    for line in rest:
        entry, _, name = line.partition(" ")
        kernels.append((name, None if entry == _CALL else int(entry)))
    return Outcome(interpreted, compiled, tuple(kernels))


def _seconds(word: str) -> float:
    seconds = float(word)
    if not 0 <= seconds < float("inf"):
        raise ValueError("no time")
    return seconds


def notes(directory: str | None) -> list[str]:
    """Return the paths of all notes in *directory*, and of what dead writers have left of some.

    Raises OSError for a directory that is there and cannot be read.
    """
    try:
        found = [] if directory is None else os.listdir(directory)
    except FileNotFoundError:
        return []
    return [os.path.join(directory or "", name) for name in found if _is_note(name)]


def forget(directory: str | None) -> int:
    """Remove all notes in *directory* and return how many there were. Raises OSError."""
    forgotten = 0
    for path in notes(directory):
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue  # another process was quicker
        forgotten += 1
    return forgotten


def _is_note(name: str) -> bool:
    return name[3:].startswith(SUFFIX) and not name[:3].strip("0123456789abcdef")
