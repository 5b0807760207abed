"""Where save() writes: links, permissions, long names, file objects, what dead processes left, and what errors name."""

import io
import os
import stat
import subprocess
import sys

import numpy as np
import pytest
from refusals import F32

import fastadam
from fastadam.state import paths

posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links as POSIX has them")


def trained(steps=1):
    optimizer = fastadam.Adam(np.ones(3, F32))
    for _ in range(steps):
        optimizer.step(np.ones(3, F32))
    return optimizer


def steps_in(source):
    optimizer = fastadam.Adam(np.ones(3, F32))
    optimizer.load(source)
    return optimizer.step_count


@posix
@pytest.mark.parametrize("kind", ["relative", "absolute", "chain", "dangling"])
def test_a_link_stays_one(kind, tmp_path):
    (tmp_path / "run").mkdir()
    target, link = tmp_path / "run" / "state", tmp_path / "latest"
    if kind != "dangling":
        trained().save(target)
    if kind == "chain":
        (tmp_path / "next").symlink_to(target)
    link.symlink_to({"relative": "run/state", "chain": "next"}.get(kind, target))
    trained(2).save(link)
    assert link.is_symlink()
    assert steps_in(target) == steps_in(link) == 2
    assert os.listdir(tmp_path / "run") == ["state"]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o400])
@pytest.mark.parametrize("umask", [0o022, 0o077, 0])
def test_permissions_stay_and_those_of_new_files_are_the_umask_s(mode, umask, tmp_path):
    path = tmp_path / "state"
    previous = os.umask(umask)
    try:
        trained().save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
        path.chmod(mode)
        trained(2).save(path)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("name", ["n" * 255, "ü" * 127, "~", "a b"])
def test_any_name(name, tmp_path):
    trained().save(tmp_path / name)
    assert steps_in(tmp_path / name) == 1
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("call", ["save", "load"])
def test_a_home_folder_is_not_guessed(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("~/state", "~user/state", "~"):
        with pytest.raises(ValueError, match=r"os\.path\.expanduser\(path\), or \./~"):
            getattr(trained(), call)(path)
    assert os.listdir(tmp_path) == []
    trained().save("./~")
    trained(2).save("~")  # it exists
    assert steps_in("~") == 2


class Unseekable(io.RawIOBase):
    """A pipe, which also takes less than it is given."""

    def __init__(self):
        self.content = b""

    def writable(self):
        return True

    def write(self, data):
        part = bytes(data[:7])
        self.content += part
        return len(part)


def test_file_objects(tmp_path):
    trained().save(tmp_path / "state")
    content = (tmp_path / "state").read_bytes()
    memory, pipe = io.BytesIO(), Unseekable()
    for file in (memory, pipe):
        trained().save(file)
    assert memory.getvalue() == pipe.content == content
    assert steps_in(io.BytesIO(content)) == 1
    with open(tmp_path / "state", "rb") as file:
        assert steps_in(file) == 1
    with open(tmp_path / "other", "wb") as file:
        trained().save(file)
    assert (tmp_path / "other").read_bytes() == content
    with pytest.raises(TypeError, match="returns str; expected bytes; open it in mode 'rb'"):
        steps_in(io.StringIO("text"))
    for call in (trained().save, trained().load):
        with pytest.raises(TypeError, match=r"path is a int; expected a str, an os\.PathLike or a binary file"):
            call(3)
    with pytest.raises(ValueError, match=r"^the file is too short"):
        steps_in(io.BytesIO())


@pytest.mark.parametrize("make", [lambda p: p / "missing" / "state", lambda p: p, lambda p: p / ("n" * 256)])
def test_errors_name_the_user_s_path(make, tmp_path):
    path = make(tmp_path)
    for call in (trained().save, trained().load):
        with pytest.raises(OSError) as caught:  # noqa: PT011
            call(str(path))
        assert (caught.value.filename, caught.value.filename2) == (str(path), None)
        assert ".tmp" not in str(caught.value)
    assert os.listdir(tmp_path) == []


@posix
def test_what_dead_processes_left_is_removed(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    trained().save(tmp_path / "state")
    names = []
    paths.replace(tmp_path / "state", lambda file: names.append(os.path.basename(file.name)))
    (prefix, process, number), other = names[0].rsplit("-", 2), names[0].replace(".fastadam-", ".fastadam-0")
    left = f"{prefix}-{dead.pid}-{number}"
    kept = [f"{prefix}-{process}-{number}", f"{prefix}-1-{number}", other.replace(process, str(dead.pid)), f"{prefix}-x.tmp"]
    for name in [left, *kept]:
        (tmp_path / name).touch()
    trained().save(tmp_path / "state")
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, "state"])


def test_a_folder_that_cannot_be_flushed_is_no_error(tmp_path, monkeypatch):
    def broken(folder):
        raise OSError("cannot be flushed")

    monkeypatch.setattr(paths, "_flush_folder", broken)
    trained().save(tmp_path / "state")
    assert steps_in(tmp_path / "state") == 1
