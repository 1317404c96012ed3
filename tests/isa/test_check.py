"""Findings about whole programs: each kind, and silence about programs that are fine."""

from __future__ import annotations

import pytest

from stoffel.isa.assembler import assemble
from stoffel.isa.check import CODES, check


def findings(*lines: str, known: set[str] | None = None, reserved: set[str] | None = None) -> list[str]:
    """Return the problems of a function ``f(a)`` with these lines, as text."""
    program = assemble("\n".join(("function f(a)", *lines, "end")))
    return list(map(str, check(program, known=known, reserved=reserved or set())))


def test_program_without_faults_has_no_findings() -> None:
    lines = ["LDI r1, 5", "again: CMP r0, r1", "JMPLT done", "CALL f", "JMP again", "done: RET r0"]
    assert findings(*lines, known=set()) == []


def test_what_registration_refuses_is_an_error() -> None:
    [problem] = check(assemble("function f()\n.undefined x\nJMP x\nRET r9\nend"))
    assert (problem.is_error, str(problem)) == (True, "error: function f: Function f references unknown label 'x'")


def test_reserved_name_is_an_error() -> None:
    assert findings("RET r0", reserved={"f"}) == ["error: function f: Function 'f' is already registered"]


def test_unknown_callee_is_a_warning() -> None:
    assert findings("CALL print", "CALL prinf", "CALL f", known={"print"}) == [
        "warning: function f instruction 1: calls prinf, which is neither a function of this program nor a "
        "builtin; did you mean print?"
    ]


def test_calls_are_not_judged_without_known_names() -> None:
    assert findings("CALL anything") == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("RET r0", "NOP"), ["warning: function f instruction 1: this instruction is never reached"]),
        (
            ("JMP b", "NOP", "NOP", "b: JMPEQ c", "RET r0", "c: RET r0", "RET r0"),
            [
                "warning: function f instruction 1: instructions 1 to 2 are never reached",
                "warning: function f instruction 6: this instruction is never reached",
            ],
        ),
        (("l: JMP l", "RET r0"), ["warning: function f instruction 1: this instruction is never reached"]),
        (("JMP e", "e:"), []),
    ],
)
def test_unreachable_instructions_are_one_warning_for_each_stretch(lines: tuple[str, ...], expected: list[str]) -> None:
    assert findings(*lines) == expected


def test_unused_label_is_a_warning() -> None:
    assert findings("x: RET r0") == ["warning: function f: nothing jumps to label x"]


def test_register_that_nothing_writes_is_one_warning_at_its_first_reading() -> None:
    assert findings("ADD r1, r0, r2", "STS slot0, r2", "LDS r3, slot0", "RET r3") == [
        "warning: function f instruction 0: reads r2, which nothing writes; it holds Unit"
    ]


def test_call_writes_register_0() -> None:
    program = assemble("function f()\nCALL g\nRET r0\nend")
    assert check(program) == []


def test_findings_come_in_the_order_of_functions_and_instructions() -> None:
    program = assemble("function g()\nCALL h\nRET r5\nNOP\nend\nfunction a()\nRET r5\nend")
    assert [(problem.function, problem.instruction) for problem in check(program, known=())] == [
        ("g", 0),
        ("g", 1),
        ("g", 2),
        ("a", 0),
    ]


def test_a_type_that_other_languages_call_so_is_told() -> None:
    program = assemble("function f(a: u64, b: int64, c: Point) -> boolean\nRET r0\nend")
    found = [problem for problem in check(program) if problem.code == "type-name"]
    assert [problem.message for problem in found] == [
        "parameter a has an object type called u64; did you mean uint64?",
        "the result has an object type called boolean; did you mean bool?",
    ]


def test_every_finding_has_a_code() -> None:
    program = assemble(
        "function print()\nend\nfunction f(a: u64)\nCALL nothing\nCALL open\nMOV r1, r9\nRET r0\nNOP\nl:\nend\n"
    )
    found = check(program, reserved={"print"}, known={"open"}, lacking={"open": "an engine"})
    assert {problem.code for problem in found} == set(CODES) - {"refused"}
