"""Calls by the host of short functions that call nothing: the unit runs at once, without a record of the call."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from stoffel.compiler.analysis.facts import is_raw
from stoffel.compiler.emission.deopt_points import boxed
from stoffel.errors import VMError
from stoffel.isa.scalars import I64_MAX, I64_MIN
from stoffel.isa.table import Flow
from stoffel.jit.deoptimisation import Left, placed
from stoffel.model.code import HEAT_OF_CALL, Code
from stoffel.model.foreign import ForeignFunction
from stoffel.model.values import Closure, Value
from stoffel.runtime.state import LEFT, NOT_DONE

if TYPE_CHECKING:
    from stoffel.compiler.emission.deopt_points import Unit
    from stoffel.jit.code_cache import Units
    from stoffel.jit.statistics import Statistics
    from stoffel.jit.suspension import CompiledFrames
    from stoffel.runtime.state import VMState

Direct = Callable[[tuple[Value, ...]], Any]
"""Runs a call under the machine's lock: returns the result, NOT_DONE if nothing has happened, or LEFT."""

_START: Final = frozenset({0})


class Caller(Protocol):
    """The compiled tier for which calls are made."""

    @property
    def frames(self) -> CompiledFrames: ...
    @property
    def state(self) -> VMState: ...
    @property
    def units(self) -> Units: ...
    @property
    def statistics(self) -> Statistics: ...
    @property
    def every(self) -> int: ...
    def is_hot(self, code: Code) -> bool:
        """Return whether *code* has run for long enough to be translated."""


def offer(tier: Caller, code: Code, arguments: list[Value]) -> None:
    """Note a call of *code* by the host, and have the next such call made directly if that can be."""
    units, direct = tier.units, tier.state.direct
    key = code, tuple(map(type, arguments))
    if key in direct:
        return
    # What has not run before may never run again: no unit is made for its first call, where everything is hot either.
    new = not code.heat
    code.heat += len(code.function.instructions) + HEAT_OF_CALL
    if new or units.busy or not units.writable or tier.every or tier.statistics.counts_calls or not tier.is_hot(code):
        return
    direct[key] = None
    # Where there is a loop, a kernel may be better; of texts more than the class has to be looked at.
    if code.upvalue_names or str in key[1] or not units.environment.heads_of(code) <= _START or _calls(tier, code):
        return
    function = units.calls[key] if key in units.calls else units.compile_call(key)
    unit = None if function is None else units.by_code[function.__code__]
    if function is not None and unit is not None and not unit.suspends and not unit.raw_arguments:
        direct[key] = _direct(tier, function, unit, key[1])


def _calls(tier: Caller, code: Code) -> bool:
    """Return whether *code* calls what may look at its records: then there is to be one, and another unit for that."""
    for instruction in tier.units.environment.instructions_of(code):
        if instruction.op.flow is Flow.CALL:
            callee = tier.state.functions.get(instruction.operands[0])
            if not isinstance(callee, ForeignFunction) or not callee.quiet:
                return True
    return False


def _direct(tier: Caller, function: Callable[..., Value], unit: Unit, classes: tuple[type, ...]) -> Direct:
    state, statistics, units = tier.state, tier.statistics, tier.units.by_code
    hooks, frames = state.hooks, tier.frames
    integers = [position for position, cls in enumerate(classes) if cls is int]
    mask = unit.result.mask if is_raw(unit.result) else 0

    def run(arguments: tuple[Any, ...]) -> Any:
        result: Any
        for position in integers:
            if not I64_MIN <= arguments[position] <= I64_MAX:
                return NOT_DONE
        if state.attention or state.nesting or hooks.active:
            return NOT_DONE
        statistics.runs += 1
        frames.boundary = sys._getframe()
        state.nesting = 1
        try:
            result = function(0, *arguments)
        except Left:
            return LEFT
        except RecursionError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is None:
                return NOT_DONE
            raise
        except (VMError, MemoryError) as error:
            raise placed(error, state, units) from error.__cause__
        finally:
            state.nesting = 0
            frames.boundary = None
        if type(result) is Closure:
            result.shared = True
        return boxed(result, mask) if mask else result

    return run
