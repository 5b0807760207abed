"""Files that are replaced atomically: written beside the old one, flushed to disk and renamed."""

import contextlib
import os
import secrets
import stat
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO


def expect_expanded(path: Any) -> None:
    """Refuse a path with ``~``, which only shells and :func:`os.path.expanduser` replace."""
    first = os.fsdecode(path).partition(os.sep)[0]
    if first.startswith("~") and not os.path.lexists(first):
        raise ValueError(
            f"path is {os.fsdecode(path)!r}, and ~ is not replaced by a home folder here; pass os.path.expanduser(path), or "
            "./~... for a file of that name"
        )


def replace(path: str | os.PathLike[str], write: Callable[[BinaryIO], Any]) -> None:
    """Let `write` write a new file, which then replaces `path`, or what it links to, and has the old one's permissions.

    If the process is killed, `path` is the old file or the complete new one. What raises leaves the old one.
    """
    expect_expanded(path)
    target = os.path.realpath(path)
    try:
        _replace(target, write)
    except OSError as error:
        if error.errno is not None:
            error.filename, error.filename2 = os.fspath(path), None  # and not that of a temporary file
        raise


def _replace(target: str, write: Callable[[BinaryIO], Any]) -> None:
    folder, name = os.path.split(target)
    # Short, since `name` may be as long as names can be.
    prefix = f".fastadam-{zlib.crc32(os.fsencode(name)):08x}-{zlib.crc32(_host().encode()):08x}-"
    _remove_left(folder, prefix)
    temporary = os.path.join(folder, f"{prefix}{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        mode: int | None = stat.S_IMODE(os.stat(target).st_mode)
    except FileNotFoundError:
        mode = None
    try:
        with open(temporary, "xb", opener=lambda path, flags: os.open(path, flags, 0o666 if mode is None else mode)) as file:
            if mode is not None and os.name == "posix":
                os.chmod(temporary, mode)  # which the umask may have narrowed
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise
    try:  # noqa: SIM105, contextlib.suppress allocates
        _flush_folder(folder)
    except (OSError, MemoryError):
        pass  # the file is complete and in place, whatever the folder can do


def _host() -> str:
    return os.uname().nodename if os.name == "posix" else ""


def _remove_left(folder: str, prefix: str) -> None:
    """Remove temporary files for the same target that dead processes of this machine have left."""
    if os.name != "posix":
        return  # where whether a process lives cannot be asked without harm
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            process = name[len(prefix) :].partition("-")[0]
            if name.startswith(prefix) and name.endswith(".tmp") and process.isdecimal() and not _lives(int(process)):
                with contextlib.suppress(OSError):
                    os.remove(os.path.join(folder, name))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # of another user
    return True


def _flush_folder(folder: str) -> None:
    """Flush the new name to disk, where the system can flush a folder."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
