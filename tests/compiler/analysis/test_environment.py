"""What running teaches about guesses."""

from __future__ import annotations

from stoffel.compiler.analysis.environment import INSTRUCTIONS_PER_MISS, MISSES_BEFORE_GENERIC, Feedback
from stoffel.compiler.analysis.facts import FLOAT, I64, STRING


def test_a_guess_that_stays_wrong_after_corrections_is_given_up() -> None:
    feedback = Feedback()
    for kind in (FLOAT, STRING, I64)[:MISSES_BEFORE_GENERIC]:
        assert not feedback.is_generic(7)
        feedback.miss(7, [kind])
        assert feedback.is_due(1)
    assert feedback.is_generic(7)


def test_a_guess_that_fails_again_before_it_could_be_corrected_counts_once() -> None:
    feedback = Feedback()
    for _ in range(MISSES_BEFORE_GENERIC + 2):
        feedback.miss(7, [FLOAT])
        assert not feedback.is_due(100 * INSTRUCTIONS_PER_MISS)
    assert not feedback.is_generic(7)
    assert feedback.seen(7, 0) == FLOAT


def test_where_numbers_were_of_another_kind_the_next_guess_is_that() -> None:
    feedback = Feedback()
    assert feedback.usual == I64
    feedback.miss(7, [FLOAT, FLOAT])
    assert feedback.usual == FLOAT
    for kinds in ([STRING, STRING], [I64, FLOAT], []):
        feedback.miss(8, kinds)
        assert feedback.usual == FLOAT
