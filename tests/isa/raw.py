"""Bytes of ``.stflb`` files put together by hand, independent of our writer."""

from __future__ import annotations

import struct

EMPTY_DEMAND = bytes(33)


def u16(value: int) -> bytes:
    return struct.pack("<H", value)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def name(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return u16(len(raw)) + raw


def i64(value: int) -> bytes:
    """An I64 constant."""
    return b"\x01" + struct.pack("<q", value)


def code(opcode: int, *words: int) -> bytes:
    return struct.pack(f"<B{len(words)}I", opcode, *words)


def jump(label: str | bytes, opcode: int = 0x0E) -> bytes:
    return bytes([opcode]) + name(label)


def call(target: str | bytes) -> bytes:
    return jump(target, 0x11)


NOP = b"\x17"
RET0 = code(0x12, 0)


def function(
    title: str | bytes = "main",
    body: bytes = b"",
    count: int = 0,
    *,
    registers: int = 0,
    parameters: bytes = u16(0),
    types: bytes = u16(0) + b"\x0c",
    upvalues: bytes = u16(0),
    parent: bytes = b"\x00",
    labels: bytes = u16(0),
) -> bytes:
    """A function record; *types* is the whole type part (empty for versions below 5)."""
    return name(title) + u16(registers) + parameters + types + upvalues + parent + labels + u32(count) + body


def file(
    *records: bytes,
    version: int = 9,
    pool: tuple[bytes, ...] = (),
    manifest: bytes = b"\x00\x00" + u32(0) + EMPTY_DEMAND,
) -> bytes:
    return b"STFL" + u16(version) + u32(len(pool)) + b"".join(pool) + u32(len(records)) + b"".join(records) + manifest
