"""``python -m stoffel``: the same as the ``stoffel`` command."""

from __future__ import annotations

from stoffel.cli.main import entry

if __name__ == "__main__":
    entry()
