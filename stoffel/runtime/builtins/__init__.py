"""The standard library, one file per family."""
