"""A profile as the host has it: the times, and writing them in every format that there is."""

from __future__ import annotations

import os

from stoffel.profiling.times import Times


class Profile(Times):
    """Where the time of the runs of one machine went, as far as it was seen."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the profile to the file at *path*, in the format that the end of its name tells.

        ``.html``, ``.speedscope.json``, ``.folded``, ``.pstats`` and ``.pb.gz`` (pprof). Raises ValueError for another
        end, SaveError if the file system refuses.
        """
        from stoffel.isa.writer import write_file
        from stoffel.profiling.formats import format_of

        write_file(path, format_of(os.fspath(path))(self))

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from html import escape

        return f"<pre>{escape(self.text())}</pre>"

    def text(self, *, colours: bool = False) -> str:
        """Return the profile as tables for a terminal, with its *colours* or without."""
        from stoffel.profiling.text import report

        return report(self, colours=colours)
