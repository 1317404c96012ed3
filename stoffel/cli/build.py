"""``stoffel build``: StoffelLang -> ``.stflb`` or text assembly."""

from __future__ import annotations

from typing import Final

from stoffel.cli import report, status
from stoffel.cli.files import LANGUAGE_EXTENSION, STANDARD, Source, check_output, decode, read_source
from stoffel.cli.options import Command, Option, Parsed, UsageError
from stoffel.errors import CompileError

_EXTENSIONS: Final = {"stflb": ".stflb", "asm": ".stfasm"}


def run(parsed: Parsed) -> int:
    """Compile every file, each to a file of its own; returns the exit status."""
    output = parsed.options.get("--output")
    if output is not None and len(parsed.operands) > 1:
        raise UsageError("-o names one file, and several are to be built")
    form = parsed.options.get("--emit", "stflb")
    built = [_build(path, output, form) for path in parsed.operands]
    return status.OK if all(built) else status.BAD_FILE


def _build(path: str, output: str | None, form: str) -> bool:
    """Compile one file; False if it does not compile, which is told."""
    if not path.endswith(LANGUAGE_EXTENSION):
        raise UsageError(f"sources are named *{LANGUAGE_EXTENSION}, and {report.one_line(path)} is not")
    target = path.removesuffix(LANGUAGE_EXTENSION) + _EXTENSIONS[form] if output is None else output
    check_output(target, path)
    try:
        data = _emit(read_source(path), form)
    except CompileError as error:
        report.complain(*error.rendered(colour=report.has_colours()))
        return False
    if target == STANDARD:
        report.put_bytes(data)
    else:
        from stoffel.isa.writer import write_file

        write_file(target, data)
    return True


def _emit(source: Source, form: str) -> bytes:
    program = decode(source)
    if form == "asm":
        from stoffel.isa.disassembler import disassemble

        return disassemble(program).encode()
    from stoffel.isa.writer import write

    return write(program)


COMMAND: Final = Command(
    name="build",
    summary="Compile StoffelLang sources into .stflb programs.",
    operands=("FILE...",),
    options=(
        Option(
            "--output",
            "File to write, whole or not at all (- is standard output; else FILE with another extension).",
            value="OUT",
            short="-o",
        ),
        Option("--emit", "What to write: stflb unless given.", value="FORM", choices=tuple(_EXTENSIONS)),
        Option("--optimize", "Taken and ignored: the machine optimises.", value="LEVEL", short="-O"),
    ),
    examples=(
        ("stoffel build hello.stfl", "write hello.stflb"),
        ("stoffel build --emit=asm -o - hello.stfl", "show it as text assembly"),
    ),
    run=run,
)
