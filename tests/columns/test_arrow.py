"""Columns by the Arrow C data interface: of any library, with nulls and chunks, without copying."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stoffel
from stoffel.columns import arrow, row_kernel, vectorized

PROGRAM = stoffel.compile("""
def score(x: int64, y: int64) -> int64:
  if x > 50:
    return x * 3 - y
  return x - y

def negate(x: bool) -> bool:
  return not x

def shout(s: string) -> string:
  return s + "!"

def half(x: float) -> float:
  return x / 2.0

def main() -> int64:
  return 0
""")
score = stoffel.vectorize(PROGRAM, "score", errors="null")


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectorized, "WORTH_A_KERNEL", 1)
    monkeypatch.setattr(vectorized, "WORTH_ENTERING", 1)
    monkeypatch.setattr(row_kernel, "ROWS", 7)


def plain(value: Any) -> list[Any]:
    """Return the values of one of our own results."""
    ((data, valid, _),) = arrow.pieces_of("result", value)
    return [item if there else None for item, there in zip(data.tolist(), _there(data, valid), strict=True)]


def _there(data: Any, valid: Any) -> Any:
    return np.ones(len(data), bool) if valid is None else valid


@pytest.mark.parametrize("dtype", [*arrow.FORMATS.values(), "bool"])
def test_any_library_gives_and_takes_columns(dtype: str, eager: None) -> None:
    data = (np.arange(21) % 2).astype(dtype)
    valid = np.arange(21) % 5 != 0
    given = arrow.Result(data, valid)
    assert plain(given) == [item if there else None for item, there in zip(data.tolist(), valid, strict=True)]
    name = {"bool": "negate", "float32": "half", "float64": "half"}.get(dtype)
    if name is not None:
        result = stoffel.vectorize(PROGRAM, name)(given)
        function = (lambda x: not x) if name == "negate" else (lambda x: x / 2)
    else:
        result = score(given, 3)
        function = lambda x: x - 3  # noqa: E731
    assert type(result) is arrow.Result
    assert plain(result) == [function(x) if there else None for x, there in zip(data.tolist(), valid, strict=True)]


def test_text_comes_and_goes() -> None:
    texts = np.array(["ä", "", "bc"], object)
    result = stoffel.vectorize(PROGRAM, "shout")(arrow.Result(texts, np.array([True, False, True])))
    assert plain(result) == ["ä!", None, "bc!"]


def test_what_is_handed_out_is_let_go() -> None:
    gc.collect()
    before = len(arrow._alive), len(arrow._held)
    result = score(arrow.Result(np.arange(10), None), 1)
    capsules = result.__arrow_c_array__()
    assert (len(arrow._alive), len(arrow._held)) == (before[0] + 2, before[1] + 2)
    del capsules
    gc.collect()
    assert (len(arrow._alive), len(arrow._held)) == before


def test_a_type_that_no_value_has_is_told() -> None:
    class Dates:
        def __arrow_c_array__(self, requested: object = None) -> Any:
            schema, array = arrow.Result(np.arange(3), None).__arrow_c_array__()
            arrow._structure(arrow.Schema, schema, b"arrow_schema").format = b"tdD"
            return schema, array

    with pytest.raises(stoffel.ColumnError, match="column 'x' is of the Arrow type 'tdD', and columns hold integers"):
        score(Dates(), 1)


# With pyarrow --------------------------------------------------------------------------------


@pytest.fixture
def pa() -> Any:
    return pytest.importorskip("pyarrow")


def test_pyarrow_arrays_chunks_and_slices(pa: Any, eager: None) -> None:
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=20), max_size=4))
    def check(chunks: list[list[int | None]]) -> None:
        column = pa.chunked_array(chunks, pa.int64())
        whole = [item for chunk in chunks for item in chunk]
        other = pa.array([None if item is None else 60 for item in whole], pa.int64())
        result = score(other, column)
        assert isinstance(result, pa.Array)
        assert result.to_pylist() == [
            None if item is None or not -(2**63) <= 180 - item < 2**63 else 180 - item for item in whole
        ]
        chunked = score(column, 0)
        assert isinstance(chunked, pa.ChunkedArray)
        sliced = score(other[len(whole) // 2 :], 1)
        assert sliced.to_pylist() == [None if x is None else 179 for x in other.to_pylist()[len(whole) // 2 :]]

    check()


def test_pyarrow_types(pa: Any, eager: None) -> None:
    negate = stoffel.vectorize(PROGRAM, "negate")
    flags = pa.array([True, None, False] * 7)
    assert negate(flags).to_pylist() == [False, None, True] * 7
    assert negate(flags[4:]).to_pylist() == ([False, None, True] * 7)[4:]
    for kind in (pa.string(), pa.large_string()):
        result = stoffel.vectorize(PROGRAM, "shout")(pa.array(["a", None, "ü"], kind))
        assert result.to_pylist() == ["a!", None, "ü!"]
    assert score(pa.nulls(3), 1).to_pylist() == [None] * 3
    assert score(pa.array([], pa.int64()), 1).type == pa.int64()
    assert score(pa.chunked_array([], pa.int32()), 1).to_pylist() == []
    with pytest.raises(stoffel.ColumnError, match="column 'x' is of a dictionary"):
        score(pa.array(["a"]).dictionary_encode(), 1)
    with pytest.raises(stoffel.ColumnError, match=r"columns are of different lengths: 'x' \[2\], 'y' \[3\]"):
        score(pa.array([1, 2]), pa.array([1, 2, 3]))


def test_arrow_to_arrow_makes_one_buffer(pa: Any) -> None:
    rows = 1_000_000
    x = pa.array(np.arange(rows) % 100)
    y = pa.array(np.arange(rows) % 7)
    score(x[:1000], y[:1000])
    tracemalloc.start()
    try:
        result = score(x, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(result) == rows
    # The results, a byte a row for what is valid, and the lists of rows that are left.
    assert peak < 8 * rows + rows + 6_000_000


def test_polars_series(eager: None) -> None:
    pl = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    frame = pl.DataFrame({"x": [1, 60, None], "y": [1, 2, 3]})
    made = frame.with_columns(z=pl.map_batches(["x", "y"], lambda s: score(*s), return_dtype=pl.Int64))
    assert made["z"].to_list() == [0, 178, None]
