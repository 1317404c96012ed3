"""What can come of entering a kernel besides a value: apart from the kernels, so that it can be named without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from stoffel.runtime.frames import ActivationRecord


class Mismatch(Exception):  # noqa: N818 - not an error: other code runs the call
    """There is no kernel for the values; nothing has happened."""


@final
class KernelLeft:
    """How a run ended that did not return: the records of its native calls, oldest first, and what interrupted it."""

    __slots__ = ("interruption", "records")

    def __init__(self, records: list[ActivationRecord]) -> None:
        self.records = records
        self.interruption: BaseException | None = None
