"""What is known about a function before any code of it is written: the inner representation, types, ranges, liveness."""
