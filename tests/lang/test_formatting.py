"""``stoffel fmt``: one layout, the same program, nothing lost, and a second time changes nothing."""

from __future__ import annotations

import random

import pytest

import stoffel
from stoffel.lang.diagnostics import Failure
from stoffel.lang.formatting import FormatError, format_source
from stoffel.lang.source import Source
from tests.fuzz.fuzz_lang import corpus
from tests.lang.sources import make

UGLY = """\
#a program


import   helper
var  x:int64=5
def f( a :list[ int64 ],*rest:int64 )->int64  {.entry.}:

  # inside
  var b=a [ 0 ]+-1   #why
  if(b>2)and not(b==3):
    return b*( -2 )
      # deep
  # at the end of the block
  for i in 0 .. len (a):
    print( f "{i}" , a[1 : 2] , {"k" :1, "l":[ ]} )
  return g (
      1,
        b: 2
  )
# about P
object P :
  x:int64
x+=1
match (x):
  case 1 :
    pass
"""
NEAT = """\
# a program

import helper
var x: int64 = 5

def f(a: list[int64], *rest: int64) -> int64 {. entry .}:
  # inside
  var b = a[0] + -1  # why
  if (b > 2) and not (b == 3):
    return b * (-2)
    # deep
  # at the end of the block
  for i in 0..len(a):
    print(f"{i}", a[1:2], {"k": 1, "l": []})
  return g(
    1,
    b: 2
  )

# about P
object P:
  x: int64

x += 1
match (x):
  case 1:
    pass
"""


def formatted(text: str) -> str:
    return format_source(Source(text, "", "main.stfl"))


def test_there_is_one_layout() -> None:
    assert formatted(UGLY) == NEAT
    assert formatted(NEAT) == NEAT


def meaning(text: str) -> object:
    """Return the program of *text*, or what is wrong with it."""
    try:
        return stoffel.compile(text + "\n")
    except stoffel.CompileError as error:
        return [(one.code, one.message) for one in error.diagnostics]


def test_formatting_twice_is_formatting_once_and_keeps_the_program() -> None:
    texts = corpus() + [make(random.Random(seed))[0] for seed in range(40)]
    done = 0
    for text in texts:
        try:
            once = formatted(text)
        except (FormatError, Failure):
            continue
        done += 1
        assert formatted(once) == once, text
        assert once.count("#") == text.count("#"), text
        assert meaning(once) == meaning(text), text
    assert done > 600


def test_a_source_with_errors_is_left_alone() -> None:
    with pytest.raises(FormatError):
        formatted("def main(:\n")
    with pytest.raises(Failure):
        formatted('var x = "\n')
