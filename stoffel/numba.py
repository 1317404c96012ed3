"""VM functions for code that numba compiles: ``stoffel.numba.jit`` and ``stoffel.numba.vectorize``.

What is linked is the machine code of a kernel, with all checks. A call that fails, or does what kernels do not have, is
run again by a machine, so errors are those of ``execute``. numba is imported here and nowhere else.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

import numba as _numba
import numpy as np
from numba.core.errors import TypingError

from stoffel.columns.calls import ScalarKernel, kernel_of
from stoffel.errors import VMError
from stoffel.isa.program import Program

numba: Any = _numba  # has some type information, and not enough
cgutils: Any = import_module("numba.core.cgutils")
linking: Any = import_module("numba.core.codegen").ll  # llvmlite as numba has it
Conversion: Any = import_module("numba.core.typeconv").Conversion
intrinsic: Any = import_module("numba.extending").intrinsic
ir: Any = cgutils.ir
_numbers: Final = itertools.count()
_SAFE: Final = (Conversion.exact, Conversion.promote, Conversion.safe)


def jit(
    program: Program | str | os.PathLike[str], entry: str, types: Sequence[str] | None = None
) -> Callable[..., Any]:
    """Return the function *entry* of a program (or of the file at a path) for code under ``@numba.njit``.

    *types* are numba's names of the types of its parameters; they are needed where the program declares none. An
    argument of a type that does not fit its parameter whatever its value is, is a TypingError. A call that fails
    raises the VMError of its run. Raises TypeError, with the reason, for a function that cannot be a kernel.
    """
    kernel = kernel_of(program, entry, types)
    scope: dict[str, Any] = {
        "call": _linked(kernel),
        "again": kernel.run_otherwise,
        "objmode": numba.objmode,
        "pending": _pending,
        "VMError": VMError,
    }
    names = ", ".join(f"a{number}" for number in range(len(kernel.types)))
    exec(  # noqa: S102 - a function with so many parameters
        f"def {_identifier(entry)}({names}):\n"
        f"    status, value = call({names})\n"
        "    if status != 0:\n"
        # The loop of a ufunc goes on after a row that has raised, and Python must not be called then.
        "        if pending():\n"
        "            return value\n"
        # An exception must not pass the block: in a ufunc that would end the process.
        f"        with objmode(value={kernel.result!r}, failure='unicode_type'):\n"
        f"            value, failure = again({names})\n"
        "        if failure:\n"
        "            raise VMError(failure)\n"
        "    return value\n",
        scope,
    )
    made: Callable[..., Any] = numba.njit(scope[_identifier(entry)])
    return made


def vectorize(
    program: Program | str | os.PathLike[str], entry: str, types: Sequence[str] | None = None, target: str = "cpu"
) -> Any:
    """Return the function for NumPy arrays, as a ufunc of numba's; *target* is ``"cpu"`` or ``"parallel"``.

    Errors of rows are RowError. numba's own rules say what arrays go in: a ufunc casts safely, or not at all.
    :func:`stoffel.vectorize` is what also takes Arrow, nulls and errors of rows.
    """
    if target not in ("cpu", "parallel"):
        raise ValueError(f"target must be 'cpu' or 'parallel', not {target!r}")
    kernel = kernel_of(program, entry, types)
    given = [f"a{number}" for number in range(len(kernel.types))]
    scope: dict[str, Any] = {"call": _linked(kernel)}
    loads = ", ".join(f"{name}[0]" for name in given)
    exec(  # noqa: S102 - a function with so many parameters
        f"def core({', '.join(given)}, status, value):\n    status[0], value[0] = call({loads})\n",
        scope,
    )
    arrays = ", ".join(f"{name}[:]" for name in (*kernel.types, "int64", kernel.result))
    core = numba.guvectorize([f"void({arrays})"], f"{','.join(['()'] * len(given))}->(),()", target=target)
    return Ufunc(kernel, core(scope["core"]))


class Ufunc:
    """A function of NumPy arrays, brought to one shape; rows at which the kernel leaves are run by a machine."""

    def __init__(self, kernel: ScalarKernel, core: Any) -> None:
        self._kernel = kernel
        self._core = core
        self.__name__ = kernel.entry

    def __call__(self, *given: Any) -> Any:
        """Return the results. Raises RowError for the first row that fails."""
        kernel = self._kernel
        if len(given) != len(kernel.names):
            raise TypeError(f"'{kernel.entry}' takes {len(kernel.names)} arrays ({', '.join(kernel.names)})")
        status, values = self._core(*given)
        if np.ndim(status) == 0:
            return kernel.run_row(0, *given) if status else values
        left = np.flatnonzero(status.reshape(-1))
        if len(left):
            columns = [column.reshape(-1) for column in np.broadcast_arrays(*given)]
            flat = values.reshape(-1)
            for row in left:
                flat[row] = kernel.run_row(int(row), *[column[row] for column in columns])
        return values


def _is_pending(typing_context: Any) -> Any:  # noqa: ARG001 - numba gives it
    """Return whether an exception of this thread is on its way."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - as above
        api = context.get_python_api(builder)
        state = api.gil_ensure()
        found = cgutils.is_not_null(builder, api.err_occurred())
        api.gil_release(state)
        return found

    return numba.types.boolean(), codegen


_pending: Final = intrinsic(_is_pending)


def _identifier(entry: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in f"f_{entry}")


def _linked(kernel: ScalarKernel) -> Any:
    """Return what calls the kernel in code of numba's: status and result."""
    # For numba's own linker; the kernel's memory is never freed, for compiled code may be anywhere.
    symbol = f"stoffel.{next(_numbers)}.{kernel.entry}"
    linking.add_symbol(symbol, kernel.address)
    wanted = [getattr(numba.types, name) for name in kernel.types]
    result = getattr(numba.types, kernel.result)
    given = ", ".join(f"a{number}" for number in range(len(wanted)))

    def typed(context: Any, arguments: tuple[Any, ...]) -> Any:
        for name, have, want in zip(kernel.names, arguments, wanted, strict=True):
            if context.can_convert(numba.types.unliteral(have), want) not in _SAFE:
                raise TypingError(f"'{kernel.entry}' takes {want} for {name}, which not every {have} is")
        return numba.types.Tuple((numba.types.int64, result))(*wanted), codegen

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, double = ir.IntType(64), ir.DoubleType()
        values = []
        for value, kind in zip(arguments, wanted, strict=True):
            if isinstance(kind, numba.types.Float):
                values.append(value)
            elif kind is numba.types.boolean:
                values.append(builder.zext(context.get_value_as_argument(builder, kind, value), word))
            elif value.type.width < 64:
                values.append((builder.sext if kind.signed else builder.zext)(value, word))
            else:
                values.append(value)
        slot = cgutils.alloca_once(builder, word)
        kinds = [ir.IntType(8).as_pointer(), word.as_pointer(), *(value.type for value in values)]
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(word, kinds), symbol)
        template = builder.inttoptr(ir.Constant(word, kernel.template_address), kinds[0])
        status = builder.call(function, [template, slot, *values])
        if isinstance(result, numba.types.Float):
            found = builder.load(builder.bitcast(slot, double.as_pointer()))
        else:
            found = builder.load(slot)
            if result is numba.types.boolean:
                found = builder.icmp_signed("!=", found, ir.Constant(word, 0))
            elif result.bitwidth < 64:
                found = builder.trunc(found, ir.IntType(result.bitwidth))
        return context.make_tuple(builder, signature.return_type, [status, found])

    scope: dict[str, Any] = {"typed": typed}
    # numba looks at the names of the parameters.
    exec(f"def operation(context, {given}):\n    return typed(context, ({given},))\n", scope)  # noqa: S102
    return intrinsic(scope["operation"])


__all__ = ["jit", "vectorize"]
