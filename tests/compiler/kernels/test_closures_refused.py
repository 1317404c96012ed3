"""What lets closures escape from kernels, and which sentence says so."""

from __future__ import annotations

import pytest

from .closures import LIBRARY
from .programs import alike, counting, refusals

REFUSED = {
    "create_closure of what is not known": counting("", "r9 = create_closure(r1)"),
    "create_closure that captures a name twice": counting(
        "",
        "r9 = f(r1)",
        more='function f(n)\nLDI r1, "bump"\nLDI r2, "n"\nr3 = create_closure(r1, r2, r2)\nRET r3\nend',
    ),
    "create_closure that captures 'm', which is no parameter of a call in the kernel": counting(
        "", "r9 = f(r1)", more='function f(n)\nLDI r1, "bump"\nLDI r2, "m"\nr3 = create_closure(r1, r2)\nRET r3\nend'
    ),
    "create_closure that captures a closure": counting("LDI r5, 1\nr9 = counter(r5)", "r8 = counter(r9)", more=LIBRARY),
    "create_closure that captures a string": counting('LDI r5, "text"', "r8 = counter(r5)", more=LIBRARY),
    "call_closure of what is no closure that the kernel knows": counting("", "r8 = call_closure(r1)"),
    "call_closure with a value of several types": counting(
        "LDI r5, 1\nr9 = counter(r5)",
        "LDI r5, 1\nCMP r1, r2\nJMPEQ other\nLDI r5, 1.5\nother:\nr6 = call_closure(r9, r5)",
        more=LIBRARY,
    ),
    "call_closure of 'none', which is no function that can be compiled": counting(
        "", 'LDI r5, "none"\nr9 = create_closure(r5)\nr6 = call_closure(r9)'
    ),
    "call_closure of 'bump' with a wrong number of arguments": counting(
        "LDI r5, 1\nr9 = counter(r5)", "r6 = call_closure(r9)", more=LIBRARY
    ),
    "get_upvalue of what no closure in the kernel has captured": counting("", 'LDI r5, "n"\nr6 = get_upvalue(r5)'),
    "set_upvalue of what no closure in the kernel has captured": counting("", 'LDI r5, "n"\n_ = set_upvalue(r5, r1)'),
    "set_upvalue of float where int64 was captured": counting(
        "", "r9 = counter(r1)\nr6 = call_closure(r9, r1)", more=LIBRARY.replace("ADD r3, r3, r2", "LDI r3, 1.5")
    ),
    "a closure goes to a spill slot, where writing an upvalue back would not reach it": counting(
        "", "r9 = counter(r1)\nSTS slot0, r9", more=LIBRARY
    ),
    "a closure in a spill slot, where writing an upvalue back does not reach it": counting(
        "r9 = counter(r2)\nSTS slot0, r9", "LDS r8, slot0\nr5 = call_closure(r8, r1)", more=LIBRARY
    ),
    "array_push of a closure, of which kernels have no arrays": counting(
        "r8 = create_array()", "r9 = counter(r1)\n_ = array_push(r8, r9)", more=LIBRARY
    ),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_lets_closures_escape_is_refused_with_a_sentence(sentence: str) -> None:
    found = refusals(REFUSED[sentence])
    assert any(sentence in refusal for refusal in found.values()), found


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_is_refused_runs_alike(sentence: str) -> None:
    alike(REFUSED[sentence])
