"""Executable programs for differential tests: every construct that the compiled tier treats in a way of its own.

A program is made by drawing from anything that has the two methods of :class:`Chooser`: ``random.Random`` where speed
matters, hypothesis' choices where shrinking does. Programs always end: loops count up to constant bounds in registers
that nothing else writes, functions call only earlier ones or themselves with a counter that falls, and the work of a
whole program is kept under a budget. Strings and arrays grow by constant amounts only, so that no program is large.

Instructions come from the instruction table; operators that are added to it are generated without a change here.
"""

from .choosing import Chooser
from .programs import Case, cases, make_case

__all__ = ["Case", "Chooser", "cases", "make_case"]
