"""``stoffel lsp``: a language server for editors, on standard input and output.

It stands on pygls, an extra of this package (``pip install stoffel-vm[lsp]``).
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from stoffel.cli import report, status
from stoffel.cli.options import Command, Parsed
from stoffel.version import VERSION

if TYPE_CHECKING:
    from stoffel.lang.analysis import Analysis

_BEGUN: Final = re.compile(r"\w*$")
_IDENTIFIER: Final = re.compile(r"[^\W\d]\w*")


def run(_: Parsed) -> int:
    """Serve until the editor goes away; returns the exit status."""
    try:
        server = _server()
    except ImportError:
        report.complain("stoffel: lsp needs the library pygls: pip install 'stoffel-vm[lsp]'")
        return status.FAILED
    # The server closes what it writes to when it is told to go: it has a descriptor of its own for that.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as output:
        server.start_io(stdout=output)
    return status.OK


def _server() -> Any:
    """Return the server with all that it answers. Raises ImportError without pygls."""
    from lsprotocol import types as lsp
    from pygls.lsp.server import LanguageServer

    from stoffel.lang.analysis import Analysis, Occurrence, Place, described
    from stoffel.lang.diagnostics import Failure
    from stoffel.lang.formatting import FormatError, format_source
    from stoffel.lang.lexer import KEYWORDS, LITERALS
    from stoffel.lang.source import Source

    server = LanguageServer("stoffel", VERSION)
    known: dict[str, tuple[int | None, Analysis]] = {}

    def source_of(document: Any) -> Source:
        return Source(document.source, document.path or "")

    def analysis_of(uri: str) -> Analysis:
        document = server.workspace.get_text_document(uri)
        version, analysis = known.get(uri, (None, None))
        if analysis is None or version != document.version:
            analysis = Analysis(source_of(document))
            known[uri] = document.version, analysis
        return analysis

    def span(uri: str, line: int, start: int, end: int) -> lsp.Range:
        document = server.workspace.get_text_document(uri)
        # pygls tells ranges in the server's units from others by type since 2.1, which earlier releases do not.
        found: Any = lsp.Range(lsp.Position(line, start), lsp.Position(line, end))
        return document.range_to_client_units(found)

    def span_of(uri: str, one: Occurrence) -> lsp.Range:
        return span(uri, one.line, one.start, one.start + len(one.name))

    def under(parameters: Any) -> tuple[Analysis, Occurrence | None]:
        """Return what is known of the document, and the name under the cursor."""
        uri = parameters.text_document.uri
        analysis = analysis_of(uri)
        place = server.workspace.get_text_document(uri).position_from_client_units(parameters.position)
        return analysis, analysis.at(place.line, place.character)

    def publish(parameters: Any) -> None:
        uri = parameters.text_document.uri
        analysis = analysis_of(uri)
        lines = analysis.source.lines()
        found = []
        for one in analysis.diagnostics:
            elsewhere = one.line and one.file != analysis.source.file
            line = 0 if elsewhere or not one.line else min(one.line, len(lines)) - 1
            start = 0 if elsewhere or not one.line else min(max(one.column - 1, 0), len(lines[line]))
            word = _IDENTIFIER.match(lines[line], start)
            end = word.end() if word else min(start + 1, len(lines[line]))
            text = f"{one.file}:{one.line}: {one.message}" if elsewhere else one.message
            found.append(
                lsp.Diagnostic(
                    range=span(uri, line, start, end),
                    message=f"{text}\n{one.help}" if one.help else text,
                    severity=lsp.DiagnosticSeverity.Warning
                    if one.severity == "warning"
                    else lsp.DiagnosticSeverity.Error,
                    code=one.code,
                    source="stoffel",
                )
            )
        server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri=uri, diagnostics=found))

    def close(parameters: Any) -> None:
        known.pop(parameters.text_document.uri, None)

    def hover(parameters: lsp.HoverParams) -> lsp.Hover | None:
        _, one = under(parameters)
        if one is None:
            return None
        text = lsp.MarkupContent(lsp.MarkupKind.Markdown, f"```stoffel\n{described(one)}\n```")
        return lsp.Hover(text, span_of(parameters.text_document.uri, one))

    def definition(parameters: lsp.DefinitionParams) -> lsp.Location | None:
        analysis, one = under(parameters)
        found = None if one is None else analysis.declaration(one.subject)
        uri = parameters.text_document.uri
        if isinstance(found, Place):
            from pygls.uris import from_fs_path

            other = from_fs_path(found.path)
            start = lsp.Position(found.line, 0)
            return None if other is None else lsp.Location(other, lsp.Range(start, start))
        return None if found is None else lsp.Location(uri, span_of(uri, found))

    def references(parameters: lsp.ReferenceParams) -> list[lsp.Location]:
        analysis, one = under(parameters)
        uri = parameters.text_document.uri
        found = [] if one is None else analysis.of(one.subject)
        if not parameters.context.include_declaration:
            found = [other for other in found if not other.declares]
        return [lsp.Location(uri, span_of(uri, other)) for other in found]

    def rename(parameters: lsp.RenameParams) -> lsp.WorkspaceEdit | None:
        analysis, one = under(parameters)
        name = parameters.new_name
        is_free = _IDENTIFIER.fullmatch(name) and name not in KEYWORDS and name not in LITERALS
        if one is None or not is_free or not isinstance(analysis.declaration(one.subject), Occurrence):
            return None  # the library's names, and those of other files, are not this file's to change
        uri = parameters.text_document.uri
        edits = [lsp.TextEdit(span_of(uri, other), name) for other in analysis.of(one.subject)]
        return lsp.WorkspaceEdit(changes={uri: edits})

    def completion(parameters: lsp.CompletionParams) -> list[lsp.CompletionItem]:
        uri = parameters.text_document.uri
        document = server.workspace.get_text_document(uri)
        place = document.position_from_client_units(parameters.position)
        lines = document.source.split("\n")
        line = lines[place.line][: place.character] if place.line < len(lines) else ""
        names = analysis_of(uri).completions(_BEGUN.sub("", line))
        return [lsp.CompletionItem(name) for name in names]

    def formatting(parameters: lsp.DocumentFormattingParams) -> list[lsp.TextEdit] | None:
        document = server.workspace.get_text_document(parameters.text_document.uri)
        try:
            text = format_source(source_of(document))
        except (FormatError, Failure):
            return None
        everything = lsp.Range(lsp.Position(0, 0), lsp.Position(len(document.lines) + 1, 0))
        return [lsp.TextEdit(everything, text)]

    for name, answer in (
        (lsp.TEXT_DOCUMENT_DID_OPEN, publish),
        (lsp.TEXT_DOCUMENT_DID_CHANGE, publish),
        (lsp.TEXT_DOCUMENT_DID_SAVE, publish),
        (lsp.TEXT_DOCUMENT_DID_CLOSE, close),
        (lsp.TEXT_DOCUMENT_HOVER, hover),
        (lsp.TEXT_DOCUMENT_DEFINITION, definition),
        (lsp.TEXT_DOCUMENT_REFERENCES, references),
        (lsp.TEXT_DOCUMENT_RENAME, rename),
        (lsp.TEXT_DOCUMENT_COMPLETION, completion),
        (lsp.TEXT_DOCUMENT_FORMATTING, formatting),
    ):
        server.feature(name)(answer)
    return server


COMMAND: Final = Command(
    name="lsp",
    summary="Serve editors: a language server for StoffelLang on standard input and output.",
    operands=(),
    options=(),
    details="Needs pygls: pip install 'stoffel-vm[lsp]'. Diagnostics, hover, definition, references, rename, "
    "completion, formatting.",
    examples=(("stoffel lsp", "what an editor starts"),),
    run=run,
)
