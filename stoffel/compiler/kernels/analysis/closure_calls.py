"""Closures in kernels, as the analysis sees them.

A closure of a kernel is held by registers only (and by the record of its own call), so that writing an upvalue back in
place is the same as replacing the closure in all registers, which is what the machine does. What would let it be held
elsewhere (a table, another closure, a spill slot) ends the path in the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from stoffel.compiler.kernels.analysis.ir import Action, Instance, Variant, leave
from stoffel.compiler.kernels.analysis.types import UNIT, Cell, ClosureOf, Known, Mixed, Type, Variants, join, words
from stoffel.model.builtins.table import complete
from stoffel.model.code import Code

if TYPE_CHECKING:
    from stoffel.compiler.analysis.environment import Environment

Sources = tuple[int, ...]
Types = tuple[Type, ...]


class Kernel(Protocol):
    """What rules see of the kernel as a whole, and note about it."""

    closures: bool

    @property
    def environment(self) -> Environment: ...
    def call(
        self, caller: Instance, at: int, callee: Code, arguments: tuple[Type, ...], closure: Variant | None = None
    ) -> Instance:
        """Return the instance for a call; see :meth:`.Family.call`."""


class Flow(Protocol):
    """What rules see of the analysis: the instance that is analysed, and its kernel."""

    @property
    def instance(self) -> Instance: ...
    @property
    def family(self) -> Kernel: ...


def _text(kind: Type) -> str | None:
    return kind.value if isinstance(kind, Known) and type(kind.value) is str else None


def _create(flow: Flow, index: int, sources: Sources, given: Types) -> Action:
    """Capture statically: every name is a parameter of the function itself, or an upvalue of the closure it runs."""
    texts = [_text(kind) for kind in given]
    function, *names = [text for text in texts if text is not None] or [""]
    if not texts or None in texts:
        return leave(index, "create_closure of what is not known")
    if len(set(names)) < len(names):
        return leave(index, "create_closure that captures a name twice")
    key = function, tuple(names)
    instance = flow.instance
    created = instance.created.setdefault((index, key), ClosureOf(Variants({key: [Cell() for _ in names]})))
    assert isinstance(created, ClosureOf)
    captures: list[tuple[str, int]] = []
    for name, cell in zip(names, created.variants.cells[key], strict=True):
        capture = _captured(instance, name)
        if capture is None:
            return leave(index, f"create_closure that captures '{name}', which is no parameter of a call in the kernel")
        sort, position, kind = capture
        if not cell.admit(kind):
            return leave(index, f"create_closure that captures {words(kind)}")
        captures.append((sort, position))
    flow.family.closures = True
    return Action(index, "create_closure", 0, sources, given, created, (key, captures))


def _captured(instance: Instance, name: str) -> tuple[str, int, Type] | None:
    """Return where the value of a captured name is: its sort, its position, and its type."""
    parameters = instance.code.parameters
    for position in range(len(parameters) - 1, -1, -1):
        if parameters[position] == name:
            if instance.entry.flag is None:
                # The arguments of a record that is taken over are not given to the kernel.
                return None
            return "argument", position, instance.parameters[position]
    upvalues = instance.upvalues
    if name not in upvalues:
        return None
    kind = upvalues[name].content
    assert kind is not None
    return "upvalue", list(upvalues).index(name), kind


def running(given: list[Type]) -> Variant | None:
    """Return the closure that a record runs whose closure and upvalues are of such types, None if there is none."""
    if not given or not isinstance(given[0], ClosureOf):
        return None
    ((key, cells),) = given[0].variants.cells.items()
    admitted = len(cells) == len(given) - 1 and all(map(Cell.admit, cells, given[1:]))
    return Variant(key, cells) if admitted else None


def _call(flow: Flow, index: int, sources: Sources, given: Types) -> Action:
    closure = given[0] if given else UNIT
    if not isinstance(closure, ClosureOf):
        return leave(index, "call_closure of what is no closure that the kernel knows")
    if any(isinstance(kind, Mixed) for kind in given):
        return leave(index, "call_closure with a value of several types")
    problem = ""
    instances = []
    result: Type | None = None
    for key, cells in list(closure.variants.cells.items()):
        callee = flow.family.environment.resolve(key[0])
        if not isinstance(callee, Code):
            problem = f"call_closure of '{key[0]}', which is no function that can be compiled"
        elif len(callee.parameters) != len(given) - 1:
            problem = f"call_closure of '{key[0]}' with a wrong number of arguments"
        else:
            instance = flow.family.call(flow.instance, index, callee, given[1:], Variant(key, cells))
            instances.append(instance)
            if instance.result is not None:
                result = instance.result if result is None else join(result, instance.result)
    if not instances:
        return leave(index, problem)
    return Action(index, "call", 0, sources, given, result or UNIT, tuple(instances))


def _upvalue(flow: Flow, given: Types) -> str | None:
    name = _text(given[0]) if given else None
    return name if name in flow.instance.upvalues else None


def _get(flow: Flow, index: int, sources: Sources, given: Types) -> Action:
    name = _upvalue(flow, given)
    if name is None or len(given) != 1:
        return leave(index, "get_upvalue of what no closure in the kernel has captured")
    kind = flow.instance.upvalues[name].content
    assert kind is not None
    return Action(index, "get_upvalue", 0, sources, given, kind, name)


def _set(flow: Flow, index: int, sources: Sources, given: Types) -> Action:
    name = _upvalue(flow, given)
    if name is None or len(given) < 2:
        return leave(index, "set_upvalue of what no closure in the kernel has captured")
    cell = flow.instance.upvalues[name]
    assert cell.content is not None
    if not cell.admit(given[1]):
        return leave(index, f"set_upvalue of {words(given[1])} where {words(cell.content)} was captured")
    return Action(index, "set_upvalue", 0, sources, given, UNIT, name)


Rule = Callable[["Flow", int, Sources, Types], Action]

_RULES: Final[dict[str, Rule]] = {
    "call_closure": _call,
    "create_closure": _create,
    "get_upvalue": _get,
    "set_upvalue": _set,
}

NATIVE: Final = frozenset(_RULES)
"""The builtins on closures that kernels have in machine code."""
RULES: Final[dict[str, Rule | None]] = complete(
    _RULES, lambda _: None, "stoffel.compiler.kernels.analysis.closure_calls"
)
"""How each of the builtins on closures is typed, by name; None for the other builtins."""
