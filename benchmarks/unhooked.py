"""The interpreter without its hook checks, made from its source: what the checks cost is the difference in time.

:func:`install` changes how modules of the machine are imported from then on: in their source every read of an
attribute ``attention`` (asks a run to look at the hooks at its next safepoint), ``hooked`` or ``watches_...`` (the run
produces events) becomes the constant False, and the bytecode compiler drops what depends on it. Nothing else differs,
and a change of the interpreter needs no change here.
"""

from __future__ import annotations

import ast
import importlib.machinery
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Final

CHECKED: Final = frozenset(
    {"attention", "hooked", "watches_calls", "watches_returns", "watches_instructions", "watches_tables"}
)
"""Attributes whose reads are the hook checks."""

PACKAGES: Final = ("stoffel.model.", "stoffel.runtime.", "stoffel.jit.", "stoffel.embedding.")


class RemoveChecks(ast.NodeTransformer):
    """Replace reads of the checked attributes by False; ``removed`` counts them."""

    def __init__(self) -> None:
        self.removed = 0

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Replace one attribute."""
        if node.attr in CHECKED and isinstance(node.ctx, ast.Load):
            self.removed += 1
            return ast.copy_location(ast.Constant(False), node)
        self.generic_visit(node)
        return node


class Loader(importlib.machinery.SourceFileLoader):
    """Compiles the changed source, and neither reads nor writes cached bytecode."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the module without its checks."""
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path), path)
        return compile(RemoveChecks().visit(tree), path, "exec", dont_inherit=True)


class Finder:
    """Finds the modules to change; leaves all others to those after it."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a module of the package with our loader in it, None for other modules."""
        if not name.startswith(PACKAGES):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec


def install() -> None:
    """Change imports from now on. Raises RuntimeError if the interpreter has been imported already."""
    if any(name.startswith(PACKAGES) for name in sys.modules):
        raise RuntimeError("the interpreter has been imported already, with its hook checks")
    sys.meta_path.insert(0, Finder)
