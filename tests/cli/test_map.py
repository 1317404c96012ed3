"""``stoffel map``: a function over the rows of a file; whole or not at all, with one clear line for what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Outcome

Stoffel = Callable[..., Outcome]

SOURCE = """
def score(age: int64, visits: int64) -> int64:
  if age > 50:
    return visits * 3
  return visits * 100 / age

def shout(name: string) -> string:
  return name + "!"

def main() -> int64:
  return 0
"""


@pytest.fixture
def pa() -> Any:
    return pytest.importorskip("pyarrow")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rules.stfl").write_text(SOURCE)
    (tmp_path / "people.csv").write_text("name,age,visits\nAnn,20,2\nBob,60,5\nCem,,1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()} - {"rules.stfl", "people.csv"}


def test_a_column_is_added(pa: Any, stoffel: Stoffel, place: Path) -> None:
    assert stoffel("map", "rules.stfl", "people.csv", "out.csv", "--entry=score") == (0, "", "")
    assert (place / "out.csv").read_text() == (
        '"name","age","visits","score"\n"Ann",20,2,10\n"Bob",60,5,15\n"Cem",,1,\n'
    )
    assert stoffel("map", "rules.stfl", "people.csv", "out.parquet", "--entry=shout", "--as=loud").status == 0
    import pyarrow.parquet as pq

    table = pq.read_table(place / "out.parquet")
    assert table.column("loud").to_pylist() == ["Ann!", "Bob!", "Cem!"]
    assert stoffel("map", "rules.stfl", "out.parquet", "again.parquet", "--entry=score").status == 0
    assert pq.read_table(place / "again.parquet").column("score").to_pylist() == [10, 15, None]
    assert names(place) == {"out.csv", "out.parquet", "again.parquet"}


def test_many_batches(pa: Any, stoffel: Stoffel, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    from stoffel.columns import files

    monkeypatch.setattr(files, "ROWS", 100)
    ages = [row % 90 + 1 for row in range(1050)]
    pq.write_table(pa.table({"age": ages, "visits": list(range(1050))}), "many.parquet")
    assert stoffel("map", "rules.stfl", "many.parquet", "out.parquet", "--entry=score").status == 0
    wanted = [v * 3 if a > 50 else v * 100 // a for v, a in zip(range(1050), ages, strict=True)]
    assert pq.read_table("out.parquet").column("score").to_pylist() == wanted


def test_rows_that_fail(pa: Any, stoffel: Stoffel, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    from stoffel.columns import files

    monkeypatch.setattr(files, "ROWS", 2)
    pq.write_table(pa.table({"age": [1, 2, 3, 0, 0], "visits": [1] * 5}), "in.parquet")
    error = "row 3: Division by zero, in score(age=0, visits=1)"
    done = stoffel("map", "rules.stfl", "in.parquet", "out.parquet", "--entry=score")
    assert (done.status, done.out) == (1, "")
    assert done.err == f"stoffel: {error}\n"
    assert names(place) == {"in.parquet"}
    done = stoffel("map", "rules.stfl", "in.parquet", "out.parquet", "--entry=score", "--errors=null")
    assert done == (0, "", f"stoffel: 2 rows of 5 failed, the first: {error}\n")
    assert pq.read_table("out.parquet").column("score").to_pylist() == [100, 50, 33, None, None]


def test_no_rows(pa: Any, stoffel: Stoffel, place: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"age": pa.array([], pa.int64()), "visits": pa.array([], pa.int64())}), "in.parquet")
    assert stoffel("map", "rules.stfl", "in.parquet", "out.parquet", "--entry=score").status == 0
    assert pq.read_table("out.parquet").schema.field("score").type == pa.int64()


def test_what_is_wrong_is_told_in_one_line_and_nothing_is_written(pa: Any, stoffel: Stoffel, place: Path) -> None:
    (place / "short.csv").write_text("age,visit\n1,2\n")
    (place / "bad.csv").write_text("age,visits\n1,2\nx,3\n")
    (place / "torn.parquet").write_bytes(b"PAR1 and no more")
    (place / "there.csv").write_text("kept")
    (place / "twice.csv").write_text("age,visits,score\n1,2,3\n")
    before = names(place)
    for source, target, status, text in [
        (
            "short.csv",
            "out.csv",
            1,
            "short.csv has no column 'visits', a parameter of 'score'; its columns are age, visit",
        ),
        ("bad.csv", "out.csv", 3, "bad.csv: cannot read: In CSV column #0: "),
        ("torn.parquet", "out.csv", 3, "torn.parquet: cannot read: "),
        ("missing.csv", "out.csv", 3, "missing.csv: cannot read: "),
        ("people.csv", "there.csv", 3, "there.csv: exists already; give another name, or --force"),
        ("people.csv", "nowhere/out.csv", 3, "nowhere/out.csv: cannot write: No such file or directory"),
        ("twice.csv", "out.csv", 1, "twice.csv has a column 'score' already; name that of the results with --as"),
        ("people.csv", "out.txt", 2, "tables are named *.parquet or *.csv, and out.txt is not"),
        ("people.csv", "people.csv", 3, "people.csv: is the input file"),
    ]:
        done = stoffel("map", "rules.stfl", source, target, "--entry=score")
        assert done.status == status, done
        assert text in done.err
        assert done.err.count("\n") == 1
        assert names(place) == before
    assert (place / "there.csv").read_text() == "kept"
    assert stoffel("map", "rules.stfl", "people.csv", "there.csv", "--entry=score", "--force").status == 0
    done = stoffel("map", "rules.stfl", "people.csv", "out.csv", "--entry=scor")
    assert done.status == 2
    assert "the program has no function 'scor'; did you mean 'score'?" in done.err


def test_without_pyarrow_it_says_what_to_install(
    stoffel: Stoffel, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = stoffel("map", "rules.stfl", "people.csv", "out.csv", "--entry=score")
    assert done == (
        1,
        "",
        "stoffel: stoffel map needs pyarrow, which is not installed: pip install 'stoffel-vm[columns]'\n",
    )
