"""``stoffel.vectorize``: a VM function that takes whole columns."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from stoffel.columns import arrow
from stoffel.columns.column import DTYPES, Column, class_of, column_of, declared_class, fitted
from stoffel.columns.errors import ColumnError, RowError
from stoffel.columns.programs import function_of, program_of
from stoffel.compiler.refusal import Refusal
from stoffel.embedding.vm import VirtualMachine
from stoffel.errors import ErrorKind, VMError
from stoffel.isa.program import Program
from stoffel.isa.types import Type
from stoffel.model.code import Code

if TYPE_CHECKING:
    from stoffel.columns.row_kernel import RowKernel

Errors = Literal["raise", "null", "collect"]
Jit = Literal["auto", "off"]
ERRORS: Final = ("raise", "null", "collect")
WORTH_A_KERNEL: Final = 256
"""Rows for which a kernel is made: fewer are run before it would be there."""
WORTH_ENTERING: Final = 8
"""Rows for which a kernel that is there is entered: fewer take a machine less time."""
TRIAL: Final = 1 << 10
"""Rows left by a kernel before it is asked whether it is of any use."""


def vectorize(
    program: Program | str | os.PathLike[str],
    entry: str,
    *,
    errors: Errors = "raise",
    parallel: bool = True,
    jit: Jit = "auto",
) -> Vectorized:
    """Return the function *entry* of a program, or of the ``.stflb`` or ``.stfl`` file at a path, for whole columns.

    *errors* says what a row that fails does: ``"raise"`` a RowError, ``"null"`` make its result null, ``"collect"``
    that too, and the call returns the results and the list of errors. *parallel* uses all processors for many rows.
    *jit* ``"off"`` runs each row in the reference interpreter. Raises LoadError, CompileError, VMError for a program
    that does not load, ValueError for a function that it does not have.
    """
    return Vectorized(program_of(program), entry, errors, parallel, jit)


class Vectorized:
    """A function of columns. Called with NumPy arrays, Arrow arrays or scalars, it gives a column of the same kind.

    Columns and scalars are brought to one shape as by a NumPy ufunc; a row with a null gives a null and is not run.
    Results are those of ``execute`` row by row. It pickles, and may be used from several threads.
    """

    def __init__(
        self, program: Program, entry: str, errors: Errors, parallel: bool, jit: Literal["auto", "off"]
    ) -> None:
        if errors not in ERRORS:
            raise ValueError(f"errors must be one of {', '.join(ERRORS)}, not {errors!r}")
        function = function_of(program, entry)
        self.program = program
        self.entry = self.__name__ = entry
        self.errors = errors
        self.parallel = parallel
        self.jit = jit
        self.parameters: tuple[str, ...] = function.parameters
        self.types: tuple[Type, ...] = function.parameter_types
        self.returns: Type = function.return_type
        self._lock = threading.Lock()
        self._machine_of_rows: VirtualMachine | None = None
        self._machine_of_kernels: VirtualMachine | None = None
        self._kernels: dict[Any, RowKernel | Refusal] = {}
        self._machine()

    def __reduce__(self) -> tuple[Any, ...]:
        return Vectorized, (self.program, self.entry, self.errors, self.parallel, self.jit)

    def __repr__(self) -> str:
        return f"<{self.entry}({', '.join(self.parameters)}) of columns>"

    # Calling

    def __call__(self, *given: Any, out: Any = None, where: Any = True) -> Any:
        """Return the results for all rows.

        Results go to the NumPy array *out* if it is given, which keeps what it has where *where* is False, where a row
        is null, and where one fails. Without *out*, results are null where *where* is False. Raises ColumnError for
        columns that do not fit, and with errors="raise" RowError for the first row that fails.
        """
        if len(given) != len(self.parameters):
            wanted = (
                f"{len(self.parameters)} columns ({', '.join(self.parameters)})" if self.parameters else "no columns"
            )
            raise ColumnError(f"'{self.entry}' takes {wanted}, not {len(given)}")
        columns, shapes, sources = [], [], []
        for name, item in zip(self.parameters, given, strict=True):
            column, shape, source = column_of(name, item)
            columns.append(column)
            shapes.append(shape)
            sources.append(source)
        classes = [class_of(kind, column) for kind, column in zip(self.types, columns, strict=True)]
        rows, shape = fitted(columns, shapes)
        single = rows is None and out is None and np.ndim(where) == 0
        if rows is None:
            shape = np.broadcast_shapes(np.shape(where), () if out is None else out.shape)
            rows = int(np.prod(shape, dtype=np.int64))
        mask = self._mask(columns, where, rows, shape)
        results = _Results(self.entry, rows, mask, self._out(out, rows, shape), self.errors)
        self._run(columns, classes, mask, rows, results)
        made = results.finished(declared_class(self.returns))
        if out is not None:
            answer = out
            if not np.may_share_memory(made, out):
                np.copyto(out, made.reshape(out.shape), where=results.valid.reshape(out.shape))
        elif single:
            answer = (str(made[0]) if made.dtype == object else _scalar(made)) if results.valid[0] else None
        elif "arrow" in sources:
            valid = None if results.valid.all() else results.valid
            answer = arrow.like(given[sources.index("arrow")], made, valid)
        else:
            masked = self.errors != "raise" or mask is not None or not results.valid.all()
            answer = np.ma.MaskedArray(made, ~results.valid) if masked else made
            answer = answer.reshape(shape)
        return (answer, results.failures) if self.errors == "collect" else answer

    def _mask(self, columns: Sequence[Column], where: Any, rows: int, shape: tuple[int, ...] | None) -> Any:
        """Return which rows are run, None for all."""
        mask = None
        if where is not True:
            wanted = np.asarray(where)
            if wanted.dtype != bool:
                raise ColumnError(f"where holds {wanted.dtype}, not Bools")
            try:
                mask = np.broadcast_to(wanted, (rows,) if shape is None else shape).reshape(-1)
            except ValueError:
                raise ColumnError(f"where has shape {wanted.shape}, which does not fit the columns") from None
        for column in columns:
            valid = column.valid(rows)
            if valid is not None:
                mask = valid if mask is None else mask & valid
        return None if mask is None or mask.all() else np.ascontiguousarray(mask)

    def _out(self, out: Any, rows: int, shape: tuple[int, ...] | None) -> Any:
        if out is None:
            return None
        if not isinstance(out, np.ndarray) or not out.flags.writeable:
            raise ColumnError("out must be a NumPy array that can be written to")
        if out.shape != ((rows,) if shape is None else shape):
            raise ColumnError(f"out has shape {out.shape}, and the results have {shape or (rows,)}")
        return out

    # Running

    def _run(self, columns: Sequence[Column], classes: Sequence[type], mask: Any, rows: int, results: _Results) -> None:
        kernel = self._kernel(columns, classes, rows) if self.jit != "off" else None
        if kernel is None:
            for row in range(rows) if mask is None else np.flatnonzero(mask):
                self._row(columns, classes, int(row), results)
            return
        from stoffel.columns.row_kernel import threads_at_most

        threads = threads_at_most() if self.parallel else 1
        results.expect(kernel.result)
        run = total = done = 0
        ranges = kernel.run(columns, mask, results.data, rows, threads)
        for end, left in ranges:
            if len(left):
                # What has not been written yet is in no result.
                results.valid[left] = False
            run += end - done
            total += len(left)
            for row in left:
                self._row(columns, classes, int(row), results)
            done = end
            if total >= TRIAL and 2 * total > run and end < rows:
                # The kernel is of no use for such values.
                close: Any = ranges
                close.close()
                results.valid[end:] = results.wanted(end)
                for row in range(end, rows) if mask is None else end + np.flatnonzero(mask[end:]):
                    self._row(columns, classes, int(row), results)
                break

    def _row(self, columns: Sequence[Column], classes: Sequence[type], row: int, results: _Results) -> None:
        """Run one row as a machine does."""
        values: dict[str, Any] = {}
        try:
            for column, cls in zip(columns, classes, strict=True):
                try:
                    values[column.name] = column.value(row, cls)
                except ValueError as error:
                    raise VMError(f"column '{column.name}': {error}", ErrorKind.MESSAGE) from None
            result = self._machine().execute_with_args(self.entry, [*values.values()])
        except VMError as error:
            results.fail(RowError.of(error, row, values, self.entry))
            return
        results.put(row, result)

    def _machine(self) -> VirtualMachine:
        machine = self._machine_of_rows
        if machine is None:
            with self._lock:
                machine = VirtualMachine(jit=self.jit)
                machine.load(self.program)
                self._machine_of_rows = machine
        return machine

    def _kernel(self, columns: Sequence[Column], classes: Sequence[type], rows: int) -> RowKernel | None:
        """Return the kernel for so many rows, None if there is none or it does not pay."""
        key = tuple(classes), tuple([column.dtype for column in columns])
        if rows < (WORTH_ENTERING if key in self._kernels else WORTH_A_KERNEL):
            return None
        found = self._found(*key)
        return None if isinstance(found, Refusal) else found

    def _found(self, classes: tuple[type, ...], dtypes: tuple[Any, ...]) -> RowKernel | Refusal:
        from stoffel.columns import row_kernel

        key = classes, dtypes
        with self._lock:
            found = self._kernels.get(key)
            if found is None:
                if self._machine_of_kernels is None:
                    self._machine_of_kernels = VirtualMachine(jit="always", cache="off")
                    self._machine_of_kernels.load(self.program)
                machine = self._machine_of_kernels
                code = machine.state.functions[self.entry]
                assert type(code) is Code
                try:
                    found = row_kernel.make(code, machine, classes, dtypes)
                except Refusal as refusal:
                    found = refusal.kept()
                self._kernels[key] = found
            return found

    def explain(self, *given: Any) -> str:
        """Say in a sentence how columns like *given* are run: by a kernel, or why row by row.

        Without arguments, columns of the declared types of the parameters are meant.
        """
        if given or not self.parameters:
            columns = [column_of(name, item)[0] for name, item in zip(self.parameters, given, strict=True)]
            classes = tuple([class_of(kind, column) for kind, column in zip(self.types, columns, strict=True)])
            dtypes = tuple([column.dtype for column in columns])
        else:
            declared = [declared_class(kind) for kind in self.types]
            unknown = [name for name, cls in zip(self.parameters, declared, strict=True) if cls is None]
            if unknown:
                return f"how '{self.entry}' runs depends on the types of {', '.join(unknown)}: give explain() columns"
            classes = tuple([cls for cls in declared if cls is not None])
            dtypes = tuple([DTYPES[cls] for cls in classes])
        if self.jit == "off":
            return f"'{self.entry}' runs row by row in the interpreter: jit is off"
        found = self._found(classes, dtypes)
        if isinstance(found, Refusal):
            return f"'{self.entry}' runs row by row: {found.text(self.entry)}"
        return f"'{self.entry}' is a kernel that loops over the rows"


def _scalar(made: Any) -> Any:
    kinds = {dtype: cls for cls, dtype in DTYPES.items()}
    cls = kinds[made.dtype]
    return cls(made[0].item())


class _Results:
    """Results as they come; the class of the first decides what the column holds."""

    def __init__(self, entry: str, rows: int, mask: Any, out: Any, errors: Errors) -> None:
        self.entry = entry
        self.rows = rows
        self.mask = mask
        self.errors = errors
        self.failures: list[RowError] = []
        self.valid: Any = np.ones(rows, bool) if mask is None else mask.astype(bool)
        self.data: Any = None
        self._out = out
        self._cls: type | None = None
        self._expected: type | None = None
        self._first = 0

    def wanted(self, first: int) -> Any:
        """Return which rows from *first* on are wanted."""
        return True if self.mask is None else self.mask[first:]

    def expect(self, cls: type) -> None:
        """Make room for results of a class that a kernel writes."""
        if cls is not type(None):
            self._expected = cls
            self._make_room(cls)

    def _make_room(self, cls: type) -> None:
        out = self._out
        if out is not None and out.dtype != DTYPES[cls]:
            if not np.can_cast(DTYPES[cls], out.dtype, "safe"):
                raise ColumnError(f"out holds {out.dtype}, which {DTYPES[cls]} results of '{self.entry}' do not fit")
            out = None
        # What is null is zero, so that nothing from elsewhere in memory gets out.
        flat = out is not None and self._out.flags.c_contiguous
        usable = flat or (out is not None and out.ndim == 1)
        if usable:
            self.data = out.reshape(-1)
        else:
            self.data = np.full(self.rows, "", object) if cls is str else np.zeros(self.rows, DTYPES[cls])

    def put(self, row: int, value: Any) -> None:
        """Take one result. Raises ColumnError if a column cannot hold it beside the others."""
        cls = type(value)
        if value is None:
            self.valid[row] = False
            return
        if cls not in DTYPES:
            raise ColumnError(f"row {row}: '{self.entry}' returned {value!r}; columns hold numbers, Bools and strings")
        if self._cls is None and cls is not self._expected:
            if self._expected is not None and self.valid[:row].any():
                self._cls, self._first = self._expected, int(np.argmax(self.valid[:row]))
            else:
                self._make_room(cls)
        if self._cls is None:
            self._cls, self._first = cls, row
        elif cls is not self._cls:
            names = f"{DTYPES[cls]}, and {DTYPES[self._cls]} in row {self._first}"
            raise ColumnError(f"row {row}: '{self.entry}' returned {names}; the results of a column are of one type")
        self.data[row] = value
        self.valid[row] = True

    def fail(self, error: RowError) -> None:
        """Take note that a row failed. Raises the error if that is what is wanted."""
        if self.errors == "raise":
            raise error
        self.valid[error.row] = False
        if self.errors == "collect":
            self.failures.append(error)

    def finished(self, declared: type | None) -> Any:
        """Return the results; *declared* is what the function says it returns, for a column without any."""
        if self.data is None:
            self._make_room(declared or float)
        return self.data
