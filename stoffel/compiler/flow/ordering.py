"""The order in which a forward analysis visits blocks: loops as wholes, inner loops first.

A weak topological order (Bourdoncle, "Efficient chaotic iteration strategies with widenings", 1993): strongly connected
components in topological order, in each its head first, and then the rest of it ordered likewise. An analysis that
always takes the first block that is waiting brings a loop to rest before it looks at what comes after, and does not
follow every step of an inner loop through all the outer ones. The jumps backwards in this order are those to heads of
loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stoffel.compiler.flow.blocks import END, Graph

DEEPEST: Final = 12
"""Loops nested more deeply than this are not ordered among themselves any more: the order is a matter of speed only."""


def weak_topological_order(graph: Graph) -> list[int]:
    """Return the starts of all blocks of *graph*."""
    if not graph.visiting_order:
        graph.visiting_order = _ordered(graph)
    return graph.visiting_order


def _ordered(graph: Graph) -> list[int]:
    found = [block.start for block in graph.order()]
    rank = {start: position for position, start in enumerate(found)}
    successors = {start: [edge.target for edge in graph.blocks[start].edges() if edge.target != END] for start in found}
    if all(rank[target] > rank[start] for start in found for target in successors[start]):
        return found
    result: list[int] = []
    pending: list[tuple[Sequence[int], int]] = [(found, 0)]
    while pending:
        part, depth = pending.pop()
        if len(part) == 1 or depth > DEEPEST:
            result.extend(part)
            continue
        if depth:
            # A loop: its head, which comes first, is taken out, so that the loops within show.
            result.append(part[0])
            part = part[1:]
        components = _components(part, successors)
        pending.extend((sorted(component, key=rank.__getitem__), depth + 1) for component in components)
    return result


def _components(part: Sequence[int], successors: dict[int, list[int]]) -> list[list[int]]:
    """Return the strongly connected components within *part*, the last in topological order first.

    Tarjan, "Depth-first search and linear graph algorithms", 1972, with an explicit stack.
    """
    inside = set(part)
    numbers: dict[int, int] = {}
    lowest: dict[int, int] = {}
    path: list[int] = []
    on_path: set[int] = set()
    result: list[list[int]] = []
    for root in part:
        if root in numbers:
            continue
        stack = [(root, iter(successors[root]))]
        numbers[root] = lowest[root] = len(numbers)
        path.append(root)
        on_path.add(root)
        while stack:
            start, targets = stack[-1]
            for target in targets:
                if target not in inside:
                    continue
                if target not in numbers:
                    numbers[target] = lowest[target] = len(numbers)
                    path.append(target)
                    on_path.add(target)
                    stack.append((target, iter(successors[target])))
                    break
                if target in on_path and numbers[target] < lowest[start]:
                    lowest[start] = numbers[target]
            else:
                stack.pop()
                if stack and lowest[start] < lowest[stack[-1][0]]:
                    lowest[stack[-1][0]] = lowest[start]
                if lowest[start] == numbers[start]:
                    component = []
                    while True:
                        member = path.pop()
                        on_path.discard(member)
                        component.append(member)
                        if member == start:
                            break
                    result.append(component)
    return result
