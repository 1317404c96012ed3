"""A function as a kernel that loops over the rows of columns: making it, and running it in threads.

The kernel's memory is that of ordinary kernels (``jit/kernels/memory.py``), one for each range of rows at a time.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import numpy as np

from stoffel.columns.column import Column, Piece
from stoffel.compiler.kernels import INSTRUCTION_LIMIT
from stoffel.compiler.kernels.analysis.types import SCALARS
from stoffel.compiler.kernels.codegen import buffer
from stoffel.compiler.kernels.codegen.row_loop import Storage, row_loop
from stoffel.compiler.refusal import Refusal
from stoffel.embedding.vm import VirtualMachine
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.jit import mishaps
from stoffel.jit.kernels.builder import Job, Preparation
from stoffel.jit.kernels.memory import Memory
from stoffel.jit.kernels.runnable import RunnableKernel, RunnableSite
from stoffel.jit.store.digest import sha256
from stoffel.jit.store.kernel_cache import open_cache
from stoffel.model.code import Code
from stoffel.threads import stack_of_thread

ROWS: Final = 1 << 16
"""Rows that a thread runs in one piece: a few milliseconds at most, and little memory for the rows that are left."""
FUEL: Final = 1 << 26
"""VM instructions after which a call of the kernel returns, so that signals are seen: about a tenth of a second."""
STACK_TO_SPARE: Final = 128 << 10
"""Bytes of a thread's stack that native calls leave free."""

_CLASSES: Final = {scalar.name: cls for cls, scalar in SCALARS.items()}


def _storage(dtype: Any) -> Storage:
    kinds = {np.dtype(kind.type_name): kind for kind in INTEGER_KINDS.values()}
    return Storage(kinds.get(dtype), dtype.itemsize * 8)


class RowKernel:
    """The kernel of one function for columns of certain types; *result* is the class of its results."""

    def __init__(self, machine: VirtualMachine, code: Code, job: Job) -> None:
        assert job.loaded is not None
        # It is bound to nothing: what is left is run anew.
        sites = [RunnableSite(code, [], *site[1:]) for site in job.meta["sites"]]
        self._kernel = RunnableKernel(code, job.loaded, {**job.meta, "cached": False, "entry": None}, sites)
        self.result: type = _CLASSES[self._kernel.result]
        words = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
        self._call = ctypes.CFUNCTYPE(ctypes.c_int64, *words)(job.loaded.address)
        self._nesting = min(machine.max_call_depth - 1, self._kernel.nesting)
        self._pool: list[Memory] = []

    def run(self, columns: Sequence[Column], mask: Any, out: Any, rows: int, threads: int) -> Iterator[tuple[int, Any]]:
        """Run all rows; yield where each range ends, in order, and the rows in it that are to be run otherwise.

        *mask* is contiguous and says which rows are wanted, None for all; results go to *out*.
        """
        ranges = _ranges(columns, rows)
        if threads < 2 or rows <= ROWS:
            for first, end in ranges:
                yield end, self._range(columns, mask, out, first, end, None)
            return
        stop = threading.Event()
        with ThreadPoolExecutor(threads, "stoffel columns") as pool:
            try:
                ahead: deque[tuple[int, Future[Any]]] = deque()
                for first, end in ranges:
                    ahead.append((end, pool.submit(self._range, columns, mask, out, first, end, stop)))
                    if len(ahead) > 4 * threads:
                        done, future = ahead.popleft()
                        yield done, future.result()
                while ahead:
                    done, future = ahead.popleft()
                    yield done, future.result()
            finally:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)

    def _range(
        self, columns: Sequence[Column], mask: Any, out: Any, first: int, end: int, stop: threading.Event | None
    ) -> Any:
        """Run rows that are in one piece of every column; return those that are left."""
        memory = self._memory()
        state = memory.state
        places = np.empty(2 * len(columns) + 2, np.int64)
        for number, column in enumerate(columns):
            piece, start = column.piece_at(first)
            places[2 * number : 2 * number + 2] = _place(piece, start, column.length is None)
        places[-2:] = (0, 0) if out is None else (out.ctypes.data, out.strides[0])
        left = np.empty(end - first, np.int64)
        count = 0
        while first < end and not (stop is not None and stop.is_set()):
            memory.words[:] = memory.fresh
            state[buffer.ATTENTION] = 1
            state[buffer.FUEL] = FUEL
            state[buffer.FRAMES] = memory.frames_address
            state[buffer.DEPTH] = self._nesting
            state[buffer.STACK] = stack_of_thread()[0] + STACK_TO_SPARE
            state[buffer.NATIVE_FRAME] = self._kernel.native_frame
            state[buffer.LEAST_DEPTH] = max(self._kernel.depth, min(self._nesting, 1))
            found = self._call(
                memory.address,
                places.ctypes.data,
                first,
                end,
                None if mask is None else mask.ctypes.data,
                left.ctypes.data + 8 * count,
            )
            if found < 0:
                rest = np.arange(first, end)
                return np.concatenate([left[:count], rest if mask is None else rest[mask[first:end].astype(bool)]])
            count += found
            reached = state[buffer.VALUES]
            if reached == first:
                # One row takes so long that whoever runs it otherwise has to look for signals.
                left[count] = first
                count += 1
                reached += 1
            first = reached
        self._pool.append(memory)
        return left[:count]

    def _memory(self) -> Memory:
        try:
            return self._pool.pop()
        except IndexError:
            memory = Memory()
            memory.make_room(self._kernel.frame_words * (self._nesting + 2))
            return memory


def _place(piece: Piece, start: int, single: bool) -> tuple[int, int]:
    """Return where row 0 of the whole column would be, and how far rows are apart."""
    stride = 0 if single else piece.data.strides[0]
    return piece.data.ctypes.data - start * stride, stride


def _ranges(columns: Sequence[Column], rows: int) -> Iterator[tuple[int, int]]:
    ends = sorted({start for column in columns for start in column.starts if 0 < start < rows} | {rows})
    first = 0
    for end in ends:
        while first < end:
            yield first, min(first + ROWS, end)
            first = min(first + ROWS, end)


def threads_at_most() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def make(code: Code, machine: VirtualMachine, classes: Sequence[type], dtypes: Sequence[Any]) -> RowKernel:
    """Return the kernel of a function for parameters of *classes* from columns of NumPy types. Raises Refusal."""
    tier: Any = machine.state.tier
    if not tier.counts_heat:
        raise Refusal("nothing is compiled on this Python")
    if any(cls not in SCALARS for cls in classes):
        raise Refusal("strings are no values of a kernel", code.name)
    codes = [SCALARS[cls].name for cls in classes]
    around = row_loop([_storage(dtype) for dtype in dtypes])
    preparation = Preparation(tier.units.environment)
    try:
        key = sha256(f"rows {preparation.key(code, None, codes)} {[str(d) for d in dtypes]}".encode()).hexdigest()
        store = open_cache()
        job = Job(key, None, store) if store.has(key) else None
        if job is not None:
            job.run()
        if job is None or job.loaded is None:
            kernel = preparation.analyse(code, None, codes, INSTRUCTION_LIMIT, around)
            job = Job(key, kernel, store)
            job.run()
    except Refusal:
        raise
    except Exception as error:
        raise mishaps.refusal_for(error, code.name) from None
    if job.loaded is None:
        raise job.refusal or Refusal("the machine code could not be made")
    return RowKernel(machine, code, job)
