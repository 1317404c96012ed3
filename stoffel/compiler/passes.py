"""What each pass makes of a function, as text for people: see docs/compiler.md."""

from __future__ import annotations

import dis
import io
from collections.abc import Sequence
from typing import Final

from stoffel.compiler import translator
from stoffel.compiler.environment import Environment
from stoffel.compiler.facts import kind_of, of_kinds
from stoffel.compiler.liveness import FLAG, analyse, bit
from stoffel.compiler.safepoints import AFTER, BEFORE, BOUNDS, DEPTH, DURING, ENTRY, HANDOVER, NEXT, TAKEN, Unit
from stoffel.compiler.typed import TypedFunction
from stoffel.runtime.code import Code
from stoffel.runtime.values import Value

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
}


def printed_passes(code: Code, arguments: Sequence[Value], environment: Environment) -> dict[str, str]:
    """Return the result of every pass over *code*, translated for a plain call with arguments of these kinds.

    The passes by name, in their order: ``blocks``, ``inference``, ``liveness``, ``emission`` (CPython instructions) and
    ``sites`` (where the code can be left). Raises Refusal for a function that is not translated.
    """
    instructions = code.instructions()
    layout = translator.full_layout(code, instructions)
    facts = [of_kinds(kind_of(argument)) for argument in arguments]
    state = translator.call_state(layout, translator.bounded(code, instructions, 0, facts, environment))
    typed = translator.infer(code, instructions, 0, state, environment, None, layout)
    unit = translator.translate_call(code, instructions, facts, None, environment, f"<passes of {code.name}>")
    shown = io.StringIO()
    dis.dis(unit.code, file=shown)
    return {
        "blocks": environment.graph(code, 0).format(),
        "inference": typed.format(),
        "liveness": format_liveness(typed),
        "emission": shown.getvalue().rstrip("\n"),
        "sites": format_sites(unit),
    }


def format_liveness(typed: TypedFunction) -> str:
    """Return the places that are needed at the start of each block, one line for each."""
    lines = []
    for start, needed in analyse(typed).items():
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
