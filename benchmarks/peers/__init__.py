"""The same programs in other languages, each run by a worker that speaks the protocol of ``benchmarks.rounds``."""
