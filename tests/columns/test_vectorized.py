"""Functions of whole columns: what they give is what ``execute`` gives row by row, in every tier."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stoffel
from stoffel.columns import row_kernel, vectorized
from stoffel.columns.column import DTYPES, converted
from stoffel.isa.scalars import INTEGER_KINDS

SOURCE = """
def score(x: int64, y: int64) -> int64:
  if x > 50:
    return x * 3 - y
  if y > 10:
    return y * y + x
  return x - y

def collatz(n: int64) -> int64:
  var x = n
  var steps = 0
  while x > 1:
    if steps > 500:
      return steps
    if x % 2 == 0:
      x = x / 2
    else:
      x = 3 * x + 1
    steps = steps + 1
  return steps

def ratio(x: int64, y: int64) -> int64:
  return x / y

def narrow(x: uint8, y: int16) -> uint8:
  if y > 5:
    return x + x
  return x

def area(x: float, y: float) -> float:
  return x * y - x / 3.0

def both(x: bool, y: bool) -> bool:
  return x and not y

def fib(n: int64) -> int64:
  if n < 2:
    return n
  if n > 12:
    return 1 / (n - n)
  return fib(n - 1) + fib(n - 2)

def table(n: int64) -> int64:
  var items: list[int64] = []
  for i in 0..(n % 7):
    append(items, i * n)
  return len(items) + n

def wide(x: uint64, y: int32) -> uint64:
  return x + 1u64

def main() -> int64:
  return 0
"""


def untyped() -> stoffel.Program:
    function = stoffel.Function(
        "loose", [stoffel.Instruction("ADD", 0, 0, 1), stoffel.Instruction("RET", 0)], parameters=["x", "y"]
    )
    sometimes = stoffel.Function(
        "sometimes",
        [
            stoffel.Instruction("LDI", 1, 5),
            stoffel.Instruction("CMP", 0, 1),
            stoffel.Instruction("JMPGT", "some"),
            stoffel.Instruction("LDI", 0, None),
            stoffel.Instruction("RET", 0),
            stoffel.Instruction("RET", 0),
        ],
        parameters=["x"],
        labels={"some": 5},
    )
    return stoffel.Program([function, sometimes])


TYPED = stoffel.compile(SOURCE)
UNTYPED = untyped()
INTEGERS = [str(DTYPES[cls]) for cls in INTEGER_KINDS]
NUMBERS = [*INTEGERS, "float64", "float32"]


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have kernels for few rows, in small ranges."""
    monkeypatch.setattr(vectorized, "WORTH_A_KERNEL", 1)
    monkeypatch.setattr(vectorized, "WORTH_ENTERING", 1)
    monkeypatch.setattr(vectorized, "TRIAL", 20)
    monkeypatch.setattr(row_kernel, "ROWS", 7)


def elements(dtype: str) -> st.SearchStrategy[Any]:
    if dtype == "bool":
        return st.booleans()
    if dtype.startswith("float"):
        width = int(dtype[5:])
        return st.one_of(st.floats(width=width), st.sampled_from([0.0, -0.0, 1.0, float("nan"), float("inf")]))
    info = np.iinfo(dtype)
    edges = st.sampled_from([info.min, info.max, 0, 1, min(51, info.max)])
    return st.one_of(st.integers(0, 60), edges, st.integers(int(info.min), int(info.max)))


@st.composite
def inputs(draw: st.DrawFn, dtypes: list[list[str]]) -> list[tuple[str, list[Any]]]:
    """Draw columns of one length, with None for nulls."""
    rows = draw(st.integers(0, 40))
    found = []
    for choices in dtypes:
        dtype = draw(st.sampled_from(choices))
        values = elements(dtype)
        if draw(st.booleans()):
            values = st.one_of(values, st.none())
        found.append((dtype, draw(st.lists(values, min_size=rows, max_size=rows))))
    return found


def expected(
    program: stoffel.Program, entry: str, classes: list[type], columns: list[tuple[str, list[Any]]]
) -> list[Any]:
    """Return each row's result, or the error's text as a one-tuple, by ``execute`` in the interpreter."""
    machine = stoffel.VirtualMachine()
    machine.load(program)
    found: list[Any] = []
    for row in zip(*(values for _, values in columns), strict=True):
        if any(value is None for value in row):
            found.append(None)
            continue
        try:
            values = [converted(value, cls) for value, cls in zip(row, classes, strict=True)]
        except ValueError:
            found.append(("misfit",))
            continue
        try:
            found.append(machine.execute(entry, *values))
        except stoffel.VMError as error:
            found.append((str(error),))
    return found


def masked(dtype: str, values: list[Any]) -> Any:
    data = np.array([0 if value is None else value for value in values], dtype)
    if None in values:
        return np.ma.MaskedArray(data, [value is None for value in values])
    return data


def same(mine: Any, theirs: Any) -> bool:
    return mine == theirs or (mine != mine and theirs != theirs)


CASES = {
    "score": (TYPED, [int, int], [INTEGERS, INTEGERS]),
    "collatz": (TYPED, [int], [INTEGERS]),
    "ratio": (TYPED, [int, int], [INTEGERS, INTEGERS]),
    "narrow": (TYPED, [stoffel.U8, stoffel.I16], [INTEGERS, INTEGERS]),
    "area": (TYPED, [float, float], [NUMBERS, NUMBERS]),
    "both": (TYPED, [bool, bool], [["bool"], ["bool"]]),
    "fib": (TYPED, [int], [INTEGERS]),
    "table": (TYPED, [int], [INTEGERS]),
    "wide": (TYPED, [stoffel.U64, stoffel.I32], [INTEGERS, INTEGERS]),
    "loose": (UNTYPED, None, [NUMBERS, NUMBERS]),
    "sometimes": (UNTYPED, None, [INTEGERS]),
}
SCORES = {
    (name, jit, parallel): stoffel.vectorize(case[0], name, errors="collect", jit=jit, parallel=parallel)
    for name, case in CASES.items()
    for jit, parallel in (("auto", False), ("auto", True), ("off", False))
}
BY_DTYPE = {**{str(dtype): cls for cls, dtype in DTYPES.items()}, "float32": float}


@pytest.mark.parametrize("name", CASES)
def test_results_are_those_of_execute_row_by_row(name: str, eager: None) -> None:
    program, declared, dtypes = CASES[name]

    @settings(max_examples=50, deadline=None)
    @given(inputs(dtypes))
    def check(columns: list[tuple[str, list[Any]]]) -> None:
        classes = declared or [BY_DTYPE[dtype] for dtype, _ in columns]
        wanted = expected(program, name, classes, columns)
        for (score, jit, parallel), function in SCORES.items():
            if score != name:
                continue
            result, failures = function(*(masked(*column) for column in columns))
            assert [failure.row for failure in failures] == [
                row for row, value in enumerate(wanted) if type(value) is tuple
            ], (jit, parallel)
            for failure in failures:
                assert wanted[failure.row][0] in ("misfit", failure.message)
            got = result.tolist()
            assert len(got) == len(wanted)
            for mine, theirs in zip(got, wanted, strict=True):
                assert (mine is None) if type(theirs) is tuple else same(mine, theirs)
            kinds = {type(value) for value in wanted if value is not None and type(value) is not tuple}
            if kinds:
                assert result.dtype == DTYPES[kinds.pop()]

    check()


def test_the_functions_of_these_tests_are_kernels() -> None:
    for name, (program, declared, _) in CASES.items():
        function = stoffel.vectorize(program, name)
        text = function.explain() if declared else function.explain(*[np.arange(3)] * len(function.parameters))
        if name != "sometimes":
            assert text == f"'{name}' is a kernel that loops over the rows", text


# Shapes --------------------------------------------------------------------------------


@pytest.fixture
def score() -> Any:
    return stoffel.vectorize(TYPED, "score")


def test_scalars_give_scalars(score: Any) -> None:
    assert score(60, 1) == 179
    assert type(score(60, 1)) is int
    assert stoffel.vectorize(TYPED, "narrow")(3, 9) == stoffel.U8(6)
    assert type(stoffel.vectorize(TYPED, "narrow")(3, 9)) is stoffel.U8
    assert stoffel.vectorize(TYPED, "ratio", errors="null")(1, 0) is None
    assert score(None, 1) is None


def test_columns_are_broadcast_as_by_a_ufunc(score: Any) -> None:
    x = np.arange(40, 60)[:, None]
    y = np.arange(30)
    result = score(x, y)
    assert result.shape == (20, 30)
    assert [score(int(a), int(b)) for a in x[:, 0] for b in y] == result.reshape(-1).tolist()
    assert score(np.arange(3), 7).tolist() == [-7, -6, -5]
    assert score(np.arange(12).reshape(3, 4).T, 0).tolist() == np.arange(12).reshape(3, 4).T.tolist()


def test_strided_and_unaligned_and_foreign_byte_order(score: Any, eager: None) -> None:
    base = np.arange(200)
    assert score(base[::-2], 0).tolist() == score(base[::-2].copy(), 0).tolist()
    assert score(base.astype(">i8"), 0).tolist() == score(base, 0).tolist()
    packed = np.zeros(50, [("a", "i1"), ("b", "<i8")])
    packed["b"] = np.arange(50)
    assert score(packed["b"], 0).tolist() == np.arange(50).tolist()


def test_no_rows(score: Any) -> None:
    assert score(np.empty(0, "int64"), 3).dtype == np.dtype("int64")
    assert score(np.empty((0, 4), "int64"), 3).shape == (0, 4)


def test_out_and_where(score: Any, eager: None) -> None:
    x = np.arange(100)
    out = np.full(100, -1)
    assert score(x, 0, out=out, where=x % 2 == 0) is out
    assert out.tolist() == [score(int(value), 0) if value % 2 == 0 else -1 for value in x]
    strided = np.full((100, 2), -1)
    score(x, 0, out=strided[:, 1])
    assert strided[:, 1].tolist() == score(x, 0).tolist()
    assert set(strided[:, 0]) == {-1}
    wide = np.zeros((10, 10), "float64")
    with pytest.raises(stoffel.ColumnError, match="out holds float32, which int64 results of 'score' do not fit"):
        score(x.reshape(10, 10), 0, out=wide.astype("float32"))
    assert score(x.reshape(10, 10), 0, where=x.reshape(10, 10) > 5).mask[0].sum() == 6
    with pytest.raises(stoffel.ColumnError, match=r"out has shape \(3,\), and the results have \(100,\)"):
        score(x, 0, out=np.zeros(3, "int64"))
    with pytest.raises(stoffel.ColumnError, match="where holds int64, not Bools"):
        score(x, 0, where=x)


def test_many_rows_in_threads() -> None:
    function = stoffel.vectorize(TYPED, "score")
    x = np.arange(500_000) % 97
    y = np.arange(500_000) % 23
    wanted = np.where(x > 50, x * 3 - y, np.where(y > 10, y * y + x, x - y))
    assert (function(x, y) == wanted).all()
    x[300_000] = x[420_000] = 2**62
    with pytest.raises(stoffel.RowError) as caught:
        function(x, y)
    assert caught.value.row == 300_000
    result, failures = stoffel.vectorize(TYPED, "score", errors="collect")(x, y)
    assert [failure.row for failure in failures] == [300_000, 420_000]
    assert result.mask.sum() == 2


# Errors --------------------------------------------------------------------------------


def test_an_error_names_row_function_instruction_and_values() -> None:
    function = stoffel.vectorize(TYPED, "ratio")
    with pytest.raises(stoffel.VMError) as caught:
        function(np.array([4, 6]), np.array([2, 0]))
    error = caught.value
    assert type(error) is stoffel.RowError
    assert str(error) == f"row 1: {error.message}, in ratio(x=6, y=0)"
    assert (error.function, error.row, error.values) == ("ratio", 1, {"x": 6, "y": 0})
    assert str(TYPED.functions["ratio"].instructions[error.instruction]).startswith("DIV")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.row, again.message, again.instruction) == (
        str(error),
        1,
        error.message,
        error.instruction,
    )


def test_a_value_that_does_not_fit_is_an_error_of_its_row() -> None:
    function = stoffel.vectorize(TYPED, "narrow")
    with pytest.raises(stoffel.RowError, match=r"row 1: column 'x': 300 does not fit uint8 \(0 to 255\)"):
        function(np.array([3, 300]), 0)
    assert stoffel.vectorize(TYPED, "narrow", errors="null")(np.array([3, 300]), 0).tolist() == [3, None]
    with pytest.raises(stoffel.RowError, match="9007199254740993 is no float without rounding"):
        stoffel.vectorize(TYPED, "area")(np.array([2**53 + 1]), 0.5)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((np.arange(3),), r"'score' takes 2 columns \(x, y\), not 1"),
        ((np.arange(3), np.arange(4)), r"columns are of different lengths: 'x' \[3\], 'y' \[4\]"),
        ((np.arange(3), np.ones(3)), "column 'y' has type float64, but the parameter takes int64"),
        ((np.arange(3), np.ones(3, "complex64")), "column 'y' has type complex64, which is none of int64, "),
        ((np.arange(3), np.array([1, {}, "a"], object)), "column 'y' holds Python objects such as int 1"),
        (([[1], [2, 3]], 1), "column 'x' is no array: "),
        ((2**63, 1), "column 'x'"),
        (("a", 1), "column 'x' has type object, but the parameter takes int64"),
    ],
)
def test_columns_that_cannot_be_used(score: Any, given: Any, text: str) -> None:
    with pytest.raises(stoffel.ColumnError, match=text):
        score(*given)


def test_what_cannot_be_vectorized() -> None:
    with pytest.raises(ValueError, match="the program has no function 'scor'; did you mean 'score'"):
        stoffel.vectorize(TYPED, "scor")
    with pytest.raises(ValueError, match="errors must be one of raise, null, collect, not 'skip'"):
        stoffel.vectorize(TYPED, "score", errors="skip")
    closure = stoffel.Function("inner", [stoffel.Instruction("RET", 0)], upvalues=["u"])
    with pytest.raises(ValueError, match="'inner' has upvalues"):
        stoffel.vectorize(stoffel.Program([closure]), "inner")


def test_results_of_several_types_are_an_error() -> None:
    function = stoffel.vectorize(
        stoffel.Program(
            [
                stoffel.Function(
                    "f",
                    [
                        stoffel.Instruction("LDI", 1, 5),
                        stoffel.Instruction("CMP", 0, 1),
                        stoffel.Instruction("JMPGT", "some"),
                        stoffel.Instruction("LDI", 0, 1.5),
                        stoffel.Instruction("RET", 0),
                    ],
                    parameters=["x"],
                    labels={"some": 4},
                )
            ]
        ),
        "f",
    )
    assert function(np.array([1, 2])).tolist() == [1.5, 1.5]
    with pytest.raises(stoffel.ColumnError, match="row 1: 'f' returned int64, and float64 in row 0"):
        function(np.array([1, 9]))
    assert "row by row: it does not return numbers or Bools of one type" in function.explain(np.arange(3))


def test_strings_and_what_no_column_holds() -> None:
    source = """
def shout(s: string) -> string:
  return s + "!"

def pair(x: int64) -> list[int64]:
  var items: list[int64] = []
  append(items, x)
  return items

def main() -> int64:
  return 0
"""
    program = stoffel.compile(source)
    shout = stoffel.vectorize(program, "shout")
    assert shout(np.array(["a", "bc"])).tolist() == ["a!", "bc!"]
    assert shout("x") == "x!"
    assert "strings are no values of a kernel" in shout.explain()
    with pytest.raises(stoffel.ColumnError, match=r"row 0: 'pair' returned .*; columns hold numbers"):
        stoffel.vectorize(program, "pair")(np.arange(3))


def test_what_a_kernel_always_leaves_is_run_row_by_row(capsys: pytest.CaptureFixture[str], eager: None) -> None:
    source = "def f(x: int64) -> int64:\n  print(x)\n  return x + 1\n\ndef main() -> int64:\n  return 0\n"
    function = stoffel.vectorize(stoffel.compile(source), "f")
    assert function(np.arange(100)).tolist() == list(range(1, 101))
    assert capsys.readouterr().out.split() == [str(row) for row in range(100)]


def test_a_row_that_takes_long_is_given_back(monkeypatch: pytest.MonkeyPatch, eager: None) -> None:
    monkeypatch.setattr(row_kernel, "FUEL", 300)
    function = stoffel.vectorize(TYPED, "collatz")
    x = np.arange(1, 200)
    assert function(x).tolist() == [function(int(value)) for value in x]


# Hosts --------------------------------------------------------------------------------


def test_it_pickles() -> None:
    function = stoffel.vectorize(TYPED, "score", errors="null", parallel=False)
    data = pickle.dumps(function)
    again = pickle.loads(data)
    assert (again.entry, again.errors, again.parallel) == ("score", "null", False)
    assert again(np.arange(3), 7).tolist() == [-7, -6, -5]


def test_few_rows_are_run_by_a_kernel_that_is_there() -> None:
    function = stoffel.vectorize(TYPED, "score")
    few = np.arange(20)
    assert function(few, 3).tolist() == [function(int(value), 3) for value in few]
    assert not function._kernels
    function(np.arange(300), 3)
    assert function(few, 3).tolist() == [function(int(value), 3) for value in few]


def test_several_threads_share_it(eager: None) -> None:
    function = stoffel.vectorize(TYPED, "fib", errors="null")
    x = np.arange(60) % 14
    wanted = function(x).tolist()
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(function(x).tolist())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 4


def test_paths_are_loaded(tmp_path: Any) -> None:
    (tmp_path / "p.stfl").write_text(SOURCE)
    assert stoffel.vectorize(tmp_path / "p.stfl", "score")(1, 1) == 0
    TYPED.save(tmp_path / "p.stflb")
    assert stoffel.vectorize(str(tmp_path / "p.stflb"), "score")(1, 1) == 0


def test_explain_asks_for_types() -> None:
    function = stoffel.vectorize(UNTYPED, "loose")
    assert function.explain() == "how 'loose' runs depends on the types of x, y: give explain() columns"
    assert "jit is off" in stoffel.vectorize(TYPED, "score", jit="off").explain()
