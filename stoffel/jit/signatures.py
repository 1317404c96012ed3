"""What calls of each function are specialised on, and when they are specialised no further."""

from __future__ import annotations

from stoffel.compiler.analysis.environment import Signature
from stoffel.compiler.analysis.facts import ANY
from stoffel.jit.policy import thresholds
from stoffel.model.code import Code


class Signatures:
    """The signatures of the calls that units of one machine make, or are made for.

    A call site whose arguments have ever new kinds becomes megamorphic (Hoelzle, Chambers and Ungar, "Optimizing
    dynamically-typed object-oriented languages with polymorphic inline caches", 1991).
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Code, tuple[str, ...] | None], dict[tuple[int, ...], Signature]] = {}

    def of(self, callee: Code, masks: tuple[int, ...], captured: tuple[str, ...] | None) -> Signature:
        """Return what calls of *callee* with arguments of the kinds *masks* are specialised on.

        From ``SIGNATURES_OF_A_FUNCTION`` of them on they share one that takes any kind where they differ.
        """
        known = self._known.setdefault((callee, captured), {})
        if masks not in known:
            shared = masks
            if len(known) >= thresholds.SIGNATURES_OF_A_FUNCTION:
                columns = zip(*known, masks, strict=True)
                shared = tuple([kinds[0] if len(set(kinds)) == 1 else ANY for kinds in columns])
            known[masks] = Signature(shared, captured)
        return known[masks]
