"""``stoffel lsp`` over standard input and output, with a client that follows a script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ROOT, Outcome

TEXT = "def twice(n: int64) -> int64:\n  return n*2\n\ndef main() -> int64:\n  return twice(4)\n"
URI = "file:///nowhere/main.stfl"


class Client:
    """A client: requests with their answers, and what comes unasked."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.count = 0

    def send(self, **message: Any) -> None:
        assert self.process.stdin is not None
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        return message

    def until(self, key: str, value: object) -> dict[str, Any]:
        while True:
            message = self.receive()
            if message.get(key) == value:
                return message

    def ask(self, method: str, **parameters: Any) -> Any:
        self.count += 1
        self.send(id=self.count, method=method, params=parameters)
        answer = self.until("id", self.count)
        assert "error" not in answer, answer
        return answer["result"]

    def at(self, method: str, line: int, character: int, **more: Any) -> Any:
        place = {"line": line, "character": character}
        return self.ask(f"textDocument/{method}", textDocument={"uri": URI}, position=place, **more)

    def diagnostics(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.until("method", "textDocument/publishDiagnostics")["params"]["diagnostics"]
        return found


@pytest.fixture
def client() -> Iterator[Client]:
    pytest.importorskip("pygls")
    process = subprocess.Popen(
        [sys.executable, "-m", "stoffel", "lsp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        made = Client(process)
        made.ask("initialize", processId=None, rootUri=None, capabilities={})
        made.send(method="initialized", params={})
        made.send(
            method="textDocument/didOpen",
            params={"textDocument": {"uri": URI, "languageId": "stoffel", "version": 1, "text": TEXT}},
        )
        yield made
        made.ask("shutdown")
        made.send(method="exit")
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_session(client: Client) -> None:
    assert client.diagnostics() == []

    assert "def twice(n: int64) -> int64" in client.at("hover", 4, 11)["contents"]["value"]
    assert client.at("hover", 4, 2) is None
    assert client.at("definition", 4, 11)["range"] == span(0, 4, 9)

    context = {"includeDeclaration": True}
    found = client.at("references", 1, 9, context=context)
    assert [one["range"] for one in found] == [span(0, 10, 11), span(1, 9, 10)]
    assert len(client.at("references", 1, 9, context={"includeDeclaration": False})) == 1

    edits = client.at("rename", 0, 5, newName="double")["changes"][URI]
    assert [(one["range"], one["newText"]) for one in edits] == [(span(0, 4, 9), "double"), (span(4, 9, 14), "double")]
    assert client.at("rename", 0, 5, newName="while") is None

    found = client.at("completion", 4, 9)
    items = found["items"] if isinstance(found, dict) else found
    assert {"twice", "print", "return"} <= {one["label"] for one in items}

    options = {"tabSize": 2, "insertSpaces": True}
    (edit,) = client.ask("textDocument/formatting", textDocument={"uri": URI}, options=options)
    assert edit["newText"] == TEXT.replace("n*2", "n * 2")

    change = {"range": span(4, 9, 14), "text": "twise"}
    document = {"uri": URI, "version": 2}
    client.send(method="textDocument/didChange", params={"textDocument": document, "contentChanges": [change]})
    (wrong,) = client.diagnostics()
    assert wrong["range"] == span(4, 9, 14)
    assert (wrong["code"], wrong["severity"]) == ("E201", 1)
    assert wrong["message"] == "Use of undeclared function 'twise'\nDid you mean 'twice'?"


def span(line: int, start: int, end: int) -> dict[str, Any]:
    return {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}


def test_without_the_library_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "pygls.py").write_text("raise ImportError\n", encoding="utf-8")
    (tmp_path / "lsprotocol.py").write_text("raise ImportError\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "stoffel", "lsp"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    message = b"stoffel: lsp needs the library pygls: pip install 'stoffel-vm[lsp]'\n"
    assert Outcome(done.returncode, done.stdout.decode(), done.stderr.decode()) == (1, "", message.decode())
