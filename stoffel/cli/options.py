"""A small table-driven parser of options and the help text made from the same tables.

Importing ``argparse`` would cost a fifth of the whole start-up budget, and its rules for negative numbers and for
options with an optional value are not the ones wanted here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from stoffel.errors import nearest

COMMANDS: Final = (
    "run",
    "debug",
    "profile",
    "trace",
    "compare",
    "explain",
    "map",
    "build",
    "fmt",
    "asm",
    "dis",
    "check",
    "info",
    "builtins",
    "cache",
    "completion",
    "lsp",
)
"""Names of the commands; each is a module of this package with a ``COMMAND``."""


class UsageError(Exception):
    """The command line is wrong; the text says how, in one line."""


# Plain classes here: making a named tuple class takes as long as importing a small module.


class Option:
    """One option of a command.

    *flag* is its long name (``--entry``), *short* a one-letter name (``-o``) or empty. *value* is what its value is
    called (``NAME``), empty for a switch. *implied* is the value of the bare flag, for an option whose value may be
    left out (and is then only given as ``flag=value``). *choices* are the values allowed, all if empty.
    The values of one that *repeats* are lines.
    """

    __slots__ = ("choices", "flag", "help", "implied", "repeats", "required", "short", "value")

    def __init__(
        self,
        flag: str,
        help: str,  # noqa: A002 - the name that readers of argparse know
        *,
        value: str = "",
        short: str = "",
        implied: str | None = None,
        choices: tuple[str, ...] = (),
        required: bool = False,
        repeats: bool = False,
    ) -> None:
        self.flag = flag
        self.help = help
        self.value = value
        self.short = short
        self.implied = implied
        self.choices = choices
        self.required = required
        self.repeats = repeats

    @property
    def usage(self) -> str:
        """The option as help shows it: ``--jit[=MODE]``."""
        name = f"{self.short}, {self.flag}" if self.short else self.flag
        if not self.value:
            return name
        return f"{name}[={self.value}]" if self.implied is not None else f"{name} {self.value}"


HELP: Final = Option("--help", "Show this help.", short="-h")


class Parsed:
    """What the words of a command line mean: option values by long name (``""`` for switches) and operands."""

    __slots__ = ("operands", "options")

    def __init__(self, options: dict[str, str], operands: list[str]) -> None:
        self.options = options
        self.operands = operands


class Command:
    """One command: its name, operands, options and what it does.

    *operands* are operand names in order; ``"[ARG...]"`` is optional, and a last one that ends with ``...`` may repeat.
    *run* carries the command out and returns the exit status. *details* follows the options in the help text, which
    *examples* end: a command line, and what it does.
    """

    __slots__ = ("details", "examples", "name", "operands", "options", "run", "summary")

    def __init__(
        self,
        *,
        name: str,
        summary: str,
        operands: tuple[str, ...],
        options: tuple[Option, ...],
        run: Callable[[Parsed], int],
        details: str = "",
        examples: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.name = name
        self.summary = summary
        self.operands = operands
        self.options = options
        self.run = run
        self.details = details
        self.examples = examples


def command_named(name: str) -> Command:
    """Return one of :data:`COMMANDS`."""
    command: Command = __import__(f"stoffel.cli.{name}", fromlist=["COMMAND"]).COMMAND
    return command


def parse(command: Command, words: Sequence[str]) -> Parsed:
    """Sort *words* into options and operands; raise UsageError when they do not fit *command*.

    Options may stand anywhere before ``--``. A word that begins with ``-`` and a digit, or is ``-`` alone, is an
    operand. ``--help`` among the options makes every other check moot. A value of an option that needs none must follow
    ``=``; one that stands behind the option by itself is refused, since it would be an argument of the program.
    """
    by_flag = {flag: option for option in (*command.options, HELP) for flag in (option.flag, option.short) if flag}
    options: dict[str, str] = {}
    operands: list[str] = []
    bare: Option | None = None
    rest = iter(words)
    for word in rest:
        if word == "--":
            operands.extend(rest)
        elif not _is_option(word):
            if bare is not None and word in bare.choices:
                raise UsageError(f"write {bare.flag}={word}, or -- before an argument: -- {word}")
            operands.append(word)
            bare = None
        else:
            flag, equals, value = word.partition("=")
            if flag[:2] != "--" and len(flag) > 2 and flag[:2] in by_flag and by_flag[flag[:2]].value:
                flag, equals, value = word[:2], "=", word[2:]  # -oOUT
            option = by_flag.get(flag)
            if option is None:
                raise UsageError(_unknown(command, flag, by_flag))
            given = _value(option, flag, value if equals else None, rest)
            repeated = option.repeats and option.flag in options
            options[option.flag] = f"{options[option.flag]}\n{given}" if repeated else given
            bare = option if option.implied is not None and not equals else None
    if HELP.flag not in options:
        _check(command, options, operands)
    return Parsed(options, operands)


def _is_option(word: str) -> bool:
    return len(word) > 1 and word[0] == "-" and not (word[1].isdigit() or (word[1] == "." and word[2:3].isdigit()))


def _value(option: Option, flag: str, given: str | None, rest: Iterator[str]) -> str:
    if not option.value:
        if given is not None:
            raise UsageError(f"{flag} takes no value")
        return ""
    if given is None:
        given = option.implied if option.implied is not None else next(rest, None)
    if given is None:
        raise UsageError(f"{flag} needs a value: {flag} {option.value}")
    if option.choices and given not in option.choices:
        raise UsageError(f"{flag} must be one of {', '.join(option.choices)}, not '{given}'")
    return given


def _unknown(command: Command, flag: str, known: dict[str, Option]) -> str:
    text = f"unknown option {flag}"
    near = suggestion(flag, known)
    if not near and any(operand.startswith("[ARG") for operand in command.operands):
        near = f"; write -- before an argument that begins with a dash: -- {flag}"
    return text + near


def _check(command: Command, options: dict[str, str], operands: list[str]) -> None:
    needed = [operand for operand in command.operands if not operand.startswith("[")]
    if len(operands) < len(needed):
        raise UsageError(f"missing {needed[len(operands)].removesuffix('...')}")
    repeats = bool(command.operands) and command.operands[-1].rstrip("]").endswith("...")
    if len(operands) > len(command.operands) and not repeats:
        raise UsageError(f"unexpected argument '{operands[len(command.operands)]}'")
    for option in command.options:
        if option.required and option.flag not in options:
            raise UsageError(f"missing {option.short or option.flag} {option.value}")


def suggestion(word: str, known: Sequence[str] | dict[str, Option]) -> str:
    """Return ``"; did you mean X?"`` for the known word nearest to *word*, or an empty string."""
    # Dashes that all options begin with make none of them like another.
    bare = {name.lstrip("-"): name for name in known}
    near = nearest(word.lstrip("-"), bare, cutoff=0.65)
    return f"; did you mean {bare[near]}?" if near else ""


def usage_line(command: Command) -> str:
    """Return the one-line synopsis: ``stoffel run [OPTION...] FILE [ARG...]``."""
    required = [f"{option.short or option.flag} {option.value}" for option in command.options if option.required]
    return " ".join(["stoffel", command.name, "[OPTION...]", *command.operands, *required])


def help_text(command: Command) -> str:
    """Return the text of ``stoffel COMMAND --help``."""
    rows = [(option.usage, option.help) for option in (*command.options, HELP)]
    width = max(len(left) for left, _ in rows)
    lines = [f"Usage: {usage_line(command)}", "", command.summary, "", "Options:"]
    lines += [f"  {left:<{width}}  {right}" for left, right in rows]
    if command.details:
        lines += ["", command.details.strip("\n")]
    if command.examples:
        width = max(len(line) for line, _ in command.examples)
        lines += ["", "Examples:", *(f"  {line:<{width}}  {text}" for line, text in command.examples)]
    return "\n".join(lines) + "\n"
