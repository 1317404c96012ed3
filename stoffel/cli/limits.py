"""The options that limit a run: ``--max-instructions`` and the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.cli import status
from stoffel.cli.options import Option, UsageError
from stoffel.errors import ErrorKind, VMError

if TYPE_CHECKING:
    from stoffel.runtime.limits import Limits

OPTIONS: Final = (
    Option("--max-instructions", "Stop the program before instruction N+1; builtins count as their work.", value="N"),
    Option("--max-seconds", "Stop the program after so many seconds.", value="SECONDS"),
    Option("--max-memory", "Stop the program when its values take more than N units (about bytes).", value="N"),
    Option("--max-output", "Stop the program before it has printed more than N bytes.", value="N"),
    Option("--max-depth", "Let at most N calls be inside each other.", value="N"),
)
_PREFIX: Final = "--max-"
_COUNTED: Final = frozenset({"--max-instructions", "--max-memory"})
_SINGLE: Final = ("string", "array", "object", "stack")
_MOST: Final = 1 << 60


def limits_of(options: dict[str, str]) -> Limits | None:
    """Return the limits that *options* ask for, None if they ask for none. Raises UsageError for a bad value."""
    given = {option.flag: options[option.flag] for option in OPTIONS if option.flag in options}
    if not given:
        return None
    from stoffel.runtime.limits import Limits

    named = {flag.removeprefix(_PREFIX): _number(flag, text) for flag, text in given.items()}
    # What is counted is counted by the interpreter. Where nothing is, compiled code goes on running, without the limits
    # on single values either, for which there are no options.
    single = {} if _COUNTED & given.keys() else dict.fromkeys(_SINGLE)
    return Limits(**single, **named)  # type: ignore[arg-type]


def _number(flag: str, text: str) -> int | float:
    least = 1 if flag == "--max-depth" else 0
    if flag == "--max-seconds":
        plain = text.replace(".", "", 1)
        if not (plain.isascii() and plain.isdigit()) or len(text) > 12:
            raise UsageError(f"{flag} must be a number of seconds, not '{text}'")
        return float(text)
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or not least <= int(text) <= _MOST:
        raise UsageError(f"{flag} must be an integer of at least {least}, not '{text}'")
    return int(text)


def status_of(error: VMError) -> int:
    """Return the exit status of a run that ended with *error*."""
    return status.LIMITED if error.kind is ErrorKind.LIMIT else status.FAILED
