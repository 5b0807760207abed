"""Checkpoint files: ``.npz`` files, written member by member, that have a checksum of the whole file.

ZIP has checksums of its members, but not of its own tables. The comment of the archive, at the end of the file, holds the
checksum of everything before it. Members are stored, not compressed, so that their arrays can be read in place.
"""

import io
import json
import struct
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT, VERSION = "fastadam checkpoint", 1
COMMENT = "fastadam crc32 {:08x}"
COMMENT_LENGTH = len(COMMENT.format(0))
HEADER = "header"  # the first member, with JSON as bytes

# ZIP's records (APPNOTE.TXT, sections 4.3 and 4.5.3), always with its 64-bit sizes.
LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END_64, _LOCATOR, _END = struct.Struct("<4sQ2H2I4Q"), struct.Struct("<4sIQI"), struct.Struct("<4s4H2IH")
SIZES_64 = struct.Struct("<2H2Q")
_PLACE_64 = struct.Struct("<2H3Q")
SMALL, LARGE = 0xFFFF, 0xFFFFFFFF  # stand for a value in 64 bits elsewhere
ZIP_VERSION, DATE = 45, 33  # 1 January 1980 always, so that equal contents give equal bytes


class _Summed:
    """Writes to `file`, counts the bytes and keeps their checksum."""

    def __init__(self, file: Any) -> None:
        self._file, self.size, self.checksum = file, 0, 0

    def write(self, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        while rest.nbytes:
            written = self._file.write(rest)
            part = rest if written is None else rest[:written]  # a raw file may write less than it is asked to
            self.checksum, self.size = zlib.crc32(part, self.checksum), self.size + part.nbytes
            rest = rest[part.nbytes :]


def write(file: Any, header: dict[str, Any], arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Write `header` as JSON, and named arrays one at a time, to a binary file, which need not be seekable."""
    out, entries = _Summed(file), []
    text = np.frombuffer(json.dumps(header | {"format": FORMAT, "version": VERSION}).encode(), np.uint8)
    entries.append(_add(out, HEADER, text))
    entries += [_add(out, name, array) for name, array in arrays]
    start = out.size
    for entry in entries:
        out.write(entry)
    size, count = out.size - start, len(entries)
    out.write(_END_64.pack(b"PK\6\6", _END_64.size - 12, ZIP_VERSION, ZIP_VERSION, 0, 0, count, count, size, start))
    out.write(_LOCATOR.pack(b"PK\6\7", 0, start + size, 1))
    out.write(_END.pack(b"PK\5\6", 0, 0, SMALL, SMALL, LARGE, LARGE, COMMENT_LENGTH))
    out.write(COMMENT.format(out.checksum).encode())


def _add(out: _Summed, name: str, array: NDArray[Any]) -> bytes:
    """Write a member; returns its entry in the central directory."""
    start, header = out.size, _npy_header(array)
    contents: list[bytes | memoryview] = [header, np.ascontiguousarray(array).reshape(-1).view(np.uint8).data]
    path, size, checksum = f"{name}.npy".encode("ascii"), sum(map(len, contents)), 0
    for part in contents:
        checksum = zlib.crc32(part, checksum)
    described = (ZIP_VERSION, 0, 0, 0, DATE, checksum, LARGE, LARGE, len(path))
    out.write(LOCAL.pack(b"PK\3\4", *described, SIZES_64.size) + path + SIZES_64.pack(1, 16, size, size))
    for part in contents:
        out.write(part)
    entry = _CENTRAL.pack(b"PK\1\2", ZIP_VERSION, *described, _PLACE_64.size, 0, 0, 0, 0, LARGE)
    return entry + path + _PLACE_64.pack(1, 24, size, size, start)


def _npy_header(array: NDArray[Any]) -> bytes:
    if array.dtype.hasobject:
        raise TypeError(f"an array has dtype {array.dtype}; expected numbers, which are stored without pickles")
    contents, file = np.lib.format.header_data_from_array_1_0(np.ascontiguousarray(array).reshape(array.shape)), io.BytesIO()
    np.lib.format.write_array_header_1_0(file, contents)
    return file.getvalue()
