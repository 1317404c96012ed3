"""Feeds mutated and hostile ``.stflb`` files to the reader.

    python tests/fuzz/fuzz_stflb.py [--count N] [--seed N] [--long] [--save DIRECTORY]

For each file: only LoadError may escape, one load must be quick, memory stays bounded (a limit on the address space is
set, and MemoryError is a finding too), and what loads must be written and read back equal. ``--long`` adds files of
the largest sizes the format allows. Prints a summary; exit status 1 if there is a finding, whose bytes are saved.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import struct
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from stoffel.errors import LoadError  # noqa: E402
from stoffel.isa.reader import read  # noqa: E402
from stoffel.isa.table import ROWS, OperandKind  # noqa: E402
from stoffel.isa.types import TYPE_ROWS  # noqa: E402
from stoffel.isa.writer import write  # noqa: E402

ADDRESS_SPACE = 1 << 30
MEMORY_BASE = 64 << 20
MEMORY_FACTOR = 32
"""A large file may take this much memory and this many times its size, for the program twice and its bytes."""
SLOW = 5.0
"""Seconds that one small file may take; a hang, not a benchmark."""

HUGE_COUNTS = (0xFFFF, 1_000_000, 1_000_001, 8_000_000, 8_000_001, 16_777_216, 16_777_217, 0x7FFFFFFF, 0xFFFFFFFF)
BAD_TEXT = (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x00", b"\xf0\x9f\x98\x80")
EDGES = (0, 1, 2, 0x0E, 0x11, 0x17, 0x19, 0x1A, 0x7F, 0x80, 0xFE, 0xFF)

Mutation = Callable[[random.Random, bytearray, list[bytes]], None]


def flip_bits(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    for _ in range(rng.randint(1, 4)):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def set_bytes(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    for _ in range(rng.randint(1, 4)):
        if data:
            data[rng.randrange(len(data))] = rng.choice(EDGES)


def insert(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    at = rng.randint(0, len(data))
    data[at:at] = rng.randbytes(rng.randint(1, 16))


def delete(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    at = rng.randint(0, len(data))
    del data[at : at + rng.randint(1, 16)]


def duplicate(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    at = rng.randint(0, len(data))
    piece = data[at : at + rng.randint(1, 200)]
    to = rng.randint(0, len(data))
    data[to:to] = piece * rng.randint(1, 3)


def splice(rng: random.Random, data: bytearray, corpus: list[bytes]) -> None:
    other = rng.choice(corpus)
    at = rng.randint(0, len(other))
    piece = other[at : at + rng.randint(1, 400)]
    to = rng.randint(0, len(data))
    data[to : to + rng.randint(0, len(piece))] = piece


def truncate(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    del data[rng.randint(0, len(data)) :]


def huge_count(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    at = rng.randint(0, len(data))
    width = rng.choice((2, 4))
    data[at : at + width] = (rng.choice(HUGE_COUNTS) & ((1 << 8 * width) - 1)).to_bytes(width, "little")


def bad_text(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    at = rng.randint(0, len(data))
    piece = rng.choice(BAD_TEXT)
    if rng.random() < 0.5:
        piece = struct.pack("<H", len(piece)) + piece
    data[at : at + rng.choice((0, len(piece)))] = piece


def other_version(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    data[4:6] = struct.pack("<H", rng.choice((*range(11), 0xFFFF)))


def deep_type(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    nested = [row.tag for row in TYPE_ROWS if row.fields]
    at = rng.randint(0, len(data))
    data[at:at] = bytes([rng.choice(nested)]) * rng.choice((10, 199, 200, 201, 5000))


def random_code(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    at = rng.randint(0, len(data))
    data[at:at] = b"".join(encode(rng, rng.choice(ROWS).code) for _ in range(rng.randint(1, 5)))


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    set_bytes,
    insert,
    delete,
    duplicate,
    splice,
    truncate,
    huge_count,
    bad_text,
    other_version,
    deep_type,
    random_code,
)


def encode(rng: random.Random, code: int) -> bytes:
    """Bytes of an instruction with random operands."""
    row = next(row for row in ROWS if row.code == code)
    out = bytes([code])
    for operand in row.operands:
        if operand.kind.is_name:
            text = rng.choice((b"", b"x", b"loop", *BAD_TEXT))
            out += struct.pack("<H", len(text)) + text
        else:
            small = 3 if operand.kind is OperandKind.CONSTANT else 40
            out += struct.pack("<I", rng.choice((rng.randrange(small), rng.getrandbits(32))))
    return out


def generated(rng: random.Random) -> bytes:
    """A file built field by field, mostly right, so that errors deep inside are reached."""
    version = rng.randrange(10)

    def text() -> bytes:
        raw = rng.choice((b"", b"f", b"main", "é".encode(), rng.choice(BAD_TEXT) if rng.random() < 0.05 else b"x"))
        return struct.pack("<H", len(raw)) + raw

    def kind(depth: int) -> bytes:
        tag = rng.choice((0, 1, 2, 9, 11, 12, 13, 14)) if depth > rng.choice((3, 210)) else rng.randrange(15)
        if rng.random() < 0.005:
            tag = rng.randrange(256)
        body = {0: lambda: bytes((rng.randrange(3), rng.randrange(256))), 14: lambda: bytes((rng.randrange(256),))}
        if tag in (6, 7):
            return bytes([tag]) + kind(depth + 1)
        if tag == 8:
            return bytes([tag]) + kind(depth + 1) + kind(depth + 5)
        if tag in (9, 11):
            return bytes([tag]) + text()
        if tag == 10:
            count = rng.randrange(3)
            return bytes([tag]) + text() + struct.pack("<H", count) + b"".join(kind(depth + 5) for _ in range(count))
        return bytes([tag]) + (body[tag]() if tag in body else b"")

    def several(item: Callable[[], bytes], width: str, most: int = 3) -> bytes:
        count = rng.randint(0, most)
        return struct.pack("<" + width, count) + b"".join(item() for _ in range(count))

    def constant() -> bytes:
        tag = rng.randrange(12) if rng.random() < 0.99 else rng.randrange(256)
        size = (0, 8, 4, 2, 1, 1, 2, 4, 8, 8, 1)
        if tag == 11:
            raw = rng.choice((b"", b"text", "é".encode(), *(BAD_TEXT if rng.random() < 0.1 else ())))
            return bytes([tag]) + struct.pack("<I", len(raw)) + raw
        return bytes([tag]) + rng.randbytes(size[tag] if tag < len(size) else 0)

    def function() -> bytes:
        names = several(text, "H")
        out = text() + rng.randbytes(2) + names
        if version >= 5:
            out += names[:2] + b"".join(kind(1) for _ in range(names[0])) + kind(1)
        out += several(text, "H") + (b"\x00" if rng.random() < 0.7 else b"\x01" + text())
        out += several(lambda: text() + struct.pack("<I", rng.randrange(9)), "H")
        return out + several(lambda: encode(rng, rng.choice(ROWS).code), "I", 8)

    def share() -> bytes:
        tag = rng.randrange(3)
        total = rng.choice((0, 1, 64)) if rng.random() < 0.1 else 64
        return bytes([tag]) + struct.pack("<I", total) + (struct.pack("<I", rng.randrange(70)) if tag == 1 else b"")

    out = b"STFL" + struct.pack("<H", version) + several(constant, "I", 4) + several(function, "I")
    if version >= 3:
        out += bytes((rng.randrange(2),))
    if version >= 4:
        out += bytes((rng.randrange(6),))
    if version >= 2:
        out += several(lambda: rng.randbytes(8) + several(share, "I") + several(share, "I"), "I", 2)
    if version >= 8:
        out += rng.randbytes(33)
    return out


def hostile(rng: random.Random, corpus: list[bytes]) -> bytes:
    """The next file."""
    choice = rng.random()
    if choice < 0.02:
        return b"STFL" + rng.randbytes(rng.randint(0, 200))
    data = bytearray(generated(rng) if choice < 0.35 else rng.choice(corpus))
    if choice >= 0.2:
        for _ in range(rng.choice((1, 1, 2, 4))):
            rng.choice(MUTATIONS)(rng, data, corpus)
    return bytes(data)


def largest() -> Iterator[tuple[str, bytes]]:
    """Files at the limits of the format, and far over them in bytes."""

    def long(body: bytes, count: int, labels: bytes = b"\0\0", pool: bytes = b"\0\0\0\0") -> bytes:
        head = b"STFL\x01\0" + pool + b"\x01\0\0\0" + b"\x04\0main" + bytes(7) + labels
        return head + struct.pack("<I", count) + body

    million = 1_000_000
    pool = b"\x01\0\0\0" + b"\x01" + bytes(8)
    mixed = b"".join(
        struct.pack("<BIIIBIIBI", 3, n & 0xFFF, n, 2, 1, n & 0xFF, 0, 0x13, n & 0xFFFF) + b"\x0f\1\0x"
        for n in range(2 * million)
    )
    yield "8 million instructions", long(mixed, 8 * million, b"\x01\0\x01\0x\0\0\0\0", pool)
    yield "8 million NOP", long(b"\x17" * 8 * million, 8 * million)
    yield "4 million labels", long(b"".join(b"\x0e\4\0%04x" % (n & 0xFFFF) for n in range(4 * million)), 4 * million)
    yield "4 million callees", long(b"".join(b"\x11\6\0%06x" % n for n in range(4 * million)), 4 * million)
    yield (
        "a million functions",
        b"STFL\1\0"
        + bytes(4)
        + struct.pack("<I", million)
        + b"".join(b"\6\0%06x" % n + bytes(13) for n in range(million)),
    )
    yield "a million equal functions", b"STFL\1\0" + bytes(4) + struct.pack("<I", million) + bytes(15) * million
    yield (
        "a million constants",
        b"STFL\1\0" + struct.pack("<I", million) + b"".join(b"\x0b\6\0\0\0%06x" % n for n in range(million)) + bytes(4),
    )
    yield "a deep type of 64 MB", b"STFL\x09\0" + bytes(4) + b"\1\0\0\0" + bytes(8) + b"\6" * (64 << 20)
    types = (b"\x0a\0\0\xff\xff" + b"\6\0\1\x08" * 65_535) * 100
    yield "6 million types", b"STFL\5\0" + bytes(4) + b"\1\0\0\0" + bytes(8) + b"\x0a\0\0\x64\0" + types + bytes(15)
    clients = (bytes(8) + struct.pack("<I", 5) + (b"\1" + b"\x40\0\0\0\x10\0\0\0") * 5 + bytes(4)) * million
    yield "a million clients", b"STFL\2\0" + bytes(8) + struct.pack("<I", million) + clients


class Findings:
    """Runs files, counts outcomes, saves what goes wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outcomes: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()
        self.found = 0
        self.slowest = 0.0

    def run(self, data: bytes, name: str, slow: float = SLOW) -> None:
        """Load *data*; if that works, write it and read it back."""
        start = time.perf_counter()
        try:
            try:
                program = read(data)
            except LoadError as error:
                self.outcomes[error.category] += 1
                self.messages["".join("N" if char.isdigit() else char for char in error.message)[:28]] += 1
                if error.message.endswith("does not fit into memory"):
                    raise AssertionError("it took too much memory") from error
                if "\n" in str(error) and error.category != "data":
                    raise AssertionError("the error is not one line") from error
                return
            finally:
                seconds = time.perf_counter() - start
                self.slowest = max(self.slowest, seconds)
            self.outcomes["loaded"] += 1
            for function in program.functions:
                for _, instruction in zip(range(10_000), function.instructions, strict=False):
                    hash(instruction)
            written = write(program)
            again = read(written)
            assert again == program, "written and read again it is another program"
            assert write(again) == written, "written again it has other bytes"
            assert seconds < slow, f"loading took {seconds:.1f} s"
        except Exception:
            self.found += 1
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{name}.stflb"
            path.write_bytes(data)
            print(f"FINDING in {name} ({len(data)} bytes), saved as {path}:\n{traceback.format_exc()}")


def run_apart(findings: Findings, name: str, data: bytes) -> bool:
    """Run one large file in a child process that may take little more memory; return True if there is a finding."""
    allowed = MEMORY_BASE + MEMORY_FACTOR * len(data)
    start = time.perf_counter()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + allowed
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        findings.run(data, name.replace(" ", "-"), slow=120.0)
        print(f"{name}: {len(data) / 1e6:.1f} MB, loaded in {findings.slowest:.1f} s", end=", ", flush=True)
        os._exit(1 if findings.found else 0)
    _, status = os.waitpid(child, 0)
    took = time.perf_counter() - start
    print(f"with writing and reading again {took:.1f} s, within {allowed / 1e6:.0f} MB")
    return status != 0


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Fuzz the .stflb reader.")
    parser.add_argument("--count", type=int, default=100_000, help="number of files (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the generator (default %(default)s)")
    parser.add_argument("--long", action="store_true", help="also try the largest files of the format")
    parser.add_argument(
        "--save", type=Path, default=Path("fuzz-findings"), help="where findings go (default %(default)s)"
    )
    options = parser.parse_args()

    failures = 0
    corpus = [path.read_bytes() for path in sorted((ROOT / "tests/conformance/programs").glob("*.stflb"))]
    corpus = [data for data in corpus if len(data) < 20_000]
    if not corpus:
        parser.error("there are no programs in tests/conformance/programs")
    findings = Findings(options.save)
    if options.long:
        failures = sum(run_apart(findings, name, data) for name, data in largest())
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, resource.getrlimit(resource.RLIMIT_AS)[1]))
    rng = random.Random(options.seed)
    start = time.perf_counter()
    for number in range(options.count):
        findings.run(hostile(rng, corpus), f"seed-{options.seed}-file-{number}")
    took = time.perf_counter() - start
    outcomes = ", ".join(f"{name} {count}" for name, count in findings.outcomes.most_common())
    print(f"{options.count} files in {took:.0f} s: {outcomes}; {len(findings.messages)} kinds of message")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    failures += findings.found
    print(f"slowest load {findings.slowest:.2f} s, peak memory {peak:.0f} MB, findings {failures}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
