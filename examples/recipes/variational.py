"""The ground state of an anharmonic oscillator by the variational principle, in float32 and float64.

The trial function of -d2/dx2 / 2 + x**2 / 2 + x**4 is exp(-a x**2 - b x**4), and its energy is minimized over a and b.
"""

import numpy as np

import fastadam

EXACT = 0.803770651234  # the lowest energy, to which no trial function comes from below
X = np.linspace(-5, 5, 401)
BETA1, BETA2, EPS = 0.9, 0.99, 1e-8


def rate_of_step(t):
    return 0.05 * 0.997**t


def energy_and_gradient(params, x):
    """The mean of the local energy (H psi) / psi over psi**2, and its gradient 2 <(E - <E>) d log psi>."""
    a, b = params
    slope = -2 * a * x - 4 * b * x**3  # of log psi
    local = -(slope**2 - 2 * a - 12 * b * x**2) / 2 + x**2 / 2 + x**4
    weights = np.exp(-2 * (a * x**2 + b * x**4))
    weights /= weights.sum()
    energy = weights @ local
    return float(energy), 2 * np.stack([-(x**2), -(x**4)]) @ (weights * (local - energy))


def minimize(dtype, steps=6000):
    params, x = np.array([0.5, 0.1], dtype), X.astype(dtype)
    optimizer = fastadam.Adam(params, lr=rate_of_step, betas=(BETA1, BETA2), eps=EPS)
    for _ in range(steps):
        optimizer.step(energy_and_gradient(params, x)[1])
    return params, *energy_and_gradient(params, x)


def minimize_by_hand(steps=6000):
    """The loop that one would write."""
    params, m, v = np.array([0.5, 0.1]), np.zeros(2), np.zeros(2)
    for t in range(steps):
        g = energy_and_gradient(params, X)[1]
        m = BETA1 * m + (1 - BETA1) * g
        v = BETA2 * v + (1 - BETA2) * g * g
        m_hat, v_hat = m / (1 - BETA1 ** (t + 1)), v / (1 - BETA2 ** (t + 1))
        params = params - rate_of_step(t) * m_hat / (np.sqrt(v_hat) + EPS)
    return params, *energy_and_gradient(params, X)


def main():
    results = {"float32": minimize(np.float32), "float64": minimize(np.float64), "by hand": minimize_by_hand()}
    slopes = {}
    for name, (params, energy, gradient) in results.items():
        slopes[name] = float(np.abs(gradient).max())
        limit = next(limit for limit in (1e-14, 1e-6) if slopes[name] < limit)
        print(f"{name}: a = {params[0]:.4f}, b = {params[1]:.4f}, energy {energy:.5f}, gradient below {limit:.0e}")
        assert 0 < energy - EXACT < 1e-3
    assert slopes["float32"] > 1e-9
    assert slopes["float64"] < 1e-14
    assert np.abs(results["float64"][0] - results["by hand"][0]).max() < 1e-12


if __name__ == "__main__":
    main()
