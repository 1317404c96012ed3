"""Long work in pieces does what Python does in one go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoffel.runtime.builtins import pieces


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 4)
    monkeypatch.setattr(pieces, "RUN", 6)


def look_up():
    pass


NUMBERS = st.lists(st.one_of(st.integers(0, 9), st.integers(0, 9).map(float)), max_size=60)


@given(NUMBERS)
def test_sorting_is_stable(items):
    given_ = list(items)
    found = pieces.in_order(items, look_up)
    shown = [(type(item), item) for item in (items if found is None else found)]
    assert shown == [(type(item), item) for item in sorted(given_)]
    assert found is None or [(type(item), item) for item in items] == [(type(item), item) for item in given_]


def test_equal_elements_keep_their_order_across_pieces():
    left = [1, 1, 1, 1, 1, 1.0, 2]
    items = [*left, 1, 1.0, 1, 1.0, 1, 3.0, 0]
    expected = sorted(items)
    found = pieces.in_order(items, look_up)
    assert [(type(item), item) for item in found] == [(type(item), item) for item in expected]


@given(st.lists(st.integers(), max_size=40))
def test_reversing_copying_and_extending(items):
    backwards = list(items)
    pieces.reverse(backwards, look_up)
    assert backwards == items[::-1]
    assert pieces.copied(items, look_up) == items
    twice = list(items)
    pieces.extend(twice, twice, look_up)
    assert twice == items * 2
    assert pieces.repeated(items, 5, look_up) == items * 5


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(0, 5), st.integers(0, 40), st.integers(0, 40))
def test_finding(items, value, start, stop):
    stop = min(stop, len(items))
    expected = items.index(value, start, stop) if value in items[start:stop] else -1
    assert pieces.find(items, value, start, stop, look_up) == expected


@given(st.text("ab", max_size=300), st.text("ab", max_size=20))
def test_searching_text(text, part):
    assert pieces.holds(text, part, look_up) == (part in text)


def test_freeing_leaves_a_short_list():
    items = list(range(50))
    pieces.drop(items, look_up)
    assert len(items) <= pieces.PIECE


def test_an_interrupted_sort_has_changed_nothing():
    items = [5, 3, 8, 1, 9, 2, 7, 0, 4, 6]

    def stop():
        stop.left -= 1
        if not stop.left:
            raise InterruptedError

    for count in range(1, 8):
        stop.left = count
        with pytest.raises(InterruptedError):
            pieces.in_order(items, stop)
        assert items == [5, 3, 8, 1, 9, 2, 7, 0, 4, 6]
