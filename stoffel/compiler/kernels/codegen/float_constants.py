"""Float constants in LLVM IR, and NaNs that LLVM has folded from them.

What makes a NaN of other values has sign and payload that the processor chooses, for the interpreter too; LLVM
folds constants to a positive NaN whatever the processor does. So constants are globals: where a folded NaN is found in
optimised code they become variables, which nothing can be folded from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from stoffel.compiler.kernels.codegen.support import double

_CONSTANT: Final = "internal constant double"
_VARIABLE: Final = "internal externally_initialized global double"
_FOLDED: Final = re.compile(r"\b0x7FF8000000000000\b|\b9221120237041090560\b")
"""The NaN that LLVM folds to, as a double and as the word of its bits."""
_COMPUTING: Final = re.compile(r"\bf(?:add|sub|mul|div) double\b")
_NAN: Final = re.compile(rf"{_CONSTANT} 0x[7F]FF(?!0000000000000)")


def name_of(value: float) -> str:
    """Return the name of the global that holds *value*."""
    return f"@double.{double(value)[2:]}"


def definitions(texts: Iterable[str]) -> str:
    """Return the definitions of all such globals that *texts* use."""
    bits = sorted({bits for text in texts for bits in re.findall(r"@double\.([0-9A-F]{16})\b", text)})
    return "\n".join(f"@double.{item} = {_CONSTANT} 0x{item}" for item in bits)


def may_fold(ir: str) -> bool:
    """Return whether *ir* computes with floats at all."""
    return _COMPUTING.search(ir) is not None


def has_folded_nan(ir: str, optimised: str) -> bool:
    """Return whether optimising *ir* has, or can have, made a NaN or chosen between two."""
    return _NAN.search(ir) is not None or _FOLDED.search(optimised) is not None


def opaque(ir: str) -> str:
    """Return *ir* with variables in the place of the constants."""
    return ir.replace(_CONSTANT, _VARIABLE)
