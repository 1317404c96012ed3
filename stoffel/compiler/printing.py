"""What each pass makes of a function, as text for people: see docs/compiler.md."""

from __future__ import annotations

import dis
import io
from collections.abc import Sequence
from typing import Final

from stoffel.compiler import pipeline
from stoffel.compiler.analysis.environment import Environment
from stoffel.compiler.analysis.facts import kind_of, of_kinds
from stoffel.compiler.analysis.ir import TypedBlock, TypedFunction
from stoffel.compiler.analysis.liveness import FLAG, analyse, bit
from stoffel.compiler.emission.deopt_points import (
    AFTER,
    BEFORE,
    BOUNDS,
    DEPTH,
    DURING,
    ENTRY,
    HANDOVER,
    LOOP,
    NEXT,
    TAKEN,
    Unit,
)
from stoffel.compiler.flow.blocks import END
from stoffel.model.code import Code
from stoffel.model.values import Value

_WAYS: Final = {
    BEFORE: "before",
    DURING: "during",
    AFTER: "after",
    TAKEN: "taken",
    NEXT: "next",
    ENTRY: "entry",
    DEPTH: "depth",
    HANDOVER: "handover",
    BOUNDS: "bounds",
    LOOP: "loop",
}


def printed_passes(code: Code, arguments: Sequence[Value], environment: Environment) -> dict[str, str]:
    """Return the result of every pass over *code*, translated for a plain call with arguments of these kinds.

    The passes by name, in their order: ``blocks``, ``inference``, ``liveness``, ``emission`` (CPython instructions) and
    ``sites`` (where the code can be left). Raises Refusal for a function that is not translated.
    """
    facts = [of_kinds(kind_of(argument)) for argument in arguments]
    typed = pipeline.infer_call(code, facts, None, environment, full=True)
    unit = pipeline.translate_call(code, facts, None, environment, f"<passes of {code.name}>")
    shown = io.StringIO()
    dis.dis(unit.code, file=shown)
    return {
        "blocks": environment.spliced_graph(code, 0).format(),
        "inference": typed.format(),
        "liveness": format_liveness(typed),
        "emission": shown.getvalue().rstrip("\n"),
        "sites": format_sites(unit),
    }


def format_liveness(typed: TypedFunction) -> str:
    """Return the places that are needed at the start of each block, one line for each."""
    lines = []
    for start, needed in analyse(typed)[0].items():
        known = range(len(typed.blocks[start].entry.facts))
        places = [typed.layout.name(place) for place in known if needed & bit(place)]
        lines.append(f"block {start}: {' '.join([*places, 'flag'] if needed & FLAG else places)}")
    return "\n".join(lines)


def format_sites(unit: Unit) -> str:
    """Return the lines of the unit's listing, each with its ways of leaving and the instruction resumed at."""
    lines = []
    for number, line in enumerate(unit.lines, 1):
        ways = ", ".join(f"{_WAYS[way]} -> {site.resume}" for way, site in sorted(line.sites.items()))
        lines.append(f"line {number}: {line.text.strip():<24} {ways}".rstrip())
    return "\n".join(lines)


def format_simplified(typed: TypedFunction) -> str:
    """Return the blocks that are left after jump threading, with what each instruction sets and how it is written.

    What follows an instruction is the place that it sets with the fact about it, and in brackets the form.
    """
    lines = []
    splice = typed.layout.splice
    for start, block in typed.blocks.items():
        lines.append(f"block {start}:")
        for node in block.nodes:
            target = f"{typed.layout.name(node.target)}: {node.result}" if node.target >= 0 else ""
            checks = "".join(
                f", checks {typed.layout.name(node.sources[position])} is {of_kinds(kind)}"
                for position, kind in node.guards
            )
            lines.append(f" {splice.text(node.index):<36} {target:<36} ({node.form}{checks})")
        lines.append(f"         {_ending(block)}")
    return "\n".join(lines)


_ORDERS: Final = {-1: "less", 0: "equal", 1: "greater"}


def _ending(typed: TypedBlock) -> str:
    """Return where control goes after a block; ^ marks a jump backwards."""
    if typed.taken is not None and typed.next is not None:
        orders = " or ".join(_ORDERS[order] for order in sorted(typed.block.branch or ()))
        return f"if {orders} goto {typed.taken} else {typed.next}"
    only = typed.taken or typed.next
    if only is None or only.target == END:
        return "return"
    return f"goto {only}"
