"""Compiled code on the host's stack: its Python frames, and the records that they stand for while something waits.

Compiled code has no activation records. While it waits for a call, whoever looks at the machine gets records that
are made from its frames, and a run inside a foreign function works above them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from stoffel.compiler.emission.deopt_points import DURING
from stoffel.jit.deoptimisation import records_of, snapshot_of, variable_at
from stoffel.jit.policy.looks import Looks
from stoffel.runtime.calls import find_in, missing_upvalue
from stoffel.runtime.frames import ActivationRecord

if TYPE_CHECKING:
    from stoffel.compiler.emission.deopt_points import Line, Unit
    from stoffel.jit.code_cache import Units
    from stoffel.jit.host_stack import HostStack
    from stoffel.model.values import Value
    from stoffel.runtime.state import VMState


class Suspension(NamedTuple):
    """What is put aside while foreign code runs another program on a machine whose compiled code is suspended."""

    boundary: FrameType
    taken: tuple[object, int, int]
    records: list[ActivationRecord]
    copies: list[list[Value]]


class CompiledFrames:
    """The compiled frames of one machine.

    ``boundary`` is the Python frame from which the code that is in progress was entered, None if there is none.
    ``override`` are the records of suspended frames, oldest first, if an inner run has changed them.
    """

    def __init__(self, state: VMState, units: Units, host_stack: HostStack) -> None:
        self.state = state
        self.units = units
        self.host_stack = host_stack
        self.looks = Looks()
        self.boundary: FrameType | None = None
        self.override: list[ActivationRecord] | None = None

    def chain(self, frame: FrameType | None) -> Iterator[tuple[FrameType, Unit, Line]]:
        """Yield the compiled frames from *frame* out to the boundary, innermost first, with their lines."""
        boundary = self.boundary
        while frame is not None and frame is not boundary:
            unit = self.units.by_code.get(frame.f_code)
            if unit is not None:
                yield frame, unit, unit.line(frame.f_lineno)
            frame = frame.f_back

    def snapshot(self) -> tuple[list[ActivationRecord], bool]:
        """Return the records of the suspended frames, oldest first, and whether they are exact."""
        records, exact = self.override or [], True
        if not records:
            records, exact = snapshot_of(self.units, self.looks, self.chain(sys._getframe(1)))
        if self.units.environment.shown is not None:
            self.units.environment.shown.extend(records[-1:])
        return records, exact

    def suspend(self) -> Suspension | None:
        """Put the records of suspended compiled frames on the machine's stack, for a run inside a foreign function."""
        boundary = self.boundary
        if boundary is None:
            return None
        records, exact = self.snapshot()
        self.state.records.extend(records)
        self.boundary = self.override = None
        taken = self.host_stack.suspend(len(records))
        # Changes of records that are not exact do not come to the frames.
        kept = records if exact else []
        return Suspension(boundary, taken, kept, [record.registers.copy() for record in kept])

    def resume(self, suspension: Suspension, records: list[ActivationRecord]) -> None:
        """Take back what :meth:`suspend` put aside; registers that the inner run changed replace the frames' own."""
        self.boundary = suspension.boundary
        self.host_stack.resume(*suspension.taken)
        for record, before in zip(suspension.records, suspension.copies, strict=True):
            if any(mine is not other for mine, other in zip(record.registers, before, strict=True)):
                self.override = records
                self.state.ask_attention()
                return

    def complete(self, records: list[ActivationRecord], outer: FrameType | None) -> None:
        """Add to *records*, innermost first, those of the frames from *outer* outwards; then they are oldest first."""
        override = self.override
        for suspended, other, line in self.chain(outer):
            records.extend(records_of(self.state, other, line.sites[DURING], suspended))
        if override is not None:
            # An inner run has replaced closures in registers of these frames; register 0 of the innermost is newer.
            self.override = None
            for index, (record, changed) in enumerate(zip(records, reversed(override), strict=True)):
                start = 1 if index == 0 else 0
                record.registers[start:] = changed.registers[start:]
                record.closure = changed.closure
        records.reverse()

    def give_way_to(self, records: list[ActivationRecord]) -> None:
        """Put the records of all frames on the machine's stack; the frames are about to be dropped."""
        self.boundary = None
        self.state.records.extend(records)

    def find_upvalue(self, name: str) -> Value:
        """Return what a plain call by compiled code captures under *name*; raises VMError if no record has it."""
        for frame, unit, line in self.chain(sys._getframe(1)):
            found, value = variable_at(unit, line.sites[DURING], frame, name)
            if found:
                return value
        found, value = find_in(self.state.records, name)
        if not found:
            raise missing_upvalue(name)
        return value
