"""What is known about a function before its code is written: the inner representation, types, ranges, liveness."""
