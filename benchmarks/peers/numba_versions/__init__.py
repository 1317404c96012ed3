"""The numeric benchmark programs as a person would write them for numba: int64 that wraps, NumPy arrays for lists.

Each module has a compiled ``bench(n)``. Where the hand-written Python is fit for numba as it stands, that is what is
compiled.
"""
