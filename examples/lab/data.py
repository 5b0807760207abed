"""Data sets: MNIST, CIFAR-10 and IMDB from a folder, and their substitutes: digits and synthetic reviews.

Each loader returns only the training set, since the paper's figures show the training loss.
"""

import gzip
import pickle
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import CountVectorizer

VOCABULARY = 10_000  # as in section 6.1 of the paper


class Data(NamedTuple):
    """Examples, their classes, counted from 0, and a description for a figure."""

    inputs: Any  # float32: images (count, height, width, channels) in [0, 1], or a sparse matrix of counts (count, words)
    labels: np.ndarray
    name: str

    @property
    def pixels(self):
        """Images as rows (count, height * width * channels)."""
        return self.inputs.reshape(len(self.inputs), -1)

    @property
    def classes(self):
        return int(self.labels.max()) + 1


def on_device(xp, array):
    """An array or sparse matrix, moved to the GPU if `xp` is CuPy."""
    if xp is np:
        return array
    if sparse.issparse(array):
        from cupyx.scipy.sparse import csr_matrix

        return csr_matrix(array)
    return xp.asarray(array)


def digits():
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 8, 8, 1)  # gray levels are 0 to 16
    return Data(images, labels, f"scikit-learn's digits, {len(labels):,} images of 8 x 8, instead of MNIST")


def mnist(folder):
    """The files of yann.lecun.com/exdb/mnist, compressed or not, in `folder` or in MNIST/raw, as torchvision stores them."""
    names = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
    options = [(where, end) for where in (folder, folder / "MNIST" / "raw") for end in ("", ".gz")]
    candidates = [[where / f"{name}{end}" for name in names] for where, end in options]
    paths = _first_complete("MNIST", folder, candidates)
    images, labels = _read_idx(paths[0], 3), _read_idx(paths[1], 1)
    _check_labels(paths[1], labels, len(images))
    images = images[..., None] / np.float32(255)
    return Data(images, labels.astype(np.intp), f"MNIST, {len(labels):,} images of 28 x 28")


def cifar10(folder):
    """The binary or Python version of cs.toronto.edu/~kriz/cifar.html, in `folder` or in the folder of its archive."""
    kinds = [("cifar-10-batches-bin", ".bin"), ("cifar-10-batches-py", "")]
    options = [(where, end) for name, end in kinds for where in (folder, folder / name)]
    candidates = [[where / f"data_batch_{k}{end}" for k in range(1, 6)] for where, end in options]
    paths = _first_complete("CIFAR-10", folder, candidates)
    read = _read_cifar_binary if paths[0].suffix else _read_cifar_python
    planes, labels = (np.concatenate(parts) for parts in zip(*map(read, paths), strict=True))
    images = planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1) / np.float32(255)
    return Data(np.ascontiguousarray(images), labels.astype(np.intp), f"CIFAR-10, {len(labels):,} images of 32 x 32")


def imdb(folder):
    """The reviews of ai.stanford.edu/~amaas/data/sentiment, as counts of the most common words."""
    kinds = "neg", "pos"
    candidates = [[where / "train" / kind for kind in kinds] for where in (folder, folder / "aclImdb")]
    folders = _first_complete("IMDB", folder, candidates)
    files = [sorted(each.glob("*.txt")) for each in folders]
    for each, found in zip(folders, files, strict=True):
        if not found:
            raise FileNotFoundError(f"{each} has no .txt files; expected one for each review: unpack the archive again")
    words = CountVectorizer(input="filename", max_features=VOCABULARY, dtype=np.float32)
    counts = words.fit_transform([path for found in files for path in found]).tocsr()
    labels = np.repeat([0, 1], [len(found) for found in files])
    return Data(counts, labels, f"IMDB, {len(labels):,} reviews, their {counts.shape[1]:,} most common words")


def synthetic_reviews(seed, count, words, length=100, tendency=0.5):
    """Synthetic reviews of `length` words by Zipf's law: the k-th most common of `words` is 1/k as frequent as the first.

    In good reviews a word's frequency is multiplied by `exp(s)`, in bad ones by `exp(-s)`. Each word has its own `s`, which is
    normal with standard deviation `tendency`, so most of the information is in rare words.
    """
    rng = np.random.default_rng(seed)
    tendencies = tendency * rng.standard_normal(words)
    labels = np.arange(count) % 2
    columns = np.empty((count, length), np.intp)
    for label in (0, 1):
        frequencies, rows = np.exp((2 * label - 1) * tendencies) / np.arange(1, words + 1), labels == label
        columns[rows] = rng.choice(words, (rows.sum(), length), p=frequencies / frequencies.sum())
    rows = np.repeat(np.arange(count), length)
    counts = sparse.csr_matrix((np.ones(count * length, np.float32), (rows, columns.ravel())), (count, words))
    counts.sum_duplicates()
    return Data(
        counts,
        labels,
        f"a synthetic corpus: {count:,} reviews of {length} words out of {words:,} by Zipf's law, instead of IMDB",
    )


def _first_complete(name, folder, candidates):
    """The first list of paths that all exist."""
    folder = Path(folder)
    for paths in candidates:
        if all(path.exists() for path in paths):
            return paths
    expected = " or ".join(", ".join(str(path.relative_to(folder)) for path in paths) for paths in candidates)
    if not folder.is_dir():
        found = "no such folder"
    else:
        inside = sorted(f"{path.name}{'/' * path.is_dir()}" for path in folder.iterdir())
        found = ", ".join(inside[:20]) + (f" and {len(inside) - 20} more" if len(inside) > 20 else "") or "nothing"
    raise FileNotFoundError(f"--data {folder}: no {name} there; found {found}; expected {expected}")


def _read_idx(path, dimensions):
    """The bytes of an IDX file: a magic number, sizes as big-endian integers, and the elements."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} cannot be decompressed ({error}): download it again") from error
    magic, start = bytes([0, 0, 8, dimensions]), 4 + 4 * dimensions
    if content[:4] != magic or len(content) < start:
        raise ValueError(
            f"{path} starts with {content[:4].hex() or 'nothing'}; expected {magic.hex()}, as an IDX file of bytes in "
            f"{dimensions} dimensions does, and {dimensions} sizes: download it again"
        )
    shape = np.frombuffer(content, ">u4", dimensions, 4).astype(int)
    if len(content) != start + shape.prod():
        raise ValueError(
            f"{path} has {len(content):,} bytes; expected {start + shape.prod():,}, by its header: download it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _read_cifar_binary(path):
    content = np.fromfile(path, np.uint8)
    if len(content) == 0 or len(content) % 3073:
        raise ValueError(
            f"{path} has {len(content):,} bytes; expected a multiple of 3,073, one label and 3 x 32 x 32: download it again"
        )
    records = content.reshape(-1, 3073)
    _check_labels(path, records[:, 0], len(records))
    return records[:, 1:], records[:, 0]


def _read_cifar_python(path):
    try:
        with path.open("rb") as file:
            batch = _ArraysOnly(file, encoding="bytes").load()
        planes, labels = np.asarray(batch[b"data"]), np.asarray(batch[b"labels"])
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a batch of CIFAR-10's Python version ({error!r}): download it again") from error
    if planes.dtype != np.uint8 or planes.ndim != 2 or planes.shape[1] != 3072:
        raise ValueError(f"{path} has {planes.dtype} data of shape {planes.shape}; expected uint8 of shape (count, 3072)")
    _check_labels(path, labels, len(planes))
    return planes, labels


class _ArraysOnly(pickle.Unpickler):
    """Loads only NumPy arrays and plain values; anything else in a pickle could run arbitrary code."""

    def find_class(self, module, name):
        allowed = {"_reconstruct": np.empty(0).__reduce__()[0], "ndarray": np.ndarray, "dtype": np.dtype}
        if module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray") and name in allowed:
            return allowed[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}; expected arrays alone")


def _check_labels(path, labels, count):
    if len(labels) != count or (count and not 0 <= labels.min() <= labels.max() <= 9):
        largest = labels.max() if len(labels) else "none"
        raise ValueError(
            f"{path} has {len(labels)} labels, the largest {largest}; expected {count} from 0 to 9: download it again"
        )
