"""One function as machine code that other machine code calls, value by value."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any, Final

from stoffel.columns.column import declared_class
from stoffel.columns.errors import RowError
from stoffel.columns.programs import function_of, program_of
from stoffel.compiler.kernels import INSTRUCTION_LIMIT
from stoffel.compiler.kernels.analysis.types import SCALARS
from stoffel.compiler.kernels.codegen import buffer
from stoffel.compiler.kernels.codegen.scalar_call import FRAME_WORDS, scalar_call
from stoffel.compiler.refusal import Refusal
from stoffel.embedding.vm import VirtualMachine
from stoffel.errors import VMError
from stoffel.isa.program import Program
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.jit.kernels.builder import Job, Preparation
from stoffel.jit.kernels.memory import Memory
from stoffel.jit.kernels.runnable import RunnableKernel, RunnableSite
from stoffel.jit.store.kernel_cache import open_cache
from stoffel.model.code import Code

FUEL: Final = 1 << 26
"""VM instructions after which a call is run by a machine instead, which can be interrupted."""
NAMES: Final = {
    **{kind.type_name: cls for cls, kind in INTEGER_KINDS.items()},
    "float64": float,
    "boolean": bool,
}
"""Classes by what NumPy and numba call their types."""
_NAME_OF: Final = {cls: name for name, cls in NAMES.items()}
_RESULTS: Final = {scalar.name: cls for cls, scalar in SCALARS.items()}
_kept: Final[list[ScalarKernel]] = []


class ScalarKernel:
    """The machine code of a function at ``address``, to be called with ``template_address``; never freed."""

    def __init__(self, entry: str, machine: VirtualMachine, code: Code, classes: Sequence[type], job: Job) -> None:
        assert job.loaded is not None
        sites = [RunnableSite(code, [], *site[1:]) for site in job.meta["sites"]]
        kernel = RunnableKernel(code, job.loaded, {**job.meta, "cached": False, "entry": None}, sites)
        # As deep as the room for the records of all calls goes, and no deeper than ordinary kernels.
        depth = min(machine.max_call_depth - 1, kernel.nesting, FRAME_WORDS // kernel.frame_words - 2)
        if depth < max(kernel.depth, 1) and (kernel.depth or depth < 1):
            raise Refusal("its calls are nested too deeply", code.name)
        self.entry = entry
        self.names = code.parameters
        self.classes = tuple(classes)
        self.types = tuple([_NAME_OF[cls] for cls in classes])
        self.result_class = _RESULTS[kernel.result]
        self.result = _NAME_OF[self.result_class]
        self.address = job.loaded.address
        self._memory = Memory()
        state = self._memory.state
        state[buffer.ATTENTION] = 1
        state[buffer.FUEL] = FUEL
        state[buffer.DEPTH] = depth
        self.template_address = self._memory.address
        self._kernel = kernel
        self._machine = machine
        self._lock = threading.Lock()
        _kept.append(self)

    def run_otherwise(self, *arguments: Any) -> tuple[Any, str]:
        """Run a call that the kernel has left; return its result and "", or any result and what went wrong."""
        values = [cls(value) for cls, value in zip(self.classes, arguments, strict=True)]
        try:
            return self._run(values), ""
        except (VMError, TypeError) as error:
            shown = ", ".join(f"{name}={value!r}" for name, value in zip(self.names, values, strict=True))
            return self.result_class(0), f"{error}, in {self.entry}({shown})"

    def run_row(self, row: int, *arguments: Any) -> Any:
        """Run a row that the kernel has left and return its result. Raises RowError."""
        values = [cls(value) for cls, value in zip(self.classes, arguments, strict=True)]
        try:
            return self._run(values)
        except VMError as error:
            raise RowError.of(error, row, dict(zip(self.names, values, strict=True)), self.entry) from error

    def _run(self, values: list[Any]) -> Any:
        result = self._machine.execute_with_args(self.entry, values)
        if type(result) is not self.result_class:
            raise TypeError(f"'{self.entry}' returned {result!r}, and its machine code returns {self.result}")
        return result


def kernel_of(program: Program | str | os.PathLike[str], entry: str, types: Sequence[str] | None) -> ScalarKernel:
    """Return the machine code of a function for parameters of *types*, the declared ones unless they are given.

    Raises TypeError, with the reason, for a function that cannot be a kernel.
    """
    program = program_of(program)
    function = function_of(program, entry)
    if types is None:
        classes = [declared_class(kind) for kind in function.parameter_types]
    else:
        if len(types) != len(function.parameters):
            raise ValueError(f"'{entry}' has {len(function.parameters)} parameters, not {len(types)}")
        for name in types:
            if name not in NAMES:
                raise ValueError(f"unknown type {name!r}; there are {', '.join(NAMES)}")
        classes = [NAMES[name] for name in types]
    for name, cls in zip(function.parameters, classes, strict=True):
        if cls not in SCALARS:
            raise TypeError(f"'{entry}' declares no number type for {name}: say which with types=")
    machine = VirtualMachine(jit="always")
    machine.load(program)
    code = machine.state.functions[entry]
    tier: Any = machine.state.tier
    assert type(code) is Code
    try:
        if not tier.counts_heat:
            raise Refusal("nothing is compiled on this Python")
        codes = [SCALARS[cls].name for cls in classes if cls is not None]
        kernel = Preparation(tier.units.environment).analyse(code, None, codes, INSTRUCTION_LIMIT, scalar_call)
        job = Job("", kernel, open_cache("off"))
        job.run()
        if job.loaded is None:
            raise job.refusal or Refusal("the machine code could not be made")
        return ScalarKernel(entry, machine, code, [cls for cls in classes if cls is not None], job)
    except Refusal as refusal:
        raise TypeError(f"'{entry}' cannot be called from numba: {refusal.text(entry)}") from None
