"""Whole columns at once: nanoseconds a row of functions over columns, beside numba's loops written by hand.

The numba versions have the same checks: a row whose arithmetic overflows is noted, by its number. All ways run in turns
in one process, on one thread unless the column says otherwise.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final

from benchmarks import ways
from benchmarks.sections import Options, SkippedError
from benchmarks.table import significant, table

TITLE: Final = "Columns: nanoseconds a row"

ROUNDS: Final = 20
ROWS: Final = 1_000_000
QUICK_ROWS: Final = 20_000

SOURCE: Final = """
def score(age: int64, visits: int64, spent: int64) -> int64:
  if age > 60:
    return visits * 5 + spent / 10
  if visits > 10:
    return visits * visits + spent / (age + 1)
  return spent / 100 - age

def collatz(start: int64) -> int64:
  var n = start
  var steps = 0
  while n > 1:
    if n % 2 == 0:
      n = n / 2
    else:
      n = 3 * n + 1
    steps = steps + 1
  return steps

def polynomial(x: int64) -> int64:
  return ((((3 * x + 7) * x - 11) * x + 5) * x - 2) * x + 1

def distance(a: float, b: float, c: float, d: float) -> float:
  var x = (d - b) * (1.0 - (a + c) * (a + c) / 8.0 + (a + c) * (a + c) * (a + c) * (a + c) / 384.0)
  var y = c - a
  var square = x * x + y * y
  if square == 0.0:
    return 0.0
  var root = square
  var i = 0
  while i < 6:
    root = (root + square / root) / 2.0
    i = i + 1
  return root * 6371.0

def digits(packed: int64) -> int64:
  var rest = packed
  var value = 0
  while rest > 0:
    var digit = rest % 16
    if digit > 9:
      return -1
    value = value * 10 + digit
    rest = rest / 16
  return value

def main() -> int64:
  return score(30, 12, 5000)
"""
PARAMETERS: Final = {"score": 3, "collatz": 1, "polynomial": 1, "distance": 4, "digits": 1}


def _by_hand() -> dict[str, Callable[..., Any]]:
    """Return loops that fill ``out``, note the rows that fail in ``left``, and return how many they are."""
    from numba import njit, types
    from numba.extending import intrinsic

    def checked(name: str) -> Any:
        @intrinsic
        def operation(context: Any, left: Any, right: Any) -> Any:  # noqa: ARG001 - numba looks at the names
            def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
                both = getattr(builder, f"{name}_with_overflow")(*arguments)
                pair = [builder.extract_value(both, 0), builder.extract_value(both, 1)]
                return context.make_tuple(builder, signature.return_type, pair)

            return types.Tuple((types.int64, types.boolean))(types.int64, types.int64), codegen

        return operation

    add, sub, mul = checked("sadd"), checked("ssub"), checked("smul")

    @njit(inline="always")
    def divide(x: Any, y: Any) -> Any:
        if y == 0 or (y == -1 and x == -9223372036854775808):
            return 0, True
        quotient = x // y
        if quotient < 0 and quotient * y != x:
            quotient += 1
        return quotient, False

    @njit
    def score(age: Any, visits: Any, spent: Any) -> Any:
        if age > 60:
            a, o = mul(visits, 5)
            b, p = divide(spent, 10)
            c, q = add(a, b)
            return c, o or p or q
        if visits > 10:
            a, o = mul(visits, visits)
            d, r = add(age, 1)
            b, p = divide(spent, d)
            c, q = add(a, b)
            return c, o or p or q or r
        b, p = divide(spent, 100)
        c, q = sub(b, age)
        return c, p or q

    @njit
    def collatz(n: Any) -> Any:
        steps = 0
        while n > 1:
            if n & 1 == 0:
                n = n >> 1
            else:
                a, o = mul(3, n)
                n, p = add(a, 1)
                if o or p:
                    return 0, True
            steps, o = add(steps, 1)
            if o:
                return 0, True
        return steps, False

    @njit
    def polynomial(x: Any) -> Any:
        r, o = mul(3, x)
        r, p = add(r, 7)
        bad = o or p
        r, o = mul(r, x)
        r, p = sub(r, 11)
        bad = bad or o or p
        r, o = mul(r, x)
        r, p = add(r, 5)
        bad = bad or o or p
        r, o = mul(r, x)
        r, p = sub(r, 2)
        bad = bad or o or p
        r, o = mul(r, x)
        r, p = add(r, 1)
        return r, bad or o or p

    @njit
    def distance(a: Any, b: Any, c: Any, d: Any) -> Any:
        s = a + c
        x = (d - b) * (1.0 - s * s / 8.0 + s * s * s * s / 384.0)
        y = c - a
        square = x * x + y * y
        if square == 0.0:
            return 0.0, False
        root = square
        for _ in range(6):
            if root == 0.0:
                return 0.0, True
            root = (root + square / root) / 2.0
        return root * 6371.0, False

    @njit
    def digits(rest: Any) -> Any:
        value = 0
        while rest > 0:
            digit = rest & 15
            if digit > 9:
                return -1, False
            value, o = mul(value, 10)
            value, p = add(value, digit)
            if o or p:
                return 0, True
            rest = rest >> 4
        return value, False

    functions = {"score": score, "collatz": collatz, "polynomial": polynomial, "distance": distance, "digits": digits}
    return {name: _loop(function, PARAMETERS[name]) for name, function in functions.items()}


def _loop(function: Any, count: int) -> Any:
    from numba import njit

    names = ", ".join(f"c{number}" for number in range(count))
    items = ", ".join(f"c{number}[row]" for number in range(count))
    text = (
        f"def loop({names}, out, left):\n    count = 0\n    for row in range(len(out)):\n"
        f"        value, failed = function({items})\n        out[row] = value\n"
        "        if failed:\n            left[count] = row\n            count += 1\n    return count\n"
    )
    scope: dict[str, Any] = {"function": function}
    exec(text, scope)
    return njit(scope["loop"])


def _inputs(rows: int) -> dict[str, list[Any]]:
    import numpy as np

    random = np.random.default_rng(7)
    packed = np.zeros(rows, np.int64)
    for _ in range(8):
        packed = packed * 16 + random.integers(0, 10, rows)
    return {
        "score": [random.integers(0, high, rows) for high in (100, 30, 100_000)],
        "collatz": [random.integers(1, 100_000, rows)],
        "polynomial": [random.integers(-4000, 4000, rows)],
        "distance": [random.uniform(-math.pi / 2, math.pi / 2, rows) for _ in range(4)],
        "digits": [packed],
    }


def measure(options: Options) -> dict[str, Any]:
    """Time every function every way; the best of the rounds."""
    if not ways.has_kernels():
        raise SkippedError(ways.NO_KERNELS)
    import numpy as np

    import stoffel

    rows = QUICK_ROWS if options.quick else ROWS
    program = stoffel.compile(SOURCE)
    by_hand = {} if ways.missing("numba") else _by_hand()
    machine = stoffel.VirtualMachine(jit="auto")
    machine.load(program)
    functions = []
    for name, columns in _inputs(rows).items():
        one = stoffel.vectorize(program, name, parallel=False)
        all_ = stoffel.vectorize(program, name)
        out, ours = np.empty(rows, columns[0].dtype), np.empty(rows, columns[0].dtype)
        left = np.empty(rows, np.int64)
        some = min(rows, 500)
        lists = [column[:some].tolist() for column in columns]

        def execute(name: str = name, lists: Any = lists) -> None:
            for row in zip(*lists, strict=True):
                machine.execute(name, *row)

        timed: dict[str, Callable[[], Any]] = {
            "columns": lambda one=one, columns=columns, ours=ours: one(*columns, out=ours),
            "threads": lambda all_=all_, columns=columns, ours=ours: all_(*columns, out=ours),
            "execute": execute,
        }
        if by_hand:
            timed["numba"] = lambda name=name, columns=columns, out=out, left=left: by_hand[name](*columns, out, left)
        results = {way: run() for way, run in timed.items()}  # the machine code is made
        if "numba" in results:
            assert results["numba"] == 0
            assert np.array_equal(ours, out)
        best = dict.fromkeys(timed, math.inf)
        order = [*timed]
        for _ in range(2 if options.quick else ROUNDS):
            # Whoever comes after a long one has the processor taken away more often, so each has each place.
            order.append(order.pop(0))
            for way in order:
                began = time.perf_counter()
                timed[way]()
                seconds = (time.perf_counter() - began) / (some if way == "execute" else rows)
                best[way] = min(best[way], seconds)
        functions.append({"name": name, "rows": rows, **{way: seconds * 1e9 for way, seconds in best.items()}})
    return {"functions": functions}


def lines(data: dict[str, Any]) -> list[str]:
    """Return the table."""
    rows = []
    for item in data["functions"]:
        ratio = f"{item['columns'] / item['numba']:.2f}" if "numba" in item else "-"
        numba = significant(item["numba"]) if "numba" in item else "-"
        rows.append(
            [
                item["name"],
                significant(item["execute"]),
                significant(item["columns"]),
                significant(item["threads"]),
                numba,
                ratio,
            ]
        )
    heads = ["function", "execute", "columns", "all processors", "numba by hand", "columns / numba"]
    return table(heads, rows)
