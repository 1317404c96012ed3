"""THE table of builtins: one row per builtin, and everything else is derived from it.

The runtime's implementations, both compilers, ``stoffel check``, ``stoffel builtins`` and the manual read these rows.
A back end passes its own mapping through :func:`complete`, which fails at import, by name, when it has a builtin that
the table does not have. What a back end need not have it gets a sound default for: the runtime must implement every
builtin, the translator calls one that it does not expand as a foreign function with the result that the row says, and
a kernel ends at a call of one that it has not in machine code.

Notation of the examples: calls, separated by ``;``, with literals as in text assembly, arrays as ``[5, 6]``, objects as
``{"x": 5}``, and ``a = ...`` for values used again. They run in a machine with local storage and two functions:
``twice(x)`` gives x + x, and ``next()`` adds 1 to its upvalue ``start``, 1 at first, and gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from stoffel.isa import table
from stoffel.model.builtins import arrays, basics, mpc
from stoffel.model.builtins.declaration import Builtin


class Family:
    """Builtins that are listed together."""

    __slots__ = ("rows", "title")

    def __init__(self, title: str, rows: tuple[Builtin, ...]) -> None:
        self.title = title
        self.rows = rows


LIBRARY: Final = (
    Family("Tables", arrays.TABLES),
    Family("Arrays", arrays.ARRAYS),
    Family("Searching", arrays.SEARCHES),
    Family("Sorting", arrays.SORTING),
    Family("Text and checks", basics.TEXT),
    Family("Closures", basics.CLOSURES),
    Family("Local storage", basics.STORAGE),
)
"""The clear standard library, in order of registration."""

MPC: Final = (
    Family("Shares", mpc.SHARING),
    Family("Multi-party computation", mpc.MPC),
    Family("Clients", mpc.CLIENTS),
    Family("Field elements", mpc.FIELD),
    Family("Reliable broadcast", mpc.BROADCAST),
    Family("Verifiable secret sharing", mpc.AVSS),
    Family("Bytes and hashes", mpc.HASHES),
    Family("Curves", mpc.CURVES),
)
"""Byte and crypto helpers, and what needs an MPC engine or its clients, in order of registration."""

BY_NAME: Final[dict[str, Builtin]] = {
    row.name: row for families in (LIBRARY, MPC) for family in families for row in family.rows
}

METHODS: Final = tuple([(row.receiver, row.method, row.name) for row in mpc.METHODS])
"""Built-in methods as ``(receiver type, method, canonical function name)``."""

Entry = TypeVar("Entry")


def complete(entries: Mapping[str, Entry], default: Callable[[Builtin], Entry] | None, who: str) -> dict[str, Entry]:
    """Return an entry for every builtin: that of *entries*, else what *default* makes of the row.

    Raises LookupError at import, naming the back end *who* and the names, if an entry is unknown, or is missing where
    there is no default.
    """
    given = {} if default is None else {name: default(row) for name, row in BY_NAME.items() if name not in entries}
    return table.complete({**given, **entries}, BY_NAME, who)
