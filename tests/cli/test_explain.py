"""``stoffel explain``: tiers, why not the next one, and the code that is made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoffel import notices
from stoffel.cli import machine_listings
from stoffel.cli.recorder import record
from stoffel.compiler.cpython import versions
from stoffel.compiler.kernels.codegen import llvm
from stoffel.compiler.refusal import Refusal
from stoffel.isa.assembler import assemble
from tests.cli.conftest import ECHO, Outcome
from tests.machines import SUM_BY_CALL

Stoffel = Callable[..., Outcome]
Write = Callable[..., Path]

TYPED = """\
function total(rows: list[list[float]], limit: int64) -> float
    MOV     r6, r0
    LDI     r2, 0.0
    LDI     r3, 0
    LDI     r4, 1
row:
    CMP     r3, r1
    JMPEQ   done
    PUSHARG r6
    PUSHARG r3
    CALL    get_field
    MOV     r5, r0
    LDI     r0, 0
    PUSHARG r5
    PUSHARG r0
    CALL    get_field
    ADD     r2, r2, r0
    ADD     r3, r3, r4
    JMP     row
done:
    RET     r2
end

function chatty(n: int64)
    MOV     r3, r0
    LDI     r1, 0
    LDI     r2, 1
again:
    PUSHARG r1
    CALL    print
    ADD     r1, r1, r2
    CMP     r1, r3
    JMPLT   again
    RET     r1
end

function late(n: int64) -> int64
    MOV     r3, r0
    LDI     r1, "begin"
    PUSHARG r1
    CALL    print
    LDI     r1, 0
    LDI     r2, 1
loop:
    ADD     r1, r1, r2
    CMP     r1, r3
    JMPLT   loop
    RET     r1
end

function nothing_known(x)
    RET     r0
end

function deep()
    .registers 5000
    RET     r0
end

function main()
    LDI     r0, 40
    PUSHARG r0
    CALL    late
    RET     r0
end
"""


@pytest.fixture
def typed(program: Write) -> Path:
    return program(TYPED, "typed.stfasm")


def explained(out: str) -> dict[str, list[str]]:
    """Return the lines about each function by its name."""
    found = {}
    for block in out.split("\n\n"):
        first, *lines = block.splitlines()
        if first.startswith("function "):
            found[first.removeprefix("function ").partition("(")[0]] = [line.strip() for line in lines]
    return found


def as_json(stoffel: Stoffel, *words: Any) -> dict[str, Any]:
    status, out, err = stoffel("explain", *words, "--json")
    assert (status, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def test_every_function_is_explained_by_its_declared_types(stoffel: Stoffel, typed: Path) -> None:
    status, out, err = stoffel("explain", typed)
    assert (status, err) == (0, "")
    found = explained(out)
    assert list(found) == ["total", "chatty", "late", "nothing_known", "deep", "main"]
    tiers = {name: next(line for line in lines if line.startswith("tier: ")) for name, lines in found.items()}
    assert tiers == {
        "total": "tier: kernel",
        "chatty": "tier: code object",
        "late": "tier: code object, loops as kernels",
        "nothing_known": "tier: code object",
        "deep": "tier: interpreter",
        "main": "tier: code object",
    }


def test_a_kernel_is_shown_with_names_and_types_of_its_arguments_and_result(stoffel: Stoffel, typed: Path) -> None:
    lines = explained(stoffel("explain", typed).out)["total"]
    assert lines[0] == "argument types: list[list[float]], int64 (declared)"
    assert lines[2] == "kernel (rows: list[list[float]], limit: int64) -> float, 18 instructions of total"
    assert lines[3].startswith("loop at instruction 4: kernel (r")


def test_what_keeps_a_function_out_of_the_next_tier_is_a_sentence_with_its_instruction(
    stoffel: Stoffel, typed: Path
) -> None:
    found = explained(stoffel("explain", typed).out)
    at = found["chatty"].index("chatty, instruction 4: CALL print")
    assert found["chatty"][at - 1] == "no kernel: call of 'print' in a loop"
    assert "no code object: 5000 registers, more than the 4096 of a function that is translated" in found["deep"]
    assert "no kernel: the types of its arguments are not known (give arguments, or --run)" in found["nothing_known"]


def test_a_loop_behind_what_no_kernel_can_do_is_a_kernel_of_its_own(stoffel: Stoffel, typed: Path) -> None:
    (function,) = as_json(stoffel, typed, "late")["functions"]
    assert (function["call"]["kernel"], function["call"]["no_kernel_at"]["text"]) == (False, "CALL print")
    (loop,) = function["loops"]
    assert (loop["instruction"], loop["kernel"], loop["leaves"]) == (6, True, [])
    assert loop["signature"].startswith("(r1: int64, r2: int64, r3: int64")


def test_a_named_function_is_shown_with_its_code(stoffel: Stoffel, typed: Path) -> None:
    out = stoffel("explain", typed, "late").out
    assert list(explained(out)) == ["late"]
    assert "\n  Simplified code:\n    block 0:\n          0  MOV r3, r0" in out
    assert "  ADD r1, r1, r2 " in out
    assert "goto ^6" in out
    assert "\n  CPython code:\n" in out
    assert "RETURN_VALUE" in out
    assert "LLVM" not in out


def test_listings_that_are_asked_for_are_the_only_ones(stoffel: Stoffel, typed: Path) -> None:
    out = stoffel("explain", typed, "total", "--code").out
    assert "Simplified code:" in out
    assert "CPython code:" not in out


def test_a_listing_of_what_there_is_not_says_so(stoffel: Stoffel, typed: Path) -> None:
    assert stoffel("explain", typed, "deep").out.endswith(
        "\n\n  --code: there is no code object\n\n  --bytecode: there is no code object\n"
    )
    assert "\n  --llvm: there is no kernel\n" in stoffel("explain", typed, "chatty", "--llvm").out


def test_llvm_ir_and_assembly_are_those_of_the_kernel_without_what_all_kernels_have(
    stoffel: Stoffel, typed: Path
) -> None:
    (function,) = as_json(stoffel, typed, "total", "--llvm", "--assembly")["functions"]
    titles = ["LLVM IR of the kernel:", "LLVM IR of the kernel from instruction 4:"]
    assert list(function["llvm"]) == titles
    ir = function["llvm"][titles[0]]
    assert "define void @kernel(ptr %S)" in ir
    assert "fadd double" in ir
    assert "@poll(" in ir
    assert "define internal fastcc i64 @poll" not in ir
    assert "; not shown: poll" in ir
    text = function["assembly"]["Assembly of the kernel:"]
    assert "\nkernel:\n" in f"\n{text}"
    assert "\npoll:" not in text
    assert ".cfi_" not in text


def test_without_llvm_the_listing_is_the_reason(stoffel: Stoffel, typed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_ir: str) -> str:
        raise Refusal("machine code is made by llvmlite, which cannot be imported: no")

    monkeypatch.setattr(llvm, "optimised", refuse)
    out = stoffel("explain", typed, "total", "--llvm").out
    assert "  LLVM IR of the kernel:\n    machine code is made by llvmlite, which cannot be imported: no\n" in out


def test_support_functions_are_known_by_name() -> None:
    assert {"poll", "allocate", "release"} <= machine_listings._SUPPORT


def test_arguments_give_the_types(stoffel: Stoffel, program: Write) -> None:
    path = program(SUM_BY_CALL)
    kernel = explained(stoffel("explain", path, "sum", "u8:3", "--code").out)["sum"]
    assert kernel[0] == "argument types: uint8 (given)"
    assert (
        "no kernel: the types of its arguments are not known (give arguments, or --run)"
        in (explained(stoffel("explain", path).out)["sum"])
    )
    text = explained(stoffel("explain", path, "sum", "text", "--code").out)["sum"]
    assert text[0] == "argument types: string (given)"
    assert text[2:4] == [
        "no kernel: CMP of int64 and a value that is no number in a loop",
        "sum, instruction 3: CMP r2, r0",
    ]


def test_a_run_gives_the_types_of_calls_and_loops_and_is_reported(stoffel: Stoffel, program: Write) -> None:
    status, out, err = stoffel("explain", program(SUM_BY_CALL), "main", "1000", "--run", "--jit=kernels", "--cache=off")
    assert (status, err) == (0, "")
    found = explained(out)
    assert found["sum"][:3] == [
        "argument types: int64 (seen)",
        "tier: kernel",
        "kernel (n: int64) -> int64, 9 instructions of sum",
    ]
    assert found["main"][2] == "kernel (n: int64) -> int64, 12 instructions of main, sum"
    assert "\nrun of main: result 499500\ncompiled tier: kernels\n" in out


def test_a_run_that_prints_shows_nothing_of_that_and_one_that_fails_is_explained_all_the_same(
    stoffel: Stoffel, countdown: Path
) -> None:
    found = as_json(stoffel, countdown, "main", "3", "--run", "--jit=always")
    assert [function["types_are"] for function in found["functions"]] == ["seen", "seen"]
    assert (found["run"]["result"], found["run"]["error"]) == (None, "Division by zero")
    assert found["run"]["stats"]["mode"] == "always"


def test_several_combinations_of_types_are_counted(stoffel: Stoffel, program: Write) -> None:
    path = program(
        ECHO.replace("main(value)", "same(value)")
        + """
function main()
    LDI r1, 5
    PUSHARG r1
    CALL same
    PUSHARG r1
    CALL same
    LDI r1, 0.5
    PUSHARG r1
    CALL same
    RET r0
end
"""
    )
    lines = explained(stoffel("explain", path, "--run").out)["same"]
    assert lines[0] == "argument types: int64 (seen, and 1 other combination)"


def test_only_one_function_of_a_run_can_be_asked_for(stoffel: Stoffel, program: Write) -> None:
    found = as_json(stoffel, program(SUM_BY_CALL), "main", "10", "--run", "--only", "sum")
    assert [function["name"] for function in found["functions"]] == ["sum"]


def test_loops_of_a_run_are_seen_where_no_analysis_comes(stoffel: Stoffel, program: Write) -> None:
    path = program(
        """
        function main(n: int64) -> int64
            CALL    create_object
            MOV     r5, r0
            LDI     r1, "rows"
            CALL    create_array
            MOV     r2, r0
            PUSHARG r2
            LDI     r3, 5
            PUSHARG r3
            CALL    array_push
            PUSHARG r5
            PUSHARG r1
            PUSHARG r2
            CALL    set_field
            PUSHARG r5
            PUSHARG r1
            CALL    get_field
            MOV     r4, r0
            LDI     r1, 0
            LDI     r2, 1
            LDI     r3, 50
        loop:
            PUSHARG r4
            PUSHARG r1
            PUSHARG r1
            CALL    set_field
            ADD     r1, r1, r2
            CMP     r1, r3
            JMPLT   loop
            RET     r1
        end
        """
    )
    (function,) = as_json(stoffel, path, "main", "7", "--run")["functions"]
    (loop,) = function["loops"]
    assert (loop["kernel"], "r4: list[int64]" in loop["signature"]) == (True, True)


def test_an_endless_program_is_looked_at_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stoffel.cli.recorder.SECONDS", 0.05)
    program = assemble("function main()\nagain:\n    LDI r0, 1\n    JMP again\nend")
    recorder = record(program, "main", [])
    assert [seen.codes for seen in recorder.loops["main", 0]] == [("nil",), ("int64",)]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["totl"], 1, "stoffel: Function totl not found; did you mean total?"),
        (["--only", "x"], 1, "stoffel: Function x not found"),
        (["late", "1", "2"], 1, "stoffel: late(n: int64) -> int64 takes 1 argument, not 2"),
        (["late", "--run"], 1, "stoffel: Function late expects 1 arguments but got 0"),
        (["late", "u8:300"], 2, "stoffel explain: argument 1: 'u8:300': U8 holds 0 to 255"),
        (["--jit=auto"], 2, "stoffel explain: --jit goes with --run"),
        (["--jit=x", "--run"], 2, "stoffel explain: --jit must be one of"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(
    words: list[str], status: int, message: str, stoffel: Stoffel, typed: Path
) -> None:
    outcome = stoffel("explain", typed, *words)
    assert (outcome.status, outcome.out) == (status, "")
    assert outcome.err.startswith(message)


def test_bad_files_are_told_as_by_run(stoffel: Stoffel, program: Write, tmp_path: Path) -> None:
    taken = program("function print()\n    RET r0\nend\n")
    empty = program("; nothing\n", "empty.stfasm")
    for path in (taken, empty, tmp_path / "missing"):
        assert stoffel("explain", path) == stoffel("run", path)


def test_on_an_unknown_python_kernels_are_explained_and_why_there_is_nothing_else(
    stoffel: Stoffel, typed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = stoffel("explain", typed).out
    monkeypatch.setattr(versions, "KNOWN_VERSIONS", ((3, 1),))
    monkeypatch.setattr(notices, "_said", set())
    status, out, err = stoffel("explain", typed)
    assert (status, err.count("\n")) == (0, 1)
    assert err.startswith("stoffel: nothing but kernels is compiled: ")
    told = [line for line in out.splitlines() if "no code object: the translator knows" not in line]
    assert len(told) < len(out.splitlines())
    assert told == known.replace("tier: code object", "tier: interpreter").splitlines()


def test_on_another_implementation_nothing_can_be_explained(
    stoffel: Stoffel, typed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "is_cpython", lambda: False)
    status, out, err = stoffel("explain", typed)
    assert (status, out) == (1, "")
    assert err.startswith("stoffel: nothing is compiled: the translator writes CPython bytecode, and this is ")


def test_what_is_inlined_is_told_with_its_call(stoffel: Stoffel, program: Write) -> None:
    text = """
function half(n: int64) -> int64
    LDI     r1, 2
    DIV     r0, r0, r1
    RET     r0
end
function quarter(n: int64) -> int64
    PUSHARG r0
    CALL    half
    PUSHARG r0
    CALL    half
    RET     r0
end
function main(n: int64) -> int64
    PUSHARG r0
    CALL    quarter
    RET     r0
end
"""
    path = program(text)
    lines = explained(stoffel("explain", path).out)["main"]
    assert [line for line in lines if line.startswith("inlines")] == [
        "inlines quarter at instruction 1",
        "inlines half at instruction 1 of quarter",
        "inlines half at instruction 3 of quarter",
    ]
    assert "     1      DIV r0, r0, r1  ; half" in stoffel("explain", path, "main", "--code").out
    found = as_json(stoffel, path, "main")["functions"][0]
    assert found["inlines"][0] == {
        "inlined": "quarter",
        "function": "main",
        "instruction": 1,
        "text": "CALL quarter",
    }


MEETING = """
function pushes(n: int64) -> int64
    LDI     r1, 0
    CMP     r0, r1
    JMPEQ   skip
    PUSHARG r0
skip:
    RET     r0
end
function main(n: int64) -> int64
    PUSHARG r0
    CALL    pushes
    RET     r0
end
"""


def test_a_function_is_not_blamed_for_what_was_inlined_into_it(stoffel: Stoffel, program: Write) -> None:
    path = program(MEETING)
    status, out, err = stoffel("explain", path, "main", "5")
    assert (status, err) == (0, "")
    assert explained(out)["main"][1] == "tier: code object"
    found = explained(stoffel("explain", path).out)["pushes"]
    at = found.index("no code object: argument stack has no static shape")
    assert found[at + 1] == "pushes, instruction 4: RET r0"


def test_what_a_kernel_lacks_in_another_function_is_shown_there(stoffel: Stoffel, program: Write) -> None:
    path = program(
        "function talks(n)\nPUSHARG r0\nCALL print\nRET r0\nend\n"
        "function main(n: int64)\nMOV r2, r0\nagain:\nPUSHARG r2\nCALL talks\nCMP r0, r2\nJMPLT again\nRET r0\nend\n"
    )
    (function,) = as_json(stoffel, path, "--only", "main")["functions"]
    assert function["call"]["no_kernel"] == "call of 'print' in a loop"
    assert function["call"]["no_kernel_at"] == {"function": "talks", "instruction": 1, "text": "CALL print"}
