"""The option parser, on a command of its own."""

from __future__ import annotations

import pytest

from stoffel.cli.options import Command, Option, UsageError, help_text, parse, usage_line

COMMAND = Command(
    name="try",
    summary="Try things.",
    operands=("FILE", "[ARG...]"),
    options=(
        Option("--entry", "Where to begin.", value="NAME"),
        Option("--output", "Where to write.", value="OUT", short="-o"),
        Option("--json", "As JSON."),
        Option("--jit", "Compile.", value="MODE", implied="auto", choices=("auto", "off")),
    ),
    run=lambda parsed: len(parsed.operands),
    details="More to say.",
)

TWO_FILES = Command(name="two", summary="", operands=("FROM", "TO"), options=(), run=lambda _: 0)
NEEDS_OUT = Command(
    name="needs",
    summary="",
    operands=("FILE",),
    options=(Option("--output", "", value="OUT", short="-o", required=True),),
    run=lambda _: 0,
)


@pytest.mark.parametrize(
    ("words", "options", "operands"),
    [
        (["f"], {}, ["f"]),
        (["--entry", "main", "f"], {"--entry": "main"}, ["f"]),
        (["--entry=main", "f"], {"--entry": "main"}, ["f"]),
        (["f", "--entry", "main", "5"], {"--entry": "main"}, ["f", "5"]),
        (["--entry=", "f"], {"--entry": ""}, ["f"]),
        (["--entry=a=b", "f"], {"--entry": "a=b"}, ["f"]),
        (["--entry", "--json", "f"], {"--entry": "--json"}, ["f"]),
        (["-o", "x", "f"], {"--output": "x"}, ["f"]),
        (["-ox", "f"], {"--output": "x"}, ["f"]),
        (["-o", "-", "f"], {"--output": "-"}, ["f"]),
        (["--json", "f"], {"--json": ""}, ["f"]),
        (["--jit", "f"], {"--jit": "auto"}, ["f"]),
        (["--jit", "f", "off"], {"--jit": "auto"}, ["f", "off"]),
        (["f", "--jit", "--", "off"], {"--jit": "auto"}, ["f", "off"]),
        (["f", "--jit", "--json", "off"], {"--jit": "auto", "--json": ""}, ["f", "off"]),
        (["f", "--jit=auto", "off"], {"--jit": "auto"}, ["f", "off"]),
        (["--jit=off", "f"], {"--jit": "off"}, ["f"]),
        (["--jit=off", "--jit=auto", "f"], {"--jit": "auto"}, ["f"]),
        (["-"], {}, ["-"]),
        (["f", "-5", "-1.5", "-.5"], {}, ["f", "-5", "-1.5", "-.5"]),
        (["f", "--", "--json", "-x"], {}, ["f", "--json", "-x"]),
        (["--", "-f"], {}, ["-f"]),
        (["f", "--", "--", "a"], {}, ["f", "--", "a"]),
        (["f", ""], {}, ["f", ""]),
        (["--help"], {"--help": ""}, []),
        (["-h"], {"--help": ""}, []),
    ],
)
def test_words_are_sorted_into_options_and_operands(
    words: list[str], options: dict[str, str], operands: list[str]
) -> None:
    parsed = parse(COMMAND, words)
    assert (parsed.options, parsed.operands) == (options, operands)


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        (COMMAND, [], "missing FILE"),
        (COMMAND, ["f", "--entry"], "--entry needs a value: --entry NAME"),
        (COMMAND, ["f", "-o"], "-o needs a value: -o OUT"),
        (COMMAND, ["f", "--json=yes"], "--json takes no value"),
        (COMMAND, ["f", "--jit=never"], "--jit must be one of auto, off, not 'never'"),
        (COMMAND, ["f", "--jit", "off"], "write --jit=off, or -- before an argument: -- off"),
        (COMMAND, ["--jit", "off", "f"], "write --jit=off, or -- before an argument: -- off"),
        (COMMAND, ["f", "--entri", "x"], "unknown option --entri; did you mean --entry?"),
        (COMMAND, ["f", "-x"], "unknown option -x; write -- before an argument that begins with a dash: -- -x"),
        (COMMAND, ["f", "-inf"], "unknown option -inf; write -- before an argument that begins with a dash: -- -inf"),
        (TWO_FILES, ["a"], "missing TO"),
        (TWO_FILES, ["a", "b", "c"], "unexpected argument 'c'"),
        (TWO_FILES, ["a", "b", "--qqqq"], "unknown option --qqqq"),
        (NEEDS_OUT, ["f"], "missing -o OUT"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(command: Command, words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(command, words)
    assert str(caught.value) == message


def test_the_usage_line_shows_operands_and_required_options() -> None:
    assert usage_line(COMMAND) == "stoffel try [OPTION...] FILE [ARG...]"
    assert usage_line(NEEDS_OUT) == "stoffel needs [OPTION...] FILE -o OUT"


def test_help_shows_every_option_and_the_details() -> None:
    assert help_text(COMMAND) == (
        "Usage: stoffel try [OPTION...] FILE [ARG...]\n"
        "\n"
        "Try things.\n"
        "\n"
        "Options:\n"
        "  --entry NAME      Where to begin.\n"
        "  -o, --output OUT  Where to write.\n"
        "  --json            As JSON.\n"
        "  --jit[=MODE]      Compile.\n"
        "  -h, --help        Show this help.\n"
        "\n"
        "More to say.\n"
    )
