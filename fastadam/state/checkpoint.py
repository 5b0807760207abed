"""Checkpoint files: ``.npz`` files that are replaced atomically and have a checksum of the whole file."""

import contextlib
import io
import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

FORMAT, VERSION = "fastadam checkpoint", 1
# ZIP has checksums of its members, but not of its own tables. The comment of the archive, at the end of the file, holds the
# checksum of everything before it.
_COMMENT = "fastadam crc32 {:08x}"
_LENGTH = len(_COMMENT.format(0))
_BLOCK = 1 << 20


def write(path: str | os.PathLike[str], header: dict[str, Any], arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Write `header` as JSON, and named arrays one at a time.

    If the process is killed, `path` is the old file or the complete new one.
    """
    folder, name = os.path.split(os.fspath(path))
    temporary = os.path.join(folder, f".{name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb+") as file:
            _write(file, header | {"format": FORMAT, "version": VERSION}, arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise
    _flush_folder(folder or os.curdir)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The header and the arrays. Raises ValueError if the file is damaged."""
    with open(path, "rb") as file:
        problem = _damage(file)
        if problem is not None:
            raise ValueError(
                f"{os.fspath(path)} {problem}; expected a file that save() has written, byte for byte; use another"
            )
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays.pop("header").tobytes())
    if header["format"] != FORMAT or header["version"] != VERSION:
        raise ValueError(
            f"{os.fspath(path)} is a {header['format']}, version {header['version']}; expected a {FORMAT}, version {VERSION}; "
            "read it with a newer fastadam"
        )
    return header, arrays


def _write(file: BinaryIO, header: dict[str, Any], arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.comment = _COMMENT.format(0).encode()
        _add(archive, "header", np.frombuffer(json.dumps(header).encode(), np.uint8))
        for name, array in arrays:
            _add(archive, name, array)
    end = file.seek(-_LENGTH, io.SEEK_END)
    checksum = _checksum(file, end)
    file.seek(end)
    file.write(_COMMENT.format(checksum).encode())


def _add(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    # A plain ZipInfo has a fixed date, so that equal contents give equal bytes.
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
        np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def _damage(file: BinaryIO) -> str | None:
    """What is wrong with a file, in words."""
    end = file.seek(0, io.SEEK_END) - _LENGTH
    if end < 0:
        return "is too short"
    file.seek(end)
    comment = file.read().decode("ascii", "replace")
    if not comment.startswith(_COMMENT.partition("{")[0]):
        return "does not end as such a file does"
    if comment != _COMMENT.format(_checksum(file, end)):
        return "has another checksum than it says"
    return None


def _checksum(file: BinaryIO, end: int) -> int:
    """The checksum of the first `end` bytes."""
    file.seek(0)
    checksum = 0
    while end > 0:
        block = file.read(min(end, _BLOCK))
        checksum, end = zlib.crc32(block, checksum), end - len(block)
    return checksum


def _flush_folder(folder: str) -> None:
    """Flush the new name to disk, where the system can flush a folder."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
