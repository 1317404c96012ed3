"""The units of one machine: making them, finding them, and making them anew where what they assume fails to hold.

Whoever leaves the units (``stoffel.jit.exits``) gives them the function that hands over to the interpreter where a unit
does not exist. What they assume is in ``environment.py``, a single translation in ``translating.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import TYPE_CHECKING, Any

from stoffel.compiler.analysis.environment import Signature
from stoffel.compiler.analysis.facts import (
    kind_of_class,
)
from stoffel.compiler.cpython.versions import why_not
from stoffel.compiler.cpython.writer import function_of
from stoffel.compiler.emission.deopt_points import Unit
from stoffel.compiler.refusal import Refusal
from stoffel.jit import unit_globals
from stoffel.jit.environment import MachineEnvironment, keeps
from stoffel.jit.polled_constants import PolledConstants
from stoffel.jit.statistics import Statistics
from stoffel.jit.translating import Translator, load_translator
from stoffel.model.code import NEVER, Code
from stoffel.model.values import Array, TypedArray, Value
from stoffel.runtime.interruptions import complete

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

CallKey = tuple[Code, tuple[type, ...]]
"""A function and the classes of its arguments."""


class Units:
    """All units of one machine.

    ``calls`` and ``entries`` map what was asked for to the Python function that runs it, None if there is none;
    ``by_code`` finds the unit of a code object; ``kernel_for`` says what stands for the unit of some calls, if
    anything does; ``writable`` is False where no unit can be written. ``hand_over`` is called like a unit where there
    is none, and leaves compiled code. ``environment`` is what they assume about the machine.
    """

    def __init__(self, state: VMState, statistics: Statistics) -> None:
        self.state = state
        self.statistics = statistics
        self.by_code: dict[CodeType, Unit] = {}
        self.calls: dict[CallKey, Callable[..., Value] | None] = {}
        self.entries: dict[tuple[Any, ...], Callable[..., Value] | None] = {}
        self.writable = why_not() is None
        self.kernel_for: Callable[[Code, Signature], Callable[..., Value] | None] = _no_kernel
        self.hand_over: Callable[..., Value] = _no_unit
        self.namespace = unit_globals.initial_globals(state)
        self.polled = PolledConstants(self.namespace)
        self.environment = MachineEnvironment(state, statistics, self.namespace, self.refuse, self._compile_on_call)
        self.translator = Translator(self.environment, statistics, self.refuse)
        self.busy = self._outdated = False
        self._functions: dict[str, Callable[..., Value]] = {}
        """Those for calls, by the names of their globals."""

    # Compiling

    def compile_call(self, key: tuple[Code, tuple[type, ...]]) -> Callable[..., Value] | None:
        code, types = key
        signature = self.environment.signature_of(
            code, tuple(kind_of_class(cls) for cls in types), code.upvalue_names or None
        )
        with self._altogether():
            self.calls[key] = None
            if code not in self.environment.refusals:
                self.calls[key] = self.unit_for(code, signature)
            return self.calls.get(key)

    def unit_for(self, code: Code, signature: Signature) -> Callable[..., Value] | None:
        """Return the Python function that runs calls of *code* with such arguments, compiling it if needed."""
        known = self._functions.get(self.environment.names.get((code, signature), ""))
        if known is not None:
            return known
        with self._altogether():
            return self._compile_unit(code, signature)

    def _compile_unit(self, code: Code, signature: Signature) -> Callable[..., Value] | None:
        load_translator(self.statistics)
        from stoffel.compiler import pipeline

        name = self.environment.unit_name(code, signature)
        assumed = self.environment.assumed[code, signature]
        unit = self.translator.translate(
            code,
            lambda filename: pipeline.translate_call(
                code,
                pipeline.arguments_of(code, signature),
                signature.captured,
                self.environment,
                filename,
            ),
        )
        if unit is None:
            return None
        if not keeps(unit.result, assumed):
            # What callers were promised does not hold any more: they keep a name that hands over, and are redone.
            self.forget(code)
            return self.unit_for(code, signature) if code not in self.environment.refusals else None
        function = self._functions[name] = self._install(unit, name)
        kernel = self.kernel_for(code, signature)
        if kernel is not None:
            self.namespace[name] = kernel
        return function

    @contextmanager
    def _altogether(self) -> Iterator[None]:
        """Compile altogether or not at all: what an interruption (Ctrl-C) has left half done is forgotten."""
        try:
            with self.working():
                yield
        except BaseException:
            for code in {key[0] for key in (*self.environment.names, *self.calls, *self.entries)}:
                self.forget(code)
            raise

    @contextmanager
    def working(self) -> Iterator[None]:
        """Be at work on the tables: what runs meanwhile, in signal handlers, is interpreted, and changes none."""
        outer = self.busy
        try:
            self.busy = True
            yield
        finally:
            self.busy = outer
            if self._outdated and not outer:
                self._outdated = False
                self.forget_all()

    def run_unit(self, code: Code, signature: Signature, room: int, arguments: tuple[Value, ...]) -> Value:
        """Call the unit for such calls of *code*, or leave compiled code if there is none."""
        function = self.unit_for(code, signature)
        if function is None:
            self.hand_over(room)
        return function(room, *arguments)  # type: ignore[misc]

    def recall(self, code: Code) -> None:
        """Have the next call of *code* by compiled code decide anew what runs it."""
        for key, name in self.environment.names.items():
            if key[0] is code:
                self.namespace[name] = self._compile_on_call(name, *key)

    def _install(self, unit: Unit, name: str) -> Callable[..., Value]:
        function = function_of(unit.code, self.namespace, tuple(map(self.polled.cell, unit.polled)))
        self.namespace[name] = function
        self.by_code[unit.code] = unit
        return function

    def compile_entry(self, key: tuple[Any, ...], values: list[Value], privates: list[bool]) -> bool:
        code, entry, flag, captured, kinds = key
        if TypedArray in kinds:
            # How an array is stored is no matter of compiled code: it runs the unit for ordinary arrays.
            ordinary = code, entry, flag, captured, tuple(Array if kind is TypedArray else kind for kind in kinds)
            if ordinary not in self.entries:
                self.compile_entry(ordinary, values, privates)
            self.entries[key] = self.entries.get(ordinary)
            return self.entries[key] is not None
        with self._altogether():
            load_translator(self.statistics)
            from stoffel.compiler import pipeline

            facts = [pipeline.fact_of_value(value, private) for value, private in zip(values, privates, strict=True)]
            self.entries[key] = None
            unit = self.translator.translate(
                code,
                lambda filename: pipeline.translate_entry(
                    code, entry, facts, flag, captured, self.environment, filename
                ),
            )
            if unit is None:
                return False
            self.environment.versions += 1
            self.entries[key] = self._install(unit, f"entry {self.environment.versions}")
        return key in self.entries

    def refuse(self, code: Code, refusal: Refusal) -> None:
        """Leave *code* to the interpreter from now on."""
        self.environment.refusals[code] = kept = refusal.kept()
        self.statistics.refused(code, kept)
        code.hot = NEVER
        self.forget(code)

    def forget(self, code: Code) -> None:
        """Have *code*, and everything compiled that calls it, compiled anew when it is next entered."""
        self._remove_all(self.environment.relying_on(code))

    def renew(self, code: Code) -> None:
        """Have *code*, and what it is inlined into, compiled anew when it is next entered.

        Who calls it stays as it is, unless what has been learned makes the result another.
        """
        seen = self.environment.inlining(code)
        for item in seen:
            self.environment.unsplice(item)
        with self._altogether():
            for broken in self.environment.broken_promises(seen):
                self.forget(broken)
        self._tell_dropped(seen)
        complete(self._replace, seen)

    def _replace(self, codes: set[Code]) -> None:
        """Have the units of *codes* made anew; can be called again after an interruption."""
        for key, name in list(self.environment.names.items()):
            if key[0] in codes:
                self.namespace[name] = self._compile_on_call(name, *key)
                self._functions.pop(name, None)
        self._discard(codes)

    def forget_all(self) -> None:
        """Have everything compiled anew, from nothing that was found out about it: a name may mean something else."""
        if self.busy:
            self._outdated = True
            return
        self._remove_all({key[0] for key in (*self.environment.names, *self.calls, *self.entries)})
        self.environment.forget_all()

    def _remove_all(self, codes: set[Code]) -> None:
        self._tell_dropped(codes)
        complete(self._remove, codes)

    def _tell_dropped(self, codes: set[Code]) -> None:
        if self.statistics.listeners:
            in_use = {key[0] for key, function in (*self.calls.items(), *self.entries.items()) if function is not None}
            in_use.update(key[0] for key, name in self.environment.names.items() if name in self._functions)
            for code in sorted(in_use & codes, key=lambda code: code.name):
                self.statistics.tell("dropped", code, None, "its code objects", tier="code object")

    def _remove(self, codes: set[Code]) -> None:
        """Remove all units of *codes*; can be called again after an interruption."""
        for key, name in list(self.environment.names.items()):
            if key[0] in codes:
                self.namespace[name] = self.hand_over
                self._functions.pop(name, None)
                self.environment.forget_calls(key)
        self._discard(codes)

    def _discard(self, codes: set[Code]) -> None:
        for code in codes:
            self.environment.forget(code)
        for table in (self.calls, self.entries, self.state.direct):
            for call_key in [key for key in table if key[0] in codes]:
                table.pop(call_key, None)

    # What compiled code assumes (the compiler's Environment)

    def _compile_on_call(self, name: str, callee: Code, signature: Signature) -> Callable[..., Value]:
        """Return what stands for the unit *name* until its first call compiles it."""

        def compile_and_run(room: int, *arguments: Any) -> Value:
            known = self.environment.names.get((callee, signature)) == name
            kernel = self.kernel_for(callee, signature) if known else None
            if kernel is not None:
                self.namespace[name] = kernel
                return kernel(room, *arguments)
            function = self.unit_for(callee, signature) if known else None
            if function is None or self.environment.names.get((callee, signature)) != name:
                self.hand_over(room)
            self.namespace[name] = function
            return function(room, *arguments)  # type: ignore[misc]

        return compile_and_run


def _no_kernel(code: Code, signature: Signature) -> None:
    """Say that no kernel stands for the unit of such calls."""


def _no_unit(*arguments: Any) -> Value:  # noqa: ARG001 - the shape of a unit
    """Stand for a unit until somebody knows how compiled code is left."""
    raise AssertionError("nothing has said how compiled code is left")
