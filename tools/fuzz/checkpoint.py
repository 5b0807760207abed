#!/usr/bin/env python
"""Fuzzes the reader of checkpoint files, with right checksums: a file is refused and nothing has changed, or is what is loaded.

An input's first byte chooses an optimizer and a call. The rest is a file, or a header and arrays of which a file is made.
"""

import io
import sys
import zlib

import atheris
import numpy as np

with atheris.instrument_imports(include=["fastadam"]):
    import fastadam
    from fastadam.state import checkpoint, matching, reading, restoring  # noqa: F401

F32 = np.float32
SHAPES = ((2, 3), (), (0, 3), (5,))
MODES = ("same", "load", "keep")
SEPARATOR = b"\n\n"


def optimizer_of(kind):
    """One of four optimizers that have taken a step, and its parameters."""
    params = {f"p{i}": np.full(shape, i + 1, F32) for i, shape in enumerate(SHAPES[: 2 + kind])}
    if kind == 0:
        optimizer = fastadam.Adam([*params.values()])
    elif kind == 1:
        optimizer = fastadam.AdamW(params, amsgrad=True, ema_decay=0.5)
    elif kind == 2:
        groups = [{"params": [params["p0"]], "lr": 0.5}, {"params": [*params.values()][1:], "momentum": 0.5}]
        optimizer = fastadam.SGD(groups, momentum=0.25)
    else:
        optimizer = fastadam.RMSprop(params, lr=lambda step: 0.1, centered=True)
    grads = {name: param.copy() for name, param in params.items()}
    optimizer.step(grads if kind % 2 else [*grads.values()])
    return optimizer, [*params.values()]


def copies_of(optimizer):
    return [{name: array.tobytes() for name, array in state.items()} for state in optimizer._members.states]


def described(optimizer, params):
    """All that a load may change, and what it may not."""
    options = [{name: repr(value) for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    return [param.tobytes() for param in params], copies_of(optimizer), options, optimizer._members.counts


def sealed(body):
    return body + checkpoint.COMMENT.format(zlib.crc32(body)).encode()


def made(text):
    """A file of a header and of lines "name shape byte", for arrays whose bytes are that one."""
    header, *lines = text.split(SEPARATOR)
    file = io.BytesIO()
    out = checkpoint._Summed(file)
    entries = [checkpoint._add(out, "header", np.frombuffer(header, np.uint8))]
    for line in lines[:20]:
        name, _, rest = line.partition(b" ")
        shape, _, byte = rest.partition(b" ")
        sizes = [int(size) for size in shape.split(b",") if size.isdigit() and len(size) < 4][:4]
        if np.prod(sizes, initial=1) < 1000:
            array = np.full(int(np.prod(sizes, initial=1)) * 4, (byte or b"\0")[0], np.uint8).view(F32).reshape(sizes)
            entries.append(checkpoint._add(out, name.decode("ascii", "replace").replace("\ufffd", "?"), array))
    return sealed(file.getvalue() + b"".join(entries))


def as_text(content):
    """A file that save wrote, as an input for made()."""
    with np.load(io.BytesIO(content)) as archive:
        parts = [archive["header"].tobytes()]
        parts += [f"{n} {','.join(map(str, archive[n].shape))} a".encode() for n in archive.files if n != "header"]
    return SEPARATOR.join(parts)


def seeds():
    """The corpus's first inputs."""
    for kind in range(4):
        file = io.BytesIO()
        optimizer_of(kind)[0].save(file)
        for strict in range(2):
            choice = kind | strict << 2
            yield bytes([choice]) + file.getvalue()[: -checkpoint.COMMENT_LENGTH]
            yield bytes([choice | 0x80]) + as_text(file.getvalue())


def test_one_input(data):
    if not data:
        return
    choice, rest = data[0], data[1:]
    optimizer, params = optimizer_of(choice & 3)
    content = made(rest) if choice & 0x80 else rest if choice & 0x40 else sealed(rest)
    before = described(optimizer, params)
    try:
        optimizer.load(io.BytesIO(content), strict=bool(choice & 4), hyperparameters=MODES[(choice >> 3) % 3])
    except (ValueError, TypeError):
        assert described(optimizer, params) == before, "a refused file has changed something"
        return
    assert [param.tobytes() for param in params] == before[0], "a file has changed a parameter"
    for old, new in zip(before[1], copies_of(optimizer), strict=True):
        for name, values in new.items():
            assert values == old[name] or values in content, f"{name} is not in the file"
    steps, skipped, step_count = optimizer._members.counts
    for old, count in zip([*before[3][0], *before[3][1:]], [*steps, skipped, step_count], strict=True):
        assert count == old or str(count).encode() in content, f"the count {count} is not in the file"
    file = io.BytesIO()
    optimizer.save(file)
    loaded = described(optimizer, params)
    optimizer.step_count = 7
    optimizer.load(io.BytesIO(file.getvalue()), hyperparameters="keep")
    assert described(optimizer, params) == loaded, "a file that was loaded and saved has other contents"


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
