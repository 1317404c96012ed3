"""Makes a case that shows a difference smaller, by taking instructions, functions and plans out (delta debugging).

Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002. A smaller candidate may loop for ever
or be refused by the machine; both count as showing nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from stoffel.errors import StoffelError
from stoffel.isa.function import Function
from stoffel.isa.program import Program

from .generators import Case
from .oracle import INTERPRETER, Difference, Way, compare, run

SECONDS = 0.5
"""Time for one run of a candidate."""


def minimised(difference: Difference) -> Difference:
    """Return the difference of a case from which nothing can be taken any more."""
    way = difference.way
    progress = True
    while progress:
        progress = False
        for candidate in _candidates(difference.case):
            found = _shown(candidate, way)
            if found is not None:
                difference, progress = found, True
                break
    return difference


def _shown(case: Case, way: Way) -> Difference | None:
    try:
        if run(case, INTERPRETER, seconds=SECONDS).stopped:
            return None
        found = compare(case, [way], seconds=SECONDS)
    except (StoffelError, ValueError):
        return None
    return None if found is None or found.stopped else found


def _candidates(case: Case) -> Iterator[Case]:
    functions = list(case.program.functions)
    for index in range(len(functions)):
        if functions[index].name != "main":
            yield case._replace(program=Program(functions[:index] + functions[index + 1 :]))
    for key in case.plan:
        yield case._replace(plan={other: action for other, action in case.plan.items() if other != key})
    if case.depth is not None:
        yield case._replace(depth=None)
    if case.hooked:
        yield case._replace(hooked=False)
    size = max((len(function.instructions) for function in functions), default=0)
    while size > 0:
        for index, function in enumerate(functions):
            for start in range(0, len(function.instructions), size):
                smaller = _without(function, start, start + size)
                yield case._replace(program=Program([*functions[:index], smaller, *functions[index + 1 :]]))
        size //= 2


def _without(function: Function, start: int, stop: int) -> Function:
    body = [*function.instructions[:start], *function.instructions[stop:]]
    moved: Callable[[int], int] = lambda at: at if at <= start else max(start, at - (stop - start))  # noqa: E731
    return Function(
        function.name,
        body,
        parameters=function.parameters,
        upvalues=function.upvalues,
        registers=function.registers,
        labels={label: min(moved(at), len(body)) for label, at in function.labels.items()},
    )
