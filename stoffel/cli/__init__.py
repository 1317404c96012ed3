"""The command line: ``main`` picks a command, each command is one small file with its options and its ``run``."""
