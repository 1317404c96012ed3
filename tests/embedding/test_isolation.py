"""What a program is given as input reaches no Python object, no file, no environment, and no terminal."""

import io
import os
import sys

import pytest

from stoffel import VirtualMachine, VMError, assemble
from stoffel.cli.main import main
from tests.ways import WAYS

HOSTILE = (
    "__class__",
    "__dict__",
    "__globals__",
    "__init__",
    "items",
    "fields",
    "function",
    "__import__",
    "eval",
    "os.system",
    "builtins.open",
    "../../etc/passwd",
    "/etc/passwd",
    "{0.__class__}",
    "%(x)s",
    "${HOME}",
    "$(id)",
    "\0",
    "'; DROP TABLE local_storage; --",
)

FIELD = """
function main(container, key)
    PUSHARG r0
    PUSHARG r1
    CALL get_field
    RET r0
end
function object_field(key)
    MOV r2, r0
    CALL create_object
    PUSHARG r0
    PUSHARG r2
    CALL get_field
    RET r0
end
function closure_field(key)
    MOV r2, r0
    LDI r1, "main"
    PUSHARG r1
    CALL create_closure
    PUSHARG r0
    PUSHARG r2
    CALL get_field
    RET r0
end
function closure_of(name)
    PUSHARG r0
    CALL create_closure
    PUSHARG r0
    CALL call_closure
    RET r0
end
function shown(text)
    MOV r1, r0
    PUSHARG r1
    CALL print
    PUSHARG r1
    CALL to_string
    RET r0
end
"""


class Secret:
    items = ("secret",)
    fields = {"secret": 1}  # noqa: RUF012


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_more_than_a_text(way, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = []
    machine = way.machine(cache="off", output=lines.append, storage=":memory:")
    machine.load(assemble(FIELD))
    secret = machine.register_foreign_object(Secret())
    before = dict(os.environ)
    for _ in range(3):
        assert machine.execute("main", secret, text) is None
        assert machine.execute("object_field", text) is None
        assert machine.execute("closure_field", text) is None
        with pytest.raises(VMError, match="not found"):
            machine.execute("closure_of", text)
        with pytest.raises(VMError, match="not found"):
            machine.execute(text, 1)
        assert machine.execute("shown", text) == text
        machine.execute("LocalStorage.store", text, text)
        assert machine.execute("LocalStorage.load", text) == text
    assert set(lines) == {text}
    assert dict(os.environ) == before
    assert list(tmp_path.iterdir()) == []


ESCAPES = """
function "a\\u{1b}[31m\\nb"(x)
    LDI r2, 0
    DIV r2, r2, r2
    RET r2
end
function text()
    LDI r0, "\\u{1b}[31m\\u{9b}2J"
    RET r0
end
function main()
    LDI r0, 1
    PUSHARG r0
    CALL "a\\u{1b}[31m\\nb"
    RET r0
end
"""


@pytest.mark.parametrize(
    "words",
    [
        ["run", "FILE"],
        ["run", "FILE", "--entry", "text"],
        ["run", "FILE", "--stats", "--jit=always"],
        ["run", "FILE", "--jit-log", "--jit=always"],
        ["run", "FILE", "--max-instructions", "3"],
        ["compare", "FILE"],
        ["check", "FILE"],
        ["dis", "FILE"],
        ["info", "FILE"],
        ["explain", "FILE"],
        ["explain", "FILE", "--code", "--bytecode"],
        ["explain", "FILE", "main", "--run"],
        ["profile", "FILE", "--exact"],
        ["profile", "FILE", "--entry", "text"],
        ["profile", "FILE", "--coverage"],
    ],
)
def test_terminal_escapes_in_names_and_results_never_reach_a_terminal(words, tmp_path, monkeypatch):
    path = tmp_path / "escapes.stfasm"
    path.write_text(ESCAPES, encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    main([str(path) if word == "FILE" else word for word in words])
    shown = out.getvalue() + err.getvalue()
    assert shown
    assert not [char for char in shown if not char.isprintable() and char not in "\n\t"]


def test_a_machine_without_storage_and_functions_of_the_host_has_nothing_of_it():
    machine = VirtualMachine()
    with pytest.raises(VMError, match="Local storage is not configured"):
        machine.execute("LocalStorage.load", "k")
