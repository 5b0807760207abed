"""Well-known functions to minimize, each with its analytic gradient and its source."""

from typing import Any

import numpy as np

from fastadam.viz.surface import Surface


def _rosenbrock_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    return -2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)


def _beale_terms(x: Any, y: Any) -> list[tuple[Any, Any, Any]]:
    """Each of the three squared terms with its partial derivatives."""
    return [(c - x + x * y**k, y**k - 1, k * x * y ** (k - 1)) for k, c in ((1, 1.5), (2, 2.25), (3, 2.625))]


def _beale_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    terms = _beale_terms(x, y)
    return sum(2 * t * dx for t, dx, _ in terms), sum(2 * t * dy for t, _, dy in terms)


def _himmelblau_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    a, b = x**2 + y - 11, x + y**2 - 7
    return 4 * x * a + 2 * b, 2 * a + 4 * y * b


def _plateau_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    hole = np.exp(-(x**2 + y**2) / 2)
    return x * hole, y * hole


STEEPNESS = 100.0  # of the bowl and of the ravine: the ratio of their two curvatures
COS, SIN = np.cos(np.pi / 6), np.sin(np.pi / 6)  # the ravine is the bowl, rotated by 30 degrees


def _bowl(x: Any, y: Any) -> Any:
    return (x**2 + STEEPNESS * y**2) / 2


def _bowl_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    return x, STEEPNESS * y


def _ravine_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    along, across = _bowl_gradient(COS * x + SIN * y, COS * y - SIN * x)
    return COS * along - SIN * across, SIN * along + COS * across


_ALL = [
    Surface(
        "rosenbrock",
        "Rosenbrock's valley",
        lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
        _rosenbrock_gradient,
        start=(-1.2, 1.0),
        region=((-2.0, 2.0), (-1.0, 3.0)),
        minima=((1.0, 1.0),),
        steps=200,
        shows="Getting into the curved valley is easy. Following its nearly flat floor to the minimum is hard.",
        source='Rosenbrock, "An automatic method for finding the greatest or least value of a function", 1960, with its start',
    ),
    Surface(
        "beale",
        "Beale's function",
        lambda x, y: sum(t**2 for t, *_ in _beale_terms(x, y)),
        _beale_gradient,
        start=(1.0, 1.0),
        region=((-1.0, 4.0), (-1.5, 1.5)),
        minima=((3.0, 0.5),),
        shows="Methods with momentum overshoot the valley and come back. AdaGrad and RMSProp take a straighter path.",
        source='Moré, Garbow & Hillstrom, "Testing Unconstrained Optimization Software", 1981, problem 5, with its start',
    ),
    Surface(
        "himmelblau",
        "Himmelblau's function",
        lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2,
        _himmelblau_gradient,
        start=(0.0, -1.0),
        region=((-6.0, 6.0), (-6.0, 6.0)),
        minima=((3.0, 2.0), (-2.805118, 3.131313), (-3.779310, -3.283186), (3.584428, -1.848127)),
        shows="Four minima, all equally low. Methods that scale each gradient end in a different one than those that do not.",
        source='Himmelblau, "Applied Nonlinear Programming", 1972',
    ),
    Surface(
        "rastrigin",
        "Rastrigin's function",
        lambda x, y: 20 + x**2 + y**2 - 10 * (np.cos(2 * np.pi * x) + np.cos(2 * np.pi * y)),
        lambda x, y: (2 * x + 20 * np.pi * np.sin(2 * np.pi * x), 2 * y + 20 * np.pi * np.sin(2 * np.pi * y)),
        start=(-2.4, 1.6),
        region=((-4.0, 4.0), (-4.0, 4.0)),
        minima=((0.0, 0.0),),
        shows="There is a minimum near every pair of integers. None finds the lowest; the first steps decide where each ends.",
        source='Rastrigin, "Systems of extremal control", 1974',
    ),
    Surface(
        "saddle",
        "A saddle",
        lambda x, y: STEEPNESS / 4 * x**2 + y**4 / 4 - y**2 / 2,
        lambda x, y: (STEEPNESS / 2 * x, y**3 - y),
        start=(1.0, 1e-3),
        region=((-1.5, 1.5), (-1.5, 1.5)),
        minima=((0.0, 1.0), (0.0, -1.0)),
        shows=(
            "The saddle is flat along y and steep along x. With a learning rate small enough for x, SGD stays near the saddle; "
            "methods that scale each gradient leave at once."
        ),
        source='After Nesterov, "Introductory Lectures on Convex Optimization", 2004, example 1.2.2, with steeper walls',
    ),
    Surface(
        "bowl",
        "An ill-conditioned bowl",
        _bowl,
        _bowl_gradient,
        start=(-4.0, 1.0),
        region=((-5.0, 5.0), (-2.0, 2.0)),
        minima=((0.0, 0.0),),
        shows=(
            "The curvature along y is a hundred times that along x. It limits the learning rate of SGD, which then crawls "
            "along x. Scaling each parameter's steps by its own gradients removes the problem."
        ),
        source='Boyd & Vandenberghe, "Convex Optimization", 2004, section 9.3.2',
    ),
    Surface(
        "plateau",
        "A plateau",
        lambda x, y: 1 - np.exp(-(x**2 + y**2) / 2),
        _plateau_gradient,
        start=(-3.5, 2.5),
        region=((-4.5, 4.5), (-4.5, 4.5)),
        minima=((0.0, 0.0),),
        shows=(
            "A learning rate that moves SGD on the flat part is too large in the hole. The size of Adam's steps does not "
            "depend on that of the gradients."
        ),
        source="Made for this race: a plane with a Gaussian hole",
    ),
    Surface(
        "ravine",
        "A narrow ravine",
        lambda x, y: _bowl(COS * x + SIN * y, COS * y - SIN * x),
        _ravine_gradient,
        start=(-4.0, -1.0),
        region=((-5.0, 5.0), (-4.0, 4.0)),
        minima=((0.0, 0.0),),
        shows=(
            "The ill-conditioned bowl, rotated by 30 degrees. Scaling each parameter's steps helps less now: AdaGrad and "
            "RMSProp, which do nothing else, crawl. Momentum oscillates from wall to wall."
        ),
        source='The bowl, rotated; ravines after Sutton, "Two problems with backpropagation", 1986',
    ),
    Surface(
        "noisy-bowl",
        "A noisy bowl",
        lambda x, y: (x**2 + 10 * y**2) / 2,
        lambda x, y: (x, 10 * y),
        start=(-4.0, 2.0),
        region=((-5.0, 5.0), (-3.0, 3.0)),
        minima=((0.0, 0.0),),
        noise=3.0,
        shows=(
            "Each gradient has noise, the same for all methods. Their paths end in a cloud around the minimum. A smaller "
            "learning rate makes the cloud smaller, but it is reached later."
        ),
        source='After Zhang et al., "Which Algorithmic Choices Matter at Which Batch Sizes?", 2019, the noisy quadratic model',
    ),
]

SURFACES = {surface.name: surface for surface in _ALL}
