"""Ogg pages with a fixed serial number, so that the same sound gives the same bytes.

libsndfile chooses a random serial number for every Ogg stream it writes. This module sets a fixed one and corrects the
page checksums; it does not read what the pages carry. One logical stream per file.
"""

from __future__ import annotations

import struct
import zlib

_SERIAL = 1  # any value is legal; RFC 3533 section 6 only requires it to be unique within one file
_HEADER = 27  # bytes before the segment table, RFC 3533 section 6
_SERIAL_AT, _CHECKSUM_AT, _SEGMENTS_AT = 14, 22, 26
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def with_fixed_serial(data: bytes) -> bytes:
    """`data`, an Ogg file with one stream, with the serial number 1 and correct checksums.

    Raises:
        ValueError: `data` is not a sequence of whole Ogg pages.
    """
    pages: list[bytes] = []
    at = 0
    while at < len(data):
        if data[at : at + 4] != b"OggS" or at + _HEADER > len(data):
            raise ValueError(f"no Ogg page at byte {at}")
        segments = data[at + _SEGMENTS_AT]
        end = at + _HEADER + segments + sum(data[at + _HEADER : at + _HEADER + segments])
        if end > len(data):
            raise ValueError(f"the Ogg page at byte {at} is cut short")
        page = bytearray(data[at:end])
        struct.pack_into("<I", page, _SERIAL_AT, _SERIAL)
        struct.pack_into("<I", page, _CHECKSUM_AT, 0)  # computed over a page whose own field is zero
        struct.pack_into("<I", page, _CHECKSUM_AT, _checksum(bytes(page)))
        pages.append(bytes(page))
        at = end
    return b"".join(pages)


def _checksum(page: bytes) -> int:
    """RFC 3533's CRC-32: polynomial 04C11DB7, most significant bit first, start and final XOR zero.

    zlib has the same polynomial with the bits of every byte in reverse and ones for start and final XOR. So it gets
    reversed bytes and its result is reversed again: the speed of C without a table in Python.
    """
    reversed_sum = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reversed_sum:032b}"[::-1], 2)
