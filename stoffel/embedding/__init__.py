"""The embedding API: the machine as a Python program sees it, foreign functions, conversion of values."""
