"""From a VM function to a unit: the passes in their order.

blocks (basic blocks, jump threading) -> inference (kinds, ranges, guesses) -> liveness -> emission.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from stoffel.compiler.analysis import load_elimination, ranges
from stoffel.compiler.analysis.environment import LARGE, Environment, Signature
from stoffel.compiler.analysis.facts import (
    CLASS,
    FORGOTTEN_FACT,
    I64,
    KIND_RANGES,
    NOTHING,
    PRIVATE,
    UNIT,
    UNIT_FACT,
    Fact,
    is_raw,
    kind_of,
    of_kinds,
    with_hint,
)
from stoffel.compiler.analysis.inference import Inference
from stoffel.compiler.analysis.ir import FLAG_BITS, FlowState, TypedFunction
from stoffel.compiler.analysis.layout import FRAME_PARAMETERS, layout_of
from stoffel.compiler.emission.deopt_points import Held, Known, Spot, Unit
from stoffel.compiler.emission.global_names import CLOSURE_LOCAL, argument_name
from stoffel.compiler.emission.unit_emitter import UnitEmitter
from stoffel.compiler.flow.decoding import SHAPES, Layout
from stoffel.compiler.refusal import Refusal
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.types import Type
from stoffel.model.code import Code
from stoffel.model.values import new_array, new_object

_EXAMPLES: Final = {"float": 0.0, "bool": False, "string": ""}
"""A value like those of a declared type, by the kind of that."""
_NESTED: Final = 3
"""Levels of lists of which an example is made."""
REGISTER_LIMIT: Final = 4096
"""Registers of a function that is translated; every one of them is described at every safepoint."""


def spliced_layout(code: Code, environment: Environment, *, full: bool) -> Layout:
    """Return the numbering of the places of a function with those of inlined calls.

    If *full*, those that only compiled code has are numbered too.
    """
    splice = environment.splice(code)
    plain = layout_of(code, splice.own)
    if splice.inlined:
        if splice.layout is None:
            splice.layout = Layout(splice, list(plain.slots))
        plain = splice.layout
    if not full:
        return plain
    known = plain.full
    if known is None:
        subjects = load_elimination.subjects(splice.instructions)
        known = plain.full = Layout(plain.splice, list(plain.slots), subjects) if subjects else plain
        known.steps = plain.steps
    return known


def infer(
    code: Code,
    entry: int,
    state_for: Callable[[Layout], FlowState],
    environment: Environment,
    captured: tuple[str, ...] | None = None,
    *,
    full: bool = False,
) -> TypedFunction:
    """Return the typed form of a function from one entry. Raises Refusal.

    *state_for* makes the state there for a numbering of places, which has all places if *full*.
    *captured* are the upvalue names of the closure that runs, None if they are not known or there is none.
    """
    if not environment.instructions_of(code):
        raise Refusal("the function has no instructions", code.name)
    if code.register_count > REGISTER_LIMIT:
        raise Refusal(
            f"{code.register_count} registers, more than the {REGISTER_LIMIT} of a function that is translated",
            code.name,
        )
    while True:
        splice = environment.splice(code)
        layout = spliced_layout(code, environment, full=full)
        graph = environment.spliced_graph(code, entry)
        try:
            typed = Inference(code, graph, layout, state_for(layout), environment, captured).run()
        except Refusal as refusal:
            # It may do without what is inlined: inlining never costs a function its translation.
            if environment.splice(code) is splice and not environment.stop_inlining(code, refusal.function):
                raise
            continue
        if environment.splice(code) is splice:
            return typed
        # Closures have shown whose functions are worth inlining.


def call_state(layout: Layout, arguments: list[Fact]) -> FlowState:
    """Return the state at the start of a call: arguments in the first registers, Unit elsewhere, flag equal."""
    facts = arguments + [UNIT_FACT] * (layout.first_unseen - len(arguments)) + [FORGOTTEN_FACT] * len(layout.unseen)
    return FlowState(facts, FLAG_BITS[0])


def bounded(code: Code, entry: int, facts: list[Fact], environment: Environment) -> list[Fact]:
    """Return *facts* with bounds guessed for the integers that enter a function with loops; the unit checks them.

    Bounded are those that the loops do not change, and those that they compare.
    """
    graph = environment.spliced_graph(code, entry)
    instructions = graph.instructions
    failures = environment.feedback(code).wrong_bounds
    if (
        failures > 1
        or len(instructions) >= LARGE
        or not any(edge.back for block in graph.blocks.values() for edge in block.edges())
    ):
        return list(facts)
    written: set[int] = set()
    compared: set[int] = set()
    for block in graph.blocks.values():
        for index in block.body:
            instruction = instructions[index]
            shape = SHAPES[instruction.op.code]
            if shape.target >= 0:
                written.add(instruction.operands[shape.target])
            elif shape.name == "CMP":
                compared.update(instruction.operands)
    result = list(facts)
    for place, fact in enumerate(facts):
        if fact.mask == I64 and not fact.is_constant and (entry == 0 or place not in written or place in compared):
            bounds = ranges.guess(fact.hint, failures)
            if bounds is not None:
                result[place] = Fact(I64, *bounds, NOTHING, fact.hint)
    return result


def arguments_of(code: Code, signature: Signature) -> list[Fact]:
    """Return what is known of the arguments of such calls of *code*.

    Where the kind is open, the type that the parameter is declared with tells what to guess.
    """
    return [
        UNIT_FACT if mask == UNIT else of_kinds(mask) if mask in CLASS else with_hint(of_kinds(mask), example_of(kind))
        for mask, kind in zip(signature.masks, code.function.parameter_types, strict=True)
    ]


def example_of(kind: Type, depth: int = 0) -> Any:
    """Return a value like those of a declared type, NOTHING if there is none to be told."""
    if kind.kind == "integer":
        return next((cls(0) for cls, row in INTEGER_KINDS.items() if (row.bits, row.signed) == kind.values), NOTHING)
    if kind.kind in _EXAMPLES:
        return _EXAMPLES[kind.kind]
    if kind.kind == "list":
        element: Any = NOTHING if depth >= _NESTED else example_of(kind.arguments[0], depth + 1)
        return new_array(0, [] if element is NOTHING else [element])
    return new_object(0) if kind.kind in ("dict", "object") else NOTHING


def infer_call(
    code: Code,
    arguments: list[Fact],
    captured: tuple[str, ...] | None,
    environment: Environment,
    *,
    full: bool = False,
) -> TypedFunction:
    """Return the typed form of the unit for calls of *code* with such arguments; see :func:`infer`."""
    return _bounded_call(code, arguments, captured, environment, full=full)[1]


def _bounded_call(
    code: Code,
    arguments: list[Fact],
    captured: tuple[str, ...] | None,
    environment: Environment,
    *,
    full: bool,
) -> tuple[list[Fact], TypedFunction]:
    """Return *arguments* with the bounds guessed for them, and the typed form of the unit for calls with such."""
    facts = bounded(code, 0, arguments, environment)
    return facts, infer(code, 0, lambda layout: call_state(layout, facts), environment, captured, full=full)


def translate_call(
    code: Code,
    arguments: list[Fact],
    captured: tuple[str, ...] | None,
    environment: Environment,
    filename: str,
) -> Unit:
    """Return the unit that runs calls of *code* with such arguments, plain or as a closure. Raises Refusal."""
    arguments, typed = _bounded_call(code, arguments, captured, environment, full=True)
    layout = typed.layout
    names = [argument_name(index) for index in range(len(arguments))]
    spots: list[Spot | None] = [
        Held(name, fact.mask if is_raw(fact) else 0) for name, fact in zip(names, arguments, strict=True)
    ]
    spots += [Known(UNIT_FACT)] * (layout.first_unseen - len(spots)) + [None] * len(layout.unseen)
    if captured is not None:
        names = [CLOSURE_LOCAL, *names]
    emitter = UnitEmitter(code, typed, environment, 0, names, spots, 0, captured, filename)
    emitter.bounded = [(spot, fact) for spot, fact in zip(spots, arguments, strict=False) if spot and has_bounds(fact)]
    emitter.counter = environment.counter_name(code)
    return emitter.emit()


def translate_entry(
    code: Code,
    entry: int,
    facts: list[Fact],
    flag: int,
    captured: tuple[str, ...] | None,
    environment: Environment,
    filename: str,
) -> Unit:
    """Return the unit that takes over a running record at instruction *entry*. Raises Refusal.

    *facts* are those of the record: registers, spill slots, argument stack.
    """
    facts = bounded(code, entry, facts, environment)
    own = code.register_count

    def state_for(layout: Layout) -> FlowState:
        unused = [UNIT_FACT] * (layout.registers - own)
        slots = own + len(layout.slots)
        forgotten = [FORGOTTEN_FACT] * len(layout.unseen)
        return FlowState([*facts[:own], *unused, *facts[own:slots], *forgotten, *facts[slots:]], FLAG_BITS[flag])

    typed = infer(code, entry, state_for, environment, captured, full=True)
    layout = typed.layout
    facts = state_for(layout).facts
    spots: list[Spot | None] = []
    names = list(FRAME_PARAMETERS)
    for place, fact in enumerate(facts):
        if fact.is_constant:
            spots.append(Known(fact))
        elif fact is FORGOTTEN_FACT:
            spots.append(None)
        else:
            name = layout.name(place)
            names.append(name)
            spots.append(Held(name, fact.mask if is_raw(fact) else 0))
    emitter = UnitEmitter(code, typed, environment, entry, names, spots, flag, captured, filename)
    emitter.bounded = [(spot, fact) for spot, fact in zip(spots, facts, strict=True) if spot and has_bounds(fact)]
    return emitter.emit()


def has_bounds(fact: Fact) -> bool:
    """Return whether a fact says more than a value's kind does."""
    return not fact.is_constant and fact.mask == I64 and (fact.low, fact.high) != KIND_RANGES[I64]


def fact_of_value(value: object, private: bool) -> Fact:
    """Return what an entry is specialised on for a value: its kind, Unit altogether, a closure that is not shared."""
    if value is None:
        return UNIT_FACT
    return with_hint(of_kinds(PRIVATE if private else kind_of(value)), value)
