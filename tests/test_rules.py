"""What the papers say of each rule, and what must hold of its state, beyond the bits of the reference.

An update is read off exactly by stepping a parameter of 0, which ends as minus the update. U is the unit roundoff of float32,
the largest relative error of one operation. Tolerances are counts of roundings to first order, and one more for the rest.
"""

import itertools
import math

import numpy as np
import pytest
from buffers import assert_same_bits
from variants import VARIANTS

import fastadam

F32 = np.float32
U = 2.0**-24
MIN_NORMAL = np.finfo(F32).smallest_normal
SIZE = 200
LR = 0.01


def gradients(steps, seed=0, positive=False):
    """Gradients of sizes from 1e-3 to 1e3, around which each element's scatter."""
    rng = np.random.default_rng(seed)
    values = 10.0 ** rng.uniform(-3, 3, SIZE) * (rng.standard_normal((steps, SIZE)) + 0.5)
    return (np.abs(values) if positive else values).astype(F32)


def updates(cls, grads, first_step=1, state=(), **options):
    """The update of each step, float64, and the optimizer, whose states start from `state`."""
    param = np.zeros(grads.shape[1], F32)
    optimizer = cls(param, **{"lr": LR} | options)
    optimizer.state["step"][...] = first_step - 1
    for name, value in dict(state).items():
        optimizer.state[name][...] = value
    result = []
    for grad in grads:
        param[...] = 0
        optimizer.step(grad)
        result.append(-param.astype(np.float64))
    return np.array(result), optimizer


def assert_close(actual, expected, roundings):
    np.testing.assert_allclose(actual, expected, rtol=roundings * U, atol=0)


def moments(grads, rate, power=1):
    """The moving averages of powers of the gradients after each step, from 0, in float64, and the rate as it was used."""
    rate = float(F32(rate))
    terms = (1 - rate) * grads.astype(np.float64) ** power
    return np.array(list(itertools.accumulate(terms, lambda moment, term: rate * moment + term))), rate


@pytest.mark.parametrize("variant", [v for v in VARIANTS if not {"maximize", "weight_decay"} & {*dict(v.given)}], ids=str)
def test_vanished_gradients_leave_no_subnormal_state(variant):
    """Two thousand steps of zero gradient take states through the whole subnormal range, or leave them where they are."""
    options = {"eps": 0.0} if variant.rule_name == "adamax" else {}  # or its norm would not fall below eps
    grads = (10.0 ** np.random.default_rng(0).uniform(-38, 2, (5, 4 * SIZE))).astype(F32)
    optimizer = variant.make(np.zeros(4 * SIZE, F32), **options)
    smallest = dict.fromkeys(optimizer.state.keys() - {"step"}, math.inf)
    for grad in [*grads, *[np.zeros_like(grads[0])] * 2000]:
        optimizer.step(grad)
        for name in smallest:
            magnitudes = np.abs(optimizer.state[name])
            smallest[name] = min(smallest[name], magnitudes[magnitudes > 0].min(initial=math.inf))
    assert all(MIN_NORMAL <= value < 2.0**-120 for value in smallest.values()), smallest


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.9), (0.5, 0.0)])
@pytest.mark.parametrize("eps", [0.0, 0.5])
@pytest.mark.parametrize("decay", [0.0, 0.25])
def test_adam_without_bias_correction_uses_the_moments_as_they_are(betas, eps, decay):
    """Algorithm 1 of Kingma & Ba without its two corrections; a parameter of 1 shows decoupled decay."""
    grads = gradients(30, positive=True)
    actual, _ = updates(fastadam.Adam, grads, betas=betas, eps=eps, bias_correction=False)
    (m, _), (v, _) = moments(grads, betas[0]), moments(grads, betas[1], 2)
    assert_close(actual, LR * m / (np.sqrt(v) + eps), 60)
    corrected, _ = updates(fastadam.Adam, grads, betas=betas, eps=eps)
    assert np.abs(corrected[0] - actual[0]).max() > 0.1 * LR
    param = np.ones(SIZE, F32)
    fastadam.AdamW(param, lr=LR, betas=betas, eps=eps, weight_decay=decay, bias_correction=False).step(grads[0])
    np.testing.assert_allclose(param, 1 - LR * decay - actual[0], rtol=4 * U, atol=0)


DECOUPLED = [(fastadam.AdamW, {}), (fastadam.Lion, {})]
DECOUPLED += [(cls, {"decoupled_weight_decay": True}) for cls in (fastadam.NAdam, fastadam.RAdam, fastadam.ADOPT)]


@pytest.mark.parametrize(("cls", "options"), DECOUPLED)
@pytest.mark.parametrize("steps", [2, 8])  # the first of ADOPT does nothing
def test_cautious_decay_leaves_out_what_the_step_takes_away_from_zero(cls, options, steps):
    """Chen et al. 2025: the mask is 1 where update times parameter is at least 0. Tiny ones, whose product underflows, too."""
    rng = np.random.default_rng(0)
    start = (rng.standard_normal(SIZE) * 10.0 ** rng.uniform(-36, 1, SIZE)).astype(F32)
    start[:4] = 0, -0.0, 1, -1
    grads = gradients(steps)
    grads[:, SIZE // 2 :] *= F32(1e-10)
    grads[:, :4] = 0
    grads[:, 4:7] *= F32(-1)

    def step(decay, cautious, param, state):
        param = param.copy()
        optimizer = cls(param, lr=0.1, weight_decay=decay, cautious_weight_decay=cautious, **options)
        for name, value in state.items():
            optimizer.state[name][...] = value
        optimizer.step(grads[-1])
        return param

    before = cls(np.zeros(SIZE, F32), lr=0.1, **options)
    for grad in grads[:-1]:
        before.step(grad)
    update = -step(0.0, False, np.zeros(SIZE, F32), before.state).astype(np.float64)
    agrees = np.sign(update) * np.sign(start) >= 0
    assert 0.2 < agrees.mean() < 0.8
    expected = np.where(agrees, step(0.5, False, start, before.state), step(0.0, False, start, before.state))
    assert_same_bits(step(0.5, True, start, before.state), expected)


@pytest.mark.parametrize("cls", [fastadam.NAdam, fastadam.RAdam, fastadam.ADOPT])
def test_cautious_decay_has_to_be_decoupled(cls):
    words = "cautious_weight_decay is True with decoupled_weight_decay False; expected decoupled_weight_decay True"
    with pytest.raises(ValueError, match=words):
        cls(np.ones(2, F32), cautious_weight_decay=True)
    optimizer = cls(np.ones(2, F32), cautious_weight_decay=True, decoupled_weight_decay=True)
    with pytest.raises(ValueError, match=words):
        optimizer.decoupled_weight_decay = False
    with pytest.raises(ValueError, match=words):
        fastadam.adam_step(*np.ones((4, 2), F32), step=1, cautious_weight_decay=True)
    with pytest.raises(AttributeError, match="cautious_weight_decay cannot be set: it is always False for Adam"):
        fastadam.Adam(np.ones(2, F32)).cautious_weight_decay = True


def test_adamax_divides_by_the_largest_decayed_gradient():
    """Kingma & Ba, section 7.1: u_t is the maximum of beta2^(t-i) |g_i|, and the step is lr / (1 - beta1^t) m / u."""
    steps, b2 = 60, float(F32(0.97))
    grads = gradients(steps, positive=True)
    grads[7:] *= F32(0.01)  # the first ones stay the largest for some time, then no more
    actual, optimizer = updates(fastadam.Adamax, grads, betas=(0.9, b2), eps=0.0)
    decayed = [b2 ** (steps - i) * np.abs(grads[i - 1].astype(np.float64)) for i in range(1, steps + 1)]
    assert_close(optimizer.state["exp_inf"], np.max(decayed, axis=0), steps)
    assert len(set(np.argmax(decayed, axis=0))) > 5
    m, b1 = moments(grads, 0.9)
    expected = LR / (1 - b1**steps) * m[-1] / np.max(decayed, axis=0)
    assert_close(actual[-1], expected, 3 * steps + 6)


def test_adagrad_divides_by_all_past_gradients():
    grads = gradients(50)
    squares = np.cumsum(grads.astype(np.float64) ** 2, axis=0)
    actual, _ = updates(fastadam.Adagrad, grads, lr_decay=0.1, eps=0.0)
    decay = 1 + 0.1 * np.arange(50)[:, None]
    assert_close(actual, LR / decay * grads / np.sqrt(squares), 50)  # a rounding a step, halved by the root, and a few more


def test_adagrad_is_a_limit_of_adam():
    """Kingma & Ba, section 5: with beta1 = 0, beta2 -> 1 and lr t^-1/2 for the learning rate of step t.

    For 1 - beta2 = 2^-20 the weights in Adam's second moment differ by up to t 2^-20 from one another.
    """
    steps, betas = 50, (0.0, 1 - 2.0**-20)
    grads = gradients(steps)
    expected, _ = updates(fastadam.Adagrad, grads, eps=0.0)
    param = np.zeros(SIZE, F32)
    adam = fastadam.Adam(param, betas=betas, eps=0.0)
    for t, grad in enumerate(grads, 1):
        param[...] = 0
        adam.lr = LR * t**-0.5
        adam.step(grad)
        np.testing.assert_allclose(-param, expected[t - 1], rtol=t * 2.0**-21 + (4 * t + 12) * U, atol=0)


@pytest.mark.parametrize("t", [1, 2, 3, 10, 100, 5000])
@pytest.mark.parametrize("momentum_decay", [0.0, 4e-3, 0.5, 20.0])
@pytest.mark.parametrize("beta1", [0.9, 0.5, 1 - 2.0**-16])
def test_nadam_corrects_by_the_product_of_all_momenta(t, momentum_decay, beta1):
    """Dozat's step, with PyTorch's momenta mu_i = beta1 (1 - 0.96^(i momentum_decay) / 2), multiplied one by one."""
    b1, b2 = float(F32(beta1)), float(F32(0.999))
    m, v = np.float32([[0.5], [0.25]])
    (actual,), optimizer = updates(
        fastadam.NAdam,
        np.full((1, 1), 2.0, F32),
        first_step=t,
        state={"exp_avg": m, "exp_avg_sq": v},
        betas=(b1, b2),
        momentum_decay=momentum_decay,
        eps=1e-3,
    )
    momenta = [b1 * (1 - 0.5 * 0.96 ** (i * momentum_decay)) for i in range(1, t + 2)]
    product = math.prod(momenta[:-1])
    m, v = (float(optimizer.state[name][0]) for name in ("exp_avg", "exp_avg_sq"))
    direction = (1 - momenta[-2]) * 2.0 / (1 - product) + momenta[-1] * m / (1 - product * momenta[-1])
    assert_close(actual, LR * direction / (math.sqrt(v / (1 - b2**t)) + 1e-3), 9)


def test_radam_starts_with_steps_of_momentum():
    """Liu et al., Algorithm 2, with PyTorch's threshold: for beta2 = 0.999 the variance is intractable for five steps."""
    grads = gradients(12, positive=True)
    actual, _ = updates(fastadam.RAdam, grads, eps=0.0)
    scaled, _ = updates(fastadam.RAdam, 8 * grads, eps=0.0)
    m, b1 = moments(grads, 0.9)
    for t in range(1, 13):
        if t <= 5:
            assert_close(actual[t - 1], LR * m[t - 1] / (1 - b1**t), 2 * t + 4)
        np.testing.assert_array_equal(scaled[t - 1], (8 if t <= 5 else 1) * actual[t - 1])


@pytest.mark.parametrize("t", [6, 7, 20, 1000, 10**6])
def test_radam_rectifies_the_steps_that_follow(t):
    """By the square root of the ratio of the variances in the limit and of now, equation 6 of the paper."""
    b1, b2 = float(F32(0.9)), float(F32(0.999))
    state = {"exp_avg": 0.5, "exp_avg_sq": 0.25}
    (actual,), optimizer = updates(fastadam.RAdam, np.full((1, 1), 2.0, F32), t, state, eps=0.0)
    limit = 2 / (1 - b2) - 1
    rho = limit - 2 * t * b2**t / (1 - b2**t)
    r = math.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
    m, v = (float(optimizer.state[name][0]) for name in ("exp_avg", "exp_avg_sq"))
    assert_close(actual, LR * r * (m / (1 - b1**t)) / math.sqrt(v / (1 - b2**t)), 5)


def test_adopt_divides_by_the_past_before_it_averages():
    """Taniguchi et al., Algorithm 2, with optax's clip: at the fourth root of the number of steps before."""
    grads = gradients(40, seed=1)
    grads[1::7] *= F32(1e4)
    actual, optimizer = updates(fastadam.ADOPT, grads, betas=(0.5, 0.75), eps=1e-2)
    m, v = np.zeros(SIZE), grads[0].astype(np.float64) ** 2
    assert not actual[0].any()
    clipped = 0
    for t, grad in enumerate(grads[1:].astype(np.float64), 1):
        limit = t**0.25
        normalized = grad / np.maximum(np.sqrt(v), 1e-2)
        clipped += (np.abs(normalized) > limit).sum()
        m = 0.5 * m + 0.5 * np.clip(normalized, -limit, limit)
        v = 0.75 * v + 0.25 * grad**2
        np.testing.assert_allclose(actual[t], LR * m, rtol=0, atol=LR * 60 * U * limit)
    assert 0 < clipped < 0.5 * actual.size
    assert_close(optimizer.state["exp_avg_sq"], v, 3 * 40)


@pytest.mark.parametrize("eps", [0.0, 1e-6])
def test_adopt_begins_with_gradients_of_zero(eps):
    """Nothing is divided in the first step. The next gradient is clipped to a sign: nothing was known of its size."""
    param = np.full(3, 2, F32)
    optimizer = fastadam.ADOPT(param, lr=0.5, betas=(0.0, 0.999), eps=eps, weight_decay=0.5, decoupled_weight_decay=True)
    optimizer.step(np.zeros(3, F32))
    assert (param == 2).all()
    assert not optimizer.state["exp_avg"].any()
    assert not optimizer.state["exp_avg_sq"].any()
    optimizer.weight_decay = 0.0
    optimizer.step(np.array([1e-3, -5, 1e20], F32))
    np.testing.assert_array_equal(param, np.array([1.5, 2.5, 1.5], F32))


def test_lion_takes_steps_of_one_size():
    grads = gradients(100)
    grads[:, :3] = 0
    grads[:, SIZE // 2 :] *= -1
    actual, optimizer = updates(fastadam.Lion, grads)
    m, _ = moments(grads, 0.99)
    before = np.vstack([np.zeros((1, SIZE)), m[:-1]])
    np.testing.assert_array_equal(actual, float(F32(LR)) * np.sign(0.9 * before + 0.1 * grads.astype(np.float64)))
    np.testing.assert_allclose(optimizer.state["exp_avg"], m[-1], rtol=0, atol=100 * U * np.abs(grads).max())


def test_sgd_without_momentum_has_no_state():
    param, grads = np.ones(SIZE, F32), gradients(3)
    optimizer, expected = fastadam.SGD(param, lr=LR), param.copy()
    assert list(optimizer.state) == ["step"]
    for grad in grads:
        optimizer.step(grad)
        expected -= F32(LR) * grad
    assert_same_bits(param, expected)


@pytest.mark.parametrize("dampening", [0.0, 0.25, 1.0])
def test_sgd_copies_the_first_gradient(dampening):
    """Whatever the dampening and the buffer, which are for the later ones."""
    first, second = gradients(2)
    param = np.zeros(SIZE, F32)
    optimizer = fastadam.SGD(param, lr=1.0, momentum=0.5, dampening=dampening)
    optimizer.state["momentum_buffer"][...] = 3
    optimizer.step(first)
    assert_same_bits(optimizer.state["momentum_buffer"], first)
    assert_same_bits(param, -first)
    optimizer.step(second)
    assert_same_bits(optimizer.state["momentum_buffer"], F32(0.5) * first + F32(1 - dampening) * second)


def test_rmsprop_s_variance_of_a_constant_gradient_is_not_negative():
    """Graves's mean of squares less squared mean is zero in the end, and rounding takes it to either side."""
    grads = np.tile(gradients(1), (2000, 1))
    actual, optimizer = updates(fastadam.RMSprop, grads, alpha=0.9, centered=True, eps=1e-3)
    variance = optimizer.state["square_avg"] - optimizer.state["grad_avg"] ** 2
    assert np.any(variance < 0)
    assert_close(actual[-1], F32(LR) * grads[-1] / (np.sqrt(np.maximum(variance, 0)) + F32(1e-3)), 4)
