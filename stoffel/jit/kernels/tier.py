"""Choosing what becomes a kernel: which functions and loops, when that pays, and when it turns out not to.

While compiled code runs, a clock asks it now and then to leave at its next safepoint. What is on the stack then is what
the time goes into (sampling): its functions and loops are wanted as kernels, and the next call or back-edge that the
interpreter comes to makes them. First only those that the cache on disk has; later, when the run has taken as long as
compiling would, all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from stoffel import forks
from stoffel.compiler.analysis.environment import Signature
from stoffel.compiler.analysis.facts import PRIVATE, RAW, Fact, is_raw, kind_of_class
from stoffel.compiler.analysis.layout import layout_of
from stoffel.compiler.kernels import INSTRUCTION_LIMIT, MODERATE
from stoffel.compiler.refusal import Refusal, TooLarge
from stoffel.isa.scalars import FixedInteger
from stoffel.isa.table import Flow
from stoffel.jit import mishaps
from stoffel.jit.kernels.builder import Builder, Job, Preparation
from stoffel.jit.kernels.marshalling import KINDS, OPAQUE, code_of_value
from stoffel.jit.kernels.memory import VALUE_LIMIT
from stoffel.jit.kernels.outcomes import KernelLeft, Mismatch
from stoffel.jit.kernels.runnable import RunnableKernel, RunnableSite
from stoffel.jit.kernels.running import Kernels
from stoffel.jit.policy import thresholds
from stoffel.model.code import Code
from stoffel.model.values import Array, Closure, Operand, TypedArray, Value
from stoffel.runtime.frames import NO_UPVALUES, ActivationRecord

if TYPE_CHECKING:
    from stoffel.jit.attention import Attention
    from stoffel.jit.code_cache import Units
    from stoffel.jit.exits import Exits
    from stoffel.jit.statistics import Statistics
    from stoffel.jit.store.kernel_cache import Cache
    from stoffel.runtime.state import VMState


class Candidate:
    """The kernels for one key: made, or why there is none."""

    __slots__ = ("distrusts_cache", "expects", "job", "kernels", "refusal", "subject", "tried")

    subject: tuple[Code, int | None]
    expects: tuple[type, ...] | None

    def __init__(self) -> None:
        self.kernels: list[RunnableKernel] = []
        self.refusal: Refusal | None = None
        self.job: Job | None = None
        self.tried: set[tuple[str, ...]] = set()
        self.distrusts_cache = False


class Owner(Protocol):
    """What the kernels of a machine ask of its compiled tier, whose code objects they call and are called by."""

    @property
    def state(self) -> VMState: ...
    @property
    def units(self) -> Units: ...
    @property
    def statistics(self) -> Statistics: ...
    @property
    def attention(self) -> Attention: ...
    @property
    def exits(self) -> Exits: ...


class KernelTier:
    """The kernels of one machine. *eager* makes everything that qualifies a kernel at once."""

    def __init__(self, tier: Owner, store: Cache, *, eager: bool) -> None:
        self.tier = tier
        self.state = tier.state
        self.units = tier.units
        self.statistics = tier.statistics
        self.store = store
        self.eager = eager
        self.kernels = Kernels(tier.state, tier.statistics)
        self.state.lending = self.kernels.lending
        self.may_build = eager
        self._most = INSTRUCTION_LIMIT if eager else MODERATE
        self._too_large: list[Candidate] = []
        """Those that are put off until larger ones are made."""
        self._calls: dict[tuple[Code, tuple[type, ...]], Candidate] = {}
        self._entries: dict[tuple[Code, int, tuple[type, ...]], Candidate] = {}
        self._read: dict[tuple[Code, int], list[int]] = {}
        self._made: set[Code] = set()
        self._ticks = 0
        self._wanted: set[Code] = set()
        self._wanted_heads: set[tuple[Code, int]] = set()
        self._recalled: set[tuple[Code, int | None]] = set()
        self._missed: dict[tuple[Code, int | None], None] = {}
        self._starts: Counter[Code] = Counter()
        self._given_up: set[tuple[Code, Signature]] = set()
        self._outgrown: dict[tuple[Code, Signature], Fact] = {}
        """What was promised when a kernel returned something else: as long as it is, the unit runs and learns."""
        self._standing_aside: set[tuple[Code, Signature]] = set()
        self._jobs: dict[Job, Candidate] = {}
        self.preparation = Preparation(tier.units)
        self.builder = Builder(tier.attention.kernel_finished)
        self.kernels.every = tier.attention.every
        self.units.kernel_for = self._kernel_for

    # What the next run of the same program may learn from

    def recall(self, kernels: Sequence[tuple[str, int | None]]) -> None:
        """Want what :meth:`chosen` has returned in an earlier run of the program."""
        self.may_build = self.may_build or bool(kernels)
        for name, entry in kernels:
            code = self.state.functions.get(name)
            if type(code) is not Code:
                continue
            self._recalled.add((code, entry))
            if entry is None:
                self._want_calls(code)
            else:
                self._wanted_heads.add((code, entry))

    def chosen(self) -> tuple[tuple[str, int | None], ...]:
        """Return which kernels have run or were made: function, and where it is taken over, None for calls."""
        candidates = (*self._entries.values(), *self._calls.values())
        chosen = [
            item
            for item in candidates
            if item.job or any(kernel.entries or not kernel.cached for kernel in item.kernels)
        ]
        return tuple(dict.fromkeys((code.name, entry) for code, entry in (item.subject for item in chosen)))

    def missed(self) -> tuple[tuple[str, int | None], ...]:
        """The same for those that were wanted while none was made, and were not in the cache."""
        return tuple((code.name, entry) for code, entry in self._missed)

    def renew_after_fork(self) -> None:
        """Have new locks, and a new thread if there is something to do, in a forked process."""
        self.kernels.lending.renew_after_fork()
        self.builder.renew_after_fork()

    def forget_all(self) -> None:
        """Have all kernels made anew: a name may mean something else. What is being made is not taken."""
        for table in (self._calls, self._entries, self._jobs, self._outgrown, self._missed):
            table.clear()
        self._given_up.clear()
        self._standing_aside.clear()
        self._too_large.clear()

    # Sampling

    def sample(self, records: list[ActivationRecord], ticks: int) -> None:
        """Take what is finished, and want a kernel of what is on the stack; *ticks* is 0 if the clock has not ticked.

        One is wanted at a time, the outermost, because it contains what it calls. If it cannot be made, the next
        sample looks further in.
        """
        self._collect()
        if not ticks:
            return
        if ticks > thresholds.TICKS_BEFORE_BUILDING and not self.may_build:
            self.may_build = True
            # What the cache did not have has not been tried.
            self._wanted.clear()
            self._wanted_heads.clear()
        if ticks > thresholds.TICKS_BEFORE_LARGE:
            self._most = INSTRUCTION_LIMIT
            for candidate in self._too_large:
                candidate.refusal = None
            self._too_large.clear()
        self._ticks = ticks
        counts = Counter(record.code for record in records)
        looked_at: set[tuple[Code, int]] = set()
        in_loop = False
        for position, record in enumerate(records):
            place = code, index = record.code, record.next_instruction
            if place in looked_at:
                continue
            looked_at.add(place)
            if position and (in_loop or counts[code] > 1) and code not in self._wanted:
                self._want_calls(code)
                return
            if len(self.units.instructions_of(code)) > self._most:
                in_loop = True
                continue
            head = self._head_around(code, index)
            in_loop = in_loop or head is not None
            if head is None:
                continue
            starts_again = not position and self._starts[code] > 1
            if not starts_again and (code, head) not in self._wanted_heads:
                self._wanted_heads.add((code, head))
                return
            if (code, 0) not in self._wanted_heads:
                # Runs of it are short, and many: the loop is always entered from the start of a call.
                self._wanted_heads.add((code, 0))
                self._want_calls(code)
                return

    def _want_calls(self, code: Code) -> None:
        self._wanted.add(code)
        self._standing_aside = {item for item in self._standing_aside if item[0] is not code}
        self.units.recall(code)

    def _head_around(self, code: Code, index: int) -> int | None:
        """Return where the innermost loop around an instruction begins, None if there is none.

        It is where the interpreter comes first; a kernel from there contains the loops around it as well.
        """
        heads = []
        for position, instruction in enumerate(self.units.instructions_of(code)):
            if instruction.op.flow is Flow.JUMP:
                target = code.function.labels[instruction.operands[0]]
                if target <= index <= position + 1:
                    heads.append(target)
        return max(heads, default=None)

    # Running

    def call(
        self, callee: Code, key: tuple[type, ...], arguments: list[Value], room: int
    ) -> Operand | KernelLeft | None:
        """Run a call by the interpreter as a kernel; raises Mismatch if there is none for it."""
        key = _ordinary(key)
        candidate = self._calls.get((callee, key))
        if candidate is None:
            if not self._is_wanted(callee, None):
                raise Mismatch
            candidate = self._calls[callee, key] = Candidate()
        return self._run(candidate, callee, None, arguments, room, None)

    def enter(self, record: ActivationRecord, entry: int, values: list[Value], room: int) -> Operand | KernelLeft:
        """Take over a record at a loop head as a kernel; raises Mismatch if there is none for it."""
        code = record.code
        if record.stack:
            raise Mismatch
        if entry == 0:
            self._starts[code] += 1
        read = self._read.get((code, entry))
        if read is None:
            if not self._is_wanted(code, entry):
                raise Mismatch
            read = self._read[code, entry] = self.preparation.places_read(code, entry)
        closure = record.closure
        if closure is not None:
            if closure.shape[1] != tuple([name for name, _ in record.upvalues]):
                raise Mismatch
            read = [*read, *range(len(values), len(values) + 1 + len(record.upvalues))]
            values = [*values, closure, *[value for _, value in record.upvalues]]
        key = code, entry, _ordinary(tuple([type(values[place]) for place in read]))
        candidate = self._entries.get(key)
        if candidate is None:
            candidate = self._entries[key] = Candidate()
        return self._run(candidate, code, entry, values, room, record)

    def _is_wanted(self, code: Code, entry: int | None) -> bool:
        """Return whether there should be a kernel of *code* from *entry*, None for its calls."""
        if entry is None:
            return self.eager or code in self._wanted or code in self._made
        return self.eager or (code, entry) in self._wanted_heads

    def _run(
        self,
        candidate: Candidate,
        code: Code,
        entry: int | None,
        values: Sequence[Value],
        room: int,
        outer: ActivationRecord | None,
    ) -> Operand | KernelLeft:
        if self.kernels.lending.is_held:
            raise Mismatch
        for kernel in candidate.kernels:
            if room < kernel.depth:
                raise Mismatch
            if kernel.expects is not None and kernel.expects != _ordinary(tuple(map(type, values))):
                continue
            try:
                result = self.kernels.run(kernel, values, room, outer)
            except Mismatch:
                if kernel.mismatches >= thresholds.MISMATCHES * (1 + kernel.entries):
                    self._drop(candidate, kernel, code, "it is called with arrays of other types too often")
                continue
            least = thresholds.LEAST_WORK_IF_EAGER if self.eager else thresholds.LEAST_WORK
            if (
                kernel.entries % thresholds.TRIAL == 0
                and kernel.work < kernel.entries * least
                and not self.kernels.every
            ):
                average = max(kernel.work // kernel.entries, 0)
                self._drop(candidate, kernel, code, f"its runs are too short: {average} instructions on average")
            return result
        made = self._make(candidate, code, entry, values)
        if made is None or room < made.depth:
            raise Mismatch
        return self.kernels.run(made, values, room, outer)

    def _drop(self, candidate: Candidate, kernel: RunnableKernel, code: Code, sentence: str) -> None:
        candidate.kernels.remove(kernel)
        self.statistics.tell("dropped", code, kernel.entry, f"a kernel: {sentence}", tier="kernel")
        self._refuse(candidate, code, Refusal(sentence, code.name))

    # Calls by compiled code

    def _kernel_for(self, callee: Code, signature: Signature) -> Callable[..., Value] | None:
        """Return what stands for the unit of *callee* where kernels may run it, None if nothing speaks for that."""
        if signature.captured is not None or not self._is_wanted(callee, None):
            return None
        if (callee, signature) in self._given_up or (callee, signature) in self._standing_aside:
            return None
        promised = self.units.result_of(callee, signature)
        if self._outgrown.get((callee, signature)) == promised:
            return None
        raw = is_raw(promised)
        raw_arguments = any(mask & RAW for mask in signature.masks)
        candidates: dict[tuple[type, ...], Candidate] = {}
        if raw_arguments:
            # Plain ints stand for values of narrower types: the classes follow from the signature.
            classes = [cls for cls in map(_class_of, signature.masks) if cls is not None]
            if len(classes) < len(signature.masks):
                return None
            candidates[()] = self._calls.setdefault((callee, tuple(classes)), Candidate())

        def run(room: int, *arguments: Operand) -> Operand:
            key = () if raw_arguments else _ordinary(tuple(map(type, arguments)))
            if Closure in key:
                # A kernel does not write back to the frames of compiled code.
                return self.units.run_unit(callee, signature, room, arguments)
            candidate = candidates.get(key)
            if candidate is None:
                candidate = candidates[key] = self._calls.setdefault((callee, key), Candidate())
            if candidate.kernels or candidate.refusal is None:
                given: Sequence[Value] = arguments
                if raw_arguments:
                    given = [
                        int.__new__(cls, value) if issubclass(cls, FixedInteger) else value
                        for cls, value in zip(classes, arguments, strict=True)
                    ]
                try:
                    result = self._run(candidate, callee, None, given, room, None)
                except Mismatch:
                    pass
                else:
                    if isinstance(result, KernelLeft):
                        self.tier.exits.leave_kernel(result)
                    if type(result) is Closure and promised.mask & PRIVATE:
                        # The kernel has made it, and nothing else holds it.
                        result.shared = False
                        return result
                    if kind_of_class(type(result)) & promised.mask:
                        return int(result) if raw else result
                    # Inference guesses, as what an array holds; the unit leaves where a guess fails, and learns.
                    self._outgrown[callee, signature] = promised
                    self.units.recall(callee)
                    self.tier.exits.leave_kernel(KernelLeft([self._returning(callee, given, result)]))
            if not candidate.kernels and len(candidates) == 1:
                # Compiled code calls the unit itself, until there is a kernel, or for good.
                (self._given_up if candidate.refusal else self._standing_aside).add((callee, signature))
                self.units.recall(callee)
            return self.units.run_unit(callee, signature, room, arguments)

        return run

    def _returning(self, code: Code, arguments: Sequence[Value], result: Value) -> ActivationRecord:
        """Return a record of a call of *code* that is about to return *result*."""
        record = ActivationRecord(self.state, code, list(arguments), NO_UPVALUES, None)
        instructions = self.units.instructions_of(code)
        returns = (
            (index, instruction.operands[0])
            for index, instruction in enumerate(instructions)
            if instruction.op.flow is Flow.RETURN
        )
        # The end of a function returns r0.
        index, register = next(returns, (len(instructions), 0))
        record.registers[register] = result
        record.jump(index)
        return record

    # Making

    def _make(
        self, candidate: Candidate, code: Code, entry: int | None, values: Sequence[Value]
    ) -> RunnableKernel | None:
        """Make a kernel for such values, at once if that is asked for, else have it made beside the run."""
        if (
            candidate.refusal is not None
            or candidate.job is not None
            or len(candidate.kernels) >= thresholds.KERNELS_OF_AN_ENTRY
        ):
            return None
        if not self._is_wanted(code, entry):
            return None
        if len(values) > VALUE_LIMIT:
            sentence = f"{len(values)} registers and slots, more than the {VALUE_LIMIT} of a kernel"
            self._refuse(candidate, code, Refusal(sentence, code.name))
            return None
        codes = [code_of_value(value) for value in values]
        expects = None
        if entry is not None:
            if candidate.tried or not self.eager:
                # Where what is not read has other types each time, they shall not matter: a tag more in each loop
                # costs less than a kernel that does not fit when it is ready.
                read = set(self._read[code, entry])
                places = layout_of(code, self.units.instructions_of(code)).stack
                codes = [item if place in read or place >= places else OPAQUE for place, item in enumerate(codes)]
            else:
                expects = _ordinary(tuple(map(type, values)))
        if tuple(codes) in candidate.tried:
            return None
        with self.units.working():
            return self._make_for(candidate, code, entry, values, codes, expects)

    def _make_for(
        self,
        candidate: Candidate,
        code: Code,
        entry: int | None,
        values: Sequence[Value],
        codes: list[str],
        expects: tuple[type, ...] | None,
    ) -> RunnableKernel | None:
        """Make a kernel for values of the types that *codes* name."""
        shape = tuple(codes)
        try:
            key = self.preparation.key(code, entry, codes)
            stored = not candidate.distrusts_cache and self.store.has(key)
            if not stored and not self.may_build:
                self._missed[code, entry] = None
                return None
            kernel = None if stored else self.preparation.analyse(code, entry, codes, self._most)
        except Refusal as refusal:
            if isinstance(refusal, TooLarge) and self._most < INSTRUCTION_LIMIT:
                self._too_large.append(candidate)
            self._refuse(candidate, code, refusal)
            return None
        except Exception as error:
            self._refuse(candidate, code, mishaps.refusal_for(error, code.name))
            return None
        job = Job(key, kernel, self.store)
        # Beside a run that keeps the interpreter busy, loading takes longer, and the run is slow meanwhile: what has
        # been of use before is waited for.
        at_once = self.eager or (stored and (code, entry) in self._recalled)
        if at_once:
            # Interrupted, it leaves no trace, and is made the next time.
            with forks.step():
                job.run()
        candidate.tried.add(shape)
        candidate.job = job
        candidate.subject = code, entry
        candidate.expects = expects
        if not at_once:
            self._jobs[job] = candidate
            self.builder.submit(job)
            return None
        made = self._install(candidate)
        return self._make(candidate, code, entry, values) if stored and made is None else made

    def _refuse(self, candidate: Candidate, code: Code, refusal: Refusal) -> None:
        candidate.refusal = kept = refusal.kept()
        self.statistics.no_kernel(code, kept)
        if not self.eager:
            # Something further in may do.
            self.tier.attention.tick(self._ticks)

    def _install(self, candidate: Candidate) -> RunnableKernel | None:
        """Take what came of the candidate's job."""
        job, candidate.job = candidate.job, None
        assert job is not None
        code, entry = candidate.subject
        if job.refusal is not None:
            self._refuse(candidate, code, job.refusal)
        if job.loaded is None:
            # What the cache has is of no use, and may stay there if the directory is not to be written to.
            candidate.distrusts_cache = job.kernel is None
            candidate.tried.clear()
            return None
        meta = {**job.meta, "cached": job.kernel is None, "entry": entry}
        made = RunnableKernel(code, job.loaded, meta, self._sites(meta))
        made.expects = candidate.expects
        candidate.kernels.append(made)
        self._made.add(code)
        self.statistics.made_kernel(code, made, job.seconds, job.size)
        return made

    def _collect(self) -> None:
        """Take the kernels that are finished."""
        while self.builder.finished:
            candidate = self._jobs.pop(self.builder.finished.popleft(), None)
            if candidate is None:
                continue
            self._install(candidate)
            code, entry = candidate.subject
            if entry is None:
                self._standing_aside.clear()
                self.units.recall(code)

    def _sites(self, meta: dict[str, Any]) -> list[RunnableSite]:
        sites = []
        layouts: dict[str, tuple[Code, list[int]]] = {}
        for name, resume, codes, places, outer, closure in meta["sites"]:
            known = layouts.get(name)
            if known is None:
                code = self.state.functions[name]
                assert type(code) is Code
                slots = layout_of(code, self.units.instructions_of(code)).slots
                known = layouts[name] = code, list(slots)
            sites.append(RunnableSite(known[0], known[1], resume, codes, places, outer, closure))
        return sites


def _ordinary(classes: tuple[type, ...]) -> tuple[type, ...]:
    """Return *classes* without a distinction of how arrays are stored."""
    return tuple([Array if cls is TypedArray else cls for cls in classes]) if TypedArray in classes else classes


def _class_of(mask: int) -> type | None:
    for cls in KINDS.values():
        if kind_of_class(cls) == mask:
            return cls
    return None
