"""``stoffel asm``: text assembly -> ``.stflb``."""

from __future__ import annotations

from typing import Final

from stoffel.cli import report, status
from stoffel.cli.files import STANDARD, assemble_source, check_output, read_source
from stoffel.cli.options import Command, Option, Parsed, UsageError
from stoffel.errors import LoadError


def run(parsed: Parsed) -> int:
    """Assemble the file; returns the exit status."""
    path = parsed.operands[0]
    output = parsed.options["--output"]
    version = _version(parsed.options.get("--format-version"))
    source = read_source(path)
    if source.is_binary:
        raise LoadError("is a .stflb program already, not text assembly", category="magic", path=source.name)
    program = assemble_source(source)
    if output == STANDARD:
        from stoffel.isa.writer import write

        report.put_bytes(write(program, version=version))
    else:
        check_output(output, path)
        program.save(output, version=version)
    return status.OK


def _version(text: str | None) -> int | None:
    from stoffel.isa.layout import CURRENT_VERSION

    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= CURRENT_VERSION):
        raise UsageError(f"--format-version must be a number from 0 to {CURRENT_VERSION}, not '{text}'")
    return int(text)


COMMAND: Final = Command(
    name="asm",
    summary="Assemble text assembly into a .stflb program.",
    operands=("FILE",),
    options=(
        Option(
            "--output",
            "File to write, whole or not at all (- is standard output).",
            value="OUT",
            short="-o",
            required=True,
        ),
        Option("--format-version", "Version of .stflb to write (the source's own, else the newest).", value="N"),
    ),
    examples=(("stoffel asm hello.stfasm -o hello.stflb", "assemble a file"),),
    run=run,
)
