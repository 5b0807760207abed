"""The surfaces of the race: gradients against finite differences, minima, and what is said of each surface."""

import numpy as np
import pytest

from fastadam.viz import METHODS, SURFACES, race
from fastadam.viz.contours import contours
from fastadam.viz.trajectory import losses

ALL = pytest.mark.parametrize("name", SURFACES)
SCALING = ["AdaGrad", "RMSProp", "Adam", "AMSGrad", "AdamW"]  # methods that scale each parameter's gradient
PLAIN = ["SGD", "momentum", "Nesterov"]


def points_of(surface, count=200):
    return np.random.default_rng(0).uniform(*np.transpose(surface.region), (count, 2))


@pytest.fixture(scope="module")
def paths():
    """The paths over a surface, by its name."""
    made = {name: race(name) for name in SURFACES}
    return lambda name: made[name].trajectories


@ALL
def test_gradients_are_those_of_finite_differences(name):
    surface, h = SURFACES[name], 1e-5
    for x, y in points_of(surface):
        found = surface.gradient(x, y)
        by_x = (surface.value(x + h, y) - surface.value(x - h, y)) / (2 * h)
        by_y = (surface.value(x, y + h) - surface.value(x, y - h)) / (2 * h)
        scale = 1 + np.abs(found).max()
        np.testing.assert_allclose(found, (by_x, by_y), rtol=0, atol=1e-6 * scale)


@ALL
def test_minima_are_minima(name):
    surface = SURFACES[name]
    assert surface.minima
    lowest = losses(surface, surface.minima)
    assert lowest.max() - lowest.min() < 1e-9
    assert losses(surface, points_of(surface, 5000)).min() > lowest.max()
    for minimum in surface.minima:
        assert np.abs(surface.gradient(*minimum)).max() < 1e-3  # those of Himmelblau's have six digits


@ALL
def test_start_and_minima_are_in_the_region(name):
    surface = SURFACES[name]
    low, high = np.transpose(surface.region)
    for point in (surface.start, *surface.minima):
        assert (low < point).all()
        assert (point < high).all()
    assert surface.shows
    assert surface.source


def test_the_guide_counts_right():
    assert (len(METHODS), len(SURFACES)) == (8, 9)
    assert {surface.steps for surface in SURFACES.values()} == {120, 200}
    at_origin = {name for name, surface in SURFACES.items() if (0.0, 0.0) in surface.minima}
    assert at_origin == {"bowl", "noisy-bowl", "ravine", "plateau", "rastrigin"}


@ALL
def test_contours_show_the_loss(name):
    """From 0 at the lowest point to 1 at the highest, linear in the loss or in its logarithm."""
    surface = SURFACES[name]
    drawn = contours(surface)
    assert (drawn.shown.min(), drawn.shown.max()) == (0, 1)
    loss = losses(surface, np.stack(np.meshgrid(drawn.x, drawn.y), axis=-1))
    assert (np.diff(drawn.shown.ravel()[loss.ravel().argsort()]) >= -1e-12).all()
    assert drawn.logarithmic == (name not in ("rastrigin", "plateau"))
    if not drawn.logarithmic:
        np.testing.assert_allclose(drawn.shown, (loss - loss.min()) / np.ptp(loss), rtol=0, atol=1e-12)


@ALL
def test_surfaces_take_arrays_and_numbers(name):
    surface = SURFACES[name]
    points = points_of(surface, 5)
    for function in (surface.value, lambda x, y: surface.gradient(x, y)[0], lambda x, y: surface.gradient(x, y)[1]):
        at_once = function(*points.T)
        np.testing.assert_allclose(at_once, [function(x, y) for x, y in points], rtol=1e-12)


def test_beale(paths):
    """Methods with momentum have longer paths than those without."""

    def length(name):
        return np.linalg.norm(np.diff(paths("beale")[name].positions[:40], axis=0), axis=1).sum()

    assert min(map(length, ["momentum", "Nesterov", "Adam", "AMSGrad", "AdamW"])) > max(length("AdaGrad"), length("RMSProp"))


def test_himmelblau(paths):
    def nearest(name):
        minima = np.array(SURFACES["himmelblau"].minima)
        return int(np.linalg.norm(minima - paths("himmelblau")[name].positions[-1], axis=1).argmin())

    assert {nearest(name) for name in SCALING} == {0}
    assert {nearest(name) for name in PLAIN} == {3}


def test_rastrigin(paths):
    ends = {name: path.positions[-1] for name, path in paths("rastrigin").items()}
    assert all(np.linalg.norm(end) > 0.9 for end in ends.values())
    assert len({tuple(np.rint(end)) for end in ends.values()}) > 1


def test_rosenbrock(paths):
    """Getting into the valley is quick, and no method is at its end after 200 steps."""
    for path in paths("rosenbrock").values():
        assert path.values[60:].max() < 24.2 / 4
        assert path.values[-1] > 0.01


def test_saddle(paths):
    assert abs(paths("saddle")["SGD"].positions[-1, 1]) < 0.1
    for name in SCALING:
        assert abs(paths("saddle")[name].positions[20, 1]) > 0.5
        assert paths("saddle")[name].values[-1] < -0.24


def test_bowl_and_ravine(paths):
    """They are the same bowl, rotated: methods that only scale each parameter depend on that, SGD does not."""
    bowl, ravine = paths("bowl"), paths("ravine")
    assert bowl["SGD"].values[-1] > 0.5
    for name in ("AdaGrad", "RMSProp"):
        assert bowl[name].values[-1] < 1e-12
        assert ravine[name].values[-1] > 0.01
    across = np.array([-0.5, np.sqrt(0.75)])
    side = ravine["momentum"].positions @ across
    assert (np.diff(np.sign(side[:60])) != 0).sum() >= 10  # from wall to wall


def test_plateau(paths):
    """SGD at its best rate, and at the two beside it, does not end in the hole; Adam does with a wide range of rates."""
    result = race("plateau")
    assert all(result.trajectory("SGD", factor).values[-1] > 0.5 for factor in (0.1, 0.3, 1.0, 3.0))
    assert all(result.trajectory("Adam", factor).values[-1] < 0.01 for factor in (0.3, 1.0))


def test_noisy_bowl():
    """With a third of the learning rate, the losses at the end are smaller, and those at the start larger."""
    result = race("noisy-bowl", steps=400)
    for name in METHODS:
        usual, smaller = result.trajectories[name], result.trajectory(name, 0.3)
        if name != "AdaGrad":  # whose steps become smaller by themselves
            assert smaller.values[200:].mean() < usual.values[200:].mean()
        assert smaller.values[:10].mean() > usual.values[:10].mean()
