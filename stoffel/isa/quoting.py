"""How text assembly writes strings and names: the escapes, shared by the reading and the writing side."""

from __future__ import annotations

from typing import Final

ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", '"': '"', "\\": "\\"}
"""Character after a backslash -> character meant. Any other code point is written ``\\u{hexadecimal}``."""

_SHORT: Final = {meant: "\\" + written for written, meant in ESCAPES.items()}


def escape(text: str) -> str:
    """Return *text* as it stands between double quotes: printable characters as they are, the rest as escapes."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    odd = {
        ord(char): _SHORT.get(char) or f"\\u{{{ord(char):x}}}"
        for char in set(text)
        if char in _SHORT or not char.isprintable()
    }
    return text.translate(odd)


def quote(text: str) -> str:
    """Return *text* as a string literal."""
    return f'"{escape(text)}"'


def is_bare_name(name: str) -> bool:
    """Tell whether *name* may stand without quotes: ASCII letters, digits, ``_``, dots; no digit or dot first."""
    return name.isascii() and name[:1] != "." and name.replace(".", "_").isidentifier()


def format_name(name: str) -> str:
    """Return the name of a function, parameter, upvalue or label as assembly text, in quotes where it needs them."""
    return name if is_bare_name(name) else quote(name)
