"""Benchmarks: how fast the machine runs its programs, beside the same algorithms in other languages.

``python -m benchmarks`` measures and prints; ``docs/benchmarks.md`` says what, and how to read it. Nothing in the
``stoffel`` package knows about this one.
"""
