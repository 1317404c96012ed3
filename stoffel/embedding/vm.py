"""VirtualMachine: the embedding API."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, overload

from stoffel.embedding import conversion
from stoffel.embedding.engine import MODES, Engine, ModeName
from stoffel.embedding.table_access import TableAccess
from stoffel.errors import ErrorKind, VMError
from stoffel.isa.function import Function
from stoffel.isa.program import Program
from stoffel.isa.scalars import I64_MAX, I64_MIN
from stoffel.model.code import Code
from stoffel.model.foreign import ForeignFunction
from stoffel.model.values import Array, Closure, Foreign, Object, Value, check_value
from stoffel.runtime import calls
from stoffel.runtime.builtins import catalogue
from stoffel.runtime.events import Event
from stoffel.runtime.foreign_objects import ForeignObjects
from stoffel.runtime.frames import ActivationRecord
from stoffel.runtime.hooks import Callback, HookContext, Predicate
from stoffel.runtime.output import open_sink
from stoffel.runtime.state import LEFT, NOT_DONE, VMState
from stoffel.threads import load_ahead

if TYPE_CHECKING:
    from types import FrameType

    from stoffel.errors import BacktraceFrame
    from stoffel.jit.events import JitEvent
    from stoffel.jit.reports import JitStatistics
    from stoffel.profiling.coverage import Coverage
    from stoffel.profiling.profile import Profile
    from stoffel.runtime.limits import Limits

Kind = TypeVar("Kind")
Seen = TypeVar("Seen", bound=Event)
"""The class of events that a hook is for, which its callback gets."""


class VirtualMachine(TableAccess):
    """A Stoffel virtual machine with the standard library.

    *jit* chooses how functions run: ``"off"`` (the reference interpreter), ``"auto"`` (hot functions become CPython
    code objects, hot numeric ones machine code, *kernels*), ``"always"`` (code objects at once),
    ``"no-kernels"`` (auto without kernels) or ``"kernels"`` (all that qualifies becomes a kernel at once).
    *output* receives printed lines: None for standard output, an object with ``write``, or a callable taking one
    line. *storage* is the backend of LocalStorage: None for none, a path of an SQLite file, ``":memory:"``, or an
    object with ``store``, ``retrieve``, ``delete`` and ``exists``. *builtins* False leaves the library out.
    *cache* is the directory where machine code is kept between runs, ``"off"`` for none, or None for what
    STOFFEL_CACHE_DIR says, else for the place where the platform keeps caches; it is made when it is needed.
    *limits* are what each run may take (:class:`stoffel.Limits`), None for as much as there is.

    One machine may be used from several threads; runs take turns. For running in parallel, :meth:`clone` it.
    """

    def __init__(
        self,
        jit: ModeName = "off",
        output: Any = None,
        storage: Any = None,
        *,
        builtins: bool = True,
        cache: str | os.PathLike[str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        load_ahead("stoffel.isa", "stoffel.model", "stoffel.runtime", "stoffel.embedding")
        sink = open_sink(output)
        if storage is not None:
            from stoffel.runtime.storage import open_storage

            storage = open_storage(storage)
        if cache is not None and not isinstance(cache, (str, os.PathLike)):
            raise TypeError(f"cache must be None, a path or 'off', not {type(cache).__name__}")
        self._engine = Engine(jit, cache)
        self._state = VMState(sink, storage, ForeignObjects())
        self._state.machine = self
        self._state.limits = _checked_limits(limits)
        self._engine.attach(self._state)
        if builtins:
            self.register_standard_library()
            self.register_mpc_builtins()

    # What the machine holds

    @property
    def state(self) -> VMState:
        """The machine's state: functions, activation records, tables, foreign objects, hooks."""
        return self._state

    @property
    def jit(self) -> ModeName:
        """How functions run: the mode that the constructor was given."""
        return self._engine.mode

    @property
    def limits(self) -> Limits | None:
        """What each run may take, None for as much as there is; runs in progress keep theirs."""
        return self._state.limits

    @limits.setter
    def limits(self, limits: Limits | None) -> None:
        self._state.limits = _checked_limits(limits)

    @property
    def max_call_depth(self) -> int:
        """Activation records that a run may stack up before it fails with ``Call depth exceeds N``."""
        return self._state.max_call_depth

    @max_call_depth.setter
    def max_call_depth(self, depth: int) -> None:
        if type(depth) is not int or depth < 1:
            raise ValueError(f"max_call_depth must be an int of at least 1, not {depth!r}")
        self._state.limit_depth(depth)

    @property
    def max_reentry(self) -> int:
        """Runs that may be inside each other, when foreign functions call back, besides the first one.

        One more fails with ``Re-entry depth exceeds N``; in a thread with a small stack N may be less.
        """
        return self._state.max_reentry

    @max_reentry.setter
    def max_reentry(self, depth: int) -> None:
        if type(depth) is not int or depth < 0:
            raise ValueError(f"max_reentry must be an int of at least 0, not {depth!r}")
        self._state.max_reentry = depth

    @property
    def output(self) -> Callable[[str], None]:
        """The output sink as a function of one line; assign anything that the constructor takes."""
        return self._state.write_line

    @output.setter
    def output(self, output: Any) -> None:
        self._state.write_line = open_sink(output)

    def count_calls(self) -> None:
        """From now on count the calls of every function, for :meth:`jit_statistics`.

        Every call has to come to its counter: nothing is inlined any more, and compiled calls get slower.
        What is compiled already does not count, so call this before the first run. Nothing is counted with jit "off",
        and of calls between kernels only those that enter a kernel from outside are.
        """
        self._state.tier.statistics.counts_calls = True

    def jit_statistics(self) -> JitStatistics:
        """Return what the compiled tier did, as plain data.

        What is known of each function and each kernel, and where compiled code was left and why;
        :mod:`stoffel.jit.reports` describes every key.
        """
        return self._engine.statistics(self._state)

    def on_jit_event(self, callback: Callable[[JitEvent], object]) -> None:
        """Have *callback* told what the compiled tier does, from now on; see :class:`~stoffel.jit.events.JitEvent`.

        It is called in the middle of that work, so it must not use the machine. One that raises is told no more. With
        jit "off" nothing happens that could be told.
        """
        from stoffel.jit.policy.warmup import tier_of

        tier_of(self._state).statistics.listeners.append(callback)

    def profile(self, *, exact: bool = False, rate: float = 100) -> AbstractContextManager[Profile]:
        """Return a context manager that profiles the runs of this machine, and gives the profile that grows meanwhile.

        A thread looks at the machine *rate* times a second, in whatever tier it runs, and weighs what it sees by
        processor time. *exact* also counts every instruction and call: the machine runs in the interpreter then.
        Entering raises ValueError for a rate above 1000 or not above 0, and with *exact* RuntimeError during a run.
        """
        from stoffel.profiling.profiler import profiled

        return profiled(self._state, _RUNS, self.jit_statistics, exact=exact, rate=rate)

    def backtrace(self, frame: FrameType | None = None) -> tuple[BacktraceFrame, ...]:
        """Return the calls of VM functions in progress, oldest first, in whatever tiers they are.

        What runs does not notice. *frame* is the innermost Python frame of the thread that the machine runs in, as a
        signal handler is given it; None stands for the caller's. The result is empty where that thread runs nothing on
        this machine, or just hands a call from one tier to another.
        """
        from stoffel.profiling.reading import Reader
        from stoffel.profiling.stacks import TIERS_OF_CALLS
        from stoffel.runtime.backtrace import Describer

        describe = Describer(self._state.functions)
        places = Reader(self._state, _RUNS).read(frame or sys._getframe(1))
        return tuple([describe(call.function, index) for call, index in places if call.tier in TIERS_OF_CALLS])

    def coverage(self) -> AbstractContextManager[Coverage]:
        """Return a context manager that notes which instructions run, and gives what has run so far.

        Entering raises ValueError for a machine that may run kernels, which do not tell (jit "off" and "no-kernels" do
        without), and RuntimeError during a run.
        """
        from stoffel.profiling.coverage import covered

        return covered(self._state, bool(MODES[self.jit].kernels))

    # Registration

    def load(self, program: Program | str | os.PathLike[str] | bytes) -> Program:
        """Register all functions of a program, or of the ``.stflb`` file at a path, and return the program.

        All or nothing. Raises LoadError for a bad file and VMError (kinds Function, Registration) for a function that
        does not verify or whose name is taken.
        """
        if not isinstance(program, Program):
            from stoffel.isa.reader import load

            program = load(program)
        with self._state.lock:
            codes = []
            for function in program.functions:
                self._require_free(function.name)
                codes.append(Code(function))
            self._state.define(codes)
        return program

    def register_function(self, function: Function, *, keep_source: bool = True) -> None:
        """Register a VM function. Without *keep_source* hooks cannot observe its instructions.

        Raises VMError: kind Registration for a taken name, kind Function for a function that does not verify, kind
        Message for a constant that is not a machine value.
        """
        if not isinstance(function, Function):
            raise TypeError(f"register_function takes a stoffel.Function, not {type(function).__name__}")
        with self._state.lock:
            self._require_free(function.name)
            self._state.define([Code(function, keep_source=keep_source)])

    def register_foreign_function(self, name: str, function: Callable[..., Any]) -> None:
        """Register a Python callable as the foreign function *name*.

        A callable with exactly one parameter without annotation (or annotated as ForeignContext) receives a
        :class:`~stoffel.embedding.context.ForeignContext`. Any other signature receives the arguments, checked and
        converted from the annotations; lists, dicts and bytes in a result become tables. Raises VMError (kind
        Registration) for a taken name, TypeError for what VM code cannot call.
        """
        if not isinstance(name, str) or not callable(function):
            raise TypeError("register_foreign_function takes a name and a callable")
        from stoffel.embedding.annotated import adapt
        from stoffel.embedding.context import ForeignContext

        adapted = adapt(name, function)

        def call(state: VMState, arguments: list[Value]) -> Any:
            given = tuple(arguments)
            # Not this machine but the state's: clones share the function.
            result = (
                function(ForeignContext(state.machine, name, given))
                if adapted is None
                else adapted(given, state.look_up)
            )
            if hasattr(result, "__await__"):
                from stoffel.embedding.asynchronous import suspend

                return suspend(state, registered, arguments, result)
            return conversion.to_value(state, result, "result")

        registered = ForeignFunction(name, call)
        with self._state.lock:
            self._require_free(name)
            self._state.define([registered])

    def register_standard_library(self) -> None:
        """Register the clear standard library; the constructor has done so unless told otherwise.

        Raises VMError (kind Registration) if one of its names is taken; nothing is registered then.
        """
        self._register_group("standard library", catalogue.STANDARD_LIBRARY)

    def register_mpc_builtins(self) -> None:
        """Register the byte and crypto helpers, and the builtins and methods that need an MPC engine.

        Raises VMError (kind Registration) if one of their names is taken; nothing is registered then.
        """
        self._register_group("MPC builtins", catalogue.MPC_BUILTINS, catalogue.METHODS)

    def _register_group(
        self, group: str, functions: tuple[ForeignFunction, ...], methods: tuple[tuple[str, str, str], ...] = ()
    ) -> None:
        table = self._state.functions
        with self._state.lock:
            for function in functions:
                if function.name in table:
                    raise VMError(
                        f"{group} cannot register function '{function.name}' because it is already registered",
                        ErrorKind.REGISTRATION,
                    )
            registry = self._state.methods.copy()
            for receiver, method, canonical in methods:
                registry.add(receiver, method, canonical)
            self._state.define(functions, registry if methods else None)

    def register_method(self, receiver: str, method: str, canonical: str, function: Callable[..., Any]) -> None:
        """Register a method of the values whose type name (or ``"__type"`` field) is *receiver*.

        CALL *method* with such a first argument then calls the function *canonical*, which is registered too unless
        one of that name exists. Raises VMError (kind Registration) if the type has a method of that name, TypeError for
        what VM code cannot call; nothing is registered then.
        """
        with self._state.lock:
            methods = self._state.methods.copy()
            methods.add(receiver, method, canonical)
            if canonical not in self._state.functions:
                self.register_foreign_function(canonical, function)
            self._state.define(methods=methods)

    def register_foreign_object(self, item: Any) -> Foreign:
        """Keep a host object and return the handle by which programs hold it."""
        return self._state.foreign_objects.register(item)

    def unregister_foreign_function(self, name: str) -> bool:
        """Forget the foreign function *name*, of the host or of the library; return whether there was one.

        A run in progress obeys at its next call. Clones that share it keep it.
        """
        with self._state.lock:
            if not isinstance(self._state.functions.get(name), ForeignFunction):
                return False
            self._state.define(removed=[name])
            return True

    def unregister_foreign_object(self, handle: Foreign) -> bool:
        """Forget the host object behind *handle*, which leads nowhere from then on; return whether there was one."""
        return self._state.foreign_objects.remove(handle)

    def __copy__(self) -> NoReturn:
        """Refuse: a machine has locks, and compiled code that is bound to it."""
        raise TypeError("a machine cannot be copied; clone() makes an independent one")

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        """Refuse, as for a plain copy."""
        self.__copy__()

    def __reduce__(self) -> NoReturn:
        """Refuse: what makes a machine is pickled instead."""
        raise TypeError("a machine does not pickle; pickle its Program, and load() that into a new machine")

    def foreign_object(self, handle: Value, kind: type[Kind]) -> Kind | None:
        """Return the host object behind *handle* if it is of *kind*, else None."""
        return self._state.foreign_objects.get(handle, kind)

    def locked_object(self, handle: Value, kind: type[Kind]) -> AbstractContextManager[Kind]:
        """Return a context manager that holds the object's lock, shared with foreign functions, and gives the object.

        Entering it raises VMError (kind ForeignObject) if *handle* is no handle of an object of *kind*.
        """
        return self._state.foreign_objects.locked(handle, kind)

    def has_function(self, name: str) -> bool:
        """Return whether a VM or foreign function of that name is registered."""
        return name in self._state.functions

    def function_names(self) -> tuple[str, ...]:
        """Return the names of all VM and foreign functions, builtins included, in order of registration."""
        with self._state.lock:
            return tuple(self._state.functions)

    def discard_source(self) -> None:
        """Forget the symbolic instructions of all functions; running with an enabled hook fails from then on."""
        with self._state.lock:
            codes = [function for function in self._state.functions.values() if type(function) is Code]
            # A clone may share the originals.
            self._state.define([code.without_source() for code in codes if code.source is not None])

    def _require_free(self, name: str) -> None:
        if name in self._state.functions:
            raise VMError(f"Function '{name}' is already registered", ErrorKind.REGISTRATION)

    # Running

    def interrupt(self, reason: str = "interrupted by the host") -> bool:
        """Have the run in progress end, with an error of kind Limit and the text ``Interrupted: REASON``.

        Any thread, and any signal handler, may call this. The run obeys within milliseconds in whatever it does; a
        foreign function goes on until it returns, and nobody can keep the run from ending after that. All runs of
        :meth:`execute_async` end, too. Returns False, and does nothing, if nothing runs.
        """
        state, text = self._state, f"Interrupted: {reason}"
        for run in list(state.paused):
            run.stop(text)
        if state.nesting:
            state.stop(text)
        return bool(state.nesting or state.paused)

    def execute(self, name: str, *arguments: Value, limits: Limits | None = None) -> Any:
        """Run the function *name* with *arguments* and return its result.

        A foreign function is called directly, without a record, if there are arguments; without any it cannot be
        executed. *limits* stand for those of the machine in this run; in a run inside another one they are obeyed
        besides that one's. Raises VMError, of kind Limit where a limit is exceeded.
        """
        callee = self._state.functions.get(name)
        if not arguments and isinstance(callee, ForeignFunction):
            raise VMError(f"Cannot execute foreign function {name}")
        if limits is not None or self._state.limits is not None:
            return self.execute_with_args(name, arguments, limits)
        result = self._directly(callee, arguments)
        return self.execute_with_args(name, arguments) if result is NOT_DONE else result

    def function(self, name: str) -> Callable[..., Any]:
        """Return the VM function *name* as a Python callable, which is called like :meth:`execute`, with less ado.

        Raises VMError if there is no VM function of that name. What the name means is looked up in each call.
        """
        state = self._state
        functions, direct, execute = state.functions, state.direct, self.execute_with_args
        if type(functions.get(name)) is not Code:
            calls.entry(state, name, [])

        def call(*arguments: Value) -> Any:
            found = direct.get((functions.get(name), tuple(map(type, arguments))))
            if found is not None and state.limits is None:
                with state.lock:
                    result = found(arguments)
                    if result is LEFT:
                        return self._go_on()
                if result is not NOT_DONE:
                    return result
            return execute(name, arguments)

        call.__name__ = call.__qualname__ = name
        return call

    def _directly(self, callee: object, arguments: tuple[Value, ...]) -> Any:
        """Call a function without a record if it is compiled for that; return NOT_DONE if not."""
        state = self._state
        if not state.direct:
            return NOT_DONE
        direct = state.direct.get((callee, tuple(map(type, arguments))))
        if direct is None:
            return NOT_DONE
        with state.lock:
            result = direct(arguments)
            return self._go_on() if result is LEFT else result

    def _go_on(self) -> Any:
        """Go on with the records that compiled code has left, as the first run."""
        state = self._state
        records = state.records.copy()
        state.records.clear()
        with state.entered(goes_on=True):
            state.records.extend(records)
            return self._engine.run(state)

    async def execute_async(self, name: str, *arguments: Value, limits: Limits | None = None) -> Any:
        """Run the function *name* on the running event loop and return its result; as :meth:`execute` does otherwise.

        The run takes turns with whatever else there is on the loop, other runs on this machine too. Foreign functions
        may be coroutine functions: what they return is awaited while the run is suspended. Cancelling ends the run
        where it is. Raises VMError.
        """
        from stoffel.embedding import asynchronous

        values = _checked(arguments, f" of {name}")
        if not arguments and isinstance(self._state.functions.get(name), ForeignFunction):
            raise VMError(f"Cannot execute foreign function {name}")
        return await asynchronous.execute(self._state, self._engine, name, values, limits)

    def execute_with_args(self, name: str, arguments: Sequence[Value], limits: Limits | None = None) -> Any:
        """Run the VM or foreign function *name* with any number of arguments and return its result."""
        state = self._state
        values = _checked(arguments, f" of {name}")
        with state.entered(limits):
            callee = state.functions.get(name)
            if isinstance(callee, ForeignFunction):
                state.observe_hooks()
                state.cursor = None
                if state.budget is not None:
                    state.budget.call(callee, values)
                result = callee.invoke(state, values)
                # call_closure has no record to return to here: what it pushed is the run.
                return self._engine.run(state) if len(state.records) > state.base else result
            code = calls.entry(state, name, values)
            if state.budget is not None:
                state.budget.record(code)
            state.tier.called_by_host(code, values)
            state.records.append(ActivationRecord(state, code, values, [], None))
            return self._engine.run(state)

    def call(self, function: str | Closure, *arguments: Value) -> Any:
        """Run a VM function by name, or a closure, and return its result. Raises VMError."""
        if not isinstance(function, Closure):
            return self.execute_with_args(function, arguments)
        state = self._state
        values = _checked(arguments, "")
        with state.entered():
            calls.enter_closure(state, function, values, announce=False)
            return self._engine.run(state)

    def clone(self) -> VirtualMachine:
        """Return an independent machine that shares functions, code, output sink and storage backend.

        It starts with no activation records, tables, foreign objects or hooks of its own; table constants of the
        program are dangling handles there. Functions registered later in one are not seen by the other.
        """
        other = object.__new__(VirtualMachine)
        mine = self._state
        with mine.lock:
            other._engine = self._engine.clone()
            other._state = VMState(mine.write_line, mine.storage, ForeignObjects())
            other._state.machine = other
            other._state.limits = mine.limits
            other._engine.attach(other._state)
            other._state.limit_depth(mine.max_call_depth)
            other._state.max_reentry = mine.max_reentry
            other._state.random_bytes = mine.random_bytes
            other._state.methods = mine.methods.copy()
            handles: dict[int, Object | Array] = {}
            other._state.define(
                function.for_another_machine(handles) if type(function) is Code else function
                for function in mine.functions.values()
            )
        return other

    # Hooks

    @overload
    def register_hook(
        self, predicate: type[Seen], callback: Callable[[Seen, HookContext], object], priority: int = 0
    ) -> int: ...

    @overload
    def register_hook(
        self, predicate: Predicate | tuple[type, ...] | None, callback: Callback, priority: int = 0
    ) -> int: ...

    def register_hook(
        self,
        predicate: Predicate | type | tuple[type, ...] | None,
        callback: Callable[[Any, HookContext], Any],
        priority: int = 0,
    ) -> int:
        """Register an enabled hook and return its id.

        *predicate* is a function of an event, or an event class (or a tuple of them), or None for every event.
        *callback* receives the event and a :class:`~stoffel.runtime.hooks.HookContext`. Higher priorities come first.
        """
        return self._state.hooks.register(predicate, callback, priority)

    def enable_hook(self, identity: int) -> bool:
        """Switch a hook on; return whether it exists. A run in progress obeys at its next safepoint."""
        return self._state.hooks.set_enabled(identity, True)

    def disable_hook(self, identity: int) -> bool:
        """Switch a hook off; return whether it exists."""
        return self._state.hooks.set_enabled(identity, False)

    def unregister_hook(self, identity: int) -> bool:
        """Remove a hook; return whether it existed."""
        return self._state.hooks.unregister(identity)


_RUNS: Final = (VirtualMachine.execute_with_args.__code__, VirtualMachine.call.__code__)
"""What starts the runs of a machine: a profile finds them on the stack of Python frames."""


def _checked_limits(limits: object) -> Limits | None:
    """Return *limits* if that is what they are; raises TypeError for anything else."""
    if limits is None:
        return None
    from stoffel.runtime.limits import Limits

    if not isinstance(limits, Limits):
        raise TypeError(f"limits must be a stoffel.Limits or None, not {type(limits).__name__}")
    return limits


def _checked(arguments: Sequence[Value], of: str) -> list[Any]:
    """Return *arguments* as a list; raises VMError for what is not a machine value, naming the argument *of* what."""
    for index, value in enumerate(arguments):
        if type(value) is not int or not I64_MIN <= value <= I64_MAX:
            check_value(value, f"argument {index + 1}{of}")
    return list(arguments)
