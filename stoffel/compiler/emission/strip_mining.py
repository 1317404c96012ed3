"""Stretches: a counted loop that nothing lets poll in passing counts so many rounds, then polls, then goes on.

A flag that is tested in each round is a fifth of a loop that does nothing else. The range that counts such a loop
therefore ends early, and where it is exhausted it is seen whether the loop has ended (strip mining, with the poll
between the strips). Only loops whose rounds are soon over are counted so: without calls, and without loops in them. How
the ranges are written is in ``stoffel.compiler.emission.counted_loops``.

At the end of a stretch the record is as it was at the end of the last round, before the jump backwards, except that
places have been moved to where the head of the loop expects them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stoffel.compiler.analysis.liveness import bit
from stoffel.compiler.emission.counted_loops import Stretch
from stoffel.compiler.emission.deopt_points import Known, Site, Spot
from stoffel.compiler.emission.locations import FLAG_LOCAL, locals_of, name_of

if TYPE_CHECKING:
    from stoffel.compiler.emission.emitter import Emitter


def stretch(emitter: Emitter, head: int, way: int) -> bool:
    """Have the loop that ends here counted in stretches if it can be left between them; return whether that is so."""
    loop = emitter.counted.get(head)
    if loop is None or not loop.brief or loop.latch != emitter.current:
        return False
    site = _site_at(emitter, head)
    if site is None:
        return False
    line = emitter.writer.line
    emitter.lines[line - 1].sites[way] = site
    emitter.ranges.stretches[head] = Stretch(line, way)
    return True


def _site_at(emitter: Emitter, head: int) -> Site | None:
    """Return the site for *head* once everything has been moved there, None if something would be lost."""
    spots = emitter.spots
    moves, materialised = emitter.moves(head)
    wanted_places, wanted_flag = emitter.initial_spots(head)
    # What is in other locals either has just been moved away, or was not assigned on the way into the loop.
    kept = {name_of(spot) for spot in wanted_places if spot is not None}.union(locals_of(wanted_flag))
    kept -= {wanted.name for _, wanted in moves}
    flag = spots.held(FLAG_LOCAL) if materialised else spots.flag
    if flag is None or not kept.issuperset(locals_of(flag)):
        return None
    hidden = emitter.typed.layout.hidden(head)
    places: list[Spot | None] = []
    for place, (present, wanted) in enumerate(zip(spots.places, wanted_places, strict=True)):
        spot = wanted
        if spot is None and (type(present) is Known or name_of(present) in kept):
            spot = present
        if spot is None and not hidden & bit(place):
            return None
        places.append(spot)
    return Site(head, tuple(places), flag)
