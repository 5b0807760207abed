"""Ctrl-C, or a failure, at any point of a load or a save: all of the old state or file, or all of the new one."""

import functools
import io
import itertools
import os

import numpy as np
import pytest
from refusals import F32
from test_interrupts import everything, interrupted

import fastadam


def made(lr, steps, **options):
    params = {"w": np.ones((2, 3), F32), "b": np.ones((), F32)}
    optimizer = fastadam.AdamW([{"params": {"w": params["w"]}, "lr": lr}, {"params": {"b": params["b"]}, "eps": lr}], **options)
    for t in range(steps):
        optimizer.step({name: np.full_like(param, t - 1.5) for name, param in params.items()})
    for param in params.values():
        param[...] = 1
    return optimizer, list(params.values())


def from_file(optimizer, source, path):
    optimizer.load(path, hyperparameters="load")


def from_file_object(optimizer, source, path):
    optimizer.load(io.BytesIO(path.read_bytes()), hyperparameters="load")


def from_state_dict(optimizer, source, path):
    optimizer.load_state_dict(source.state_dict(), hyperparameters="load")


def some_from_file(optimizer, source, path):
    optimizer.load(path, strict=False, hyperparameters="load")


# Between open() and the `with` that will close the file, only its destructor can close it, which says so if warnings are on.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

# Every line, and every 53rd bytecode, which is another place of a line each time.
POINTS = [("line", 1), ("opcode", 53)]


@pytest.mark.parametrize(("kind", "stride"), POINTS)
@pytest.mark.parametrize("load", [from_file, from_file_object, from_state_dict, some_from_file])
def test_an_interrupt_comes_before_a_load_or_after_it(load, kind, stride, tmp_path):
    path = tmp_path / "state"
    source, _ = made(0.25, 3)
    source.save(path)
    optimizer, params = made(0.5, 1)
    before = everything(optimizer, params)
    load(optimizer, source, path)
    after = everything(optimizer, params)
    assert before != after
    seen = set()
    optimizer, params = made(0.5, 1)
    for number in itertools.count(0, stride):
        if not interrupted(functools.partial(load, optimizer, source, path), number, kind):
            break
        found = everything(optimizer, params)
        assert found in (before, after), f"{kind} {number}"
        seen.add(found == after)
        if found == after:
            optimizer, params = made(0.5, 1)
    assert seen == {False, True}


@pytest.mark.parametrize(("kind", "stride"), POINTS)
def test_an_interrupted_save_leaves_the_old_file_or_the_new(kind, stride, tmp_path, capfd):
    path = tmp_path / "state"
    old, new = made(0.25, 3)[0], made(0.5, 1)[0]
    files = []
    for optimizer in (new, old):
        optimizer.save(path)
        files.append(path.read_bytes())
    seen = set()
    for number in itertools.count(0, stride):
        if not interrupted(lambda: new.save(path), number, kind):
            break
        assert os.listdir(tmp_path) == ["state"], f"{kind} {number}"
        found = files.index(path.read_bytes())
        seen.add(found)
        if found == 0:
            old.save(path)
    assert seen == {0, 1}
    assert capfd.readouterr() == ("", "")  # nothing is said of what is closed or cut off


def test_a_file_that_is_cut_off_between_the_readings_is_said_to_be(tmp_path, monkeypatch):
    from fastadam.state import restoring

    path, param = tmp_path / "state", np.ones(100_000, F32)  # more than Python reads ahead
    optimizer = fastadam.Adam(param)
    optimizer.save(path)
    commit = restoring._commit

    def cut_off(*arguments):
        os.truncate(path, 2000)
        commit(*arguments)

    monkeypatch.setattr(restoring, "_commit", cut_off)
    with pytest.raises(OSError, match="cut off while it was read, and the state is incomplete; load it again"):
        optimizer.load(path)


def test_state_that_cannot_be_written_is_refused_before(tmp_path):
    source, _ = made(0.25, 3)
    optimizer, params = made(0.5, 1)
    optimizer.state["b"]["exp_avg_sq"].flags.writeable = False
    before = everything(optimizer, params)
    with pytest.raises(ValueError, match="read-only; make it writeable"):
        optimizer.load_state_dict(source.state_dict(), hyperparameters="load")
    assert everything(optimizer, params) == before
