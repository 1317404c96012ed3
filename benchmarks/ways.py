"""The ways to run a benchmark program, and whether this machine has them.

What is not there is left out with a sentence. Peers are found on the command search path or by an environment variable:
``CC`` (C compiler), ``LUA``, ``LUAJIT``, ``PYPY``; numba is imported by this Python.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.catalogue import HERE, Benchmark

PEERS: Final = HERE / "peers"

NO_TRANSLATOR: Final = "this build has no just-in-time compiler yet, so it would be the interpreter again"
NO_KERNELS: Final = "this build has no kernels yet, so it would be the translator again"


class Way(NamedTuple):
    """One way to run programs."""

    name: str
    about: str
    warmth: int = 1
    """How many times the usual warm-up it needs."""


SAMPLED: Final = 16
"""Warmth of ways that choose kernels by samples: large ones after 2.7 seconds of work, and they take one to make."""

INTERPRETER: Final = Way("interpreter", "the reference interpreter (jit off)")
ALWAYS: Final = Way("always", "jit always (code objects at once, then kernels), warmed up", SAMPLED)
AUTO: Final = Way("auto", "jit auto, warmed up", SAMPLED)
KERNELS: Final = Way("kernels", "machine code (jit kernels), warmed up")
NO_KERNELS_WAY: Final = Way("no-kernels", "code objects (jit no-kernels), warmed up")
PYTHON: Final = Way("python", "the same algorithm written by hand in Python, this Python")
PYPY: Final = Way("pypy", "the same Python on PyPy")
NUMBA: Final = Way("numba", "written by hand for numba (wraps, NumPy arrays)")
C: Final = Way("c", "gcc -O2 with overflow checks")
LUA: Final = Way("lua", "Lua")
LUAJIT: Final = Way("luajit", "LuaJIT")

WAYS: Final[tuple[Way, ...]] = (
    INTERPRETER,
    AUTO,
    ALWAYS,
    NO_KERNELS_WAY,
    KERNELS,
    PYTHON,
    PYPY,
    NUMBA,
    C,
    LUA,
    LUAJIT,
)
PEER_WAYS: Final[tuple[Way, ...]] = (PYPY, NUMBA, C, LUA, LUAJIT)
"""The ways that need something installed besides this project."""

JIT_OF: Final[dict[str, str]] = {
    INTERPRETER.name: "off",
    AUTO.name: "auto",
    ALWAYS.name: "always",
    NO_KERNELS_WAY.name: "no-kernels",
    KERNELS.name: "kernels",
}
"""The machine's ``jit`` setting of each of its own ways."""

_EXECUTABLES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    C.name: ("CC", ("gcc", "cc")),
    LUA.name: ("LUA", ("lua5.4", "lua5.3", "lua")),
    LUAJIT.name: ("LUAJIT", ("luajit",)),
    PYPY.name: ("PYPY", ("pypy3", "pypy")),
}


@functools.cache
def has_translator() -> bool:
    """Return whether the machine compiles: it has the statistics that the compiler comes with."""
    from stoffel import VirtualMachine

    return hasattr(VirtualMachine, "jit_statistics")


@functools.cache
def has_kernels() -> bool:
    """Return whether the machine has kernels: it can be asked to do without them."""
    from stoffel import VirtualMachine

    try:
        VirtualMachine(jit=JIT_OF[NO_KERNELS_WAY.name])
    except ValueError:
        return False
    return True


def executable(way: str) -> str | None:
    """Return the program that runs a peer's version, or None if it is not installed."""
    variable, names = _EXECUTABLES[way]
    chosen = os.environ.get(variable)
    for name in (chosen,) if chosen else names:
        found = shutil.which(name)
        if found:
            return found
    return None


def missing(way: str) -> str:
    """Return why *way* cannot be measured here, in a sentence; empty if it can."""
    if way in (ALWAYS.name, AUTO.name):
        return "" if has_translator() else NO_TRANSLATOR
    if way in (NO_KERNELS_WAY.name, KERNELS.name):
        return "" if has_kernels() else NO_KERNELS
    if way == NUMBA.name:
        return "" if importlib.util.find_spec("numba") else "numba is not installed for this Python"
    if way in _EXECUTABLES and executable(way) is None:
        variable, names = _EXECUTABLES[way]
        chosen = os.environ.get(variable)
        if chosen:
            return f"{variable}={chosen} is not an executable"
        return f"none of {', '.join(names)} is installed (or set {variable})"
    return ""


class NoVersionError(Exception):
    """The program has not been written for the way."""


class CompilerError(Exception):
    """A compiler refused the peer's version of a program; the text says what it said."""


def command(way: str, benchmark: Benchmark, level: str, scratch: Path) -> list[str]:
    """Return the worker command of *way* for a program; compiled files go to the directory *scratch*.

    Raises NoVersionError if the program has no version for it, CompilerError if its version does not compile.
    """
    name = benchmark.name
    worker = ["-m", "benchmarks.worker"]
    if way in JIT_OF:
        return [sys.executable, *worker, JIT_OF[way], name, level]
    if way == PYTHON.name:
        return [sys.executable, *worker, way, name]
    if way == PYPY.name:
        return [executable(way) or "", *worker, PYTHON.name, name]
    if way == NUMBA.name:
        if not (PEERS / "numba_versions" / f"{name}.py").exists():
            raise NoVersionError
        return [sys.executable, *worker, way, name]
    if way == C.name:
        return [str(_compile(name, scratch))]
    source = PEERS / "lua" / f"{name}.lua"
    if not source.exists():
        raise NoVersionError
    return [executable(way) or "", str(PEERS / "lua" / "worker.lua"), str(source)]


def _compile(name: str, scratch: Path) -> Path:
    """Compile the C version of a program with its worker; return the executable."""
    if not (PEERS / "c" / f"{name}.c").exists():
        raise NoVersionError
    target = scratch / name
    if not target.exists():
        # No contraction: a fused multiply-add would give other floats than the machine.
        flags = ["-O2", "-std=gnu11", "-ffp-contract=off", f'-DPROGRAM="{name}.c"']
        source = str(PEERS / "c" / "worker.c")
        done = subprocess.run(
            [executable(C.name) or "", *flags, "-o", str(target), source], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CompilerError(f"the C compiler refused {name}.c: {done.stderr.strip().splitlines()[0]}")
    return target
