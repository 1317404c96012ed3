"""Reading and writing the fields of an object in a loop."""

from __future__ import annotations


class Particle:
    """A point that bounces in a box."""

    __slots__ = ("bounces", "vx", "vy", "x", "y")

    def __init__(self, x: int, y: int, vx: int, vy: int) -> None:
        self.x = x
        self.y = y
        self.vx = vx
        self.vy = vy
        self.bounces = 0


def bench(n: int) -> int:
    p = Particle(10, 20, 3, -2)
    for _ in range(n):
        p.x += p.vx
        p.y += p.vy
        if p.x > 1000:
            p.vx = -p.vx
            p.bounces += 1
        if p.x < 0:
            p.vx = -p.vx
            p.bounces += 1
        if p.y > 700:
            p.vy = -p.vy
            p.bounces += 1
        if p.y < 0:
            p.vy = -p.vy
            p.bounces += 1
    return p.bounces * 1000000 + p.x * 1000 + p.y


def main() -> int:
    return bench(180000)
