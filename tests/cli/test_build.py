"""StoffelLang at the command line: ``build``, and every command that takes a program takes a source."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import stoffel
from stoffel.isa.reader import load
from stoffel.lang.modules import Loader
from stoffel.lang.source import Source
from tests.cli.conftest import Outcome

Stoffel = Callable[..., Outcome]

SOURCE = """\
def half(n: int64) -> int64:
  return n / 2

def main() -> int64:
  print("half", half(10))
  return half(14)
"""
WRONG = "def main() -> int64:\n  var total = 1\n  return totl\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "half.stfl"
    path.write_text(SOURCE, encoding="utf-8")
    return path


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.stfl"
    path.write_text(WRONG, encoding="utf-8")
    return path


def test_a_source_runs(stoffel: Stoffel, source: Path) -> None:
    assert stoffel("run", source) == (0, "half 5\n7\n", "")


@pytest.mark.parametrize("command", ["compare", "explain", "info", "dis", "check"])
def test_every_command_takes_a_source(stoffel: Stoffel, source: Path, command: str) -> None:
    done = stoffel(command, source)
    assert (done.status, done.err) == (0, "")
    assert any(word in done.out for word in ("half", "main", "result 7"))


def test_a_source_is_built_beside_itself(stoffel: Stoffel, source: Path) -> None:
    assert stoffel("build", source) == (0, "", "")
    built = source.with_suffix(".stflb")
    assert stoffel("run", built) == (0, "half 5\n7\n", "")
    assert load(built).functions["half"].parameters == ("n",)


def test_built_disassembled_and_assembled_gives_the_same_bytes(stoffel: Stoffel, source: Path, tmp_path: Path) -> None:
    assert stoffel("build", source, "--emit=asm") == (0, "", "")
    assert stoffel("build", source).status == 0
    text, again = source.with_suffix(".stfasm"), tmp_path / "again.stflb"
    assert stoffel("dis", source).out == text.read_text(encoding="utf-8")
    assert stoffel("asm", text, "-o", again).status == 0
    assert again.read_bytes() == source.with_suffix(".stflb").read_bytes()


def test_several_sources_make_several_files(stoffel: Stoffel, source: Path, wrong: Path, tmp_path: Path) -> None:
    done = stoffel("build", wrong, source)
    assert (done.status, done.out) == (3, "")
    assert source.with_suffix(".stflb").exists()
    assert not wrong.with_suffix(".stflb").exists()
    assert stoffel("build", source, wrong, "-o", tmp_path / "x").status == 2


def test_a_file_of_another_name_is_no_source(stoffel: Stoffel, tmp_path: Path) -> None:
    path = tmp_path / "half.txt"
    path.write_text(SOURCE, encoding="utf-8")
    assert stoffel("build", path).status == 2


def test_a_source_is_never_overwritten(stoffel: Stoffel, source: Path) -> None:
    assert stoffel("build", source, "-o", source).status == 3
    assert source.read_text(encoding="utf-8") == SOURCE


@pytest.mark.parametrize("command", ["run", "check", "build", "dis", "info"])
def test_what_does_not_compile_is_shown_with_its_place(stoffel: Stoffel, wrong: Path, command: str) -> None:
    done = stoffel(command, wrong)
    assert (done.status, done.out) == (3, "")
    assert done.err == (
        "error[E201]: Use of undeclared identifier 'totl'\n"
        "  --> wrong.stfl:3:10\n"
        "  |\n"
        "1 | def main() -> int64:\n"
        "2 |   var total = 1\n"
        "3 |   return totl\n"
        "  |          ^\n"
        "4 |\n"
        "  |\n"
        "help: Did you mean 'total'?\n"
        "\n"
        "error: aborting due to previous error\n"
    )


def test_findings_come_as_json(stoffel: Stoffel, source: Path, wrong: Path) -> None:
    done = stoffel("check", "--json", wrong, source)
    assert (done.status, done.err) == (3, "")
    assert json.loads(done.out) == {
        "diagnostics": [
            {
                "severity": "error",
                "code": "E201",
                "message": "Use of undeclared identifier 'totl'",
                "file": "wrong.stfl",
                "line": 3,
                "column": 10,
                "help": "Did you mean 'total'?",
            }
        ]
    }


def test_colours_are_for_terminals(stoffel: Stoffel, wrong: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    assert "\033[" in stoffel("run", wrong).err
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\033[" not in stoffel("run", wrong).err


def test_a_source_that_is_no_text_is_a_bad_file(stoffel: Stoffel, tmp_path: Path) -> None:
    path = tmp_path / "bytes.stfl"
    path.write_bytes(b"var x = \xff\n")
    assert stoffel("run", path) == (3, "", f"stoffel: {path}: is not valid UTF-8, which sources are\n")
    assert stoffel("run", tmp_path / "none.stfl").status == 3


def test_python_compiles_text_and_files(source: Path) -> None:
    assert stoffel.compile(SOURCE) == stoffel.compile(source) == stoffel.compile(str(source))
    with pytest.raises(stoffel.CompileError) as caught:
        stoffel.compile(WRONG)
    (found,) = caught.value.diagnostics
    assert (found.severity, found.code, found.line, found.column) == ("error", "E201", 3, 10)
    assert found.help == "Did you mean 'total'?"
    assert str(caught.value) == "<source>:3:10: error[E201]: Use of undeclared identifier 'totl'"
    with pytest.raises(stoffel.LoadError):
        stoffel.compile("none.stfl")


def test_instructions_know_their_lines(source: Path) -> None:
    (main, half) = stoffel.compile(source).functions["main"], stoffel.compile(source).functions["half"]
    assert main.line_table is not None
    assert half.line_table is not None
    assert set(half.line_table.lines) == {2}
    assert set(main.line_table.lines) == {5, 6}
    assert half.line_table.place_of(0) == "half.stfl:2"
    assert "n" in half.line_table.variables.values()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory where compiled programs are kept; it is this test's own."""
    monkeypatch.setenv("STOFFEL_CACHE_DIR", str(tmp_path / "store"))
    return tmp_path / "store"


def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list to which every file that is compiled from now on is added."""
    from stoffel.lang import compiler

    found: list[str] = []
    original = compiler.compile_source

    def counted(source: Source, loader: Loader | None = None) -> stoffel.Program:
        found.append(source.file)
        return original(source, loader)

    monkeypatch.setattr(compiler, "compile_source", counted)
    return found


def test_a_program_is_compiled_once(
    stoffel: Stoffel, source: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = compilations(monkeypatch)
    for _ in range(3):
        assert stoffel("run", source) == (0, "half 5\n7\n", "")
    assert done == ["half.stfl"]
    source.write_text(SOURCE.replace("14", "16"), encoding="utf-8")
    assert stoffel("run", source).out == "half 5\n8\n"
    assert stoffel("run", source, "--cache", "off").out == "half 5\n8\n"
    assert done == ["half.stfl"] * 3
    assert stoffel("cache", "clear").out == "0 kernels and 2 programs removed, 0 runs forgotten\n"


def test_a_program_that_is_kept_knows_its_lines(stoffel: Stoffel, source: Path, store: Path) -> None:
    source.write_text("def main() -> int64:\n  var zero = 0\n  return 1 / zero\n", encoding="utf-8")
    first = stoffel("run", source)
    assert (first.status, first) == (1, stoffel("run", source))
    assert "half.stfl:3" in first.err


def test_a_changed_import_is_noticed(stoffel: Stoffel, source: Path, store: Path) -> None:
    source.write_text("import inner\n\ndef main() -> int64:\n  return inner.give()\n", encoding="utf-8")
    inner = source.with_name("inner.stfl")
    inner.write_text("def give() -> int64:\n  return 1\n", encoding="utf-8")
    assert [stoffel("run", source).out for _ in range(2)] == ["1\n", "1\n"]
    inner.write_text("def give() -> int64:\n  return 2\n", encoding="utf-8")
    assert stoffel("run", source).out == "2\n"
    inner.unlink()
    assert stoffel("run", source).status == 3


@pytest.mark.parametrize("damage", [lambda data: data[:40], lambda data: data[:-1] + b"?", lambda data: b""])
def test_a_damaged_entry_is_a_miss(
    stoffel: Stoffel, source: Path, store: Path, damage: Callable[[bytes], bytes]
) -> None:
    assert stoffel("run", source).status == 0
    (entry,) = store.glob("*.program")
    entry.write_bytes(damage(entry.read_bytes()))
    assert stoffel("run", source) == (0, "half 5\n7\n", "")


def test_what_others_can_write_is_not_trusted(
    stoffel: Stoffel, source: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stoffel("run", source).status == 0
    (entry,) = store.glob("*.program")
    entry.chmod(0o666)
    done = compilations(monkeypatch)
    assert stoffel("run", source).status == 0
    assert done == ["half.stfl"]


def test_sources_are_formatted_in_place(stoffel: Stoffel, source: Path) -> None:
    assert stoffel("fmt", "--check", source) == (0, "", "")
    source.write_text(SOURCE.replace("n / 2", "n/2"), encoding="utf-8")
    assert stoffel("fmt", "--check", source) == (1, "", f"stoffel: {source}: is not formatted\n")
    assert stoffel("fmt", source) == (0, "", "")
    assert source.read_text(encoding="utf-8") == SOURCE


def test_what_has_errors_is_not_formatted(stoffel: Stoffel, source: Path, tmp_path: Path) -> None:
    source.write_text("def main(:\n", encoding="utf-8")
    done = stoffel("fmt", source)
    assert (done.status, done.out) == (3, "")
    assert "half.stfl:1:10" in done.err
    assert source.read_text(encoding="utf-8") == "def main(:\n"
    assert stoffel("fmt", tmp_path / "half.txt").status == 2
