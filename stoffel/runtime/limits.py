"""Limits: what a run may take before it fails with an error of kind Limit."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

ELEMENTS_PER_INSTRUCTION: Final = 64
"""Elements or characters that a builtin goes through for the price of one instruction."""
TABLE_UNITS: Final = 64
"""Units of allocation that a table or closure takes, besides its elements."""
ELEMENT_UNITS: Final = 8
"""Units of allocation of an element, an object's field, an upvalue, and a register of an activation record."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one run, with all that it calls, may take; None stands for no limit.

    ``instructions``: those executed; builtins charge for their work, too (``docs/reliability.md`` has the formulas).
    ``allocation``: units allocated in all, ``memory``: units that are reachable at any time. A table takes 64 units
    and 8 for each element, a string its length in UTF-8, an activation record 8 for each register. ``string`` (bytes
    of UTF-8), ``array`` (stored elements), ``object`` (fields) and ``stack`` (values) are the largest string, array,
    object and argument stack that may be made. ``depth`` and ``reentry`` are as ``max_call_depth`` and ``max_reentry``.
    ``output`` is in bytes of UTF-8 with line ends, ``lines`` in printed lines; the print that would exceed one writes
    nothing. ``storage`` is in bytes of one value that local storage keeps or gives back. ``seconds`` is time on the
    clock.

    Raises TypeError for what is not a number, ValueError for one below the least that is possible.
    """

    instructions: int | None = None
    seconds: float | None = None
    allocation: int | None = None
    memory: int | None = None
    string: int | None = 16 << 20
    array: int | None = 1 << 26
    object: int | None = 1 << 24
    stack: int | None = 1 << 20
    depth: int | None = None
    reentry: int | None = None
    output: int | None = None
    lines: int | None = None
    storage: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value: Any = getattr(self, field.name)
            if value is None:
                continue
            if field.name == "seconds":
                if type(value) not in (int, float):
                    raise TypeError(f"seconds must be a number or None, not {type(value).__name__}")
                if not 0 <= value < float("inf"):
                    raise ValueError(f"seconds must be a finite number of at least 0, not {value!r}")
                continue
            if type(value) is not int:
                raise TypeError(f"{field.name} must be an int or None, not {type(value).__name__}")
            least = 1 if field.name == "depth" else 0
            if value < least:
                raise ValueError(f"{field.name} must be at least {least}, not {value}")

    @property
    def counted(self) -> bool:
        """Whether every instruction has to be looked at: such a run is the interpreter's."""
        return not (
            self.instructions is None
            and self.allocation is None
            and self.memory is None
            and self.string is None
            and self.array is None
            and self.object is None
            and self.stack is None
        )
