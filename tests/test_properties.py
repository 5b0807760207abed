"""What the Adam paper (Kingma & Ba 2015, sections 2.1 and 3) claims of its steps, and that buffers can be split anywhere.

An update is read off exactly by stepping a parameter of 0, which ends as minus the update. U is the unit roundoff of float32,
the largest relative error of one operation. Tolerances are counts of roundings to first order, and one more for the rest.
"""

import itertools

import numpy as np
import pytest
from buffers import assert_same_bits, random_inputs

import fastadam

pytest.importorskip("hypothesis", reason="hypothesis is not installed")
from hypothesis import assume, given, settings
from hypothesis import strategies as st

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("repeatable")

F32 = np.float32
U = 2.0**-24

# Squares of these, and of their products with the scales below, are normal numbers: nothing under- or overflows.
magnitudes = st.floats(2.0**-20, 2.0**20, width=32)
gradients = st.builds(lambda size, sign: sign * size, magnitudes, st.sampled_from([-1.0, 1.0]))
histories = st.lists(gradients, min_size=1, max_size=40)
sparse_histories = st.lists(st.one_of(gradients, st.just(0.0)), max_size=40)
learning_rates = st.floats(1e-6, 1.0)
# From 1/2 on, 1 - beta is exact. The rounded betas are what the optimizer uses.
beta = st.floats(0.5, 1 - 2.0**-20, width=32)
betas = st.one_of(st.just((float(F32(0.9)), float(F32(0.999)))), st.tuples(beta, beta))


def updates(history, **options):
    """The update of each step of one parameter with these gradients, and the two moments afterwards."""
    m, v = np.zeros((2, 1), F32)
    result = []
    for t, gradient in enumerate(history, 1):
        param = np.zeros(1, F32)
        fastadam.adam_step(param, np.array([gradient], F32), m, v, step=t, **options)
        result.append(-float(param[0]))
    return result, float(m[0]), float(v[0])


def weights(b, t):
    """Weight of the gradients of steps 1..t in the bias-corrected moment of decay rate `b`; their sum is 1."""
    decay = b ** np.arange(t - 1, -1, -1.0)
    return decay / decay.sum()


def largest_update(betas, t):
    """The largest bias-corrected |m| / sqrt(v) that gradients can reach at step `t`, and gradients that reach it.

    With w and q the weights of the two moments, Cauchy and Schwarz say (sum w|g|)^2 <= (sum w^2/q) (sum q g^2), with equality
    for g = w/q. The paper's bounds are those of one gradient after only zeros and of a steady one; those of a sequence that
    grows by beta2/beta1 a step lie above both.
    """
    w, q = weights(betas[0], t), weights(betas[1], t)
    return np.sqrt((w**2 / q).sum()), w / q


def tolerance(t):
    """Relative error of an update at step `t` whose gradients have one sign.

    A term of a moment is rounded at most twice in its own step, and twice in each later one: 2t, and half as much for the
    square root of v. Six more: sqrt, + eps, lr (with bias correction), * m, /, and the rest.
    """
    return (3 * t + 6) * U


@given(histories, st.integers(-20, 20), betas, st.booleans())
def test_a_power_of_two_in_the_gradients_cancels_exactly(history, power, betas, amsgrad):
    scale = 2.0**power
    history = [*history, 0.0]  # without eps a zero may come later, but not first: that is 0 / 0
    for eps in (0.0, 1e-8):  # which has the dimension of a gradient, and scales with it
        state, scaled_state = np.zeros((2, 3, 1), F32)
        param, scaled_param = np.ones((2, 1), F32)
        for t, gradient in enumerate(history, 1):
            grad = np.array([gradient], F32)
            moments, scaled_moments = (s if amsgrad else s[:2] for s in (state, scaled_state))
            fastadam.adam_step(param, grad, *moments, step=t, eps=eps, betas=betas)
            fastadam.adam_step(scaled_param, grad * F32(scale), *scaled_moments, step=t, eps=eps * scale, betas=betas)
            assert_same_bits(scaled_param, param)
            assert_same_bits(scaled_state, state * np.array([[scale], [scale**2], [scale**2]], F32))


@given(histories, st.floats(1e-4, 1e4), betas)
def test_any_factor_of_the_gradients_cancels(history, scale, betas):
    """Gradients of one sign, since a difference of nearly equal gradients magnifies the rounding of `scale * gradient`."""
    history = [abs(gradient) for gradient in history]
    plain, *_ = updates(history, betas=betas, eps=0.0)
    scaled, *_ = updates([scale * gradient for gradient in history], betas=betas, eps=0.0)
    # Each update's own error, and that of its rounded gradient: U in m and, after the square root of its square, in v.
    bound = [2 * tolerance(t) + 2 * U for t in range(1, len(history) + 1)]
    assert np.all(np.abs(np.divide(scaled, plain) - 1) <= bound)


@given(histories, st.floats(2.0**-60, 2.0**-5), betas)
def test_invariance_is_lost_with_eps_and_regained_as_it_vanishes(history, eps, betas):
    """With v^ the corrected second moment, eps makes an update smaller by the factor sqrt(v^) / (sqrt(v^) + eps)."""
    with_eps, *_ = updates(history, betas=betas, eps=eps)
    without, _, v = updates(history, betas=betas, eps=0.0)
    assume(without[-1] != 0)
    t = len(history)
    root = np.sqrt(v / (1 - betas[1] ** t))
    # m and v are the same numbers in both; only the roundings of e, +, lr, * and / differ, each at most 2 U apart, and the
    # float64 power in `root` has lost up to 2**-53 / 2**-20 < U.
    assert with_eps[-1] / without[-1] == pytest.approx(root / (root + eps), rel=12 * U)


@given(sparse_histories, gradients, betas, learning_rates)
def test_update_is_bounded(history, last, betas, lr):
    history = [*history, last]
    t = len(history)
    update = updates(history, betas=betas, lr=lr, eps=0.0)[0][-1]  # those before the first gradient are 0 / 0
    assert abs(update) <= lr * largest_update(betas, t)[0] * (1 + tolerance(t))


@given(st.integers(1, 300), betas, learning_rates)
def test_bound_on_the_update_is_reached(t, betas, lr):
    bound, worst = largest_update(betas, t)
    worst = worst / worst.max()
    assume(worst.min() > 2.0**-40)  # the square of less, times 1 - beta2 and decayed, would underflow
    reached, *_ = updates(worst, betas=betas, lr=lr, eps=0.0)
    assert reached[-1] == pytest.approx(lr * bound, rel=tolerance(t))


@given(st.integers(0, 2000), gradients, learning_rates)
@settings(max_examples=20)
def test_one_gradient_after_zeros_meets_the_paper_s_first_bound(zeros, gradient, lr):
    """(1 - beta1) / sqrt(1 - beta2), the most severe case of sparsity, where 1 - beta1 is the larger of the two."""
    b1, b2 = betas = float(F32(0.9)), float(F32(0.999))
    history = [0.0] * zeros + [gradient]
    update = updates(history, betas=betas, lr=lr)[0][-1]
    paper = lr * (1 - b1) / np.sqrt(1 - b2)
    assert abs(update) <= paper * (1 + tolerance(1))
    if zeros >= 1999:  # bias corrections have died away but for b2**2000 / 2 = 0.068
        assert abs(update) >= 0.9 * paper


@given(sparse_histories, gradients, beta, learning_rates)
def test_update_is_at_most_lr_with_equal_betas(history, last, beta, lr):
    """The paper's second bound: a mean is at most the root of the mean square of the same weights."""
    history = [last, *history]
    ratios, *_ = updates(history, betas=(beta, beta), lr=lr, eps=0.0)
    assert all(abs(ratio) <= lr * (1 + tolerance(t)) for t, ratio in enumerate(ratios, 1))


@given(st.floats(2.0**-50, 2.0**60, width=32), st.sampled_from([-1.0, 1.0]), betas, learning_rates)
def test_first_update_is_lr_whatever_the_gradient(size, sign, betas, lr):
    # Roundings: lr, 1 of m and 2 of v (halved by the square root), sqrt, *, /.
    update = updates([sign * size], betas=betas, lr=lr, eps=0.0)[0][0]
    assert update == pytest.approx(sign * lr, rel=7 * U)


@given(gradients, betas, learning_rates, st.floats(0.0, 1e3))
def test_first_update_with_eps(gradient, betas, lr, eps):
    update = updates([gradient], betas=betas, lr=lr, eps=eps)[0][0]
    # As above, and + eps.
    assert update == pytest.approx(lr * gradient / (abs(gradient) + eps), rel=8 * U)


@given(gradients, betas, learning_rates, st.integers(1, 100))
def test_bias_correction_on_a_constant_gradient(gradient, betas, lr, steps):
    ratios, m, v = updates([gradient] * steps, betas=betas, lr=lr, eps=0.0)
    for t, ratio in enumerate(ratios, 1):
        assert ratio == pytest.approx(np.sign(gradient) * lr, rel=tolerance(t))
    corrected = [moment / -np.expm1(steps * np.log1p(b - 1)) for moment, b in zip((m, v), betas, strict=True)]
    assert corrected == pytest.approx([gradient, gradient**2], rel=(2 * steps + 1) * U)


options = st.fixed_dictionaries(
    {
        "lr": learning_rates,
        "betas": betas,
        "eps": st.sampled_from([0.0, 1e-8]),
        "weight_decay": st.sampled_from([0.0, 0.1]),
        "maximize": st.booleans(),
        "decoupled_weight_decay": st.booleans(),
    }
)


@given(st.integers(0, 400), st.lists(st.integers(0, 400), max_size=6), st.integers(0, 2**32), st.integers(2, 3), options)
def test_result_does_not_depend_on_how_a_buffer_is_cut_into_calls(size, cuts, seed, states, options):
    whole = random_inputs(size, states, seed)
    parts = [array.copy() for array in whole]
    cuts = [0, *sorted(min(cut, size) for cut in cuts), size]
    for step in (1, 2, 3):
        fastadam.adam_step(*whole, step=step, **options)
        for begin, end in itertools.pairwise(cuts):
            fastadam.adam_step(*(array[begin:end] for array in parts), step=step, **options)
    for part, array in zip(parts, whole, strict=True):
        assert_same_bits(part, array)


shapes = st.lists(st.lists(st.integers(0, 12), max_size=3).map(tuple), min_size=1, max_size=8)


@given(shapes, st.integers(0, 2**32), st.booleans(), st.sampled_from([fastadam.Adam, fastadam.AdamW]), st.integers(1, 3))
def test_arrays_of_any_shapes_equal_one_flat_buffer(shapes, seed, amsgrad, cls, threads):
    sizes = [int(np.prod(shape)) for shape in shapes]
    flat, *grads = random_inputs(sum(sizes), 2, seed)

    def split(buffer):
        parts = np.split(buffer, np.cumsum(sizes[:-1]))
        return [part.reshape(shape).copy() for part, shape in zip(parts, shapes, strict=True)]

    params = split(flat)
    named = dict(enumerate(split(flat)))
    optimizers = [cls(p, lr=0.1, amsgrad=amsgrad, weight_decay=0.1) for p in (flat, params, named)]
    for grad in grads:
        optimizers[0].step(grad)
        optimizers[1].step(split(grad), num_threads=threads)
        optimizers[2].step(dict(enumerate(split(grad))))
    for members in (params, named.values()):
        for actual, expected in zip(members, split(flat), strict=True):
            assert_same_bits(actual, expected)
