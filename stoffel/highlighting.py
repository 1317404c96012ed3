"""Pygments lexers of text assembly and StoffelLang, which `pygmentize`, Sphinx and MkDocs find by entry points."""

from __future__ import annotations

from typing import Any, ClassVar

from pygments.lexer import RegexLexer, bygroups, words
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Text

from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.table import BY_NAME
from stoffel.lang.builtins import FUNCTIONS, OBJECTS
from stoffel.lang.lexer import KEYWORDS, LITERALS
from stoffel.lang.types import NAMED, OPAQUE

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


_WORD_OPERATORS = ("and", "or", "xor", "not", "shl", "shr", "mod", "in")
_WIDTHS = "|".join(kind.name.lower() for kind in INTEGER_KINDS.values())


class StoffelLexer(RegexLexer):
    """Splits StoffelLang into comments, keywords, types, functions, names and literals."""

    name: ClassVar[str] = "StoffelLang"
    aliases: ClassVar[list[str]] = ["stoffel", "stfl"]
    filenames: ClassVar[list[str]] = ["*.stfl"]
    tokens: ClassVar[dict[str, Any]] = {
        "root": [
            (r"\s+", Text),
            (r"#.*", Comment.Single),
            (r"(def)(\s+)([^\W\d]\w*)", bygroups(Keyword, Text, Name.Function)),
            (r"(object|enum|type)(\s+)([^\W\d]\w*)", bygroups(Keyword, Text, Name.Class)),
            (r"(import)(\s+)([^\W\d][\w.]*)", bygroups(Keyword.Namespace, Text, Name.Namespace)),
            (words(_WORD_OPERATORS, suffix=r"\b"), Operator.Word),
            (words(tuple(LITERALS), suffix=r"\b"), Keyword.Constant),
            (words(tuple(KEYWORDS.difference(_WORD_OPERATORS)), suffix=r"\b"), Keyword),
            (r"(match|case|assert)\b(?=\s*[^\s=.(\[])", Keyword),
            (words((*NAMED, *OPAQUE, "list", "dict"), suffix=r"\b"), Keyword.Type),
            (words(OBJECTS, suffix=r"\b"), Name.Builtin.Pseudo),
            (words(tuple(FUNCTIONS), suffix=r"\b(?=\s*\()"), Name.Builtin),
            (r"[fF](?=\")", String.Affix),
            (r'"(?:\\.|[^"\\\n])*"', String.Double),
            (r"\d[\d_]*\.\d+(?:[eE][+-]?\d+)?|\d[\d_]*[eE][+-]?\d+|\.\d+", Number.Float),
            (rf"(?:0[xX][0-9a-fA-F_]*?|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*)(?:{_WIDTHS})?\b", Number.Integer),
            (r"[^\W\d]\w*(?=\s*\()", Name.Function),
            (r"[^\W\d]\w*", Name),
            (r"\{\.(?!\d)|\.\}|->|[(),:\[\]{}.]", Punctuation),
            (r"[-+*/%=<>!&|^~?]+|\.\.", Operator),
            (r".", Text),
        ]
    }
