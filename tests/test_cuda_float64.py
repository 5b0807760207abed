"""Optimizers of float64 arrays on a GPU, and what happens where two types meet. test_cuda_groups.py has their steps."""

import io

import numpy as np
import pytest
from buffers import assert_same_bits
from cuda_exporters import Exporter, Interface
from twins import LIST, ONE, Twins
from variants import ONE_OF_EACH, of_both_types

import fastadam
from fastadam import reference

F32, F64 = np.float32, np.float64
FLOAT64 = [variant for variant in of_both_types(ONE_OF_EACH) if variant.dtype == "float64"]


@pytest.mark.parametrize("variant", FLOAT64, ids=str)
@pytest.mark.parametrize("sizes", [ONE, LIST], ids=["one", "list"])
def test_a_resumed_run_has_the_same_bits(device, variant, sizes):
    """From the GPU's file to another optimizer there, and to one on the CPU."""
    twins = Twins(device, sizes, variant.make, dtype="float64", ema_decay=0.9)
    twins.steps(3)
    twins.assert_same()
    file = io.BytesIO()
    twins.gpu.save(file)
    other = Twins(device, sizes, variant.make, dtype="float64", ema_decay=0.9)
    for resumed, params in ((other.gpu, other.on_gpu), (other.cpu, other.params)):
        file.seek(0)
        resumed.load(file)
        for param, array in zip(twins.params, params, strict=True):
            if isinstance(array, np.ndarray):
                array[...] = param
            else:
                device.write(array, param)
    other.step()
    other.assert_same()


def test_state_of_the_other_type_is_converted_only_if_asked(device):
    twins = Twins(device, LIST, fastadam.AdamW, dtype="float64")
    twins.steps(2)
    file = io.BytesIO()
    twins.gpu.save(file)
    narrow = Twins(device, LIST, fastadam.AdamW)
    file.seek(0)
    with pytest.raises(ValueError, match="or pass dtype='convert'"):
        narrow.gpu.load(file)
    for optimizer in (narrow.gpu, narrow.cpu):
        file.seek(0)
        optimizer.load(file, dtype="convert")
    narrow.step()
    narrow.assert_same()


@pytest.mark.parametrize("dtypes", [(F64, F32), (F32, F64)], ids=["float64 first", "float32 first"])
def test_two_types_do_not_mix(device, dtypes):
    first, other = (np.dtype(dtype) for dtype in dtypes)
    ones = [device.upload(np.ones(3, dtype)) for dtype in dtypes]
    words = rf"has dtype '{other.str}' \({other.name}\); expected {first.name}"
    with pytest.raises(TypeError, match=rf"params\[1\] {words}.*dtype of params\[0\]"):
        fastadam.Adam(ones)
    with pytest.raises(TypeError, match=rf"grads\[1\] {words}"):
        fastadam.global_norm(ones)
    with pytest.raises(TypeError, match=f"{other.name}"):
        fastadam.flatten({"a": ones[0], "b": ones[1]})
    optimizer = fastadam.Adam(ones[0])
    with pytest.raises(TypeError, match=f"grads {words}"):
        optimizer.step(ones[1])
    assert (device.download(ones[0]) == 1).all()


@pytest.mark.parametrize("wrap", [Interface, Exporter])
def test_arrays_of_other_libraries(device, wrap):
    """Their type is asked of what they export."""
    param, expected = device.upload(np.ones(7)), np.ones(7)
    optimizer = fastadam.Adam(wrap(param), lr=0.1)
    for _ in range(2):
        optimizer.step(wrap(device.upload(np.full(7, 1e-3))))
    other = fastadam.Adam(expected, lr=0.1)
    for _ in range(2):
        other.step(np.full(7, 1e-3))
    assert_same_bits(device.download(param), expected)


def test_arrays_in_one_buffer(device):
    values = {"a": np.arange(6.0).reshape(2, 3), "b": np.ones(())}
    flat, views = fastadam.flatten({name: device.upload(array) for name, array in values.items()})
    assert flat.dtype == F64
    assert flat.data.ptr % 64 == 0
    for name, array in values.items():
        assert_same_bits(np.ascontiguousarray(device.download(views[name])), np.ascontiguousarray(array))


@pytest.mark.parametrize("capturable", [False, True])
@pytest.mark.parametrize("scale", [1e200, 1e-200, 2.0**-1060, 1.0])
def test_norms_of_what_float64_cannot_square(device, scale, capturable):
    twins = Twins(device, [5, 70_001, 3], fastadam.SGD, capturable=capturable, dtype="float64", lr=1.0)
    for _ in range(2):
        grads = [grad * scale for grad in twins.random_grads()]
        assert reference.global_norm(grads) > 0
        twins.step(grads, max_norm=1.0)
    twins.assert_same()


def test_rates_that_float32_would_round_away(device):
    twins = Twins(device, [100], fastadam.Adam, dtype="float64", betas=(0.9, 1 - 1e-12), eps=1e-300)
    twins.steps(3)
    twins.assert_same()
