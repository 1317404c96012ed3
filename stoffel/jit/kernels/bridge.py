"""Calls by code objects of what kernels run: a kernel stands for the unit, or the unit is called until there is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, NoReturn

from stoffel.compiler.analysis.facts import PRIVATE, RAW, Fact, is_raw, kind_of_class
from stoffel.isa.scalars import FixedInteger
from stoffel.isa.table import Flow
from stoffel.jit.kernels.candidates import ordinary
from stoffel.jit.kernels.marshalling import KINDS
from stoffel.jit.kernels.outcomes import KernelLeft, Mismatch
from stoffel.model.values import Closure, Operand, Value
from stoffel.runtime.frames import NO_UPVALUES, ActivationRecord

if TYPE_CHECKING:
    from stoffel.compiler.analysis.environment import Signature
    from stoffel.jit.code_cache import Units
    from stoffel.jit.kernels.candidates import Candidate, Candidates
    from stoffel.model.code import Code


class Standing(Enum):
    """Why kernels do not stand for a unit where its calls are wanted."""

    ASIDE = auto()
    """There is none yet: compiled code calls the unit itself until one is made."""
    GIVEN_UP = auto()
    """There will be none."""


class Bridge:
    """Calls kernels from the code objects of one machine.

    *run* runs a candidate or raises Mismatch, *leave_kernel* leaves the code object that has called one which was left.
    """

    def __init__(
        self,
        units: Units,
        candidates: Candidates,
        run: Callable[[Candidate, Sequence[Value], int, None], Operand | KernelLeft],
        leave_kernel: Callable[[KernelLeft], NoReturn],
    ) -> None:
        self.units = units
        self._candidates = candidates
        self._run = run
        self._leave_kernel = leave_kernel
        self._standing: dict[tuple[Code, Signature], Standing | Fact] = {}
        """A fact is what was promised when a kernel returned something else: as long as it is, the unit runs and
        learns."""
        units.kernel_for = self.kernel_for

    def forget_all(self) -> None:
        """Have all calls decided anew."""
        self._standing.clear()

    def call_wanted(self, code: Code) -> None:
        """Have kernels stand for the units of *code* again, where they stood aside."""
        self._come_back(code)
        self.units.recall(code)

    def call_made(self, code: Code) -> None:
        """Have kernels stand for units again, now that there is one for calls of *code*, which others may call too."""
        self._come_back(None)
        self.units.recall(code)

    def _come_back(self, code: Code | None) -> None:
        """Let kernels stand for the units of *code*, or of all functions, where they stood aside."""
        for key, standing in list(self._standing.items()):
            if standing is Standing.ASIDE and (code is None or key[0] is code):
                del self._standing[key]

    def kernel_for(self, callee: Code, signature: Signature) -> Callable[..., Value] | None:
        """Return what stands for the unit of *callee* where kernels may run it, None if nothing speaks for that."""
        if signature.captured is not None or not self._candidates.choice.is_wanted(callee, None):
            return None
        standing = self._standing.get((callee, signature))
        if isinstance(standing, Standing):
            return None
        promised = self.units.environment.result_of(callee, signature)
        if standing == promised:
            return None
        raw = is_raw(promised)
        raw_arguments = any(mask & RAW for mask in signature.masks)
        candidates: dict[tuple[type, ...], Candidate] = {}
        if raw_arguments:
            # Plain ints stand for values of narrower types: the classes follow from the signature.
            classes = [cls for cls in map(_class_of, signature.masks) if cls is not None]
            if len(classes) < len(signature.masks):
                return None
            candidates[()] = self._candidates.for_call(callee, tuple(classes))

        def run(room: int, *arguments: Operand) -> Operand:
            key = () if raw_arguments else ordinary(tuple(map(type, arguments)))
            if Closure in key:
                # A kernel does not write back to the frames of compiled code.
                return self.units.run_unit(callee, signature, room, arguments)
            candidate = candidates.get(key)
            if candidate is None:
                candidate = candidates[key] = self._candidates.for_call(callee, key)
            if candidate.kernels or not candidate.is_settled:
                given: Sequence[Value] = arguments
                if raw_arguments:
                    given = [
                        int.__new__(cls, value) if issubclass(cls, FixedInteger) else value
                        for cls, value in zip(classes, arguments, strict=True)
                    ]
                try:
                    result = self._run(candidate, given, room, None)
                except Mismatch:
                    pass
                else:
                    if isinstance(result, KernelLeft):
                        self._leave_kernel(result)
                    if type(result) is Closure and promised.mask & PRIVATE:
                        # The kernel has made it, and nothing else holds it.
                        result.shared = False
                        return result
                    if kind_of_class(type(result)) & promised.mask:
                        return int(result) if raw else result
                    # Inference guesses, as what an array holds; the unit leaves where a guess fails, and learns.
                    self._standing[callee, signature] = promised
                    self.units.recall(callee)
                    self._leave_kernel(KernelLeft([self._returning(callee, given, result)]))
            if not candidate.kernels and len(candidates) == 1:
                # Compiled code calls the unit itself, until there is a kernel, or for good.
                self._standing[callee, signature] = Standing.GIVEN_UP if candidate.is_settled else Standing.ASIDE
                self.units.recall(callee)
            return self.units.run_unit(callee, signature, room, arguments)

        return run

    def _returning(self, code: Code, arguments: Sequence[Value], result: Value) -> ActivationRecord:
        """Return a record of a call of *code* that is about to return *result*."""
        record = ActivationRecord(self.units.state, code, list(arguments), NO_UPVALUES, None)
        instructions = self.units.environment.instructions_of(code)
        returns = (
            (index, instruction.operands[0])
            for index, instruction in enumerate(instructions)
            if instruction.op.flow is Flow.RETURN
        )
        # The end of a function returns r0.
        index, register = next(returns, (len(instructions), 0))
        record.registers[register] = result
        record.jump(index)
        return record


def _class_of(mask: int) -> type | None:
    for cls in KINDS.values():
        if kind_of_class(cls) == mask:
            return cls
    return None
