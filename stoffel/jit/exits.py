"""Leaving compiled code: rebuilding the records of its frames, learning from why it was left, and telling of it.

Compiled code calls what is here when it has to be left. Every compiled frame between the innermost one and the boundary
where it was entered becomes an activation record, made from its Python locals (deoptimisation), and one exception drops
the Python frames; the interpreter goes on from the records.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from stoffel.compiler.emission import global_names
from stoffel.compiler.emission.deopt_points import BEFORE, BOUNDS, DEPTH, ENTRY, HANDOVER, LOOP
from stoffel.compiler.refusal import Refusal
from stoffel.jit.deoptimisation import (
    POLLS,
    REASONS,
    Left,
    exit_of,
    exit_of_kernel,
    innermost,
    is_of,
    kinds_of_sources,
    records_of,
)
from stoffel.jit.policy import thresholds

if TYPE_CHECKING:
    from stoffel.compiler.emission.deopt_points import Line, Site, Unit
    from stoffel.jit.attention import Attention
    from stoffel.jit.code_cache import Units
    from stoffel.jit.events import Exit
    from stoffel.jit.kernels.outcomes import KernelLeft
    from stoffel.jit.suspension import CompiledFrames
    from stoffel.model.code import Code
    from stoffel.runtime.frames import ActivationRecord


class Exits:
    """How the compiled code of one machine is left; its units find these methods among their globals."""

    def __init__(self, units: Units, frames: CompiledFrames, attention: Attention) -> None:
        self.state = units.state
        self.units = units
        self.statistics = units.statistics
        self.frames = frames
        self.attention = attention
        self.host_stack = frames.host_stack
        self._handovers: dict[Code, int] = {}
        units.hand_over = self.hand_over
        units.namespace |= {
            global_names.LEAVE: self.leave,
            global_names.RECOVER: self.recover,
            global_names.EMPTIED: self.emptied,
        }

    # Called by code objects

    def leave(self, way: int, left: FrameType | None = None) -> int:
        """Leave compiled code in the given way, at a line that has such a site; else return the room, at an entry."""
        frame = left or sys._getframe(1)
        unit = self.units.by_code[frame.f_code]
        line = unit.line(frame.f_lineno)
        room: int = frame.f_locals[global_names.ROOM] if way == ENTRY else 0
        if room < 0:
            room += self.host_stack.more_room()
            if room < 0:
                way = DEPTH
                compiled = sum(len(other.positions(line.index)) for _, other, line in self.frames.chain(frame))
                self.host_stack.used_up(len(self.state.records) + compiled)
            elif not (self.attention.every or self.state.attention):
                return room
        forced = way in POLLS and self.attention.every and not self.state.attention
        if forced and self.attention.lets_pass(way, frame):
            return room
        if way == BEFORE:
            self._missed(unit, line, line.sites[way], frame)
        elif way == BOUNDS:
            self.units.environment.feedback(unit.function).wrong_bounds += 1
            self.units.forget(unit.function)
        elif way == HANDOVER:
            self._handed_over(unit, line)
        self._drop(frame, unit, line, way)
        return room

    def emptied(self, error: BaseException) -> bool:
        """Leave where a loop polls in passing; returns True to go on, and False if the exception is another one."""
        frame = sys._getframe(1)
        if type(error) is not NameError or not is_of(error, frame):
            return False
        error.__traceback__ = None
        if self.units.by_code[frame.f_code].line(frame.f_lineno).sites[LOOP].holds(frame.f_locals):
            self.leave(LOOP, frame)
        return True

    def recover(self, error: BaseException) -> None:
        """Leave before an opened access that raised; an exception that is not the access's own goes on."""
        if not isinstance(error, (AttributeError, LookupError, TypeError, ArithmeticError, ValueError)):
            return
        trace = error.__traceback__
        frame = sys._getframe(1)
        if trace is None or not is_of(error, frame):
            return
        unit = self.units.by_code[frame.f_code]
        line = unit.line(trace.tb_lineno)
        if isinstance(error, KeyError):
            code, index = unit.position(line.index)
            self.units.environment.feedback(code).note_absent(index)
        self._missed(unit, line, line.sites[BEFORE], frame)
        error.__traceback__ = None
        self._drop(frame, unit, line, BEFORE)

    def hand_over(self, room: int, *arguments: Any) -> None:  # noqa: ARG002 - the shape of a unit
        """Stand in for a unit that does not exist: the innermost compiled frame leaves before its call."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code not in self.units.by_code:
            frame = frame.f_back
        assert frame is not None
        unit = self.units.by_code[frame.f_code]
        line = unit.line(frame.f_lineno)
        self._handed_over(unit, line)
        self._drop(frame, unit, line, BEFORE, HANDOVER)

    def leave_unmade_call(self, error: RecursionError) -> None:
        """Leave before a call that compiled code itself found no room for on the host's stack, if that is the error."""
        trace = innermost(error)
        unit = self.units.by_code.get(trace.tb_frame.f_code)
        if unit is not None and BEFORE in (line := unit.line(trace.tb_lineno)).sites:
            self.host_stack.used_up(len(self.state.records))
            self._drop(trace.tb_frame, unit, line, BEFORE, DEPTH)

    # After kernels

    def leave_kernel(self, left: KernelLeft) -> NoReturn:
        """Leave all compiled code after a kernel that it has called was left. Raises Left, or what interrupted it."""
        found = exit_of_kernel(left.records)
        self._drop_all(list(reversed(left.records)), sys._getframe(1), found, left.interruption)

    def take_over(self, left: KernelLeft) -> None:
        """Go on in the interpreter where a kernel that it had called was left."""
        self.statistics.left(exit_of_kernel(left.records), len(left.records))
        self.state.records.extend(left.records)
        if left.interruption is not None:
            raise left.interruption

    # Learning

    def _handed_over(self, unit: Unit, line: Line) -> None:
        code, index = unit.position(line.index)
        counts = not self._was_unseen(unit.function, code, index)
        count = self._handovers[code] = self._handovers.get(code, 0) + counts
        if count >= thresholds.HANDOVERS:
            sentence = f"{self.units.environment.instructions_of(code)[index]} is executed by the interpreter only"
            self.units.refuse(code, Refusal(sentence, code.name, index))

    def _was_unseen(self, host: Code, code: Code, index: int) -> bool:
        """Return whether an instruction has never run; then *host*, which is left there, is compiled anew.

        That makes it no other variant.
        """
        unseen = self.units.environment.unseen
        if unseen is None or not unseen(code, index):
            return False
        self.units.translator.variants.pop(host, None)
        self.units.forget(host)
        return True

    def _missed(self, unit: Unit, line: Line, site: Site, frame: FrameType) -> None:
        """Learn from a guess that failed, and have the function compiled anew if that pays."""
        instruction = unit.layout.splice.instructions[line.index]
        kinds = kinds_of_sources(unit.layout, instruction, site, frame)
        code, index = unit.position(line.index)
        feedback = self.units.environment.feedback(code)
        feedback.miss(index, kinds)
        if feedback.is_due(len(unit.function.function.instructions)):
            self.units.renew(unit.function)
            self.units.renew(code)

    # Rebuilding

    def _drop(self, frame: FrameType, unit: Unit, line: Line, way: int, reason: int | None = None) -> None:
        """Rebuild the records of all compiled frames, the innermost in a *way* at *line*, and raise Left."""
        why = REASONS[way if reason is None else reason]
        found = exit_of(unit, line, way, frame, why, self.attention.cause())
        self._drop_all(records_of(self.state, unit, line.sites[way], frame), frame.f_back, found)

    def _drop_all(
        self,
        records: list[ActivationRecord],
        outer: FrameType | None,
        found: Exit,
        interruption: BaseException | None = None,
    ) -> NoReturn:
        """Put *records*, innermost first, and those of the compiled frames outside them on the stack; raise Left."""
        self.frames.complete(records, outer)
        self.statistics.left(found, len(records))
        self.frames.give_way_to(records)
        raise Left if interruption is None else interruption
