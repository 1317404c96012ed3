"""The types of what ``vm.jit_statistics()`` returns, for type checkers: which keys there are, and what they hold.

Times are in seconds, sizes in bytes. Where a sentence is about one instruction, the key with ``_at`` has its
``function`` and ``instruction``.
"""

from __future__ import annotations

from typing import TypedDict


class KernelReport(TypedDict):
    """One kernel: where it is entered (None at the start), of what it is made, and what it has done."""

    entry: int | None
    functions: list[str]
    types: list[str]
    result: str
    cached: bool
    runs: int
    left: int
    mismatches: int
    instructions_run: int


class FunctionReport(TypedDict):
    """One VM function: the fastest tier that it has reached, and what was compiled of it.

    ``calls`` is None unless calls were counted; ``loop_entries`` are entries in the middle of a loop.
    """

    tier: str
    calls: int | None
    units: int
    compile_seconds: float
    code_size: int
    loop_entries: int
    inlined: list[str]
    refusal: str | None
    refusal_at: dict[str, str | int] | None
    kernels: list[KernelReport]
    kernel_seconds: float
    kernel_size: int
    kernel_refusal: str | None
    kernel_refusal_at: dict[str, str | int] | None


class ExitPlace(TypedDict):
    """One place where compiled code was left, and why; ``line`` is that of the source if it is known."""

    function: str
    instruction: int
    line: int | None
    reason: str
    expected: str | None
    seen: str | None
    cause: str | None


class ExitReport(ExitPlace):
    """The same with how often that happened."""

    times: int


class Counters(TypedDict, total=False):
    """What the compiled tier of a machine did; all keys are there if there is such a tier."""

    functions: dict[str, FunctionReport]
    runs: int
    deoptimisations: dict[str, int]
    exits: list[ExitReport]
    records_rebuilt: int


class JitStatistics(Counters):
    """The whole report: the mode of the machine and the counters."""

    mode: str
