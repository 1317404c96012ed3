"""Choosing what becomes a kernel: which functions and loops, when that pays, and when it turns out not to.

While compiled code runs, a clock asks it now and then to leave at its next safepoint. What is on the stack then is what
the time goes into (sampling): its functions and loops are wanted as kernels, and the next call or back-edge that the
interpreter comes to makes them. First only those that the cache on disk has; later, when the run has taken as long as
compiling would, all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from stoffel.compiler import translator
from stoffel.compiler.environment import Signature
from stoffel.compiler.facts import RAW, is_raw, kind_of_class
from stoffel.compiler.refusal import Refusal
from stoffel.isa.scalars import FixedInteger, constant_key
from stoffel.isa.table import Flow
from stoffel.runtime.code import Code
from stoffel.runtime.foreign import ForeignFunction
from stoffel.runtime.kernel_outcomes import KernelLeft, Mismatch
from stoffel.runtime.kernels import (
    KINDS,
    Kernels,
    RunnableKernel,
    RunnableSite,
    code_of_value,
)
from stoffel.runtime.values import Value

if TYPE_CHECKING:
    from stoffel.compiler.kernels.cache import Cache
    from stoffel.compiler.kernels.lowering import Kernel
    from stoffel.runtime.compiled import CompiledTier
    from stoffel.runtime.frames import ActivationRecord

TICKS_BEFORE_BUILDING: Final = 1
"""Samples after which only kernels that are in the cache are used."""
VARIANTS: Final = 4
"""Kernels of one function, or one entry, for different element types of arrays."""
LEAST_WORK: Final = 400
"""VM instructions in each run below which entering a kernel costs more than it saves."""
LEAST_WORK_IF_EAGER: Final = 30
"""The same where kernels are made at any price: below it a program could come to a standstill."""
TRIAL: Final = 64
"""Runs between looking whether a kernel does so much."""
MISMATCHES: Final = 16
"""Times that a kernel may be given values of other types before it is given up."""


class Candidate:
    """The kernels for one key: made, or the sentence why there is none."""

    __slots__ = ("kernels", "refusal", "tried")

    def __init__(self) -> None:
        self.kernels: list[RunnableKernel] = []
        self.refusal: str | None = None
        self.tried: set[tuple[str, ...]] = set()


class KernelTier:
    """The kernels of one machine. *eager* makes everything that qualifies a kernel at once."""

    def __init__(self, tier: CompiledTier, store: Cache, *, eager: bool) -> None:
        self.tier = tier
        self.state = tier.state
        self.units = tier.units
        self.statistics = tier.statistics
        self.store = store
        self.eager = eager
        self.kernels = Kernels(tier.state)
        self.may_build = eager
        self._calls: dict[tuple[Code, tuple[type, ...]], Candidate] = {}
        self._entries: dict[tuple[Code, int, tuple[type, ...]], Candidate] = {}
        self._wanted: set[Code] = set()
        self._wanted_heads: set[tuple[Code, int]] = set()
        self._given_up: set[tuple[Code, Signature]] = set()
        self._contents: dict[Code, str] = {}
        self.kernels.every = tier.every
        self.units.kernel_for = self._kernel_for

    # Sampling

    def sample(self, records: list[ActivationRecord], ticks: int) -> None:
        """Want kernels of what is on the stack."""
        self.may_build = self.eager or ticks > TICKS_BEFORE_BUILDING
        counts = Counter(record.code for record in records)
        looked_at: set[tuple[Code, int]] = set()
        in_loop = False
        for position, record in enumerate(records):
            code = record.code
            if position and (in_loop or counts[code] > 1):
                self._want(code)
            place = code, record.next_instruction
            if place not in looked_at:
                looked_at.add(place)
                heads = self._heads_around(*place)
                self._wanted_heads.update((code, head) for head in heads)
                in_loop = bool(heads)

    def _want(self, code: Code) -> None:
        if code not in self._wanted:
            self._wanted.add(code)
            self.units.recall(code)

    def _heads_around(self, code: Code, index: int) -> list[int]:
        """Return the targets of back-edges that jump over the instruction before *index*."""
        heads = []
        for position, instruction in enumerate(self.units.instructions_of(code)):
            if instruction.op.flow is Flow.JUMP:
                target = code.function.labels[instruction.operands[0]]
                if target <= index <= position + 1:
                    heads.append(target)
        return heads

    # Running

    def call(self, callee: Code, key: tuple[type, ...], arguments: list[Value], room: int) -> Value | KernelLeft | None:
        """Run a call by the interpreter as a kernel; raises Mismatch if there is none for it."""
        candidate = self._calls.get((callee, key))
        if candidate is None:
            if not (self.eager or callee in self._wanted):
                raise Mismatch
            candidate = self._calls[callee, key] = Candidate()
        return self._run(candidate, callee, None, arguments, room, None)

    def enter(self, record: ActivationRecord, entry: int, values: list[Value], room: int) -> Value | KernelLeft:
        """Take over a record at a loop head as a kernel; raises Mismatch if there is none for it."""
        code = record.code
        key = code, entry, tuple(map(type, values))
        candidate = self._entries.get(key)
        if candidate is None:
            if not (self.eager or (code, entry) in self._wanted_heads):
                raise Mismatch
            candidate = self._entries[key] = Candidate()
        if record.stack:
            raise Mismatch
        return self._run(candidate, code, entry, values, room, record)

    def _run(
        self,
        candidate: Candidate,
        code: Code,
        entry: int | None,
        values: Sequence[Value],
        room: int,
        outer: ActivationRecord | None,
    ) -> Value | KernelLeft:
        for kernel in candidate.kernels:
            if room < kernel.depth:
                raise Mismatch
            try:
                result = self.kernels.run(kernel, values, room, outer)
            except Mismatch:
                if kernel.mismatches >= MISMATCHES * (1 + kernel.entries):
                    self._drop(candidate, kernel, code, "it is called with arrays of other types too often")
                continue
            least = LEAST_WORK_IF_EAGER if self.eager else LEAST_WORK
            if kernel.entries % TRIAL == 0 and kernel.work < kernel.entries * least:
                average = kernel.work // kernel.entries
                self._drop(candidate, kernel, code, f"its runs are too short: {average} instructions on average")
            return result
        made = self._make(candidate, code, entry, values)
        if made is None or room < made.depth:
            raise Mismatch
        return self.kernels.run(made, values, room, outer)

    def _drop(self, candidate: Candidate, kernel: RunnableKernel, code: Code, sentence: str) -> None:
        candidate.kernels.remove(kernel)
        candidate.refusal = sentence
        self.statistics.no_kernel(code, sentence)

    # Calls by compiled code

    def _kernel_for(self, callee: Code, signature: Signature) -> Callable[..., Value] | None:
        """Return what stands for the unit of *callee* where kernels may run it, None if nothing speaks for that."""
        if signature.captured is not None or not (self.eager or callee in self._wanted):
            return None
        if (callee, signature) in self._given_up:
            return None
        promised = self.units.result_of(callee, signature)
        raw = is_raw(promised)
        raw_arguments = any(mask & RAW for mask in signature.masks)
        candidates: dict[tuple[type, ...], Candidate] = {}
        if raw_arguments:
            # Plain ints stand for values of narrower types: the classes follow from the signature.
            classes = [cls for cls in map(_class_of, signature.masks) if cls is not None]
            if len(classes) < len(signature.masks):
                return None
            candidates[()] = self._calls.setdefault((callee, tuple(classes)), Candidate())

        def run(room: int, *arguments: Value) -> Value:
            key = () if raw_arguments else tuple(map(type, arguments))
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
                        self.tier.leave_kernel(result)
                    if kind_of_class(type(result)) & promised.mask:
                        return int(result) if raw else result
                    raise AssertionError(f"a kernel of {callee.name} returns what inference excludes")
            elif len(candidates) == 1:
                self._given_up.add((callee, signature))
                self.units.recall(callee)
            return self.units.run_unit(callee, signature, room, arguments)

        return run

    # Making

    def _make(
        self, candidate: Candidate, code: Code, entry: int | None, values: Sequence[Value]
    ) -> RunnableKernel | None:
        if candidate.refusal is not None or len(candidate.kernels) >= VARIANTS:
            return None
        codes = [code_of_value(value) for value in values]
        if (shape := tuple(codes)) in candidate.tried:
            return None
        began = perf_counter()
        try:
            key = self._key(code, entry, codes)
            stored = self.store.get(key)
            if stored is None and not self.may_build:
                return None
            candidate.tried.add(shape)
            from stoffel.compiler.kernels import machine_code

            if stored is None:
                kernel = self.analyse(code, entry, codes)
                object_code = machine_code.build(kernel.ir)
                meta = _meta(kernel)
                self.store.put(key, object_code, meta)
            else:
                object_code, meta = stored.object_code, stored.meta
            from stoffel.compiler.kernels.lowering import SYMBOL

            meta = {**meta, "cached": stored is not None, "entry": entry}
            made = RunnableKernel(code.name, machine_code.load(object_code, SYMBOL), meta, self._sites(meta))
        except Refusal as refusal:
            candidate.refusal = str(refusal)
            self.statistics.no_kernel(code, str(refusal))
            return None
        candidate.kernels.append(made)
        self.statistics.made_kernel(code, made, perf_counter() - began, len(object_code))
        return made

    def analyse(self, code: Code, entry: int | None, codes: list[str]) -> Kernel:
        """Return the kernel of a function for values of the types that *codes* name. Raises Refusal."""
        from stoffel.compiler.kernels.analysis import Family
        from stoffel.compiler.kernels.lowering import lower
        from stoffel.compiler.kernels.types import type_of_code

        family = Family(self.units, self.units.instructions_of)
        main = family.analyse(code, entry, [type_of_code(item) for item in codes])
        return lower(family, main, entry is not None)

    def _sites(self, meta: dict[str, Any]) -> list[RunnableSite]:
        sites = []
        layouts: dict[str, tuple[Code, list[int]]] = {}
        for name, resume, codes, places, outer in meta["sites"]:
            known = layouts.get(name)
            if known is None:
                code = self.state.functions[name]
                assert type(code) is Code
                slots = translator.layout_of(code, self.units.instructions_of(code)).slots
                known = layouts[name] = code, list(slots)
            sites.append(RunnableSite(known[0], known[1], resume, codes, places, outer))
        return sites

    def _key(self, code: Code, entry: int | None, codes: list[str]) -> str:
        """Return a text that is the same exactly where the same machine code may be used."""
        digest = sha256(f"{_compiler_identity()} {code.name!r} {entry} {codes!r}".encode())
        pending = [code]
        seen = {code}
        while pending:
            item = pending.pop()
            digest.update(self._content(item).encode("utf-8", "surrogatepass"))
            for instruction in self.units.instructions_of(item):
                if instruction.op.flow is Flow.CALL:
                    name = instruction.operands[0]
                    callee = self.units.resolve(name)
                    if isinstance(callee, Code):
                        if callee not in seen:
                            seen.add(callee)
                            pending.append(callee)
                    else:
                        standard = isinstance(callee, ForeignFunction) and callee.standard
                        digest.update(f"{name!r} {standard}".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def _content(self, code: Code) -> str:
        content = self._contents.get(code)
        if content is None:
            lines = [
                f"{instruction.op.code} {[constant_key(item) for item in instruction.operands]!r}"
                for instruction in self.units.instructions_of(code)
            ]
            head = f"{code.name!r} {code.parameters!r} {code.upvalue_names!r} {code.register_count}"
            labels = sorted(code.function.labels.items())
            content = self._contents[code] = f"{head} {labels!r} {lines!r}"
        return content


@cache
def _compiler_identity() -> str:
    """Return a digest of the sources that decide what machine code a function becomes: part of every key."""
    from stoffel.compiler import blocks, kernels
    from stoffel.isa import table

    digest = sha256()
    sources = [Path(str(module.__file__)) for module in (blocks, translator, table)]
    for directory in kernels.__path__:
        sources.extend(sorted(Path(directory).glob("*.py")))
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _class_of(mask: int) -> type | None:
    for cls in KINDS.values():
        if kind_of_class(cls) == mask:
            return cls
    return None


def _meta(kernel: Kernel) -> dict[str, Any]:
    """Return what the cache keeps of a kernel besides its machine code."""
    return {
        "values": kernel.values,
        "result": kernel.result,
        "tags": kernel.tags,
        "constants": kernel.constants,
        "depth": kernel.depth,
        "instructions": kernel.instructions,
        "functions": kernel.functions,
        "sites": [[site.function, site.resume, site.codes, site.places, site.outer] for site in kernel.sites],
    }
