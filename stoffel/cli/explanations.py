"""How fast each function of a program can become, and what is in the way: the work of ``stoffel explain``."""

from __future__ import annotations

import dis
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stoffel.cli.recorder import Recorder, Seen, seen
from stoffel.compiler import pipeline
from stoffel.compiler.analysis import liveness
from stoffel.compiler.analysis.facts import ANY, CLASS, UNIT, UNIT_FACT, of_kinds
from stoffel.compiler.analysis.layout import layout_of
from stoffel.compiler.cpython.versions import why_not
from stoffel.compiler.kernels.analysis.inference import Family
from stoffel.compiler.kernels.analysis.ir import Action, Instance
from stoffel.compiler.kernels.analysis.types import SCALARS, type_of_code
from stoffel.compiler.kernels.codegen.kernel import Kernel
from stoffel.compiler.kernels.codegen.lowering import lower
from stoffel.compiler.printing import format_simplified
from stoffel.compiler.refusal import TOO_DEEP, Refusal
from stoffel.embedding.vm import VirtualMachine
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.table import Flow
from stoffel.jit.kernels.marshalling import OPAQUE
from stoffel.model.code import Code

if TYPE_CHECKING:
    from stoffel.compiler.analysis.ir import TypedFunction
    from stoffel.compiler.emission.deopt_points import Unit
    from stoffel.isa.program import Program
    from stoffel.isa.types import Type
    from stoffel.jit.code_cache import Units

KERNEL: Final = "kernel"
LOOPS: Final = "code object, loops as kernels"
ONLY_LOOPS: Final = "interpreter, loops as kernels"
CODE_OBJECT: Final = "code object"
INTERPRETER: Final = "interpreter"

_CLOSURE: Final = Refusal(
    "it captures upvalues: it can be part of kernels that call it as a closure, but none begins with it"
)
_UNKNOWN: Final = Refusal("the types of its arguments are not known (give arguments, or --run)")
_UNKNOWN_PLACES: Final = Refusal("the types there show only when it runs (--run)")
_FULL_STACK: Final = Refusal("values are on the argument stack there")


class Place(NamedTuple):
    """An instruction that a sentence is about."""

    function: str
    instruction: int
    text: str


class Region(NamedTuple):
    """A function (*entry* None) or a loop as a kernel: its kernel, or *refusal* says why there is none, *place* where.

    *places* are name and code of type of what it is entered with; *leaves* say where it hands over to the interpreter.
    """

    entry: int | None
    places: tuple[tuple[str, str], ...]
    kernel: Kernel | None
    refusal: Refusal | None
    place: Place | None
    leaves: tuple[tuple[str, Place], ...]


class Explanation(NamedTuple):
    """What becomes of one function.

    *types* are those of its arguments (None if they are not known), *source* says where they are from, *others* is the
    number of other combinations of types seen. *refusal* says why there is no code object, *place* where.
    """

    code: Code
    types: Seen | None
    source: str
    others: int
    unit: Unit | None
    typed: TypedFunction | None
    refusal: Refusal | None
    place: Place | None
    call: Region
    loops: tuple[Region, ...]

    @property
    def tier(self) -> str:
        """The fastest tier that is open to the function."""
        if self.call.kernel is not None:
            return KERNEL
        loops = any(loop.kernel is not None for loop in self.loops)
        if self.unit is None:
            return ONLY_LOOPS if loops and why_not() is not None else INTERPRETER
        return LOOPS if loops else CODE_OBJECT

    @property
    def inlined(self) -> tuple[tuple[str, Place], ...]:
        """Functions whose instructions stand in the place of calls, with those calls."""
        if self.unit is None:
            return ()
        found = []
        for call in self.unit.inlined:
            caller, index = self.unit.position(call.call)
            found.append((call.code.name, Place(caller.name, index, str(caller.function.instructions[index]))))
        return tuple(found)

    @property
    def simplified(self) -> str:
        """Blocks with threaded jumps and the types of what each instruction sets; empty without a code object."""
        return "" if self.typed is None else format_simplified(self.typed)

    @property
    def disassembly(self) -> str:
        """The CPython code; empty without a code object."""
        if self.unit is None:
            return ""
        shown = io.StringIO()
        dis.dis(self.unit.code, file=shown)
        return shown.getvalue().strip("\n")


class Explainer:
    """Explains the functions of a program; *recorder* has seen it run, if it has run. Raises VMError to load it."""

    def __init__(self, program: Program, recorder: Recorder | None = None) -> None:
        self.machine = VirtualMachine(jit="always", cache="off")
        self.machine.load(program)
        tier: Any = self.machine.state.tier
        self.units: Units | None = tier.units if tier.counts_heat else None
        self.recorder = recorder

    def explain(self, name: str, arguments: Sequence[Any] | None = None) -> Explanation:
        """Explain one function, called with *arguments* or else as it was seen or is declared to be called."""
        code = self.machine.state.functions[name]
        assert type(code) is Code
        assert self.units is not None
        types, source, others = self._types(code, arguments)
        kinds = (ANY,) * code.arity if types is None else types.kinds
        unit, typed, refusal = self._translate(code, kinds)
        instance: Instance | None = None
        if code.upvalue_names or types is None:
            call = Region(None, (), None, _CLOSURE if code.upvalue_names else _UNKNOWN, None, ())
        else:
            call, instance = self._region(code, None, types.codes)
        loops = [self._loop(code, head, instance, typed) for head in self._heads(code)]
        place = self._place_of(refusal)
        return Explanation(code, types, source, others, unit, typed, refusal, place, call, tuple(loops))

    # Types

    def _types(self, code: Code, arguments: Sequence[Any] | None) -> tuple[Seen | None, str, int]:
        if arguments is not None:
            return seen(list(arguments)), "given", 0
        counter = self.recorder.calls.get(code.name) if self.recorder is not None else None
        if counter:
            return counter.most_common(1)[0][0], "seen", len(counter) - 1
        samples = [self._sample(kind) for kind in code.function.parameter_types]
        if any(sample is _NO_SAMPLE for sample in samples):
            return None, "not declared", 0
        return seen(samples), "declared", 0

    def _sample(self, kind: Type) -> Any:
        """Return a value of a declared type, or ``_NO_SAMPLE`` if the type says too little."""
        if kind.kind == "integer":
            for cls, integer in INTEGER_KINDS.items():
                if (integer.maximum.bit_length() + (integer.minimum < 0), integer.minimum < 0) == (
                    kind.width,
                    kind.signed,
                ):
                    return cls(0)
            return _NO_SAMPLE
        if kind.kind == "list":
            element = self._sample(kind.arguments[0])
            return element if element is _NO_SAMPLE else self.machine.create_array([element])
        if kind.kind in ("dict", "object", "generic"):
            return self.machine.create_object()
        return _SAMPLES.get(kind.kind, _NO_SAMPLE)

    # Code objects

    def _translate(self, code: Code, kinds: Iterable[int]) -> tuple[Unit | None, TypedFunction | None, Refusal | None]:
        assert self.units is not None
        captured = code.upvalue_names or None
        facts = [UNIT_FACT if kind == UNIT else of_kinds(kind) for kind in kinds]
        reason = why_not()
        refusal = None if reason is None else Refusal(reason)
        unit = None
        try:
            if refusal is None:
                unit = pipeline.translate_call(code, facts, captured, self.units.environment, f"<{code.name}>")
            return unit, pipeline.infer_call(code, facts, captured, self.units.environment), refusal
        except Refusal as found:
            return None, None, found
        except RecursionError:
            return None, None, Refusal(TOO_DEEP, code.name)

    def _place_of(self, refusal: Refusal | None) -> Place | None:
        """Return the instruction that a refusal is about, if it is about one."""
        if refusal is None or refusal.function is None or refusal.index is None:
            return None
        code = self.machine.state.functions[refusal.function]
        assert type(code) is Code
        return Place(code.name, refusal.index, str(code.function.instructions[refusal.index]))

    # Kernels

    def _region(self, code: Code, entry: int | None, codes: Sequence[str]) -> tuple[Region, Instance | None]:
        """Return the kernel for one entry, and the analysed instance of *code* as far as the analysis came."""
        assert self.units is not None
        layout = layout_of(code, self.units.environment.instructions_of(code))
        names = code.parameters if entry is None else [layout.name(place) for place in range(len(codes))]
        places = tuple(zip(names, codes, strict=True))
        family = Family(self.units.environment, self.units.environment.instructions_of)
        try:
            main = family.analyse(code, entry, [type_of_code(item) for item in codes])
            kernel = lower(family, main, entry is not None)
        except (Refusal, RecursionError) as problem:
            refusal = problem if isinstance(problem, Refusal) else Refusal(TOO_DEEP, code.name)
            region = Region(entry, places, None, refusal, self._place_of(refusal), ())
            return region, family.instances[0] if family.instances else None
        leaves = {
            (action.detail, _place(instance, action)): None
            for instance in family.instances
            for action in instance.leaves()
        }
        return Region(entry, places, kernel, None, None, tuple(leaves)), main

    def _heads(self, code: Code) -> list[int]:
        """Return the targets of the jumps backwards."""
        labels = code.function.labels
        return sorted(
            {
                labels[instruction.operands[0]]
                for index, instruction in enumerate(code.instructions())
                if instruction.op.flow is Flow.JUMP and labels[instruction.operands[0]] <= index
            }
        )

    def _loop(self, code: Code, head: int, instance: Instance | None, typed: TypedFunction | None) -> Region:
        counter = self.recorder.loops.get((code.name, head)) if self.recorder is not None else None
        codes: Sequence[str] | None
        if code.upvalue_names:
            return Region(head, (), None, _CLOSURE, None, ())
        if counter:
            codes = counter.most_common(1)[0][0].codes
        else:
            codes = _codes_at_back_edge(instance, head) or _codes_by_inference(typed, head)
        if codes is None:
            return Region(head, (), None, _UNKNOWN_PLACES, None, ())
        if self.units is not None and len(codes) > layout_of(code, self.units.environment.instructions_of(code)).stack:
            return Region(head, (), None, _FULL_STACK, None, ())
        return self._region(code, head, codes)[0]


_NO_SAMPLE: Final = object()
_INTEGERS: Final = {kind.type_name: cls(0) for cls, kind in INTEGER_KINDS.items()}
_SAMPLES: Final = {"float": 0.0, "string": "", "bool": False, "nil": None, "void": None}


def _codes_at_back_edge(instance: Instance | None, head: int) -> list[str] | None:
    """Return the types with which control comes back to *head*, as far as kernels' analysis came there."""
    if instance is None:
        return None
    for typed in instance.blocks.values():
        for edge in typed.edges():
            if edge.back and edge.target == head:
                codes = [kind.code for kind in typed.after.types]
                return [OPAQUE if code == "mixed" or code[0] == "=" else code for code in codes]
    return None


def _codes_by_inference(typed: TypedFunction | None, head: int) -> list[str] | None:
    """Return the types at *head* by the translator's inference, None if it does not settle one that is needed."""
    if typed is None or head not in typed.blocks:
        return None
    needed = liveness.analyse(typed)[0][head]
    codes = []
    for place, fact in enumerate(typed.blocks[head].entry.facts):
        scalar = SCALARS.get(CLASS.get(fact.mask, object))
        if scalar is not None:
            codes.append(scalar.code)
        elif needed & liveness.bit(place):
            return None
        else:
            codes.append(OPAQUE)
    return codes


def _place(instance: Instance, action: Action) -> Place:
    return Place(instance.code.name, action.at, str(instance.instructions[action.at]))
