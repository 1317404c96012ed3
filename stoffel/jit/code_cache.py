"""The units of one machine: compiling them, what they assume about the machine, and compiling them anew.

This is the compiler's Environment. Whoever leaves the units (``stoffel.jit.exits``) gives it the function that hands
over to the interpreter where a unit does not exist.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import thread_time
from types import CodeType
from typing import TYPE_CHECKING, Any, ClassVar

from stoffel.compiler.analysis.environment import Feedback, Signature
from stoffel.compiler.analysis.facts import (
    ANY,
    NOTHING,
    Fact,
    is_raw,
    kind_of_class,
    of_kinds,
    with_hint,
)
from stoffel.compiler.analysis.interprocedural import Key, Solver
from stoffel.compiler.cpython.listings import listing_name, register_listing
from stoffel.compiler.cpython.versions import why_not
from stoffel.compiler.cpython.writer import function_of, prepare
from stoffel.compiler.emission import global_names
from stoffel.compiler.emission.deopt_points import Unit
from stoffel.compiler.flow import blocks, inlining
from stoffel.compiler.flow.spliced import Callee, Splice
from stoffel.compiler.refusal import TOO_DEEP, Refusal
from stoffel.isa.instruction import Instruction
from stoffel.isa.table import Flow
from stoffel.jit import mishaps, unit_globals
from stoffel.jit.policy import thresholds
from stoffel.jit.policy.looks import Looks
from stoffel.jit.polled_constants import PolledConstants
from stoffel.jit.signatures import Signatures
from stoffel.jit.statistics import Statistics
from stoffel.model.code import NEVER, Code
from stoffel.model.foreign import ForeignFunction
from stoffel.model.values import Array, Closure, TypedArray, Value
from stoffel.runtime.interruptions import complete

if TYPE_CHECKING:
    from stoffel.runtime.frames import ActivationRecord
    from stoffel.runtime.state import VMState

CallKey = tuple[Code, tuple[type, ...]]
"""A function and the classes of its arguments."""


class Units:
    """All units of one machine.

    ``calls`` and ``entries`` map what was asked for to the Python function that runs it, None if there is none;
    ``by_code`` finds the unit of a code object; ``kernel_for`` says what stands for the unit of some calls, if
    anything does; ``refusals`` says of each function left to the interpreter why it is; ``writable`` is False where no
    unit can be written. ``hand_over`` is called like a unit where there is none, and leaves compiled code.
    """

    inspect: ClassVar[Callable[[Unit], None] | None] = None
    """Called with every new unit, if set: the test suite checks all generated code objects with it."""

    def __init__(self, state: VMState, statistics: Statistics) -> None:
        self.state = state
        self.statistics = statistics
        self.by_code: dict[CodeType, Unit] = {}
        self.calls: dict[CallKey, Callable[..., Value] | None] = {}
        self.entries: dict[tuple[Any, ...], Callable[..., Value] | None] = {}
        self.refusals: dict[Code, Refusal] = {}
        self.writable = why_not() is None
        self.kernel_for: Callable[[Code, Signature], Callable[..., Value] | None] = _no_kernel
        self.hand_over: Callable[..., Value] = _no_unit
        self._functions: dict[str, Callable[..., Value]] = {}
        self._names: dict[Key, str] = {}
        self._assumed: dict[Key, Fact] = {}
        self._callers: dict[Key, set[Code]] = {}
        self.signature_of = Signatures().of
        self._variants: dict[Code, int] = {}
        self._feedback: dict[Code, Feedback] = {}
        self._instructions: dict[Code, list[Instruction]] = {}
        self._graphs: dict[tuple[Code, int], blocks.Graph] = {}
        self._splices: dict[Code, Splice] = {}
        self._kept_apart: dict[Code, set[Code]] = {}
        """Functions that are not inlined into another one, by that one: with them it was refused."""
        self._spliced_graphs: dict[Code, dict[int, blocks.Graph]] = {}
        self._hosts: dict[Code, set[Code]] = {}
        self._closures: dict[tuple[Code, int], Callee | None] = {}
        self._heads: dict[Code, frozenset[int]] = {}
        self._solver: Solver | None = None
        self._compiling: list[Code] = []
        self._is_loaded = self.busy = self._outdated = False
        self.looks = Looks()
        self._foreign_functions: dict[str, ForeignFunction] = {}
        self._versions = 0
        self.shown: list[ActivationRecord] | None = None
        """Records of the calling function that were shown during the call of a foreign function in progress, if one
        is that may look at them."""
        self.namespace = unit_globals.initial_globals(state)
        self.polled = PolledConstants(self.namespace)

    # Compiling

    def instructions_of(self, code: Code) -> list[Instruction]:
        """Return the instructions of *code*, the same objects each time."""
        instructions = self._instructions.get(code)
        if instructions is None:
            instructions = self._instructions[code] = code.instructions()
        return instructions

    def heads_of(self, code: Code) -> frozenset[int]:
        """Return where a record may be taken over: at the start and at the targets of back-edges."""
        heads = self._heads.get(code)
        if heads is None:
            labels = code.function.labels
            targets = {0} if self.instructions_of(code) else set()
            for index, instruction in enumerate(self.instructions_of(code)):
                if instruction.op.flow is Flow.JUMP and labels[instruction.operands[0]] <= index:
                    targets.add(labels[instruction.operands[0]])
            heads = self._heads[code] = frozenset(targets)
        return heads

    def can_enter(self, code: Code, entry: int) -> bool:
        """Return whether a unit may take over a record of *code* there."""
        return entry in self.heads_of(code) and not (self.unseen is not None and self.unseen(code, entry))

    def compile_call(self, key: tuple[Code, tuple[type, ...]]) -> Callable[..., Value] | None:
        code, types = key
        signature = self.signature_of(code, tuple(kind_of_class(cls) for cls in types), code.upvalue_names or None)
        with self._altogether():
            self.calls[key] = None
            if code not in self.refusals:
                self.calls[key] = self.unit_for(code, signature)
            return self.calls.get(key)

    def unit_for(self, code: Code, signature: Signature) -> Callable[..., Value] | None:
        """Return the Python function that runs calls of *code* with such arguments, compiling it if needed."""
        known = self._functions.get(self._names.get((code, signature), ""))
        if known is not None:
            return known
        with self._altogether():
            return self._compile_unit(code, signature)

    def _compile_unit(self, code: Code, signature: Signature) -> Callable[..., Value] | None:
        self._load_translator()
        from stoffel.compiler import pipeline

        name = self.unit_name(code, signature)
        assumed = self._assumed[code, signature]
        unit = self._translate(
            code,
            lambda filename: pipeline.translate_call(
                code,
                pipeline.arguments_of(code, signature),
                signature.captured,
                self,
                filename,
            ),
        )
        if unit is None:
            return None
        if not _keeps(unit.result, assumed):
            # What callers were promised does not hold any more: they keep a name that hands over, and are redone.
            self.forget(code)
            return self.unit_for(code, signature) if code not in self.refusals else None
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
            for code in {key[0] for key in (*self._names, *self.calls, *self.entries)}:
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
        for key, name in self._names.items():
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
            self._load_translator()
            from stoffel.compiler import pipeline

            facts = [pipeline.fact_of_value(value, private) for value, private in zip(values, privates, strict=True)]
            self.entries[key] = None
            unit = self._translate(
                code,
                lambda filename: pipeline.translate_entry(code, entry, facts, flag, captured, self, filename),
            )
            if unit is None:
                return False
            self._versions += 1
            self.entries[key] = self._install(unit, f"entry {self._versions}")
        return key in self.entries

    def _load_translator(self) -> None:
        """Load the translator, if it is not: a program that runs in kernels never needs it."""
        if not self._is_loaded:
            began = thread_time()
            import stoffel.compiler.pipeline  # noqa: F401 - for those who import it next

            self.statistics.load_seconds += thread_time() - began
            self._is_loaded = True

    def _translate(self, code: Code, translate: Callable[[str], Unit]) -> Unit | None:
        if code in self.refusals or self._variants.get(code, 0) >= thresholds.UNITS_OF_A_FUNCTION:
            return None
        self._variants[code] = self._variants.get(code, 0) + 1
        filename = listing_name(code.name)
        began = thread_time()
        self._compiling.append(code)
        # A translation makes many objects that stay: looking for garbage among them would take a third longer.
        collects = gc.isenabled()
        gc.disable()
        try:
            unit = None
            while unit is None:
                try:
                    unit = translate(filename)
                except RecursionError:
                    if not self.stop_inlining(code):
                        raise Refusal(TOO_DEEP, code.name) from None
            prepare(len(unit.polled))
        except Refusal as refusal:
            self.refuse(code, refusal)
            return None
        except Exception as error:
            self.refuse(code, mishaps.refusal_for(error, code.name))
            return None
        finally:
            self._compiling.pop()
            if collects:
                gc.enable()
        if Units.inspect is not None:
            Units.inspect(unit)
        register_listing(unit.code, unit.layout.splice, unit.lines)
        self.statistics.compiled(code, unit, thread_time() - began)
        return unit

    def refuse(self, code: Code, refusal: Refusal) -> None:
        """Leave *code* to the interpreter from now on."""
        self.refusals[code] = kept = refusal.kept()
        self.statistics.refused(code, kept)
        code.hot = NEVER
        self.forget(code)

    def forget(self, code: Code) -> None:
        """Have *code*, and everything compiled that calls it, compiled anew when it is next entered."""
        pending = [code]
        seen: set[Code] = set()
        while pending:
            item = pending.pop()
            if item in seen:
                continue
            seen.add(item)
            for key in self._names:
                if key[0] is item:
                    pending.extend(self._callers.get(key, ()))
            pending.extend(self._hosts.get(item, ()))
        self._remove_all(seen)

    def renew(self, code: Code) -> None:
        """Have *code*, and what it is inlined into, compiled anew when it is next entered.

        Who calls it stays as it is, unless what has been learned makes the result another.
        """
        pending, seen = [code], set[Code]()
        while pending:
            item = pending.pop()
            if item not in seen:
                seen.add(item)
                pending.extend(self._hosts.get(item, ()))
        for item in seen:
            self._unsplice(item)
        with self._altogether():
            for key, promised in [(key, self._assumed.get(key)) for key in self._names if key[0] in seen]:
                if promised is not None and not _keeps(self._infer_result(key), promised):
                    self.forget(key[0])
        self._tell_dropped(seen)
        complete(self._replace, seen)

    def _replace(self, codes: set[Code]) -> None:
        """Have the units of *codes* made anew; can be called again after an interruption."""
        for key, name in list(self._names.items()):
            if key[0] in codes:
                self.namespace[name] = self._compile_on_call(name, *key)
                self._functions.pop(name, None)
        self._discard(codes)

    def forget_all(self) -> None:
        """Have everything compiled anew, from nothing that was found out about it: a name may mean something else."""
        if self.busy:
            self._outdated = True
            return
        self._remove_all({key[0] for key in (*self._names, *self.calls, *self.entries)})
        for table in (
            self._graphs,
            self._assumed,
            self._callers,
            self._splices,
            self._spliced_graphs,
            self._hosts,
            self._closures,
        ):
            table.clear()

    def _remove_all(self, codes: set[Code]) -> None:
        self._tell_dropped(codes)
        complete(self._remove, codes)

    def _tell_dropped(self, codes: set[Code]) -> None:
        if self.statistics.listeners:
            in_use = {key[0] for key, function in (*self.calls.items(), *self.entries.items()) if function is not None}
            in_use.update(key[0] for key, name in self._names.items() if name in self._functions)
            for code in sorted(in_use & codes, key=lambda code: code.name):
                self.statistics.tell("dropped", code, None, "its code objects", tier="code object")

    def _remove(self, codes: set[Code]) -> None:
        """Remove all units of *codes*; can be called again after an interruption."""
        for key, name in list(self._names.items()):
            if key[0] in codes:
                self.namespace[name] = self.hand_over
                self._functions.pop(name, None)
                self._assumed.pop(key, None)
                self._callers.pop(key, None)
                del self._names[key]
        self._discard(codes)

    def _discard(self, codes: set[Code]) -> None:
        for code in codes:
            self._unsplice(code)
            self._hosts.pop(code, None)
        for table in (self.calls, self.entries, self.state.direct):
            for call_key in [key for key in table if key[0] in codes]:
                table.pop(call_key, None)

    def graph(self, code: Code, entry: int) -> blocks.Graph:
        """Return the blocks of *code* from one entry."""
        if self.unseen is not None:
            # It ends where the function has not run further, which changes.
            return blocks.build(self.instructions_of(code), code.function.labels, entry, partial(self.unseen, code))
        graph = self._graphs.get((code, entry))
        if graph is None:
            graph = self._graphs[code, entry] = blocks.build(self.instructions_of(code), code.function.labels, entry)
        return graph

    # What is inlined

    def splice(self, code: Code) -> Splice:
        """Return *code* with what is inlined into it at present."""
        splice = self._splices.get(code)
        if splice is None:
            instructions = self.instructions_of(code)
            # Where calls are counted each has its unit.
            counts = self.statistics.counts_calls
            splice = (
                Splice(code, instructions)
                if counts
                else inlining.splice(code, instructions, self, self._kept_apart.get(code, ()))
            )
            self._splices[code] = splice
            for inlined in splice.inlined:
                self._hosts.setdefault(inlined.code, set()).add(code)
        return splice

    def stop_inlining(self, code: Code, name: str | None = None) -> bool:
        """Inline the function called *name* into *code* no more, or if it is not there nothing that is there now.

        Returns False if nothing is inlined into *code*.
        """
        inlined = {inlined.code for inlined in self.splice(code).inlined}
        named = {callee for callee in inlined if callee.name == name}
        self._kept_apart.setdefault(code, set()).update(named or inlined)
        self._unsplice(code)
        return bool(inlined)

    def _unsplice(self, code: Code) -> None:
        self._splices.pop(code, None)
        self._spliced_graphs.pop(code, None)

    def spliced_graph(self, code: Code, entry: int) -> blocks.Graph:
        """Return the blocks of *code*, with what is inlined into it, from one entry."""
        splice = self.splice(code)
        if not splice.inlined:
            return self.graph(code, entry)
        graphs = self._spliced_graphs.setdefault(code, {})
        if entry not in graphs or self.unseen is not None:
            graphs[entry] = inlining.graph(splice, entry, self.unseen)
        return graphs[entry]

    def closure_at(self, code: Code, index: int) -> Callee | None:
        """Return what the CALL of ``call_closure`` at *index* is to be inlined for, None if it is not."""
        return None if self.feedback(code).is_generic(index) else self._closures.get((code, index))

    def note_closure(self, code: Code, index: int, callee: Callee) -> None:
        """Note what the CALL of ``call_closure`` at *index* was seen to call; one that calls several is not inlined."""
        key = code, index
        known = self._closures.get(key, callee)
        if key in self._closures and (known is None or known == callee):
            return
        if known == callee and not inlining.suits(callee.code, self, [code]):
            return
        self._closures[key] = callee if known == callee else None
        for host, splice in list(self._splices.items()):
            if host is code or any(inlined.code is code for inlined in splice.inlined):
                self._unsplice(host)

    # What compiled code assumes (the compiler's Environment)

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
        elif callee in self.refusals:
            return None
        return callee

    def result_of(self, callee: Code, signature: Signature) -> Fact:
        """Return what is known about the result of such calls of *callee*."""
        key = callee, signature
        if self._compiling:
            self._callers.setdefault(key, set()).add(self._compiling[-1])
        known = self._assumed.get(key)
        if known is not None:
            return known
        if self._solver is None:
            self._solver = Solver(self._infer_result)
            try:
                self._assumed.update(self._solver.solve(key))
            finally:
                self._solver = None
            return self._assumed[key]
        return self._solver.ask(key)

    def _infer_result(self, key: Key) -> Fact:
        """Return what one analysis of a function, with what is assumed so far about others, says about its result."""
        code, signature = key
        self._compiling.append(code)
        try:
            self._load_translator()
            from stoffel.compiler import pipeline

            arguments = pipeline.arguments_of(code, signature)
            result = pipeline.infer(
                code, 0, lambda layout: pipeline.call_state(layout, arguments), self, signature.captured
            ).result
            # Of the hint only the shape of a closure is kept: it refers to no table.
            hint = result.hint if type(result.hint) is Closure else NOTHING
            return with_hint(of_kinds(result.mask), hint)
        except Refusal as refusal:
            self.refuse(code, refusal)
            return of_kinds(ANY)
        finally:
            self._compiling.pop()

    def unit_name(self, callee: Code, signature: Signature) -> str:
        """Return the name of the global that holds the unit for such calls of *callee*."""
        key = callee, signature
        name = self._names.get(key)
        if name is None:
            self._versions += 1
            name = self._names[key] = f"unit {self._versions} {callee.name}"
            if key not in self._assumed:
                self._assumed[key] = self.result_of(callee, signature)
            self.namespace[name] = self._compile_on_call(name, callee, signature)
        return name

    def _compile_on_call(self, name: str, callee: Code, signature: Signature) -> Callable[..., Value]:
        """Return what stands for the unit *name* until its first call compiles it."""

        def compile_and_run(room: int, *arguments: Any) -> Value:
            known = self._names.get((callee, signature)) == name
            kernel = self.kernel_for(callee, signature) if known else None
            if kernel is not None:
                self.namespace[name] = kernel
                return kernel(room, *arguments)
            function = self.unit_for(callee, signature) if known else None
            if function is None or self._names.get((callee, signature)) != name:
                self.hand_over(room)
            self.namespace[name] = function
            return function(room, *arguments)  # type: ignore[misc]

        return compile_and_run

    def counter_name(self, code: Code) -> str:
        """Return the name of the global that counts calls of *code*, "" if they are not counted."""
        if not self.statistics.counts_calls:
            return ""
        name = f"count {code.name}"
        if name not in self.namespace:
            self.namespace[name] = self.statistics.counter(code)
        return name

    @property
    def unseen(self) -> Callable[[Code, int], bool] | None:
        """Says of an instruction whether it has never run, and is to be left to the interpreter; None if none is."""
        return self.statistics.unseen

    def was_unseen(self, host: Code, code: Code, index: int) -> bool:
        """Return whether an instruction has never run; then *host*, which is left there, is compiled anew.

        That makes it no other variant.
        """
        if self.unseen is None or not self.unseen(code, index):
            return False
        self._variants.pop(host, None)
        self.forget(host)
        return True

    def feedback(self, code: Code) -> Feedback:
        """Return what was seen in *code*."""
        feedback = self._feedback.get(code)
        if feedback is None:
            feedback = self._feedback[code] = Feedback()
        feedback.unseen = None if self.unseen is None else partial(self.unseen, code)
        return feedback


def _keeps(result: Fact, promised: Fact) -> bool:
    """Return whether a result is what callers were promised."""
    return not result.mask & ~promised.mask and is_raw(result) == is_raw(promised)


def _no_kernel(code: Code, signature: Signature) -> None:
    """Say that no kernel stands for the unit of such calls."""


def _no_unit(*arguments: Any) -> Value:  # noqa: ARG001 - the shape of a unit
    """Stand for a unit until somebody knows how compiled code is left."""
    raise AssertionError("nothing has said how compiled code is left")
