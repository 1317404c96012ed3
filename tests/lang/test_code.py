"""The code that is written: few instructions, sound registers, any number of variables."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

import stoffel


def names(source: str, function: str = "main") -> list[str]:
    return [one.name for one in stoffel.compile(source).functions[function].instructions]


def run(source: str) -> object:
    machine = stoffel.VirtualMachine()
    machine.load(stoffel.compile(source))
    return machine.execute("main")


def test_a_condition_is_compared_and_jumped_on_where_it_stands() -> None:
    code = names("def f(a: int64, b: int64) -> int64:\n  if a < b:\n    return a\n  return b\n", "f")
    assert code == ["CMP", "JMPLT", "JMP", "RET", "RET"]


def test_results_are_written_to_where_they_belong() -> None:
    code = names("def f(n: int64) -> int64:\n  var s = n * 2\n  s = s + n\n  return s\n", "f")
    assert code == ["LDI", "MUL", "ADD", "RET"]


def test_no_register_is_moved_to_itself() -> None:
    program = stoffel.compile(
        "def g(a: int64) -> int64:\n  var b = a\n  return b\n\ndef main() -> int64:\n  return g(4)\n"
    )
    moves = [one for f in program.functions for one in f.instructions if one.name == "MOV"]
    assert [one for one in moves if one.operands[0] == one.operands[1]] == []


def test_a_loop_goes_back_with_a_known_flag() -> None:
    """A CMP of a constant with itself ends a body in which something was compared."""
    source = (
        "def f(n: int64) -> int64:\n  var i = 0\n  while i < n:\n    if i == 3:\n      i += 1\n    i += 1\n  return i\n"
    )
    function = stoffel.compile(source).functions["f"]
    last = [one for one in function.instructions if one.name == "CMP"][-1]
    assert last.operands[0] == last.operands[1]


def test_what_is_never_reached_is_not_written() -> None:
    code = names("def main() -> int64:\n  while True:\n    return 1\n  print(2)\n")
    assert code == ["LDI", "RET"]


def test_more_variables_than_registers_keep_their_values() -> None:
    lines = [f"  var v{i} = n * {i}" for i in range(40)]
    total = " + ".join(f"v{i}" for i in range(40))
    source = "\n".join(["def f(n: int64) -> int64:", *lines, "  print(n)", f"  return {total}", ""])
    program = stoffel.compile(source + "\ndef main() -> int64:\n  return f(3)\n")
    assert {"LDS", "STS"} <= {one.name for one in program.functions["f"].instructions}
    assert (
        max(max(one.operands[:1], default=0) for one in program.functions["f"].instructions if one.name == "MUL") < 16
    )
    assert run(source + "\ndef main() -> int64:\n  return f(3)\n") == 3 * sum(range(40))


def test_constants_are_loaded_again_rather_than_spilled() -> None:
    lines = [f"  var c{i} = {i}" for i in range(30)]
    uses = [f"  n = n + c{i}" for i in range(30)]
    source = "\n".join(["def f(n: int64) -> int64:", *lines, *uses, "  return n", ""])
    assert not {"LDS", "STS"} & set(names(source, "f"))


@pytest.mark.parametrize("count", [2, 14, 15, 16, 17, 30])
def test_parameters_change_places(count: int) -> None:
    """Parameters are passed on in another order, which permutes the registers in which they are."""
    letters = [f"p{i}" for i in range(count)]
    rng = random.Random(count)
    shuffled = rng.sample(letters, count)
    header = ", ".join(f"{one}: int64" for one in letters)
    body = " + ".join(f"{one} * {7**i % 1009}" for i, one in enumerate(letters))
    source = (
        f"def g({header}) -> int64:\n  return {body}\n\n"
        f"def f({header}) -> int64:\n  var r = g({', '.join(shuffled)})\n  return r * 3 + g({', '.join(letters)})\n\n"
        f"def main() -> int64:\n  return f({', '.join(str(i + 1) for i in range(count))})\n"
    )

    def g(values: list[int]) -> int:
        return sum(value * (7**i % 1009) for i, value in enumerate(values))

    values = {one: i + 1 for i, one in enumerate(letters)}
    assert run(source) == g([values[one] for one in shuffled]) * 3 + g([values[one] for one in letters])


def exchanges(count: int) -> Iterator[str]:
    rng = random.Random(5)
    for _ in range(count):
        a, b = rng.sample(range(20), 2)
        yield f"    v{a} = v{b} + {rng.randrange(9)}"


def test_values_that_cross_loops_and_calls_are_kept() -> None:
    """Twenty variables that are assigned from one another in a loop, compared with Python's own variables."""
    steps = list(exchanges(60))
    lines = ["def main() -> int64:", *[f"  var v{i} = {i}" for i in range(20)], "  for turn in 0..7:", *steps]
    lines += ['    print("turn", turn)', f"  return {' + '.join(f'v{i} * {i + 1}' for i in range(20))}", ""]
    variables = {f"v{i}": i for i in range(20)}
    for _ in range(7):
        for step in steps:
            exec(step.strip(), {}, variables)
    assert run("\n".join(lines)) == sum(variables[f"v{i}"] * (i + 1) for i in range(20))


def test_a_variable_that_no_path_has_assigned_is_unit() -> None:
    """Its register may be one in which an argument has arrived that nobody reads."""
    source = """\
def f(a: int64, b: int64, c: int64, d: int64, e: int64, g: int64) -> string:
  if len("x") == 0:
    var late = 5
  for i in 0..2:
    print(i)
  return to_string(late)

def main() -> string:
  return f(3, 4, 5, 6, 7, 8)
"""
    assert run(source) == "()"


def test_keys_that_are_constants_take_the_type_of_the_keys() -> None:
    source = 'def main() -> string:\n  var d: dict[uint8, string] = {1: "one"}\n  d[2] = "two"\n  return d[1] + d[2]\n'
    assert run(source) == "onetwo"


def test_what_is_added_up_in_a_loop_has_the_type_of_the_elements() -> None:
    source = (
        "def main() -> string:\n  var xs: list[int8] = [1, 2]\n  var sum = 0\n"
        "  for x in xs:\n    sum += x\n  return type(sum) + to_string(sum)\n"
    )
    assert run(source) == "int83i8"


def test_a_chain_of_operations_takes_the_type_that_is_wanted() -> None:
    """Unconverted values are carried on, as in the reference: nothing is said about a sum."""
    source = (
        "def main() -> string:\n  var x: int64 = 100\n  var a: int8 = x + x\n  var f: float = x * 2\n"
        "  return type(a) + type(f)\n"
    )
    assert run(source) == "int64float"
