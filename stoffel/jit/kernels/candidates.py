"""What kernels there are, are being made, or cannot be: one candidate for each function, entry and types of values.

A candidate has one state::

    (no candidate: the unit runs) --wanted--> WANTED --a job is given out--> MAKING --it is done--> KERNEL
                                                |                              |                      |
                                                +---------- REFUSED <----------+                   DROPPED
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from stoffel import forks
from stoffel.compiler.analysis.layout import layout_of
from stoffel.compiler.kernels import INSTRUCTION_LIMIT
from stoffel.compiler.refusal import Refusal, TooLarge
from stoffel.jit import mishaps
from stoffel.jit.kernels.builder import Builder, Job, Preparation
from stoffel.jit.kernels.marshalling import OPAQUE, code_of_value
from stoffel.jit.kernels.memory import VALUE_LIMIT
from stoffel.jit.kernels.runnable import RunnableKernel, RunnableSite
from stoffel.jit.policy import thresholds
from stoffel.model.code import Code
from stoffel.model.values import Array, TypedArray, Value

if TYPE_CHECKING:
    from stoffel.jit.attention import Attention
    from stoffel.jit.code_cache import Units
    from stoffel.jit.kernels.choice import Choice, Subject
    from stoffel.jit.store.kernel_cache import Cache


class State(Enum):
    """What becomes of a candidate next; kernels that it has got run whatever that is."""

    WANTED = auto()
    """The next values that come make one."""
    MAKING = auto()
    """One is being made, beside the run."""
    KERNEL = auto()
    """There is one, and there may be more of it for values of other types."""
    REFUSED = auto()
    """No more is made: the analysis or LLVM has said why."""
    DROPPED = auto()
    """No more is made: one has run, and did not pay."""


class Candidate:
    """The kernels of one *subject* for one key of types.

    ``job`` is what makes one at present, ``tried`` are the types for which one has been made, ``expects`` the classes
    that the next is made for, None if its types say that. ``distrusts_cache`` if what that has was of no use.
    """

    __slots__ = ("distrusts_cache", "expects", "job", "kernels", "state", "subject", "tried")

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.state = State.WANTED
        self.kernels: list[RunnableKernel] = []
        self.job: Job | None = None
        self.tried: set[tuple[str, ...]] = set()
        self.expects: tuple[type, ...] | None = None
        self.distrusts_cache = False

    @property
    def is_open(self) -> bool:
        """Whether one may be made at once."""
        return self.state is State.WANTED or self.state is State.KERNEL

    @property
    def is_settled(self) -> bool:
        """Whether no more is made, ever."""
        return self.state is State.REFUSED or self.state is State.DROPPED

    def reopen(self) -> None:
        """Let more be made."""
        self.state = State.KERNEL if self.kernels else State.WANTED


class Candidates:
    """The candidates of one machine: ``calls`` by function and classes of arguments, ``entries`` by those of values.

    ``jobs`` are those that other threads make. *made_for_calls* is told of each function for whose calls one came from
    there.
    """

    def __init__(
        self,
        units: Units,
        choice: Choice,
        store: Cache,
        attention: Attention,
        made_for_calls: Callable[[Code], None],
    ) -> None:
        self.units = units
        self.choice = choice
        self.store = store
        self.statistics = units.statistics
        self.preparation = Preparation(units.environment)
        self.builder = Builder(attention.kernel_finished)
        self.calls: dict[tuple[Code, tuple[type, ...]], Candidate] = {}
        self.entries: dict[tuple[Code, int, tuple[type, ...]], Candidate] = {}
        self.read: dict[tuple[Code, int], list[int]] = {}
        """The places that a kernel from an entry reads: only their classes matter to which one it is."""
        self.jobs: dict[Job, Candidate] = {}
        self._attention = attention
        self._made_for_calls = made_for_calls
        self._too_large: list[Candidate] = []
        """Those that are put off until larger ones are made."""

    def forget_all(self) -> None:
        """Have all made anew: a name may mean something else. What is being made is not taken."""
        for table in (self.calls, self.entries, self.jobs):
            table.clear()
        self._too_large.clear()

    def for_call(self, code: Code, classes: tuple[type, ...]) -> Candidate:
        """Return the candidate for calls of *code* with arguments of such classes."""
        return self.calls.setdefault((code, classes), Candidate((code, None)))

    def chosen(self) -> list[Subject]:
        """Return what has kernels that have run or were made, and what is being made."""
        return [
            item.subject
            for item in (*self.entries.values(), *self.calls.values())
            if item.job or any(kernel.entries or not kernel.cached for kernel in item.kernels)
        ]

    def admit_large(self) -> None:
        """Let those be made that were put off."""
        for candidate in self._too_large:
            candidate.reopen()
        self._too_large.clear()

    def drop(self, candidate: Candidate, kernel: RunnableKernel, sentence: str) -> None:
        """Do without a kernel that does not pay, for good."""
        candidate.kernels.remove(kernel)
        code = candidate.subject[0]
        self.statistics.tell("dropped", code, kernel.entry, f"a kernel: {sentence}", tier="kernel")
        self._settle(candidate, State.DROPPED, Refusal(sentence, code.name))

    def make(self, candidate: Candidate, values: Sequence[Value]) -> RunnableKernel | None:
        """Make a kernel for such values, at once if that is asked for, else have it made beside the run."""
        code, entry = candidate.subject
        if (
            not candidate.is_open
            or code in self.statistics.pinned
            or len(candidate.kernels) >= thresholds.KERNELS_OF_AN_ENTRY
        ):
            return None
        if not self.choice.is_wanted(code, entry):
            return None
        if len(values) > VALUE_LIMIT:
            sentence = f"{len(values)} registers and slots, more than the {VALUE_LIMIT} of a kernel"
            self._refuse(candidate, Refusal(sentence, code.name))
            return None
        codes = [code_of_value(value) for value in values]
        expects = None
        if entry is not None:
            if candidate.tried or not self.choice.eager:
                # Where what is not read has other types each time, they shall not matter: a tag more in each loop
                # costs less than a kernel that does not fit when it is ready.
                read = set(self.read[code, entry])
                places = layout_of(code, self.units.environment.instructions_of(code)).stack
                codes = [item if place in read or place >= places else OPAQUE for place, item in enumerate(codes)]
            else:
                expects = ordinary(tuple(map(type, values)))
        if tuple(codes) in candidate.tried:
            return None
        with self.units.working():
            return self._make_for(candidate, values, codes, expects)

    def _make_for(
        self,
        candidate: Candidate,
        values: Sequence[Value],
        codes: list[str],
        expects: tuple[type, ...] | None,
    ) -> RunnableKernel | None:
        """Make a kernel for values of the types that *codes* name."""
        code, entry = candidate.subject
        shape = tuple(codes)
        try:
            key = self.preparation.key(code, entry, codes)
            stored = not candidate.distrusts_cache and self.store.has(key)
            if not stored and not self.choice.may_build:
                self.choice.missed[code, entry] = None
                return None
            kernel = None if stored else self.preparation.analyse(code, entry, codes, self.choice.most)
        except Refusal as refusal:
            if isinstance(refusal, TooLarge) and self.choice.most < INSTRUCTION_LIMIT:
                self._too_large.append(candidate)
            self._refuse(candidate, refusal)
            return None
        except Exception as error:
            self._refuse(candidate, mishaps.refusal_for(error, code.name))
            return None
        job = Job(key, kernel, self.store)
        # Beside a run that keeps the interpreter busy, loading takes longer, and the run is slow meanwhile: what has
        # been of use before is waited for.
        at_once = self.choice.eager or (stored and (code, entry) in self.choice.recalled)
        if at_once:
            # Interrupted, it leaves no trace, and is made the next time.
            with forks.step():
                job.run()
        candidate.tried.add(shape)
        candidate.state, candidate.job = State.MAKING, job
        candidate.expects = expects
        if not at_once:
            self.jobs[job] = candidate
            self.builder.submit(job)
            return None
        made = self._install(candidate)
        return self.make(candidate, values) if stored and made is None else made

    def _refuse(self, candidate: Candidate, refusal: Refusal) -> None:
        self._settle(candidate, State.REFUSED, refusal)

    def _settle(self, candidate: Candidate, state: State, refusal: Refusal) -> None:
        candidate.state = state
        self.statistics.no_kernel(candidate.subject[0], refusal.kept())
        if not self.choice.eager:
            # Something further in may do.
            self._attention.tick(self.choice.ticks)

    def _install(self, candidate: Candidate) -> RunnableKernel | None:
        """Take what came of the candidate's job."""
        job, candidate.job = candidate.job, None
        assert job is not None
        code, entry = candidate.subject
        if candidate.state is State.MAKING:
            candidate.reopen()
        if job.refusal is not None:
            self._refuse(candidate, job.refusal)
        if job.loaded is None:
            # What the cache has is of no use, and may stay there if the directory is not to be written to.
            candidate.distrusts_cache = job.kernel is None
            candidate.tried.clear()
            return None
        meta = {**job.meta, "cached": job.kernel is None, "entry": entry}
        made = RunnableKernel(code, job.loaded, meta, self._sites(meta))
        made.expects = candidate.expects
        candidate.kernels.append(made)
        if candidate.state is State.WANTED:
            candidate.state = State.KERNEL
        self.choice.made.add(code)
        self.statistics.made_kernel(code, made, job.seconds, job.size)
        return made

    def collect(self) -> None:
        """Take the kernels that are finished."""
        while self.builder.finished:
            candidate = self.jobs.pop(self.builder.finished.popleft(), None)
            if candidate is None:
                continue
            self._install(candidate)
            code, entry = candidate.subject
            if entry is None:
                self._made_for_calls(code)

    def _sites(self, meta: dict[str, Any]) -> list[RunnableSite]:
        sites = []
        layouts: dict[str, tuple[Code, list[int]]] = {}
        for name, resume, codes, places, outer, closure in meta["sites"]:
            known = layouts.get(name)
            if known is None:
                code = self.units.state.functions[name]
                assert type(code) is Code
                slots = layout_of(code, self.units.environment.instructions_of(code)).slots
                known = layouts[name] = code, list(slots)
            sites.append(RunnableSite(known[0], known[1], resume, codes, places, outer, closure))
        return sites


def ordinary(classes: tuple[type, ...]) -> tuple[type, ...]:
    """Return *classes* without a distinction of how arrays are stored."""
    return tuple([Array if cls is TypedArray else cls for cls in classes]) if TypedArray in classes else classes
