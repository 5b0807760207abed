"""Fits a curve whose parameters have very different sizes: Adam wants them in natural units, in which each is of order one."""

import numpy as np

import fastadam

# What a detector counts, in SI units: a decay over a background. Amplitude and background in counts, the rate in 1/s.
TRUTH = np.array([4200, 3.1e5, 150], np.float32)
UNITS = np.array([1e3, 1e5, 1e2], np.float32)  # a guess of each size is enough
TIMES = np.linspace(0, 2e-5, 200, dtype=np.float32)
COUNTS = np.random.default_rng(0).poisson(TRUTH[0] * np.exp(-TRUTH[1] * TIMES) + TRUTH[2]).astype(np.float32)
SIGMA = np.sqrt(COUNTS.clip(1))


def loss_and_gradient(params):
    """Half the mean squared residual in standard deviations, and its gradient, both in SI units."""
    amplitude, rate, background = params
    decay = np.exp(-rate * TIMES)
    residual = (amplitude * decay + background - COUNTS) / SIGMA
    jacobian = np.stack([decay, -amplitude * TIMES * decay, np.ones_like(TIMES)]) / SIGMA
    return float(residual @ residual) / (2 * TIMES.size), jacobian @ residual / TIMES.size


def fit_in_si_units(lr, steps=1000):
    params = UNITS.copy()
    optimizer = fastadam.Adam(params, lr=lr)
    for _ in range(steps):
        optimizer.step(loss_and_gradient(params)[1])
    return params


def fit_in_natural_units(lr=0.03, steps=1000):
    natural = np.ones(3, np.float32)
    optimizer = fastadam.Adam(natural, lr=lr)
    for _ in range(steps):
        optimizer.step(UNITS * loss_and_gradient(UNITS * natural)[1])  # the chain rule
    return UNITS * natural


def fit_in_groups(lr=0.03, steps=1000):
    """The same without units: each parameter is a group with a learning rate of its size. eps has the gradient's unit."""
    params = [UNITS[i : i + 1].copy() for i in range(3)]
    groups = [{"params": [param]} for param in params]
    for group, unit in zip(groups, UNITS, strict=True):
        group |= {"lr": lr * float(unit), "eps": 1e-8 / float(unit)}
    optimizer = fastadam.Adam(groups)
    for _ in range(steps):
        gradient = loss_and_gradient(np.concatenate(params))[1]
        optimizer.step([gradient[i : i + 1] for i in range(3)])
    return np.concatenate(params)


def show(name, params):
    loss = loss_and_gradient(params)[0]
    amplitude, rate, background = (float(f"{param:.3g}") for param in params)
    print(f"{name:34}  loss {loss:6.2f}   amplitude {amplitude:6.0f}  rate {rate:6.0f}  background {background:4.0f}")
    return loss


def main():
    show("truth", TRUTH)
    losses = [show(f"SI units, one rate, lr = {lr:g}", fit_in_si_units(lr)) for lr in (0.1, 10, 1000)]
    fitted, grouped = fit_in_natural_units(), fit_in_groups()
    natural = show("natural units, lr = 0.03", fitted)
    show("a rate for each, lr = 0.03 * unit", grouped)
    assert natural < 0.6  # half a squared standard deviation, as noise leaves
    assert np.abs(fitted / TRUTH - 1).max() < 0.03
    assert min(losses) > 2 * natural
    assert np.abs(grouped / fitted - 1).max() < 1e-4


if __name__ == "__main__":
    main()
