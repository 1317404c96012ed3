"""The one door to llvmlite: LLVM IR in, machine code of this computer out, and back into memory.

llvmlite is imported by the first call of any function here, never before: that costs more than a short program. Its own
lock lets one thread at a time into LLVM, and Python threads run on meanwhile; every compilation has a context, a module
and a target machine of its own, so that compilations and loads in several threads do not meet.
"""

from __future__ import annotations

import functools
import itertools
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, ParamSpec, TypeVar

from stoffel.compiler.kernels.codegen import float_constants
from stoffel.compiler.refusal import Refusal
from stoffel.threads import stack_of_thread, start

SPEED_LEVEL: Final = 2
"""Optimisation level of LLVM, as in ``-O2``: inlining, SROA, GVN, LICM, jump threading, vectorisation."""

_RELOCATION: Final = "pic"
_CODE_MODEL: Final = "small"
"""Short calls and addresses; the linker puts a module into one piece of memory and makes stubs for what is far."""

_STACK: Final = 1 << 20
"""Bytes of a thread's stack that LLVM is content with."""
_LOADS_OF_A_LINKER: Final = 32
"""Loads after which a new linker takes over. A linker takes time and memory to make, and keeps some memory of each
load, even of one that is freed, until it is freed itself, which the last machine code that it loaded sees to."""


class _Host:
    """LLVM, made ready for the computer that this process runs on; *llvm* is ``llvmlite.binding``."""

    def __init__(self) -> None:
        import llvmlite
        import llvmlite.binding as llvm

        llvm.check_jit_execution()
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.llvm: Any = llvm
        self.triple: str = llvm.get_process_triple()
        self.cpu: str = llvm.get_host_cpu_name()
        self.features: str = llvm.get_host_cpu_features().flatten()
        self._target = llvm.Target.from_triple(self.triple)
        with self.target_machine() as machine:
            self.data_layout = str(machine.target_data)
        # close() of llvmlite's pass managers finds the empty method of another base class: 80 KB would stay behind.
        self._dispose_passes = llvm.newpassmanagers.NewPassManager._dispose
        self._linker = self._new_linker()
        self._loads = 0
        version = ".".join(map(str, llvm.llvm_version_info))
        pointer = 8 * struct.calcsize("P")
        self.identity = (
            f"{self.triple} {self.cpu} {self.features} llvm {version} llvmlite {llvmlite.__version__} "
            f"{pointer} bits {_RELOCATION} {_CODE_MODEL} O{SPEED_LEVEL}"
        )

    def target_machine(self) -> Any:
        """Return a new code generator for this computer."""
        return self._target.create_target_machine(
            cpu=self.cpu, features=self.features, opt=SPEED_LEVEL, reloc=_RELOCATION, codemodel=_CODE_MODEL
        )

    def optimise(self, module: Any, machine: Any) -> None:
        """Run LLVM's own pipeline, with its default alias analyses, over *module*."""
        llvm = self.llvm
        with (
            llvm.create_pipeline_tuning_options(SPEED_LEVEL) as options,
            llvm.create_pass_builder(machine, options) as builder,
        ):
            passes = builder.getModulePassManager()
            try:
                passes.run(module, builder)
            finally:
                self._dispose_passes(passes)
                passes.detach()

    @contextmanager
    def optimised(self, ir: str, context: Any, machine: Any) -> Iterator[Any]:
        """Give the optimised module of *ir*."""
        with self.llvm.parse_assembly(ir, context) as module:
            module.triple = self.triple
            module.data_layout = self.data_layout
            module.verify()
            self.optimise(module, machine)
            yield module

    def _new_linker(self) -> Any:
        # JITLink, not RuntimeDyld: it takes one piece of memory for each module (RuntimeDyld's pieces may be too far
        # apart for the small code model), and RuntimeDyld keeps more of what is freed.
        return self.llvm.create_lljit_compiler(use_jit_link=True, suppress_errors=True)

    def link(self, object_code: bytes, symbol: str) -> Any:
        """Return llvmlite's handle of *object_code* in memory."""
        with _lock:
            self._loads += 1
            if self._loads % _LOADS_OF_A_LINKER == 0:
                self._linker = self._new_linker()
            linker, name = self._linker, f"kernel {self._loads}"
        return self.llvm.JITLibraryBuilder().add_object_img(object_code).export_symbol(symbol).link(linker, name)


_lock = threading.Lock()
_numbers = itertools.count()
_trackers: dict[int, Any] = {}
"""llvmlite's handles of the machine code in memory, by number. Machines do not hold them: freed as part of one, when
Python looks for garbage, a handle takes llvmlite's lock, which an interruption would leave locked."""
_discarded: list[int] = []
"""Numbers of those that are to be freed at the next load."""
_ready: _Host | str | None = None

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def _undisturbed(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Have the main thread, and those with small stacks, leave *function* to another one, and wait for it.

    Python runs signal handlers in the main thread, between any two bytecodes: an exception of one (Ctrl-C) in the
    middle of llvmlite leaves objects of LLVM half made or freed twice, which ends the process. Here it is raised
    when *function* has come to its end. Where no thread is to be had, signals are held back instead.
    """

    @functools.wraps(function)
    def call(*arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
        if threading.current_thread() is not threading.main_thread() and stack_of_thread()[1] >= _STACK:
            return function(*arguments, **named)
        results: list[_Result] = []
        errors: list[BaseException] = []
        finished = threading.Lock()
        finished.acquire()

        def work() -> None:
            try:
                results.append(function(*arguments, **named))
            except BaseException as error:
                errors.append(error)
            finished.release()

        if not start(threading.Thread(target=work, name="stoffel machine code", daemon=True)):
            return _with_signals_held_back(lambda: function(*arguments, **named))
        interruption: BaseException | None = None
        while not (results or errors):
            try:
                finished.acquire()
            except BaseException as error:
                interruption = error
        if interruption is not None:
            raise interruption
        if errors:
            raise errors[0]
        return results[0]

    return call


def _with_signals_held_back(function: Callable[[], _Result]) -> _Result:
    if stack_of_thread()[1] < _STACK:
        raise Refusal("the stack of this thread is too small for LLVM, and no other thread can be started")
    try:
        from signal import SIG_BLOCK, SIG_SETMASK, pthread_sigmask, valid_signals
    except ImportError:
        # A system without such masks.
        return function()
    before = pthread_sigmask(SIG_BLOCK, valid_signals())
    try:
        return function()
    finally:
        pthread_sigmask(SIG_SETMASK, before)


def _prepare() -> _Host | str:
    """Return the one host, or the sentence that says why there is none; llvmlite is loaded by the first call."""
    global _ready
    with _lock:
        if _ready is None:
            try:
                _ready = _Host()
            except ImportError as error:
                _ready = f"machine code is made by llvmlite, which cannot be imported: {_one_line(error)}"
            except (OSError, RuntimeError, AttributeError, TypeError) as error:
                # An old llvmlite lacks functions or arguments; an unknown computer or a strict system makes it fail.
                _ready = f"llvmlite cannot make machine code here: {_one_line(error)}"
        return _ready


def _host() -> _Host:
    host = _prepare()
    if isinstance(host, str):
        raise Refusal(host)
    return host


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@_undisturbed
def why_not() -> str | None:
    """Return why there can be no machine code here, as a sentence, or None if there can. Imports llvmlite."""
    host = _prepare()
    return host if isinstance(host, str) else None


@_undisturbed
def host_identity() -> str:
    """Return what object code depends on besides its source: processor, LLVM, pointer size, settings of this module.

    Object code made under one identity must not be loaded under another. Raises Refusal where :func:`why_not` has
    something to say.
    """
    return _host().identity


@contextmanager
def _optimised(ir: str) -> Iterator[tuple[Any, Any]]:
    """Give the optimised module and its code generator, as llvmlite has them; LLVM's errors become Refusal."""
    host = _host()
    llvm = host.llvm
    if "\0" in ir:
        raise Refusal("LLVM refuses the code: it holds a zero byte")
    try:
        with host.target_machine() as machine, llvm.create_context() as context:
            with host.optimised(ir, context, machine) as module:
                if not float_constants.may_fold(ir) or not float_constants.has_folded_nan(ir, str(module)):
                    yield module, machine
                    return
            with host.optimised(float_constants.opaque(ir), context, machine) as module:
                yield module, machine
    except (RuntimeError, UnicodeEncodeError) as error:
        raise Refusal(f"LLVM refuses the code: {_one_line(error)}") from None


@_undisturbed
def build(ir: str, wanted: Callable[[], bool] = lambda: True) -> bytes:
    """Return object code for this computer, made from the LLVM IR of one module, verified and optimised.

    *wanted* is asked half-way whether to go on; Refusal is raised if it says no.

    The IR names no target. It may call what LLVM itself may call (``memcpy``, ``memset``, ``fmod`` and other functions
    of the C library). Raises Refusal for IR that LLVM does not accept.
    """
    with _optimised(ir) as (module, machine):
        if not wanted():
            raise Refusal("the machine code is not wanted any more")
        code: bytes = machine.emit_object(module)
        return code


@_undisturbed
def optimised(ir: str) -> str:
    """Return the LLVM IR of a module after optimisation. Raises Refusal as :func:`build` does."""
    with _optimised(ir) as (module, _):
        return str(module)


@_undisturbed
def assembly(ir: str) -> str:
    """Return the assembly that :func:`build` would make object code of. Raises Refusal as it does."""
    with _optimised(ir) as (module, machine):
        text: str = machine.emit_assembly(module)
        return text


class Loaded:
    """Machine code in memory. *address* is where the function begins; the memory is freed after this object is.

    Whoever calls the address keeps the object until the call has returned.
    """

    __slots__ = ("_number", "address")

    def __init__(self, number: int, address: int) -> None:
        self._number = number
        self.address: Final = address

    def __del__(self, discard: Callable[[int], None] = _discarded.append) -> None:
        # Bound early: at the end of the process the globals of this module may be gone before.
        discard(self._number)


@_undisturbed
def load(object_code: bytes, symbol: str) -> Loaded:
    """Bring object code that :func:`build` made into memory and find the function *symbol* in it.

    The bytes must be as they were made: LLVM ends the process for many kinds of damage, so what comes from outside is
    checked before (see :mod:`stoffel.jit.store.kernel_cache`). Raises Refusal if the symbol, or a function that the
    code calls, does not exist.
    """
    host = _host()
    while _discarded:
        _trackers.pop(_discarded.pop(), None)
    try:
        tracker = host.link(object_code, symbol)
    except RuntimeError as error:
        raise Refusal(f"the machine code cannot be loaded: {_one_line(error)}") from None
    number = next(_numbers)
    _trackers[number] = tracker
    return Loaded(number, tracker[symbol])
