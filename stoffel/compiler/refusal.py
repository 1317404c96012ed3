"""Refusing to compile: always with a sentence that a person can act on, and with the position that it is about."""

from __future__ import annotations

from typing import Final

NO_STATIC_SHAPE: Final = "argument stack has no static shape"
TOO_DEEP: Final = "calls are nested too deeply to be analysed"


class Refusal(Exception):  # noqa: N818 - not an error: the function runs in the interpreter
    """A function (or an entry into it) cannot be compiled.

    *sentence* says why, without a position. *function* names the VM function that it is about, None if it is about the
    host; *index* is the instruction of that function that it is about, None if it is about no single one.
    """

    def __init__(self, sentence: str, function: str | None = None, index: int | None = None) -> None:
        super().__init__(sentence, function, index)
        self.sentence = sentence
        self.function = function
        self.index = index

    def __str__(self) -> str:
        """Return the sentence with its position."""
        return self.text(self.function)

    def text(self, within: str | None) -> str:
        """Return the sentence with its position; the function is named unless it is *within*, where the text stands."""
        if self.index is None:
            return self.sentence
        named = "" if self.function == within else f" of '{self.function}'"
        return f"{self.sentence} at instruction {self.index}{named}"

    def kept(self) -> Refusal:
        """Return the same to be kept: without the traceback, by which it holds all that the analysis has made."""
        return Refusal(self.sentence, self.function, self.index)

    @property
    def position(self) -> dict[str, str | int] | None:
        """Function and instruction as plain data, None if it is about no single instruction."""
        if self.function is None or self.index is None:
            return None
        return {"function": self.function, "instruction": self.index}


class TooLarge(Refusal):
    """It is refused for its size only."""
