"""The same programs in other languages, each run by a small worker that speaks the protocol of ``benchmarks.rounds``."""
