"""LLVM IR and assembly of kernels as ``stoffel explain`` shows them: without what every kernel has."""

from __future__ import annotations

import re
from typing import Final

from stoffel.compiler.kernels import SYMBOL
from stoffel.compiler.kernels.codegen import llvm as machine_code
from stoffel.compiler.kernels.codegen.support import SUPPORT

_SUPPORT: Final = frozenset(re.findall(r"^define [^@]*@(\w+)\(", SUPPORT, re.MULTILINE))
"""Functions that kernels share: polling, memory, comparison of integers with Floats."""
_DEFINE: Final = re.compile(r"define [^@]*@([\w.]+)\(")
_LABEL: Final = re.compile(rf"_?({'|'.join([SYMBOL, r'f[0-9]+', *sorted(_SUPPORT)])}):")
_DATA: Final = (".quad", ".long", ".byte", ".zero", ".short", ".ascii")


def llvm(ir: str) -> str:
    """Return the optimised LLVM IR of a kernel's own functions. Raises Refusal where there is no LLVM."""
    lines: list[str] = []
    left_out: list[str] = []
    shown = False
    for line in machine_code.optimised(ir).splitlines():
        found = _DEFINE.match(line)
        if found is not None:
            shown = found[1] not in _SUPPORT
            if not shown:
                left_out.append(found[1])
        if shown:
            lines.append(line)
        if line == "}":
            if shown:
                lines.append("")
            shown = False
    return "\n".join([*lines, *_note(";", left_out)])


def assembly(ir: str) -> str:
    """Return the assembly of a kernel's own functions, without most directives. Raises Refusal as :func:`llvm`."""
    lines: list[str] = []
    left_out: list[str] = []
    shown = True
    for line in machine_code.assembly(ir).splitlines():
        found = _LABEL.match(line)
        if found is not None:
            shown = found[1] not in _SUPPORT
            if not shown:
                left_out.append(found[1])
        directive = line.strip()
        if shown and (not directive.startswith(".") or directive.endswith(":") or directive.startswith(_DATA)):
            lines.append(line.expandtabs(8))
    return "\n".join([*lines, *_note("#", left_out)])


def _note(mark: str, left_out: list[str]) -> list[str]:
    return [f"{mark} not shown: {', '.join(left_out)}, which all kernels share"] if left_out else []
