"""Feeds mutated sources to the compiler.

    python tests/fuzz/fuzz_lang.py [--count N] [--seed N]

Each mutated source either compiles, to functions that a machine takes and that are the same as text assembly, or
raises CompileError, whose diagnostics can be shown; nothing else may escape, and no source may take long. Prints a
summary; exit status 1 if there is a finding, whose source is printed.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from stoffel.errors import CompileError  # noqa: E402
from stoffel.isa.assembler import assemble  # noqa: E402
from stoffel.isa.disassembler import disassemble  # noqa: E402
from stoffel.isa.verify import verify  # noqa: E402
from stoffel.isa.writer import write  # noqa: E402
from stoffel.lang.builtins import METHODS  # noqa: E402
from stoffel.lang.compiler import compile_source  # noqa: E402
from stoffel.lang.lexer import KEYWORDS, OPERATORS  # noqa: E402
from stoffel.lang.source import Source  # noqa: E402
from tests.lang.sources import make  # noqa: E402

SLOW = 5.0
"""Seconds of the processor that one source may take; a hang, not a benchmark."""
PIECE = re.compile(r"\w+|\s+|[^\w\s]")
WORDS = (
    *(*sorted(KEYWORDS), *sorted(OPERATORS), "(", ")", "[", "]", "{", "}", "{.", ".}", ",", ":", ".", "=", "->", "\n"),
    *("  ", "    ", "\t", "0", "1", "300", "1.5", "5u8", "-1", "None", "True", '"s"', 'f"{x}"', "secret", "T", "self"),
    *(
        "int64",
        "list",
        "dict",
        "float",
        "uint8",
        "string",
        "match",
        "case",
        "_",
        "assert",
        "len",
        "append",
        "\u00e9",
        "\0",
    ),
    *list(METHODS)[:12],
    str(1 << 127),
    "9" * 60,
)


def corpus() -> list[str]:
    """Return the sources that are mutated."""
    cases = json.loads((ROOT / "tests" / "lang" / "observed.json").read_text(encoding="utf-8"))
    return [case["files"]["main.stfl"] for case in cases]


def mutated(rng: random.Random, sources: list[str]) -> str:
    """Return a source with a few pieces changed."""
    text = make(rng)[0] if rng.random() < 0.1 else rng.choice(sources)
    pieces = PIECE.findall(text)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(pieces) + 1)
        other = rng.choice((rng.choice(WORDS), rng.choice(pieces or WORDS)))
        kind = rng.randrange(7)
        if kind == 0:
            pieces[at : at + rng.randint(1, 3)] = []
        elif kind == 1:
            pieces.insert(at, other)
        elif kind == 2:
            pieces[at : at + 1] = [other]
        elif kind == 3 and pieces:
            b = rng.randrange(len(pieces))
            a = at % len(pieces)
            pieces[a], pieces[b] = pieces[b], pieces[a]
        elif kind == 4:
            length = rng.randint(1, 12)
            pieces[at:at] = pieces[at : at + length] * rng.choice((1, 1, 2, 50))
        elif kind == 5:
            stolen = PIECE.findall(rng.choice(sources))
            start = rng.randrange(len(stolen) + 1)
            pieces[at:at] = stolen[start : start + rng.randint(1, 30)]
        else:
            pieces[at : at + 1] = [rng.choice(("(", "[", "{", "-", "not ")) * rng.choice((2, 20, 2000))]
    return "".join(pieces)


def finding(text: str) -> str | None:
    """Return what is wrong with how *text* is treated, None if nothing is."""
    began = time.process_time()
    try:
        program = compile_source(Source(text, "", "main.stfl"))
    except CompileError as error:
        if not error.diagnostics or not error.rendered(colour=True)[0]:
            return "an error without a text"
    except Exception:
        return traceback.format_exc()
    else:
        try:
            for function in program.functions:
                verify(function)
            if write(assemble(disassemble(program))) != write(program):
                return "another program as text assembly"
        except Exception:
            return traceback.format_exc()
    took = time.process_time() - began
    return f"{took:.1f} seconds" if took > SLOW else None


def main() -> int:
    parser = argparse.ArgumentParser(description="Feed mutated sources to the compiler.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sources = corpus()
    compiled = 0
    for seed in range(options.seed, options.seed + options.count):
        text = mutated(random.Random(seed), sources)
        found = finding(text)
        if found is not None:
            print(f"seed {seed}: {found}\n{text}")
            return 1
        compiled += 1
    print(f"{compiled} sources, no finding")
    return 0


if __name__ == "__main__":
    sys.exit(main())
