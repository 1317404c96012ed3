"""Kernels at work: chosen, made beside the run, entered, left, with their memory."""
