"""Loaders of MNIST, CIFAR-10 and IMDB on small files in the real formats, and their errors if files are missing or broken."""

import gzip
import pickle
import re

import numpy as np
import pytest
from gallery_programs import gallery_module

data = gallery_module("lab.data")

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 28, 28), np.uint8)
LABELS = np.array([7, 0, 9], np.uint8)
PLANES = RNG.integers(0, 256, (10, 3, 32, 32), np.uint8)  # two images for each of five batches


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_mnist(folder, images=None, labels=None, end=""):
    write(folder / f"train-images-idx3-ubyte{end}", idx(IMAGES) if images is None else images)
    write(folder / f"train-labels-idx1-ubyte{end}", idx(LABELS) if labels is None else labels)


def old_pickle(value):
    """What the pickle module of Python 2, which wrote CIFAR-10, makes of nested dicts, lists, byte strings and arrays."""
    if isinstance(value, dict):
        return b"}(" + b"".join(old_pickle(part) for item in value.items() for part in item) + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(old_pickle, value)) + b"e"
    if isinstance(value, bytes):
        return b"T" + len(value).to_bytes(4, "little") + value
    if isinstance(value, int):
        return b"J" + value.to_bytes(4, "little", signed=True)
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + b"(" + old_pickle(0) + b"t" + old_pickle(b"b") + b"tR"
    dtype = b"cnumpy\ndtype\n(" + old_pickle(b"u1") + old_pickle(0) + old_pickle(1) + b"tR"
    dtype += b"(" + old_pickle(3) + old_pickle(b"|") + b"NNN" + old_pickle(-1) + old_pickle(-1) + old_pickle(0) + b"tb"
    shape = b"(" + b"".join(map(old_pickle, value.shape)) + b"t"
    return array + b"(" + old_pickle(1) + shape + dtype + b"I00\n" + old_pickle(value.tobytes()) + b"tb"


def write_cifar_binary(folder):
    for k in range(5):
        records = [bytes([k]) + PLANES[row].tobytes() for row in (2 * k, 2 * k + 1)]
        write(folder / f"data_batch_{k + 1}.bin", b"".join(records))


def write_cifar_python(folder):
    for k in range(5):
        batch = {b"data": PLANES[2 * k : 2 * k + 2].reshape(2, -1), b"labels": [k, k], b"batch_label": b"training batch"}
        write(folder / f"data_batch_{k + 1}", b"\x80\x02" + old_pickle(batch) + b".")


@pytest.mark.parametrize("where", [".", "MNIST/raw"])
@pytest.mark.parametrize(("end", "pack"), [("", bytes), (".gz", gzip.compress)])
def test_mnist(tmp_path, where, end, pack):
    write_mnist(tmp_path / where, pack(idx(IMAGES)), pack(idx(LABELS)), end)
    loaded = data.mnist(tmp_path)
    assert loaded.inputs.shape == (3, 28, 28, 1)
    assert loaded.pixels.shape == (3, 784)
    assert loaded.inputs.dtype == np.float32
    assert np.array_equal(loaded.inputs[..., 0], IMAGES / np.float32(255))
    assert loaded.labels.tolist() == [7, 0, 9]
    assert loaded.classes == 10
    assert "MNIST, 3 images" in loaded.name


@pytest.mark.parametrize("where", [".", "archive"])
@pytest.mark.parametrize(("write_all", "archive"), [(write_cifar_binary, "bin"), (write_cifar_python, "py")])
def test_cifar10(tmp_path, where, write_all, archive):
    write_all(tmp_path / where.replace("archive", f"cifar-10-batches-{archive}"))
    loaded = data.cifar10(tmp_path)
    assert loaded.inputs.shape == (10, 32, 32, 3)
    assert loaded.inputs.dtype == np.float32
    assert np.array_equal(loaded.inputs[4, :, :, 2], PLANES[4, 2] / np.float32(255))
    assert loaded.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_old_pickles_are_what_pickle_reads():
    value = {b"data": PLANES[0], b"labels": [1, 2]}
    loaded = pickle.loads(b"\x80\x02" + old_pickle(value) + b".", encoding="bytes")
    assert np.array_equal(loaded[b"data"], PLANES[0])
    assert loaded[b"labels"] == [1, 2]


@pytest.mark.parametrize("where", [".", "aclImdb"])
def test_imdb(tmp_path, where):
    for kind, reviews in {"pos": ["A fine, fine film", "fine film"], "neg": ["bad film"]}.items():
        for number, review in enumerate(reviews):
            write(tmp_path / where / "train" / kind / f"{number}_10.txt", review.encode())
    loaded = data.imdb(tmp_path)
    assert loaded.labels.tolist() == [0, 1, 1]
    assert loaded.inputs.dtype == np.float32
    assert loaded.inputs.toarray().tolist() == [[1, 1, 0], [0, 1, 2], [0, 1, 1]]  # bad, film, fine


EXPECTED = {
    "mnist": "train-images-idx3-ubyte, train-labels-idx1-ubyte or train-images-idx3-ubyte.gz, ",
    "cifar10": "data_batch_1.bin, data_batch_2.bin, ",
    "imdb": "train/neg, train/pos or aclImdb/train/neg, aclImdb/train/pos",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_missing_is_named(tmp_path, name):
    load = getattr(data, name)
    with pytest.raises(FileNotFoundError, match=re.escape(f"found nothing; expected {EXPECTED[name]}")):
        load(tmp_path)
    (tmp_path / "raw").mkdir()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileNotFoundError, match=re.escape(f"found notes.txt, raw/; expected {EXPECTED[name]}")):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match=re.escape(f"{tmp_path / 'absent'}: no ") + ".* there; found no such folder"):
        load(tmp_path / "absent")


def test_empty_folder_of_reviews(tmp_path):
    for kind in ("pos", "neg"):
        (tmp_path / "train" / kind).mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"neg has no \.txt files"):
        data.imdb(tmp_path)


BROKEN_MNIST = {
    "truncated": ({"images": idx(IMAGES)[:-1]}, "images.* has 2,367 bytes; expected 2,368, by its header"),
    "too long": ({"labels": idx(LABELS) + b"\0"}, "labels.* has 12 bytes; expected 11, by its header"),
    "empty": ({"images": b""}, "starts with nothing; expected 00000803"),
    "cut in the header": ({"images": idx(IMAGES)[:9]}, "starts with 00000803; expected 00000803, .* and 3 sizes"),
    "swapped": ({"images": idx(LABELS)}, "images.* starts with 00000801; expected 00000803"),
    "other labels": ({"labels": idx(LABELS[:2])}, "labels.* has 2 labels, the largest 7; expected 3 from 0 to 9"),
    "no labels": ({"labels": idx(np.array([7, 10, 9], np.uint8))}, "3 labels, the largest 10; expected 3 from 0 to 9"),
}


@pytest.mark.parametrize("name", BROKEN_MNIST)
def test_broken_mnist(tmp_path, name):
    files, message = BROKEN_MNIST[name]
    write_mnist(tmp_path, **files)
    with pytest.raises(ValueError, match=message):
        data.mnist(tmp_path)


@pytest.mark.parametrize(
    "content", [gzip.compress(idx(IMAGES))[:-20], idx(IMAGES), gzip.compress(idx(IMAGES))[:12] + b"\0" * 99]
)
def test_broken_gzip(tmp_path, content):
    write_mnist(tmp_path, content, gzip.compress(idx(LABELS)), ".gz")
    with pytest.raises(ValueError, match=r"images-idx3-ubyte\.gz cannot be decompressed"):
        data.mnist(tmp_path)


@pytest.mark.parametrize("content", [b"", bytes(3072), bytes(3073 * 2 + 1)])
def test_broken_cifar_binary(tmp_path, content):
    write_cifar_binary(tmp_path)
    write(tmp_path / "data_batch_3.bin", content)
    with pytest.raises(ValueError, match=r"data_batch_3\.bin has .* bytes; expected a multiple of 3,073"):
        data.cifar10(tmp_path)


def test_cifar_with_impossible_labels(tmp_path):
    write_cifar_binary(tmp_path)
    write(tmp_path / "data_batch_2.bin", bytes([10]) + bytes(3072))
    with pytest.raises(ValueError, match="1 labels, the largest 10"):
        data.cifar10(tmp_path)


def test_pickle_that_would_run_code_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path / "trapped").touch, ()

    write_cifar_python(tmp_path)
    write(tmp_path / "data_batch_1", pickle.dumps(Trap(), 2))
    with pytest.raises(ValueError, match=r"data_batch_1 is not a batch .* expected arrays alone"):
        data.cifar10(tmp_path)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"no pickle", pickle.dumps({}), pickle.dumps([1]), pickle.dumps({b"data": 1, b"labels": [0]}), old_pickle({})[:5]],
)
def test_broken_cifar_python(tmp_path, content):
    write_cifar_python(tmp_path)
    write(tmp_path / "data_batch_5", content)
    with pytest.raises(ValueError, match=r"data_batch_5 (is not a batch|has int)"):
        data.cifar10(tmp_path)


def test_synthetic_reviews():
    made = data.synthetic_reviews(0, count=401, words=50, length=30)
    assert made.inputs.shape == (401, 50)
    assert made.inputs.dtype == np.float32
    assert set(np.asarray(made.inputs.sum(axis=1)).ravel().tolist()) == {30}
    assert np.bincount(made.labels).tolist() == [201, 200]
    frequencies = np.asarray(made.inputs.mean(axis=0)).ravel() * np.arange(1, 51)
    assert frequencies.max() < 10 * frequencies.min()  # 1 / k, but for the tendencies
    assert "synthetic" in made.name
    again = data.synthetic_reviews(0, count=401, words=50, length=30)
    assert (again.inputs != made.inputs).nnz == 0
    assert (data.synthetic_reviews(1, count=401, words=50, length=30).inputs != made.inputs).nnz > 0


def test_digits():
    made = data.digits()
    assert made.inputs.shape == (1797, 8, 8, 1)
    assert made.pixels.shape == (1797, 64)
    assert 0 <= made.inputs.min() < made.inputs.max() == 1
    assert made.classes == 10
