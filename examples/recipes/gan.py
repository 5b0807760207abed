"""A GAN in one dimension: generator and discriminator, each with its own optimizer, play for a normal distribution."""

import numpy as np

import fastadam

MEAN, DEVIATION = 1.5, 0.5  # of the data
BATCH = 256
PLAY = {"betas": (0.5, 0.99)}  # a short memory of gradients, since the other player moves


def features(x):
    return np.stack([x, x * x, np.ones_like(x)])


def probability(discriminator, x):
    """The discriminator's, that x is real: logistic in x and x², which can tell any two normal distributions apart."""
    return 1 / (1 + np.exp(-(discriminator @ features(x))))


def discriminator_gradient(discriminator, real, fake):
    """Of -log D(real) - log(1 - D(fake))."""
    missed = 1 - probability(discriminator, real)
    return (features(fake) @ probability(discriminator, fake) - features(real) @ missed) / BATCH


def generator_gradient(discriminator, fake, noise):
    """Of -log D(fake), where fake = mean + deviation * noise."""
    slope = (probability(discriminator, fake) - 1) * (discriminator[0] + 2 * discriminator[1] * fake)
    return np.array([slope.sum(), slope @ noise]) / BATCH


def train(seed, steps=1000):
    rng = np.random.default_rng(seed)
    generator, discriminator = np.array([0, 1], np.float32), np.zeros(3, np.float32)
    make = fastadam.Adam(generator, lr=lambda step: 0.02 * (1 - step / steps), **PLAY)
    judge = fastadam.AdamW(discriminator, lr=0.1, weight_decay=0.3, **PLAY)  # decay keeps it from certainty
    for _ in range(steps):
        real = rng.normal(MEAN, DEVIATION, BATCH).astype(np.float32)
        noise = rng.standard_normal(BATCH, dtype=np.float32)
        fake = generator[0] + generator[1] * noise
        judge.step(discriminator_gradient(discriminator, real, fake))
        make.step(generator_gradient(discriminator, fake, noise).astype(np.float32))
    assert (make.step_count, judge.step_count) == (steps, steps)
    return generator, probability(discriminator, fake)


def main():
    for seed in range(2):
        (mean, deviation), certainty = train(seed)
        print(f"seed {seed}: the generator makes mean {mean:.1f}, deviation {deviation:.1f}; the discriminator cannot tell")
        assert abs(mean - MEAN) < 0.05
        assert abs(deviation - DEVIATION) < 0.05
        assert abs(certainty.mean() - 0.5) < 0.1


if __name__ == "__main__":
    main()
