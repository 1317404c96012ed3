"""The classes that the tiers are made of stay small enough to have one subject each."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
METHODS = 20
ATTRIBUTES = 15
SPLIT = {
    "stoffel/jit/attention.py",
    "stoffel/jit/code_cache.py",
    "stoffel/jit/code_tier.py",
    "stoffel/jit/environment.py",
    "stoffel/jit/exits.py",
    "stoffel/jit/functions.py",
    "stoffel/jit/host_stack.py",
    "stoffel/jit/kernels/bridge.py",
    "stoffel/jit/kernels/candidates.py",
    "stoffel/jit/kernels/choice.py",
    "stoffel/jit/kernels/running.py",
    "stoffel/jit/kernels/tier.py",
    "stoffel/jit/suspension.py",
    "stoffel/jit/translating.py",
}


def classes_of(text: str) -> dict[str, tuple[set[str], set[str]]]:
    """Return the names of methods and of attributes of each class: what its methods assign to ``self``, and fields."""
    found = {}
    for cls in ast.walk(ast.parse(text)):
        if isinstance(cls, ast.ClassDef):
            methods = {item.name for item in cls.body if isinstance(item, ast.FunctionDef)}
            attributes = {
                node.attr
                for node in ast.walk(cls)
                if isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and isinstance(node.value, ast.Name)
                and node.value.id == "self"
            }
            annotated = [item for item in cls.body if isinstance(item, ast.AnnAssign)]
            fields = {ast.unparse(item.target) for item in annotated if "ClassVar" not in ast.unparse(item.annotation)}
            found[cls.name] = methods, (attributes | fields) - methods
    return found


@pytest.mark.parametrize("file", sorted(SPLIT))
def test_no_class_has_more_than_one_reader_keeps_in_mind(file: str) -> None:
    large = {
        name: (sorted(methods), sorted(attributes))
        for name, (methods, attributes) in classes_of((ROOT / file).read_text()).items()
        if len(methods) > METHODS or len(attributes) > ATTRIBUTES
    }
    assert large == {}


def test_methods_and_attributes_are_counted_wherever_they_are_made() -> None:
    text = """
class Thing:
    field: int
    of_the_class: ClassVar[int] = 2
    constant = 1

    def __init__(self):
        self.first = self._second = 0

    @property
    def shown(self):
        self.third, other.fourth = 1, 2

    def shown_too(self):
        self.field += 1
"""
    assert classes_of(text) == {"Thing": ({"__init__", "shown", "shown_too"}, {"field", "first", "_second", "third"})}
