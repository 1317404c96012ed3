"""From a typed family to LLVM IR, with the sites at which the machine code may be left.

One LLVM function for each instance: ``{result, fuel} f(state, fuel, depth, arguments...)``. A negative fuel says that
the kernel is being left: every native call in progress then appends its frame record and returns at once, so that the
whole chain of activation records can be rebuilt. Fuel runs out at back-edges and calls, where the kernel polls.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from stoffel.compiler.flow.blocks import END, Edge
from stoffel.compiler.kernels import SYMBOL
from stoffel.compiler.kernels.analysis.builtin_types import TYPINGS, is_repeatable
from stoffel.compiler.kernels.analysis.inference import Family
from stoffel.compiler.kernels.analysis.ir import Action, Instance, State, TypedBlock
from stoffel.compiler.kernels.analysis.types import (
    DOUBLE,
    INTEGER,
    NOWHERE,
    OPAQUE,
    ClosureOf,
    Known,
    Mixed,
    Opaque,
    Type,
    variant_code,
)
from stoffel.compiler.kernels.codegen import buffer, builtins, calls, float_constants, operations
from stoffel.compiler.kernels.codegen.kernel import Kernel
from stoffel.compiler.kernels.codegen.llvm_writer import LLVM, Site, Writer
from stoffel.compiler.kernels.codegen.stack import room_for_calls
from stoffel.compiler.kernels.codegen.support import SUPPORT, UNLIKELY

_LABEL: Final = re.compile(r"label (%[\w.]+)")


Around = Callable[[Instance, Sequence[str]], str]
"""Writes the function that the runtime calls, given the main function and the texts of all."""


def lower(family: Family, main: Instance, entry: bool, around: Around | None = None) -> Kernel:
    """Return the kernel of an analysed family; *entry* says that it takes over a running record.

    The runtime calls what *around* writes, one call of the main function unless it is given.
    """
    result = main.result
    kernel = Kernel(
        [kind.code for kind in ([*main.entry.types, *main.given] if entry else main.parameters)],
        "nil" if result is None else result.code,
        0 if family.recurs() else family.depth(),
    )
    texts = []
    for instance in family.instances:
        texts.append(FunctionLowering(kernel, instance, entry=entry and instance is main).write())
        if instance.opens_itself():
            texts.append(FunctionLowering(kernel, instance, opened=True).write())
    for kind in (*main.entry.types, *main.given):
        if isinstance(kind, ClosureOf):
            for key, cells in kind.variants.cells.items():
                kernel.variant(key, cells)
    kernel.instructions = sum(len(instance.graph.instructions) for instance in family.instances)
    kernel.functions = [instance.code.name for instance in family.instances]
    outside = _wrapper(main, entry) if around is None else around(main, texts)
    kernel.ir = "\n".join([float_constants.definitions(texts), *texts, outside, SUPPORT])
    return kernel


def _symbol(instance: Instance, opened: bool) -> str:
    return f"f{instance.number}.opened" if opened else f"f{instance.number}"


def result_kind(instance: Instance) -> str:
    """Return the LLVM type of what the function of an instance returns besides the fuel."""
    return LLVM[NOWHERE if instance.result is None else instance.result.bank]


def _wrapper(main: Instance, entry: bool) -> str:
    """Return the function that the runtime calls: it unpacks the arguments and packs the result."""
    writer = Writer()
    run, release = "%run", "%release"
    mode = writer.state(buffer.MODE)
    writer.line(f"switch i64 {mode}, label {run} [ i64 1, label {release} ]")
    writer.label(release)
    writer.line("call void @release(ptr %S)")
    writer.line("ret void")
    writer.label(run)
    depth, fits = room_for_calls(writer)
    writer.line(f"br i1 {fits}, label %fits, label %out")
    writer.label("%fits")
    arguments = ["ptr %S", f"i64 {writer.state(buffer.FUEL)}", f"i64 {depth}"]
    if not entry:
        for index, kind in enumerate(main.parameters):
            if kind.bank != NOWHERE:
                arguments.append(
                    f"{LLVM[kind.bank]} {writer.from_word(kind.bank, writer.state(buffer.VALUES + index))}"
                )
    both = f"{{{result_kind(main)}, i64}}"
    pair = writer.value(f"call {both} @f{main.number}({', '.join(arguments)})")
    fuel = writer.value(f"extractvalue {both} {pair}, 1")
    result = writer.value(f"extractvalue {both} {pair}, 0")
    left = writer.value(f"icmp slt i64 {fuel}, 0")
    writer.set_state(buffer.STATUS, writer.value(f"zext i1 {left} to i64"))
    bank = NOWHERE if main.result is None else main.result.bank
    writer.set_state(buffer.RESULT, writer.as_word(bank, result))
    keep, done, regain = "%keep", "%done", "%regain"
    writer.line(f"br i1 {left}, label {done}, label {keep}")
    writer.label(keep)
    writer.set_state(buffer.FUEL, fuel)
    writer.line(f"br label {done}")
    writer.label(done)
    # Polls, which LLVM takes not to touch the state, may have set it.
    thread = writer.value(f"load volatile i64, ptr {writer.word('%S', buffer.THREAD)}")
    writer.line(f"br i1 {writer.value(f'icmp ne i64 {thread}, 0')}, label {regain}, label %out")
    writer.label(regain)
    restore = writer.value(f"inttoptr i64 {writer.state(buffer.RESTORE_THREAD)} to ptr")
    writer.line(f"call void {restore}(ptr {writer.value(f'inttoptr i64 {thread} to ptr')})")
    writer.set_state(buffer.THREAD, "0")
    writer.line("br label %out")
    writer.label("%out")
    writer.line("ret void")
    return f"define void @{SYMBOL}(ptr %S) {{\n" + "\n".join(writer.lines) + "\n}\n"


class Snapshot:
    """The places at one point: where the interpreter goes on, and the block that leaves so once there is one."""

    __slots__ = ("label", "line", "resume", "state")

    def __init__(self, resume: int, state: State, line: int) -> None:
        self.resume = resume
        self.state = state
        self.line = line
        self.label = ""


class WayOut(NamedTuple):
    """A block that leaves, to be written at the end of the function.

    *state* is that of the places which the interpreter goes on with at *resume*; *words* are their values if they are
    those of an earlier moment, None if they are to be loaded in the block. *nested* says that a native call is leaving.
    """

    label: str
    resume: int
    state: State
    words: list[str] | None
    nested: bool


class FunctionLowering:
    """Writes the LLVM function of one instance.

    *entry* says that it takes over a running record, *opened* that it is the copy that LLVM opens where the function
    calls itself.
    """

    def __init__(self, kernel: Kernel, instance: Instance, *, entry: bool = False, opened: bool = False) -> None:
        self.kernel = kernel
        self.instance = instance
        self.entry = entry
        self.opened = opened
        self.writer = Writer()
        self.stack = instance.layout.stack
        self._ways_out: list[WayOut] = []
        self._last = Snapshot(0, instance.entry, 0)
        self._now = instance.entry
        self._order: operations.Order | None = None
        self._given: list[str] = []

    def write(self) -> str:
        """Return the function as text."""
        writer = self.writer
        instance = self.instance
        start = instance.graph.entry
        self._enter()
        writer.line(f"br label %b.{start}")
        for typed in instance.blocks.values():
            self._block(typed)
        # A way out that no check goes to has no site.
        used = set(_LABEL.findall("\n".join(writer.lines)))
        for way in self._ways_out:
            if way.label in used:
                self._way_out(way)
        parameters = ["ptr noalias nonnull %S", "i64 %fuel", "i64 %depth"]
        if instance.closure is not None and not self.entry:
            parameters.append("ptr %closure")
        if not self.entry:
            parameters += [
                f"{LLVM[kind.bank]} %a.{index}"
                for index, kind in enumerate(instance.parameters)
                if kind.bank != NOWHERE
            ]
        kind = f"{{{result_kind(instance)}, i64}}"
        attribute = " alwaysinline" if self.opened else ""
        head = f"define internal {kind} @{_symbol(instance, self.opened)}({', '.join(parameters)}){attribute} {{"
        slots = [f"  {name} = alloca {bank}" for name, bank in writer.allocas.items()]
        return "\n".join([head, "entry:", *slots, "  %fuel.left = alloca i64", *writer.lines, "}", ""])

    def symbol_of(self, callee: Instance) -> str:
        """Return the name of the LLVM function that a call of *callee* calls."""
        return _symbol(callee, opened=callee is self.instance and not self.opened and callee.opens_itself())

    # Entering

    def _enter(self) -> None:
        writer = self.writer
        instance = self.instance
        writer.line("store i64 %fuel, ptr %fuel.left")
        if self.entry:
            writer.store(INTEGER, -1, writer.state(buffer.FLAG))
            for place, kind in enumerate(instance.entry.types):
                if kind.bank != NOWHERE:
                    word = writer.state(buffer.VALUES + place)
                    writer.store(kind.bank, place, writer.from_word(kind.bank, word))
            calls.take_over(writer, instance)
        else:
            writer.store(INTEGER, -1, "0")
            for place, kind in enumerate(instance.parameters):
                if kind.bank != NOWHERE:
                    writer.store(kind.bank, place, f"%a.{place}")
            self._given = calls.enter(writer, instance)
        self._convert(instance.entry, instance.entries[instance.graph.entry])
        if not self.entry and instance.callers:
            self._spend(len(instance.graph.blocks[instance.graph.entry].body) + 2, 0, instance.entry)

    def _spend(self, amount: int, resume: int, state: State) -> None:
        """Use up fuel; when it is used up, poll, and leave if that is asked for."""
        writer = self.writer
        fuel = writer.value("load i64, ptr %fuel.left")
        left = writer.value(f"sub i64 {fuel}, {amount}")
        writer.line(f"store i64 {left}, ptr %fuel.left")
        empty, go_on = writer.fresh("empty"), writer.fresh("go")
        writer.line(f"br i1 {writer.value(f'icmp slt i64 {left}, 0')}, label {empty}, label {go_on}, {UNLIKELY}")
        writer.label(empty)
        more = writer.value("call i64 @poll(ptr %S)")
        writer.line(f"store i64 {more}, ptr %fuel.left")
        leave = self._leave(resume, state, nested=False)
        writer.line(f"br i1 {writer.value(f'icmp slt i64 {more}, 0')}, label {leave}, label {go_on}, {UNLIKELY}")
        writer.label(go_on)

    # Leaving

    def _checkpoint(self, resume: int, state: State) -> None:
        """Remember the places as they are: where a check fails from here on, the interpreter goes on at *resume*.

        It then executes again what has no effect but on the places, so that one way out serves many checks.
        """
        self._last = Snapshot(resume, state.copy(), len(self.writer.lines))
        self.writer.lines.append("")

    def way_back(self) -> str:
        """Return the block that leaves with the places as they were at the last checkpoint."""
        snapshot = self._last
        if not snapshot.label:
            snapshot.label = self.writer.fresh("leave")
            held = len(self.writer.lines)
            values = self._held(snapshot.state)
            # The loads belong where the checkpoint is.
            self.writer.lines[snapshot.line] = "\n".join(self.writer.lines[held:])
            del self.writer.lines[held:]
            self._ways_out.append(WayOut(snapshot.label, snapshot.resume, snapshot.state, values, nested=False))
        return snapshot.label

    def _leave(self, resume: int, state: State, nested: bool) -> str:
        """Return the block that leaves with the places as they are now; *nested* where a native call is leaving."""
        label = self.writer.fresh("leave")
        self._ways_out.append(WayOut(label, resume, state.copy(), None, nested))
        return label

    def _site(self, resume: int, state: State) -> Site:
        closure = self.instance.closure
        codes = [] if self.entry else [kind.code for kind in self.instance.parameters]
        places = [kind.code for kind in state.types]
        running = "" if closure is None else variant_code(*closure)
        return Site(self.instance.code.name, resume, codes, places, self.entry, running)

    def _held(self, state: State) -> list[str]:
        """Load the flag, the upvalues and all places, as the words of a frame record."""
        writer = self.writer
        words = [writer.load(INTEGER, -1), *calls.upvalue_words(writer, self.instance)]
        for place, kind in enumerate(state.types):
            if isinstance(kind, Mixed):
                words.append(writer.tag(place))
            if kind.bank != NOWHERE:
                words.append(writer.as_word(kind.bank, writer.load(kind.bank, place)))
        return words

    def _way_out(self, way: WayOut) -> None:
        writer = self.writer
        number = len(self.kernel.sites)
        self.kernel.sites.append(self._site(way.resume, way.state))
        writer.label(way.label)
        frame = writer.state(buffer.FRAMES, "ptr")
        if not way.nested:
            writer.set_state(buffer.FUEL, writer.value("load i64, ptr %fuel.left"))
        words = self._held(way.state) if way.words is None else way.words
        words = [words[0], *self._given, *words[1:]]
        for position, word in enumerate([str(number), *words]):
            writer.write_word(frame, position, word)
        writer.set_state(buffer.FRAMES, writer.word(frame, 1 + len(words)), "ptr")
        writer.line(f"ret {{{result_kind(self.instance)}, i64}} {self._pair_of_leaving()}")

    def _pair_of_leaving(self) -> str:
        kind = result_kind(self.instance)
        nothing = {"i64": "0", "double": "0.0", "ptr": "null"}[kind]
        return f"{{ {kind} {nothing}, i64 -1 }}"

    # Values

    def _value(self, place: int, kind: Type) -> str:
        return "0" if kind.bank == NOWHERE else self.writer.load(kind.bank, place)

    def _convert(self, have: State, want: State) -> None:
        """Give the places the form that they have at the start of the next block."""
        for place, (mine, theirs) in enumerate(zip(have.types, want.types, strict=True)):
            if mine is not theirs and self._changes_form(mine, theirs):
                tag, word = self.formed(mine, theirs, self._value(place, mine))
                self.writer.store(INTEGER, place, word)
                if tag:
                    self.writer.set_tag(place, tag)

    def _changes_form(self, have: Type, want: Type) -> bool:
        if isinstance(want, Opaque):
            return isinstance(have, Known)
        return isinstance(want, Mixed) and not isinstance(have, Mixed)

    def formed(self, have: Type, want: Type, value: str) -> tuple[str, str]:
        """Return a value of type *have* as one of type *want*, with its tag ("" unless that is to be set)."""
        if not self._changes_form(have, want):
            return "", value
        tag = str(self.kernel.tag(OPAQUE if isinstance(have, Known) else have)) if isinstance(want, Mixed) else ""
        if isinstance(have, Known):
            return tag, str(self.kernel.constant(have.value))
        return tag, self.writer.as_word(have.bank, value)

    # Blocks

    def _block(self, typed: TypedBlock) -> None:
        writer = self.writer
        writer.label(f"%b.{typed.block.start}")
        state = self._now = typed.entry.copy()
        self._order = None
        fresh = True
        for action in typed.actions:
            if fresh:
                self._checkpoint(action.at, state)
            _ACTIONS[action.form](self, action)
            state.apply(action, self.stack)
            # Setting an upvalue once more, from the places as they were, gives the same closure.
            fresh = action.form == "call" or (action.form == "builtin" and not is_repeatable(action.detail))
            if action.ends:
                return
        if typed.taken is not None and typed.next is not None:
            assert typed.block.branch is not None
            if self._order is not None:
                condition = self._order.holds(writer, typed.block.branch)
            else:
                condition = operations.among(writer, writer.load(INTEGER, -1), typed.block.branch)
            taken, following = writer.fresh("taken"), writer.fresh("next")
            writer.line(f"br i1 {condition}, label {taken}, label {following}")
            for label, edge in ((taken, typed.taken), (following, typed.next)):
                writer.label(label)
                self._edge(edge, typed, state)
        else:
            only = typed.taken or typed.next
            assert only is not None
            self._edge(only, typed, state)

    def _edge(self, edge: Edge, typed: TypedBlock, state: State) -> None:
        if edge.target == END:
            self._return(0, state.types[0])
            return
        if edge.back:
            self._spend(max(len(typed.block.body), 1), edge.target, state)
        self._convert(state, self.instance.entries[edge.target])
        self.writer.line(f"br label %b.{edge.target}")

    def _return(self, place: int, kind: Type) -> None:
        writer = self.writer
        result = self.instance.result
        assert result is not None
        tag, value = self.formed(kind, result, self._value(place, kind))
        if isinstance(result, Mixed):
            writer.set_state(buffer.TAG, tag or writer.tag(place))
        fuel = writer.value("load i64, ptr %fuel.left")
        llvm = result_kind(self.instance)
        pair = writer.value(f"insertvalue {{{llvm}, i64}} undef, {llvm} {value}, 0")
        pair = writer.value(f"insertvalue {{{llvm}, i64}} {pair}, i64 {fuel}, 1")
        writer.line(f"ret {{{llvm}, i64}} {pair}")

    # Actions

    def _nothing(self, action: Action) -> None:
        """Write what does nothing."""
        assert action.target < 0

    def _leave_action(self, action: Action) -> None:  # noqa: ARG002 - one shape for all
        self.writer.line(f"br label {self.way_back()}")

    def _return_action(self, action: Action) -> None:
        self._return(action.sources[0], action.types[0])

    def _constant(self, action: Action) -> None:
        bank = action.result.bank
        if bank == DOUBLE:
            name = float_constants.name_of(action.detail)
            self.writer.store(bank, action.target, self.writer.value(f"load double, ptr {name}"))
        elif bank == INTEGER:
            value = int(action.detail)
            self.writer.store(bank, action.target, str(value - (1 << 64) if value >= 1 << 63 else value))

    def _move(self, action: Action) -> None:
        kind = action.result
        source, target = action.sources[0], action.target
        if source == target:
            return
        if kind.bank != NOWHERE:
            self.writer.store(kind.bank, target, self.writer.load(kind.bank, source))
        if isinstance(kind, Mixed):
            self.writer.set_tag(target, self.writer.tag(source))

    def operands(self, action: Action) -> tuple[tuple[Type, str], ...]:
        """Load the sources of an action, with their types."""
        return tuple((kind, self._value(place, kind)) for place, kind in zip(action.sources, action.types, strict=True))

    def _operation(self, action: Action) -> None:
        lower = operations.OPERATIONS[action.detail].lower
        assert lower is not None
        value = lower(self.writer, self.operands(action), self.way_back())
        self.writer.store(action.result.bank, action.target, value)

    def _compare(self, action: Action) -> None:
        if action.detail is not None:
            self._order = None
            self.writer.store(INTEGER, -1, str(action.detail))
            return
        order = operations.compare(self.writer, self.operands(action), self.way_back())
        self._order = order
        self.writer.store(INTEGER, -1, order.flag)

    def _builtin(self, action: Action) -> None:
        operands = self.operands(action)
        if TYPINGS[action.detail].creates:
            operands = ((action.result, ""), *operands)
        value = builtins.LOWERINGS[action.detail](self.writer, operands, self.way_back())
        if action.result.bank != NOWHERE:
            self.writer.store(action.result.bank, action.target, value)

    def _call(self, action: Action) -> None:
        during = self._now.copy()
        del during.types[self.stack :]
        calls.call(self, action, lambda: self._leave(action.at + 1, during, nested=True))

    def _create_closure(self, action: Action) -> None:
        value = calls.create_closure(self.writer, self.kernel, action, self.way_back())
        self.writer.store(action.result.bank, action.target, value)

    def _get_upvalue(self, action: Action) -> None:
        calls.get_upvalue(self.writer, self.instance, action)

    def _set_upvalue(self, action: Action) -> None:
        calls.set_upvalue(self.writer, self.instance, action)


_ACTIONS: Final = {
    "builtin": FunctionLowering._builtin,
    "call": FunctionLowering._call,
    "compare": FunctionLowering._compare,
    "constant": FunctionLowering._constant,
    "create_closure": FunctionLowering._create_closure,
    "get_upvalue": FunctionLowering._get_upvalue,
    "leave": FunctionLowering._leave_action,
    "move": FunctionLowering._move,
    "nothing": FunctionLowering._nothing,
    "operation": FunctionLowering._operation,
    "push": FunctionLowering._move,
    "return": FunctionLowering._return_action,
    "set_upvalue": FunctionLowering._set_upvalue,
}
"""How each form of action is written."""
