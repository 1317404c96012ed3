"""Traces: chosen events of a run, one after the other, as lines for people or for programs."""
