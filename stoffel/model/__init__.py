"""The value model: values, tables, foreign functions, the meaning of operations, functions ready to run."""
