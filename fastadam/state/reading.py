"""Reads checkpoint files as strictly as they are written, and nothing of an array before someone has compared its shape.

Whatever bytes a file has, it is read or refused with ValueError, and memory for it is bounded by what the caller expects.
"""

import io
import json
import math
import os
import re
import zlib
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from fastadam.state.checkpoint import COMMENT, COMMENT_LENGTH, FORMAT, HEADER, LARGE, LOCAL, SIZES_64, VERSION
from fastadam.state.paths import expect_expanded

_BLOCK = 1 << 20
_MOST_DEPTH = 8  # of mappings and lists in a header
_DTYPES = (np.float32, np.float64, np.complex64, np.complex128, np.uint16, np.uint8)  # of states
_NPY = re.compile(
    rb"\x93NUMPY\x01\x00(?s:..)\{'descr': '(<f4|<f8|<c8|<c16|<u2|\|u1)', 'fortran_order': False, "
    rb"'shape': \(((?:\d{1,19}, ?)*(?:\d{1,19})?)\), \} *\n"
)


class Stored(NamedTuple):
    """An array in a file, as the file describes it."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int  # the place of its first element

    @property
    def nbytes(self) -> int:
        return self.dtype.itemsize * math.prod(self.shape)


class Contents(NamedTuple):
    """A file whose checksum is right."""

    file: BinaryIO
    header: dict[str, Any]
    arrays: dict[str, Stored]


def opened(source: Any) -> tuple[BinaryIO, str]:
    """A path or a binary file, as a file in which one can seek without running Python code, and its name."""
    if not isinstance(source, str | os.PathLike):
        if not hasattr(source, "read"):
            raise TypeError(f"path is a {type(source).__name__}; expected a str, an os.PathLike or a binary file")
        content = source.read()
        if not isinstance(content, bytes | bytearray | memoryview):
            raise TypeError(f"the file returns {type(content).__name__}; expected bytes; open it in mode 'rb'")
        return io.BytesIO(content), str(getattr(source, "name", "the file"))
    expect_expanded(source)
    name = os.fsdecode(source)
    return open(source, "rb"), name


def read(file: BinaryIO, name: str, most_header: int) -> Contents:
    """The header, of at most so many bytes, and where the arrays are. Raises ValueError that calls the file `name`."""
    try:
        return _parse(file, _whole(file), most_header)
    except _Damaged as damaged:
        raise ValueError(
            f"{name} {damaged}; expected a file that save() has written, byte for byte; use another file"
        ) from None


class _Damaged(Exception):
    """Says what is wrong with a file."""


def _whole(file: BinaryIO) -> int:
    """The number of bytes before the comment, whose checksum is right."""
    end = file.seek(0, os.SEEK_END) - COMMENT_LENGTH
    if end < 0:
        raise _Damaged("is too short")
    file.seek(end)
    comment = file.read().decode("ascii", "replace")
    if not comment.startswith(COMMENT.partition("{")[0]):
        raise _Damaged("does not end as such a file does")
    file.seek(0)
    checksum, left = 0, end
    while left > 0 and (block := file.read(min(left, _BLOCK))):
        checksum, left = zlib.crc32(block, checksum), left - len(block)
    if left or comment != COMMENT.format(checksum):
        raise _Damaged("has another checksum than it says")
    return end


def _parse(file: BinaryIO, end: int, most_header: int) -> Contents:
    members: dict[str, Stored] = {}
    header: dict[str, Any] = {}
    place = 0
    while (member := _member(file, place, end)) is not None:
        name, array = member
        if name in members:
            raise _Damaged(f"has two members {name!r}")
        members[name], place = array, array.start + array.nbytes
        if len(members) == 1:
            if name != HEADER or array.dtype != np.uint8:
                raise _Damaged(f"begins with {name!r}, and not with its header")
            header = _header(file, array, most_header)
        elif array.dtype not in _DTYPES:
            raise _Damaged(f"has an array {name!r} of {array.dtype}, which is not the type of a state,")
    if not members:
        raise _Damaged("has no members")
    del members[HEADER]
    return Contents(file, header, members)


def _member(file: BinaryIO, place: int, end: int) -> tuple[str, Stored] | None:
    """The member whose record is at `place`; None if another kind of record is there."""
    file.seek(place)
    record = file.read(LOCAL.size)
    if record[:4] != b"PK\3\4":
        if record[:4] != b"PK\1\2":
            raise _Damaged(f"has neither a member nor the end of them at byte {place}")
        return None
    if len(record) < LOCAL.size:
        raise _Damaged("ends within a member")
    _, _, flags, method, *_, packed, unpacked, name_size, extra_size = LOCAL.unpack(record)
    path = file.read(name_size)
    if flags or method or not path.endswith(b".npy") or not path.isascii():
        raise _Damaged(f"has a member {path[:100]!r} that is compressed, encrypted or no array")
    extra = file.read(extra_size)
    if (packed, unpacked, extra_size) != (LARGE, LARGE, SIZES_64.size):
        raise _Damaged(f"has a member {path[:100]!r} without sizes in 64 bits")
    tag, length, size, stored = SIZES_64.unpack(extra.ljust(SIZES_64.size, b"\0"))
    npy = file.read(10)
    npy += file.read(int.from_bytes(npy[8:], "little"))
    match = _NPY.fullmatch(npy)
    if (tag, length) != (1, 16) or match is None:
        raise _Damaged(f"has a member {path[:100]!r} that is no array as save() writes it")
    shape = tuple(int(each) for each in match[2].split(b",") if each.strip())
    start = place + LOCAL.size + name_size + extra_size + len(npy)
    array = Stored(np.dtype(match[1].decode()), shape, start)
    if len(shape) > 64 or size != stored or size != len(npy) + array.nbytes or start + array.nbytes > end:
        raise _Damaged(f"has a member {path[:100]!r} of another size than its shape says")
    return path[:-4].decode(), array


def _header(file: BinaryIO, array: Stored, most_header: int) -> dict[str, Any]:
    if array.nbytes > most_header:
        raise _Damaged(f"has a header of {array.nbytes} bytes, too many for this optimizer,")
    file.seek(array.start)
    try:
        header = json.loads(file.read(array.nbytes))
    except (ValueError, RecursionError):  # ValueError: of JSON, of an encoding or of a number of too many digits
        raise _Damaged("has a header that is no JSON") from None
    if not isinstance(header, dict) or _is_deeper(header, _MOST_DEPTH):
        raise _Damaged("has a header that is no mapping as save() writes it")
    if (found := (header.get("format"), header.get("version"))) != (FORMAT, VERSION):
        raise _Damaged(
            f"is {found[0]!r}, version {found[1]!r}, and not a {FORMAT}, version {VERSION}, which this fastadam reads"
        )
    return header


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    members = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(member, levels - 1) for member in members)
