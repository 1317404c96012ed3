"""``stoffel cache``: where the machine code of kernels is kept, how much there is, and away with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stoffel.cli import report, status
from stoffel.cli.options import Command, Option, Parsed, UsageError, suggestion

if TYPE_CHECKING:
    from stoffel.jit.store.kernel_cache import Cache

ACTIONS: Final = ("info", "clear")


CACHE: Final = Option(
    "--cache",
    "Keep what later runs can use in DIR, or off (else STOFFEL_CACHE_DIR, or where the system keeps caches).",
    value="DIR",
)


def directory(options: dict[str, str]) -> str | None:
    """Return what the option ``--cache`` says, None without it. Raises UsageError for an empty name."""
    name = options.get(CACHE.flag)
    if name == "":
        raise UsageError("--cache needs a directory, or off")
    return name


def run(parsed: Parsed) -> int:
    """Tell about the cache or clear it; returns the exit status."""
    from stoffel.jit.store.kernel_cache import open_cache

    action = parsed.operands[0]
    if action not in ACTIONS:
        raise UsageError(f"'{action}' is neither info nor clear{suggestion(action, ACTIONS)}")
    cache = open_cache(directory(parsed.options))
    return (_info if action == "info" else _clear)(cache, "--json" in parsed.options)


def _info(cache: Cache, as_json: bool) -> int:
    from stoffel.cli.compiled import kept
    from stoffel.jit.policy.run_history import notes

    found = cache.info()
    try:
        runs = len(notes(found.directory))
        programs = len(kept(found.directory))
    except OSError:
        runs = programs = 0  # the cache tells why
    if as_json:
        _put_json(
            {
                "directory": found.directory,
                "kernels": found.entries,
                "bytes": found.size,
                "limit": found.limit,
                "runs": runs,
                "programs": programs,
                "problem": found.problem,
            }
        )
        return status.OK
    lines = [
        f"Directory: {report.one_line(found.directory or 'none')}",
        f"Kernels: {found.entries}, {_size(found.size)} of at most {_size(found.limit)}",
        f"Runs remembered: {runs}",
        f"Programs compiled from sources: {programs}",
    ]
    if found.problem is not None:
        lines.append(f"Nothing new is kept: {report.one_line(found.problem)}")
    report.put("\n".join(lines) + "\n")
    return status.OK


def _clear(cache: Cache, as_json: bool) -> int:
    from stoffel.cli import compiled
    from stoffel.jit.policy.run_history import forget

    try:
        removed = cache.clear()
        forgotten = forget(cache.directory)
        programs = compiled.forget(cache.directory)
    except OSError as error:
        where = report.one_line(error.filename or cache.directory)
        report.complain(f"stoffel: {where}: cannot clear: {error.strerror or error}")
        return status.FAILED
    if as_json:
        _put_json({"removed": removed, "forgotten": forgotten, "programs": programs})
    else:
        parts = (report.count(removed, "kernel"), report.count(programs, "program"), report.count(forgotten, "run"))
        report.put("{} and {} removed, {} forgotten\n".format(*parts))
    return status.OK


def _put_json(found: dict[str, Any]) -> None:
    import json

    report.put(json.dumps(found, ensure_ascii=False) + "\n")


def _size(number: int) -> str:
    """Return a number of bytes for people: ``"512 bytes"``, ``"41.5 KiB"``, ``"256 MiB"``."""
    if number < 1 << 10:
        return report.count(number, "byte")
    unit, shift = ("KiB", 10) if number < 1 << 20 else ("MiB", 20)
    return f"{number / (1 << shift):.1f}".removesuffix(".0") + f" {unit}"


COMMAND: Final = Command(
    name="cache",
    summary="Show or clear the directory where machine code is kept between runs.",
    operands=("info|clear",),
    options=(
        CACHE,
        Option("--json", "Print one JSON object."),
    ),
    examples=(
        ("stoffel cache info", "show where it is, and how large"),
        ("stoffel cache clear", "remove what is kept"),
    ),
    run=run,
)
