"""Which tests run for a planted fault, and in which order: those that know the faulty module first, all at last."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple


class Stage(NamedTuple):
    """Tests that run together: the arguments of pytest, and the seconds after which they are taken to hang."""

    arguments: tuple[str, ...]
    seconds: int = 400


CAPTURING: Final = "tests/compiler/test_capturing_calls.py"
OUT_OF_MEMORY: Final = "tests/runtime/test_out_of_memory.py"
CLOSE: Final[dict[str, tuple[str, ...]]] = {
    "stoffel/profiling": ("tests/profiling",),
    "stoffel/compiler/flow/blocks.py": ("tests/compiler/flow", "tests/profiling/test_coverage.py"),
    "stoffel/lang": (
        "tests/lang/test_code.py",
        "tests/lang/test_observed.py",
        "tests/lang/test_formatting.py",
        "tests/lang/test_robustness.py",
        "tests/lang/test_programs.py",
    ),
    "stoffel/runtime/budget.py": ("tests/runtime/test_limits.py", "tests/compiler/test_limited_programs.py"),
    "stoffel/runtime/metering.py": ("tests/runtime/test_limits.py", "tests/compiler/test_limited_programs.py"),
    "stoffel/runtime/state.py": ("tests/runtime/test_state.py", "tests/runtime/test_limits.py"),
    "stoffel/runtime/builtins/pieces.py": ("tests/runtime/builtins/test_pieces.py", "tests/runtime/test_limits.py"),
    "stoffel/model/builtins/costs.py": ("tests/runtime/test_limits.py", "tests/compiler/test_limited_programs.py"),
    "stoffel/model/foreign.py": ("tests/model/test_foreign.py", "tests/runtime/test_limits.py", OUT_OF_MEMORY),
    "stoffel/runtime/backtrace.py": ("tests/runtime/test_backtrace.py",),
    "stoffel/runtime/superinstructions.py": ("tests/runtime/test_superinstructions.py",),
    "stoffel/compiler/emission/branches.py": (
        "tests/compiler/emission/test_selection.py",
        "tests/compiler/emission/test_emitter.py",
    ),
    "stoffel/compiler/emission/unit_emitter.py": (
        "tests/compiler/emission/test_emitter.py",
        "tests/compiler/emission/test_selection.py",
    ),
    "stoffel/compiler/emission/counting.py": ("tests/compiler/emission/test_counted_loops.py",),
    "stoffel/compiler/emission/emitter.py": (
        "tests/compiler/emission/test_emitter.py",
        "tests/compiler/emission/test_selection.py",
    ),
    "stoffel/compiler/analysis/facts.py": (
        "tests/compiler/analysis/test_facts.py",
        "tests/compiler/analysis/test_inference.py",
    ),
    "stoffel/compiler/emission/selection.py": (
        "tests/compiler/emission/test_selection.py",
        "tests/compiler/emission/test_emitter.py",
    ),
    "stoffel/compiler/analysis/inference.py": (
        "tests/compiler/analysis/test_inference.py",
        "tests/compiler/emission/test_selection.py",
        "tests/compiler/analysis/test_load_elimination.py",
        "tests/compiler/test_refusal.py",
    ),
    "stoffel/compiler/analysis/inlined_calls.py": ("tests/compiler/flow/test_inlining.py",),
    "stoffel/compiler/kernels": ("tests/jit/kernels/test_running.py",),
    "stoffel/compiler/kernels/analysis/inference.py": (
        "tests/compiler/kernels/analysis/test_inference.py",
        "tests/compiler/kernels/test_closures_refused.py",
        "tests/jit/kernels/test_running.py",
    ),
    "stoffel/compiler/kernels/codegen/builtins.py": (
        "tests/jit/kernels/test_running.py",
        "tests/compiler/kernels/codegen/test_builtins.py",
    ),
    "stoffel/compiler/kernels/analysis/closure_calls.py": (
        "tests/compiler/kernels/test_closures.py",
        "tests/compiler/kernels/test_closures_entering.py",
    ),
    "stoffel/compiler/analysis/narrowing.py": (
        "tests/compiler/analysis/test_narrowing.py",
        "tests/compiler/analysis/test_fixpoint.py",
    ),
    "stoffel/compiler/analysis/calls.py": (
        "tests/compiler/analysis/test_inference.py",
        "tests/compiler/emission/test_emitter.py",
        CAPTURING,
    ),
    "stoffel/compiler/analysis/operation_forms.py": (
        "tests/compiler/analysis/test_inference.py",
        "tests/compiler/emission/test_selection.py",
    ),
    "stoffel/compiler/analysis/ranges.py": (
        "tests/compiler/analysis/test_ranges.py",
        "tests/compiler/emission/test_selection.py",
    ),
    "stoffel/compiler/emission/deopt_points.py": (
        "tests/compiler/cpython/test_writer.py",
        "tests/compiler/emission/test_emitter.py",
    ),
    "stoffel/compiler/emission/call_sequences.py": ("tests/compiler/analysis/test_inlined_calls.py",),
    "stoffel/compiler/flow/spliced.py": ("tests/compiler/analysis/test_inlined_calls.py",),
    "stoffel/compiler/flow/decoding.py": ("tests/compiler/analysis/test_inlined_calls.py",),
    "stoffel/compiler/flow/inlining.py": ("tests/compiler/analysis/test_inlined_calls.py",),
    "stoffel/compiler/pipeline.py": ("tests/compiler/test_refusal.py",),
    "stoffel/compiler/analysis/ir.py": (
        "tests/compiler/flow/test_inlining.py",
        "tests/compiler/analysis/test_inlined_calls.py",
    ),
    "stoffel/jit/exits.py": (
        "tests/profiling/test_coverage.py",
        "tests/compiler/cpython/test_writer.py",
        "tests/jit/test_statistics.py",
        "tests/compiler/emission/test_implicit_polls.py",
        "tests/compiler/analysis/test_inlined_calls.py",
    ),
    "stoffel/jit/suspension.py": (
        "tests/compiler/analysis/test_inlined_calls.py",
        CAPTURING,
        "tests/runtime/test_closures.py",
    ),
    "stoffel/jit/code_tier.py": (
        "tests/compiler/cpython/test_writer.py",
        "tests/jit/test_statistics.py",
        "tests/compiler/cpython/test_visibility.py",
        CAPTURING,
        "tests/compiler/analysis/test_inlined_calls.py",
        "tests/runtime/test_closures.py",
    ),
    "stoffel/jit/kernels/marshalling.py": (
        "tests/compiler/kernels/codegen/test_support.py",
        "tests/jit/kernels/test_running.py",
    ),
    "stoffel/jit/kernels/running.py": ("tests/jit/kernels/test_running.py", "tests/runtime/test_interruptions.py"),
    "stoffel/jit/kernels/tier.py": ("tests/jit/kernels/test_running.py",),
    "stoffel/jit/kernels/candidates.py": ("tests/jit/policy/test_sampling_clock.py",),
    "stoffel/jit/deoptimisation.py": (
        "tests/jit/test_events.py",
        "tests/compiler/cpython/test_writer.py",
        "tests/compiler/analysis/test_inlined_calls.py",
        CAPTURING,
    ),
    "stoffel/jit/polled_constants.py": ("tests/compiler/emission/test_implicit_polls.py",),
    "stoffel/jit/functions.py": ("tests/compiler/test_refusal.py", "tests/compiler/analysis/test_inlined_calls.py"),
    "stoffel/jit/environment.py": (
        "tests/jit/test_statistics.py",
        "tests/compiler/analysis/test_inlined_calls.py",
        "tests/compiler/test_refusal.py",
        "tests/runtime/test_resolution.py",
    ),
}
"""Quick tests that are likely to notice a fault in a module or package besides those of the same name."""

CODE_OBJECTS: Final = (
    Stage(("tests/compiler/test_differential.py", "-k", " or ".join(f"[{part}]" for part in range(10)))),
    Stage(("tests/compiler", "-k", "not kernels and not differential and not reach")),
    Stage(("tests/conformance", "-k", "always and pair")),
    Stage(("tests/runtime", "-k", "always")),
    Stage(("tests/conformance", "-k", "(always or 2nd) and program_gives and not _O")),
    Stage(("tests/compiler", "-k", "not kernels and (differential or reach)")),
)
"""What runs next for a fault in the tier of code objects, quickest first."""
KERNELS: Final = (
    Stage(("tests/compiler/kernels", "-k", "not operations and not arrays and not differential and not cache")),
    Stage(("tests/compiler/kernels/codegen/test_operations.py",)),
    Stage(("tests/compiler/kernels/codegen/test_builtins.py",)),
    Stage(("tests/model/test_elements.py", "tests/model/test_typed_arrays.py")),
    Stage(("tests/compiler/kernels",)),
)
"""The same for a fault in kernels."""
EVERYTHING: Final = Stage(("tests", "--ignore=tests/test_planted_faults.py"), 3600)
"""The whole suite; the test of the list of faults alone would notice every one of them."""


def stages_of(file: str, tree: Path) -> list[Stage]:
    """Return what runs for a fault in the source file *file* of the copy in *tree*, in order."""
    source = Path(file)
    same_name = str(Path("tests", *source.parts[1:-1], f"test_{source.name}"))
    names = dict.fromkeys((same_name, *CLOSE.get(file, CLOSE.get(str(source.parent), ()))))
    close = tuple(name for name in names if (tree / name).exists())
    of_kernels = "kernel" in file or file == "stoffel/model/elements.py"
    return [*([Stage(close, 200)] if close else []), *(KERNELS if of_kernels else CODE_OBJECTS), EVERYTHING]
