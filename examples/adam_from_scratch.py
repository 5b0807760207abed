"""Adam from scratch: for two numbers, for arrays, and by this package, on the same problem and with the same result.

The problem is that of many articles: one neuron, sigmoid(w x + b), learns two points from w = b = 1. The program also makes the
slips that are common in such articles, one at a time, and prints what each costs.
"""

import math

import numpy as np

import fastadam

X, Y = [0.5, 2.5], [0.2, 0.9]
ETA, MAX_EPOCHS = 0.1, 100
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def neuron(w, b, x):
    return 1 / (1 + math.exp(-(w * x + b)))


def loss(w, b):
    return sum((neuron(w, b, x) - y) ** 2 / 2 for x, y in zip(X, Y, strict=True))


def gradient(w, b, x, y):
    """The derivatives of one point's loss by w and by b."""
    out = neuron(w, b, x)
    slope = (out - y) * out * (1 - out)
    return slope * x, slope


def scalar_adam():
    w = b = 1.0
    m_w = m_b = v_w = v_b = 0.0
    for t in range(1, MAX_EPOCHS + 1):
        dw = db = 0.0
        for x, y in zip(X, Y, strict=True):
            by_w, by_b = gradient(w, b, x, y)
            dw += by_w
            db += by_b
        m_w = BETA1 * m_w + (1 - BETA1) * dw
        m_b = BETA1 * m_b + (1 - BETA1) * db
        v_w = BETA2 * v_w + (1 - BETA2) * dw**2
        v_b = BETA2 * v_b + (1 - BETA2) * db**2
        m_w_hat = m_w / (1 - BETA1**t)
        m_b_hat = m_b / (1 - BETA1**t)
        v_w_hat = v_w / (1 - BETA2**t)
        v_b_hat = v_b / (1 - BETA2**t)
        w -= ETA * m_w_hat / (math.sqrt(v_w_hat) + EPS)
        b -= ETA * m_b_hat / (math.sqrt(v_b_hat) + EPS)
    return w, b


def array_adam():
    params = np.ones(2)  # w and b
    m, v = np.zeros(2), np.zeros(2)
    for t in range(1, MAX_EPOCHS + 1):
        grad = np.zeros(2)
        for x, y in zip(X, Y, strict=True):
            grad += gradient(*params, x, y)
        m = BETA1 * m + (1 - BETA1) * grad
        v = BETA2 * v + (1 - BETA2) * grad**2
        m_hat = m / (1 - BETA1**t)
        v_hat = v / (1 - BETA2**t)
        params -= ETA * m_hat / (np.sqrt(v_hat) + EPS)
    return params


def package_adam():
    params = np.ones(2, np.float32)  # w and b
    optimizer = fastadam.Adam(params, lr=ETA, betas=(BETA1, BETA2), eps=EPS)
    for _ in range(MAX_EPOCHS):
        grad = np.zeros(2)
        for x, y in zip(X, Y, strict=True):
            grad += gradient(*params.tolist(), x, y)
        optimizer.step(grad.astype(np.float32))
    return params


# The slips. Each is a rule that takes m, v, the gradient and t, and returns m, v and the step; or it is in the loop around it.


def rule(m, v, grad, t):
    m = BETA1 * m + (1 - BETA1) * grad
    v = BETA2 * v + (1 - BETA2) * grad**2
    return m, v, ETA * (m / (1 - BETA1**t)) / (np.sqrt(v / (1 - BETA2**t)) + EPS)


def keeps_the_corrected_averages(m, v, grad, t):
    m = (BETA1 * m + (1 - BETA1) * grad) / (1 - BETA1**t)
    v = (BETA2 * v + (1 - BETA2) * grad**2) / (1 - BETA2**t)
    return m, v, ETA * m / (np.sqrt(v) + EPS)


def eps_under_the_root(m, v, grad, t):
    m, v, _ = rule(m, v, grad, t)
    return m, v, ETA * (m / (1 - BETA1**t)) / np.sqrt(v / (1 - BETA2**t) + EPS)


def fitted(rule, first=1, reset=True, unit=1.0):
    """w and b by a rule, if t begins with `first`, gradients are set to zero or not, and the loss is measured in a `unit`."""
    params, m, v, grad = np.ones(2), np.zeros(2), np.zeros(2), np.zeros(2)
    for t in range(first, MAX_EPOCHS + first):
        if reset:
            grad = np.zeros(2)
        for x, y in zip(X, Y, strict=True):
            grad += np.multiply(gradient(*params.tolist(), x, y), unit)
        m, v, step = rule(m, v, grad, t)
        params -= step
    return params


def table():
    """w and b of each variant."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return {
            "no slip": fitted(rule),
            "no slip, loss/1000": fitted(rule, unit=1e-3),
            "t begins with 0": fitted(rule, first=0),
            "averages corrected": fitted(keeps_the_corrected_averages),
            "gradients kept": fitted(rule, reset=False),
            "eps under the root": fitted(eps_under_the_root),
            "same, loss/1000": fitted(eps_under_the_root, unit=1e-3),
        }


def row(name, w, b):
    return f"{name:<18}{w:9.6f}{b:10.6f}{loss(w, b):8.1e}"


def main():
    scalar, array, package = scalar_adam(), array_adam(), package_adam()
    print(f"{'':<18}{'w':>9}{'b':>10}{'loss':>8}")
    for name, (w, b) in {"two numbers": scalar, "arrays": array, "fastadam": package}.items():
        print(row(name, float(w), float(b)))
    assert tuple(array) == scalar, "arrays change no bit"
    assert [f"{value:.6f}" for value in package] == [f"{value:.6f}" for value in scalar], "seven digits are the same"

    print()
    results = table()
    for name, (w, b) in results.items():
        print(row(name, w, b))
    losses = {name: loss(*params) for name, params in results.items()}
    right = losses["no slip"]
    assert tuple(results["no slip"]) == scalar
    assert abs(losses["no slip, loss/1000"] / right - 1) < 0.1, "the unit of the loss hardly matters"
    assert losses["averages corrected"] > 0.8 * loss(1, 1), "it stops near its start"
    assert losses["gradients kept"] > 1_000 * right, "it runs past the minimum"
    assert abs(losses["eps under the root"] / right - 1) < 0.1, "it goes unnoticed"
    assert losses["same, loss/1000"] > 100 * right, "the unit of the loss matters"
    assert math.isnan(losses["t begins with 0"]), "it divides by zero"


if __name__ == "__main__":
    main()
