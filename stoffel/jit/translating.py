"""Translating: from a function to a unit, or to the reason why there is none."""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import thread_time
from typing import TYPE_CHECKING, ClassVar, Protocol

from stoffel.compiler.cpython.listings import listing_name, register_listing
from stoffel.compiler.cpython.writer import prepare
from stoffel.compiler.refusal import TOO_DEEP, Refusal
from stoffel.jit import mishaps
from stoffel.jit.policy import thresholds
from stoffel.model.code import Code

if TYPE_CHECKING:
    from stoffel.compiler.emission.deopt_points import Unit
    from stoffel.jit.statistics import Statistics


def load_translator(statistics: Statistics) -> None:
    """Load the translator, if it is not: a program that runs in kernels never needs it."""
    began = thread_time()
    import stoffel.compiler.pipeline  # noqa: F401 - for those who import it next

    statistics.load_seconds += thread_time() - began


class Translated(Protocol):
    """The machine for which functions are translated."""

    refusals: dict[Code, Refusal]
    compiling: list[Code]

    def stop_inlining(self, code: Code) -> bool:
        """Inline nothing into *code* that is there now; return False if nothing is."""


class Translator:
    """Translates functions of one machine, each so many times; ``variants`` counts how often."""

    inspect: ClassVar[Callable[[Unit], None] | None] = None
    """Called with every new unit, if set: the test suite checks all generated code objects with it."""

    def __init__(
        self, environment: Translated, statistics: Statistics, refuse: Callable[[Code, Refusal], None]
    ) -> None:
        self.environment = environment
        self.statistics = statistics
        self.variants: dict[Code, int] = {}
        self._refuse = refuse

    def translate(self, code: Code, translate: Callable[[str], Unit]) -> Unit | None:
        """Return the unit that *translate* makes for a file name; None if the function is refused."""
        is_left = code in self.environment.refusals or code in self.statistics.pinned
        if is_left or self.variants.get(code, 0) >= thresholds.UNITS_OF_A_FUNCTION:
            return None
        self.variants[code] = self.variants.get(code, 0) + 1
        filename = listing_name(code.name)
        began = thread_time()
        self.environment.compiling.append(code)
        # A translation makes many objects that stay: looking for garbage among them would take a third longer.
        collects = gc.isenabled()
        gc.disable()
        try:
            unit = None
            while unit is None:
                try:
                    unit = translate(filename)
                except RecursionError:
                    if not self.environment.stop_inlining(code):
                        raise Refusal(TOO_DEEP, code.name) from None
            prepare(len(unit.polled))
        except Refusal as refusal:
            self._refuse(code, refusal)
            return None
        except Exception as error:
            self._refuse(code, mishaps.refusal_for(error, code.name))
            return None
        finally:
            self.environment.compiling.pop()
            if collects:
                gc.enable()
        if Translator.inspect is not None:
            Translator.inspect(unit)
        register_listing(unit.code, unit.layout.splice, unit.lines)
        self.statistics.compiled(code, unit, thread_time() - began)
        return unit
