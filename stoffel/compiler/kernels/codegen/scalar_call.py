"""A kernel as a C function of its arguments, in LLVM IR: ``i64 kernel(template, result, arguments...)``.

It is called by machine code that others have made (numba's), with or without the interpreter lock and in any thread,
so it has its state on the stack: a copy of *template*, the words of a state buffer. Integers come as ``i64`` and floats
as ``double``. It returns 0, the result being where *result* points, or 1: the call is to be run otherwise then, because
it fails, or does what kernels do not have. ATTENTION is set in the template, so the first poll leaves, before it would
touch Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stoffel.compiler.kernels import SYMBOL
from stoffel.compiler.kernels.analysis.ir import Instance
from stoffel.compiler.kernels.analysis.types import NOWHERE, Scalar
from stoffel.compiler.kernels.codegen import buffer
from stoffel.compiler.kernels.codegen.llvm_writer import LLVM, Writer
from stoffel.compiler.refusal import Refusal

FRAME_WORDS: Final = 1 << 12
"""Words on the stack for the frame records of calls that are left, which nobody reads."""


def scalar_call(main: Instance, texts: Sequence[str]) -> str:  # noqa: ARG001 - one shape for all that goes around
    """Return the text of the function."""
    if not isinstance(main.result, Scalar) or main.result.bank == NOWHERE:
        raise Refusal("it does not return numbers or Bools of one type", main.code.name)
    writer = Writer()
    size = 8 * (buffer.VALUES + 1)
    writer.line(f"call void @llvm.memcpy.p0.p0.i64(ptr %S, ptr %template, i64 {8 * buffer.VALUES}, i1 false)")
    writer.set_state(buffer.FRAMES, "%frames", "ptr")
    arguments = ["ptr %S", f"i64 {writer.state(buffer.FUEL)}", f"i64 {writer.state(buffer.DEPTH)}"]
    parameters = []
    for number, kind in enumerate(main.parameters):
        assert isinstance(kind, Scalar)
        parameters.append(f"{LLVM[kind.bank]} %p{number}")
        arguments.append(parameters[-1])
    both = f"{{{LLVM[main.result.bank]}, i64}}"
    pair = writer.value(f"call {both} @f{main.number}({', '.join(arguments)})")
    writer.line("call void @release(ptr %S)")
    left = writer.value(f"icmp slt i64 {writer.value(f'extractvalue {both} {pair}, 1')}, 0")
    value = writer.value(f"extractvalue {both} {pair}, 0")
    writer.line(f"store {LLVM[main.result.bank]} {value}, ptr %result")
    writer.line(f"ret i64 {writer.value(f'zext i1 {left} to i64')}")
    head = f"define i64 @{SYMBOL}({', '.join(['ptr %template', 'ptr %result', *parameters])}) {{"
    slots = [f"  %S = alloca [{size} x i8], align 16", f"  %frames = alloca [{FRAME_WORDS} x i64], align 16"]
    return "\n".join([head, "entry:", *slots, *writer.lines, "}", ""])
