"""The compare flag: the values that CMP gives it, and the relation that a set of them stands for."""

from __future__ import annotations

import operator
from typing import Final

FLAGS: Final = frozenset({-1, 0, 1})
"""Less, equal, greater."""

SYMBOLS: Final = {"lt": "<", "le": "<=", "eq": "==", "ne": "!=", "gt": ">", "ge": ">="}
"""The relations by their names in Python's ``operator`` module, as in LLVM's conditions, and their symbols."""

RELATIONS: Final = {frozenset(flag for flag in FLAGS if getattr(operator, name)(flag, 0)): name for name in SYMBOLS}
"""The name of the relation of two operands that holds just where their comparison gives one of these flags."""
