"""Refusing to compile: always with a sentence that a person can act on."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - not an error: the function runs in the interpreter
    """A function (or an entry into it) cannot be compiled; the text is a sentence such as "... at instruction 12"."""


class TooLarge(Refusal):
    """It is refused for its size only."""
