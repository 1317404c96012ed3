"""Where every place's value is while code is written: aliases, copies that are put off, evictions.

A register that is copied costs nothing until its source changes: both places are then noted to be in one Python local.
When that local is about to be written, the places that still need the old value are moved out of it.
"""

from __future__ import annotations

from itertools import count

from stoffel.compiler.analysis.facts import Fact, is_raw
from stoffel.compiler.analysis.liveness import FLAG, bit
from stoffel.compiler.cpython.writer import Writer
from stoffel.compiler.emission.deopt_points import Held, Known, Length, Order, Spot, Sum, Top
from stoffel.compiler.emission.global_names import box_name
from stoffel.compiler.flow.decoding import Layout

TOP = Top()

FLAG_LOCAL = "flag"
"""Python local that holds the compare flag where it must be a value."""


class Spots:
    """The spots of all places at one point of the code being written."""

    def __init__(self, writer: Writer, layout: Layout) -> None:
        self.writer = writer
        self.layout = layout
        self.places: list[Spot | None] = []
        self.flag: int | Order | Held | None = 0
        self._held: dict[tuple[str, int], Held] = {}
        self._sums: dict[tuple[str, int], Sum] = {}

    def held(self, name: str, raw: int = 0) -> Held:
        """Return the one spot that stands for a local."""
        key = name, raw
        spot = self._held.get(key)
        if spot is None:
            spot = self._held[key] = Held(name, raw)
        return spot

    def sum_of(self, name: str, amount: int) -> Sum:
        """Return the one spot that stands for a local plus an amount."""
        return self._sums.setdefault((name, amount), Sum(name, amount))

    def spot(self, place: int) -> Spot:
        """Return the spot of a place that has a value."""
        spot = self.places[place]
        assert spot is not None, f"place {self.layout.name(place)} is read but was not kept"
        return spot

    def load(self, spot: Spot, *, raw: bool = False) -> None:
        """Push the value at a spot, as a plain int if *raw*, else as a machine value."""
        writer = self.writer
        if type(spot) is Known:
            writer.constant(int(spot.value) if raw and is_raw(spot.fact) else spot.value)
        elif type(spot) is Length:
            writer.begin_call("len")
            writer.load(spot.name)
            writer.attribute("items")
            writer.end_call(1)
        elif type(spot) is Sum:
            writer.load(spot.name)
            writer.constant(spot.amount)
            writer.binary("ADD")
        elif type(spot) is not Top:
            assert isinstance(spot, Held)
            if spot.raw and not raw:
                writer.begin_call(box_name(spot.raw))
                writer.load(spot.name)
                writer.end_call(1)
            else:
                writer.load(spot.name)

    def load_less(self, spot: Spot, amount: int) -> None:
        """Push the I64 at a spot less *amount*."""
        if type(spot) is Known:
            self.writer.constant(spot.value - amount)
        else:
            self.load(spot)
            self.writer.constant(amount)
            self.writer.binary("SUB")

    def load_place(self, place: int, *, raw: bool = False) -> None:
        """Push the value of a place."""
        self.load(self.spot(place), raw=raw)

    def load_fact(self, place: int, fact: Fact) -> None:
        """Push the value of a place in the form that its fact prescribes."""
        self.load(self.spot(place), raw=is_raw(fact))

    def unbox(self) -> None:
        """Replace a machine integer on the evaluation stack by a plain int."""
        self.writer.constant(0)
        self.writer.binary("ADD")

    def define(self, place: int, needed: int, *, raw: int = 0, landing: int = -1) -> None:
        """Pop the new value of *place* into a local: its own, or that of *landing*, the place it is copied to next."""
        name = self.layout.name(landing if landing >= 0 else place)
        self.evict(name, needed & ~bit(place))
        self.writer.store(name)
        self.set(place, self.held(name, raw))

    def set(self, place: int, spot: Spot | None) -> None:
        """Note where *place* is from now on."""
        if place == len(self.places):
            self.places.append(spot)
        else:
            self.places[place] = spot

    def forget_top(self, but: int) -> None:
        """Note that what was on top of the evaluation stack has been taken; place *but* has been set since."""
        for place, spot in enumerate(self.places):
            if spot is TOP and place != but:
                self.places[place] = None

    def evict(self, name: str, needed: int) -> None:
        """Move out of the local *name* whatever is needed and still in it, because it is about to be written."""
        moved: Spot | None = None
        for place, spot in enumerate(self.places):
            if type(spot) is Known or spot is None or spot.name != name:
                continue
            if not needed & bit(place):
                self.places[place] = None
            elif type(spot) in (Length, Sum):
                self.load(spot)
                self._store_copy(place, self.held(self._free_name(place, name)))
            else:
                assert isinstance(spot, Held)
                if moved is None:
                    moved = self.held(self._free_name(place, name), spot.raw)
                    self.writer.load(name)
                    self.writer.store(moved.name)
                self.places[place] = moved
        self._evict_flag(name, needed)

    def _store_copy(self, place: int, spot: Held) -> None:
        self.writer.store(spot.name)
        self.places[place] = spot

    def _evict_flag(self, name: str, needed: int) -> None:
        if self._flag_uses(name):
            if needed & FLAG:
                self.materialise_flag()
            else:
                self.flag = None

    def _free_name(self, place: int, leaving: str) -> str:
        """Return a local that nothing is in: the place's own if possible."""
        own = self.layout.name(place)
        if own != leaving and all(name_of(spot) != own for spot in self.places) and not self._flag_uses(own):
            return own
        taken = {name_of(spot) for spot in self.places}
        for number in count():
            name = f"t{number}"
            if name not in taken and not self._flag_uses(name):
                return name
        raise AssertionError("unreachable")

    def _flag_uses(self, name: str) -> bool:
        return type(self.flag) is Order and name in locals_of(self.flag)

    def own_copy(self, place: int, raw: int) -> None:
        """Pop a value that replaces that of *place* (and of no alias) into a local of its own."""
        name = self._free_name(place, "")
        self.writer.store(name)
        self.places[place] = self.held(name, raw)

    def materialise_flag(self) -> None:
        """Put the compare flag, whatever it is, into its local."""
        writer = self.writer
        flag = self.flag
        if type(flag) is Held:
            return
        if type(flag) is Order:
            # Comparisons that are followed by jumps are the ones that CPython makes quick.
            done = writer.label()
            others = [("<", -1, writer.label()), (">", 1, writer.label())]
            for operator, _, label in others:
                self.load(flag.left, raw=True)
                self.load(flag.right, raw=True)
                writer.compare(operator)
                writer.if_true(label)
            writer.constant(0)
            for _, value, label in others:
                writer.jump(done)
                writer.place(label)
                writer.constant(value)
            writer.place(done)
        else:
            assert type(flag) is int, "the compare flag is read but was not kept"
            writer.constant(flag)
        writer.store(FLAG_LOCAL)
        self.flag = self.held(FLAG_LOCAL)

    def snapshot(self) -> tuple[Spot | None, ...]:
        """Return the spots as they are now."""
        return tuple(self.places)


def name_of(spot: Spot | None) -> str:
    """Return the Python local that a spot refers to, "" if to none."""
    return "" if spot is None or type(spot) is Known else spot.name


def locals_of(flag: int | Order | Held | None) -> list[str]:
    """Return the Python locals that the compare flag refers to."""
    if type(flag) is Held:
        return [flag.name]
    return [spot.name for spot in (flag.left, flag.right) if type(spot) is not Known] if type(flag) is Order else []
