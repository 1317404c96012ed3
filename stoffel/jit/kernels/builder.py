"""Making kernels: from a function and the values it is entered with to machine code, at once or beside the run.

The machine's own thread analyses, which takes milliseconds; what takes longer (loading llvmlite, LLVM itself, the cache
on disk) is a job that another thread can do, so that a program whose end is near loses next to nothing.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from stoffel import forks
from stoffel.compiler.analysis.layout import layout_of
from stoffel.compiler.kernels import CHARACTERS_OF_AN_INSTRUCTION, INSTRUCTION_LIMIT, SYMBOL
from stoffel.compiler.refusal import Refusal, TooLarge
from stoffel.isa.scalars import constant_key
from stoffel.isa.table import Flow
from stoffel.jit import mishaps
from stoffel.jit.kernels import perf_map
from stoffel.jit.store.digest import digest_of_files, sha256
from stoffel.model.code import Code
from stoffel.model.foreign import ForeignFunction
from stoffel.notices import say_once
from stoffel.threads import start

if TYPE_CHECKING:
    from stoffel.compiler.kernels.codegen.kernel import Kernel
    from stoffel.compiler.kernels.codegen.llvm import Loaded
    from stoffel.compiler.kernels.codegen.lowering import Around
    from stoffel.jit.environment import MachineEnvironment
    from stoffel.jit.store.kernel_cache import Cache

SHORT_TURN: Final = 0.0005
"""Seconds for which one thread keeps the interpreter while a kernel is being made (``sys.setswitchinterval``).

Loading llvmlite gives up the interpreter lock at each of its many files, and waits for one turn of the program to get
it back: with the 5 ms that are usual it takes several times as long as alone.
"""


LONGEST_WAIT_AT_EXIT: Final = 0.5
"""Seconds for which the end of the process waits for LLVM."""
_NO_THREAD: Final = "no thread can be started, in which LLVM would work beside the run"


class Job:
    """What is to be done for one kernel, and what came of it.

    *kernel* is None if the cache should have it. Afterwards ``loaded`` and ``meta`` are there, or ``refusal`` says why
    not; neither if the cache did not have it after all.
    """

    def __init__(self, key: str, kernel: Kernel | None, store: Cache) -> None:
        self.key = key
        self.kernel = kernel
        self.store = store
        self.loaded: Loaded | None = None
        self.meta: dict[str, Any] = {}
        self.refusal: Refusal | None = None
        self.size = 0
        self.seconds = 0.0

    def run(self, wanted: Callable[[], bool] = lambda: True) -> None:
        """Do it; *wanted* is asked between the steps whether it still makes sense."""
        began = perf_counter()
        try:
            self._run(wanted)
        except Refusal as refusal:
            self.refusal = refusal.kept()
        except Exception as error:
            self.refusal = mishaps.refusal_for(error)
        self.seconds = perf_counter() - began

    def _run(self, wanted: Callable[[], bool]) -> None:
        from stoffel.compiler.kernels.codegen import llvm

        reason = "the process was forked while LLVM was at work" if forks.was_cut() else llvm.why_not()
        if reason is not None:
            say_once(f"no kernels are made: {reason}")
            raise Refusal(reason)
        if not wanted():
            return
        if self.kernel is None:
            stored = self.store.get(self.key)
            if stored is None:
                return
            object_code, self.meta = stored.object_code, stored.meta
        else:
            object_code = llvm.build(self.kernel.ir, wanted)
            self.meta = _meta(self.kernel)
            self.store.put(self.key, object_code, self.meta)
        self.size = len(object_code)
        if wanted():
            self.loaded = llvm.load(object_code, SYMBOL)
            if perf_map.is_wanted():
                perf_map.note(self.loaded.address, object_code, self.meta["functions"])


_at_work: set[Builder] = set()
"""Builders whose thread is running."""


def is_at_work() -> bool:
    """Return whether a kernel is being made beside the run: a normal end of the process waits for it."""
    return bool(_at_work)


class ShortTurns:
    """While it is entered, by however many threads, each thread keeps the interpreter for :data:`SHORT_TURN` at most.

    The last one out restores what was usual, but leaves alone what the host has set meanwhile.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entered = 0
        self._usual = self._own = 0.0

    def renew_after_fork(self) -> None:
        """Restore what was usual, in a forked process: nobody is in it there."""
        self._lock = threading.Lock()
        self._entered = min(self._entered, 1)
        if self._entered:
            self.__exit__()

    def __enter__(self) -> None:
        with self._lock:
            if not self._entered:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(min(self._usual, SHORT_TURN))
                # It may have been rounded.
                self._own = sys.getswitchinterval()
            self._entered += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._entered -= 1
            if not self._entered and sys.getswitchinterval() == self._own:
                # Python cuts it down to whole microseconds, of what it has told as well.
                sys.setswitchinterval(self._usual + 5e-7)


_short_turns: Final = ShortTurns()
forks.renew(_short_turns)


class Builder:
    """Does jobs in a thread of its own, one after the other; *done* is called in that thread after each."""

    def __init__(self, done: Callable[[], None]) -> None:
        self.finished: deque[Job] = deque()
        self._done = done
        self._waiting: deque[Job] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def submit(self, job: Job) -> None:
        """Have *job* done; it is in ``finished`` then."""
        with self._lock:
            self._waiting.append(job)
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._work, name="stoffel kernels", daemon=True)
            if start(thread):
                self._thread = thread
                _at_work.add(self)
                atexit.register(self._stop, thread)
                return
            refused = [*self._waiting]
            self._waiting.clear()
        say_once(f"no kernels are made: {_NO_THREAD}")
        for job in refused:
            job.refusal = Refusal(_NO_THREAD)
            self.finished.append(job)
        self._done()

    def renew_after_fork(self) -> None:
        """Go on with what is waiting, in a new thread, in a forked process."""
        self._lock = threading.Lock()
        if self._thread is not None:
            atexit.unregister(self._stop)
            _at_work.discard(self)
            self._thread = None
        if self.finished:
            self._done()
        if self._waiting:
            self.submit(self._waiting.pop())

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._stopping:
                    self._thread = None
                    _at_work.discard(self)
                    break
                job = self._waiting.popleft()
            with forks.step():
                with _short_turns:
                    job.run(lambda: not self._stopping)
                self.finished.append(job)
            self._done()
        atexit.unregister(self._stop)

    def _stop(self, thread: threading.Thread) -> None:
        """Wait for the step in progress: LLVM must not be at work while the process is taken down.

        If that takes long, the C library is told to end the process at once when it comes to that, where it can be.
        """
        self._stopping = True
        thread.join(LONGEST_WAIT_AT_EXIT)
        if thread.is_alive() and not _end_at_once():
            thread.join()


def _end_at_once() -> bool:
    """Have the process end with its status, but without the destructors of LLVM; return whether that is possible."""
    import ctypes

    try:
        library = ctypes.CDLL(None)
        return not library.on_exit(library._exit, None)
    except (AttributeError, OSError, TypeError):
        return False


class Preparation:
    """Keys and analyses of the functions of one machine."""

    def __init__(self, environment: MachineEnvironment) -> None:
        self.environment = environment
        self._contents: dict[Code, str] = {}

    def key(self, code: Code, entry: int | None, codes: list[str]) -> str:
        """Return a text that is the same exactly where the same machine code may be used.

        Raises Refusal for a function that is too large for a kernel.
        """
        from stoffel.compiler.kernels.analysis.types import functions_of

        size = len(self.environment.instructions_of(code))
        if size > INSTRUCTION_LIMIT:
            sentence = f"'{code.name}' has {size} instructions, more than the {INSTRUCTION_LIMIT} of a kernel"
            raise Refusal(sentence, code.name)
        digest = sha256(f"{_compiler_identity()} {code.name!r} {entry} {codes!r}".encode())
        pending = [code]
        seen = {code}
        for function in (function for kind in codes for function in functions_of(kind)):
            self._find(function, seen, pending)
        while pending:
            item = pending.pop()
            digest.update(self._content(item).encode("utf-8", "surrogatepass"))
            for instruction in self.environment.instructions_of(item):
                for operand in instruction.operands:
                    # It may name the function of a closure.
                    if type(operand) is str and instruction.op.flow is Flow.NEXT:
                        self._find(operand, seen, pending)
                if instruction.op.flow is Flow.CALL:
                    name = instruction.operands[0]
                    callee = self.environment.resolve(name)
                    if not isinstance(callee, Code):
                        standard = isinstance(callee, ForeignFunction) and callee.standard
                        digest.update(f"{name!r} {standard}".encode("utf-8", "surrogatepass"))
                    else:
                        self._find(name, seen, pending)
        return digest.hexdigest()

    def _find(self, name: str, seen: set[Code], pending: list[Code]) -> None:
        """Have the VM function *name*, if it is one that a kernel may contain, looked at too."""
        callee = self.environment.resolve(name)
        if not isinstance(callee, Code) or callee in seen:
            return
        if len(self.environment.instructions_of(callee)) <= INSTRUCTION_LIMIT:
            seen.add(callee)
            pending.append(callee)

    def _content(self, code: Code) -> str:
        content = self._contents.get(code)
        if content is None:
            lines = [
                f"{instruction.op.code} {[constant_key(item) for item in instruction.operands]!r}"
                for instruction in self.environment.instructions_of(code)
            ]
            head = f"{code.name!r} {code.parameters!r} {code.upvalue_names!r} {code.register_count}"
            labels = sorted(code.function.labels.items())
            content = self._contents[code] = f"{head} {labels!r} {lines!r}"
        return content

    def places_read(self, code: Code, entry: int) -> list[int]:
        """Return the places whose values matter where a record is taken over."""
        from stoffel.compiler.kernels.analysis.live_in import places_read

        layout = layout_of(code, self.environment.instructions_of(code))
        return places_read(self.environment.graph(code, entry), layout)

    def analyse(
        self, code: Code, entry: int | None, codes: list[str], most: int, around: Around | None = None
    ) -> Kernel:
        """Return the kernel of a function for values of the types that *codes* name. Raises Refusal.

        *around* writes what the runtime calls, unless that is one call of the function.
        It has at most *most* instructions, and its LLVM IR no more than such a one; others are refused by TooLarge.
        """
        from stoffel.compiler.kernels.analysis.inference import Family
        from stoffel.compiler.kernels.analysis.types import type_of_code
        from stoffel.compiler.kernels.codegen.lowering import lower

        family = Family(self.environment, self.environment.instructions_of, most, repeated=around is not None)
        main = family.analyse(code, entry, [type_of_code(item) for item in codes])
        kernel = lower(family, main, entry is not None, around)
        size = len(kernel.ir) // CHARACTERS_OF_AN_INSTRUCTION
        if size > most:
            raise TooLarge(
                f"nested as it is, it takes LLVM as long as {size} instructions, more than {most}", code.name
            )
        return kernel


@cache
def _compiler_identity() -> str:
    """Return what stands in every key for the compiler and all that it reads: a digest of the whole package.

    Where that is not in files (an archive), it is a text that no other process has: kernels are then made anew.
    """
    try:
        return digest_of_files(sys.modules["stoffel"].__path__[0])
    except OSError:
        return os.urandom(32).hex()


def _meta(kernel: Kernel) -> dict[str, Any]:
    """Return what the cache keeps of a kernel besides its machine code."""
    return {
        "values": kernel.values,
        "result": kernel.result,
        "tags": kernel.tags,
        "constants": kernel.constants,
        "closures": kernel.closures,
        "depth": kernel.depth,
        "instructions": kernel.instructions,
        "functions": kernel.functions,
        "sites": [
            [site.function, site.resume, site.codes, site.places, site.outer, site.closure] for site in kernel.sites
        ],
    }
