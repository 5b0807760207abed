"""A variational autoencoder (Kingma & Welling 2014) with a hand-written gradient."""

import numpy as np

from lab.layers import Dense, Model, Softplus, backward, forward, sigmoid


class Autoencoder(Model):
    """Layers that encode an image as means and log-variances of normal distributions, and layers that decode a sample of these
    into a probability for each pixel. As in the paper, both have one hidden layer of softplus units."""

    def __init__(self, pixels, hidden, latent, seed, xp=np):
        self.latent = latent
        self.encoder = [Dense(pixels, hidden), Softplus(), Dense(hidden, 2 * latent, scale=0.01)]
        self.decoder = [Dense(latent, hidden), Softplus(), Dense(hidden, pixels, scale=0.01)]
        super().__init__([*self.encoder, *self.decoder], seed, xp)

    def loss(self, x, rng):
        """The mean negative variational lower bound of a batch in nats, from one sample per image, as a 0-d array. Stores its
        gradient in `grads`."""
        xp, count = self.xp, len(x)
        code = forward(self.encoder, x)
        mean, log_variance = code[:, : self.latent], code[:, self.latent :]
        deviation, noise = xp.exp(0.5 * log_variance), rng.standard_normal(mean.shape, dtype=x.dtype)
        logits = forward(self.decoder, mean + deviation * noise)
        reconstruction = (xp.logaddexp(logits, 0) - x * logits).sum()
        divergence = 0.5 * (mean**2 + deviation**2 - 1 - log_variance).sum()

        error = backward(self.decoder, (sigmoid(xp, logits) - x) / count)
        error = self.decoder[0].propagate(error)
        by_mean = error + mean / count
        by_log_variance = 0.5 * (error * noise * deviation + (deviation**2 - 1) / count)
        backward(self.encoder, xp.concatenate([by_mean, by_log_variance], axis=1))
        return (reconstruction + divergence) / count
