"""Functions in LLVM IR that every kernel contains: polling, memory of arrays."""

from __future__ import annotations

import struct
from typing import Final

from stoffel.compiler.kernels.codegen import buffer

_TEMPLATE: Final = """
; The words of the state that it works on are touched by nothing else but the wrapper around a kernel, and what runs in
; it (signal handlers) cannot move what the kernel works on: so nothing need be loaded again after a poll.
define internal i64 @poll(ptr %S) noinline cold memory(inaccessiblemem: readwrite) {
  %slice_p = getelementptr inbounds i64, ptr %S, i64 SLICE
  %slice = load i64, ptr %slice_p, !tbaa !3
  %used_p = getelementptr inbounds i64, ptr %S, i64 USED
  %used = load i64, ptr %used_p, !tbaa !3
  %used1 = add i64 %used, %slice
  store i64 %used1, ptr %used_p, !tbaa !3
  %attention_p = getelementptr inbounds i64, ptr %S, i64 ATTENTION
  %attention = load volatile i64, ptr %attention_p
  %asked = icmp ne i64 %attention, 0
  br i1 %asked, label %leave, label %unasked
unasked:
  %sent_p = getelementptr inbounds i64, ptr %S, i64 SENT
  %sent_i = load i64, ptr %sent_p, !tbaa !3
  %sent_q = inttoptr i64 %sent_i to ptr
  %sent = load volatile i64, ptr %sent_q
  %is_sent = icmp ne i64 %sent, 0
  br i1 %is_sent, label %leave, label %calm
calm:
  %thread_p = getelementptr inbounds i64, ptr %S, i64 THREAD
  %thread = load i64, ptr %thread_p, !tbaa !3
  %main_p = getelementptr inbounds i64, ptr %S, i64 IS_MAIN
  %main = load i64, ptr %main_p, !tbaa !3
  %is_main = icmp ne i64 %main, 0
  %released = icmp ne i64 %thread, 0
  br i1 %released, label %free, label %held
free:
  br i1 %is_main, label %regain, label %go
regain:
  %restore_p = getelementptr inbounds i64, ptr %S, i64 RESTORE_THREAD
  %restore_i = load i64, ptr %restore_p, !tbaa !3
  %restore = inttoptr i64 %restore_i to ptr
  %thread_q = inttoptr i64 %thread to ptr
  call void %restore(ptr %thread_q)
  store i64 0, ptr %thread_p, !tbaa !3
  br label %held
held:
  %check_p = getelementptr inbounds i64, ptr %S, i64 CHECK_SIGNALS
  %check_i = load i64, ptr %check_p, !tbaa !3
  %check = inttoptr i64 %check_i to ptr
  %raised = call i32 %check()
  %is_raised = icmp ne i32 %raised, 0
  br i1 %is_raised, label %leave, label %again
again:
  %attention2 = load volatile i64, ptr %attention_p
  %asked2 = icmp ne i64 %attention2, 0
  br i1 %asked2, label %leave, label %release
release:
  %save_p = getelementptr inbounds i64, ptr %S, i64 SAVE_THREAD
  %save_i = load i64, ptr %save_p, !tbaa !3
  %save = inttoptr i64 %save_i to ptr
  %saved = call ptr %save()
  %saved_i = ptrtoint ptr %saved to i64
  store i64 %saved_i, ptr %thread_p, !tbaa !3
  br label %go
go:
  ret i64 %slice
leave:
  ret i64 -1
}

; Makes memory longer, where it is if there is room behind it; null if that is not to be had. What is null is new.
define internal ptr @resize(ptr %S, ptr %data, i64 %old, i64 %size) noinline {
  %budget_p = getelementptr inbounds i64, ptr %S, i64 BUDGET
  %budget = load i64, ptr %budget_p, !tbaa !3
  %extra = sub i64 %size, %old
  %left = sub i64 %budget, %extra
  %spent = icmp slt i64 %left, 0
  br i1 %spent, label %none, label %some
some:
  %realloc_p = getelementptr inbounds i64, ptr %S, i64 REALLOC
  %realloc_i = load i64, ptr %realloc_p, !tbaa !3
  %realloc = inttoptr i64 %realloc_i to ptr
  %result = call ptr %realloc(ptr %data, i64 %size)
  %failed = icmp eq ptr %result, null
  br i1 %failed, label %none, label %done
done:
  store i64 %left, ptr %budget_p, !tbaa !3
  ret ptr %result
none:
  ret ptr null
}

define internal ptr @allocate(ptr %S, i64 %size) {
  %result = call ptr @resize(ptr %S, ptr null, i64 0, i64 %size)
  ret ptr %result
}

define internal ptr @new_array(ptr %S) noinline {
  %h = call ptr @allocate(ptr %S, i64 HEADER_BYTES)
  %failed = icmp eq ptr %h, null
  br i1 %failed, label %none, label %some
some:
  store i64 0, ptr %h, !tbaa !5
  %length_p = getelementptr inbounds i64, ptr %h, i64 LENGTH
  store i64 0, ptr %length_p, !tbaa !5
  %capacity_p = getelementptr inbounds i64, ptr %h, i64 CAPACITY
  store i64 0, ptr %capacity_p, !tbaa !5
  %owned_p = getelementptr inbounds i64, ptr %h, i64 OWNED
  store i64 1, ptr %owned_p, !tbaa !5
  %created_p = getelementptr inbounds i64, ptr %S, i64 CREATED
  %created = load i64, ptr %created_p, !tbaa !3
  %number_p = getelementptr inbounds i64, ptr %h, i64 NUMBER
  store i64 %created, ptr %number_p, !tbaa !5
  %created1 = add i64 %created, 1
  store i64 %created1, ptr %created_p, !tbaa !3
  %chain_p = getelementptr inbounds i64, ptr %S, i64 CHAIN
  %chain = load i64, ptr %chain_p, !tbaa !3
  %next_p = getelementptr inbounds i64, ptr %h, i64 NEXT
  store i64 %chain, ptr %next_p, !tbaa !5
  %h_i = ptrtoint ptr %h to i64
  store i64 %h_i, ptr %chain_p, !tbaa !3
  ret ptr %h
none:
  ret ptr null
}

; Memory for something small; null if there is none.
define internal ptr @reserve(ptr %S, i64 %size) inlinehint {
  %arena_p = getelementptr inbounds i64, ptr %S, i64 ARENA
  %arena = load i64, ptr %arena_p, !tbaa !3
  %end_p = getelementptr inbounds i64, ptr %S, i64 ARENA_END
  %end = load i64, ptr %end_p, !tbaa !3
  %rest = add i64 %arena, %size
  %full = icmp ugt i64 %rest, %end
  br i1 %full, label %more, label %fits, !prof !0
more:
  %chunk = call ptr @allocate(ptr %S, i64 CHUNK_BYTES)
  %failed = icmp eq ptr %chunk, null
  br i1 %failed, label %none, label %some
some:
  %chunks_p = getelementptr inbounds i64, ptr %S, i64 CHUNKS
  %chunks = load i64, ptr %chunks_p, !tbaa !3
  store i64 %chunks, ptr %chunk, !tbaa !5
  %chunk_i = ptrtoint ptr %chunk to i64
  store i64 %chunk_i, ptr %chunks_p, !tbaa !3
  %limit = add i64 %chunk_i, CHUNK_BYTES
  store i64 %limit, ptr %end_p, !tbaa !3
  %start = add i64 %chunk_i, 8
  %behind = add i64 %start, %size
  br label %fits
fits:
  %at = phi i64 [ %arena, %0 ], [ %start, %some ]
  %next = phi i64 [ %rest, %0 ], [ %behind, %some ]
  store i64 %next, ptr %arena_p, !tbaa !3
  %result = inttoptr i64 %at to ptr
  ret ptr %result
none:
  ret ptr null
}

define internal ptr @new_object(ptr %S, i64 %size) inlinehint {
  %object = call ptr @reserve(ptr %S, i64 %size)
  %failed = icmp eq ptr %object, null
  br i1 %failed, label %none, label %fits
fits:
  store i64 0, ptr %object, !tbaa !19
  %created_p = getelementptr inbounds i64, ptr %S, i64 CREATED
  %created = load i64, ptr %created_p, !tbaa !3
  %identity_p = getelementptr inbounds i64, ptr %object, i64 IDENTITY
  store i64 %created, ptr %identity_p, !tbaa !19
  %created1 = add i64 %created, 1
  store i64 %created1, ptr %created_p, !tbaa !3
  ret ptr %object
none:
  ret ptr null
}

; Makes room for one more element; returns false if that is not to be had.
define internal i1 @grow(ptr %S, ptr %h, i64 %item) noinline {
  %capacity_p = getelementptr inbounds i64, ptr %h, i64 CAPACITY
  %capacity = load i64, ptr %capacity_p, !tbaa !5
  %half = lshr i64 %capacity, 1
  %more = add i64 %capacity, %half
  %wanted = add i64 %more, 8
  %size = mul i64 %wanted, %item
  %data = load ptr, ptr %h, !tbaa !5
  %owned_p = getelementptr inbounds i64, ptr %h, i64 OWNED
  %owned = load i64, ptr %owned_p, !tbaa !5
  %is_owned = icmp ne i64 %owned, 0
  br i1 %is_owned, label %mine, label %borrowed
mine:
  %old = mul i64 %capacity, %item
  %moved = call ptr @resize(ptr %S, ptr %data, i64 %old, i64 %size)
  %refused = icmp eq ptr %moved, null
  br i1 %refused, label %none, label %done
borrowed:
  %new = call ptr @allocate(ptr %S, i64 %size)
  %failed = icmp eq ptr %new, null
  br i1 %failed, label %none, label %copy
copy:
  %length_p = getelementptr inbounds i64, ptr %h, i64 LENGTH
  %length = load i64, ptr %length_p, !tbaa !5
  %used = mul i64 %length, %item
  call void @llvm.memcpy.p0.p0.i64(ptr %new, ptr %data, i64 %used, i1 false)
  store i64 1, ptr %owned_p, !tbaa !5
  br label %done
done:
  %there = phi ptr [ %moved, %mine ], [ %new, %copy ]
  store ptr %there, ptr %h, !tbaa !5
  store i64 %wanted, ptr %capacity_p, !tbaa !5
  ret i1 true
none:
  ret i1 false
}

; A new array of the elements of another, so many times over; null if there is no memory for it.
define internal ptr @repeat(ptr %S, ptr %from, i64 %times0, i64 %item) noinline {
  %negative = icmp slt i64 %times0, 0
  %times = select i1 %negative, i64 0, i64 %times0
  %length_p = getelementptr inbounds i64, ptr %from, i64 LENGTH
  %length = load i64, ptr %length_p, !tbaa !5
  %product = call {i64, i1} @llvm.smul.with.overflow.i64(i64 %length, i64 %times)
  %count = extractvalue {i64, i1} %product, 0
  %too_long = extractvalue {i64, i1} %product, 1
  ; Of longer ones the machine makes an error (tables.ENUMERABLE).
  %huge = icmp ugt i64 %count, 67108864
  %bad = or i1 %too_long, %huge
  br i1 %bad, label %none, label %possible
possible:
  %h = call ptr @new_array(ptr %S)
  %failed = icmp eq ptr %h, null
  br i1 %failed, label %none, label %made
made:
  %empty = icmp eq i64 %count, 0
  br i1 %empty, label %done, label %fill
fill:
  %size = mul i64 %count, %item
  %data = call ptr @allocate(ptr %S, i64 %size)
  %failed2 = icmp eq ptr %data, null
  br i1 %failed2, label %undo, label %copy
undo:
  ; The interpreter will create the array again, under the same number.
  %created_p = getelementptr inbounds i64, ptr %S, i64 CREATED
  %created = load i64, ptr %created_p, !tbaa !3
  %created1 = sub i64 %created, 1
  store i64 %created1, ptr %created_p, !tbaa !3
  ret ptr null
copy:
  store ptr %data, ptr %h, !tbaa !5
  %length_q = getelementptr inbounds i64, ptr %h, i64 LENGTH
  store i64 %count, ptr %length_q, !tbaa !5
  %capacity_q = getelementptr inbounds i64, ptr %h, i64 CAPACITY
  store i64 %count, ptr %capacity_q, !tbaa !5
  %source = load ptr, ptr %from, !tbaa !5
  %once = mul i64 %length, %item
  call void @llvm.memcpy.p0.p0.i64(ptr %data, ptr %source, i64 %once, i1 false)
  br label %double
double:
  ; What is there already is copied behind itself, so that one element many times takes few steps.
  %filled = phi i64 [ %once, %copy ], [ %filled1, %step ]
  %full = icmp uge i64 %filled, %size
  br i1 %full, label %done, label %step
step:
  %rest = sub i64 %size, %filled
  %short = icmp ult i64 %rest, %filled
  %part = select i1 %short, i64 %rest, i64 %filled
  %to = getelementptr inbounds i8, ptr %data, i64 %filled
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %data, i64 %part, i1 false)
  %filled1 = add i64 %filled, %part
  br label %double
done:
  ret ptr %h
none:
  ret ptr null
}

ORDERS
define internal void @release(ptr %S) noinline cold {
  %chain_p = getelementptr inbounds i64, ptr %S, i64 CHAIN
  %first = load ptr, ptr %chain_p, !tbaa !3
  %free_p = getelementptr inbounds i64, ptr %S, i64 FREE
  %free_i = load i64, ptr %free_p, !tbaa !3
  %free = inttoptr i64 %free_i to ptr
  br label %loop
loop:
  %h = phi ptr [ %first, %0 ], [ %next, %one ]
  %end = icmp eq ptr %h, null
  br i1 %end, label %done, label %one
one:
  %next_p = getelementptr inbounds i64, ptr %h, i64 NEXT
  %next = load ptr, ptr %next_p, !tbaa !5
  %data = load ptr, ptr %h, !tbaa !5
  call void %free(ptr %data)
  call void %free(ptr %h)
  br label %loop
done:
  store i64 0, ptr %chain_p, !tbaa !3
  %chunks_p = getelementptr inbounds i64, ptr %S, i64 CHUNKS
  %last = load ptr, ptr %chunks_p, !tbaa !3
  br label %pieces
pieces:
  %c = phi ptr [ %last, %done ], [ %before, %piece ]
  %none = icmp eq ptr %c, null
  br i1 %none, label %out, label %piece
piece:
  %before = load ptr, ptr %c, !tbaa !5
  call void %free(ptr %c)
  br label %pieces
out:
  store i64 0, ptr %chunks_p, !tbaa !3
  ret void
}

declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare {i64, i1} @llvm.sadd.with.overflow.i64(i64, i64)
declare {i64, i1} @llvm.ssub.with.overflow.i64(i64, i64)
declare {i64, i1} @llvm.smul.with.overflow.i64(i64, i64)
declare {i64, i1} @llvm.uadd.with.overflow.i64(i64, i64)
declare {i64, i1} @llvm.usub.with.overflow.i64(i64, i64)
declare {i64, i1} @llvm.umul.with.overflow.i64(i64, i64)
declare double @llvm.fabs.f64(double)
declare i64 @llvm.smin.i64(i64, i64)
declare ptr @llvm.frameaddress.p0(i32)

!0 = !{!"branch_weights", i32 1, i32 100000}
!1 = !{!"stoffel"}
!2 = !{!"state", !1, i64 0}
!3 = !{!2, !2, i64 0}
!4 = !{!"header", !1, i64 0}
!5 = !{!4, !4, i64 0}
!6 = !{!"integers", !1, i64 0}
!7 = !{!6, !6, i64 0}
!8 = !{!"floats", !1, i64 0}
!9 = !{!8, !8, i64 0}
!10 = !{!"bools", !1, i64 0}
!11 = !{!10, !10, i64 0}
!12 = !{!"arrays", !1, i64 0}
!13 = !{!12, !12, i64 0}
!14 = !{!"frames", !1, i64 0}
!15 = !{!14, !14, i64 0}
!16 = !{i64 0, i64 9223372036854775807}
!18 = !{!"objects", !1, i64 0}
!19 = !{!18, !18, i64 0}
!20 = !{!"integer fields", !1, i64 0}
!21 = !{!20, !20, i64 0}
!22 = !{!"float fields", !1, i64 0}
!23 = !{!22, !22, i64 0}
!24 = !{!"table fields", !1, i64 0}
!25 = !{!24, !24, i64 0}
!17 = !{!"branch_weights", i32 100000, i32 1}
"""


_ORDER: Final = """
; Exact order of an integer and a Float that is not NaN: the Float is cut to an integer, then its fraction counts.
define internal i64 @order_NAME(i64 %a, double %b) {
  %above = fcmp oge double %b, LIMIT
  br i1 %above, label %less, label %not_above
not_above:
  %below = fcmp olt double %b, LEAST
  br i1 %below, label %greater, label %within
within:
  %cut = fptoPREFIXi double %b to i64
  %lt = icmp PREFIXlt i64 %a, %cut
  br i1 %lt, label %less, label %not_less
not_less:
  %gt = icmp PREFIXgt i64 %a, %cut
  br i1 %gt, label %greater, label %even
even:
  %whole = PREFIXitofp i64 %cut to double
  %over = fcmp ogt double %b, %whole
  br i1 %over, label %less, label %not_over
not_over:
  ; Only below 0, where cutting goes up.
  %under = fcmp olt double %b, %whole
  br i1 %under, label %greater, label %equal
less:
  ret i64 -1
greater:
  ret i64 1
equal:
  ret i64 0
}
"""


def _order(name: str, prefix: str, least: float, limit: float) -> str:
    """Return the function that orders integers of *least* to below *limit* and Floats."""
    text = _ORDER.replace("NAME", name).replace("PREFIX", prefix)
    return text.replace("LEAST", double(least)).replace("LIMIT", double(limit))


def double(value: float) -> str:
    """Return an LLVM constant with exactly the bits of *value*."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def _fill(template: str) -> str:
    orders = _order("signed", "s", -(2.0**63), 2.0**63) + _order("unsigned", "u", 0.0, 2.0**64)
    template = template.replace("ORDERS\n", orders)
    names = [name for name in vars(buffer) if name.isupper()]
    for name in sorted(names, key=len, reverse=True):
        template = template.replace(f"i64 {name}\n", f"i64 {vars(buffer)[name]}\n")
        template = template.replace(f"i64 {name})", f"i64 {vars(buffer)[name]})")
    return template.replace(", CHUNK_BYTES\n", f", {buffer.CHUNK_BYTES}\n")


SUPPORT: Final = _fill(_TEMPLATE)
"""The functions and the metadata, as text."""

UNLIKELY: Final = "!prof !0"
TBAA_STATE: Final = "!tbaa !3"
TBAA_HEADER: Final = "!tbaa !5"
TBAA_FRAMES: Final = "!tbaa !15"
LENGTH_RANGE: Final = "!range !16"
TBAA_OBJECT: Final = "!tbaa !19"
TBAA_FIELDS: Final = {"i64": "!tbaa !21", "double": "!tbaa !23", "ptr": "!tbaa !25"}
"""The same for fields of objects, by their LLVM type."""
TBAA_ELEMENTS: Final = {"int": "!tbaa !7", "float": "!tbaa !9", "bool": "!tbaa !11", "array": "!tbaa !13"}
"""Type-based alias classes: no two of them overlap in memory."""
