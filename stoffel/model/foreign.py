"""Foreign functions: Python callables that VM programs can call, and what they may do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from stoffel.errors import ErrorKind, VMError
from stoffel.model.values import Value

if TYPE_CHECKING:
    from stoffel.model.builtins.declaration import Builtin


class Machine(Protocol):
    """What is asked here of the state of a machine: where the run in progress begins, and the records of all runs.

    ``stopped`` says why the run has to end, None unless it has to.
    """

    @property
    def base(self) -> int: ...
    @property
    def frames(self) -> Sequence[object]: ...
    @property
    def stopped(self) -> str | None: ...


class CallbackError(Exception):
    """A foreign function refuses, with a plain text; the machine adds ``Foreign function NAME failed:``."""


class ForeignFunction:
    """A registered Python callable. *call* receives the machine's state and the arguments, and returns a value.

    ``free`` says that a limited run is charged nothing for a call before it. ``declaration`` is what is known of one of
    the machine's own builtins, None for a function of the host. ``direct`` does the same as *call* for as many
    arguments as are declared, one by one; None if there is no such function.
    """

    __slots__ = ("call", "declaration", "direct", "free", "name")

    name: str
    call: Callable[[Any, list[Value]], Value]

    def __init__(
        self,
        name: str,
        call: Callable[[Any, list[Value]], Value],
        declaration: Builtin | None = None,
    ) -> None:
        self.name = name
        self.call = call
        self.declaration = declaration
        self.direct: Callable[..., Value] | None = None
        self.free = declaration is None or declaration.is_free

    def takes(self, given: int) -> bool:
        """Return whether ``direct`` takes so many arguments, besides the state."""
        row = self.declaration
        return self.direct is not None and row is not None and row.minimum <= given <= len(row.parameters)

    @property
    def standard(self) -> bool:
        """True for the machine's own builtins."""
        return self.declaration is not None

    @property
    def quiet(self) -> bool:
        """True if it neither looks at activation records nor runs code of the host: none need be at hand."""
        return self.declaration is not None and self.declaration.is_quiet

    def invoke(self, state: Machine, arguments: list[Value]) -> Value:
        """Call it; an exception that it raises becomes the machine's error, with the original as cause."""
        try:
            return self.call(state, arguments)
        except BaseException as error:
            self.fail(state, error)

    def fail(self, state: Machine, error: BaseException) -> NoReturn:
        """Raise the machine's error for what the callable raised; what is no Exception (Ctrl-C) passes unchanged.

        So does the error of a limit, which nobody can turn into another one.
        """
        if isinstance(error, Exception) and state.stopped is not None:
            if isinstance(error, VMError) and error.kind is ErrorKind.LIMIT:
                raise error
            raise VMError(state.stopped, ErrorKind.LIMIT) from error
        if isinstance(error, MemoryError):
            # Without the frames that failed, whose values take the memory.
            raise out_of_memory() from error.with_traceback(None)
        if isinstance(error, RecursionError):
            # In a nested run it is the calls back and forth that are too deep, else the callable's own recursion.
            raise foreign_failure(self.name, too_deep(state) if state.base else error) from error
        if isinstance(error, Exception):
            raise foreign_failure(self.name, error) from error
        raise error

    def __repr__(self) -> str:
        return f"<ForeignFunction {self.name}>"


def out_of_memory() -> VMError:
    """Return the error of a run for which the host has not enough memory, wherever that was noticed."""
    return VMError("Out of memory", ErrorKind.RUNTIME)


def too_deep(state: Machine) -> VMError:
    """Return the error for calls that exhaust the host's own stack, which limits foreign functions that call back."""
    return VMError(
        f"Call depth exceeds {len(state.frames)}: the recursion limit of the host is reached", ErrorKind.RUNTIME
    )


def failure_text(error: BaseException) -> str:
    """Return the text of a callback's exception: its message, or its class where it has none."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return text or type(error).__name__


def foreign_failure(name: str, error: Exception) -> VMError:
    """Return the error that the failure of foreign function *name* becomes; a machine error's kind stays visible."""
    inner = error.kind if isinstance(error, VMError) else None
    return VMError(
        f"Foreign function {name} failed: {failure_text(error)}", ErrorKind.FOREIGN_FUNCTION, inner_kind=inner
    )
