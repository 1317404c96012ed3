"""What the compiled code of one machine assumes: what names mean, what functions return, how units are called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from stoffel.compiler.analysis.facts import ANY, NOTHING, Fact, is_raw, of_kinds, with_hint
from stoffel.compiler.analysis.interprocedural import Key, Solver
from stoffel.compiler.emission import global_names
from stoffel.compiler.refusal import Refusal
from stoffel.jit import unit_globals
from stoffel.jit.functions import Functions
from stoffel.jit.signatures import Signatures
from stoffel.jit.translating import load_translator
from stoffel.model.code import Code
from stoffel.model.foreign import ForeignFunction
from stoffel.model.values import Closure, Value

if TYPE_CHECKING:
    from stoffel.compiler.analysis.environment import Signature
    from stoffel.jit.statistics import Statistics
    from stoffel.runtime.frames import ActivationRecord
    from stoffel.runtime.state import VMState


class MachineEnvironment(Functions):
    """The compiler's Environment for one machine, whose units have *namespace* for their globals.

    ``refusals`` says of each function left to the interpreter why it is; ``names`` are those of units among the
    globals, ``assumed`` is what their callers rely on. *refuse* leaves a function to the interpreter, *stand_in*
    returns what stands for a unit until there is one.
    """

    def __init__(
        self,
        state: VMState,
        statistics: Statistics,
        namespace: dict[str, Any],
        refuse: Callable[[Code, Refusal], None],
        stand_in: Callable[[str, Code, Signature], Callable[..., Value]],
    ) -> None:
        super().__init__(statistics)
        self.state = state
        self.namespace = namespace
        self.refusals: dict[Code, Refusal] = {}
        self.names: dict[Key, str] = {}
        self.assumed: dict[Key, Fact] = {}
        self.signature_of = Signatures().of
        self.compiling: list[Code] = []
        """Functions that are being analysed or translated, the innermost last."""
        self.versions = 0
        """Counts units, for their names."""
        self.shown: list[ActivationRecord] | None = None
        """Records of the calling function that were shown during the call of a foreign function in progress, if one
        is that may look at them."""
        self._refuse = refuse
        self._stand_in = stand_in
        self._callers: dict[Key, set[Code]] = {}
        self._solver: Solver | None = None
        self._foreign_functions: dict[str, ForeignFunction] = {}

    def resolve(self, name: str) -> Code | ForeignFunction | None:
        """Return what CALL *name* calls whatever its arguments are, or None if that is not settled."""
        state = self.state
        callee = state.functions.get(name)
        if callee is None:
            return None
        if "." in name:
            receiver, _, method = name.partition(".")
            if state.methods.get(receiver, method) is not None:
                return None
        if isinstance(callee, ForeignFunction):
            if self._foreign_functions.get(name) is not callee:
                self._foreign_functions[name] = callee
                self.namespace[global_names.foreign_name(name)] = unit_globals.caller_of(callee, state, self)
                if callee.direct is not None and callee.quiet:
                    self.namespace |= unit_globals.direct_calls(callee, state)
        elif callee in self.refusals or callee in self.statistics.pinned:
            return None
        return callee

    def result_of(self, callee: Code, signature: Signature) -> Fact:
        """Return what is known about the result of such calls of *callee*."""
        key = callee, signature
        if self.compiling:
            self._callers.setdefault(key, set()).add(self.compiling[-1])
        known = self.assumed.get(key)
        if known is not None:
            return known
        if self._solver is None:
            self._solver = Solver(self.infer_result)
            try:
                self.assumed.update(self._solver.solve(key))
            finally:
                self._solver = None
            return self.assumed[key]
        return self._solver.ask(key)

    def infer_result(self, key: Key) -> Fact:
        """Return what one analysis of a function, with what is assumed so far about others, says about its result."""
        code, signature = key
        self.compiling.append(code)
        try:
            load_translator(self.statistics)
            from stoffel.compiler import pipeline

            arguments = pipeline.arguments_of(code, signature)
            result = pipeline.infer(
                code, 0, lambda layout: pipeline.call_state(layout, arguments), self, signature.captured
            ).result
            # Of the hint only the shape of a closure is kept: it refers to no table.
            hint = result.hint if type(result.hint) is Closure else NOTHING
            return with_hint(of_kinds(result.mask), hint)
        except Refusal as refusal:
            self._refuse(code, refusal)
            return of_kinds(ANY)
        finally:
            self.compiling.pop()

    def unit_name(self, callee: Code, signature: Signature) -> str:
        """Return the name of the global that holds the unit for such calls of *callee*."""
        key = callee, signature
        name = self.names.get(key)
        if name is None:
            self.versions += 1
            name = self.names[key] = f"unit {self.versions} {callee.name}"
            if key not in self.assumed:
                self.assumed[key] = self.result_of(callee, signature)
            self.namespace[name] = self._stand_in(name, callee, signature)
        return name

    def counter_name(self, code: Code) -> str:
        """Return the name of the global that counts calls of *code*, "" if they are not counted."""
        if not self.statistics.counts_calls:
            return ""
        name = f"count {code.name}"
        if name not in self.namespace:
            self.namespace[name] = self.statistics.counter(code)
        return name

    def relying_on(self, code: Code) -> set[Code]:
        """Return *code* and everything compiled that calls it or into which it is inlined, directly or not."""
        pending = [code]
        seen: set[Code] = set()
        while pending:
            item = pending.pop()
            if item in seen:
                continue
            seen.add(item)
            for key in self.names:
                if key[0] is item:
                    pending.extend(self._callers.get(key, ()))
            pending.extend(self.hosts.get(item, ()))
        return seen

    def inlining(self, code: Code) -> set[Code]:
        """Return *code* and everything into which it is inlined, directly or not."""
        pending, seen = [code], set[Code]()
        while pending:
            item = pending.pop()
            if item not in seen:
                seen.add(item)
                pending.extend(self.hosts.get(item, ()))
        return seen

    def broken_promises(self, codes: set[Code]) -> Iterator[Code]:
        """Yield those of *codes* that, analysed once more, return something that their callers do not rely on."""
        for key, promised in [(key, self.assumed.get(key)) for key in self.names if key[0] in codes]:
            if promised is not None and not keeps(self.infer_result(key), promised):
                yield key[0]

    def forget_calls(self, key: Key) -> None:
        """Forget what callers rely on for such calls, and that they have a name."""
        self.assumed.pop(key, None)
        self._callers.pop(key, None)
        del self.names[key]

    def forget_all(self) -> None:
        """Find out all anew but what was seen: a name may mean something else."""
        super().forget_all()
        self.assumed.clear()
        self._callers.clear()


def keeps(result: Fact, promised: Fact) -> bool:
    """Return whether a result is what callers were promised."""
    return not result.mask & ~promised.mask and is_raw(result) == is_raw(promised)
