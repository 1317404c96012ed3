"""Who may import whom, and what a start of the machine must not load."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "stoffel"

# Package -> the packages below it, which are all of ours that it may import.
LAYERS = (
    "version",
    "errors",
    "notices",
    "threads",
    "forks",
    "isa",
    "model",
    "runtime",
    "compiler",
    "jit",
    "profiling",
    "tracing",
    "embedding",
    "lang",
    "columns",
    "debug",
    "cli",
)
MAY_IMPORT = {
    "version": (),
    "errors": (),
    "notices": (),
    "threads": (),
    "forks": ("threads",),
    "isa": ("errors", "notices"),
    "model": ("errors", "notices", "isa"),
    "runtime": ("errors", "notices", "threads", "forks", "isa", "model"),
    "compiler": ("errors", "notices", "threads", "forks", "isa", "model"),
    "lang": ("errors", "notices", "isa", "model"),
    "jit": ("errors", "notices", "threads", "forks", "isa", "model", "runtime", "compiler"),
    "profiling": LAYERS[:10],
    "tracing": ("errors", "isa", "model", "runtime"),
    "embedding": LAYERS[1:12],
    "highlighting": ("isa", "lang"),
    "numba": LAYERS[1:15],
    "columns": LAYERS[1:14],
    "debug": LAYERS[1:13],
    "cli": LAYERS[:-1],
    "notebook": LAYERS,
    "__main__": ("cli",),
}

HEAVY = ("numba", "llvmlite", "numpy", "rich", "bytecode", "argparse", "dataclasses", "inspect", "asyncio", "sqlite3")
"""What neither `import stoffel` nor a plain `stoffel run` may load."""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def imports(source: str, module: str, is_package: bool = False) -> Iterator[tuple[str, int]]:
    """Yield every module that *source* imports, inside functions and for type checking too, with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                parents = parents[: len(parents) - node.level + is_package]
                base = ".".join([*parents, base] if base else parents)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield (full if full in MODULES else base), node.lineno


def package_of(module: str) -> str:
    """Return the package directly below ``stoffel`` that *module* is in, "" for the root."""
    return module.partition(".")[2].partition(".")[0]


def violations(source: str, module: str, is_package: bool = False) -> list[str]:
    owner = package_of(module)
    found = []
    for target, line in imports(source, module, is_package):
        if not is_within(target, "stoffel") or not owner:
            continue
        if target == "stoffel":
            found.append(f"{module}:{line} imports the package root instead of the module that it needs")
        elif package_of(target) not in (owner, *MAY_IMPORT[owner]):
            found.append(f"{module}:{line} may not import {target}")
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_layer_may(module: str) -> None:
    path = MODULES[module]
    assert violations(path.read_text(encoding="utf-8"), module, path.name == "__init__.py") == []


def circle(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """Return modules that import each other in a circle, the first of them again at the end; empty if there is none."""
    finished: set[str] = set()
    for start in edges:
        path: list[str] = []
        pending = [(start, iter([start]))]
        while pending:
            module = next(pending[-1][1], None)
            if module is None:
                finished.add(pending.pop()[0])
                if path:
                    path.pop()
            elif module in path:
                return [*path[path.index(module) :], module]
            elif module not in finished:
                path.append(module)
                pending.append((module, iter(edges.get(module, ()))))
    return []


def test_files_do_not_import_each_other_in_a_circle() -> None:
    edges = {}
    for module, path in MODULES.items():
        found = imports(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")
        edges[module] = sorted({target for target, _ in found if target in MODULES} - {module})
    assert " -> ".join(circle(edges)) == ""


@pytest.mark.parametrize(
    ("edges", "found"),
    [
        ({"a": ["b", "c"], "b": ["c"], "c": []}, []),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, ["b", "c", "b"]),
        ({"a": ["b", "d"], "b": [], "d": ["e"], "e": ["f"], "f": ["d", "b"]}, ["d", "e", "f", "d"]),
    ],
)
def test_a_circle_is_found(edges: dict[str, list[str]], found: list[str]) -> None:
    assert circle(edges) == found


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("stoffel.errors", "from stoffel.isa import table"),
        ("stoffel.isa.program", "import stoffel.model.values"),
        ("stoffel.isa.program", "def f():\n    from stoffel.model.values import Array"),
        ("stoffel.isa.program", "if TYPE_CHECKING:\n    from stoffel.model.values import Array"),
        ("stoffel.isa.program", "from ..runtime import values"),
        ("stoffel.isa.program", "import stoffel"),
        ("stoffel.runtime.interpreter", "from stoffel.compiler.flow import blocks"),
        ("stoffel.runtime.steps", "import stoffel.compiler"),
        ("stoffel.runtime.steps", "from stoffel.cli.main import main"),
        ("stoffel.compiler.translate", "from stoffel.runtime import interpreter"),
        ("stoffel.compiler.translate", "from stoffel.embedding.engine import Engine"),
        ("stoffel.compiler.translate", "from stoffel.embedding.vm import VirtualMachine"),
    ],
)
def test_a_forbidden_import_is_noticed(module: str, line: str) -> None:
    assert len(violations(line, module)) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("stoffel.isa.program", "from stoffel.errors import VMError"),
        ("stoffel.isa.program", "from . import table"),
        ("stoffel.compiler.translate", "from stoffel.model import operations"),
        ("stoffel.embedding.engine", "from stoffel.compiler.flow import blocks"),
        ("stoffel.errors", "import enum"),
    ],
)
def test_an_allowed_import_is_not_complained_about(module: str, line: str) -> None:
    assert violations(line, module) == []


@pytest.mark.parametrize(
    ("door", "library"),
    [("stoffel.compiler", "bytecode"), ("stoffel.numba", "numba"), ("stoffel.compiler", "llvmlite")],
)
def test_a_compiling_library_is_used_by_the_compiler_only(door: str, library: str) -> None:
    users = [
        module
        for module, path in MODULES.items()
        if any(is_within(target, library) for target, _ in imports(path.read_text(encoding="utf-8"), module))
    ]
    assert [module for module in users if not is_within(module, door)] == []


def loaded_by(code: str, *words: str) -> set[str]:
    """Return the modules that a fresh Python has after running *code*."""
    report = "\nimport sys; sys.stderr.write(' '.join(sys.modules))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-c", code + report, *words],
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        timeout=120,
    )
    return set(done.stderr.decode().split())


IDLE = loaded_by("pass")
"""What Python loads by itself (an environment may add to it)."""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import stoffel", ()),
        ("import stoffel; stoffel.VirtualMachine()", ()),
        ("from stoffel.cli.main import main; main(sys.argv[1:])", ("run", str(ROOT / "examples" / "hello.stfasm"))),
        ("from stoffel.cli.main import main; main(sys.argv[1:])", ("run", str(ROOT / "examples" / "life.stflb"))),
    ],
    ids=["import", "machine", "run assembly", "run binary"],
)
def test_a_start_loads_nothing_heavy(code: str, words: tuple[str, ...]) -> None:
    loaded = loaded_by(f"import sys; {code}", *words)
    assert "stoffel" in loaded
    assert [name for name in HEAVY if name in loaded - IDLE] == []
    compilers = (
        "stoffel.lang",
        "stoffel.compiler",
        "stoffel.jit",
        "stoffel.profiling",
        "stoffel.debug",
        "stoffel.columns",
    )
    assert [name for name in loaded if any(is_within(name, package) for package in compilers)] == []


def test_a_run_that_is_soon_over_does_not_ask_what_is_worth_compiling() -> None:
    code = "import sys; from stoffel.cli.main import main; main(sys.argv[1:])"
    loaded = loaded_by(code, "run", "--jit", str(ROOT / "examples" / "hello.stfasm"))
    late = {"stoffel.jit.policy.run_history", "stoffel.jit.code_tier"}
    assert loaded & late == set()
    assert late < loaded_by(code, "run", "--jit=always", str(ROOT / "examples" / "queens.stfasm"))


def test_a_kernel_that_is_there_already_needs_nothing_that_makes_code(tmp_path: Path) -> None:
    program = """
function main(n)
    LDI r1, 1
    LDI r2, 0
again:
    SUB r0, r0, r1
    CMP r0, r2
    JMPNEQ again
    RET r0
end
"""
    code = f"""
import sys
import stoffel
machine = stoffel.VirtualMachine(jit="kernels", cache=sys.argv[1])
machine.load(stoffel.assemble({program!r}))
assert machine.execute("main", 1000) == 0
(function,) = machine.jit_statistics()["functions"].values()
assert function["kernels"], function
"""
    makers = {"stoffel.compiler.kernels.codegen.lowering", "stoffel.compiler.kernels.analysis.inference"}
    assert makers < loaded_by(code, str(tmp_path))
    loaded = loaded_by(code, str(tmp_path))
    assert (
        loaded & {*makers, "stoffel.compiler.pipeline", "stoffel.compiler.emission.emitter", "bytecode", "numba"}
        == set()
    )


def test_loading_something_heavy_would_be_noticed() -> None:
    assert "argparse" in loaded_by("import argparse") - IDLE
