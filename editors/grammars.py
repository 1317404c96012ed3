"""Write the TextMate grammars of ``editors/vscode``: ``python editors/grammars.py``.

They are the Pygments lexers of :mod:`stoffel.highlighting` in another form, rule by rule; edit those, not the grammars.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from pygments.lexer import RegexLexer, words
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Text

EDITORS = Path(__file__).resolve().parent
sys.path.insert(0, str(EDITORS.parent))

from stoffel.highlighting import StfasmLexer, StoffelLexer  # noqa: E402  # the checkout that this script is in

SCOPES = {
    Comment.Single: "comment.line",
    Keyword: "keyword.control",
    Keyword.Constant: "constant.language",
    Keyword.Declaration: "storage.type",
    Keyword.Namespace: "keyword.control.import",
    Keyword.Pseudo: "keyword.other.directive",
    Keyword.Type: "support.type",
    Name: "variable.other",
    Name.Builtin: "support.function",
    Name.Builtin.Pseudo: "support.class",
    Name.Class: "entity.name.type",
    Name.Function: "entity.name.function",
    Name.Label: "entity.name.label",
    Name.Namespace: "entity.name.namespace",
    Name.Variable: "variable.parameter",
    Number.Float: "constant.numeric.float",
    Number.Integer: "constant.numeric.integer",
    Operator: "keyword.operator",
    Operator.Word: "keyword.operator.word",
    Punctuation: "punctuation",
    String.Affix: "storage.type.string",
    String.Double: "string.quoted.double",
}
"""The scope of each token that the lexers have; text without one has none."""


def grammar(lexer: type[RegexLexer], name: str) -> dict[str, Any]:
    """Return the grammar of *lexer* for files called ``*.NAME``."""
    patterns = [_pattern(rule[0], rule[1], name) for rule in lexer.tokens["root"] if rule[1] is not Text]
    return {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "name": lexer.name,
        "scopeName": f"source.{name}",
        "fileTypes": [name],
        "patterns": patterns,
    }


def _pattern(regex: Any, token: Any, name: str) -> dict[str, Any]:
    match = regex
    if isinstance(regex, words):
        # Written out here: what Pygments makes of the words is not the same in every release.
        match = f"{regex.prefix}(?:{'|'.join(map(re.escape, sorted(regex.words)))}){regex.suffix}"
    if token in SCOPES:
        return {"match": match, "name": f"{SCOPES[token]}.{name}"}
    # What bygroups() makes: a function that has kept the tokens of the groups.
    kept = next(cell.cell_contents for cell in token.__closure__ if isinstance(cell.cell_contents, tuple))
    captures = {str(number): {"name": f"{SCOPES[one]}.{name}"} for number, one in enumerate(kept, 1) if one is not Text}
    return {"match": match, "captures": captures}


GRAMMARS = {"stfasm": StfasmLexer, "stfl": StoffelLexer}


def text(name: str) -> str:
    """Return the text of ``syntaxes/NAME.tmLanguage.json``."""
    return json.dumps(grammar(GRAMMARS[name], name), indent=2) + "\n"


if __name__ == "__main__":
    for each in GRAMMARS:
        (EDITORS / "vscode" / "syntaxes" / f"{each}.tmLanguage.json").write_text(text(each), encoding="utf-8")
