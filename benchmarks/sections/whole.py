"""Whole processes: ``stoffel run`` of every benchmark, every example and hello, in each setting of ``--jit``.

With kernels there is one more column: ``auto`` with an empty kernel cache in each process (cold, as in a program's
first run), beside the one that earlier processes have filled (as in its second run). ``STOFFEL_CACHE_DIR`` moves the
cache to a directory of this run.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks import ways
from benchmarks.catalogue import HELLO, HERE
from benchmarks.processes import Command, ProcessError, interleaved, once
from benchmarks.sections import Options
from benchmarks.table import geometric_mean, milliseconds, significant, table

TITLE: Final = "Whole processes: stoffel run with each setting of --jit"

EXAMPLES: Final = HERE.parent / "examples"
ROUNDS: Final = range(15, 26)
"""Rounds at least and at most: the shorter a process, the more of them it takes until the best time is one without
disturbance."""
HOPELESS: Final = 2.0
"""A setting that takes so many times as long as the best one decides nothing, and is measured less often."""
SECONDS: Final = 1.5
"""Seconds of one process's runs, from which the number of rounds between those follows."""
QUICK_ROUNDS: Final = 2


def targets(options: Options) -> dict[str, list[str]]:
    """Return what is run, by name: the operands (and ``--entry``) of ``stoffel run``."""
    found = {"hello": [str(HELLO)]}
    for benchmark in options.benchmarks:
        n = benchmark.size("quick" if options.quick else "default")
        found[benchmark.name] = ["--entry", "bench", str(benchmark.path(options.level)), str(n)]
    if not options.quick:
        for path in sorted([*EXAMPLES.glob("*.stfasm"), *EXAMPLES.glob("*.stflb")]):
            found[f"examples/{path.name}"] = [str(path)]
    return found


def measure(options: Options) -> dict[str, Any]:
    """Time all targets in all settings that this machine has."""
    with tempfile.TemporaryDirectory(prefix="stoffel-cache-") as directory:
        warm, cold = Path(directory, "warm"), Path(directory, "cold")

        def forget() -> None:
            shutil.rmtree(cold, ignore_errors=True)

        rows: dict[str, Any] = {}
        left_out: dict[str, str] = {}
        for name, operands in targets(options).items():
            base = [sys.executable, "-m", "stoffel", "run"]
            warm_environment = {"STOFFEL_CACHE_DIR": str(warm)}
            commands = {"off": Command([*base, "--jit=off", *operands], warm_environment)}
            if ways.has_translator():
                for mode in ("always", "auto"):
                    commands[mode] = Command([*base, f"--jit={mode}", *operands], warm_environment)
            if ways.has_kernels():
                commands["no-kernels"] = Command([*base, "--jit=no-kernels", *operands], warm_environment)
                cold_environment = {"STOFFEL_CACHE_DIR": str(cold)}
                commands["auto, cold cache"] = Command([*base, "--jit=auto", *operands], cold_environment, forget)
            try:
                seconds = once(commands["off"])
            except ProcessError as error:
                left_out[name] = str(error)  # an example that needs arguments, or fails on purpose
                continue
            try:
                rounds = max(ROUNDS[0], min(ROUNDS[-1], round(SECONDS / seconds)))
                found = interleaved(commands, QUICK_ROUNDS if options.quick else rounds, HOPELESS)
            except ProcessError as error:
                left_out[name] = str(error)
            else:
                rows[name] = {mode: {"best": wall.best, "median": wall.median} for mode, wall in found.items()}
    return {"processes": rows, "left_out": left_out}


def _against_best(row: dict[str, Any], mode: str) -> float | None:
    """Return *mode*'s time by the best one of the settings that a person could choose instead."""
    others = [row[name]["best"] for name in ("off", "always", "no-kernels") if name in row]
    return row[mode]["best"] / min(others) if mode in row else None


def lines(data: dict[str, Any]) -> list[str]:
    """Return the table."""
    rows = data["processes"]
    modes = list(dict.fromkeys(mode for row in rows.values() for mode in row))
    ratios = [mode for mode in modes if mode.startswith("auto")]
    body = []
    for name, row in rows.items():
        cells = [name, *(milliseconds(row[mode]["best"]) if mode in row else "-" for mode in modes)]
        body.append([*cells, *(significant(_against_best(row, mode) or 0) for mode in ratios)])
    result = table(["process", *(f"{mode} ms" for mode in modes), *(f"{mode} / best" for mode in ratios)], body)
    for mode in ratios:
        values = {name: value for name, row in rows.items() if (value := _against_best(row, mode)) is not None}
        worst = max(values, key=lambda name: values[name])
        result.append(
            f"{mode} against the best of off, always and no-kernels: geometric mean"
            f" {significant(geometric_mean(list(values.values())))}, worst {significant(values[worst])} ({worst})"
        )
    if not ratios:
        result.append(f"always and auto are left out: {ways.NO_TRANSLATOR}")
    result += [f"left out: {name}: {reason}" for name, reason in data["left_out"].items()]
    return result
