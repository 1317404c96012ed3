"""What the tests of passes share: functions from assembly, graphs, typed forms and units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import stoffel
from stoffel.compiler.analysis.environment import Feedback
from stoffel.compiler.analysis.facts import UNIT_FACT, Fact
from stoffel.compiler.analysis.inference import Inference
from stoffel.compiler.analysis.ir import FLAG_BITS, FlowState, TypedFunction
from stoffel.compiler.cpython.verifier import decode
from stoffel.compiler.emission.deopt_points import Unit
from stoffel.compiler.flow import blocks
from stoffel.compiler.flow.decoding import Layout
from stoffel.compiler.flow.spliced import Splice
from stoffel.isa.function import Function
from stoffel.model.code import Code
from tests.machines import loaded


def function(body: str, *, parameters: str = "", name: str = "f") -> Function:
    """Return the function with this body."""
    return stoffel.assemble(f"function {name}({parameters})\n{body}\nend\n").functions[name]


def graph(body: str, *, parameters: str = "", entry: int = 0) -> blocks.Graph:
    """Return the blocks of a function body."""
    made = function(body, parameters=parameters)
    return blocks.build(made.instructions, made.labels, entry)


class NoCalls:
    """A machine on which nothing can be called."""

    def __init__(self, learned: Feedback) -> None:
        self.learned = learned

    def resolve(self, name: str) -> None:
        return None

    def feedback(self, code: Code) -> Feedback:
        return self.learned


def layout(registers: int, slots: Sequence[int] = (), body: str = "RET r0") -> Layout:
    """Return the places of a function with this body that has so many registers, and these spill slots."""
    made = function(body)
    code = Code(made)
    code.register_count = registers
    return Layout(Splice(code, list(made.instructions)), list(slots))


def typed(
    body: str, facts: Sequence[Fact] = (), registers: int = 8, flag: int = 0, learned: Feedback | None = None
) -> TypedFunction:
    """Return the typed form of a body that calls nothing, its first registers holding values with *facts*.

    *learned* is what guesses that failed have taught.
    """
    state = FlowState([*facts, *[UNIT_FACT] * (registers - len(facts))], FLAG_BITS[flag])
    environment: Any = NoCalls(learned or Feedback())
    parameters = ", ".join(f"p{number}" for number in range(len(facts)))
    made = function(body, parameters=parameters)
    blocks_of = blocks.build(made.instructions, made.labels, 0)
    return Inference(Code(made), blocks_of, layout(registers, body=body), state, environment, None).run()


def forms(function: TypedFunction) -> list[str]:
    """Return the forms of all nodes, in order."""
    return [node.form for block in function.blocks.values() for node in block.nodes]


def units(text: str, entry: str = "main", arguments: Sequence[Any] = ()) -> dict[str, Unit]:
    """Return the last unit of each function that running a program makes."""
    machine = loaded(stoffel.VirtualMachine(jit="always", output=lambda line: None), text)
    machine.execute_with_args(entry, list(arguments))
    return {unit.function.name: unit for unit in machine.state.tier.units.by_code.values()}


def opcodes(unit: Unit) -> list[str]:
    """Return the names of the instructions of a unit; one that stands for two loads or stores of locals is two."""
    names = []
    for instruction in decode(unit.code):
        first, found, second = instruction.name.replace("_BORROW", "").partition("_FAST_")
        names += [f"{first}_FAST", second] if found and "_FAST" in second else [instruction.name.replace("_BORROW", "")]
    return names
