"""A function over the rows of a file: Parquet or CSV in, Parquet or CSV out, in memory for a few batches of rows.

The output gets its name when it is whole. pyarrow (the extra ``[columns]``) is imported here only.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from stoffel.columns.column import DTYPES, declared_class
from stoffel.columns.errors import ColumnError, RowError
from stoffel.columns.vectorized import Vectorized
from stoffel.errors import LoadError, SaveError, nearest

ROWS: Final = 1 << 17
"""Rows of a batch of Parquet."""
BYTES: Final = 4 << 20
"""Bytes of CSV that become a batch."""
FORMATS: Final = (".parquet", ".csv")


class Mapped:
    """What was done: numbers of rows, and of those that failed, the first of which is kept."""

    def __init__(self) -> None:
        self.rows = 0
        self.failed = 0
        self.first: RowError | None = None


def map_file(
    score: Vectorized,
    source: str,
    target: str,
    *,
    column: str,
    strict: bool = True,
    replace: bool = False,
    step: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005 - says nothing
) -> Mapped:
    """Write *target*, which has what *source* has, and the results of *score* as *column*.

    The parameters are the columns of their names. *score* collects errors, the first of which is raised if *strict*.
    *step* is told before each batch how many are done and about how many there are. Raises LoadError for the input,
    SaveError for the output, ColumnError for columns that do not fit, ModuleNotFoundError without pyarrow.
    """
    arrow = import_module("pyarrow")
    if Path(target).exists() and not replace:
        raise SaveError(f"{target}: exists already; give another name, or --force")
    done = Mapped()
    draft = Path(target).with_name(f".{Path(target).name}.{os.getpid()}.part")
    schema, total, batches = _opened(arrow, source, score)
    _check(schema, source, score, column)
    writer: Any = None
    try:
        with draft.open("wb") as handle, contextlib.ExitStack() as writing:
            for number, batch in enumerate(batches):
                step(number, total)
                results = _results(score, batch, done, strict)
                if writer is None:
                    schema = schema.append(arrow.field(column, results.type))
                    writer = writing.enter_context(_closing(_writer(handle, target, schema)))
                results = _of_type(arrow, results, schema.field(column).type, done.rows)
                done.rows += len(batch)
                writer.write_table(arrow.Table.from_arrays([*batch.columns, results], schema=schema))
            if writer is None:
                kind = DTYPES[declared_class(score.returns) or float]
                of_none = arrow.large_string() if kind.kind == "O" else arrow.from_numpy_dtype(kind)
                writing.enter_context(_closing(_writer(handle, target, schema.append(arrow.field(column, of_none)))))
        draft.replace(target)
    except (OSError, arrow.ArrowException) as error:
        raise SaveError(f"{target}: cannot write: {_line(error)}") from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return done


@contextlib.contextmanager
def _closing(writer: Any) -> Iterator[Any]:
    """Close a writer; where something else has failed, its own failure does not count."""
    try:
        yield writer
    except BaseException:
        with contextlib.suppress(Exception):
            writer.close()
        raise
    writer.close()


def _results(score: Vectorized, batch: Any, done: Mapped, strict: bool) -> Any:
    try:
        results, failures = score(*(batch.column(name) for name in score.parameters))
    except ColumnError as error:
        raise ColumnError(f"rows from {done.rows} on: {error}") from None
    done.failed += len(failures)
    if failures and done.first is None:
        first = failures[0]
        done.first = RowError.of(first.__cause__ or first, done.rows + first.row, first.values, score.entry)
        if strict:
            raise done.first
    return results


def _of_type(arrow: Any, results: Any, wanted: Any, first: int) -> Any:
    if results.type == wanted:
        return results
    if results.null_count == len(results):
        return arrow.nulls(len(results), wanted)
    raise ColumnError(f"the results of the rows from {first} on are {results.type}, and those before {wanted}")


def _check(schema: Any, source: str, score: Vectorized, column: str) -> None:
    names = schema.names
    for name in score.parameters:
        if names.count(name) != 1:
            near = nearest(name, names)
            what = "several columns" if name in names else "no column"
            hint = f"; did you mean '{near}'?" if near and name not in names else ""
            listed = ", ".join(names)
            raise ColumnError(
                f"{source} has {what} '{name}', a parameter of '{score.entry}'; its columns are {listed}{hint}"
            )
    if column in names:
        raise ColumnError(f"{source} has a column '{column}' already; name that of the results with --as")


# Formats


def _opened(arrow: Any, source: str, score: Vectorized) -> tuple[Any, int, Iterator[Any]]:
    """Return schema, number of batches (about) and the batches of a file. Raises LoadError."""
    try:
        if source.endswith(".parquet"):
            file = import_module("pyarrow.parquet").ParquetFile(source)
            total = -(-file.metadata.num_rows // ROWS)
            return file.schema_arrow, total, _told(arrow, source, file.iter_batches(ROWS))
        csv = import_module("pyarrow.csv")
        declared = {
            name: arrow.bool_()
            if cls is bool
            else arrow.string()
            if cls is str
            else arrow.from_numpy_dtype(DTYPES[cls])
            for name, kind in zip(score.parameters, score.types, strict=True)
            if (cls := declared_class(kind)) is not None
        }
        reader = csv.open_csv(
            source,
            read_options=csv.ReadOptions(block_size=BYTES, use_threads=False),
            convert_options=csv.ConvertOptions(column_types=declared),
        )
        return reader.schema, -(-Path(source).stat().st_size // BYTES), _told(arrow, source, reader)
    except OSError as error:
        raise LoadError(f"cannot read: {_line(error)}", category="io", path=source) from None
    except arrow.ArrowException as error:
        raise LoadError(f"cannot read: {_line(error)}", category="data", path=source) from None


def _told(arrow: Any, source: str, batches: Any) -> Iterator[Any]:
    try:
        yield from batches
    except OSError as error:
        raise LoadError(f"cannot read: {_line(error)}", category="io", path=source) from None
    except arrow.ArrowException as error:
        raise LoadError(f"cannot read: {_line(error)}", category="data", path=source) from None


def _line(error: Exception) -> str:
    strerror = getattr(error, "strerror", None)
    return str(strerror) if strerror else " ".join(str(error).split())


def _writer(handle: Any, target: str, schema: Any) -> Any:
    if target.endswith(".parquet"):
        return import_module("pyarrow.parquet").ParquetWriter(handle, schema)
    return import_module("pyarrow.csv").CSVWriter(handle, schema)
