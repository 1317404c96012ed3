"""Signals while a program runs: where it is gets shown, and what there is so far is kept."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from stoffel.cli import status
from stoffel.errors import BacktraceFrame, frame_lines

if TYPE_CHECKING:
    from stoffel.embedding.vm import VirtualMachine

KIND: Final = "Interrupted"
"""What the JSON of an interrupted run has as the kind of its error."""
_ENDING: Final = {"SIGINT": status.INTERRUPTED, "SIGTERM": status.TERMINATED}
_STDERR: Final = 2
_ASKING: Final = ("SIGUSR1", "SIGINFO")
"""Signals that ask where the program is, where the system has them."""


class Interruption:
    """What has interrupted a run: the exit status, and the calls that were in progress, oldest first."""

    def __init__(self) -> None:
        self.status = status.INTERRUPTED
        self.calls: tuple[BacktraceFrame, ...] = ()

    def lines(self) -> list[str]:
        """Return the report for people."""
        return ["stoffel: interrupted", *frame_lines(self.calls)]

    def as_error(self) -> dict[str, Any]:
        """Return the same as the error of a run's JSON."""
        innermost = self.calls[-1] if self.calls else None
        return {
            "kind": KIND,
            "message": "interrupted",
            "function": innermost and innermost.function,
            "instruction": innermost and innermost.instruction,
            "stack": stack_of(self.calls),
        }


def stack_of(calls: tuple[BacktraceFrame, ...]) -> list[dict[str, Any]]:
    """Return *calls* as a run's JSON has them."""
    return [call._asdict() for call in calls]


@contextmanager
def watching(machine: VirtualMachine) -> Iterator[Interruption]:
    """Have Ctrl-C and SIGTERM raise KeyboardInterrupt inside, and note where *machine* was when they came.

    SIGUSR1 and SIGINFO show that on standard error, and the program goes on. A signal that is ignored, or that somebody
    else handles, is left alone.
    """
    found = Interruption()

    def calls(frame: FrameType | None) -> tuple[BacktraceFrame, ...]:
        try:
            return machine.backtrace(frame)
        except Exception:
            # Between two instructions of the machine's own code its records may be in any state.
            return ()

    def end(number: int, frame: FrameType | None) -> None:
        found.status = _ENDING[signal.Signals(number).name]
        found.calls = calls(frame)
        raise KeyboardInterrupt

    def tell(_number: int, frame: FrameType | None) -> None:
        lines = ["stoffel: running", *(frame_lines(calls(frame)) or ["  between two calls"])]
        # Not through sys.stderr: the signal may have come in the middle of a write to that.
        with suppress(OSError):
            os.write(_STDERR, "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace"))

    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name, handler in (*((name, end) for name in _ENDING), *((name, tell) for name in _ASKING)):
            number: signal.Signals | None = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, handler)
    try:
        yield found
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
