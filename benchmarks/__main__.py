"""``python -m benchmarks``: measure, print one table with ratios and the other sections, write JSON and a plot."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from benchmarks import comparison, plot
from benchmarks.catalogue import BENCHMARKS, BY_NAME, LEVELS
from benchmarks.rounds import NORMAL, QUICK
from benchmarks.sections import (
    Options,
    SkippedError,
    columns,
    deoptimisation,
    embedding,
    hooks,
    instructions,
    kernels,
    startup,
    translation,
    whole,
)
from benchmarks.ways import PEER_WAYS, WAYS, Way, missing

SECTIONS: Final[dict[str, ModuleType]] = {
    "instructions": instructions,
    "hooks": hooks,
    "translation": translation,
    "kernels": kernels,
    "columns": columns,
    "deoptimisation": deoptimisation,
    "embedding": embedding,
    "startup": startup,
    "whole": whole,
}
"""What is measured beside the comparison, by the name under which it is asked for."""

COMPARISON: Final = "comparison"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    own = [way.name for way in WAYS if way not in PEER_WAYS]
    peers = [way.name for way in PEER_WAYS]
    result = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the machine beside hand-written Python and other languages, in one run.",
        allow_abbrev=False,
    )
    size = result.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small sizes and few rounds: shows that everything works")
    size.add_argument(
        "--full", action="store_true", help="the sizes of the reference results; takes several times longer"
    )
    result.add_argument("--only", action="append", metavar="NAME", help="this program only (may be repeated)")
    result.add_argument(
        "--level", choices=LEVELS, default=LEVELS[0], help="optimisation level of the compiled programs"
    )
    result.add_argument("--rounds", type=int, metavar="N", help=f"rounds of each comparison (default {NORMAL.rounds})")
    result.add_argument("--ways", metavar="NAMES", help=f"own ways, by comma, of {', '.join(own)} (default all)")
    result.add_argument(
        "--peers", metavar="NAMES", help=f"peers, by comma, of {', '.join(peers)}, or none (default those installed)"
    )
    result.add_argument(
        "--sections",
        metavar="NAMES",
        help=f"what to measure, by comma, of {', '.join((COMPARISON, *SECTIONS))} (default all)",
    )
    result.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    result.add_argument("--plot", type=Path, metavar="FILE", help="draw the comparison (.svg; .png with matplotlib)")
    result.add_argument("--list", action="store_true", help="list programs, ways and sections, and stop")
    return result


def _chosen(given: str | None, known: Sequence[str], what: str, refuse: argparse.ArgumentParser) -> list[str]:
    """Return the names of a list on the command line; all that are known if it is not given."""
    if given is None:
        return list(known)
    names = [] if given == "none" else [name.strip() for name in given.split(",")]
    for name in names:
        if name not in known:
            refuse.error(f"unknown {what} {name!r}; there are {', '.join(known)}")
    return [name for name in known if name in names]


def _writable(path: Path | None, refuse: argparse.ArgumentParser) -> None:
    """Refuse a file that could not be written at the end, before minutes are spent."""
    if path is not None:
        if path.is_dir():
            refuse.error(f"{path} is a directory")
        if not os.access(path.parent, os.W_OK):
            refuse.error(f"cannot write to the directory of {path}")


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def machine() -> dict[str, Any]:
    """Return what the times depend on."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
        "processor": _processor(),
        "processors": os.cpu_count(),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    for line in text.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _say(text: str) -> None:
    print(text, flush=True)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _list() -> None:
    _say("programs: " + ", ".join(benchmark.name for benchmark in BENCHMARKS))
    for way in WAYS:
        reason = missing(way.name)
        _say(f"way {way.name}: {way.about}" + (f" (left out: {reason})" if reason else ""))
    for name, module in SECTIONS.items():
        _say(f"section {name}: {module.TITLE}")


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 1 if a result was wrong or a worker failed."""
    command_line = parser()
    arguments = command_line.parse_args(words)
    if arguments.list:
        _list()
        return 0
    for name in arguments.only or ():
        if name not in BY_NAME:
            command_line.error(f"unknown program {name!r}; there are {', '.join(BY_NAME)}")
    benchmarks = [benchmark for benchmark in BENCHMARKS if benchmark.name in (arguments.only or BY_NAME)]
    names = _chosen(arguments.ways, [way.name for way in WAYS if way not in PEER_WAYS], "way", command_line)
    names += _chosen(arguments.peers, [way.name for way in PEER_WAYS], "peer", command_line)
    sections = _chosen(arguments.sections, (COMPARISON, *SECTIONS), "section", command_line)
    if arguments.rounds is not None and arguments.rounds < 1:
        command_line.error("--rounds must be at least 1")
    _writable(arguments.json, command_line)
    _writable(arguments.plot, command_line)
    if arguments.plot is not None:
        reason = plot.refusal(arguments.plot)
        if reason or COMPARISON not in sections:
            command_line.error(reason or f"--plot draws the {COMPARISON}, which is not among the sections")

    left_out = {name: reason for name in names if (reason := missing(name))}
    ways = [way for way in WAYS if way.name in names and way.name not in left_out]
    effort = QUICK if arguments.quick else NORMAL
    if arguments.rounds is not None:
        effort = effort._replace(rounds=arguments.rounds)
    size = "quick" if arguments.quick else "full" if arguments.full else "default"
    facts = machine()
    found: dict[str, Any] = {
        "machine": facts,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "arguments": list(sys.argv[1:] if words is None else words),
        "left_out": left_out,
        "sections": {},
    }
    _say("{implementation} {python}, {processor} x {processors}, {system}".format(**facts))
    rows: list[comparison.Row] = []
    if COMPARISON in sections:
        for name, reason in left_out.items():
            _say(f"{name} is left out: {reason}")
        rows = comparison.compare(benchmarks, ways, size, arguments.level, effort, _progress)
        found[COMPARISON] = _comparison(rows, ways, size, arguments.level)
    options = Options(benchmarks, arguments.level, effort, arguments.quick)
    for name in sections:
        if name in SECTIONS:
            _progress(name)
            found["sections"][name] = _section(SECTIONS[name], options)
    _progress("")
    if arguments.json is not None:
        _write(arguments.json, (json.dumps(found, indent=1) + "\n").encode())
    if arguments.plot is not None:
        _write(arguments.plot, plot.render(arguments.plot, rows, ways))
    return 1 if any(row.failures for row in rows) else 0


def _comparison(rows: list[comparison.Row], ways: Sequence[Way], size: str, level: str) -> dict[str, Any]:
    _progress("")
    _say(f"\nPrograms at size {size}, compiled at {level}: best milliseconds (median), and ratios of best times")
    for line in comparison.lines(rows, ways):
        _say(line)
    return {
        "size": size,
        "level": level,
        "ways": {way.name: way.about for way in ways},
        "programs": comparison.as_json(rows),
        "summary": comparison.summarise(rows),
    }


def _section(module: ModuleType, options: Options) -> dict[str, Any]:
    try:
        data: dict[str, Any] = module.measure(options)
    except SkippedError as reason:
        _progress("")
        _say(f"\n{module.TITLE}\nleft out: {reason}")
        return {"skipped": str(reason)}
    _progress("")
    _say(f"\n{module.TITLE}")
    for line in module.lines(data):
        _say(line)
    return data


if __name__ == "__main__":
    try:
        # Machine code that an earlier run, or the user's own programs, have left is no part of what is measured.
        with tempfile.TemporaryDirectory(prefix="stoffel-cache-") as directory:
            os.environ["STOFFEL_CACHE_DIR"] = directory
            sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
