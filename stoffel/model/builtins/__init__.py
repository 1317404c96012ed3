"""The declarations of the builtins: what runtime, compilers, command line and manual know of each."""
