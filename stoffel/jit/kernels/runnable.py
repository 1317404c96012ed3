"""Kernels in memory, bound to one machine, and the places at which they can be left."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Final

from stoffel.compiler.kernels.analysis import types
from stoffel.compiler.kernels.codegen import buffer

if TYPE_CHECKING:
    from stoffel.compiler.kernels.codegen.llvm import Loaded
    from stoffel.jit.reports import KernelReport
    from stoffel.model.code import Code

NATIVE_STACK: Final = 1 << 20
"""Bytes of the host's stack that nested native calls may use: an eighth of what threads usually have."""
_FRAME_BYTES: Final = 256
_BYTES_PER_INSTRUCTION: Final = 16
"""A native frame is assumed to take no more than :data:`_FRAME_BYTES` and this for each VM instruction of the kernel:
a value can need a place on the stack, twice if it is also kept for leaving."""


TYPES: Final = 4096
"""Types whose parts the process keeps at hand; then it begins anew."""
_VARIANTS: Final[dict[str, list[tuple[str, list[tuple[str, str]]]]]] = {}


def variants_of(code: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return function and upvalues of the closures that a value of a closure type can be."""
    variants = _VARIANTS.get(code)
    if variants is None:
        if len(_VARIANTS) >= TYPES:
            _VARIANTS.clear()
        variants = _VARIANTS[code] = types.variants_of(code)[0]
    return variants


def words_of(code: str) -> int:
    """Return the number of words that closures of a type take."""
    return buffer.UPVALUES + max(len(upvalues) for _, upvalues in variants_of(code))


class RunnableSite:
    """A site with what the interpreter needs of its function; ``words`` bounds the length of its frame records."""

    __slots__ = ("closure", "code", "codes", "outer", "places", "resume", "slots", "words")

    def __init__(
        self, code: Code, slots: list[int], resume: int, codes: list[str], places: list[str], outer: bool, closure: str
    ) -> None:
        self.closure = types.variant_of(closure)[0] if closure else None
        upvalues = 0 if self.closure is None else 1 + len(self.closure[1])
        bound = sum(words_of(item) for item in codes if item[0] == "(")
        self.words = 2 + 2 * (len(codes) + len(places)) + upvalues + bound
        self.code = code
        self.slots = slots
        self.outer = outer
        self.resume = resume
        self.codes = codes
        self.places = places


class RunnableKernel:
    """A kernel in memory, bound to one machine.

    ``functions`` are the names of those in it, its own first. ``values`` and ``result`` are codes of types;
    ``closures`` has function and upvalues of each kind of closure; ``depth`` is 0 if native calls can nest without a
    bound. ``entry`` is the instruction at which it takes over a
    record, None if it runs calls; ``expects`` the classes of all values then, None if those that are not read do not
    matter. ``work`` is the fuel used so far, about one unit for each VM instruction; ``left`` counts runs that ended in
    leaving.
    """

    __slots__ = (
        "cached",
        "closure_words",
        "closures",
        "code",
        "constants",
        "depth",
        "entries",
        "entry",
        "expects",
        "frame_words",
        "function",
        "functions",
        "left",
        "loaded",
        "mismatches",
        "native_frame",
        "nesting",
        "result",
        "sites",
        "tags",
        "values",
        "work",
    )

    def __init__(self, code: Code, loaded: Loaded, meta: dict[str, Any], sites: list[RunnableSite]) -> None:
        self.code = code
        self.loaded = loaded
        self.function = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(loaded.address)
        self.values: list[str] = meta["values"]
        self.result: str = meta["result"]
        self.tags: list[str] = meta["tags"]
        self.constants: list[str] = meta["constants"]
        self.closures = [types.variant_of(code)[0] for code in meta["closures"]]
        self.functions: list[str] = list(dict.fromkeys([code.name, *meta["functions"]]))
        self.closure_words = buffer.UPVALUES + max((len(upvalues) for _, upvalues in self.closures), default=0)
        self.depth: int = meta["depth"]
        self.sites = sites
        self.frame_words = max((site.words for site in sites), default=2)
        size = _FRAME_BYTES + _BYTES_PER_INSTRUCTION * meta["instructions"]
        if self.closures:
            # Upvalues, and the words of closures as they were bound, are kept for leaving.
            size += 8 * self.frame_words
        self.native_frame = size
        self.nesting = max(NATIVE_STACK // size, 8) if self.depth == 0 else self.depth
        self.cached: bool = meta["cached"]
        self.entry: int | None = meta["entry"]
        self.expects: tuple[type, ...] | None = None
        self.entries = 0
        self.left = 0
        self.mismatches = 0
        self.work = 0

    def as_dict(self) -> KernelReport:
        """Return what it is and did, as plain data."""
        return {
            "entry": self.entry,
            "functions": self.functions,
            "types": self.values,
            "result": self.result,
            "cached": self.cached,
            "runs": self.entries,
            "left": self.left,
            "mismatches": self.mismatches,
            "instructions_run": self.work,
        }
