"""The LLVM IR of kernels: which checks it has, and which are gone after LLVM has seen the ranges."""

from __future__ import annotations

import re
from typing import Any

import pytest

from stoffel import VirtualMachine
from stoffel.compiler.kernels.analysis.inference import Family
from stoffel.compiler.kernels.analysis.types import type_of_code
from stoffel.compiler.kernels.codegen.kernel import Kernel
from stoffel.compiler.kernels.codegen.llvm import optimised
from stoffel.compiler.kernels.codegen.lowering import lower
from tests.compiler.kernels.programs import expanded
from tests.machines import loaded


def kernel_of(text: str, *codes: str, name: str = "main") -> Kernel:
    """Return the kernel of a function for arguments of such types."""
    machine = loaded(VirtualMachine(jit="always"), expanded(text))
    units: Any = machine.state.tier.units  # type: ignore[union-attr]
    family = Family(units.environment, units.environment.instructions_of)
    main = family.analyse(machine.state.functions[name], None, [type_of_code(code) for code in codes])  # type: ignore[arg-type]
    return lower(family, main, False)


def functions(ir: str) -> dict[str, str]:
    """Return the text of each function of a module by name."""
    return dict(re.findall(r"^define [^@]*@([\w.]+)\(.*?\{\n(.*?)^\}", ir, re.M | re.S))


def loop(body: str, end: str = "RET r0") -> str:
    """Return main(n), which does *body* while r1 counts from 0 to n; r2 is 1."""
    return f"""
function main(n)
LDI r1, 0
LDI r2, 1
again:
CMP r1, r0
JMPEQ done
{body}
ADD r1, r1, r2
JMP again
done:
{end}
end
"""


OVERFLOW = re.compile(r"with\.overflow")


@pytest.mark.parametrize(("kind", "prefix"), [("int64", "s"), ("uint64", "u")])
def test_additions_of_64_bits_have_the_overflow_check_of_their_sign(kind: str, prefix: str) -> None:
    text = loop("ADD r3, r0, r0").replace("LDI r1, 0", "SUB r1, r0, r0").replace("LDI r2, 1", "DIV r2, r0, r0")
    ir = functions(kernel_of(text, kind).ir)["f0"]
    assert set(re.findall(r"@llvm\.([su])add\.with", ir)) == {prefix}


@pytest.mark.parametrize("kind", ["int32", "uint8"])
def test_narrow_sums_are_compared_with_their_range_and_cannot_exceed_64_bits(kind: str) -> None:
    text = loop("ADD r3, r0, r0").replace("LDI r1, 0", "SUB r1, r0, r0").replace("LDI r2, 1", "DIV r2, r0, r0")
    ir = functions(kernel_of(text, kind).ir)["f0"]
    sums = ir.count("sadd.with.overflow")
    # The overflow bit of no sum is looked at, its value of every one is.
    assert (sums, len(re.findall(r"icmp ugt i64 %\w+, (?:4294967295|255)\n", ir)) >= sums) == (2, True)
    assert re.findall(r"extractvalue \{i64, i1\} %\w+, 1", ir) == []


def test_a_counter_that_stops_at_a_bound_needs_no_overflow_check_after_llvm() -> None:
    bounded = "LDI r3, 1000\nCMP r1, r3\nJMPGT done\n"
    ir = kernel_of(loop(bounded).replace("JMPEQ", "JMPGT"), "int64").ir
    assert OVERFLOW.search(functions(ir)["f0"])
    assert not OVERFLOW.search(optimised(ir).split("declare")[0])


def test_a_sum_without_a_bound_keeps_its_overflow_check() -> None:
    ir = kernel_of(loop("ADD r3, r3, r1", "RET r3").replace("LDI r2, 1", "LDI r2, 1\nLDI r3, 0"), "int64").ir
    assert OVERFLOW.search(optimised(ir).split("declare")[0])


def test_one_way_out_serves_the_checks_of_a_block() -> None:
    few = kernel_of(loop("ADD r3, r0, r1\nSUB r4, r0, r1"), "int64")
    many = kernel_of(loop("ADD r3, r0, r1\nSUB r4, r0, r1\nMUL r5, r0, r1\nDIV r6, r0, r2\nADD r7, r5, r6"), "int64")
    assert len(few.sites) == len(many.sites)


PUSHING = """
function main(n)
MOV r8, r0
LDI r1, 0
LDI r2, 1
CALL create_array
MOV r5, r0
again:
CMP r1, r8
JMPEQ done
PUSHARG r5
PUSHARG r1
CALL array_push
ADD r3, r8, r1
ADD r1, r1, r2
JMP again
done:
RET r5
end
"""


def test_after_an_effect_there_is_another_way_out_that_resumes_behind_it() -> None:
    kernel = kernel_of(PUSHING, "int64")
    # The start, for the array; the loop, at a poll; the pushes, again from the first; behind the push.
    assert {site.resume for site in kernel.sites} == {0, 5, 7, 10}


def test_a_way_out_that_no_check_goes_to_has_no_site() -> None:
    kernel = kernel_of(loop("MOV r3, r1\nXOR r4, r1, r3"), "int64")
    ir = functions(kernel.ir)["f0"]
    numbers = {int(number) for number in re.findall(r"store i64 (\d+), ptr %w\d+, !tbaa !15", ir)}
    assert numbers == set(range(len(kernel.sites)))


def test_a_function_that_is_called_polls_and_one_that_is_only_entered_does_not_at_its_start() -> None:
    text = "function f(x)\nRET r0\nend\n" + loop("r3 = f(r1)")
    ir = functions(kernel_of(text, "int64").ir)
    assert ("@poll" in ir["f1"].split("b.0:")[0], "@poll" in ir["f0"].split("b.0:")[0]) == (True, False)


def test_the_support_functions_are_in_every_kernel_once() -> None:
    names = re.findall(r"^define .*?@([\w.]+)\(", kernel_of(loop(""), "int64").ir, re.M)
    assert (len(names), {"kernel", "poll", "allocate", "grow", "release"} - set(names)) == (len(set(names)), set())


def test_no_name_of_the_layout_is_left_in_the_support_functions() -> None:
    ir = kernel_of(loop(""), "int64").ir
    code = "\n".join(line for line in ir.splitlines() if not line.startswith((";", "  ;")))
    assert re.findall(r"\b[A-Z][A-Z_]{2,}\b", code) == []
