"""From typed blocks to instructions of CPython: selection, value locations, calls, loops, polls, deopt points."""
