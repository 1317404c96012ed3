"""The log of ``--jit-log``: what the compiled tier does, a line for each event, on standard error or in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from stoffel.cli import report
from stoffel.cli.options import UsageError
from stoffel.errors import SaveError

if TYPE_CHECKING:
    from stoffel.embedding.vm import VirtualMachine
    from stoffel.jit.events import JitEvent

STANDARD_ERROR: Final = "-"
"""What the bare flag means."""
_AS_JSON: Final = (".jsonl", ".json")


@contextmanager
def jit_log(machine: VirtualMachine, path: str) -> Iterator[None]:
    """Write the log while entered. Raises SaveError for a file that cannot be written, UsageError for an empty name."""
    if not path:
        raise UsageError("--jit-log= needs the name of a file")
    if path == STANDARD_ERROR:
        if sys.stderr is not None:
            _write(machine, sys.stderr, as_json=False)
        yield
        return
    try:
        file = open(path, "w", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123, SIM115 - entered below
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SaveError(f"{path}: cannot write the file: {reason}") from None
    with file:
        _write(machine, file, as_json=path.endswith(_AS_JSON))
        yield


def _write(machine: VirtualMachine, stream: TextIO, *, as_json: bool) -> None:
    def put(event: JitEvent) -> None:
        # At once: the last lines are wanted most where a run does not end well.
        print(json.dumps(event.as_dict()) if as_json else event_line(event), file=stream, flush=True)

    machine.on_jit_event(put)


def event_line(event: JitEvent) -> str:
    """Return an event as a line for people: time, kind, place, sentence, cost."""
    place = report.one_line(event.function)
    if event.instruction is not None:
        place += f":{event.instruction}"
    if event.line is not None:
        place += f" (line {event.line})"
    cost = "" if event.seconds is None else f", in {1000 * event.seconds:.2f} ms"
    return f"{event.time:9.4f} s  {event.kind:<9}  {place}  {report.one_line(event.text)}{cost}"
