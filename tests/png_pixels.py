"""The pixels of a PNG file: eight bits for each of three or four colours, not interlaced, as browsers write it."""

import struct
import zlib
from collections import Counter

Colour = tuple[int, int, int]


def colours(png: bytes) -> Counter[Colour]:
    """How often each colour is there."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    header, packed, at = b"", b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + length]
        header = body if kind == b"IHDR" else header
        packed += body if kind == b"IDAT" else b""
        at += length + 12
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    assert (depth, interlaced) == (8, 0)
    size = {2: 3, 6: 4}[colour]
    found: Counter[Colour] = Counter()
    raw, before = zlib.decompress(packed), bytearray(width * size)
    for row in range(height):
        begin = row * (width * size + 1)
        before = _unfiltered(raw[begin], raw[begin + 1 : begin + 1 + width * size], before, size)
        found.update(zip(before[0::size], before[1::size], before[2::size], strict=True))
    return found


def _unfiltered(kind: int, row: bytes, above: bytearray, size: int) -> bytearray:
    """One row, from what it differs in from its neighbours (PNG specification, section 9)."""
    line = bytearray(row)
    for at in range(len(line)):
        left = line[at - size] if at >= size else 0
        corner = above[at - size] if at >= size else 0
        line[at] = (line[at] + _predicted(kind, left, above[at], corner)) % 256
    return line


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind < 4:
        return (0, left, up, (left + up) // 2)[kind]
    guess = left + up - corner
    return min((abs(guess - each), order, each) for order, each in enumerate((left, up, corner)))[2]
