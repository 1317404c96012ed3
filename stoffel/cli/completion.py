"""``stoffel completion``: the script that has a shell complete the command line, made from the tables of options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from stoffel.cli import report, status
from stoffel.cli.options import COMMANDS, HELP, Command, Option, Parsed, UsageError, command_named, suggestion

FILE_OPTIONS: Final = ("FILE", "PATH", "OUT", "DIR")
"""What the value of an option is called where it is the name of a file or directory."""


def run(parsed: Parsed) -> int:
    """Print the script for the shell that is named. Raises UsageError for one that is not known."""
    (name,) = parsed.operands
    if name not in SCRIPTS:
        raise UsageError(
            f"there is no completion for '{name}', only {', '.join(SCRIPTS)}{suggestion(name, [*SCRIPTS])}"
        )
    report.put("\n".join(SCRIPTS[name]([command_named(command) for command in COMMANDS])) + "\n")
    return status.OK


def _words(option: Option) -> Iterator[str]:
    """Yield what may be written for an option: a value that may be left out stands behind ``=``."""
    if option.short:
        yield option.short
    yield option.flag
    if option.implied is not None:
        yield from (f"{option.flag}={choice}" for choice in option.choices)


def _options(command: Command) -> tuple[Option, ...]:
    return (*command.options, HELP)


def _takes_files(command: Command) -> bool:
    return any(operand.strip("[].") == "FILE" for operand in command.operands)


def _operands(command: Command) -> list[str]:
    """Return the words of which the first operand is one, none if that is a file or anything."""
    if command.name == "builtins":
        from stoffel.model.builtins.table import BY_NAME

        return list(BY_NAME)
    return [word for operand in command.operands[:1] if "|" in operand for word in operand.split("|")]


def bash(commands: Iterable[Command]) -> Iterator[str]:
    """Yield the lines of the script for bash."""
    rows = list(commands)
    yield "# Completion of stoffel for bash: source it, or put it into the directory of completions."
    yield "_stoffel() {"
    yield "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words= files="
    yield "    COMPREPLY=()"
    yield "    # Where = ends a word, the flag before it belongs to the word that is completed."
    yield "    local flag=; [[ $word == = ]] && { flag=$before; word=; }"
    yield "    [[ $before == = ]] && flag=${COMP_WORDS[COMP_CWORD-2]}"
    yield "    if (( COMP_CWORD == 1 )); then"
    yield f'        words="{" ".join(row.name for row in rows)} --help --version"'
    yield "    else"
    yield '        case "${COMP_WORDS[1]} ${flag:-$before}" in'
    for row in rows:
        for option in _options(row):
            if not option.value:
                continue
            names = "|".join(f'"{row.name} {name}"' for name in (option.short, option.flag) if name)
            # The value of an option that needs none follows = only.
            guard = "[[ -n $flag ]] && " if option.implied is not None else ""
            if option.choices:
                yield f'            {names}) {guard}words="{" ".join(option.choices)}" ;;'
            elif option.value in FILE_OPTIONS:
                yield f"            {names}) {guard}files=1 ;;"
            elif option.implied is None:
                yield f"            {names}) return ;;"
    yield "        esac"
    yield '        if [[ -z $words$files ]]; then case "${COMP_WORDS[1]}" in'
    for row in rows:
        flags = " ".join(word for option in _options(row) for word in _words(option) if "=" not in word)
        yield f"            {row.name})"
        yield f'                if [[ $word == -* ]]; then words="{flags}"'
        operands = _operands(row)
        if operands:
            yield f'                else words="{" ".join(operands)}"'
        elif _takes_files(row):
            yield "                else files=1"
        yield "                fi ;;"
    yield f'            help) words="{" ".join(row.name for row in rows)}" ;;'
    yield "        esac; fi"
    yield "    fi"
    yield '    if [[ -n $files ]]; then compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$word"))'
    yield '    else COMPREPLY=($(compgen -W "$words" -- "$word")); fi'
    yield "}"
    yield "complete -F _stoffel stoffel"


def _quoted(text: str) -> str:
    return text.replace("'", "'\\''")


def zsh(commands: Iterable[Command]) -> Iterator[str]:
    """Yield the lines of the script for zsh."""
    rows = list(commands)
    yield "#compdef stoffel"
    yield "# Completion of stoffel for zsh: put it as _stoffel into a directory of $fpath."
    yield "_stoffel() {"
    yield "    local -a commands"
    yield "    commands=("
    for row in rows:
        yield f"        '{row.name}:{_quoted(row.summary)}'"
    yield "    )"
    yield "    if (( CURRENT == 2 )); then"
    yield "        _describe command commands"
    yield "        return"
    yield "    fi"
    yield "    local command=$words[2]"
    yield "    shift words; (( CURRENT-- ))"
    yield "    case $command in"
    for row in rows:
        yield f"        {row.name})"
        yield "            _arguments -S \\"
        for option in _options(row):
            yield f"                {_zsh_option(option)} \\"
        operands = _operands(row)
        if operands:
            yield f"                '1:operand:({' '.join(operands)})'"
        elif _takes_files(row):
            yield "                '*:file:_files'"
        else:
            yield "                '*: :'"
        yield "            ;;"
    yield "        help) _describe command commands ;;"
    yield "    esac"
    yield "}"
    # Loaded by the first completion, it completes; sourced, it is registered.
    yield 'if [[ $funcstack[1] == _stoffel ]]; then _stoffel "$@"; else compdef _stoffel stoffel; fi'


def _zsh_option(option: Option) -> str:
    text = "".join("\\" + letter if letter in "[]:\\" else letter for letter in option.help)
    value = ""
    if option.value:
        kind = f"({' '.join(option.choices)})" if option.choices else "_files" if option.value in FILE_OPTIONS else " "
        value = f"{'::' if option.implied is not None else ':'}{option.value}:{kind}"
    long = option.flag + ("=-" if option.implied is not None else "=" if option.value else "")
    spec = f"'{_quoted(f'{long}[{text}]{value}')}'"
    if not option.short:
        return spec
    short = option.short + ("+" if option.value else "")
    return f"{spec} '{_quoted(f'{short}[{text}]{value}')}'"


def fish(commands: Iterable[Command]) -> Iterator[str]:
    """Yield the lines of the script for fish."""
    rows = list(commands)
    yield "# Completion of stoffel for fish: save it as stoffel.fish among the completions."
    yield "complete -c stoffel -f"
    yield "complete -c stoffel -n __fish_use_subcommand -l help -s h -d 'Show this help.'"
    yield "complete -c stoffel -n __fish_use_subcommand -l version -s V -d 'Name the version.'"
    for row in rows:
        yield f"complete -c stoffel -n __fish_use_subcommand -a {row.name} -d '{_fish(row.summary)}'"
    for row in rows:
        when = f"complete -c stoffel -n '__fish_seen_subcommand_from {row.name}'"
        for option in _options(row):
            parts = [when, f"-l {option.flag[2:]}"]
            if option.short:
                parts.append(f"-s {option.short[1:]}")
            if option.value and option.implied is None:
                parts.append("-r")
            if option.choices:
                parts.append(f"-a '{' '.join(option.choices)}'")
            elif option.value in FILE_OPTIONS:
                parts.append("-F")
            parts.append(f"-d '{_fish(option.help)}'")
            yield " ".join(parts)
        operands = _operands(row)
        if operands:
            yield f"{when} -a '{' '.join(operands)}'"
        elif _takes_files(row):
            yield f"{when} -F"


def _fish(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


SCRIPTS: Final[dict[str, Callable[[Iterable[Command]], Iterator[str]]]] = {"bash": bash, "zsh": zsh, "fish": fish}
"""The script of each shell, as lines."""

COMMAND: Final = Command(
    name="completion",
    summary="Print the script that has a shell complete stoffel's commands and options.",
    operands=("SHELL",),
    options=(),
    details="""\
SHELL is bash, zsh or fish. zsh wants the script as _stoffel in a directory of $fpath, or run by source.""",
    examples=(
        ("stoffel completion bash > ~/.local/share/bash-completion/completions/stoffel", "for bash"),
        ("stoffel completion fish > ~/.config/fish/completions/stoffel.fish", "for fish"),
    ),
    run=run,
)
