"""Whole columns at once: one VM function over NumPy and Arrow arrays, as a kernel that loops over rows."""
