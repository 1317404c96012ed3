"""Running kernels: the machine code that one machine has in memory, and calling it.

A kernel is called through ctypes with the interpreter lock held; it gives the lock up at its first poll, so a short
kernel pays nothing for it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from stoffel.compiler.kernels.codegen import buffer
from stoffel.jit.kernels.async_exceptions import address_of_exception
from stoffel.jit.kernels.lending import Lending
from stoffel.jit.kernels.marshalling import Run
from stoffel.jit.kernels.memory import NOT_RUN, Memory
from stoffel.jit.kernels.outcomes import KernelLeft, Mismatch
from stoffel.jit.kernels.runnable import RunnableKernel
from stoffel.model.values import Operand
from stoffel.runtime.frames import ActivationRecord
from stoffel.runtime.interruptions import complete
from stoffel.threads import stack_of_thread

if TYPE_CHECKING:
    from stoffel.jit.statistics import Statistics
    from stoffel.runtime.state import VMState

STACK_TO_SPARE: Final = 20 << 10
"""Bytes of a thread's stack that native calls leave free."""
STACK_OF_HANDLERS: Final = 128 << 10
"""The same where they may be interrupted by signal handlers."""
WORK_PER_ARRAY: Final = 50
"""VM instructions that take as long in compiled code as making the header of an array that a kernel is given."""
WORK_PER_RECORD: Final = 200
"""The same for rebuilding the record of a call in which a kernel is left, besides that of its first one
(``python -m benchmarks --sections deoptimisation``)."""
FUEL_PER_EXIT: Final = 8
"""Fuel for each safepoint that is to be passed where leaving is forced (``CompiledTier.every``)."""


class Kernels:
    """Runs the kernels of one machine. ``every`` makes them leave soon: shows that leaving is exact.

    ``running`` has the kernel in progress, if there is one, by its memory.
    """

    def __init__(self, state: VMState, statistics: Statistics) -> None:
        self.state = state
        self.statistics = statistics
        self._attention = 0
        self.every = 0
        self._pool: list[Memory] = []
        self.running: dict[Memory, RunnableKernel] = {}
        self.lending = Lending(state.ask_attention)

    def ask_attention(self, wanted: bool) -> None:
        """Make a kernel that runs leave at its next poll; may be called from any thread."""
        self._attention = int(wanted)
        for memory in self.running.copy():
            memory.state[buffer.ATTENTION] = int(wanted)

    def run(
        self, kernel: RunnableKernel, values: Sequence[Operand], room: int, outer: ActivationRecord | None = None
    ) -> Operand | KernelLeft:
        """Run a kernel; *room* is how many records its calls may stack up, *outer* the record that it takes over.

        Returns its result, or a KernelLeft whose records are to go on in the interpreter. Raises Mismatch, nothing
        having happened, if the values are not of the types that it is made for.
        """
        memory = self._pool.pop() if self._pool else Memory()
        run = Run(self.state, kernel, memory, outer)
        state = memory.state
        memory.words[:] = memory.fresh
        interruption: BaseException | None = None
        try:
            self.lending.begin(run)
        except BaseException:
            self.lending.end(run)
            self._pool.append(memory)
            raise
        try:
            for index, code in enumerate(kernel.values):
                run.give(index, code, values[index])
            run.check_closures()
            nesting = min(room, kernel.nesting)
            memory.make_room(kernel.frame_words * (nesting + 2))
            state[buffer.FRAMES] = memory.frames_address
            if self.every:
                fuel = self.every * FUEL_PER_EXIT
                state[buffer.FUEL] = fuel
                state[buffer.USED] = fuel - buffer.FUEL_PER_SLICE
            state[buffer.DEPTH] = nesting
            is_main = threading.current_thread() is threading.main_thread()
            state[buffer.IS_MAIN] = is_main
            state[buffer.SENT] = address_of_exception()
            state[buffer.STACK] = stack_of_thread()[0] + (STACK_OF_HANDLERS if is_main else STACK_TO_SPARE)
            state[buffer.NATIVE_FRAME] = kernel.native_frame
            state[buffer.LEAST_DEPTH] = max(kernel.depth, min(nesting, 1))
            if outer is not None:
                state[buffer.FLAG] = outer.flag
            if self.statistics.listeners:
                self.statistics.entering("kernel", kernel.code, kernel.entry)
            self.running[memory] = kernel
            # Whoever asks after this line finds the memory among those running.
            state[buffer.ATTENTION] = self._attention
            kernel.function(memory.address)
            if state[buffer.STATUS] == NOT_RUN:
                raise Mismatch
        except BaseException as error:
            if state[buffer.STATUS] == NOT_RUN:
                run.give_back()
                self.lending.end(run)
                self.running.pop(memory, None)
                self._pool.append(memory)
                if isinstance(error, (Mismatch, RecursionError)):
                    kernel.mismatches += 1
                    raise Mismatch from None
                raise
            # A signal handler has raised: the kernel has left for it, or was about to end anyway.
            interruption = error
        try:
            self._take_over(run)
        except BaseException as error:
            # One has raised meanwhile, and waits until all is taken over: what the kernel did cannot be undone.
            interruption = error
            complete(self._take_over, run)
        result = run.result
        if interruption is not None:
            if type(result) is not KernelLeft:
                raise interruption
            result.interruption = interruption
        return result

    def _take_over(self, run: Run) -> None:
        """Take over what a kernel has done; can be called again after an interruption.

        So the memory of the kernel stays as it is until everything is read, and what must happen once is noted where
        Python does not look for signals.
        """
        if run.done:
            return
        kernel, memory = run.kernel, run.memory
        state = memory.state
        if not run.taken:
            self.running.pop(memory, None)
            created = state[buffer.CREATED]
            if created:
                if run.ids is None:
                    run.ids = []
                run.base = self._take_ids(created, run.ids)
            left = state[buffer.STATUS]
            if left:
                run.result = KernelLeft(run.records())
            else:
                code = kernel.tags[state[buffer.TAG]] if kernel.result == "mixed" else kernel.result
                if code[0] == "=":
                    run.result = code[1:]
                else:
                    run.result = None if code == "nil" else run.take(code, state[buffer.RESULT])
            run.finish()
            # A kernel that was left at a poll has used up its slice, and no other has begun.
            unused = state[buffer.FUEL]
            work = state[buffer.USED] + (buffer.FUEL_PER_SLICE - unused if unused >= 0 else 0)
            work -= WORK_PER_ARRAY * len(run.entered)
            if type(run.result) is KernelLeft:
                work -= WORK_PER_RECORD * (len(run.result.records) - 1)
            self.lending.end(run)
            run.taken = True
            kernel.entries += 1
            kernel.left += left
            kernel.work += work
        run.free()
        if (state[buffer.CHAIN] or state[buffer.CHUNKS]) and not state[buffer.MODE]:
            release, address = kernel.function, memory.address
            state[buffer.MODE] = 1
            release(address)
        pool = self._pool
        run.done = True
        pool.append(memory)

    def _take_ids(self, count: int, taken: list[int]) -> int:
        """Use up as many ids of tables as the kernel has created, in one call; return the first, kept in *taken*."""
        if not taken:
            ids = self.state.objects.next_id.__self__  # type: ignore[attr-defined]
            taken.extend(islice(ids, 0, count, count))
        return taken[0]
