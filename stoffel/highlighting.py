"""A Pygments lexer of text assembly, which `pygmentize`, Sphinx and MkDocs find by the package's entry point."""

from __future__ import annotations

from typing import Any, ClassVar

from pygments.lexer import RegexLexer, bygroups, words
from pygments.token import Comment, Keyword, Name, Number, Punctuation, String, Text

from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.table import BY_NAME

_SUFFIXES = "|".join(kind.suffix for kind in INTEGER_KINDS.values() if kind.suffix)


class StfasmLexer(RegexLexer):
    """Splits text assembly into comments, directives, instructions, registers, labels, names and literals."""

    name: ClassVar[str] = "Stoffel assembly"
    aliases: ClassVar[list[str]] = ["stfasm"]
    filenames: ClassVar[list[str]] = ["*.stfasm"]
    tokens: ClassVar[dict[str, Any]] = {
        "root": [
            (r"\s+", Text),
            (r";.*", Comment.Single),
            (r"(?i)(function)([ \t]+)([^\W\d][\w.]*)", bygroups(Keyword.Declaration, Text, Name.Function)),
            (r"(?i)(function|end)\b", Keyword.Declaration),
            (r"(?i)(CALL)([ \t]+)([^\W\d][\w.]*)", bygroups(Keyword, Text, Name.Function)),
            (words(tuple(BY_NAME), prefix=r"(?i)", suffix=r"\b"), Keyword),
            (r"\.[^\W\d]\w*", Keyword.Pseudo),
            (r"[^\W\d][\w.]*(?=[ \t]*:(?![ \t]*[a-z]))", Name.Label),
            (r"(?:r|slot)\d+\b|sp[+-]\d+", Name.Variable),
            (r"\b(?:true|false)\b", Keyword.Constant),
            (r"[+-]?(?:inf|nan)(?::0[xX][0-9a-fA-F]+)?(?!\w)", Number.Float),
            (r"[+-]?\d[\d_]*(?:\.\d[\d_]*(?:[eE][+-]?\d+)?|[eE][+-]?\d+)f?|[+-]?\d[\d_]*f\b", Number.Float),
            (rf"[+-]?(?:0[xX][0-9a-fA-F_]+?|0[bB][01_]+|\d[\d_]*)(?:{_SUFFIXES})?\b", Number.Integer),
            (r'"(?:\\.|[^"\\\n])*"', String.Double),
            (r"->|[(),:\[\]<>$]", Punctuation),
            (r"[^\W\d][\w.]*", Name),
            (r".", Text),
        ]
    }
