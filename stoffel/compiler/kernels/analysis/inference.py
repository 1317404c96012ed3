"""Which types the values of a kernel have, and whether there is a kernel at all.

A *family* is an entry, typed by the values that it is entered with, and the instances of all VM functions that it
calls, one for each combination of argument types. The analysis goes forward over the blocks (flow-sensitive,
optimistic) and over the calls until nothing changes. What a kernel cannot do ends a path there: the machine code leaves
before that instruction, and the interpreter executes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from stoffel.compiler.analysis.layout import layout_of
from stoffel.compiler.flow.blocks import END, Block
from stoffel.compiler.flow.decoding import CALL, CONSTANT, NOTHING, OPERATION, OTHER, PEEK, PUSH, RETURN, Step, decode
from stoffel.compiler.kernels import INSTRUCTION_LIMIT
from stoffel.compiler.kernels.analysis import builtin_types, closure_calls
from stoffel.compiler.kernels.analysis.ir import Action, Instance, State, TypedBlock, Variant, leave
from stoffel.compiler.kernels.analysis.tail_duplication import with_copied_tails
from stoffel.compiler.kernels.analysis.types import (
    BOOL,
    FLOAT,
    I64,
    SCALARS,
    UNIT,
    ClosureOf,
    Known,
    Mixed,
    Scalar,
    Type,
    join,
    same_after_unifying,
    variant_code,
    words,
)
from stoffel.compiler.kernels.codegen import operations
from stoffel.compiler.refusal import NO_STATIC_SHAPE, Refusal, TooLarge
from stoffel.errors import VMError
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.model.code import Code
from stoffel.model.foreign import ForeignFunction
from stoffel.model.operations import OPERATIONS

if TYPE_CHECKING:
    from stoffel.compiler.analysis.environment import Environment

INSTANCE_LIMIT: Final = 32
"""Instances of one kernel: calls with ever new types of arguments end there."""


class Family:
    """All instances of one kernel. Raises Refusal, with a sentence, if there is none."""

    def __init__(
        self, environment: Environment, instructions_of: Any, most: int = INSTRUCTION_LIMIT, *, repeated: bool = False
    ) -> None:
        self.environment = environment
        self.repeated = repeated
        """Whether the machine code is entered once for many calls, so that there need be no loop in it."""
        self.most = most
        """Instructions that it may have."""
        self.instructions_of = instructions_of
        self.instances: list[Instance] = []
        self.closures = False
        """Whether the kernel has closures, which must not be where writing back does not reach them."""
        self._by_key: dict[Any, Instance] = {}
        self._size = 0

    def analyse(self, code: Code, entry: int | None, types: list[Type]) -> Instance:
        """Return the instance of *code*, all others being in ``instances``.

        *types* are those of the arguments where *entry* is None, else those of all places at instruction *entry*, at
        which a record in progress is taken over; the closure that it runs, if any, and its upvalues come behind them.
        """
        if entry is None:
            layout = layout_of(code, self.instructions_of(code))
            main = self._add(code, 0, [*types, *[UNIT] * (layout.stack - len(types))], 0)
        else:
            layout = layout_of(code, self.instructions_of(code))
            # What may be one and the same closure has one type.
            same: dict[str, Type] = {}
            types = [same.setdefault(kind.code, kind) if isinstance(kind, ClosureOf) else kind for kind in types]
            if any(isinstance(kind, ClosureOf) for kind in types[layout.registers : layout.stack]):
                sentence = "a closure in a spill slot, where writing an upvalue back does not reach it"
                raise Refusal(sentence, code.name, entry)
            running = closure_calls.running(types[layout.stack :])
            main = self._add(code, entry, types[: layout.stack], None, running)
            if running is not None:
                main.given = types[layout.stack :]
        self.closures = any(isinstance(kind, ClosureOf) for kind in types)
        before: list[Any] = []
        while True:
            for instance in self.instances:
                Flowing(self, instance).run()
            # A cell that one pass has filled changes what the next one sees.
            after = [self.closures, *(instance.summary() for instance in self.instances)]
            if after == before:
                break
            before = after
        self._keep_reached(main)
        self._check(main, entry)
        return main

    def _keep_reached(self, main: Instance) -> None:
        """Drop the instances that only earlier passes called, while less was known of the types."""
        reached = [main]
        for instance in reached:
            called = {
                callee: None
                for typed in instance.blocks.values()
                for action in typed.actions
                if action.form == "call"
                for callee in action.detail
            }
            instance.callees = list(called)
            reached.extend(callee for callee in called if callee not in reached)
        for instance in reached:
            instance.callers = {caller for caller in reached if instance in caller.callees}
        self.instances = reached

    def _check(self, main: Instance, entry: int | None) -> None:
        """Refuse a family whose hot paths leave."""
        for instance in self.instances:
            for head in instance.heads():
                if not instance.loops_through(head):
                    left = next(self._leaves_from(instance, head), None)
                    if left is not None:
                        inside, action = left
                        raise Refusal(f"{action.detail} in a loop", inside.code.name, action.at)
        leaves = ((instance, action) for instance in self.instances for action in instance.leaves())
        first = next((Refusal(action.detail, instance.code.name, action.at) for instance, action in leaves), None)
        name = main.code.name
        if main.result is None and not any(main.loops_through(head) for head in main.heads()):
            raise first or Refusal(f"'{name}' does not return", name)
        if entry and not main.loops_through(entry):
            raise first or Refusal("nothing comes back to the loop's head", name, entry)
        if not self.repeated and not any(instance.heads() or self._recurs(instance) for instance in self.instances):
            raise Refusal("no loop and no recursion: entering a kernel would cost more than it gains", name)

    def _leaves_from(self, instance: Instance, head: int) -> Iterator[tuple[Instance, Action]]:
        seen: set[int] = set()
        pending = [head]
        while pending:
            start = pending.pop()
            if start in seen or start not in instance.blocks:
                continue
            seen.add(start)
            typed = instance.blocks[start]
            yield from ((instance, action) for action in typed.actions if action.form == "leave")
            for action in typed.actions:
                if action.form == "call" and action.ends:
                    for callee in action.detail:
                        yield from ((callee, left) for left in callee.leaves())
            pending.extend(edge.target for edge in typed.edges())

    def _recurs(self, instance: Instance) -> bool:
        seen: set[Instance] = set()
        pending = list(instance.callees)
        while pending:
            item = pending.pop()
            if item is instance:
                return True
            if item not in seen:
                seen.add(item)
                pending.extend(item.callees)
        return False

    def recurs(self) -> bool:
        """Return whether native calls can nest without a bound known beforehand."""
        return any(self._recurs(instance) for instance in self.instances)

    def depth(self) -> int:
        """Return the greatest number of nested native calls of a family that does not recur."""

        def below(instance: Instance) -> int:
            return 1 + max(map(below, instance.callees), default=0)

        return below(self.instances[0])

    def call(
        self, caller: Instance, at: int, callee: Code, arguments: tuple[Type, ...], closure: Variant | None = None
    ) -> Instance:
        """Return the instance for a call, at instruction *at*, with such arguments, unified with its parameters.

        *closure* is what is called, None in a plain call. Raises Refusal if there would be too many instances.
        """
        kind = None if closure is None else variant_code(*closure)
        key = callee, kind, tuple(kind.code for kind in arguments)
        instance = self._by_key.get(key)
        if instance is None:
            layout = layout_of(callee, self.instructions_of(callee))
            types: list[Type] = [*arguments, *[UNIT] * (layout.stack - len(arguments))]
            instance = self._by_key[key] = self._add(callee, 0, types, 0, closure, (caller.code, at))
        elif not all(_unified(mine, theirs) for mine, theirs in zip(instance.parameters, arguments, strict=True)) or (
            closure is not None
            and instance.closure is not None
            and not all(mine.unify(theirs) for mine, theirs in zip(instance.closure.cells, closure.cells, strict=True))
        ):
            sentence = f"'{callee.name}' is called with arrays of different element types"
            raise Refusal(sentence, caller.code.name, at)
        if caller not in instance.callers:
            instance.callers.add(caller)
            caller.callees.append(instance)
        return instance

    def _add(
        self,
        code: Code,
        entry: int,
        types: list[Type],
        flag: int | None,
        closure: Variant | None = None,
        call: tuple[Code, int] | None = None,
    ) -> Instance:
        """Return a new instance, which *call* asks for: the function that contains it, and where."""
        instructions = self.instructions_of(code)
        name, at = (code.name, None) if call is None else (call[0].name, call[1])
        if not instructions:
            raise Refusal(f"'{code.name}' has no instructions", name, at)
        self._size += len(instructions)
        if self._size > self.most:
            raise TooLarge(f"more than {self.most} instructions, with those of '{code.name}'", name, at)
        if len(self.instances) >= INSTANCE_LIMIT:
            raise Refusal(f"calls of '{code.name}' with ever new types of arguments", name, at)
        instance = Instance(
            len(self.instances),
            code,
            with_copied_tails(self.environment.graph(code, entry)),
            layout_of(code, instructions),
            types,
            flag,
            closure,
        )
        self.instances.append(instance)
        return instance


def _unified(one: Type, other: Type) -> bool:
    return same_after_unifying(one, other) or one.code == other.code


class Flowing:
    """One pass over an instance: its blocks, until their types are at rest."""

    def __init__(self, family: Family, instance: Instance) -> None:
        self.family = family
        self.instance = instance
        self.result = instance.result

    def run(self) -> None:
        """Fill ``blocks`` and ``result`` of the instance."""
        instance = self.instance
        graph = instance.graph
        instance.entries = {graph.entry: instance.entry.copy()}
        pending = [graph.entry]
        blocks: dict[int, TypedBlock] = {}
        while pending:
            start = pending.pop()
            typed = blocks[start] = self._block(graph.blocks[start], instance.entries[start].copy())
            for edge in typed.edges():
                if edge.target != END and self._flow(edge.target, typed.after) and edge.target not in pending:
                    pending.append(edge.target)
        instance.blocks = {block.start: blocks[block.start] for block in graph.order() if block.start in blocks}
        instance.result = self.result

    def _flow(self, target: int, state: State) -> bool:
        known = self.instance.entries.get(target)
        if known is None:
            self.instance.entries[target] = state.copy()
            return True
        if len(known.types) != len(state.types):
            # A copied tail has no index of its own.
            at = target if target < len(self.instance.instructions) else None
            raise Refusal(NO_STATIC_SHAPE, self.instance.code.name, at)
        changed = False
        for place, (old, new) in enumerate(zip(known.types, state.types, strict=True)):
            if old is not new:
                joined = join(old, new)
                if joined is not old and joined.code != old.code:
                    known.types[place] = joined
                    changed = True
        if known.flag is not None and known.flag != state.flag:
            known.flag = None
            changed = True
        return changed

    def _block(self, block: Block, state: State) -> TypedBlock:
        entry = state.copy()
        actions: list[Action] = []
        for index in block.body:
            action = self._step(index, state)
            actions.append(action)
            state.apply(action, self.instance.layout.stack)
            if action.ends:
                return TypedBlock(block, entry, actions, state, None, None)
        taken, following = block.taken, block.next
        if block.branch is not None and state.flag is not None:
            if state.flag in block.branch:
                following = None
            else:
                taken = None
        if any(edge is not None and edge.target == END for edge in (taken, following)):
            self._return(state.types[0])
        return TypedBlock(block, entry, actions, state, taken, following)

    def _return(self, kind: Type) -> None:
        self.result = kind if self.result is None else join(self.result, kind)

    def _decoded(self, index: int) -> Step:
        layout = self.instance.layout
        step = layout.steps.get(index)
        if step is None:
            step = layout.steps[index] = decode(self.instance.instructions[index], layout)
        return step

    def _step(self, index: int, state: State) -> Action:
        sort, target, sources, detail = self._decoded(index)
        types = state.types
        if sort == CALL:
            return self._call(index, detail, state)
        if sort == PEEK:
            sources = (len(types) - 1 + detail,)
            if not self.instance.layout.stack <= sources[0] < len(types):
                return leave(index, "a stack address that is out of bounds")
        given = tuple([types[source] for source in sources])
        if sort == OPERATION:
            if target < 0:
                return self._compare(index, sources, given)
            result = result_of(detail, given)
            if result is None:
                return leave(index, f"{detail} of {' and '.join(map(words, given))}")
            return Action(index, "operation", target, sources, given, result, detail)
        if sort == CONSTANT:
            return self._constant(index, target, detail.constant)
        if sort == OTHER:
            # What it reads is not known, so all places would have to be kept.
            raise Refusal(f"'{self.instance.code.name}' has {detail}, which only the interpreter knows")
        if sort == NOTHING:
            return Action(index, "nothing", -1, (), (), UNIT)
        if sort == RETURN:
            self._return(given[0])
            return Action(index, "return", -1, sources, given, UNIT)
        if sort == PUSH:
            return Action(index, "push", len(types), sources, given, given[0])
        layout = self.instance.layout
        if layout.registers <= target < layout.stack and (
            isinstance(given[0], ClosureOf) or (self.family.closures and isinstance(given[0], Mixed))
        ):
            return leave(
                index, f"{words(given[0])} goes to a spill slot, where writing an upvalue back would not reach it"
            )
        return Action(index, "move", target, sources, given, given[0])

    def _constant(self, index: int, target: int, value: Any) -> Action:
        if type(value) is not str and type(value) not in SCALARS:
            return leave(index, "a constant that no file can hold")  # a table, a closure: of a function made in Python
        kind = Known(value) if type(value) is str else SCALARS[type(value)]
        return Action(index, "constant", target, (), (), kind, value)

    def _compare(self, index: int, sources: tuple[int, ...], given: tuple[Type, ...]) -> Action:
        left, right = given
        if isinstance(left, Known) and isinstance(right, Known):
            try:
                return Action(index, "compare", -1, sources, given, UNIT, OPERATIONS["CMP"](left.value, right.value))
            except VMError:
                return leave(index, f"CMP of {words(left)} and {words(right)}")
        if (left is BOOL and right is BOOL) or (is_number(left) and is_number(right)):
            return Action(index, "compare", -1, sources, given, UNIT, None)
        return leave(index, f"CMP of {words(left)} and {words(right)}")

    def _call(self, index: int, name: str, state: State) -> Action:
        bottom = self.instance.layout.stack
        sources = tuple(range(bottom, len(state.types)))
        given = tuple(state.types[bottom:])
        return self._callee(index, name, sources, given)

    def _callee(self, index: int, name: str, sources: tuple[int, ...], given: tuple[Type, ...]) -> Action:
        callee = self.family.environment.resolve(name)
        if isinstance(callee, ForeignFunction):
            if not callee.standard:
                return leave(index, f"call of the foreign function '{name}'")
            rule = closure_calls.RULES[name]
            if rule is not None:
                return rule(self, index, sources, given)
            builtin = builtin_types.TYPINGS[name]
            result = builtin.result(given)
            if isinstance(result, str):
                return leave(index, result)
            if builtin.creates:
                result = self.instance.created.setdefault(index, result)
            return Action(index, "builtin", 0, sources, given, result, name)
        if callee is None:
            return leave(index, f"call of '{name}', which the interpreter resolves")
        if callee.upvalue_names:
            return leave(index, f"call of '{name}', which captures upvalues")
        if len(given) != len(callee.parameters):
            return leave(index, f"call of '{name}' with a wrong number of arguments")
        if any(isinstance(kind, Mixed) for kind in given):
            return leave(index, f"call of '{name}' with a value of several types")
        instance = self.family.call(self.instance, index, callee, given)
        return Action(index, "call", 0, sources, given, instance.result or UNIT, (instance,))


def is_integer(kind: Type) -> bool:
    """Return whether values of the type are integers."""
    return isinstance(kind, Scalar) and kind.cls in INTEGER_KINDS


def is_number(kind: Type) -> bool:
    """Return whether values of the type are numbers."""
    return kind is FLOAT or is_integer(kind)


def result_of(operation: str, given: tuple[Type, ...]) -> Type | None:
    """Return the type of what an operation of the instruction table gives, None if kernels do not do it."""
    row = operations.OPERATIONS[operation]
    left, right = given[0], given[-1]
    if row.lower is None:
        return None
    if left is right and (is_integer(left) or (row.booleans and left is BOOL)):
        return left
    mixed = (left is FLOAT and right in (FLOAT, I64)) or (left is I64 and right is FLOAT)
    return FLOAT if row.floats and mixed else None
