"""All constants by which the tiers are chosen, each with its reason and the command that measures it.

*Heat* counts interpreted instructions; a call counts for ``HEAT_OF_CALL`` more (``stoffel.model.code``).
"""

from __future__ import annotations

from typing import Final

# Loading the translator

HEAT_OF_LOADING: Final = 8_000_000
"""Heat of all functions together at which the translator is loaded in a run about which nothing is known: some 0.8
seconds, twenty times what loading takes, so that a run that ends right then has lost 5 %. Waiting as long as loading
takes would never lose more than half, but on ten programs of everyday sort (parsers, searches, tables) it made most
runs of less than a second slower; a run that is repeated need not wait at all. ``python -m benchmarks --sections
instructions`` tells what an instruction takes, ``python -X importtime -m stoffel run FILE --jit=always`` what loading
does, ``python -m benchmarks --sections whole`` what comes of both.
"""
HEAT_OF_HOST_CALL: Final = 50
"""What a call by the host adds to the heat besides the instructions: it takes about as long as so many
(``python -m benchmarks --sections embedding``)."""
HEAT_OF_RECALL: Final = 5000
"""Heat at which a run asks what the last one came to: opening the note takes as long as 2000 instructions, which a
program that is soon over need not spend (``python -X importtime -m stoffel run FILE --jit``)."""
PATIENCE: Final = 4
"""Factor on ``HEAT_OF_LOADING`` for a run that is known to be quicker without: several times as long is another run.
Measured by the second and later runs of ``python -m benchmarks --sections whole --quick``."""
WORTH_TRYING: Final = 0.15
"""Processor time, in seconds, of a run without compiling from which on the next one tries to compile from its start:
three times what loading the translator takes (``python -X importtime -m stoffel run FILE --jit=always``)."""

# Translating a function

HEAT_PER_INSTRUCTION: Final = 600
"""Heat, for each of its own instructions, at which a function is translated: four times as long as translating takes
(``python -m benchmarks --sections instructions,translation``)."""
HASTE: Final = 0.25
"""Factor on that for runs that are known to gain by compiling: as long as translating takes."""
UNITS_OF_A_FUNCTION: Final = 12
"""Units of one function for calls with different kinds of arguments, or for entries into loops; no more are made. What
has so many kinds gains nothing by one more; what a unit takes is told by ``stoffel run --stats``."""
SIGNATURES_OF_A_FUNCTION: Final = 4
"""Combinations of kinds of arguments for which a function has units of its own; others share one that takes any kind
where they differ (an inline cache of four entries that becomes megamorphic)."""
HANDOVERS: Final = 3
"""Times that a unit may be left at an instruction that only the interpreter executes before it is given up: leaving
takes as long as some hundred instructions (``python -m benchmarks --sections deoptimisation``)."""
WAITS: Final = 2000
"""Calls and loops that are not translated yet where a kernel of the last run may come first, and contain them: some
milliseconds (``python -m benchmarks --sections instructions``), in which a kernel of the cache is loaded."""

HEAT_BETWEEN_ASKING: Final = 20_000
"""Heat, at most, for which loops without a kernel go on before they are asked again, where there are no units either:
asking takes as long as a hundred instructions (``python -m benchmarks --sections instructions``)."""

# Sampling for kernels

TICKS: tuple[float, ...] = (0.2, 0.5, 0.8, 1.2, 2.4, 5.0, 10.0)
"""Seconds of work between the samples, the last again and again: for programs that come to their hot part late. Empty
for none: then kernels are made only where they are made at once, and nothing depends on the time that a run takes.
The first two are what making a kernel takes (``python -m benchmarks --sections kernels``)."""
LOOKS_BETWEEN_TICKS: Final = 4
"""Times, between two samples, that the clock looks whether the machine is at work: so much of an interval may be
counted wrongly."""
LONGEST_REST: Final = 1.0
"""Seconds between two looks, at most, at a machine that is idle for longer than so many looks: a process that does
nothing else uses no time that ``time`` shows."""
TICKS_BEFORE_BUILDING: Final = 1
"""Samples after which only kernels that are in the cache are used."""
TICKS_BEFORE_LARGE: Final = 3
"""Samples after which those with more than ``MODERATE`` instructions are made too, which takes LLVM a second or so
(``stoffel run --stats --jit=kernels`` tells what it took)."""
LONG_ENOUGH: Final = 0.15
"""Seconds of compiled code from which on the next run makes the kernels that this one was too short for: making one
takes about as long, once, on another core if there is one, and it is kept (``python -m benchmarks --sections
kernels``)."""

# Keeping kernels

KERNELS_OF_AN_ENTRY: Final = 4
"""Kernels of one function, or one entry, for different element types of arrays."""
LEAST_WORK: Final = 400
"""VM instructions in each run below which entering a kernel costs more than it saves: entering takes some
microseconds, code objects that long for 400 (``python -m benchmarks --sections comparison``)."""
LEAST_WORK_IF_EAGER: Final = 30
"""The same where kernels are made at any price: below it a program could come to a standstill."""
MOST_WORK_LOST: Final = 100_000
"""VM instructions that a kernel may have cost, all in all, by being left in the middle of many calls: some milliseconds
of code objects, as long as a few of the deepest recursions take to be taken over."""
TRIAL: Final = 64
"""Runs between looking whether a kernel does so much."""
MISMATCHES: Final = 16
"""Times that a kernel may be given values of other types before it is given up: a mismatch takes as long as entering,
and saves nothing."""
