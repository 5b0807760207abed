"""Files that are not as save() writes them, with right checksums: each is refused with ValueError, and nothing is changed."""

import io
import json
import random
import re
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import F32, everything

import fastadam
from fastadam.state import checkpoint

GOLDEN = Path(__file__).parent / "golden"


def trained(value=1.0):
    params = [np.ones((2, 3), F32), np.ones((), F32)]
    optimizer = fastadam.Adam(params)
    optimizer.step([np.full_like(param, value) for param in params])
    return optimizer, params


def saved(optimizer):
    file = io.BytesIO()
    optimizer.save(file)
    return file.getvalue()


def sealed(content):
    """Bytes that end in a right checksum, in place of the one that was there."""
    content = content[: -checkpoint.COMMENT_LENGTH]
    return content + checkpoint.COMMENT.format(zlib.crc32(content)).encode()


def written(header=(), arrays=()):
    """A file of Adam with other entries in its header, and other or more arrays."""
    optimizer, _ = trained()
    content = io.BytesIO(saved(optimizer))
    with np.load(content) as archive:
        members = {name: archive[name] for name in archive.files}
    whole = json.loads(members.pop("header").tobytes()) | dict(header)
    file = io.BytesIO()
    checkpoint.write(file, whole, [*(members | dict(arrays)).items()])
    return file.getvalue()


def raw_header(text, behind=b"PK\1\2"):
    """A file whose header is these bytes, with what follows the first such mark behind that of a good file."""
    good = saved(trained()[0])
    file = io.BytesIO()
    out = checkpoint._Summed(file)
    checkpoint._add(out, "header", np.frombuffer(text, np.uint8))
    return sealed(file.getvalue() + good[good.index(behind, 4) :])


def zipped(compression=zipfile.ZIP_STORED, members=None):
    """The same members as another program writes them."""
    with np.load(io.BytesIO(saved(trained()[0]))) as archive:
        arrays = {name: archive[name] for name in archive.files}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, array in members or arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy") if not compression else f"{name}.npy", "w", force_zip64=True) as m:
                np.lib.format.write_array(m, array)
        archive.comment = b"0" * checkpoint.COMMENT_LENGTH
    return sealed(file.getvalue())


def doubled():
    good = saved(trained()[0])
    start, end = good.index(b"PK\3\4", 4), good.index(b"PK\1\2")
    return sealed(good[:end] + good[start:end] + good[end:])


def patched(old, new):
    good = saved(trained()[0])
    assert old in good
    return sealed(good.replace(old, new))


def longer_than_files():
    """An array whose end has no number that a place in a file could have."""
    good = patched(SHAPE + b" " * 20, b"'shape': (2305843009213693952,), }".ljust(len(SHAPE) + 20))
    place = good.index(struct.pack("<2H", 1, 16), good.index(b"exp_avg.npy")) + 4
    size = struct.unpack_from("<Q", good, place)[0] - 24 + (1 << 63)
    return sealed(good[:place] + struct.pack("<2Q", size, size) + good[place + 16 :])


def padded():
    """A right header, but for its length."""
    good = saved(trained()[0])
    with np.load(io.BytesIO(good)) as archive:
        return raw_header(archive["header"].tobytes() + b" " * (2 << 20), b"PK\3\4")


SHAPE = b"'shape': (2, 3), }   "
CRAFTED = {
    "compressed": lambda: zipped(zipfile.ZIP_DEFLATED),
    "a member twice": doubled,
    "header not first": lambda: zipped(members=[("state/0/exp_avg", np.zeros(3, F32))]),
    "no members": lambda: sealed(b"PK\5\6" + bytes(18) + b"0" * checkpoint.COMMENT_LENGTH),
    "only a checksum": lambda: sealed(b"0" * checkpoint.COMMENT_LENGTH),
    "header no JSON": lambda: raw_header(b"{"),
    "header no UTF-8": lambda: raw_header(b'{"a": "\xff"}'),
    "header nested": lambda: raw_header(b"[" * 100_000),
    "header closed and nested": lambda: raw_header(b'{"a": ' + b"[" * 500 + b"]" * 500 + b"}"),
    "header a list": lambda: raw_header(b"[]"),
    "header empty": lambda: raw_header(b"{}"),
    "header with a number of many digits": lambda: raw_header(b'{"version": ' + b"1" * 10_000 + b"}"),
    "header large": padded,
    "header only a format": lambda: raw_header(b'{"format": "fastadam checkpoint", "version": 1}'),
    "no state": lambda: written({"state": None}),
    "state a list": lambda: written({"state": [{}, {}]}),
    "state of no mapping": lambda: written({"state": {"0": 1, "1": 2}}),
    "state of another key": lambda: written({"state": {"0": {"step": 1}, "x": {"step": 1}}}),
    "groups no list": lambda: written({"param_groups": 3}),
    "group no mapping": lambda: written({"param_groups": [3]}),
    "group without shapes": lambda: written({"param_groups": [{"params": [0, 1]}]}),
    "shapes of text": lambda: written({"param_groups": [{"params": [0, 1], "param_shapes": ["a", {}]}]}),
    "a step that is a list": lambda: written({"state": {"0": {"step": []}, "1": {"step": 1}}}),
    "a count out of range": lambda: written({"step_count": 2**63 - 1}),
    "an array of no parameter": lambda: written(arrays={"state/7/exp_avg": np.zeros(3, F32)}),
    "an array of another name": lambda: written(arrays={"exp_avg": np.zeros(3, F32)}),
    "an array below an array": lambda: written(arrays={"state/0/exp_avg/x": np.zeros(3, F32)}),
    "an array in place of a step": lambda: written(arrays={"state/0/step": np.zeros((), F32)}),
    "an array that is not kept": lambda: written(arrays={"state/0/more": np.zeros(3, F32)}),
    "an array of another shape": lambda: written(arrays={"state/0/exp_avg": np.zeros((3, 2), F32)}),
    "an array of another dtype": lambda: written(arrays={"state/0/exp_avg": np.zeros((2, 3))}),
    "an array in Fortran's order": lambda: patched(b"'fortran_order': False, ", b"'fortran_order': True , "),
    "a dtype of objects": lambda: patched(b"'<f4'", b"'|O8'"),
    "a huge shape": lambda: patched(SHAPE + b" " * 20, b"'shape': (9999999999999, 3), }".ljust(len(SHAPE) + 20)),
    "a shape of many digits": lambda: patched(SHAPE + b" " * 30, b"'shape': (" + b"9" * 36 + b",), }"),
    "a shape beyond 64 bits": lambda: patched(
        SHAPE + b" " * 40, b"'shape': (9999999999999999999, 3), }".ljust(len(SHAPE) + 40)
    ),
    "a shape of another size": lambda: patched(SHAPE, b"'shape': (2, 4), }   "),
    "a negative shape": lambda: patched(SHAPE, b"'shape': (-2, -3), } "),
    "a name beyond ASCII": lambda: patched(b"exp_avg.npy", b"exp_av\xff.npy"),
    "a name of a folder above": lambda: patched(b"state/0/exp_avg.npy", b"../../0/exp_avg.npy"),
    "a method": lambda: patched(b"PK\3\4-\0\0\0\0\0", b"PK\3\4-\0\0\0\10\0"),
    "longer than files": longer_than_files,
    "a flag": lambda: patched(b"PK\3\4-\0\0\0", b"PK\3\4-\0\1\0"),
    "sizes that differ": lambda: patched(struct.pack("<2H", 1, 16), struct.pack("<2H", 1, 15)),
}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("case", CRAFTED)
def test_a_crafted_file_is_refused(case, strict, tmp_path):
    path = tmp_path / "crafted"
    path.write_bytes(CRAFTED[case]())
    optimizer, params = trained(3.0)
    before, counts = [array.copy() for array in everything(optimizer, params)], optimizer._members.counts
    if case == "header large" and not strict:
        return
    with pytest.raises(ValueError, match=re.escape(str(path))):
        optimizer.load(path, strict=strict)
    for array, old in zip(everything(optimizer, params), before, strict=True):
        np.testing.assert_array_equal(array, old)
    assert optimizer._members.counts == counts


def test_what_is_refused_needs_little_memory(tmp_path):
    """Not even a right file for a larger optimizer, of 64 MB, costs memory before its shapes are compared."""
    large = fastadam.SGD(np.zeros(1 << 24, F32), momentum=0.5)
    large.step(np.zeros(1 << 24, F32))
    large.save(tmp_path / "large")
    small = fastadam.SGD(np.zeros(8, F32), momentum=0.5)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="shape"):
            small.load(tmp_path / "large")
        large.load(tmp_path / "large")  # into the arrays that there are
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_mutated_file_is_refused_or_is_a_state():
    """With a right checksum, so that the rest of the reader sees it."""
    chance, good = random.Random(0), saved(trained()[0])
    loaded = 0
    for _ in range(1500):
        bad = bytearray(good)
        for _ in range(chance.choice([1, 1, 2, 8])):
            i = chance.randrange(len(bad))
            kind = chance.randrange(4)
            if kind == 0:
                bad[i] = chance.randrange(256)
            elif kind == 1:
                bad[i] ^= 1 << chance.randrange(8)
            elif kind == 2:
                del bad[i : i + chance.randrange(1, 40)]
            else:
                bad[i:i] = bad[chance.randrange(len(bad)) :][: chance.randrange(1, 40)]
        optimizer, params = trained(3.0)
        before = [array.copy() for array in everything(optimizer, params)]
        options = repr(optimizer), optimizer._members.counts
        mode = chance.choice(["same", "load", "keep"])
        try:
            optimizer.load(io.BytesIO(sealed(bytes(bad))), strict=chance.random() < 0.5, hyperparameters=mode)
        except (ValueError, TypeError):
            assert all(a.tobytes() == b.tobytes() for a, b in zip(everything(optimizer, params), before, strict=True))
            assert options == (repr(optimizer), optimizer._members.counts)
        else:
            loaded += 1
            again = fastadam.Adam([param.copy() for param in params])
            again.load(io.BytesIO(saved(optimizer)), hyperparameters="load")
            pairs = zip(everything(optimizer, []), everything(again, []), strict=True)
            assert all(a.tobytes() == b.tobytes() for a, b in pairs)
    assert loaded > 50


# A file of each version that there was, with what is in it. A new version gets a new file; these stay.


def test_golden_file_of_version_1():
    params = {"w": np.zeros((2, 3), F32), "b": np.zeros((), F32), "empty": np.zeros((0, 3), F32)}
    optimizer = fastadam.Adam(params, lr=0.25, betas=(0.5, 0.75), amsgrad=True, ema_decay=0.5)
    optimizer.load(GOLDEN / "checkpoint-1.npz")
    assert (optimizer.step_count, optimizer.skipped_steps) == (2, 1)
    w, v = [[0, 0.5, 1], [1.5, 2, 2.5]], [[0, 0.25, 1], [2.25, 4, 6.25]]
    expected = {
        "w": {"step": 1, "exp_avg": w, "exp_avg_sq": v, "max_exp_avg_sq": v, "ema": [[0, 0, 0.25], [0.5, 0.75, 1]]},
        "b": {"step": 1, "exp_avg": -1, "exp_avg_sq": 1, "max_exp_avg_sq": 1, "ema": 1.25},
        "empty": {"step": 0},
    }
    for name, state in expected.items():
        assert int(optimizer.state[name]["step"]) == state.pop("step")
        for key, values in state.items():
            assert_same_bits(optimizer.state[name][key], np.array(values, F32))
    again = io.BytesIO()
    optimizer.save(again)
    fastadam.Adam(params, lr=0.25, betas=(0.5, 0.75), amsgrad=True, ema_decay=0.5).load(io.BytesIO(again.getvalue()))
