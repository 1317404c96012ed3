"""Exit statuses of the ``stoffel`` command."""

from __future__ import annotations

from typing import Final

OK: Final = 0
"""Everything went well."""
FAILED: Final = 1
"""The program failed, or its output could not be written."""
USAGE: Final = 2
"""The command line is wrong."""
BAD_FILE: Final = 3
"""A file cannot be read, is malformed, is refused by registration, or cannot be written."""
LIMITED: Final = 4
"""The program was stopped because it exceeded a limit."""
INTERNAL: Final = 70
"""A bug in Stoffel itself (``EX_SOFTWARE`` of sysexits.h)."""
INTERRUPTED: Final = 130
"""Ctrl-C: what shells report for a process ended by SIGINT (128 + 2)."""
PIPE_CLOSED: Final = 141
"""The reader of standard output went away: what shells report for SIGPIPE (128 + 13)."""
TERMINATED: Final = 143
"""What shells report for a process ended by SIGTERM (128 + 15)."""
