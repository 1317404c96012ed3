"""The recipes of the manual, as they stand there, in a copy of the package: what is added runs alike in every tier."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from stoffel.compiler.analysis import calls, operation_forms, ranges
from stoffel.compiler.emission import selection
from stoffel.compiler.emission.global_names import operation_name
from stoffel.compiler.kernels.analysis import builtin_types as kernel_builtins
from stoffel.compiler.kernels.codegen import builtins
from stoffel.compiler.kernels.codegen import operations as kernel_operations
from stoffel.isa import table
from stoffel.model import operations
from stoffel.model.builtins import arrays
from stoffel.runtime import steps
from stoffel.runtime.builtins import lists
from tests.copies import Copy

ROOT = Path(__file__).parents[1]
MANUAL = ROOT / "docs" / "compiler.md"
INSTRUCTION = (table, operations, operation_forms, selection, ranges, kernel_operations)
"""The files that the steps of the recipe for an instruction change."""
MEANING = 2
"""Steps of the recipe for an instruction after which it works."""
BUILTIN = (arrays, lists, kernel_builtins, builtins)
"""The files that the steps of the recipe for a builtin change."""
WORKING = 2
"""Steps of the recipe for a builtin after which it works."""

LOOP = """
function main(n: int64) -> int64
    LDI     r1, 0
    LDI     r2, 1
    LDI     r3, 0
    LDI     r5, 700
again:
    {body}
    ADD     r3, r3, r4
    ADD     r1, r1, r2
    CMP     r1, r0
    JMPLT   again
    RET     r3
end
"""
MINIMUM = "MIN     r4, r1, r5"
CLAMP = """LDI     r6, 100
    PUSHARG r1
    PUSHARG r6
    PUSHARG r5
    MOV     r7, r0
    CALL    clamp
    MOV     r4, r0
    MOV     r0, r7"""
HEIGHT = """LDI     r4, 5
    PUSHARG r1
    PUSHARG r1
    HEIGHT  r4
    MOV     r6, r0
    CALL    add
    MOV     r0, r6"""
ROUNDS = 2000


def steps_of(recipe: str) -> list[str]:
    """Return the changes that a section of the manual shows, in order."""
    text = MANUAL.read_text(encoding="utf-8")
    section = text[text.index(f"## {recipe}\n") :].split("\n## ")[0]
    return re.findall(r"^```diff\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def take(copy: Copy, module: ModuleType, step: str) -> None:
    """Make changes, divided by @@: after a blank the lines that are there, after a plus those that come."""
    for change in step.split("@@\n"):
        lines = change.splitlines(keepends=True)
        assert {line[0] for line in lines} == {" ", "+"}
        copy.replace(module, "".join(line[1:] for line in lines if line[0] == " "), "".join(line[1:] for line in lines))


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def program(copy: Copy, text: str) -> Path:
    path = copy.directory / "program.stfasm"
    path.write_text(text, encoding="utf-8")
    return path


def assert_every_way_gives(copy: Copy, result: object, path: Path, *arguments: object) -> None:
    status, out, err = copy.stoffel("compare", path, *arguments)
    assert (status, err) == (0, ""), out
    assert out.splitlines()[-2] == f"result {result}"
    assert re.fullmatch(r"all \d+ ways agree", out.splitlines()[-1])


def kernels(copy: Copy, path: Path, *arguments: object) -> tuple[str, str]:
    """Run a program with kernels; return what it prints, and the statistics."""
    status, out, err = copy.stoffel("run", "--jit=kernels", "--stats", path, *arguments)
    assert status == 0, err
    return out, err


SUM_OF_MINIMA = sum(min(number, 700) for number in range(ROUNDS))
SUM_OF_CLAMPED = sum(max(100, min(number, 700)) for number in range(ROUNDS))


def test_an_instruction_with_a_row_and_a_meaning_runs_in_every_tier(copy: Copy) -> None:
    for module, step in zip(INSTRUCTION[:MEANING], steps_of("How to add an instruction"), strict=False):
        take(copy, module, step)
    path = program(copy, LOOP.format(body=MINIMUM))
    assert_every_way_gives(copy, SUM_OF_MINIMA, path, ROUNDS)
    out, err = kernels(copy, path, ROUNDS)
    assert (out, "MIN of int64 and int64 in a loop at instruction 4" in err) == (f"{SUM_OF_MINIMA}\n", True), err
    assert operation_name("MIN") in copy.stoffel("explain", path, "main", ROUNDS, "--bytecode")[1]


def test_an_instruction_added_by_all_steps_runs_in_every_tier_and_is_written_out(copy: Copy) -> None:
    for module, step in zip(INSTRUCTION, steps_of("How to add an instruction"), strict=True):
        take(copy, module, step)
    path = program(copy, LOOP.format(body=MINIMUM))
    assert_every_way_gives(copy, SUM_OF_MINIMA, path, ROUNDS)
    out, err = kernels(copy, path, ROUNDS)
    assert (out, err.count("  built  ")) == (f"{SUM_OF_MINIMA}\n", 1), err
    for argument in ("s:text", "u8:200"):
        status, out, err = copy.stoffel("compare", path, argument)
        assert (status, err, out.splitlines()[-1][-10:]) == (0, "", "ways agree"), out
    status, out, err = copy.stoffel("explain", path, "main", ROUNDS, "--bytecode")
    assert (status, "COMPARE_OP" in out, operation_name("MIN") in out) == (0, True, False), out


def test_tests_that_go_by_the_table_take_an_added_instruction_in(copy: Copy) -> None:
    for module, step in zip(INSTRUCTION, steps_of("How to add an instruction"), strict=True):
        take(copy, module, step)
    (copy.directory / "tests").symlink_to(ROOT / "tests")
    status, out, _ = copy.python(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "--rootdir", copy.directory, "-c", "/dev/null"),
        "tests/compiler/analysis/test_operation_forms.py",
        "-k",
        "MIN",
    )
    assert (status, re.search(r"\d+ passed", out) is not None) == (0, True), out


@pytest.mark.parametrize(
    ("recipe", "modules"), [("How to add an instruction", INSTRUCTION), ("How to add a builtin", BUILTIN)]
)
def test_what_a_recipe_adds_passes_the_linter_and_the_type_checker(
    recipe: str, modules: tuple[ModuleType, ...], copy: Copy
) -> None:
    pytest.importorskip("mypy")
    for module, step in zip(modules, steps_of(recipe), strict=True):
        take(copy, module, step)
    shutil.copy(ROOT / "pyproject.toml", copy.directory)
    files = [copy.file(module) for module in modules]
    for tool in (("ruff", "check", "--no-cache"), ("mypy", "--follow-imports=silent")):
        assert copy.python("-m", *tool, *files)[::2] == (0, ""), copy.python("-m", *tool, *files)[1]


def test_a_jump_needs_a_row_only(copy: Copy) -> None:
    copy.replace(
        table,
        "ROWS: Final[tuple[Op, ...]] = (\n",
        "ROWS: Final[tuple[Op, ...]] = (\n"
        '    _jump("JMPLE", 0x1B, "if flag <= 0: pc := A", frozenset({-1, 0}), "Jump if it was not greater."),\n',
    )
    path = program(copy, LOOP.format(body="MOV     r4, r1").replace("JMPLT", "JMPLE"))
    total = sum(range(ROUNDS + 1))
    assert_every_way_gives(copy, total, path, ROUNDS)
    out, err = kernels(copy, path, ROUNDS)
    assert (out, err.count("  built  ")) == (f"{total}\n", 1), err


def test_an_instruction_that_only_the_interpreter_knows_runs_in_every_tier(copy: Copy) -> None:
    copy.replace(
        table,
        "ROWS: Final[tuple[Op, ...]] = (\n",
        "ROWS: Final[tuple[Op, ...]] = (\n"
        '    Op("HEIGHT", 0x1B, (_REGISTER_OUT,), "R[A] := len(stack)", reads=_places(Place.STACK),\n'
        "       events=Events.WRITE),\n",
    )
    copy.replace(
        steps,
        "_SPECIAL: Final[dict[str, Bind]] = {\n",
        "def _height(target: int) -> Step:\n"
        "    def step(registers: Registers, frame: ActivationRecord) -> None:\n"
        "        registers[target] = len(frame.stack)\n\n"
        "    return step\n\n\n"
        '_SPECIAL: Final[dict[str, Bind]] = {\n    "HEIGHT": _height,\n',
    )
    text = LOOP.format(
        body="LDI     r4, 5\n    PUSHARG r1\n    PUSHARG r1\n    HEIGHT  r4\n    MOV r6, r0\n    CALL    add"
    )
    text = text.replace("CALL    add", "CALL    add\n    MOV r0, r6")
    text += "\nfunction add(a, b)\n    HEIGHT  r2\n    ADD     r0, r0, r1\n    RET     r0\nend\n"
    path = program(copy, text)
    assert_every_way_gives(copy, 2 * ROUNDS, path, ROUNDS)
    out, err = kernels(copy, path, ROUNDS)
    assert (out, "'main' has HEIGHT, which only the interpreter knows" in err) == (f"{2 * ROUNDS}\n", True), err


WRONG = [
    (operations, '        "MOD": modulo,\n', "", operations, "missing ['MOD'], unknown []"),
    (steps, '    "LDS": _lds,\n', "", steps, "missing ['LDS'], unknown []"),
    (operation_forms, '"MOD": Forms(', '"MOT": Forms(', operation_forms, "missing [], unknown ['MOT']"),
    (operation_forms, '"MOD": Forms("division"', '"MOD": Forms("divide"', selection, "missing ['divide'], unknown []"),
    (
        selection,
        '"boolean": {*OPERATORS, "NOT"}',
        '"boolean": OPERATORS',
        selection,
        "missing ['NOT as boolean'], unknown []",
    ),
    (ranges, '"MOD": _modulo', '"MOT": _modulo', ranges, "missing [], unknown ['MOT']"),
    (kernel_operations, '"MOD": Operation(', '"MOT": Operation(', kernel_operations, "missing [], unknown ['MOT']"),
    (calls, '"append": _append', '"apend": _append', calls, "missing [], unknown ['apend']"),
    (kernel_builtins, '"copy": Typing(', '"clone": Typing(', kernel_builtins, "missing [], unknown ['clone']"),
    (kernel_builtins, '    "copy": Typing(_copy),\n', "", builtins, "missing [], unknown ['copy']"),
    (lists, '@FAMILY.builtin("copy")\n', "", lists, "missing ['copy'], unknown []"),
    (lists, '@FAMILY.builtin("copy")\n', '@FAMILY.builtin("clone")\n', lists, "missing ['copy'], unknown ['clone']"),
]
"""Changes of a module, and the module that notices when it is imported."""


@pytest.mark.parametrize(("module", "old", "new", "who", "what"), WRONG)
def test_a_table_that_lacks_an_entry_or_has_one_too_many_names_it_when_it_is_imported(
    copy: Copy, module: ModuleType, old: str, new: str, who: ModuleType, what: str
) -> None:
    copy.replace(module, old, new)
    status, _, err = copy.python("-c", f"import {who.__name__}")
    assert (status, err.splitlines()[-1]) == (1, f"LookupError: {who.__name__}: {what}")


def test_a_builtin_with_a_row_and_a_function_runs_in_every_tier(copy: Copy) -> None:
    for module, step in zip(BUILTIN[:WORKING], steps_of("How to add a builtin")[:WORKING], strict=True):
        take(copy, module, step)
    path = program(copy, LOOP.format(body=CLAMP))
    assert_every_way_gives(copy, SUM_OF_CLAMPED, path, ROUNDS)
    out, err = kernels(copy, path, ROUNDS)
    assert (out, "call of 'clamp' in a loop at instruction" in err) == (f"{SUM_OF_CLAMPED}\n", True), err


def test_a_builtin_added_by_all_steps_runs_in_every_tier_and_in_a_kernel(copy: Copy) -> None:
    for module, step in zip(BUILTIN, steps_of("How to add a builtin"), strict=True):
        take(copy, module, step)
    path = program(copy, LOOP.format(body=CLAMP))
    assert_every_way_gives(copy, SUM_OF_CLAMPED, path, ROUNDS)
    out, err = kernels(copy, path, ROUNDS)
    assert (out, err.count("  built  ")) == (f"{SUM_OF_CLAMPED}\n", 1), err
