"""How far native calls may nest on the thread's stack, in LLVM IR."""

from __future__ import annotations

from stoffel.compiler.kernels.codegen import buffer
from stoffel.compiler.kernels.codegen.llvm_writer import Writer


def room_for_calls(writer: Writer) -> tuple[str, str]:
    """Write what finds out how many native calls may nest; return that, and whether it is enough to run anything."""
    # The real stack decides.
    here = writer.value(f"ptrtoint ptr {writer.value('call ptr @llvm.frameaddress.p0(i32 0)')} to i64")
    free = writer.value(f"sub i64 {here}, {writer.state(buffer.STACK)}")
    fitting = writer.value(f"sdiv i64 {free}, {writer.state(buffer.NATIVE_FRAME)}")
    depth = writer.value(f"call i64 @llvm.smin.i64(i64 {fitting}, i64 {writer.state(buffer.DEPTH)})")
    return depth, writer.value(f"icmp sge i64 {depth}, {writer.state(buffer.LEAST_DEPTH)}")
