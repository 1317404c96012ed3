"""``stoffel run``: output, result, errors, statuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from stoffel.isa.assembler import assemble
from tests.cli.conftest import HELLO, Outcome

Stoffel = Callable[..., Outcome]
Write = Callable[..., Path]


def test_lines_are_printed_and_then_the_result(stoffel: Stoffel, hello: Path) -> None:
    assert stoffel("run", hello) == (0, "Hello, world\n5\n", "")


def test_a_binary_program_runs_the_same(stoffel: Stoffel, tmp_path: Path) -> None:
    path = tmp_path / "hello.stflb"
    assemble(HELLO).save(path)
    assert stoffel("run", path) == (0, "Hello, world\n5\n", "")


def test_the_content_tells_what_a_file_is_and_not_its_name(stoffel: Stoffel, tmp_path: Path, program: Write) -> None:
    binary = tmp_path / "binary.stfasm"
    assemble(HELLO).save(binary)
    text = program(HELLO, "text.stflb")
    no_extension = program(HELLO, "program")
    expected = (0, "Hello, world\n5\n", "")
    assert [stoffel("run", path) for path in (binary, text, no_extension)] == [expected] * 3


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("5", "5"),
        ("-5", "-5"),
        ("1.5", "1.5f64"),
        ("-1.5", "-1.5f64"),
        ("true", "true"),
        ("text", '"text"'),
        ("", '""'),
        ("i64:5", "5"),
        ("u8:2", "2u8"),
        ("i32:-2", "-2i32"),
        ("f64:1", "1f64"),
        ("f64:nan", "NaNf64"),
        ("f64:-inf", "-inff64"),
        ("f64:-0.0", "-0f64"),
        ("s:5", '"5"'),
        ("bool:true", "true"),
        ("unit", "()"),
    ],
)
def test_arguments_reach_the_program_with_their_type(stoffel: Stoffel, echo: Path, argument: str, shown: str) -> None:
    assert stoffel("run", echo, argument) == (0, f"{shown}\n", "")


def test_after_two_dashes_everything_is_an_argument(stoffel: Stoffel, echo: Path) -> None:
    assert stoffel("run", echo, "--", "--json") == (0, '"--json"\n', "")


@pytest.mark.parametrize("argument", ["u8:300", "i64:x", "f64:abc", "bool:1", "99999999999999999999"])
def test_a_wrong_argument_is_a_usage_error_of_one_line(stoffel: Stoffel, echo: Path, argument: str) -> None:
    status, out, err = stoffel("run", echo, argument)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"stoffel run: argument 1: '{argument}': ")


def test_another_entry_can_be_run(stoffel: Stoffel, program: Write) -> None:
    path = program("function f(a, b)\n    ADD r0, r0, r1\n    RET r0\nend\nfunction main()\n    RET r0\nend\n")
    assert stoffel("run", path, "--entry", "f", "2", "3") == (0, "5\n", "")


def test_an_unknown_entry_is_told_with_the_functions_there_are(stoffel: Stoffel, countdown: Path) -> None:
    assert stoffel("run", countdown, "--entry", "zzz") == (
        1,
        "",
        "stoffel: Function zzz not found\n  choose one of its functions with --entry: down, main\n",
    )


def test_a_program_without_main_is_told_with_the_functions_there_are(stoffel: Stoffel, program: Write) -> None:
    path = program("function f()\n    RET r0\nend\n")
    assert stoffel("run", path) == (
        1,
        "",
        "stoffel: Function main not found\n  choose one of its functions with --entry: f\n",
    )


def test_of_many_functions_only_some_are_listed(stoffel: Stoffel, program: Write) -> None:
    path = program("".join(f"function f{n}()\n    RET r0\nend\n" for n in range(50)))
    assert stoffel("run", path).err.endswith(", f19 and 30 more\n")


def test_a_wrong_number_of_arguments_shows_the_entry(stoffel: Stoffel, echo: Path) -> None:
    assert stoffel("run", echo) == (
        1,
        "",
        "stoffel: Function main expects 1 arguments but got 0\n  the entry is main(value)\n",
    )


def test_a_failed_program_shows_the_error_and_the_stack_of_calls_innermost_last(
    stoffel: Stoffel, countdown: Path
) -> None:
    assert stoffel("run", countdown, "1") == (
        1,
        "before\n",
        "stoffel: Division by zero\n"
        f"  at function main, instruction 5: CALL down    {countdown}:21\n"
        f"  at function down, instruction 6: CALL down    {countdown}:9\n"
        f"  at function down, instruction 8: DIV r0, r1, r1    r1 = 0    {countdown}:12\n",
    )


def test_equal_calls_of_a_long_stack_are_shown_once(stoffel: Stoffel, countdown: Path) -> None:
    status, _, err = stoffel("run", countdown, "1000")
    lines = err.splitlines()
    assert status == 1
    assert len(lines) == 5
    assert lines[3] == "  ... 999 more"
    assert lines[1].startswith("  at function main, instruction 5: ")
    assert lines[-1].startswith("  at function down, instruction 8: ")


@pytest.mark.parametrize("jit", ["off", "auto", "always", "kernels"])
def test_a_failure_is_told_alike_in_every_tier(stoffel: Stoffel, countdown: Path, jit: str) -> None:
    plain = stoffel("run", countdown, "40")
    assert stoffel("run", countdown, "40", f"--jit={jit}") == plain


def test_runaway_recursion_ends_in_an_error(stoffel: Stoffel, program: Write) -> None:
    path = program("function main()\n    CALL main\n    RET r0\nend\n")
    status, out, err = stoffel("run", path)
    assert (status, out) == (1, "")
    assert err.startswith("stoffel: Call depth exceeds 250000\n  at function main, instruction 0: CALL main    ")


def test_control_characters_of_an_error_are_escaped(stoffel: Stoffel, program: Write) -> None:
    path = program('function main()\n    CALL "no\\nsuch\\u{1b}[1m"\n    RET r0\nend\n')
    assert stoffel("run", path) == (
        1,
        "",
        "stoffel: Function 'no\\nsuch\\x1b[1m' not found\n"
        f'  at function main, instruction 0: CALL "no\\nsuch\\u{{1b}}[1m"    {path}:2\n',
    )


def test_json_is_one_object_and_nothing_else(stoffel: Stoffel, hello: Path) -> None:
    status, out, err = stoffel("run", hello, "--json")
    assert (status, err, out.count("\n")) == (0, "", 1)
    assert json.loads(out) == {"output": "Hello, world\n", "result": "5", "error": None}


def test_json_of_a_failed_program_has_the_error_and_the_lines_printed_before(stoffel: Stoffel, countdown: Path) -> None:
    status, out, err = stoffel("run", "--json", countdown, "2")
    assert (status, err) == (1, "")
    assert json.loads(out) == {
        "output": "before\n",
        "result": None,
        "error": {
            "kind": "Value",
            "message": "Division by zero",
            "function": "down",
            "instruction": 8,
            "stack": [
                {"function": name, "instruction": index, "text": text, "file": str(countdown), "line": line}
                for name, index, text, line in (
                    ("main", 5, "CALL down", 21),
                    ("down", 6, "CALL down", 9),
                    ("down", 6, "CALL down", 9),
                    ("down", 8, "DIV r0, r1, r1", 12),
                )
            ],
        },
    }


def test_json_of_an_unknown_entry_has_no_place(stoffel: Stoffel, hello: Path) -> None:
    status, out, err = stoffel("run", "--json", hello, "--entry", "zzz")
    assert (status, err) == (1, "")
    error = json.loads(out)["error"]
    assert (error["message"], error["function"], error["instruction"]) == ("Function zzz not found", None, None)


def test_json_of_text_keeps_quotes_newlines_and_other_alphabets(stoffel: Stoffel, echo: Path) -> None:
    text = 'a"b\n\tü€𝄞\\'
    assert json.loads(stoffel("run", "--json", echo, f"s:{text}").out)["result"] == f'"{text}"'


def test_json_of_a_bad_file_is_told_on_standard_error(stoffel: Stoffel, tmp_path: Path) -> None:
    path = tmp_path / "missing.stflb"
    assert stoffel("run", "--json", path) == (3, "", f"stoffel: {path}: cannot read: No such file or directory\n")


@pytest.mark.parametrize("mode", ["--jit", "--jit=auto", "--jit=always", "--jit=off"])
def test_the_compiler_can_be_chosen(stoffel: Stoffel, hello: Path, mode: str) -> None:
    assert stoffel("run", mode, hello) == (0, "Hello, world\n5\n", "")


def test_an_unknown_compiler_mode_is_a_usage_error(stoffel: Stoffel, hello: Path) -> None:
    assert stoffel("run", "--jit=fast", hello) == (
        2,
        "",
        "stoffel run: --jit must be one of off, auto, always, no-kernels, kernels, not 'fast'"
        " (see stoffel run --help)\n",
    )


STORE = """\
function put(key, value)
    PUSHARG r0
    PUSHARG r1
    CALL LocalStorage.store
    RET r0
end
function get(key)
    PUSHARG r0
    CALL LocalStorage.load
    RET r0
end
"""


def test_the_local_store_lasts_from_run_to_run(stoffel: Stoffel, program: Write, tmp_path: Path) -> None:
    path = program(STORE)
    store = tmp_path / "store.sqlite"
    assert stoffel("run", path, "--local-store", store, "--entry", "put", "key", "42").status == 0
    assert stoffel("run", path, "--local-store", store, "--entry", "get", "key") == (0, "42\n", "")


def test_without_a_local_store_there_is_none(stoffel: Stoffel, program: Write) -> None:
    status, out, err = stoffel("run", program(STORE), "--entry", "get", "key")
    assert (status, out) == (1, "")
    assert "not configured" in err.splitlines()[0]


def test_a_directory_as_local_store_is_a_clear_error(stoffel: Stoffel, program: Write, tmp_path: Path) -> None:
    status, out, err = stoffel("run", program(STORE), "--local-store", tmp_path, "--entry", "get", "key")
    assert (status, out) == (1, "")
    assert "Local storage" in err.splitlines()[0]


@pytest.mark.parametrize("command", ["run", "compare"])
def test_an_empty_name_of_a_local_store_is_told(stoffel: Stoffel, program: Write, command: str) -> None:
    told = f"stoffel {command}: --local-store needs the path of a file (see stoffel {command} --help)\n"
    assert stoffel(command, program(STORE), "--local-store=", "--entry", "get", "key") == (2, "", told)


def test_a_function_named_like_a_builtin_is_refused_as_a_bad_file(stoffel: Stoffel, program: Write) -> None:
    path = program("function print()\n    RET r0\nend\n")
    assert stoffel("run", path) == (3, "", f"stoffel: {path}: Function 'print' is already registered\n")


def test_a_program_without_functions_is_a_bad_file(stoffel: Stoffel, program: Write) -> None:
    path = program("; nothing\n")
    assert stoffel("run", path) == (3, "", f"stoffel: {path}: the program has no functions\n")


def test_help_shows_the_argument_syntax(stoffel: Stoffel) -> None:
    status, out, err = stoffel("run", "--help")
    assert (status, err) == (0, "")
    assert out.startswith("Usage: stoffel run [OPTION...] FILE [ARG...]\n")
    assert "u8:5" in out
