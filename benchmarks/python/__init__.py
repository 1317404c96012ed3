"""The benchmark programs written by hand in Python: same algorithms, same data structures, idiomatic loops.

Each module has ``bench(n)``, the work for size *n*, and ``main()``, the size of the reference. They also run on PyPy,
so they keep to the syntax of Python 3.9.
"""
