"""Checkpoint files: the same arrays come back, every wrong byte is detected, and no failure leaves half a file."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from fastadam.state import checkpoint, paths, reading

HEADER = {"optimizer": "Adam", "lr": 0.1, "betas": [0.9, 0.999], "nothing": None}
ARRAYS = {
    "state/0/exp_avg": np.arange(6, dtype=np.float32).reshape(2, 3),
    "state/0/empty": np.zeros((0, 3), np.float32),
    "state/1/scalar": np.float32(0.5).reshape(()),
    "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "long": np.zeros((1, 1, 1, 2), np.float32),
}


def write(path, header=HEADER, arrays=ARRAYS):
    paths.replace(path, lambda file: checkpoint.write(file, header, arrays.items()))


def read(path):
    """The header and the arrays of a file."""
    file, name = reading.opened(path)
    with file:
        _, header, stored = reading.read(file, name, 10**6)
        arrays = {}
        for key, (dtype, shape, start) in stored.items():
            file.seek(start)
            arrays[key] = np.frombuffer(file.read(stored[key].nbytes), dtype).reshape(shape)
        return header, arrays


def assert_same(arrays, expected):
    assert list(arrays) == list(expected)
    for name, array in expected.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


@pytest.mark.parametrize("as_path", [str, lambda path: path], ids=["str", "Path"])
def test_what_was_written_comes_back(tmp_path, as_path):
    path = as_path(tmp_path / "name without a suffix")
    write(path)
    header, arrays = read(path)
    assert header == HEADER | {"format": "fastadam checkpoint", "version": 1}
    assert_same(arrays, ARRAYS)
    assert os.listdir(tmp_path) == ["name without a suffix"]


def test_same_contents_are_the_same_bytes(tmp_path):
    for name in "ab":
        write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_numpy_reads_it(tmp_path):
    write(tmp_path / "state.npz")
    with np.load(tmp_path / "state.npz", allow_pickle=False) as archive:
        assert json.loads(archive["header"].tobytes())["lr"] == 0.1
        assert_same({name: archive[name] for name in archive.files if name != "header"}, ARRAYS)


def test_arrays_are_taken_one_at_a_time(tmp_path):
    """So that those of a GPU need not all be in the CPU's memory at once."""
    alive = []

    class Counted(np.ndarray):
        def __array_finalize__(self, other):
            alive.append(1)

        def __del__(self):
            alive.pop()

    def arrays():
        for i in range(5):
            assert len(alive) <= 2
            yield f"{i}", np.zeros(3, np.float32).view(Counted)

    paths.replace(tmp_path / "state", lambda file: checkpoint.write(file, {}, arrays()))
    assert len(read(tmp_path / "state")[1]) == 5


@pytest.fixture
def small_file(tmp_path, monkeypatch):
    """A file, of some blocks of the checksum all the same, and its bytes."""
    monkeypatch.setattr(reading, "_BLOCK", 100)
    path = tmp_path / "state"
    write(path, {"step": 3}, {"a": np.arange(3, dtype=np.float32)})
    return path, path.read_bytes()


def refuses(path):
    with pytest.raises(ValueError, match="expected") as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80, 0xFF])
def test_a_flipped_byte_anywhere_is_found(small_file, flip):
    path, good = small_file
    for i in range(len(good)):
        bad = bytearray(good)
        bad[i] ^= flip
        path.write_bytes(bad)
        refuses(path)
    path.write_bytes(good)
    read(path)


def test_a_missing_or_added_byte_anywhere_is_found(small_file):
    path, good = small_file
    for i in range(len(good)):
        for bad in (good[:i], good[:i] + good[i + 1 :], good[:i] + b"\0" + good[i:]):
            path.write_bytes(bad)
            refuses(path)
    path.write_bytes(good + b"\0")
    refuses(path)


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    np.savez(path, a=np.zeros(3))
    refuses(path)
    path.write_text("some text that is long enough to have a checksum")
    refuses(path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "missing")


@pytest.mark.parametrize(("name", "value"), [("version", 2), ("format", "another")])
def test_another_version_is_refused(tmp_path, monkeypatch, name, value):
    path = tmp_path / "state"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, name.upper(), value)
        write(path)
    with pytest.raises(ValueError, match=rf"{value}.*not a fastadam checkpoint, version 1") as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_pickles_are_not_written(tmp_path):
    path = tmp_path / "state"
    write(path)
    with pytest.raises(TypeError, match="dtype object; expected numbers"):
        write(path, arrays={"a": np.array([object()])})
    assert_same(read(path)[1], ARRAYS)
    assert os.listdir(tmp_path) == ["state"]


WRITER = """
import sys, numpy as np
from fastadam.state import checkpoint, paths
for generation in range(int(sys.argv[2]), 10**9):
    arrays = ((f"{i}", np.full(20_000, generation, np.float32)) for i in range(5))
    paths.replace(sys.argv[1], lambda file: checkpoint.write(file, {"generation": generation}, arrays))
    print(generation, flush=True)
"""


def test_a_killed_process_leaves_the_old_file_or_the_new(tmp_path):
    """Each is killed at a random moment of one of its writes; the next goes on from there."""
    path, last, chance = tmp_path / "state", 0, random.Random(0)
    for _ in range(10):
        process = subprocess.Popen([sys.executable, "-P", "-c", WRITER, path, str(last + 1)], stdout=subprocess.PIPE, text=True)
        finished = int(process.stdout.readline())
        time.sleep(chance.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        finished = max([finished, *map(int, process.communicate()[0].split())])
        header, arrays = read(path)
        assert last < finished <= header["generation"] <= finished + 1
        assert all((array == header["generation"]).all() for array in arrays.values())
        last = header["generation"]
    assert len(arrays) == 5
    write(path)
    assert os.listdir(tmp_path) == ["state"]  # what dead processes left is gone


FULL_DISK = """
import resource, sys, numpy as np
from fastadam.state import checkpoint, paths
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    paths.replace(sys.argv[1], lambda file: checkpoint.write(file, {}, [("a", np.zeros(100_000))]))
except OSError as error:
    print(error.errno, error.filename == sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX does")
def test_a_file_that_cannot_grow_leaves_the_old_one(tmp_path):
    path = tmp_path / "state"
    write(path)
    result = subprocess.run([sys.executable, "-P", "-c", FULL_DISK, path], capture_output=True, text=True)
    assert result.stdout.split() == [str(errno.EFBIG), "True"], result.stderr
    assert_same(read(path)[1], ARRAYS)
    assert os.listdir(tmp_path) == ["state"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, function):
    path = tmp_path / "state"
    write(path)

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, function, full)
        with pytest.raises(OSError, match="No space left"):
            write(path, {"other": 1})
    assert "other" not in read(path)[0]
    assert os.listdir(tmp_path) == ["state"]


def test_everything_is_flushed_before_the_rename_and_the_folder_after(tmp_path, monkeypatch):
    """Whatever a call finds in the folder is what the system has, and not only Python's buffer."""
    seen = []

    def spy(name, call):
        def spying(*arguments):
            seen.append((name, [path.read_bytes() for path in tmp_path.iterdir()]))
            return call(*arguments)

        monkeypatch.setattr(os, name, spying)

    spy("fsync", os.fsync)
    spy("replace", os.replace)
    write(tmp_path / "state")
    whole = [(tmp_path / "state").read_bytes()]
    assert seen == [(name, whole) for name in (["fsync", "replace", "fsync"] if os.name == "posix" else ["fsync", "replace"])]


@pytest.mark.parametrize("where", ["missing/state", "."])
def test_where_nothing_can_be_written(tmp_path, where):
    with pytest.raises(OSError):  # noqa: PT011
        write(tmp_path / where)
    assert os.listdir(tmp_path) == []


def test_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("state")
    assert_same(read("state")[1], ARRAYS)
