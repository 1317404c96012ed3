"""Kernels: numeric functions and loops of a program in machine code."""
