"""A score over a million rows, as one function of columns.

Prints:

    'score' is a kernel that loops over the rows
    1000000 scores from -60 to 9393
    row 1: Division by zero, in share(part=3, whole=0)
"""

import numpy as np

import stoffel

SOURCE = """
def score(age: int64, visits: int64, spent: int64) -> int64:
  if age > 60:
    return visits * 5 + spent / 10
  if visits > 10:
    return visits * visits + spent / (age + 1)
  return spent / 100 - age

def share(part: int64, whole: int64) -> int64:
  return 100 * part / whole

def main() -> int64:
  return score(30, 12, 5000)
"""

program = stoffel.compile(SOURCE)
score = stoffel.vectorize(program, "score")
rows = np.arange(1_000_000)
scores = score(rows % 97, rows % 31, rows % 8501)
print(score.explain())
print(f"{len(scores)} scores from {scores.min()} to {scores.max()}")

share = stoffel.vectorize(program, "share", errors="collect")
shares, failures = share(np.array([1, 3, 2]), np.array([4, 0, 8]))
assert shares.tolist() == [25, None, 25]
print(failures[0])
