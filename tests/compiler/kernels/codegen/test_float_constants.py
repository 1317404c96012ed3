"""Sign and payload of NaNs in kernels: the processor's, as in the interpreter, whatever LLVM folds."""

from __future__ import annotations

import pytest

from stoffel import VirtualMachine
from stoffel.compiler.kernels.codegen.float_constants import definitions, opaque
from stoffel.compiler.kernels.codegen.llvm import optimised
from tests.compiler.kernels.programs import counting
from tests.edges import bits_of
from tests.machines import loaded


@pytest.mark.parametrize(
    ("before", "body"),
    [
        ("LDI r4, inf", "SUB r5, r4, r4"),
        ("LDI r4, inf\nLDI r6, 0f", "MUL r5, r6, r4"),
        ("LDI r4, inf", "DIV r5, r4, r4"),
        # Finite constants whose product LLVM folds to infinity first.
        ("LDI r4, 1e300", "MUL r5, r4, r4\nSUB r5, r5, r5"),
        ("LDI r4, nan\nLDI r6, 1.5", "ADD r5, r6, r4"),
        ("LDI r4, nan:0x7ff8000000001234\nLDI r6, 1.5", "MUL r5, r4, r6"),
        ("LDI r4, nan:0xfff8000000001234\nLDI r6, 1.5", "SUB r5, r6, r4"),
        ("LDI r4, nan:0x7ff0000000001234\nLDI r6, 1.5", "DIV r5, r4, r6"),
        ("LDI r4, nan:0x7ff0000000001234", "MOV r5, r4"),
        ("LDI r4, inf\nLDI r6, 2f", "MOD r5, r4, r6"),
    ],
)
def test_nans_have_the_bits_that_they_have_in_the_interpreter(before: str, body: str) -> None:
    seen = []
    for jit in ("off", "always", "kernels"):
        machine = loaded(VirtualMachine(jit=jit, cache="off"), counting(f"LDI r5, 0f\n{before}", body, "RET r5"))
        result = machine.execute("main")
        assert isinstance(result, float)
        seen.append(bits_of(result))
        if jit == "kernels" and "MOD" not in body:
            assert any(kernel["runs"] for kernel in machine.jit_statistics()["functions"]["main"]["kernels"])
    assert seen == seen[:1] * 3


def test_constants_are_folded_where_no_nan_comes_of_it() -> None:
    ir = """
@double.4000000000000000 = internal constant double 0x4000000000000000
define double @f(double %x) {
  %c = load double, ptr @double.4000000000000000
  %y = fdiv double %x, %c
  ret double %y
}
"""
    assert "fmul double %x, 5.000000e-01" in optimised(ir)
    assert definitions([ir, "@double.4000000000000000"]) == ir.splitlines()[1]
    hidden = optimised(opaque(ir))
    assert "fdiv double" in hidden
    assert "load double" in hidden
