"""VM functions in code that numba compiles: results and errors are those of ``execute``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stoffel

numba = pytest.importorskip("numba")
ours = pytest.importorskip("stoffel.numba")
pytestmark = pytest.mark.filterwarnings("ignore")

PROGRAM = stoffel.compile("""
def score(x: int64, y: int64) -> int64:
  if x > 50:
    return x * 3 - y
  return x / y

def fib(n: int64) -> int64:
  if n < 2:
    return n
  return fib(n - 1) + fib(n - 2)

def narrow(x: uint8, y: bool) -> uint8:
  if y:
    return x + x
  return x

def flag(x: float) -> bool:
  return x > 1.5

def table(n: int64) -> int64:
  var items: list[int64] = []
  for i in 0..(n % 7):
    append(items, i * n)
  return len(items) + n

def shout(s: string) -> string:
  return s + "!"

def main() -> int64:
  return 0
""")
LOOSE = stoffel.Program(
    [
        stoffel.Function(
            "loose", [stoffel.Instruction("ADD", 0, 0, 1), stoffel.Instruction("RET", 0)], parameters=["x", "y"]
        )
    ]
)


@pytest.fixture(scope="module")
def score() -> Any:
    return ours.jit(PROGRAM, "score")


@pytest.fixture(scope="module")
def user(score: Any) -> Any:
    @numba.njit
    def call(x: Any, y: Any) -> Any:
        return score(x, y)

    return call


machine = stoffel.VirtualMachine()
machine.load(PROGRAM)
numbers = st.one_of(st.integers(-100, 100), st.integers(-(2**63), 2**63 - 1))


def test_calls_are_those_of_execute(user: Any) -> None:
    @settings(max_examples=200, deadline=None)
    @given(numbers, numbers)
    def check(x: int, y: int) -> None:
        try:
            wanted = machine.execute("score", x, y)
        except stoffel.VMError as error:
            wanted = f"{error}, in score(x={x}, y={y})"
        try:
            found = user(x, y)
        except stoffel.VMError as error:
            found = str(error)
        assert found == wanted

    check()


def test_loops_recursion_tables_and_narrow_types() -> None:
    fib, narrow = ours.jit(PROGRAM, "fib"), ours.jit(PROGRAM, "narrow")
    flag, table = ours.jit(PROGRAM, "flag"), ours.jit(PROGRAM, "table")

    @numba.njit
    def use(x: Any) -> Any:
        total = 0
        for row in range(len(x)):
            total += fib(x[row]) + table(x[row])
        return total

    x = np.arange(20)
    assert use(x) == sum(machine.execute("fib", n) + machine.execute("table", n) for n in range(20))
    assert narrow(np.uint8(7), True) == 14
    with pytest.raises(stoffel.VMError, match="overflow"):
        narrow(np.uint8(200), True)
    assert (flag(2.0), flag(1.0), flag(np.float32(1.75))) == (True, False, True)


def test_an_argument_that_may_not_fit_is_refused_by_its_type() -> None:
    narrow = ours.jit(PROGRAM, "narrow")
    with pytest.raises(numba.core.errors.TypingError, match="'narrow' takes uint8 for x, which not every int64 is"):
        narrow(7, True)


@pytest.mark.parametrize("target", ["cpu", "parallel"])
def test_ufuncs(target: str) -> None:
    function = ours.vectorize(PROGRAM, "score", target=target)
    x = np.arange(10_000) % 97
    assert function(x, 7).tolist() == [machine.execute("score", int(value), 7) for value in x]
    assert function(60, 1) == 179
    with pytest.raises(stoffel.RowError) as caught:
        function(x, np.where(x == 9, 0, 1))
    assert (caught.value.row, caught.value.values, caught.value.message) == (9, {"x": 9, "y": 0}, "Division by zero")


def test_a_ufunc_of_the_users_own(score: Any) -> None:
    mine = numba.vectorize(["int64(int64,int64)"])(lambda x, y: score(x, y))
    assert mine(np.arange(100), 7).tolist() == [machine.execute("score", value, 7) for value in range(100)]
    # Many rows fail; the first is told.
    with pytest.raises(stoffel.VMError, match=r"Division by zero, in score\(x=0, y=0\)"):
        mine(np.arange(100), 0)


def test_types_that_are_not_declared_are_given() -> None:
    with pytest.raises(TypeError, match="'loose' declares no number type for x: say which with types="):
        ours.jit(LOOSE, "loose")
    assert ours.jit(LOOSE, "loose", types=["int64", "int64"])(3, 4) == 7
    assert ours.jit(LOOSE, "loose", types=["float64", "float64"])(3.0, 4.5) == 7.5
    with pytest.raises(ValueError, match="unknown type 'int65'; there are int64, "):
        ours.jit(LOOSE, "loose", types=["int65", "int64"])
    with pytest.raises(ValueError, match="'loose' has 2 parameters, not 1"):
        ours.jit(LOOSE, "loose", types=["int64"])


def test_what_cannot_be_linked_says_why() -> None:
    with pytest.raises(TypeError, match="'shout' declares no number type for s"):
        ours.jit(PROGRAM, "shout")
    with pytest.raises(ValueError, match="the program has no function 'scor'; did you mean 'score'"):
        ours.jit(PROGRAM, "scor")
    with pytest.raises(ValueError, match="target must be 'cpu' or 'parallel', not 'cuda'"):
        ours.vectorize(PROGRAM, "score", target="cuda")
