"""How far one step is from Algorithm 1 of the Adam paper (Kingma & Ba 2015) in exact arithmetic.

The bound. Given are float32 p, g, m, v, betas (as the contract uses them: rounded to float32, here at least 1/2, so that
1 - beta is exact) and float64 lr and eps. With K1 = 1 - beta1^t, K2 = 1 - beta2^t, the algorithm's update is

    D = lr (M / K1) / (sqrt(V / K2) + eps) = A M / (sqrt(V) + E),    A = lr sqrt(K2) / K1,    E = eps sqrt(K2),
    M = beta1 m + (1 - beta1) g,    V = beta2 v + (1 - beta2) g^2.

A float32 operation multiplies its result by 1 + d, |d| <= u = 2^-24, unless it underflows. To first order in u:

    M    error u (|beta1 m| + |(1 - beta1) g|) of the products and u |M| of the sum. The products may cancel, so there is
         no bound in terms of |M| alone; let C = (|beta1 m| + |(1 - beta1) g|) / |M| >= 1 be the condition number.
                                                          relative error (C + 1) u
    V    two products and the sum; all terms are positive:               3 u
    sqrt(V) + E    half of that, the square root's own and the sum's:    3.5 u    (E alone has u)
    A                                                                    u
    A M, and the division                                                2 u
                                                                         ------------
                                                              together   (C + 7.5) u

Left over are products of roundings and the float64 errors of A and E, which grow as beta comes near 1: beta^t has relative
error t 2^-53, so K has 2^-53 / (1 - beta) <= 2^-29, and A one and a half times that, 0.05 u. Half a u holds it all:

    |update - D| <= (C + 8) u |D|,    so less than C + 8 ulp of D, and 9 ulp where m and g have the same sign.

AMSGrad's maximum is exact and keeps the bound. Maximize is exact. Coupled decay hands on g + wd p, rounded, in the place of g.
The parameter: the last subtraction rounds once, half an ulp of the new p. Decoupled decay multiplies p by 1 - lr wd, rounded:
2 u |p| more.

The bound holds as long as no intermediate result is subnormal or overflows. In float64, u = 2^-53, rates are used as they are
given, and A and E are rounded once from twice the precision (tests/test_scalars.py), so that it holds there too.
"""

import numpy as np
import pytest

import fastadam

mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")

F32, U = np.float32, 2.0**-24
# Of each type the unit roundoff, and a type that is precise enough to judge it.
TYPES = {np.float32: (U, np.float64), np.float64: (2.0**-53, np.longdouble)}
every_type = pytest.mark.parametrize(
    "real",
    [
        np.float32,
        pytest.param(
            np.float64,
            marks=pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs a type more precise than float64"),
        ),
    ],
)
SIZE = 100_000
BETAS = [(0.9, 0.999), (0.5, 0.5), (0.95, 0.99), (0.9, 1 - 2.0**-24), (1 - 2.0**-24, 0.999), (0.99, 0.9)]
STEPS = [1, 2, 10, 1000, 10**6]
LR, EPS = 1e-3, 1e-8


def inputs(size, seed=0, cancelling=False, real=F32):
    """g, m, v and max v of many magnitudes, and p = 0: a parameter that ends as minus the update, with no rounding."""
    rng = np.random.default_rng(seed)

    def values():
        return (rng.standard_normal(size) * 10.0 ** rng.uniform(-8, 8, size)).astype(real)

    g, m, v, x = values(), values(), values() ** 2, values() ** 2
    if cancelling:  # beta1 m + (1 - beta1) g nearly vanishes, for beta1 = 0.9
        m = (-g / 9 * (1 + 10.0 ** rng.uniform(-7, 0, size))).astype(real)
    return np.zeros(size, real), g, m, v, x


def algorithm_1(g, m, v, x, step, betas, lr, eps, number, sqrt):
    """The update D and its condition number C, in the arithmetic of `number` and `sqrt`; a maximum `x` may be None."""
    is_numpy = issubclass(number, np.floating)
    b1, b2 = (number(beta) for beta in betas)
    k1, k2 = (-np.expm1(step * np.log1p(b - 1)) if is_numpy else 1 - b**step for b in (b1, b2))
    old, new = b1 * m, (1 - b1) * g
    second = b2 * v + (1 - b2) * g * g
    if x is not None:
        second = np.maximum(second, x) if is_numpy else max(second, x)
    update = number(lr) * ((old + new) / k1) / (sqrt(second / k2) + number(eps))
    return update, (abs(old) + abs(new)) / abs(old + new)


def judged(arrays, step, betas, *args):
    """The update and condition numbers in the type that judges that of the arrays, to which rates are rounded."""
    real = arrays[0].dtype.type
    judge = TYPES[real][1]
    betas = [float(real(beta)) for beta in betas]
    return algorithm_1(*(None if a is None else a.astype(judge) for a in arrays), step, betas, *args, judge, np.sqrt)


def kernel_update(p, g, m, v, x, **options):
    arrays = [a.copy() for a in (p, g, m, v, x) if a is not None]
    fastadam.adam_step(*arrays, **options)
    return -arrays[0].astype(TYPES[p.dtype.type][1])


def ulps(error, exact, real):
    return np.abs(error) / np.spacing(np.abs(exact).astype(real))


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("betas", BETAS, ids=str)
@pytest.mark.parametrize("step", STEPS)
@every_type
def test_update_is_within_the_bound(isa, step, betas, amsgrad, real):
    unit = TYPES[real][0]
    for cancelling in (False, True):
        p, g, m, v, x = inputs(SIZE if real is F32 else SIZE // 10, step, cancelling, real)
        x = x if amsgrad else None
        update = kernel_update(p, g, m, v, x, step=step, betas=betas, lr=LR, eps=EPS)
        exact, condition = judged((g, m, v, x), step, betas, LR, EPS)
        error = np.abs(update - exact)
        assert np.all(error <= (condition + 8) * unit * np.abs(exact))
        same_sign = m * g > 0
        assert np.all(ulps(error, exact, real)[same_sign] <= 9)


@every_type
def test_bound_is_not_much_too_wide(real):
    """A third of it is reached, so that it would notice an operation that is a few ulp off."""
    unit = TYPES[real][0]
    p, g, m, v, _ = inputs(10 * SIZE, real=real)
    exact, condition = judged((g, m, v, None), 10, (0.9, 0.999), LR, EPS)
    error = kernel_update(p, g, m, v, None, step=10, lr=LR, eps=EPS) - exact
    assert (np.abs(error) / (condition + 8) / unit / np.abs(exact)).max() > 1 / 3
    assert abs(np.mean(error / exact)) < 2 * unit  # no bias but what the one rounding of A brings


@pytest.mark.parametrize("betas", BETAS, ids=str)
@pytest.mark.parametrize("step", [*STEPS, 2**53])
def test_float64_is_good_enough_to_judge(step, betas):
    """Against 50 digits; a thousandth of the bound, on elements of every kind."""
    for cancelling in (False, True):
        _, *arrays = inputs(30, step % 1000, cancelling)
        judge, condition = judged(arrays, step, betas, LR, EPS)
        with mpmath.workdps(50):
            for i, element in enumerate(zip(*arrays, strict=True)):
                numbers = [mpmath.mpf(float(value)) for value in element]
                rounded = [float(F32(beta)) for beta in betas]
                exact, _ = algorithm_1(*numbers, step, rounded, LR, EPS, mpmath.mpf, mpmath.sqrt)
                assert abs((judge[i] - exact) / exact) <= 1e-3 * (condition[i] + 8) * U


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1, "decoupled_weight_decay": True}, {"weight_decay": 0.1}], ids=str)
@pytest.mark.parametrize("maximize", [False, True])
def test_parameter_is_within_the_bound(options, maximize):
    _, g, m, v, _ = inputs(SIZE, 1)
    p = (np.random.default_rng(2).standard_normal(SIZE) * 10.0 ** np.random.default_rng(3).uniform(-6, 3, SIZE)).astype(F32)
    decay, decoupled = options.get("weight_decay", 0.0), "decoupled_weight_decay" in options
    rounded_g = -g if maximize else g
    if decay and not decoupled:
        rounded_g = rounded_g + F32(decay) * p
    exact, condition = judged((rounded_g, m, v, None), 10, (0.9, 0.999), 0.1, EPS)
    decayed = p.astype(np.float64) * (1 - 0.1 * decay if decoupled else 1)
    bound = (condition + 8) * U * np.abs(exact) + (2 * U * np.abs(p) if decoupled else 0)
    actual = -kernel_update(p, g, m, v, None, step=10, lr=0.1, eps=EPS, maximize=maximize, **options)
    # The sum that is rounded is itself off by `bound`; so may be the half ulp, that of the next binade.
    half_ulp = 0.5 * np.spacing(np.maximum(np.abs(actual), np.abs(decayed - exact)).astype(F32))
    assert np.all(np.abs(actual - (decayed - exact)) <= bound + half_ulp)
