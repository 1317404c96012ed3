"""``stoffel dis``: any program -> text assembly."""

from __future__ import annotations

from typing import Final

from stoffel.cli import report, status
from stoffel.cli.files import STANDARD, check_output, read_program
from stoffel.cli.options import Command, Option, Parsed


def run(parsed: Parsed) -> int:
    """Disassemble the file; returns the exit status."""
    from stoffel.isa.disassembler import disassemble
    from stoffel.isa.writer import write_file

    path = parsed.operands[0]
    output = parsed.options.get("--output", STANDARD)
    text = disassemble(read_program(path))
    if output == STANDARD:
        report.put(text)
    else:
        check_output(output, path)
        write_file(output, text.encode())
    return status.OK


COMMAND: Final = Command(
    name="dis",
    summary="Show a program as text assembly, which asm turns back into the same program.",
    operands=("FILE",),
    options=(Option("--output", "File to write, whole or not at all (or standard output).", value="OUT", short="-o"),),
    examples=(
        ("stoffel dis life.stflb", "show a program"),
        ("stoffel dis life.stflb -o life.stfasm", "write it to a file"),
    ),
    run=run,
)
