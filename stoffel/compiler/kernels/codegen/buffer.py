"""Layout of the memory that a kernel and the runtime share: the state buffer, array headers, frame records.

All words have 64 bits. The state buffer is the kernel's only argument. A kernel that leaves appends one frame record
for each native call, innermost first: the number of the site, then one word for each value that the site lists.
"""

from __future__ import annotations

from typing import Final

(
    STATUS,
    RESULT,
    ATTENTION,
    THREAD,
    FUEL,
    USED,
    FRAMES,
    CREATED,
    CHAIN,
    BUDGET,
    IS_MAIN,
    DEPTH,
    SLICE,
    MODE,
    REALLOC,
    FREE,
    SAVE_THREAD,
    RESTORE_THREAD,
    CHECK_SIGNALS,
    FMOD,
    FLAG,
    TAG,
    ARENA,
    ARENA_END,
    CHUNKS,
    STACK,
    NATIVE_FRAME,
    LEAST_DEPTH,
    SENT,
) = range(29)
"""Words of the state buffer.

STATUS: 0 if the kernel returned, 1 if it left. RESULT: what it returned; TAG: of what type that is, where a function
returns values of several types. ATTENTION: not 0 if it is to leave at the next poll, set by any thread. THREAD: the
suspended Python thread state while the interpreter lock is released. FUEL: what may be used until the first poll, at
the end what is left. USED: fuel used in slices that have ended. FRAMES: where the next frame record goes. CREATED:
number of arrays created. CHAIN: first of the headers made by the kernel. BUDGET: bytes that it may still allocate.
IS_MAIN: 1 in the thread that handles signals. DEPTH: native calls that may be nested. SLICE: fuel of a slice. MODE: 0
to run, 1 to free what CHAIN and CHUNKS hold. REALLOC to FMOD: addresses of functions. FLAG: the compare flag for an
entry in mid-function. ARENA to ARENA_END: memory for objects; CHUNKS: the last piece of it, whose first word is the one
before. STACK: lowest address that native calls may use of the thread's stack; NATIVE_FRAME: bytes that one of them
takes; LEAST_DEPTH: how many must fit, otherwise nothing is run. SENT: address of a word that is not 0 when another
thread has sent this one an exception.
"""

VALUES: Final = 32
"""First word of the values that a kernel is entered with."""

(
    DATA,
    LENGTH,
    CAPACITY,
    OWNED,
    NUMBER,
    NEXT,
) = range(6)
"""Words of an array's header. DATA: address of the elements. OWNED: 1 if the kernel has allocated them. NUMBER: how
many arrays this kernel had created before. NEXT: the header made before this one."""

(
    MASK,
    IDENTITY,
    FIELDS,
) = range(3)
"""Words of an object. MASK: a bit for each field that it has, in the order in which it got them. IDENTITY: as NUMBER of
an array. FIELDS: the first of its fields."""

(
    WRITTEN,
    VARIANT,
    UPVALUES,
) = range(3)
"""Words of a closure. WRITTEN: how many times an upvalue was written back, each of which is another closure to the
program. VARIANT: number of its kind. UPVALUES: the first of them."""

CHUNK_BYTES: Final = 1 << 16
"""Size of a piece of memory for objects."""
HEADER_WORDS: Final = 8
HEADER_BYTES: Final = HEADER_WORDS * 8

FUEL_PER_SLICE: Final = 1 << 22
"""Fuel of a slice, in units of about one VM instruction: a few milliseconds."""
FIRST_FUEL: Final = 1 << 17
"""Fuel until the first poll, at which the global interpreter lock is released."""
