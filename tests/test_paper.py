"""Small versions of the paper's experiments: the orders they should show, gradients, the grid, and support for CuPy."""

import re

import numpy as np
import pytest
from gallery_programs import EXAMPLES, assert_gradient, gallery_module, in_float64

import fastadam

grid, layers, convolution = (gallery_module(f"lab.{name}") for name in ("grid", "layers", "convolution"))
Settings = gallery_module("lab.program").Settings
PROGRAMS = ["paper_logistic", "paper_bag_of_words", "paper_multilayer", "paper_convolution", "paper_autoencoder"]
ROWS, LABELS = np.eye(4, dtype=np.float32)[np.arange(64) % 4], np.arange(64) % 2


@pytest.mark.parametrize("name", PROGRAMS)
def test_small_version_has_the_order(name, tmp_path):
    """In full it is the same `check`, which `make gallery` runs."""
    experiment = gallery_module(name).EXPERIMENT
    result = experiment.run(Settings(small=True))
    experiment.check(result)
    figure = experiment.figure(result)
    assert any(words in text.get_text() for text in figure.texts for words in ("scikit-learn's", "synthetic"))
    gallery_module("lab.program").save(figure, tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").stat().st_size < 100_000
    assert re.search(r"\d\.\d", experiment.summary(result))


@pytest.mark.parametrize("name", PROGRAMS)
def test_figure_is_in_the_documentation(name):
    page = (EXAMPLES.parent / "docs" / "paper-experiments.md").read_text()
    assert f"](figures/{name}.svg)" in page
    assert f"`python examples/{name}.py`" in " ".join(page.split())


NETWORKS = {
    "bag of words": lambda: layers.Classifier([layers.SparseDropout(0.5), layers.Dense(4, 3)], 0),
    "convolution": lambda: layers.Classifier(
        [
            *(convolution.Convolution(2, 3, 3), layers.ReLU(), convolution.MaxPooling()),
            *(convolution.Convolution(3, 4, 3), layers.ReLU(), convolution.MaxPooling(), convolution.Flatten()),
            *(layers.Dense(4, 5), layers.ReLU(), layers.Dense(5, 3)),
        ],
        0,
    ),
    "autoencoder": lambda: gallery_module("lab.autoencoder").Autoencoder(6, 5, 2, 0),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_of_the_model(name):
    sparse = pytest.importorskip("scipy.sparse")
    model, rng = in_float64(NETWORKS[name]()), np.random.default_rng(1)
    data = {
        "bag of words": (sparse.csr_matrix(rng.integers(0, 3, (5, 4)).astype(np.float64)), np.arange(5) % 3),
        "convolution": (rng.standard_normal((5, 4, 4, 2)), np.arange(5) % 3),
        "autoencoder": (rng.random((5, 6)),),
    }[name]

    def loss():
        return model.loss(*data, np.random.default_rng(2))

    loss()
    assert_gradient(loss, model.params, model.grads.copy())


def test_training_is_the_same_twice_and_learns():
    first, second = (
        grid.train(model, fastadam.Adam(model.params, lr=0.1), (ROWS, LABELS), 10, 8, 0) for model in (quick(), quick())
    )
    assert np.array_equal(first, second)
    assert first[0] == pytest.approx(np.log(2), rel=0.3)
    assert first[-1] < 0.1 * first[0]


def test_training_ends_where_the_loss_is_not_finite():
    model, done = quick(), []
    losses = grid.train(model, fastadam.SGD(model.params, lr=1e38), (1e10 * ROWS, LABELS), 5, 8, 0, done.append)
    assert losses.tolist() == [np.inf] * 5
    assert sum(done) == 5


def test_too_few_data_for_a_batch():
    with pytest.raises(ValueError, match="the data are 64 examples; expected at least one batch of 65"):
        grid.train(quick(), fastadam.SGD(np.zeros(1, np.float32)), (ROWS, LABELS), 1, 65, 0)


def test_real_data_are_read_from_the_folder(tmp_path):
    labels = np.arange(150, dtype=np.uint8) % 10
    images = np.random.default_rng(0).integers(0, 256, (150, 28, 28), np.uint8)
    for name, array in {"images-idx3": images, "labels-idx1": labels}.items():
        sizes = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        (tmp_path / f"train-{name}-ubyte").write_bytes(sizes + array.tobytes())
    experiment = gallery_module("paper_logistic").EXPERIMENT
    result = experiment.run(Settings(small=True, data=tmp_path))
    assert "MNIST, 150 images of 28 x 28" in [text.get_text() for text in experiment.figure(result).texts]


def test_what_fills_no_batch_is_left_out():
    seen = []
    model = quick()
    model.loss = lambda x, labels, rng: seen.append(len(x)) or np.float32(1)
    assert grid.train(model, fastadam.SGD(model.params), (ROWS, LABELS), 2, 24, 0).tolist() == [1, 1]
    assert seen == [24] * 4


def quick():
    return layers.Classifier([layers.Dense(4, 2, scale=0)], 0)


def test_mean_over_seeds_is_geometric():
    runs = [[grid.Run("Adam", lr, np.array(losses), lr == 1)] for lr, losses in ((1, [1.0, 8.0]), (1, [4.0, np.inf]))]
    (mean,) = grid.mean_over_seeds(runs)
    assert mean.losses == pytest.approx([2, np.inf])
    assert mean[:2] == ("Adam", 1)


def test_best_of_the_grid():
    runs = grid.search({"Adam": [1e-4, 0.1, 1e-3], "SGD": [0.1]}, quick, (ROWS, LABELS), 20, 8, 0)
    runs += grid.search({"SGD": [0.5]}, quick, (ROWS, LABELS), 20, 8, 0, grid.inverse_sqrt, " (decayed)")
    chosen = grid.best(runs)
    assert {label: run.lr for label, run in chosen.items()} == {"Adam": 0.1, "SGD": 0.1, "SGD (decayed)": 0.5}
    assert chosen["Adam"].final == pytest.approx(chosen["Adam"].losses[-2:].mean())
    with pytest.raises(AssertionError, match=r"edge of the grid: Adam at lr 0\.1, SGD at lr 0\.1, SGD \(decayed\) at lr 0\.5"):
        grid.assert_inside(chosen)
    grid.assert_ahead(chosen, "Adam", "SGD", 2)
    with pytest.raises(AssertionError, match=r"Adam ends at 0\.\S+ times the loss of SGD; expected 1 times or more"):
        grid.assert_ahead(chosen, "SGD", "Adam", 1)
    with pytest.raises(AssertionError, match=r"SGD ends at .* times the loss of Adam; expected up to 1"):
        grid.assert_level(chosen, "Adam", "SGD", 1.2)
    assert "SGD (decayed)" in grid.table(chosen)


def test_schedule_counts_from_one():
    assert [grid.inverse_sqrt(0.3)(count) for count in (0, 3, 8)] == pytest.approx([0.3, 0.15, 0.1])


MAY_BE_ON_A_GPU = ["lab/layers.py", "lab/convolution.py", "lab/autoencoder.py", "lab/grid.py"]


@pytest.mark.parametrize("name", MAY_BE_ON_A_GPU)
def test_arrays_come_from_either_library(name):
    """What NumPy is asked for besides: what is made on the host, and shapes, constants and loops over them."""
    on_host = {
        "random",
        "default_rng",
        "ndindex",
        "prod",
        "sqrt",
        "zeros",
        "full",
        "inf",
        "errstate",
        "ndarray",
        "exp",
        "mean",
        "log",
    }
    text = (EXAMPLES / name).read_text()
    assert set(re.findall(r"\bnp\.(\w+)", text)) <= on_host
    cupy = pytest.importorskip("cupy", reason="needs CuPy, though no GPU: pip install cupy-cuda13x")
    used = set(re.findall(r"\bxp\.(\w+)", text))
    assert [function for function in used if not hasattr(cupy, function)] == []


class Device(np.ndarray):
    """Like CuPy's arrays in one thing: operations do not mix them with NumPy's."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        assert all(type(x) is Device or np.ndim(x) == 0 for x in (*inputs, *(out or ()))), (
            f"{ufunc.__name__} of host and device arrays"
        )
        arrays = [x.view(np.ndarray) if isinstance(x, Device) else x for x in inputs]
        out = tuple(x.view(np.ndarray) for x in out) if out else None
        result = getattr(ufunc, method)(*arrays, out=out, **options)
        return np.asarray(result).view(Device)

    def __getitem__(self, key):
        keys = key if isinstance(key, tuple) else (key,)
        assert not any(type(part) is np.ndarray for part in keys), "a device array indexed by one of the host"
        return super().__getitem__(key)


class DeviceModule:
    """NumPy, as it were a library of another device: it makes `Device` arrays, and takes NumPy's in `asarray` alone."""

    float32 = np.float32

    class random:
        @staticmethod
        def default_rng(seed):
            class Generator:
                def __getattr__(self, name):
                    return lambda *args, **options: np.asarray(getattr(rng, name)(*args, **options)).view(Device)

            rng = np.random.default_rng(seed)
            return Generator()

    def __getattr__(self, name):
        def call(*args, **options):
            parts = [part for arg in args for part in (arg if isinstance(arg, (list, tuple)) else [arg])]
            assert name == "asarray" or not any(type(part) is np.ndarray for part in parts), f"{name} of a host array"
            return np.asarray(getattr(np, name)(*args, **options)).view(Device)

        return call


@pytest.mark.parametrize("name", ["multilayer", "convolution", "autoencoder"])
def test_training_mixes_no_arrays_of_host_and_device(name, monkeypatch):
    monkeypatch.setattr(fastadam, "flatten", lambda arrays: (np.concatenate([np.ravel(a) for a in arrays]).view(Device), None))
    xp = DeviceModule()
    x = np.random.default_rng(0).random((32, 4, 4, 2), np.float32)
    x = xp.asarray(x if name == "convolution" else x.reshape(32, 32))
    labels = (xp.asarray(np.arange(32) % 3),)
    if name == "autoencoder":
        model, labels = gallery_module("lab.autoencoder").Autoencoder(32, 5, 2, 0, xp), ()
    else:
        plain = NETWORKS[name]() if name == "convolution" else None
        hidden = [layers.Dense(32, 8), layers.ReLU(), layers.Dropout(0.5), layers.Softplus(), layers.Dense(8, 3)]
        model = layers.Classifier(plain.layers if plain else hidden, 0, xp, l2=0.1)
    optimizer = fastadam.Adam(model.params.view(np.ndarray))
    monkeypatch.setattr(type(optimizer), "step", lambda self, grads: None)
    assert np.isfinite(grid.train(model, optimizer, (x, *labels), 2, 8, 0)).all()
    with pytest.raises(AssertionError, match="host"):
        model.loss(np.asarray(x).view(np.ndarray)[:8], *(part[:8] for part in labels), np.random.default_rng(0))
